//! Pulling the control ops that a peer has and we lack.
//!
//! The request names ops we `have`, and the answer leaves out their ancestors. Our heads alone
//! would not do: when both sides have written since they last met, neither knows the other's
//! heads, and everything would be sent from the start, page after page the same. So `have` also
//! names ops further and further back, and the newest of what this peer has sent already, which
//! it certainly knows. Used by the sync session and, under an invite, before there is one.

use std::collections::BTreeSet;

use crate::control::{ControlLog, VerifiedOp};
use crate::ids::{ChannelId, OpId};
use crate::limits::SYNC_HEADS;

/// The asking side's memory of one peer's control ops.
#[derive(Debug, Clone)]
pub struct ControlPull {
    channel: ChannelId,
    /// The peer's heads, as far as it has told them.
    heads: Vec<OpId>,
    /// What the peer has sent and not yet sent a child of.
    frontier: BTreeSet<OpId>,
}

/// The verified ops of one page.
#[derive(Debug, Default)]
pub struct ControlPage {
    /// Ops of this channel whose signatures hold, in the order received.
    pub ops: Vec<VerifiedOp>,
    /// How many were something else.
    pub faults: usize,
    /// Whether the page went beyond what the peer had sent before. If not, asking again is
    /// pointless.
    pub advanced: bool,
}

impl ControlPull {
    /// Starts with the heads that the peer has told, or none.
    pub fn new(channel: ChannelId, heads: Vec<OpId>) -> Self {
        Self {
            channel,
            heads,
            frontier: BTreeSet::new(),
        }
    }

    /// Whether the peer has told of an op that `log` lacks.
    pub fn lacks(&self, log: &ControlLog) -> bool {
        self.heads.iter().any(|head| !log.contains(head))
    }

    /// What to name as held in the next request, at most [`SYNC_HEADS`] ops.
    pub fn have(&self, log: &ControlLog) -> Vec<OpId> {
        let shared = self.heads.iter().filter(|head| log.contains(head)).copied();
        let mut named = BTreeSet::new();
        self.frontier
            .iter()
            .copied()
            .chain(steps_back(log))
            .chain(shared)
            .chain(log.heads())
            .filter(|op| named.insert(*op))
            .take(SYNC_HEADS)
            .collect()
    }

    /// Takes a page of ops. Each is checked for its channel and signature; whether its author
    /// may is for the control log to say.
    pub fn take(&mut self, page: &[Vec<u8>]) -> ControlPage {
        let before = self.frontier.clone();
        let mut taken = ControlPage::default();
        for bytes in page {
            match VerifiedOp::verify(bytes) {
                Ok(op) if op.channel() == self.channel => {
                    for parent in &op.op().parents {
                        self.frontier.remove(parent);
                    }
                    self.frontier.insert(op.id());
                    taken.ops.push(op);
                }
                _ => taken.faults += 1,
            }
        }
        // Beyond the bound the request could not name them anyway.
        while self.frontier.len() > SYNC_HEADS {
            self.frontier.pop_first();
        }
        taken.advanced = self.frontier != before;
        taken
    }
}

/// Ops on a path from the latest head to the Create, at distances that double.
fn steps_back(log: &ControlLog) -> Vec<OpId> {
    let latest = |ops: &[OpId]| {
        ops.iter()
            .filter_map(|id| log.get(id).map(|op| (op.op().lamport, *id)))
            .max()
            .map(|(_, id)| id)
    };
    let mut steps = Vec::new();
    let mut here = latest(&log.heads());
    let mut distance = 0_u64;
    while let Some(id) = here {
        let parents = log.get(&id).map_or(&[][..], |op| &op.op().parents);
        if distance.is_power_of_two() || parents.is_empty() {
            steps.push(id);
        }
        distance += 1;
        here = latest(parents);
    }
    steps
}
