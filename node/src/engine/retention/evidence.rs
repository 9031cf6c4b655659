//! Evidence that something was erased: what this device tells of itself, and what others say.
//!
//! A device says of which messages it has no text any more once that is so of all its files, not
//! when it has taken them out of its records. It says so in beacons, newest segments first, and each
//! device keeps what the others said until the window is shredded.

use std::collections::{BTreeMap, BTreeSet};

use kith_crdt::beacon::{Beacon, InSegment};
use kith_crdt::ids::{ChannelId, DeviceId, LogId};
use kith_crdt::ranges::Ranges;
use kith_crdt::term::Span;
use kith_crdt::time::Millis;

use crate::engine::channel::Channel;
use crate::engine::{Engine, Timer};

/// Of which messages of each log no text is left.
pub(in crate::engine) type Textless = BTreeMap<LogId, Ranges>;

/// Logs of which a beacon says what was erased, the newest: what is older was told before.
const TOLD_LOGS: usize = 32;

impl Channel {
    /// Of which messages the records have no text any more.
    fn textless(&self) -> Textless {
        let logs = self.logs.iter();
        logs.map(|(log_id, log)| (*log_id, log.textless()))
            .filter(|(_, numbers)| !numbers.is_empty())
            .collect()
    }

    /// What a beacon of `this` device says that it has erased, newest segments first.
    pub(in crate::engine) fn erasures(&self, this: &DeviceId) -> Vec<InSegment<Ranges>> {
        let newest = self.holds.all_erased(this).rev().take(TOLD_LOGS);
        InSegment::group(newest.map(|(log_id, numbers)| (*log_id, numbers.clone())))
    }
}

impl Engine {
    /// Remembers what will be erased once the files are rewritten that something was taken out of.
    pub(super) fn note_rewriting(&mut self, spans: &BTreeSet<(ChannelId, Span)>) {
        let ids: BTreeSet<ChannelId> = spans.iter().map(|(id, _)| *id).collect();
        let channels = ids.iter().filter_map(|id| self.channels.get(id));
        let rewriting = channels.map(|channel| (channel.id, channel.textless()));
        self.forgotten.rewriting = Some(rewriting.collect());
    }

    /// Notes that the files have been rewritten, but for those of some places, and tells the others.
    pub(super) fn note_rewritten(&mut self, now: Millis, failed: &[(ChannelId, Span)]) {
        for (id, textless) in self.forgotten.rewriting.take().unwrap_or_default() {
            if failed.iter().any(|(channel, _)| *channel == id) {
                continue;
            }
            if self.tell_of(id, textless) {
                self.timers.set_by(Timer::Beacon(id), now);
            }
        }
    }

    /// Takes what the records have no text of for erased: at a start whose last run left nothing to
    /// be rewritten.
    pub(super) fn note_textless(&mut self, id: ChannelId) {
        if let Some(channel) = self.channels.get(&id) {
            let textless = channel.textless();
            self.tell_of(id, textless);
        }
    }

    /// Keeps what this device has erased, to be told. Returns whether it is news.
    fn tell_of(&mut self, id: ChannelId, textless: Textless) -> bool {
        let this = self.writer.device;
        let Some(channel) = self.channels.get_mut(&id) else {
            return false;
        };
        let mut changed = BTreeSet::new();
        for (log_id, numbers) in textless {
            // The window may have been shredded meanwhile.
            if channel.logs.contains_key(&log_id)
                && channel.holds.note_erased(this, log_id, &numbers)
            {
                changed.insert(log_id.segment);
            }
        }
        for segment in &changed {
            self.keep_holds(id, this, *segment);
        }
        self.stage.touched.insert(id);
        !changed.is_empty()
    }

    /// Hears what another device says that it has erased.
    pub(in crate::engine) fn hear_erased(&mut self, id: ChannelId, beacon: &Beacon) {
        let device = beacon.writer.device;
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        let mut changed = BTreeSet::new();
        for (log_id, numbers) in beacon.erased.iter().flat_map(InSegment::logs) {
            // Of what is not here nobody asks whether it was erased.
            let Some(log) = channel.logs.get(&log_id) else {
                continue;
            };
            let mut numbers = numbers.clone();
            numbers.truncate(log.head + 1);
            if channel.holds.note_erased(device, log_id, &numbers) {
                changed.insert(log_id.segment);
            }
        }
        for segment in changed {
            self.keep_holds(id, device, segment);
        }
    }
}
