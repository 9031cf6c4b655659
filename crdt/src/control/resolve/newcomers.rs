//! What newcomers may read whose admission and a policy about that do not know of each other: the
//! stricter counts (rule 1 of `history.rs`).

use crate::control::body::Body;
use crate::control::graph::{Graph, Index};
use crate::control::policy::{History, Policy};
use crate::control::roster::Roster;

/// Holds the newcomers of a stage, of which these ops stand and have been applied, to the policies
/// that were set at the same time. Returns the admissions of those who may read from joining on
/// only.
pub(super) fn restrict(graph: &Graph, roster: &mut Roster, standing: &[Index]) -> Vec<Index> {
    let policies: Vec<(Index, History)> = standing
        .iter()
        .filter_map(|index| match &graph.op(*index).op().body {
            Body::Policy(Policy::History(history)) => Some((*index, *history)),
            _ => None,
        })
        .collect();
    let mut from_joining = Vec::new();
    for index in standing {
        let op = graph.op(*index);
        if !matches!(op.op().body, Body::Join { .. } | Body::Add { .. }) {
            continue;
        }
        let concurrent = policies
            .iter()
            .filter(|(policy, _)| graph.concurrent(*policy, *index))
            .fold(History::Everything, |strictest, (_, history)| {
                strictest.stricter(*history)
            });
        if roster.restrict(op, concurrent) {
            from_joining.push(*index);
        }
    }
    from_joining
}
