//! Bodies that came erased, of messages that are there still: whoever sent the page had purged them
//! by a clock that is ahead, or took them out on purpose. Somebody else has them.
//!
//! The same goes for the texts of a message whose deletion turns out not to count.
//!
//! A log goes on whatever becomes of a body, because its header has the body's hash. So a page with
//! erased bodies is taken, and the bodies are asked for afterwards, of one member after the other,
//! ever more rarely where nobody has them.

use kith_crdt::envelope::Envelope;
use kith_crdt::ids::{ChannelId, LogId, Place};
use kith_crdt::sync::{LogWant, Request};
use kith_crdt::time::Millis;

use crate::engine::channel::Channel;
use crate::engine::outstanding::Purpose;
use crate::engine::{Engine, Timer};

/// Milliseconds from the first miss until the next member is asked; doubled with each miss.
const FIRST_PAUSE_MS: u64 = 2_000;
/// The longest pause: a day.
const LONGEST_PAUSE_MS: u64 = 86_400_000;

/// How the search for bodies of a channel stands.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::engine) struct Search {
    /// The log that was asked for last.
    last: Option<LogId>,
    /// How often nothing came in a row.
    misses: u32,
}

impl Search {
    const fn pause_ms(self) -> u64 {
        let doublings = if self.misses < 16 { self.misses } else { 16 };
        let pause = FIRST_PAUSE_MS << doublings;
        if pause < LONGEST_PAUSE_MS {
            pause
        } else {
            LONGEST_PAUSE_MS
        }
    }
}

impl Channel {
    /// The next log of which a body is wanted, and from where on.
    fn wanted_body(&self) -> Option<LogWant> {
        let after = self.search.last;
        let later = self
            .logs
            .values()
            .filter(|log| after.is_none_or(|last| log.id > last));
        let wanted = later.chain(self.logs.values()).find_map(|log| {
            let wanted = log.bodiless.minus(&log.over).minus(&log.erased);
            Some((log.id, wanted.first()?))
        });
        wanted.map(|(log, from)| LogWant { log, from })
    }
}

impl Engine {
    /// Has the texts of a message looked for that were erased with it, since it is not deleted after
    /// all: who deleted it had been removed before, which was not known here.
    pub(in crate::engine) fn want_texts_back(&mut self, id: ChannelId, place: Place) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        let was_erased = channel.log_mut(place.log).erased.remove(place.seq);
        channel.to_erase.remove(&place);
        if !was_erased {
            return;
        }
        for place in self.texts_of(id, place) {
            let stored = self.stored_envelope(id, place);
            if stored.is_some_and(|envelope| envelope.body_erased())
                && let Some(channel) = self.channels.get_mut(&id)
            {
                channel.log_mut(place.log).bodiless.insert(place.seq);
                channel.search.misses = 0;
                self.stage.logs.insert((id, place.log));
            }
        }
        self.timers.set_by(Timer::Bodies(id), self.now);
    }

    /// Asks somebody for bodies that are missing, if any are.
    pub(in crate::engine) fn pursue_bodies(&mut self, now: Millis, id: ChannelId) {
        // It is set anew when there is room.
        if !self.has_room(id) {
            return;
        }
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        let Some(want) = channel.wanted_body() else {
            return;
        };
        channel.search.last = Some(want.log);
        channel.search.misses = channel.search.misses.saturating_add(1);
        let pause = channel.search.pause_ms();
        self.timers.set_by(Timer::Bodies(id), now.plus(pause));
        let Some(peer) = self.some_member(id) else {
            return;
        };
        let request = Request::Pull {
            tag: id.tag(),
            logs: vec![want],
        };
        self.ask(now, peer, Purpose::Bodies { channel: id }, &request);
    }

    /// Takes what came: of each envelope that is here without its body, the body.
    pub(in crate::engine) fn take_bodies(
        &mut self,
        now: Millis,
        id: ChannelId,
        envelopes: &[Vec<u8>],
    ) {
        let parsed = envelopes.iter().map(|bytes| Envelope::parse(bytes, &id));
        for envelope in parsed.filter_map(Result::ok) {
            self.take_body(now, id, &envelope);
        }
    }

    fn take_body(&mut self, now: Millis, id: ChannelId, envelope: &Envelope) {
        let place = envelope.place();
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        let log = channel.logs.get(&place.log);
        let is_wanted = log.is_some_and(|log| log.bodiless.contains(place.seq));
        if !is_wanted || envelope.body_erased() || !self.has_room(id) {
            return;
        }
        // Equal links mean equal headers, and the header has the body's hash.
        let held = self.stored_envelope(id, place);
        if held.is_none_or(|held| held.link() != envelope.link()) {
            return;
        }
        self.put_envelope(id, place, envelope.to_stored(), true);
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.log_mut(place.log).bodiless.remove(place.seq);
            channel.search.misses = 0;
        }
        self.own_body_came(id);
        self.timers.set_by(Timer::Bodies(id), now);
    }
}
