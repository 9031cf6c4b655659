//! The control log: who belongs to a channel, with which role and devices, and under which
//! policy, as a signed graph of ops that everybody may hold and nobody owns.
//!
//! - `op`, `body`, `policy`, `seen`: an op and its bytes, verified as far as it goes by itself.
//! - `role`: who may what, and who stands above whom.
//! - `graph`, `waiting`: which op builds on which, and those whose ancestors are not here.
//! - `quota`: how many ops a device may have.
//! - `judge`: what an op's author could know. `resolve`, `line`: what was done at the same time.
//! - `history`: which keys newcomers are given.
//! - `settle`: both of them kept up while the log grows. `roster`: the outcome. `explain`: why.
//!
//! The log decides nothing about messages and holds no keys.

mod body;
mod explain;
mod graph;
mod history;
mod judge;
mod line;
mod op;
mod policy;
mod quota;
mod resolve;
mod role;
mod roster;
mod seen;
mod settle;
mod verdict;
mod waiting;

use std::sync::{Arc, OnceLock};

use rand_core::CryptoRng;

pub use body::{Body, CHANNEL_GROUP, CHANNEL_SELF, EpochOp};
pub use explain::{Deed, Explanation, Step};
pub use op::{ControlOp, OpError, VerifiedOp};
pub use policy::{History, Policy, PolicyField};
pub use role::{ParseRoleError, Right, Role, Standing};
pub use roster::{
    Ban, EpochState, InviteStanding, InviteState, Member, Mute, Participation, Roster,
    RosterDevice, SetBy, Status, Unheard,
};
pub use seen::LastSeen;
pub use verdict::{Rule, Verdict};

use graph::{Graph, Index, Misfit};
use judge::judge;
use settle::Settled;
use waiting::Waiting;

use crate::encoding::DecodeError;
use crate::identity::DeviceSecrets;
use crate::ids::{ChannelId, OpId};
use crate::limits::{OPS_PER_DEVICE, PARENTS_MAX};
use crate::time::Millis;

/// What became of an op that was handed to a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inserted {
    /// It is in the log, and so is what waited for it: all of them, parents first.
    Added(Vec<OpId>),
    /// It was there already.
    Known,
    /// An ancestor is not here yet.
    Waiting,
    /// It cannot be in this log.
    Refused(Refusal),
}

/// Why an op cannot be in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It belongs to another channel.
    #[error("the op belongs to another channel")]
    OtherChannel,
    /// Its lamport number does not follow from its parents'.
    #[error("the op's lamport number does not follow from its parents")]
    Lamport,
    /// The log has as many ops or bytes as it may have.
    #[error("the control log is full")]
    Full,
    /// The log has as many ops of its author as it may have.
    #[error("the device has written as much to the control log as one may: {OPS_PER_DEVICE} ops")]
    DeviceFull,
}

impl Refusal {
    /// Whether whoever handed the op over should have known better. That a log is full is not
    /// their doing: they may have had room for it.
    pub const fn is_offence(&self) -> bool {
        matches!(self, Self::OtherChannel | Self::Lamport)
    }
}

/// Why an op is not written here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// A rule of the channel forbids it.
    #[error("{0}")]
    Rule(#[from] Rule),
    /// It is out of bounds.
    #[error("{0}")]
    OutOfBounds(#[from] DecodeError),
    /// It could not be read back.
    #[error("{0}")]
    Malformed(#[from] OpError),
    /// The log does not take it.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The log has not arrived yet.
    #[error("the channel's control log is not here yet")]
    Empty,
    /// This program does not know what it would be writing.
    #[error("this program does not understand that op")]
    NotUnderstood,
}

/// What an account's own channel is called, in the log and in messages about damage.
const OWN_CHANNEL_NAME: &str = "self";

/// The control log of a channel, as far as it is known here.
#[derive(Debug, Clone)]
pub struct ControlLog {
    channel: ChannelId,
    graph: Graph,
    waiting: Waiting,
    settled: Settled,
    /// What a reader settled since the last op came; taken over by the next change.
    read: OnceLock<Box<Settled>>,
}

impl ControlLog {
    /// Founds a channel, with the author as its owner.
    ///
    /// # Errors
    /// [`Denied`] if the name is out of bounds or the author's certificate does not hold.
    pub fn create(
        secrets: &DeviceSecrets,
        name: &str,
        now: Millis,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, VerifiedOp), Denied> {
        Self::found(secrets, (name, CHANNEL_GROUP), now, rng)
    }

    /// Founds the channel in which an account keeps its settings: nobody else can be let in.
    ///
    /// # Errors
    /// [`Denied`] if the author's certificate does not hold.
    pub fn create_own(
        secrets: &DeviceSecrets,
        now: Millis,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, VerifiedOp), Denied> {
        Self::found(secrets, (OWN_CHANNEL_NAME, CHANNEL_SELF), now, rng)
    }

    fn found(
        secrets: &DeviceSecrets,
        (name, kind): (&str, u8),
        now: Millis,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, VerifiedOp), Denied> {
        let mut nonce = [0; 16];
        rng.fill_bytes(&mut nonce);
        let body = Body::Create {
            nonce,
            name: name.to_owned(),
            kind,
            certificate: secrets.certificate.clone(),
        };
        body.check()?;
        let op = ControlOp {
            channel: None,
            author: secrets.account,
            device: secrets.device(),
            parents: Vec::new(),
            lamport: 1,
            at: now,
            body,
        };
        let op = op.sign(&secrets.signing)?;
        let mut log = Self::new(op.channel());
        log.insert(op.clone());
        Ok((log, op))
    }

    /// An empty log, as somebody has it who joins.
    pub fn new(channel: ChannelId) -> Self {
        Self {
            channel,
            graph: Graph::default(),
            waiting: Waiting::default(),
            settled: Settled::new(channel),
            read: OnceLock::new(),
        }
    }

    /// The channel.
    pub const fn channel(&self) -> ChannelId {
        self.channel
    }

    /// How many ops are in the log.
    pub fn len(&self) -> usize {
        self.graph.len()
    }

    /// Whether the log has not even its Create.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many ops wait for their ancestors.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether an op is in the log.
    pub fn contains(&self, id: &OpId) -> bool {
        self.graph.index(id).is_some()
    }

    /// An op of the log.
    pub fn get(&self, id: &OpId) -> Option<&VerifiedOp> {
        Some(self.graph.op(self.graph.index(id)?))
    }

    /// All ops, ancestors first, in the order that is the same on every node.
    pub fn iter(&self) -> impl Iterator<Item = &VerifiedOp> {
        self.graph
            .after(None)
            .map(|index| self.graph.op(index).as_ref())
    }

    /// The ops that nothing builds on, sorted.
    pub fn heads(&self) -> Vec<OpId> {
        let mut heads = self.ids(self.graph.heads());
        heads.sort_unstable();
        heads
    }

    /// Puts an op into the log, and with it whatever waited for it.
    pub fn insert(&mut self, op: VerifiedOp) -> Inserted {
        if op.channel() != self.channel {
            return Inserted::Refused(Refusal::OtherChannel);
        }
        if self.contains(&op.id()) {
            return Inserted::Known;
        }
        if self.waiting.contains(&op.id()) {
            return Inserted::Waiting;
        }
        self.take_over_reading();
        let added = match self.add(Arc::new(op)) {
            Ok(added) => added,
            Err(other) => return other,
        };
        let added = self.add_waiting(added);
        self.settled.advance(&self.graph);
        Inserted::Added(added)
    }

    /// What would become of an op, were it put into the log now; nothing if its ancestors are
    /// not here or the log does not take it. Whoever takes an op from a stranger asks first.
    pub fn preview(&self, op: &VerifiedOp) -> Option<Verdict> {
        let mut log = self.clone();
        log.insert(op.clone());
        log.roster().verdicts.get(&op.id()).copied()
    }

    /// The ops that are not among `have` nor ancestors of any of them, parents first, as signed
    /// bytes: at least one if there are any, then as many as fit in `max_bytes`; and whether
    /// there are more. Ids in `have` that are not in the log say nothing.
    pub fn missing_from(&self, have: &[OpId], max_bytes: usize) -> (Vec<Vec<u8>>, bool) {
        self.page(self.graph.missing_from(have), max_bytes)
    }

    /// Of the ops that [`Self::missing_from`] gives those alone that `last` builds on, and `last`
    /// itself: what its author knew, and nothing that came after. Empty if it is not in the log.
    pub fn missing_up_to(
        &self,
        last: &OpId,
        have: &[OpId],
        max_bytes: usize,
    ) -> (Vec<Vec<u8>>, bool) {
        let Some(last) = self.graph.index(last) else {
            return (Vec::new(), false);
        };
        let mut missing = self.graph.missing_from(have);
        missing.retain(|op| *op == last || self.graph.is_ancestor(*op, last));
        self.page(missing, max_bytes)
    }

    fn page(&self, ops: Vec<Index>, max_bytes: usize) -> (Vec<Vec<u8>>, bool) {
        let mut page = Vec::new();
        let mut size = 0;
        for index in ops {
            let bytes = self.graph.op(index).to_bytes();
            size += bytes.len();
            if size > max_bytes && !page.is_empty() {
                return (page, true);
            }
            page.push(bytes);
        }
        (page, false)
    }

    /// Writes an op on top of the log and puts it in.
    ///
    /// # Errors
    /// [`Denied`] if a rule forbids it, and names the rule; then nothing is written.
    pub fn author(
        &mut self,
        secrets: &DeviceSecrets,
        body: Body,
        now: Millis,
    ) -> Result<VerifiedOp, Denied> {
        body.check()?;
        self.take_over_reading();
        self.settled.settle(&self.graph);
        let parents = self.parents_to_build_on();
        let highest = parents
            .iter()
            .map(|parent| self.graph.op(*parent).op().lamport)
            .max();
        let mut parent_ids = self.ids(&parents);
        parent_ids.sort_unstable();
        let op = ControlOp {
            channel: Some(self.channel),
            author: secrets.account,
            device: secrets.device(),
            parents: parent_ids,
            lamport: 1 + highest.ok_or(Denied::Empty)?,
            at: now,
            body,
        };
        let op = op.sign(&secrets.signing)?;
        match self.judge_on(&parents, &op) {
            Verdict::Stands => {}
            Verdict::Void(rule) => return Err(Denied::Rule(rule)),
            Verdict::NotUnderstood => return Err(Denied::NotUnderstood),
        }
        match self.insert(op.clone()) {
            Inserted::Refused(refusal) => Err(Denied::Refused(refusal)),
            Inserted::Added(_) | Inserted::Known | Inserted::Waiting => Ok(op),
        }
    }

    /// What the log amounts to.
    pub fn roster(&self) -> &Roster {
        self.resolved()
            .roster(&self.graph)
            .expect("settling goes through all of the log")
    }

    /// All of the log, gone through.
    fn resolved(&self) -> &Settled {
        if self.settled.roster(&self.graph).is_some() {
            return &self.settled;
        }
        self.read.get_or_init(|| {
            let mut settled = self.settled.clone();
            settled.settle(&self.graph);
            Box::new(settled)
        })
    }

    fn add(&mut self, op: Arc<VerifiedOp>) -> Result<Vec<OpId>, Inserted> {
        let id = op.id();
        let (waiting, settled) = (&self.waiting, &self.settled);
        let wanted = || waiting.wanted_by_others(&op, |other| settled.knows(other));
        match self.graph.add(Arc::clone(&op), wanted) {
            Ok(_) => Ok(vec![id]),
            Err(Misfit::Missing(parent)) => {
                self.waiting.park(op, parent);
                Err(Inserted::Waiting)
            }
            Err(Misfit::Lamport) => Err(Inserted::Refused(Refusal::Lamport)),
            Err(Misfit::Full) => Err(Inserted::Refused(Refusal::Full)),
            Err(Misfit::DeviceFull) => Err(Inserted::Refused(Refusal::DeviceFull)),
        }
    }

    fn add_waiting(&mut self, mut added: Vec<OpId>) -> Vec<OpId> {
        let mut next = 0;
        while let Some(arrived) = added.get(next).copied() {
            next += 1;
            for op in self.waiting.release(&arrived) {
                if let Ok(more) = self.add(op) {
                    added.extend(more);
                }
            }
        }
        added
    }

    fn take_over_reading(&mut self) {
        if let Some(read) = self.read.take() {
            self.settled = *read;
        }
    }

    /// The heads, or if they are too many the ones that matter most: what stands before what is
    /// void, so that nobody can crowd out the rest, and then the latest.
    fn parents_to_build_on(&self) -> Vec<Index> {
        let mut heads: Vec<Index> = self.graph.heads().iter().copied().collect();
        if heads.len() > PARENTS_MAX {
            let verdicts = &self.roster().verdicts;
            heads.sort_by_key(|head| {
                let op = self.graph.op(*head);
                let stands = verdicts.get(&op.id()).is_some_and(Verdict::stands);
                std::cmp::Reverse((stands, op.order()))
            });
            heads.truncate(PARENTS_MAX);
            heads.sort_unstable();
        }
        heads
    }

    fn judge_on(&mut self, parents: &[Index], op: &VerifiedOp) -> Verdict {
        if self.graph.heads().iter().eq(parents) {
            judge(op, self.roster()).verdict()
        } else {
            judge(op, &self.settled.view(&self.graph, parents)).verdict()
        }
    }

    fn ids<'a>(&self, indexes: impl IntoIterator<Item = &'a Index>) -> Vec<OpId> {
        indexes
            .into_iter()
            .map(|index| self.graph.op(*index).id())
            .collect()
    }
}

#[cfg(test)]
mod tests;
