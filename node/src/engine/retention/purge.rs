//! Purging messages whose time is over: their texts, what was said about them, and what leads to
//! them. What stays is an envelope without its body, whose place in its log everybody can check.

use kith_crdt::envelope::Envelope;
use kith_crdt::ids::{AccountId, ChannelId, LogId, Place};
use kith_crdt::projection::{self, ClaimKind, End, Fate, SeenBy, Written};
use kith_crdt::segment::Entry;
use kith_crdt::time::Millis;
use kith_store::Line;

use crate::claims;
use crate::engine::Engine;
use crate::engine::apply::SEEN_MAX;
use crate::erasures::Cause;
use crate::record::{Arrival, What};

/// Milliseconds until a message that is over and cannot be read is looked at again.
const UNREADABLE_MS: u64 = 60_000;

impl Engine {
    /// Purges messages of a channel that are over, at most so many. Returns how many may follow.
    pub(super) fn purge_some(&mut self, now: Millis, id: ChannelId, most: usize) -> usize {
        let mut left = most.saturating_sub(self.erase_deleted(id, most));
        while left > 0 {
            let next = self
                .channels
                .get_mut(&id)
                .and_then(|channel| channel.due.pop(now));
            let Some(log_id) = next else {
                break;
            };
            left -= self.purge_log(now, id, log_id, left).min(left);
        }
        left
    }

    /// Purges what is over of one log, at most so many messages, and sets when it is to be looked
    /// at next. Returns how many it purged.
    fn purge_log(&mut self, now: Millis, id: ChannelId, log_id: LogId, most: usize) -> usize {
        let log = self
            .channels
            .get(&id)
            .and_then(|channel| channel.logs.get(&log_id));
        let Some(log) = log else {
            return 0;
        };
        // Those whose own time is over come before the others, which end in turn. Mostly the first
        // few are all that come up, so nothing of the rest is looked at.
        let living = log.living();
        let mut others = living.iter();
        let mut readers = Readers::default();
        let mut early_from = Some(0);
        let mut purged = 0;
        let mut next: Option<Millis> = None;
        loop {
            let log = self.channels.get(&id).and_then(|it| it.logs.get(&log_id));
            let Some(log) = log else { break };
            let is_due = |seq: &u32| log.early.get(seq).is_some_and(|at| *at <= now);
            let early = early_from.and_then(|from| {
                let mut due = log.early.range(from..).map(|(seq, _)| *seq);
                due.find(|seq| is_due(seq) && living.contains(*seq))
            });
            early_from = early.and_then(|seq: u32| seq.checked_add(1));
            let is_other = |seq: &u32| !is_due(seq) && !log.over.contains(*seq);
            let Some(seq) = early.or_else(|| others.find(is_other)) else {
                break;
            };
            let place = log_id.place(seq);
            let Some(found) = self.mortal(id, place) else {
                continue;
            };
            if purged == most {
                next = Some(now);
                break;
            }
            match self.fate(now, id, &found, &mut readers) {
                Fate::Over(end) => {
                    self.purge(now, id, found, end);
                    purged += 1;
                }
                Fate::Lives { until } => {
                    next = next.into_iter().chain(until).min();
                    // Whoever writes one after the other writes what ends one after the other,
                    // unless it waits for readers.
                    if found.in_turn {
                        break;
                    }
                }
            }
        }
        if let Some(channel) = self.channels.get_mut(&id) {
            let early = channel.logs.get(&log_id).map(|log| &log.early);
            let early = early.into_iter().flat_map(|early| early.values()).copied();
            let next = match next {
                Some(at) if at <= now => next,
                _ => next.into_iter().chain(early).min(),
            };
            // What is due and cannot be read is tried again later.
            let next = next.map(|at| match at <= now && purged == 0 {
                true => now.plus(UNREADABLE_MS),
                false => at.max(now),
            });
            channel.due.set(log_id, next);
        }
        purged
    }

    /// Erases the texts of messages that are deleted, at most so many; that they were there and who
    /// deleted them stays to be seen. Returns how many it came to.
    fn erase_deleted(&mut self, id: ChannelId, most: usize) -> usize {
        let Some(channel) = self.channels.get_mut(&id) else {
            return 0;
        };
        let places: Vec<Place> = channel.to_erase.iter().take(most).copied().collect();
        for place in &places {
            if let Some(channel) = self.channels.get_mut(&id) {
                channel.to_erase.remove(place);
                let log = channel.log_mut(place.log);
                log.erased.insert(place.seq);
            }
            self.stage.logs.insert((id, place.log));
            self.erase_texts(id, *place);
            self.rewrite_files_of(id, place.log);
        }
        if !places.is_empty() {
            self.note_erasure(id, Cause::Deleted, (places.len() as u64, 0));
        }
        places.len()
    }

    /// Where the texts stand that a message has had: its own, and those of its edits.
    pub(super) fn texts_of(&self, id: ChannelId, place: Place) -> Vec<Place> {
        let about = claims::about(&self.store.reader().view(), &id, &place.message_id(&id));
        let edits = about.iter().filter(|claim| claim.kind == ClaimKind::Edit);
        edits.map(|claim| claim.at).chain([place]).collect()
    }

    /// Erases every text that a message has had, and not the reasons of those who deleted it.
    fn erase_texts(&mut self, id: ChannelId, place: Place) {
        for place in self.texts_of(id, place) {
            if let Some(channel) = self.channels.get_mut(&id) {
                channel.log_mut(place.log).bodiless.remove(place.seq);
                self.stage.logs.insert((id, place.log));
            }
            if let Some(envelope) = self.stored_envelope(id, place) {
                self.erase_body(id, envelope);
            }
        }
    }

    /// What decides how long the message at a place lives.
    fn mortal(&self, id: ChannelId, place: Place) -> Option<Mortal> {
        let channel = self.channels.get(&id)?;
        let envelope = self.stored_envelope(id, place)?;
        let expires_at = channel
            .logs
            .get(&place.log)
            .and_then(|log| log.early.get(&place.seq))
            .copied();
        let epoch = envelope.header.epoch;
        let waits = channel.roster.epochs.get(&epoch);
        let waits = waits.is_some_and(|epoch| epoch.life.instant);
        Some(Mortal {
            written: Written {
                author: channel.roster.account_of(&place.log.writer.device)?,
                hlc: envelope.header.hlc,
                epoch,
                expires_at,
            },
            place,
            envelope,
            in_turn: !waits,
        })
    }

    fn fate(&self, now: Millis, id: ChannelId, found: &Mortal, readers: &mut Readers) -> Fate {
        let Some(channel) = self.channels.get(&id) else {
            return Fate::Lives { until: None };
        };
        let seen = readers.of_segment(self, id, found.place);
        projection::fate(&channel.roster, &found.written, now, |account| {
            let Place { log, seq } = found.place;
            let seen = seen.iter().find(|(reader, _)| reader == account);
            seen.is_some_and(|(_, seen)| seen.time_of(&log.writer, seq).is_some())
        })
    }

    fn purge(&mut self, now: Millis, id: ChannelId, found: Mortal, end: End) {
        let Mortal {
            place,
            envelope,
            written,
            ..
        } = found;
        let message = place.message_id(&id);
        self.purge_claims(id, place);
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        let cause = Cause::of_message(&channel.roster, &written, end);
        let line = match channel.entry_of(&envelope) {
            Some(Entry::Message(said)) => said.thread,
            _ => None,
        };
        let line = line.map_or_else(|| Line::main(&id), |root| Line::thread(&id, &root));
        let unsent = channel
            .reaches
            .get(&place.log)
            .is_none_or(|reach| reach.sent < place.seq);
        let log = channel.log_mut(place.log);
        let had_text = !log.erased.contains(place.seq);
        log.over.insert(place.seq);
        if log.early.remove(&place.seq).is_some() {
            log.ends_before.remove(&place.seq);
            self.stage.batch.delete_end(&id, &place);
        }
        log.deletions.remove(place.seq);
        channel.messages = channel.messages.saturating_sub(1);
        channel.newest_ended |= channel.last_activity == Some(envelope.header.hlc.millis());
        self.stage
            .batch
            .remove_timeline(line, envelope.header.hlc, place);
        self.stage.batch.delete_message_id(&message);
        self.erase_body(id, envelope);
        self.rewrite_files_of(id, place.log);
        self.stage.logs.insert((id, place.log));
        self.stage.recount.insert((id, place.log));
        self.stage.touched.insert(id);
        if place.log.writer.device == self.writer.device && unsent && end != End::ReadByAll {
            self.happened(id, now, What::Arrived(message, Arrival::Failed));
        }
        self.happened(id, now, What::Expired(message));
        self.note_erasure(id, cause, (u64::from(had_text), 0));
        self.forgotten.purged += 1;
    }

    /// Takes away what was said about a message.
    fn purge_claims(&mut self, id: ChannelId, place: Place) {
        let message = place.message_id(&id);
        let reader = self.store.reader();
        for claim in claims::about(&reader.view(), &id, &message) {
            if matches!(claim.kind, ClaimKind::Edit | ClaimKind::Deletion)
                && let Some(envelope) = self.stored_envelope(id, claim.at)
            {
                self.erase_body(id, envelope);
            }
            if matches!(claim.kind, ClaimKind::Pin { .. })
                && let Some(channel) = self.channels.get_mut(&id)
            {
                channel.log_mut(claim.at.log).pins.remove(claim.at.seq);
                self.stage.logs.insert((id, claim.at.log));
            }
            let number = claim.kind.number();
            self.stage
                .batch
                .delete_claim(&id, &message, number, &claim.at);
        }
    }

    /// Takes the body out of an envelope as it is stored.
    fn erase_body(&mut self, id: ChannelId, mut envelope: Envelope) {
        let place = envelope.place();
        if envelope.header.body_hash.is_none() || envelope.body_erased() {
            return;
        }
        envelope.erase_body();
        self.put_envelope(id, place, envelope.to_stored(), true);
        self.rewrite_files_of(id, place.log);
    }

    /// Has the files rewritten that something of a log was in.
    fn rewrite_files_of(&mut self, id: ChannelId, log_id: LogId) {
        self.forgotten.spans.insert((id, log_id.segment.span()));
    }
}

/// A message that may be over.
struct Mortal {
    place: Place,
    envelope: Envelope,
    written: Written,
    /// Whether those after it in its log end no sooner than it does or would if it did not ask to,
    /// but for what they ask themselves.
    in_turn: bool,
}

/// What everybody has read of the segment that was asked about last.
#[derive(Default)]
struct Readers {
    segment: Option<kith_crdt::ids::SegmentId>,
    seen: Vec<(AccountId, SeenBy)>,
}

impl Readers {
    fn of_segment(
        &mut self,
        engine: &Engine,
        id: ChannelId,
        place: Place,
    ) -> &[(AccountId, SeenBy)] {
        let segment = place.log.segment;
        if self.segment != Some(segment) {
            let stored = engine.store.reader().view().seen(&id, &segment);
            let decoded = stored.into_iter().filter_map(|(account, bytes)| {
                Some((account, kith_crdt::encoding::decode(&bytes, SEEN_MAX).ok()?))
            });
            self.seen = decoded.collect();
            self.segment = Some(segment);
        }
        &self.seen
    }
}
