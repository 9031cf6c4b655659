//! Messages that were over and are not after all.
//!
//! A retention for existing messages ends them at once for whoever hears of it. Where it turns out
//! to be void, since whoever set it had been removed or lowered without their knowing, those who
//! heard of that first have kept the messages. So the others take them back: what an envelope still
//! says is shown again, and its text is asked for (`bodies.rs`). Windows that were destroyed come
//! back by ordinary sync, and their keys are asked for as any that are missing.

use std::collections::BTreeSet;

use kith_crdt::control::Roster;
use kith_crdt::envelope::Envelope;
use kith_crdt::ids::{ChannelId, EpochId, LogId, MessageId, Place};
use kith_crdt::limits::PAGE_BYTES;
use kith_crdt::term::Term;
use kith_crdt::time::Millis;

use crate::engine::channel::Channel;
use crate::engine::{Engine, Timer};
use crate::fate::Fates;

/// Envelopes read at a time.
const READ_AHEAD: usize = 1_024;

/// The epochs of which something may live longer by a roster than by the one before.
fn lengthened(before: &Roster, after: &Roster) -> BTreeSet<EpochId> {
    let is_longer = |id: &EpochId| {
        let (Some(old), Some(new)) = (before.epochs.get(id), after.epochs.get(id)) else {
            return false;
        };
        let waits_again = || {
            let mut awaited = new.audience.iter();
            awaited.any(|account| {
                let was_awaited = old.audience.contains(account) && before.is_member(account);
                after.is_member(account) && !was_awaited
            })
        };
        new.life.term > old.life.term || old.life.instant && (!new.life.instant || waits_again())
    };
    let epochs = after.epochs.keys();
    epochs.filter(|id| is_longer(id)).copied().collect()
}

impl Channel {
    /// The logs of some terms.
    fn logs_of(&self, terms: &BTreeSet<Term>) -> Vec<LogId> {
        let logs = self.logs.keys();
        logs.filter(|log_id| terms.contains(&log_id.segment.term()))
            .copied()
            .collect()
    }
}

impl Engine {
    /// Takes back what was over by another roster and is not by the one there is now.
    pub(in crate::engine) fn revive(&mut self, now: Millis, id: ChannelId, before: &Roster) {
        let Some(channel) = self.channels.get(&id) else {
            return;
        };
        let epochs = lengthened(before, &channel.roster);
        let terms: BTreeSet<Term> = epochs
            .iter()
            .filter_map(|epoch| Some(channel.roster.epochs.get(epoch)?.term))
            .collect();
        let alive = self.alive_again(now, id, (&epochs, &terms));
        if alive.is_empty() {
            return;
        }
        tracing::info!(
            "{} messages are not over after all: what ended them turned out void",
            alive.len()
        );
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        for place in &alive {
            let log = channel.log_mut(place.log);
            log.over.remove(place.seq);
            // It counts as new.
            log.messages.remove(place.seq);
        }
        channel.search = Default::default();
        let logs = channel.logs_of(&terms);
        for place in &alive {
            if let Some(envelope) = self.stored_envelope(id, *place) {
                self.apply(now, id, &envelope);
                self.want_body(id, &envelope);
            }
        }
        // A text that was erased with a deletion is nobody's any more, and so are its edits.
        let has_text = |place: &&Place| {
            let log = self.channels.get(&id)?.logs.get(&place.log)?;
            Some(!log.erased.contains(place.seq))
        };
        let texts = alive.iter().filter(|place| has_text(place) == Some(true));
        let texts: BTreeSet<MessageId> = texts.map(|place| place.message_id(&id)).collect();
        let ids: BTreeSet<MessageId> = alive.iter().map(|place| place.message_id(&id)).collect();
        self.stage.quiet = true;
        for log_id in logs {
            self.take_back_claims(now, id, log_id, (&ids, &texts));
        }
        self.stage.quiet = false;
        self.stage.touched.insert(id);
        self.timers.set_by(Timer::Bodies(id), now);
    }

    /// The messages of some epochs, which lie in segments of some terms, that were purged and live.
    fn alive_again(
        &self,
        now: Millis,
        id: ChannelId,
        (epochs, terms): (&BTreeSet<EpochId>, &BTreeSet<Term>),
    ) -> Vec<Place> {
        let Some(channel) = self.channels.get(&id) else {
            return Vec::new();
        };
        let reader = self.store.reader();
        let view = reader.view();
        let fates = Fates::new(&view, (&id, &channel.roster), now);
        let logs = channel.logs_of(terms).into_iter();
        let over = logs.filter_map(|log_id| channel.logs.get(&log_id));
        let over = over.flat_map(|log| log.over.iter().map(|seq| log.id.place(seq)));
        over.filter(|place| {
            let sealed = self.stored_envelope(id, *place);
            sealed.is_some_and(|envelope| {
                epochs.contains(&envelope.header.epoch) && channel.entry_of(&envelope).is_some()
            }) && fates
                .at(&channel.keys, place)
                .is_some_and(|fate| !fate.is_over())
        })
        .collect()
    }

    /// Takes back what a log says about messages, of which some are to have their texts again.
    fn take_back_claims(
        &mut self,
        now: Millis,
        id: ChannelId,
        log_id: LogId,
        (messages, texts): (&BTreeSet<MessageId>, &BTreeSet<MessageId>),
    ) {
        let reader = self.store.reader();
        let view = reader.view();
        let mut next = 1;
        loop {
            let page = view.envelopes(&id, &log_id, next, READ_AHEAD, PAGE_BYTES);
            let Some((last, _)) = page.last() else {
                return;
            };
            next = last + 1;
            for (seq, bytes) in page {
                let Ok(envelope) = Envelope::from_stored(&bytes, &id, log_id.place(seq)) else {
                    continue;
                };
                let entry = self
                    .channels
                    .get(&id)
                    .and_then(|channel| channel.entry_of(&envelope));
                let target = entry.and_then(|entry| entry.target());
                let Some(target) = target.filter(|target| messages.contains(target)) else {
                    continue;
                };
                self.apply(now, id, &envelope);
                if texts.contains(&target) {
                    self.want_body(id, &envelope);
                }
            }
        }
    }

    /// Has the body of an envelope looked for that was purged, if it had one. What the store says
    /// of it is of no use: the purge may be of this very turn.
    fn want_body(&mut self, id: ChannelId, envelope: &Envelope) {
        let place = envelope.place();
        if let Some(channel) = self.channels.get_mut(&id)
            && envelope.header.body_hash.is_some()
        {
            channel.log_mut(place.log).bodiless.insert(place.seq);
        }
        self.stage.logs.insert((id, place.log));
    }
}
