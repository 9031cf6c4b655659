//! Ancestry by clocks is ancestry.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Grows a log by ops whose parents are picked by these numbers among all earlier ops.
fn grown(picks: &[Vec<u32>]) -> (ControlLog, Vec<VerifiedOp>) {
    let mut log = founded();
    let mut ops = vec![head(&log)];
    for (number, picks) in picks.iter().enumerate() {
        let parents: BTreeSet<usize> = picks
            .iter()
            .map(|pick| *pick as usize % ops.len())
            .collect();
        let parents: Vec<&VerifiedOp> = parents.into_iter().map(|at| &ops[at]).collect();
        let op = forge(
            &log,
            &alice().phone,
            &parents,
            NOW,
            topic(&number.to_string()),
        );
        log.insert(op.clone());
        ops.push(op);
    }
    (log, ops)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]

    #[test]
    fn clocks_agree_with_walking_the_graph(
        picks in prop::collection::vec(prop::collection::vec(any::<u32>(), 1..4), 1..40),
    ) {
        let (log, ops) = grown(&picks);
        for op in &ops {
            let index = log.graph.index(&op.id()).unwrap();
            let mut above: BTreeSet<OpId> = BTreeSet::new();
            let mut open = op.op().parents.clone();
            while let Some(id) = open.pop() {
                if above.insert(id) {
                    open.extend(&log.get(&id).unwrap().op().parents);
                }
            }
            for other in &ops {
                let other_index = log.graph.index(&other.id()).unwrap();
                prop_assert_eq!(
                    log.graph.is_ancestor(other_index, index),
                    above.contains(&other.id())
                );
            }
        }
    }
}

#[test]
fn two_who_take_turns_at_merging_need_two_chains() {
    // Each round both write at once and then one merges.
    let picks: Vec<Vec<u32>> = (0..100)
        .flat_map(|n| [vec![3 * n], vec![3 * n], vec![3 * n + 1, 3 * n + 2]])
        .collect();
    let (log, ops) = grown(&picks);
    let chains: BTreeSet<u32> = ops
        .iter()
        .map(|op| log.graph.position(log.graph.index(&op.id()).unwrap()).0)
        .collect();
    assert_eq!(chains.len(), 2);
}

#[test]
fn a_parent_that_another_parent_builds_on_adds_nothing() {
    let (log, ops) = grown(&[vec![0], vec![1], vec![0, 1, 2]]);
    let index = log.graph.index(&ops[3].id()).unwrap();
    assert_eq!(ops[3].op().parents.len(), 3);
    assert_eq!(
        log.graph.parents(index),
        [log.graph.index(&ops[2].id()).unwrap()]
    );
}
