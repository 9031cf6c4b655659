//! What an account said in a channel and has not taken back: its messages, in the main timeline and
//! in threads, and its reactions. It is looked up log by log in the account's own logs, so it costs
//! nothing of what others wrote.
//!
//! Left out is what cannot be taken back or need not be: what is over, what no key here opens, and
//! what was said about a message that is not here.

use std::collections::{BTreeMap, BTreeSet};

use kith_crdt::control::Roster;
use kith_crdt::ids::{AccountId, ChannelId, LogId, MessageId, Place};
use kith_crdt::keyring::Keyring;
use kith_crdt::log::Log;
use kith_crdt::projection::{Original, Rendered};
use kith_crdt::ranges::Ranges;
use kith_crdt::segment::Entry;
use kith_crdt::time::Millis;
use kith_store::View;

use crate::claims;
use crate::fate::Fates;

/// Something that an account said and that still stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Own {
    /// A message.
    Message(MessageId),
    /// A reaction to a message.
    Reaction(MessageId, &'static str),
}

/// A channel as it is while a part of it is looked through.
pub(crate) struct Ground<'a> {
    /// What is on the disk.
    pub(crate) view: &'a View<'a>,
    /// Which channel.
    pub(crate) channel: &'a ChannelId,
    /// Who belongs to it.
    pub(crate) roster: &'a Roster,
    /// What opens it.
    pub(crate) keys: &'a Keyring,
    /// What is over is over by this time.
    pub(crate) now: Millis,
}

/// A walk through everything that an account had written in a channel when the walk began.
#[derive(Debug)]
pub(crate) struct OwnWords {
    me: AccountId,
    left: BTreeMap<LogId, Ranges>,
    /// Messages whose reactions by this account were told of.
    reacted: BTreeSet<MessageId>,
}

impl OwnWords {
    /// Begins a walk through the logs of an account, whichever devices wrote them.
    pub(crate) fn new<'a>(
        me: AccountId,
        roster: &Roster,
        logs: impl Iterator<Item = &'a Log>,
    ) -> Self {
        let own = logs.filter(|log| roster.account_of(&log.id.writer.device) == Some(me));
        let left = own.map(|log| (log.id, readable(log)));
        Self {
            me,
            left: left.filter(|(_, seqs)| !seqs.is_empty()).collect(),
            reacted: BTreeSet::new(),
        }
    }

    /// Looks at the next entries, so many of them, and tells what of it still stands. The walk is
    /// over when it tells nothing of what is left.
    pub(crate) fn step(&mut self, ground: &Ground<'_>, entries: usize) -> Vec<Own> {
        let fates = Fates::new(ground.view, (ground.channel, ground.roster), ground.now);
        let mut found = Vec::new();
        for _ in 0..entries {
            let Some(place) = self.pop() else {
                break;
            };
            match claims::entry_at(ground.view, (ground.channel, ground.keys), place) {
                Some(Entry::Message(_)) => {
                    let message = place.message_id(ground.channel);
                    let stands = still(ground, &fates, &message).filter(|it| it.deleted.is_none());
                    found.extend(stands.map(|_| Own::Message(message)));
                }
                Some(Entry::Reaction { target, .. }) if self.reacted.insert(target) => {
                    let reactions = still(ground, &fates, &target).map(|it| it.reactions);
                    let own = reactions.into_iter().flatten();
                    let own = own.filter(|reaction| reaction.accounts.contains(&self.me));
                    found.extend(own.map(|reaction| Own::Reaction(target, reaction.emoji)));
                }
                _ => {}
            }
        }
        found
    }

    /// Whether everything was looked at.
    pub(crate) fn is_over(&self) -> bool {
        self.left.is_empty()
    }

    fn pop(&mut self) -> Option<Place> {
        let mut next = self.left.first_entry()?;
        let log = *next.key();
        let seq = next.get().first();
        if let Some(seq) = seq {
            next.get_mut().remove(seq);
        }
        if next.get().is_empty() {
            next.remove();
        }
        seq.map(|seq| log.place(seq))
    }
}

/// The numbers of a log that may be a message that is there still, or a reaction.
fn readable(log: &Log) -> Ranges {
    // Behind a hole that the disk has, what was shown before is shown still.
    let last = log.head.max(log.messages.last().unwrap_or(0));
    let mut all = Ranges::new();
    if last > 0 {
        all.insert_range(1, last);
    }
    for others in [&log.over, &log.pins, &log.unopened, &log.quarantined] {
        all = all.minus(others);
    }
    all
}

/// What has become of a message of the channel, if it is here and its time is not over.
fn still(ground: &Ground<'_>, fates: &Fates<'_>, message: &MessageId) -> Option<Rendered> {
    let Ground {
        view,
        channel,
        roster,
        keys,
        ..
    } = *ground;
    let (of, place) = view.message(message)?;
    let is_there = of == *channel && !fates.at(keys, &place)?.is_over();
    let author = roster.account_of(&place.log.writer.device)?;
    let original = Original { author, place };
    let about = claims::about(view, channel, message);
    is_there.then(|| claims::render(view, (channel, roster), &original, &about))
}
