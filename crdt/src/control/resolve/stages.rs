//! Cutting a log into stages that have nothing to do with each other.
//!
//! An op that is concurrent with no other is a **cut**: everything else lies below it or above.
//! Whether an op is one depends on the set of ops alone, so every node cuts alike, and what is
//! above a cut is judged and resolved by what came of everything below.

use std::collections::{BTreeMap, BTreeSet};

use crate::control::graph::{Graph, Index};

/// Cuts `ops`, sorted ancestors first, behind each op that is concurrent with no other of them.
/// So every stage but perhaps the last ends with a cut.
pub(in crate::control) fn stages<'a>(graph: &Graph, ops: &'a [Index]) -> Vec<&'a [Index]> {
    let mut stages = Vec::new();
    let mut from = 0;
    for cut in cuts(graph, ops) {
        // What precedes a cut since the last one is a stage, and so is the cut itself.
        if from < cut {
            stages.push(&ops[from..cut]);
        }
        stages.push(&ops[cut..=cut]);
        from = cut + 1;
    }
    if from < ops.len() {
        stages.push(&ops[from..]);
    }
    stages
}

/// Where in `ops` those are that are concurrent with no other, ascending: each is the only head
/// of what precedes it, and no op behind it builds on one before it but through it.
fn cuts(graph: &Graph, ops: &[Index]) -> Vec<usize> {
    let places: BTreeMap<Index, usize> = ops
        .iter()
        .enumerate()
        .map(|(place, op)| (*op, place))
        .collect();
    let mut heads: BTreeSet<Index> = BTreeSet::new();
    let mut only_head = Vec::with_capacity(ops.len());
    for &op in ops {
        for parent in graph.parents(op) {
            heads.remove(parent);
        }
        heads.insert(op);
        only_head.push(heads.len() == 1);
    }
    // Parents that are not among the ops lie before all of them.
    let mut deepest: Option<usize> = Some(ops.len());
    let mut cuts = Vec::new();
    for place in (0..ops.len()).rev() {
        if only_head[place] && deepest >= Some(place) {
            cuts.push(place);
        }
        for parent in graph.parents(ops[place]) {
            deepest = deepest.min(places.get(parent).copied());
        }
    }
    cuts.reverse();
    cuts
}
