//! What this account has not read of a channel.
//!
//! A message counts once it is here, if somebody else wrote it, this account has not marked it as
//! read, and it is not deleted. It counts where it can be seen: to the channel if it is in the main
//! timeline, to its thread if it is in one, and never to both.
//!
//! That somebody wants a message deleted is kept with its log; whether they may, the roster of the
//! moment says, as it does when the message is shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use kith_crdt::control::{Right, Roster};
use kith_crdt::encoding;
use kith_crdt::ids::{AccountId, ChannelId, DeviceId, LogId, MessageId, Place};
use kith_crdt::log::Log;
use kith_crdt::projection::{Claim, ClaimKind};
use kith_crdt::ranges::Ranges;
use kith_store::View;

use super::Engine;
use super::channel::Channel;
use super::commands::CLAIM_MAX;

/// Messages by the logs they are in.
pub type Places = BTreeMap<LogId, Ranges>;

/// What is unread, and what would be if it were not deleted.
#[derive(Debug, Clone, Default)]
pub(super) struct Unread {
    main: Places,
    threads: Arc<Places>,
    deleted: Places,
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
        let mut unread = log.messages.clone();
        let gone = [self.own_seen.get(&log.id), self.unread.deleted.get(&log.id)];
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
        }
        put(&mut self.unread.main, log_id, unread.minus(&threads));
        if !threads.is_empty() || self.unread.threads.contains_key(log_id) {
            put(Arc::make_mut(&mut self.unread.threads), log_id, threads);
        }
    }

    /// Counts everything anew, as the store has it and the roster is.
    pub(super) fn count_all_unread(&mut self, view: &View<'_>, me: &AccountId) {
        let asked: Vec<Place> = self
            .logs
            .values()
            .flat_map(|log| log.deletions.iter().map(|seq| log.id.place(seq)))
            .collect();
        self.unread = Unread::default();
        for place in asked {
            let deleters = stored_deleters(view, &self.id, place);
            self.weigh(place, &deleters);
        }
        let logs: Vec<LogId> = self.logs.keys().copied().collect();
        for log_id in logs {
            self.count_unread(&log_id, me);
        }
    }

    /// Decides whether a message is deleted, with these devices having asked for it.
    fn weigh(&mut self, place: Place, deleters: &[DeviceId]) {
        let author = place.log.writer.device;
        let roster = &self.roster;
        let deleted = deleters
            .iter()
            .any(|device| may_delete(roster, device, &author));
        let numbers = self.unread.deleted.entry(place.log).or_default();
        if deleted {
            numbers.insert(place.seq);
        } else {
            numbers.remove(place.seq);
        }
    }
}

impl Engine {
    /// Notes that a message is asked to be deleted, wherever it is, and if it is here.
    pub(super) fn note_deletion(&mut self, id: ChannelId, target: &MessageId, by: DeviceId) {
        let deleters = self.stage.deleters.entry((id, *target)).or_default();
        deleters.push(by);
        let staged = self.stage.placed.get(target).copied();
        let found = staged.or_else(|| self.store.reader().view().message(target));
        if let Some((_, place)) = found.filter(|(channel, _)| *channel == id) {
            self.mark_deletion(id, target, place);
        }
    }

    /// Notes where a message of this turn is, and whether its deletion was here before it.
    pub(super) fn note_message(&mut self, id: ChannelId, message: MessageId, place: Place) {
        self.stage.placed.insert(message, (id, place));
        self.stage.recount.insert((id, place.log));
        if self.may_be_unread(id, place) && !self.deleters(id, &message, place).is_empty() {
            self.mark_deletion(id, &message, place);
        }
    }

    fn may_be_unread(&self, id: ChannelId, place: Place) -> bool {
        let Some(channel) = self.channels.get(&id) else {
            return false;
        };
        let seen = channel.own_seen.get(&place.log);
        place.log.writer.device != self.writer.device
            && !seen.is_some_and(|seen| seen.contains(place.seq))
    }

    fn mark_deletion(&mut self, id: ChannelId, message: &MessageId, place: Place) {
        let deleters = self.deleters(id, message, place);
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        // A log that has just been dropped takes what is said about it along.
        let Some(log) = channel.logs.get_mut(&place.log) else {
            return;
        };
        log.deletions.insert(place.seq);
        channel.weigh(place, &deleters);
        self.stage.logs.insert((id, place.log));
        self.stage.recount.insert((id, place.log));
        self.stage.touched.insert(id);
    }

    /// The devices that ask for a message to be deleted.
    fn deleters(&self, id: ChannelId, message: &MessageId, place: Place) -> Vec<DeviceId> {
        let mut deleters = stored_deleters(&self.store.reader().view(), &id, place);
        let staged = self.stage.deleters.get(&(id, *message));
        deleters.extend(staged.into_iter().flatten());
        deleters
    }

    /// Weighs the deletions of a channel again: its roster has changed.
    pub(super) fn weigh_deletions(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.get(&id) else {
            return;
        };
        let asked: Vec<Place> = channel
            .logs
            .values()
            .flat_map(|log| log.deletions.iter().map(|seq| log.id.place(seq)))
            .collect();
        for place in asked {
            self.mark_deletion(id, &place.message_id(&id), place);
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

/// Whether the owner of one device may delete what that of another wrote: rule 3 of
/// [`kith_crdt::projection::render`].
fn may_delete(roster: &Roster, device: &DeviceId, author: &DeviceId) -> bool {
    let Some(account) = roster.account_of(device) else {
        return false;
    };
    let moderates = roster.role(&account);
    roster.account_of(author) == Some(account)
        || moderates.is_some_and(|role| role >= roster.least_role(Right::DeleteOthers))
}

fn stored_deleters(view: &View<'_>, id: &ChannelId, place: Place) -> Vec<DeviceId> {
    view.claims(id, &place.message_id(id))
        .iter()
        .filter_map(|bytes| encoding::decode::<Claim>(bytes, CLAIM_MAX).ok())
        .filter(|claim| claim.kind == ClaimKind::Deletion)
        .map(|claim| claim.at.log.writer.device)
        .collect()
}

fn put(places: &mut Places, log_id: &LogId, ranges: Ranges) {
    if ranges.is_empty() {
        places.remove(log_id);
    } else {
        places.insert(*log_id, ranges);
    }
}
