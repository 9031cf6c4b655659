//! What a turn has decided and not yet released: records for one commit, and the effects that
//! wait for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kith_crdt::ids::{AccountId, ChannelId, EpochId, LogId, MessageId, Place, SegmentId};
use kith_crdt::projection::{Claim, SeenBy};
use kith_store::Batch;

use super::effect::{Effects, Moment, Outcome, Refusal};
use super::linking::LinkView;
use super::repeats::Kept;
use crate::erasures::Erased;
use crate::network;
use crate::record::Happening;

/// The work of one turn.
#[derive(Debug)]
pub(super) struct Stage {
    /// Records to be written in one go.
    pub(super) batch: Batch,
    /// What waits for that.
    pub(super) effects: Effects,
    /// Logs whose record has to be written at the end of the turn, once for all their envelopes.
    pub(super) logs: BTreeSet<(ChannelId, LogId)>,
    /// What the envelopes take up that are staged.
    pub(super) sizes: BTreeMap<(ChannelId, Place), u64>,
    /// Receipts looked at in this turn.
    pub(super) seen: BTreeMap<(ChannelId, SegmentId, AccountId), SeenBy>,
    /// Those of them that are news.
    pub(super) seen_changed: BTreeSet<(ChannelId, SegmentId, AccountId)>,
    /// Own envelopes to be gossiped, a channel's together.
    pub(super) outgoing: BTreeMap<ChannelId, Vec<Vec<u8>>>,
    /// Channels whose shared view has to be made anew.
    pub(super) touched: BTreeSet<ChannelId>,
    /// Messages that came in this turn, and where they are.
    pub(super) placed: BTreeMap<MessageId, (ChannelId, Place)>,
    /// The deletions of messages that came in this turn, and the epochs they are sealed in.
    pub(super) deletions: BTreeMap<(ChannelId, MessageId), Vec<(Claim, EpochId)>>,
    /// Logs of which what is unread has to be counted anew.
    pub(super) recount: BTreeSet<(ChannelId, LogId)>,
    /// What was erased in this turn.
    pub(super) erasures: BTreeMap<ChannelId, Vec<Erased>>,
    /// Whether what is projected was told of before.
    pub(super) quiet: bool,
    /// How the link for a device stands now, if that changed.
    pub(super) linking: Option<Option<Arc<LinkView>>>,
    /// Idempotency keys first used in this turn.
    pub(super) keys: BTreeMap<String, Kept>,
}

impl Stage {
    /// An empty turn.
    pub(super) fn new(batch: Batch) -> Self {
        Self {
            batch,
            effects: Effects::default(),
            logs: BTreeSet::new(),
            sizes: BTreeMap::new(),
            seen: BTreeMap::new(),
            seen_changed: BTreeSet::new(),
            outgoing: BTreeMap::new(),
            touched: BTreeSet::new(),
            placed: BTreeMap::new(),
            deletions: BTreeMap::new(),
            recount: BTreeSet::new(),
            erasures: BTreeMap::new(),
            quiet: false,
            linking: None,
            keys: BTreeMap::new(),
        }
    }

    /// Answers a command once the turn is durable.
    pub(super) fn answer(&mut self, token: u64, answer: Result<Outcome, Refusal>) {
        self.effects.answers.push((token, answer));
    }

    /// Hands something to the network once the turn is durable.
    pub(super) fn send(&mut self, command: network::Command) {
        self.effects.network.push(command);
    }

    /// Tells what is worth telling but not worth keeping.
    pub(super) fn tell(&mut self, moment: Moment) {
        self.effects.moments.push(moment);
    }

    /// Records a durable event, unless it was told of before.
    pub(super) fn record(&mut self, happening: &Happening) {
        if self.quiet {
            return;
        }
        self.batch.append_event(happening.to_bytes());
    }
}
