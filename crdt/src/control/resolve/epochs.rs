//! Which epochs may be written in (rule 8).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::control::graph::{Graph, Index};
use crate::control::judge::Judgment;
use crate::control::roster::{EpochState, Roster};

/// Where the removals of a stage are that count: the last place of each chain.
pub(super) struct Removals(BTreeMap<u32, u32>);

impl Removals {
    pub(super) fn new<'a>(graph: &Graph, removals: impl Iterator<Item = &'a Index>) -> Self {
        let mut places = Self(BTreeMap::new());
        places.and(graph, removals.copied());
        places
    }

    /// Counts other ops of the stage like removals.
    pub(super) fn and(&mut self, graph: &Graph, others: impl IntoIterator<Item = Index>) {
        for other in others {
            let (chain, place) = graph.position(other);
            let last = self.0.entry(chain).or_insert(place);
            *last = place.max(*last);
        }
    }

    fn are_ancestors(&self, graph: &Graph, op: Index) -> bool {
        let covers = |(chain, place): (&u32, &u32)| graph.reaches(op, (*chain, *place));
        self.0.iter().all(covers)
    }
}

/// Judges the epochs behind a stage. One from below the stage, of which all in it are
/// descendants, stays as it was unless somebody was removed or expelled in the stage, or let in
/// who may read from then on only.
pub(super) fn judge(
    graph: &Graph,
    judgments: &[Judgment],
    roster: &mut Roster,
    stage: &[Index],
    removals: &Removals,
) {
    let expelled = Arc::clone(&roster.expelled);
    let expels = stage
        .iter()
        .any(|index| expelled.contains(&graph.op(*index).id()));
    let fresh: BTreeSet<Index> = stage.iter().copied().collect();
    let is_usable = |epoch: &EpochState| match graph.index(&epoch.op) {
        Some(index) if fresh.contains(&index) => {
            let grounds = judgments[index as usize].grounds();
            removals.are_ancestors(graph, index)
                && grounds.is_some_and(|grounds| expelled.is_subset(&grounds.expelled))
        }
        _ => epoch.usable && removals.0.is_empty() && !expels,
    };
    roster.judge_epochs(is_usable);
}
