//! Sweeping on request: everything that is over goes now, and out of all files, and whoever asked
//! hears how much it was.

use std::fmt::Display;

use kith_crdt::ids::ChannelId;
use kith_crdt::time::Millis;

use crate::engine::effect::{Outcome, Refusal};
use crate::engine::{Engine, Timer, storage};

/// Milliseconds of an hour.
const HOUR_MS: u64 = 3_600_000;

/// Somebody who waits for a sweep to end.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Sweeping {
    /// Names the answer.
    pub(in crate::engine) token: u64,
    /// Messages that had been purged before.
    purged: u64,
    /// Windows that had been shredded before.
    shredded: u64,
    /// Whether files were rewritten for it.
    rewritten: bool,
}

impl Engine {
    /// Begins to sweep every channel.
    ///
    /// # Errors
    /// [`Refusal::Denied`] if the clock is not believed and nobody confirms it.
    pub(in crate::engine) fn sweep(
        &mut self,
        now: Millis,
        token: u64,
        confirm_clock: bool,
    ) -> Result<(), Refusal> {
        if confirm_clock {
            self.witness.confirm(now);
        }
        if let Some(ms) = self.witness.leapt_by(now) {
            return Err(Refusal::Denied(format!(
                "this node's clock is {} h ahead of the last time that it or another member knew: \
                 set it right, or if it is right, `kith retention sweep --confirm-clock`",
                ms / HOUR_MS
            )));
        }
        let channels: Vec<ChannelId> = self.channels.keys().copied().collect();
        for id in channels {
            self.lives.set_by(Timer::Forget(id), now);
        }
        self.sweeping.push(Sweeping {
            token,
            purged: self.forgotten.purged,
            shredded: self.forgotten.shredded,
            rewritten: false,
        });
        Ok(())
    }

    /// Answers those who wait for a sweep once nothing is over any more that is not out of all files.
    pub(super) fn answer_sweeping(&mut self, now: Millis) {
        if self.sweeping.is_empty() || self.lives.next().is_some_and(|at| at <= now) {
            return;
        }
        if !self.forgotten.spans.is_empty() {
            self.erase(now);
        }
        if self.forgotten.rewriting.is_some() {
            let waiting = self.sweeping.iter_mut();
            waiting.for_each(|sweeping| sweeping.rewritten = true);
            return;
        }
        for sweeping in std::mem::take(&mut self.sweeping) {
            let outcome = Outcome::Swept {
                purged: self.forgotten.purged - sweeping.purged,
                shredded: self.forgotten.shredded - sweeping.shredded,
                rewritten: sweeping.rewritten,
            };
            self.stage.answer(sweeping.token, Ok(outcome));
        }
    }

    /// Tells those who wait for a sweep what keeps it from being done.
    pub(super) fn refuse_sweeping(&mut self, error: impl Display) {
        for sweeping in std::mem::take(&mut self.sweeping) {
            self.stage.answer(sweeping.token, Err(storage(&error)));
        }
    }
}
