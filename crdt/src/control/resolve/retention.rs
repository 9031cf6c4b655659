//! What epochs promise whose makers did not know of what was done at the same time (rule 9).

use std::collections::BTreeSet;

use crate::control::body::Body;
use crate::control::graph::{Graph, Index};
use crate::control::judge::Judgment;
use crate::control::policy::Policy;
use crate::control::roster::Roster;
use crate::ids::EpochId;
use crate::retention::Retention;

/// Holds the epochs of a stage to what their makers knew. `standing` are those ops of the stage
/// that stand; all of them have been applied.
pub(super) fn settle(
    graph: &Graph,
    judgments: &[Judgment],
    roster: &mut Roster,
    (stage, standing): (&[Index], &[Index]),
) {
    let instant = roster.retention() == Retention::Instant;
    let renewing: Vec<Index> = standing
        .iter()
        .copied()
        .filter(|index| renews(&graph.op(*index).op().body, instant))
        .collect();
    for index in stage {
        let op = graph.op(*index);
        let Body::Epoch(epoch) = &op.op().body else {
            continue;
        };
        // Somebody else may have made an epoch of that id as well.
        let is_of_op = roster.epochs.get(&epoch.epoch).map(|state| state.op) == Some(op.id());
        let promise = judgments[*index as usize]
            .grounds()
            .and_then(|grounds| grounds.promise.as_ref());
        let Some(promise) = promise.filter(|_| is_of_op) else {
            continue;
        };
        let unknown = |other: &Index| !graph.is_ancestor(*other, *index);
        roster.keep_promise(&epoch.epoch, promise, !renewing.iter().any(unknown));
    }
}

/// Has retentions for existing messages that were set in a stage shorten every epoch whose maker did
/// not know of them. What is written from then on was not there when they were set, so it takes an
/// epoch whose maker knew.
pub(super) fn shorten(
    graph: &Graph,
    judgments: &[Judgment],
    roster: &mut Roster,
    set: impl Iterator<Item = Index>,
) {
    for index in set {
        let grounds = judgments[index as usize].grounds();
        let Some(promise) = grounds.and_then(|grounds| grounds.promise.as_ref()) else {
            continue;
        };
        let Body::Policy(Policy::Retention {
            retention,
            existing: true,
        }) = &graph.op(index).op().body
        else {
            continue;
        };
        let epochs = roster.epochs.iter();
        let unknowing = epochs.filter(|(_, epoch)| match graph.index(&epoch.op) {
            Some(made) => !graph.is_ancestor(index, made),
            None => true,
        });
        let unknowing: Vec<EpochId> = unknowing.map(|(id, _)| *id).collect();
        for epoch in &unknowing {
            roster.shorten(epoch, (*retention, &promise.audience));
            roster.take_no_more_messages(epoch);
        }
    }
}

/// Has nobody wait for those who went, where an epoch's maker did not know of that: messages have
/// ended since on every node that did.
pub(super) fn release(graph: &Graph, roster: &mut Roster, standing: &[Index]) {
    for index in standing {
        let op = graph.op(*index).op();
        let gone = match &op.body {
            Body::Leave => op.author,
            Body::Remove { account, .. } | Body::Ban { account, .. } => *account,
            _ => continue,
        };
        let epochs = roster.epochs.iter();
        let unknowing = epochs.filter(|(_, epoch)| match graph.index(&epoch.op) {
            Some(made) => !graph.is_ancestor(*index, made),
            None => true,
        });
        let unknowing: BTreeSet<EpochId> = unknowing.map(|(id, _)| *id).collect();
        roster.await_no_more(&gone, |epoch| unknowing.contains(epoch));
    }
}

/// Whether messages written after an op have to be sealed in an epoch whose maker knew of it.
fn renews(body: &Body, instant: bool) -> bool {
    match body {
        Body::Policy(Policy::Retention { .. } | Policy::RetentionLimits(_)) => true,
        Body::Join { .. } | Body::Add { .. } => instant,
        _ => false,
    }
}
