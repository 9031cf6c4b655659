//! Being let in without a link: whoever is added, or let in again, hears of it here.
//!
//! Those who know that somebody belongs ask that person's devices to compare the channel, as they
//! ask every member. A device that is no member as far as it knows takes the question for a hint
//! and asks back for the control log, which proves itself: whether this account belongs is found
//! from the signed ops, and nobody is believed. A channel never heard of is asked after only where
//! the peer is a member of a channel of this account's, one at a time with each; of another device
//! of this account everything is, for what one belongs to all of them do. What anybody names to an
//! account that was recovered is asked for one after the other.
//!
//! Nobody asks before they add somebody, so nobody can fill another's node with channels either: of
//! those that one account added this one to, and that it has not answered in, there are at most
//! [`ADDED_BY_ONE`], and [`ADDED_BY_ALL`] in all. What comes on top is not taken in until one of
//! them is answered, by anything that is written there, if only a read mark, or left.

use std::collections::BTreeSet;

use kith_crdt::control::{Body, ControlLog, Inserted, VerifiedOp};
use kith_crdt::encoding;
use kith_crdt::ids::{AccountId, ChannelId, ChannelTag, TransportKey};
use kith_crdt::limits::{ADDED_BY_ALL, ADDED_BY_ONE, ADDITIONS_DECLINED};
use kith_crdt::sync::{Answer, ControlPull, Request};
use kith_crdt::time::Millis;

use super::channel::Channel;
use super::outstanding::Purpose;
use super::{Engine, Timer};
use crate::record::{ChannelRecord, What};

/// Channels that this account was added to and that were not taken in.
#[derive(Debug, Default)]
pub(super) struct Declined {
    tags: BTreeSet<ChannelTag>,
    /// How many channels had no answer then.
    unanswered: usize,
    /// Those to which somebody blocked added it, some of the latest.
    pub(super) of_blocked: BTreeSet<ChannelTag>,
}

/// Whoever added an account to a channel, if that is how it came in.
fn adder(control: &ControlLog, account: &AccountId) -> Option<AccountId> {
    let roster = control.roster();
    let admission = control.get(&roster.admitted_by(account)?)?.op();
    let is_addition = matches!(admission.body, Body::Add { .. });
    (is_addition && roster.is_member(account)).then_some(admission.author)
}

impl Channel {
    /// Whoever added this account, being `me`, as long as it has written nothing here.
    pub(super) fn added_by(&self, me: &AccountId) -> Option<AccountId> {
        let adder = adder(&self.control, me)?;
        let is_mine = |device| self.roster.account_of(device) == Some(*me);
        let has_answered = self.logs.keys().any(|log| is_mine(&log.writer.device));
        (!has_answered).then_some(adder)
    }
}

impl Engine {
    /// Whether one more channel may be taken in that somebody added this account to.
    fn may_be_added_by(&self, adder: &AccountId) -> bool {
        let unanswered = self.unanswered();
        let by_them = unanswered.iter().filter(|other| *other == adder).count();
        unanswered.len() < ADDED_BY_ALL && by_them < ADDED_BY_ONE
    }

    /// Whoever added this account to a channel that it has not answered in, once for each.
    fn unanswered(&self) -> Vec<AccountId> {
        let channels = self.channels.values();
        channels
            .filter_map(|channel| channel.added_by(&self.me))
            .collect()
    }

    /// Remembers that somebody blocked added this account to a channel, so that its control log is
    /// not fetched again and again. It says nothing about others.
    fn ignore(&mut self, tag: ChannelTag) {
        if self.declined.of_blocked.len() >= ADDITIONS_DECLINED {
            self.declined.of_blocked.pop_first();
        }
        self.declined.of_blocked.insert(tag);
    }

    /// Whether a channel was declined, and would be again.
    pub(super) fn is_declined(&mut self, tag: &ChannelTag) -> bool {
        if self.declined.of_blocked.contains(tag) {
            return true;
        }
        if self.declined.tags.is_empty() {
            return false;
        }
        if self.unanswered().len() < self.declined.unanswered {
            self.declined.tags.clear();
            self.shared.put_declined(0);
        }
        self.declined.tags.len() >= ADDITIONS_DECLINED || self.declined.tags.contains(tag)
    }

    fn decline(&mut self, tag: ChannelTag) {
        self.declined.tags.insert(tag);
        self.declined.unanswered = self.unanswered().len();
        self.shared.put_declined(self.declined.tags.len() as u64);
    }

    /// A member asked about a channel that this account is out of: it may have been let in again.
    pub(super) fn hear_again(&mut self, now: Millis, id: ChannelId, peer: TransportKey) {
        let Some(channel) = self.channels.get(&id) else {
            return;
        };
        let is_out =
            channel.joining.is_none() && !channel.roster.belongs_on(&self.me, &self.writer.device);
        let is_known = channel.roster.by_transport(&peer).is_some();
        if is_out && is_known || channel.lost_ops {
            let pull = Box::new(ControlPull::new(id, Vec::new()));
            self.pull_control(now, id, peer, pull);
        }
    }

    /// Somebody asked about a channel that was never heard of here: this account may have been
    /// added.
    pub(super) fn hear_of(&mut self, now: Millis, tag: ChannelTag, peer: TransportKey) {
        if self.own_device(&peer).is_some() {
            // What one of its devices belongs to all of them do, and nobody is filled with it.
            return self.ask_for_channel(now, tag, peer);
        }
        let is_acquainted = self.channels.values().any(|channel| {
            channel.roster.belongs_on(&self.me, &self.writer.device)
                && channel.roster.by_transport(&peer).is_some()
        });
        if is_acquainted
            && self.check_room().is_ok()
            && !self.outstanding.hearing(&peer)
            && !self.is_declined(&tag)
        {
            self.ask_about(now, tag, peer, None);
        }
    }

    /// Asks a peer for a channel that this account belongs to, as it says.
    pub(super) fn ask_for_channel(&mut self, now: Millis, tag: ChannelTag, peer: TransportKey) {
        if self.check_room().is_ok() && !self.outstanding.hearing_of(&peer, &tag) {
            self.ask_about(now, tag, peer, None);
        }
    }

    fn ask_about(
        &mut self,
        now: Millis,
        tag: ChannelTag,
        peer: TransportKey,
        log: Option<Box<ControlLog>>,
    ) {
        let have = log.as_ref().map_or_else(Vec::new, |log| log.heads());
        let request = Request::Control { tag, have };
        self.ask(now, peer, Purpose::Hearsay { tag, log }, &request);
    }

    /// Takes the control log of a channel that was never heard of, page by page, and takes the
    /// channel in if this account belongs to it.
    pub(super) fn take_hearsay(
        &mut self,
        now: Millis,
        peer: TransportKey,
        (tag, log): (ChannelTag, Option<Box<ControlLog>>),
        answer: Answer,
    ) {
        let Answer::Ops { ops, more } = answer else {
            return;
        };
        let of_channel = |bytes: &Vec<u8>| {
            let op = VerifiedOp::verify(bytes).ok()?;
            (op.channel().tag() == tag).then_some(op)
        };
        let ops: Vec<VerifiedOp> = ops.iter().filter_map(of_channel).collect();
        let Some(first) = ops.first() else { return };
        let mut log = log.unwrap_or_else(|| Box::new(ControlLog::new(first.channel())));
        let mut new = 0;
        for op in ops {
            if let Inserted::Added(added) = log.insert(op) {
                new += added.len();
            }
        }
        if more && new > 0 {
            return self.ask_about(now, tag, peer, Some(log));
        }
        if log.roster().belongs_on(&self.me, &self.writer.device) {
            let is_own = self.own_device(&peer).is_some();
            self.take_in(now, *log, is_own);
        }
    }

    /// Takes a channel in, of which another device of this account told, or somebody else.
    fn take_in(&mut self, now: Millis, log: ControlLog, is_own: bool) {
        let id = log.channel();
        if self.channels.contains_key(&id) || self.check_room().is_err() {
            return;
        }
        let adder = adder(&log, &self.me).filter(|_| !is_own);
        if adder.is_some_and(|adder| self.own.blocked().contains(&adder)) {
            return self.ignore(id.tag());
        }
        if adder.is_some_and(|adder| !self.may_be_added_by(&adder)) {
            return self.decline(id.tag());
        }
        let name = log.roster().name.clone();
        let record = ChannelRecord {
            channel: id,
            joining: None,
            name: name.clone(),
            quota: None,
            leaving: false,
        };
        self.stage.batch.put_channel(&id, encoding::encode(&record));
        for op in log.iter() {
            self.stage.batch.put_op(&id, &op.id(), op.to_bytes());
        }
        self.add_channel(Channel::new(log, name));
        self.happened(id, now, What::Member(self.me));
        self.roster_changed(now, id);
        self.belongs_now(now, id);
    }

    /// What follows once this account belongs: keys and history.
    pub(super) fn belongs_now(&mut self, now: Millis, id: ChannelId) {
        self.certify(now, id);
        self.timers.set(Timer::Keys(id), now);
        self.timers.set_by(Timer::Beacon(id), now);
        self.sync_soon(now, id);
    }
}
