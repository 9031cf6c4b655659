//! Applying: what is inside an accepted envelope becomes records that can be read.
//!
//! Everything staged here is a union, keyed by where it was written, so that the order of arrival
//! leaves no trace. Whether an edit or a deletion counts is decided when a message is shown, from
//! the roster of that moment.

use kith_crdt::encoding;
use kith_crdt::envelope::{Envelope, OpenError};
use kith_crdt::ids::{AccountId, ChannelId, EpochId, LogId, MessageId, Place, SegmentId};
use kith_crdt::projection::{Claim, SeenBy};
use kith_crdt::ranges::Ranges;
use kith_crdt::segment::{self, Entry, Message, SeenRange};
use kith_crdt::time::{DAY_MS, Hlc, Millis};
use kith_store::Line;

use super::channel::Channel;
use super::{Engine, Timer};
use crate::claims;
use crate::record::{Arrival, Happening, What};

/// Message ids that one read event carries; the rest follows in further events.
const READ_EVENT_IDS: usize = 256;
/// Envelopes that are opened at a time when a key arrives late.
const REOPEN_BATCH: usize = 1_024;

/// Bytes of what an account has read of a segment, as stored.
pub(super) const SEEN_MAX: usize = 256 * 1024 * 1024;

/// Where an entry stands: in which envelope, written when, sealed in which epoch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    pub(super) place: Place,
    pub(super) hlc: Hlc,
    pub(super) epoch: EpochId,
}

impl Spot {
    fn of(envelope: &Envelope) -> Self {
        Self {
            place: envelope.place(),
            hlc: envelope.header.hlc,
            epoch: envelope.header.epoch,
        }
    }
}

/// What looking into an envelope found.
enum Inside {
    Entry(Entry),
    NoKey,
    Unsound,
}

impl Channel {
    /// Opens the change of an envelope as it is stored, where its key is here.
    pub(super) fn open_stored_change(&self, place: Place, stored: &[u8]) -> Option<Vec<u8>> {
        let envelope = Envelope::from_stored(stored, &self.id, place).ok()?;
        let key = self
            .keys
            .window_key(&envelope.header.epoch, place.log.segment.window)?;
        envelope.open_change(&self.id, &key).ok()
    }

    /// What an envelope says, where it can be opened and counts.
    pub(super) fn entry_of(&self, envelope: &Envelope) -> Option<Entry> {
        match self.look_inside(envelope) {
            Inside::Entry(entry) => Some(entry),
            Inside::NoKey | Inside::Unsound => None,
        }
    }

    fn look_inside(&self, envelope: &Envelope) -> Inside {
        let place = envelope.place();
        let id = &envelope.header.epoch;
        // An epoch whose op turned out void is read all the same: who saw what first must not show.
        let epoch = self.roster.epochs.get(id);
        let key = self.keys.window_key(id, place.log.segment.window);
        let (Some(epoch), Some(key)) = (epoch, key) else {
            return Inside::NoKey;
        };
        let opened = match envelope.open(&self.id, &key) {
            Ok(opened) => opened,
            // Not the writer's fault where the key here came from somebody who lied.
            Err(OpenError::OtherKey) => return Inside::NoKey,
            Err(OpenError::Broken | OpenError::Unpadded) => return Inside::Unsound,
        };
        match segment::read(&self.id, &envelope.header, opened, epoch.term) {
            Ok(said) => Inside::Entry(said.entry),
            Err(_) => Inside::Unsound,
        }
    }
}

impl Engine {
    /// Applies an envelope that is in its log, if it can be opened.
    pub(super) fn apply(&mut self, now: Millis, id: ChannelId, envelope: &Envelope) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        let place = envelope.place();
        match channel.look_inside(envelope) {
            Inside::Entry(entry) => self.project(now, id, Spot::of(envelope), &entry),
            Inside::NoKey => {
                channel.log_mut(place.log).unopened.insert(place.seq);
                self.timers.set_by(Timer::Keys(id), now);
            }
            Inside::Unsound => {
                channel.log_mut(place.log).quarantined.insert(place.seq);
                tracing::warn!("an envelope with unsound content is kept but not applied");
            }
        }
    }

    /// Opens envelopes that were waiting for a key, a batch of them, in one pass over all that
    /// wait. Returns whether the pass goes on in the next turn. What still has no key is passed
    /// over, so that nothing can stand in the way of the rest.
    pub(super) fn reopen(&mut self, now: Millis, id: ChannelId) -> bool {
        let Some(channel) = self.channels.get_mut(&id) else {
            return false;
        };
        let Some(from) = channel.reopen_from.take() else {
            return false;
        };
        // What lies before it stays closed to this account.
        let first = channel.roster.readable_from(&self.me);
        let waiting: Vec<Place> = channel
            .logs
            .range(from.log..)
            .filter(|(log_id, _)| log_id.segment.window >= first)
            .flat_map(|(log_id, log)| log.unopened.iter().map(|seq| log_id.place(seq)))
            .filter(|place| *place >= from)
            .take(REOPEN_BATCH)
            .collect();
        for place in &waiting {
            self.reopen_one(now, id, *place);
        }
        let next = waiting
            .last()
            .filter(|_| waiting.len() == REOPEN_BATCH)
            .map(|last| last.log.place(last.seq + 1));
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.reopen_from = next;
        }
        next.is_some()
    }

    fn reopen_one(&mut self, now: Millis, id: ChannelId, place: Place) {
        let Some(envelope) = self.stored_envelope(id, place) else {
            return;
        };
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        let inside = channel.look_inside(&envelope);
        let log = channel.log_mut(place.log);
        match inside {
            Inside::NoKey => return,
            Inside::Entry(entry) => {
                log.unopened.remove(place.seq);
                self.project(now, id, Spot::of(&envelope), &entry);
            }
            Inside::Unsound => {
                log.unopened.remove(place.seq);
                log.quarantined.insert(place.seq);
            }
        }
        self.stage.logs.insert((id, place.log));
        self.stage.touched.insert(id);
    }

    /// Stages what an entry adds to what can be read.
    pub(super) fn project(&mut self, now: Millis, id: ChannelId, spot: Spot, entry: &Entry) {
        let Spot { place, hlc, .. } = spot;
        match entry {
            Entry::Message(message) => self.project_message(id, spot, message),
            Entry::Edit { target } => {
                self.project_claim(id, entry, spot);
                self.note_edit(id, target);
                self.happened(id, hlc.millis(), What::Edited(*target));
            }
            Entry::Deletion { target } => {
                self.project_claim(id, entry, spot);
                self.note_deletion(id, target, spot);
                self.happened(id, hlc.millis(), What::Deleted(*target));
            }
            Entry::Reaction { target, .. } => {
                self.project_claim(id, entry, spot);
                self.happened(id, hlc.millis(), What::Reaction(*target, place));
            }
            Entry::Pin { target, .. } => {
                self.project_claim(id, entry, spot);
                if let Some(channel) = self.channels.get_mut(&id) {
                    channel.log_mut(place.log).pins.insert(place.seq);
                }
                self.happened(id, hlc.millis(), What::Pin(*target, place));
            }
            Entry::Seen(ranges) => {
                let account = self
                    .channels
                    .get(&id)
                    .and_then(|channel| channel.roster.account_of(&place.log.writer.device));
                // What ends sooner or later than what was read says nothing about it.
                let term = place.log.segment.term();
                let ranges = ranges
                    .iter()
                    .filter(|range| range.log.segment.term() == term);
                if let Some(account) = account {
                    for range in ranges {
                        self.project_seen(now, id, account, range, hlc);
                    }
                }
            }
            Entry::Setting(setting) => {
                self.project_claim(id, entry, spot);
                self.project_setting(id, spot, setting);
            }
            Entry::Unknown { .. } => {}
        }
    }

    fn project_message(&mut self, id: ChannelId, spot: Spot, said: &Message) {
        let Spot { place, hlc, epoch } = spot;
        let thread = said.thread.as_ref();
        let message = place.message_id(&id);
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        let log = channel.log_mut(place.log);
        let is_new = log.messages.insert(place.seq);
        if thread.is_some() {
            log.threaded.insert(place.seq);
        }
        if log.over.contains(place.seq) {
            return;
        }
        let line = thread.map_or_else(|| Line::main(&id), |root| Line::thread(&id, root));
        self.stage.batch.insert_timeline(line, hlc, place);
        self.stage.batch.put_message_id(&id, &message, &place);
        if let Some(at) = said.expires_at {
            log.early.insert(place.seq, at);
            self.stage.batch.put_end(&id, &place, at.0);
        }
        if let Some(end) = channel.roster.ends_at(&epoch, hlc, said.expires_at) {
            channel.due.set_by(place.log, end);
            self.lives.set_by(Timer::Forget(id), end);
        }
        channel.messages += u64::from(is_new);
        if thread.is_none() {
            channel.last_activity = channel.last_activity.max(Some(hlc.millis()));
        }
        self.note_message(id, message, spot);
        self.happened(id, hlc.millis(), What::Message(message));
    }

    fn project_claim(&mut self, id: ChannelId, entry: &Entry, spot: Spot) {
        let Spot { place: at, hlc, .. } = spot;
        if let Some((target, kind)) = claims::filed(entry) {
            let number = kind.number();
            let claim = encoding::encode(&Claim { at, hlc, kind });
            self.stage.batch.put_claim(&id, &target, number, &at, claim);
        }
    }

    fn project_seen(
        &mut self,
        now: Millis,
        id: ChannelId,
        account: AccountId,
        range: &SeenRange,
        hlc: Hlc,
    ) {
        let log_id = range.log;
        if self.is_over(now, id, &log_id.segment) {
            return;
        }
        let seen = self.seen_by(id, log_id.segment, account);
        let before = read_of(seen, &log_id);
        if !seen.merge(log_id.writer, range.first, range.last, hlc) {
            return;
        }
        self.stage
            .seen_changed
            .insert((id, log_id.segment, account));
        self.stage.touched.insert(id);
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        let mut covered = Ranges::new();
        covered.insert_range(range.first, range.last);
        let fresh = channel
            .logs
            .get(&log_id)
            .map(|log| log.messages.intersect(&covered).minus(&before))
            .unwrap_or_default();
        if account == self.me {
            channel
                .own_seen
                .entry(log_id)
                .or_default()
                .insert_range(range.first, range.last);
            self.stage.recount.insert((id, log_id));
        }
        if !fresh.is_empty() {
            self.note_reading(now, id, log_id);
        }
        let ids: Vec<MessageId> = fresh
            .iter()
            .map(|seq| log_id.place(seq).message_id(&id))
            .collect();
        for ids in ids.chunks(READ_EVENT_IDS) {
            self.happened(id, hlc.millis(), What::Read(account, ids.to_vec()));
        }
        if account != self.me && log_id.writer.device == self.writer.device {
            self.note_read_by_all(now, id, log_id, &fresh);
        }
    }

    /// Tells of own messages that the last missing reader has read now.
    fn note_read_by_all(&mut self, now: Millis, id: ChannelId, log_id: LogId, fresh: &Ranges) {
        let Some(channel) = self.channels.get(&id) else {
            return;
        };
        let begins = log_id.segment.window.starts_at();
        // Who came too late for a message is not waited for. Those of the day on which somebody
        // came are told of once they are asked for.
        let readers: Vec<AccountId> = channel
            .roster
            .active()
            .map(|member| member.account)
            .filter(|account| *account != self.me)
            .filter(|account| channel.roster.reaches_back_to(account, begins.plus(DAY_MS)))
            .collect();
        let mut read = fresh.clone();
        for reader in readers {
            if read.is_empty() {
                return;
            }
            let seen = read_of(self.seen_by(id, log_id.segment, reader), &log_id);
            read = read.intersect(&seen);
        }
        for seq in read.iter() {
            let message = log_id.place(seq).message_id(&id);
            self.happened(id, now, What::Arrived(message, Arrival::Read));
        }
    }

    /// What an account has read in a segment: of this turn, else as stored.
    fn seen_by(&mut self, id: ChannelId, segment: SegmentId, account: AccountId) -> &mut SeenBy {
        let store = &self.store;
        self.stage
            .seen
            .entry((id, segment, account))
            .or_insert_with(|| {
                let stored = store.reader().view().seen_by(&id, &segment, &account);
                stored
                    .and_then(|bytes| encoding::decode(&bytes, SEEN_MAX).ok())
                    .unwrap_or_default()
            })
    }

    /// Takes back what the envelopes `first..=last` of a log added to timelines and claims, before
    /// the log is cut there. Receipts among them stay merged.
    pub(super) fn withdraw(&mut self, id: ChannelId, log_id: LogId, first: u32, last: u32) {
        for seq in first..=last {
            let place = log_id.place(seq);
            let Some(envelope) = self.stored_envelope(id, place) else {
                continue;
            };
            let Some(channel) = self.channels.get_mut(&id) else {
                return;
            };
            let Inside::Entry(entry) = channel.look_inside(&envelope) else {
                continue;
            };
            let hlc = envelope.header.hlc;
            match entry {
                Entry::Message(message) => {
                    let line = message
                        .thread
                        .map_or_else(|| Line::main(&id), |root| Line::thread(&id, &root));
                    self.stage.batch.remove_timeline(line, hlc, place);
                    self.stage.batch.delete_message_id(&place.message_id(&id));
                    channel.newest_ended = true;
                    if !channel.log_mut(log_id).over.contains(seq) {
                        channel.messages = channel.messages.saturating_sub(1);
                    }
                }
                entry => {
                    if matches!(entry, Entry::Setting(_)) {
                        self.timers.set(Timer::Settings, self.now);
                    }
                    if let Some((target, kind)) = claims::filed(&entry) {
                        self.stage
                            .batch
                            .delete_claim(&id, &target, kind.number(), &place);
                    }
                }
            }
        }
    }

    /// Records a durable event.
    pub(super) fn happened(&mut self, channel: ChannelId, at: Millis, what: What) {
        self.stage.record(&Happening { channel, at, what });
    }
}

/// The numbers of a log that an account has read.
pub(super) fn read_of(seen: &SeenBy, log: &LogId) -> Ranges {
    let mut read = Ranges::new();
    for (_, first, last, _) in seen.iter().filter(|(writer, ..)| **writer == log.writer) {
        read.insert_range(first, last);
    }
    read
}
