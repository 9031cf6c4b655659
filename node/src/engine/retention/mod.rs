//! Forgetting: messages whose time is over are purged, and windows that are over are shredded.
//!
//! Nothing here hides anything: what is over is shown by nothing from that moment on, because every
//! way to read asks `projection::fate`. Here it is taken off the disk, in two steps.
//!
//! 1. `purge.rs`: the text of each message goes soon after its time is over, with everything that
//!    was said about it and every index that leads to it. Its envelope stays without its body, so
//!    that the log it is in can still be checked.
//! 2. `shred.rs`: when a window is over, everything of it goes with the keys that open it.
//!
//! `evidence.rs` tells the others of it once no file holds it any more, and hears them. `bodies.rs`
//! asks for texts that others erased too early, `revive.rs` takes back what was over by a retention
//! that turned out void, `sweep.rs` does it all on request.
//! `notes.rs` keeps for the audit how much went when and why.
//! `due.rs` knows which log to look at when, `clock.rs` whether the clock is to be believed.

mod bodies;
mod clock;
mod due;
mod evidence;
mod notes;
mod purge;
mod revive;
mod shred;
mod sweep;

use kith_crdt::ids::{ChannelId, LogId, SegmentId};
use kith_crdt::term::Span;
use kith_crdt::time::Millis;
use kith_store::StoreError;

pub(super) use bodies::Search;
pub(super) use clock::{META_CLOCK, Witness};
pub(super) use due::Due;
pub(super) use shred::Forgotten;
pub(super) use sweep::Sweeping;

use super::{Engine, Timer};

/// Where the store keeps that files have to be rewritten.
pub(super) const META_UNERASED: &str = "unerased";

/// Messages purged in one turn: each costs a few reads and writes, some 45 µs, and senders wait
/// meanwhile.
const PURGED_PER_TURN: usize = 8;
/// Channels looked at in one turn.
const CHANNELS_PER_TURN: usize = 4;
/// Milliseconds from the first thing that was taken out until the files are rewritten: more follows
/// mostly.
const ERASE_AFTER_MS: u64 = 3_000;
/// Milliseconds between two times that files are rewritten.
const ERASE_EVERY_MS: u64 = 60_000;
/// Milliseconds between tries where the clock is not believed or the disk takes nothing.
const RETRY_MS: u64 = 60_000;

impl Engine {
    /// Forgets what is over, a batch of it. It comes before everything else in a turn: nothing may
    /// be staged for a window when the window is shredded.
    /// Where somebody waits for the turn, every second one is theirs alone.
    pub(super) fn forget_due(&mut self, now: Millis, is_waited_for: bool) {
        if std::mem::take(&mut self.forgotten.has_purged) && is_waited_for {
            return;
        }
        let mut left = PURGED_PER_TURN;
        for _ in 0..CHANNELS_PER_TURN {
            if left == 0 {
                break;
            }
            let Some(Timer::Forget(id)) = self.lives.pop(now) else {
                break;
            };
            left = self.forget(now, id, left);
        }
        self.forgotten.has_purged = left < PURGED_PER_TURN;
        self.answer_sweeping(now);
    }

    /// Forgets what is over of a channel, at most so many messages. Returns how many may follow.
    fn forget(&mut self, now: Millis, id: ChannelId, most: usize) -> usize {
        let is_believed = self.witness.is_believed(now);
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.conceal((!is_believed).then_some(now));
            self.stage.touched.insert(id);
        }
        let shredded = match is_believed {
            true => self.shred_over(now, id),
            false => Ok(()),
        };
        if let Err(error) = &shredded {
            tracing::error!("what is over could not be shredded and will be tried again: {error}");
            self.refuse_sweeping(error);
        }
        if shredded.is_err() || !is_believed {
            self.lives.set_by(Timer::Forget(id), now.plus(RETRY_MS));
            return most;
        }
        let mut left = most;
        if self.is_anything_due(now, id) {
            if let Err(error) = self.note_unerased() {
                self.refuse_sweeping(&error);
                self.lives.set_by(Timer::Forget(id), now.plus(RETRY_MS));
                return most;
            }
            left = self.purge_some(now, id, most);
        }
        self.set_forget_timer(now, id);
        self.set_erase_timer(now);
        left
    }

    /// Hears what another member's signed clock says. Where that makes this node's clock believed
    /// again, what waited for it is done at once.
    pub(super) fn hear_clock(&mut self, now: Millis, theirs: Millis) {
        let before = self.witness.is_believed(now);
        self.witness.hear(theirs, now);
        if !before && self.witness.is_believed(now) {
            let ids: Vec<ChannelId> = self.channels.keys().copied().collect();
            for id in ids {
                self.lives.set_by(Timer::Forget(id), now);
            }
        }
    }

    fn is_anything_due(&self, now: Millis, id: ChannelId) -> bool {
        self.channels.get(&id).is_some_and(|channel| {
            !channel.to_erase.is_empty() || channel.due.next().is_some_and(|at| at <= now)
        })
    }

    /// Sets the time at which something of a channel is over next.
    pub(super) fn set_forget_timer(&mut self, now: Millis, id: ChannelId) {
        let Some(channel) = self.channels.get(&id) else {
            return;
        };
        let to_erase = channel.to_erase.first().map(|_| now);
        let next = channel.due.next().into_iter().chain(channel.next_end());
        let next = next.chain(to_erase);
        if let Some(at) = next.min() {
            self.lives.set_by(Timer::Forget(id), at.max(now));
        }
    }

    /// Has the files rewritten that hold what was purged or shredded, all of it at once and not too
    /// often: that costs reading and writing whole tables. While that is under way the rest waits:
    /// the end of one says nothing about another.
    pub(super) fn erase(&mut self, now: Millis) {
        if self.forgotten.rewriting.is_some() {
            return;
        }
        let spans = std::mem::take(&mut self.forgotten.spans);
        if spans.is_empty() {
            self.erased(now, Vec::new());
            return;
        }
        self.note_rewriting(&spans);
        self.stage.effects.erase.extend(spans);
        self.forgotten.erased_at = now;
    }

    /// Notes that the files have been rewritten, but for some places.
    pub(super) fn erased(&mut self, now: Millis, failed: Vec<(ChannelId, Span)>) {
        self.note_rewritten(now, &failed);
        if !failed.is_empty() {
            self.refuse_sweeping(
                "the files could not be rewritten, as the daemon's log says: free some space or \
                 make the home writable; it is tried again every minute",
            );
        }
        self.forgotten.spans.extend(failed);
        self.set_erase_timer(now);
        if self.forgotten.spans.is_empty() {
            self.stage.batch.delete_meta(META_UNERASED);
            self.forgotten.is_noted = false;
        }
        self.answer_sweeping(now);
    }

    /// Notes durably that files will have to be rewritten, before anything is taken out: should the
    /// node die in between, the next start sees to it.
    fn note_unerased(&mut self) -> Result<(), StoreError> {
        if !self.forgotten.is_noted {
            let mut batch = self.store.batch();
            batch.put_meta(META_UNERASED, [1]);
            self.store.commit(batch)?;
            self.forgotten.is_noted = true;
        }
        Ok(())
    }

    /// Takes up what a run left behind that ended before the files were rewritten.
    pub(super) fn resume_erasing(&mut self, now: Millis, is_unerased: bool) {
        let ids: Vec<ChannelId> = self.channels.keys().copied().collect();
        if !is_unerased {
            for id in ids {
                self.note_textless(id);
            }
            return;
        }
        for id in ids {
            let spans = self.store.spans(&id).into_iter();
            self.forgotten.spans.extend(spans.map(|span| (id, span)));
        }
        self.forgotten.is_noted = true;
        self.timers.set(Timer::Erase, now.plus(ERASE_AFTER_MS));
    }

    /// Sees to it that the files are rewritten soon.
    fn set_erase_timer(&mut self, now: Millis) {
        if !self.forgotten.spans.is_empty() {
            let pause = self.forgotten.erased_at.plus(ERASE_EVERY_MS);
            let soon = now.plus(ERASE_AFTER_MS);
            self.timers.set_by(Timer::Erase, soon.max(pause));
        }
    }

    /// Looks at everything of a channel again: its roster says otherwise about how long it lives.
    pub(super) fn weigh_lives_anew(&mut self, now: Millis, id: ChannelId) {
        if let Some(channel) = self.channels.get_mut(&id) {
            let logs: Vec<_> = channel.logs.keys().copied().collect();
            for log_id in logs {
                channel.expect(&log_id);
            }
            self.set_forget_timer(now, id);
        }
    }

    /// Notes that something of a log was read: where messages wait for that, they may be over.
    pub(super) fn note_reading(&mut self, now: Millis, id: ChannelId, log_id: LogId) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        let term = log_id.segment.term();
        let mut epochs = channel.roster.epochs.values();
        if epochs.any(|epoch| epoch.term == term && epoch.life.instant) {
            channel.due.set_by(log_id, now);
            self.lives.set_by(Timer::Forget(id), now);
        }
    }

    /// Whether nothing of a segment is kept any more, by its term and the channel's policy.
    pub(super) fn is_over(&self, now: Millis, id: ChannelId, segment: &SegmentId) -> bool {
        let channel = self.channels.get(&id);
        channel.is_some_and(|channel| channel.roster.is_over(segment, now))
    }
}
