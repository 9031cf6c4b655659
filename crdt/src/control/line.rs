//! Lines: the ops that stand about one thing, each building on the one before.
//!
//! Of two concurrent ops about the same thing only one stands, so those that do are never
//! concurrent with each other, and whether another op is concurrent with one of them is a binary
//! search.

use std::collections::BTreeMap;

use super::body::Body;
use super::graph::{Graph, Index};
use super::op::VerifiedOp;
use super::policy::Policy;
use super::role::Right;
use crate::ids::{AccountId, EpochId, InviteId};

/// What an op is about. Of concurrent ops about the same thing one stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    /// Whether and as what an account belongs, as others say.
    Account(AccountId),
    /// Whether an account stays, as it says itself. Nobody else has a say in that, so it is a
    /// thing of its own.
    Leaving(AccountId),
    /// That an account was given a lower role: a thing among withdrawals only.
    Lowering(AccountId),
    /// An invite.
    Invite(InviteId),
    /// The channel's name.
    Name,
    /// The channel's topic.
    Topic,
    /// An epoch.
    Epoch(EpochId),
    /// Until when an account is muted.
    Mute(AccountId),
    /// What newcomers may read.
    History,
    /// Which role has a right.
    Right(Right),
    /// What messages live for.
    Retention,
    /// Which retention may be set.
    RetentionLimits,
}

impl Field {
    /// What an op is about. A Join is about the invite's uses instead, and a certificate counts
    /// by its own order.
    pub(super) fn of(op: &VerifiedOp) -> Option<Self> {
        match &op.op().body {
            Body::Leave => Some(Self::Leaving(op.op().author)),
            Body::Add { .. }
            | Body::SetRole { .. }
            | Body::Remove { .. }
            | Body::Ban { .. }
            | Body::Unban { .. } => op.subject().map(Self::Account),
            Body::Mute { account, .. } => Some(Self::Mute(*account)),
            Body::Invite { invite, .. } | Body::RevokeInvite { invite } => {
                Some(Self::Invite(*invite))
            }
            Body::Policy(Policy::Name(_)) => Some(Self::Name),
            Body::Policy(Policy::Topic(_)) => Some(Self::Topic),
            Body::Policy(Policy::History(_)) => Some(Self::History),
            Body::Policy(Policy::Right { right, .. }) => Some(Self::Right(*right)),
            Body::Policy(Policy::Retention { .. }) => Some(Self::Retention),
            Body::Policy(Policy::RetentionLimits(_)) => Some(Self::RetentionLimits),
            Body::Epoch(epoch) => Some(Self::Epoch(epoch.epoch)),
            Body::Create { .. } | Body::Devices { .. } | Body::Join { .. } => None,
            Body::Unknown { .. } => None,
        }
    }

    /// Whether who belongs depends on it, so that it is settled before everything else.
    pub(super) fn decides_membership(self) -> bool {
        matches!(self, Self::Account(_) | Self::Leaving(_) | Self::Invite(_))
    }
}

/// For each thing the ops about it that stand.
#[derive(Debug, Clone, Default)]
pub(super) struct Lines(BTreeMap<Field, Vec<Index>>);

impl Lines {
    /// The op of the line that is concurrent with `op`, if there is one.
    pub(super) fn concurrent(&self, graph: &Graph, field: Field, op: Index) -> Option<Index> {
        let line = self.0.get(&field)?;
        let next = *line.get(Self::ancestors(line, graph, op))?;
        graph.concurrent(next, op).then_some(next)
    }

    /// Adds an op that is not concurrent with any of the line.
    pub(super) fn add(&mut self, graph: &Graph, field: Field, op: Index) {
        let line = self.0.entry(field).or_default();
        let at = Self::ancestors(line, graph, op);
        line.insert(at, op);
    }

    fn ancestors(line: &[Index], graph: &Graph, op: Index) -> usize {
        line.partition_point(|other| graph.is_ancestor(*other, op))
    }
}
