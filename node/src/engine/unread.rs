//! What this account has not read of a channel, and what of it is not shown here.
//!
//! A message counts once it is here, if somebody else wrote it, this account has not marked it as
//! read, and it is shown: not deleted, not hidden by what was done about its author, and not by
//! somebody whom this account has blocked. It counts
//! where it can be seen: to the channel if it is in the main timeline, to its thread if it is in
//! one, and never to both.
//!
//! A message that is hidden is no message to anybody but its author, who is shown that it is; so it
//! is not counted among the messages of the channel either.
//!
//! That somebody wants a message deleted is kept with its log; whether that counts is weighed when
//! it comes and whenever the roster changes, by the rules by which the message is shown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kith_crdt::control::{Right, Roster};
use kith_crdt::ids::{AccountId, ChannelId, EpochId, LogId, MessageId, Place};
use kith_crdt::log::Log;
use kith_crdt::projection::{self, Claim, ClaimKind, Original};
use kith_crdt::ranges::Ranges;
use kith_store::View;

use super::apply::Spot;
use super::channel::Channel;
use super::{Engine, Timer};
use crate::claims;

/// Messages by the logs they are in.
pub type Places = BTreeMap<LogId, Ranges>;

/// A deletion and the epoch that it is sealed in.
type Deletion = (Claim, Option<EpochId>);

/// What is unread, and what would be if it were shown.
#[derive(Debug, Clone, Default)]
pub(super) struct Unread {
    main: Places,
    threads: Arc<Places>,
    deleted: Places,
    /// Messages of others that are not shown, read or not.
    hidden: Places,
}

impl Unread {
    /// How many messages of the main timeline are unread.
    pub(super) fn in_main(&self) -> u64 {
        count(&self.main)
    }

    /// The unread messages of all threads.
    pub(super) fn in_threads(&self) -> Arc<Places> {
        Arc::clone(&self.threads)
    }
}

/// How many messages there are.
pub(super) fn count(places: &Places) -> u64 {
    places.values().map(Ranges::len).sum()
}

impl Channel {
    /// What is unread, log by log, in the main timeline and in threads.
    pub(super) fn unread_ranges(&self, me: &AccountId) -> Vec<(LogId, Ranges)> {
        self.logs
            .values()
            .map(|log| (log.id, self.unread_in(log, me)))
            .filter(|(_, unread)| !unread.is_empty())
            .collect()
    }

    fn unread_in(&self, log: &Log, me: &AccountId) -> Ranges {
        if self.roster.account_of(&log.id.writer.device) == Some(*me) {
            return Ranges::new();
        }
        let mut unread = log.living();
        let gone = [
            self.own_seen.get(&log.id),
            self.unread.deleted.get(&log.id),
            self.unread.hidden.get(&log.id),
        ];
        for gone in gone.into_iter().flatten() {
            unread = unread.minus(gone);
        }
        unread
    }

    /// Counts one log anew.
    pub(super) fn count_unread(&mut self, log_id: &LogId, me: &AccountId) {
        let log = self.logs.get(log_id);
        let unread = log.map(|log| self.unread_in(log, me)).unwrap_or_default();
        let threads = match log {
            Some(log) if !log.threaded.is_empty() => unread.intersect(&log.threaded),
            _ => Ranges::new(),
        };
        if log.is_none() {
            self.unread.deleted.remove(log_id);
            self.unread.hidden.remove(log_id);
        }
        put(&mut self.unread.main, log_id, unread.minus(&threads));
        if !threads.is_empty() || self.unread.threads.contains_key(log_id) {
            put(Arc::make_mut(&mut self.unread.threads), log_id, threads);
        }
    }

    /// Counts everything anew, as the store has it and the roster is.
    pub(super) fn count_all_unread(&mut self, view: &View<'_>, me: &AccountId) {
        self.unread = Unread::default();
        for place in self.deletions_asked_for() {
            let deletions = stored_deletions(view, &self.id, place);
            self.weigh(place, &deletions);
        }
        let logs: Vec<LogId> = self.logs.keys().copied().collect();
        for log_id in logs {
            self.weigh_shown(view, &log_id, me);
            self.count_unread(&log_id, me);
        }
    }

    /// The messages that somebody wants deleted.
    fn deletions_asked_for(&self) -> Vec<Place> {
        let asked = self.logs.values();
        asked
            .flat_map(|log| log.deletions.iter().map(|seq| log.id.place(seq)))
            .collect()
    }

    /// Decides whether a message is deleted, with these deletions of it.
    fn weigh(&mut self, place: Place, deletions: &[Deletion]) {
        let roster = &self.roster;
        let author = roster.account_of(&place.log.writer.device);
        let counts = |(claim, epoch): &Deletion| {
            let original = author.map(|author| Original { author, place });
            original.is_some_and(|of| projection::whose(roster, &of, claim, |_| *epoch).is_some())
        };
        let numbers = self.unread.deleted.entry(place.log).or_default();
        if deletions.iter().any(counts) {
            numbers.insert(place.seq);
            let log = self.logs.get(&place.log);
            if log.is_some_and(|log| !log.erased.contains(place.seq)) {
                self.to_erase.insert(place);
            }
        } else {
            numbers.remove(place.seq);
        }
    }

    fn is_deleted(&self, place: Place) -> bool {
        let deleted = self.unread.deleted.get(&place.log);
        deleted.is_some_and(|deleted| deleted.contains(place.seq))
    }

    /// Decides which messages of a log are hidden, as the store has them. They are looked at only
    /// where something was done about their author that may concern them.
    fn weigh_shown(&mut self, view: &View<'_>, log_id: &LogId, me: &AccountId) {
        let Some(log) = self.logs.get(log_id) else {
            return;
        };
        let hidden = match self.roster.account_of(&log_id.writer.device) {
            // Whose it is may become known.
            None => log.living(),
            Some(author) if author == *me => Ranges::new(),
            Some(author) if self.blocked.contains(&author) => log.living(),
            Some(author) => self.hidden_in(view, log, &author),
        };
        put(&mut self.unread.hidden, log_id, hidden);
    }

    /// Decides anew which messages of these accounts are hidden.
    pub(super) fn weigh_those_of(
        &mut self,
        view: &View<'_>,
        accounts: &BTreeSet<AccountId>,
        me: &AccountId,
    ) {
        let is_theirs = |log_id: &&LogId| {
            let author = self.roster.account_of(&log_id.writer.device);
            author.is_some_and(|author| accounts.contains(&author))
        };
        let theirs: Vec<LogId> = self.logs.keys().filter(is_theirs).copied().collect();
        for log_id in theirs {
            self.weigh_shown(view, &log_id, me);
            self.count_unread(&log_id, me);
        }
    }

    fn hidden_in(&self, view: &View<'_>, log: &Log, author: &AccountId) -> Ranges {
        let mut hidden = Ranges::new();
        let last = log.id.place(log.head);
        if self.roster.counts_up_to(author, Right::Write, &last) {
            return hidden;
        }
        let before = self.unread.hidden.get(&log.id);
        for seq in log.living().iter() {
            let place = log.id.place(seq);
            let is_hidden = match claims::envelope(view, &self.id, place) {
                Some(envelope) => {
                    let (hlc, epoch) = (envelope.header.hlc, envelope.header.epoch);
                    !projection::is_shown(&self.roster, author, (&place, hlc), &epoch)
                }
                // It came in this very turn, and was weighed then.
                None => before.is_some_and(|before| before.contains(seq)),
            };
            if is_hidden {
                hidden.insert(seq);
            }
        }
        hidden
    }

    /// Messages that are here and not shown, by the logs they are in.
    pub(super) fn hidden(&self) -> impl Iterator<Item = (&Log, Ranges)> {
        self.unread.hidden.iter().filter_map(|(log_id, hidden)| {
            let log = self.logs.get(log_id)?;
            Some((log, log.living().intersect(hidden)))
        })
    }

    /// Decides whether a message that has just come is hidden.
    fn note_shown(&mut self, spot: Spot, me: &AccountId) {
        let log_id = spot.place.log;
        let author = self.roster.account_of(&log_id.writer.device);
        let hidden = author.is_none_or(|author| {
            let at = (&spot.place, spot.hlc);
            let is_silent = self.blocked.contains(&author);
            author != *me
                && (is_silent || !projection::is_shown(&self.roster, &author, at, &spot.epoch))
        });
        if hidden {
            let numbers = self.unread.hidden.entry(log_id).or_default();
            numbers.insert(spot.place.seq);
        }
    }
}

impl Engine {
    /// Notes that a message is asked to be deleted, wherever it is, and if it is here.
    pub(super) fn note_deletion(&mut self, id: ChannelId, target: &MessageId, spot: Spot) {
        let claim = Claim {
            at: spot.place,
            hlc: spot.hlc,
            kind: ClaimKind::Deletion,
        };
        let deletions = self.stage.deletions.entry((id, *target)).or_default();
        deletions.push((claim, spot.epoch));
        if let Some(place) = self.place_of(id, target) {
            self.mark_deletion(id, target, place);
        }
    }

    /// Notes where a message of this turn is, and whether its deletion was here before it.
    pub(super) fn note_message(&mut self, id: ChannelId, message: MessageId, spot: Spot) {
        let place = spot.place;
        self.stage.placed.insert(message, (id, place));
        self.stage.recount.insert((id, place.log));
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.note_shown(spot, &self.me);
        }
        // Nobody has deleted what is being written.
        let is_new = place.log.writer == self.writer && !self.stage.quiet;
        if !is_new && !self.deletions(id, &message, place).is_empty() {
            self.mark_deletion(id, &message, place);
        }
    }

    /// Notes a new text of a message: where the message is deleted, it is to be erased like the
    /// others.
    pub(super) fn note_edit(&mut self, id: ChannelId, target: &MessageId) {
        let Some(place) = self.place_of(id, target) else {
            return;
        };
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        if channel.is_deleted(place) {
            channel.to_erase.insert(place);
            self.lives.set_by(Timer::Forget(id), self.now);
        }
    }

    /// Where a message of a channel is, if it is here.
    fn place_of(&self, id: ChannelId, message: &MessageId) -> Option<Place> {
        let staged = self.stage.placed.get(message).copied();
        let found = staged.or_else(|| self.store.reader().view().message(message));
        let (_, place) = found.filter(|(channel, _)| *channel == id)?;
        Some(place)
    }

    fn mark_deletion(&mut self, id: ChannelId, message: &MessageId, place: Place) {
        let deletions = self.deletions(id, message, place);
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        // A log that has just been dropped takes what is said about it along.
        let Some(log) = channel.logs.get_mut(&place.log) else {
            return;
        };
        log.deletions.insert(place.seq);
        channel.weigh(place, &deletions);
        if !channel.is_deleted(place) {
            self.want_texts_back(id, place);
        }
        self.lives.set_by(Timer::Forget(id), self.now);
        self.stage.logs.insert((id, place.log));
        self.stage.recount.insert((id, place.log));
        self.stage.touched.insert(id);
    }

    /// The deletions of a message, whether they count or not.
    fn deletions(&self, id: ChannelId, message: &MessageId, place: Place) -> Vec<Deletion> {
        let mut deletions = stored_deletions(&self.store.reader().view(), &id, place);
        let staged = self.stage.deletions.get(&(id, *message));
        let staged = staged.into_iter().flatten();
        deletions.extend(staged.map(|(claim, epoch)| (claim.clone(), Some(*epoch))));
        deletions
    }

    /// Weighs again what is deleted and what is hidden in a channel: its roster was another one.
    pub(super) fn weigh_anew(&mut self, id: ChannelId, before: &Roster) {
        let reader = self.store.reader();
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        let judged_otherwise: Vec<LogId> = channel
            .logs
            .keys()
            .filter(|log_id| !before.judges_log_alike(&channel.roster, log_id, Right::Write))
            .copied()
            .collect();
        for log_id in judged_otherwise {
            channel.weigh_shown(&reader.view(), &log_id, &self.me);
        }
        // Only somebody who has written something here can have deleted anything.
        let deletes_otherwise = channel
            .logs
            .keys()
            .any(|log_id| !before.judges_log_alike(&channel.roster, log_id, Right::DeleteOthers));
        if deletes_otherwise {
            for place in channel.deletions_asked_for() {
                self.mark_deletion(id, &place.message_id(&id), place);
            }
        }
        // Whose a log is may have become known only now.
        if let Some(channel) = self.channels.get(&id) {
            let logs = channel.logs.keys().map(|log_id| (id, *log_id));
            self.stage.recount.extend(logs);
        }
    }

    /// Counts anew what this turn has changed.
    pub(super) fn count_unread(&mut self) {
        for (id, log_id) in std::mem::take(&mut self.stage.recount) {
            if let Some(channel) = self.channels.get_mut(&id) {
                channel.count_unread(&log_id, &self.me);
            }
        }
    }
}

fn stored_deletions(view: &View<'_>, id: &ChannelId, place: Place) -> Vec<Deletion> {
    let claims = claims::about(view, id, &place.message_id(id)).into_iter();
    claims
        .filter(|claim| claim.kind == ClaimKind::Deletion)
        .map(|claim| {
            let epoch = claims::epoch_of(view, id, &claim.at);
            (claim, epoch)
        })
        .collect()
}

fn put(places: &mut Places, log_id: &LogId, ranges: Ranges) {
    if ranges.is_empty() {
        places.remove(log_id);
    } else {
        places.insert(*log_id, ranges);
    }
}
