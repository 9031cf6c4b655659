//! The engine's deadlines: what is due when, in one queue, with at most one entry a thing.

use std::collections::{BTreeMap, BTreeSet};

use kith_crdt::ids::ChannelId;
use kith_crdt::time::Millis;

/// What a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// Compare a channel with some connected member.
    Sync(ChannelId),
    /// Tell the others what this node holds.
    Beacon(ChannelId),
    /// Ask somebody for missing keys, or go on with a join.
    Keys(ChannelId),
    /// Go on with the mending of a channel.
    Mend(ChannelId),
    /// Go on taking back what this account said in a channel.
    TakeBack(ChannelId),
    /// Offer the op by which this account has left a channel.
    Leave(ChannelId),
    /// Tell channels of this account's newest certificate.
    Certify,
    /// Take this account's settings anew.
    Settings,
    /// Dial whoever is wanted and not connected.
    Dial,
    /// Say on every channel that this node is here.
    Presence,
    /// Forget what was kept for repeated commands.
    Tidy,
    /// Take off the disk what is over of a channel.
    Forget(ChannelId),
    /// Ask somebody for bodies that came erased.
    Bodies(ChannelId),
    /// Have the files rewritten that hold what was taken out.
    Erase,
}

/// Deadlines in the order in which they come.
#[derive(Debug, Default)]
pub(super) struct Timers {
    queue: BTreeSet<(Millis, Timer)>,
    due: BTreeMap<Timer, Millis>,
}

impl Timers {
    /// Sets a deadline, replacing an earlier or later one of the same thing.
    pub(super) fn set(&mut self, timer: Timer, at: Millis) {
        self.clear(timer);
        self.queue.insert((at, timer));
        self.due.insert(timer, at);
    }

    /// Sets a deadline unless an earlier one is there.
    pub(super) fn set_by(&mut self, timer: Timer, at: Millis) {
        if self.due.get(&timer).is_none_or(|due| *due > at) {
            self.set(timer, at);
        }
    }

    /// Takes a deadline back.
    pub(super) fn clear(&mut self, timer: Timer) {
        if let Some(at) = self.due.remove(&timer) {
            self.queue.remove(&(at, timer));
        }
    }

    /// Brings deadlines forward that lie after `latest`: what was set before the clock fell back.
    pub(super) fn clip(&mut self, latest: Millis) {
        while let Some((_, timer)) = self.queue.last().copied().filter(|(at, _)| *at > latest) {
            self.set(timer, latest);
        }
    }

    /// The next deadline.
    pub(super) fn next(&self) -> Option<Millis> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes out one thing that is due.
    pub(super) fn pop(&mut self, now: Millis) -> Option<Timer> {
        let (at, timer) = *self.queue.first()?;
        if at > now {
            return None;
        }
        self.clear(timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_falls_back_stops_nothing() {
        let mut timers = Timers::default();
        timers.set(Timer::Dial, Millis(5_000_000));
        timers.set(Timer::Presence, Millis(5));
        timers.clip(Millis(60));
        assert_eq!(timers.pop(Millis(60)), Some(Timer::Presence));
        assert_eq!(timers.pop(Millis(60)), Some(Timer::Dial));
    }

    #[test]
    fn a_thing_is_due_once_at_its_last_set_time() {
        let mut timers = Timers::default();
        timers.set(Timer::Dial, Millis(5));
        timers.set(Timer::Dial, Millis(9));
        timers.set_by(Timer::Dial, Millis(12));
        timers.set_by(Timer::Presence, Millis(7));
        assert_eq!(timers.next(), Some(Millis(7)));
        assert_eq!(timers.pop(Millis(8)), Some(Timer::Presence));
        assert_eq!(timers.pop(Millis(8)), None);
        assert_eq!(timers.pop(Millis(9)), Some(Timer::Dial));
        assert_eq!(timers.next(), None);
    }
}
