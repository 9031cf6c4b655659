//! When something of which log may be over: a lower bound for each, made exact when it comes.

use std::collections::{BTreeMap, BTreeSet};

use kith_crdt::ids::LogId;
use kith_crdt::time::Millis;

use crate::engine::channel::Channel;

/// The logs of a channel in the order in which something of them may be over.
#[derive(Debug, Default)]
pub(in crate::engine) struct Due {
    queue: BTreeSet<(Millis, LogId)>,
    by_log: BTreeMap<LogId, Millis>,
}

impl Due {
    /// Sets when a log is to be looked at; nothing if it is not.
    pub(in crate::engine) fn set(&mut self, log_id: LogId, at: Option<Millis>) {
        if let Some(before) = self.by_log.remove(&log_id) {
            self.queue.remove(&(before, log_id));
        }
        if let Some(at) = at {
            self.queue.insert((at, log_id));
            self.by_log.insert(log_id, at);
        }
    }

    /// Sets that a log is to be looked at by a time, if not sooner.
    pub(in crate::engine) fn set_by(&mut self, log_id: LogId, at: Millis) {
        if self.by_log.get(&log_id).is_none_or(|before| *before > at) {
            self.set(log_id, Some(at));
        }
    }

    /// When the next log is to be looked at.
    pub(in crate::engine) fn next(&self) -> Option<Millis> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes out a log that is to be looked at now.
    pub(in crate::engine) fn pop(&mut self, now: Millis) -> Option<LogId> {
        let (_, log_id) = self.queue.first().copied().filter(|(at, _)| *at <= now)?;
        self.set(log_id, None);
        Some(log_id)
    }
}

impl Channel {
    /// Sets when a log is to be looked at, by what its segment and the roster say alone. That may
    /// be too early and is never too late.
    pub(in crate::engine) fn expect(&mut self, log_id: &LogId) {
        let Some(log) = self.logs.get(log_id) else {
            self.due.set(*log_id, None);
            return;
        };
        let term = log_id.segment.term();
        let epochs = self.roster.epochs.values();
        let mut lives = epochs.filter(|epoch| epoch.term == term);
        let shortest = lives.clone().map(|epoch| epoch.life.term).min();
        let begins = log_id.segment.window.starts_at();
        let by_life = shortest
            .unwrap_or(term)
            .as_millis()
            .map(|ms| begins.plus(ms));
        // What waits to be read may have been read by all.
        let by_readers = lives.any(|epoch| epoch.life.instant).then_some(begins);
        let living = |seq: &u32| !log.over.contains(*seq);
        let early = log.early.iter().filter(|(seq, _)| living(seq));
        let early = early.map(|(_, at)| *at).min();
        let any_living = !log.living().is_empty();
        let at = by_life.into_iter().chain(by_readers).chain(early).min();
        self.due.set(*log_id, at.filter(|_| any_living));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kith_crdt::ids::{DeviceId, SegmentId, Window, Writer};

    fn log(number: u8) -> LogId {
        LogId {
            segment: SegmentId {
                window: Window(24),
                index: 0,
            },
            writer: Writer {
                device: DeviceId([number; 32]),
                incarnation: 0,
            },
        }
    }

    #[test]
    fn logs_come_in_the_order_of_their_times_and_once_each() {
        let mut due = Due::default();
        due.set(log(1), Some(Millis(9)));
        due.set_by(log(2), Millis(5));
        due.set_by(log(1), Millis(7));
        due.set_by(log(1), Millis(8));
        assert_eq!((due.next(), due.pop(Millis(4))), (Some(Millis(5)), None));
        assert_eq!(due.pop(Millis(9)), Some(log(2)));
        due.set(log(2), None);
        assert_eq!(due.pop(Millis(9)), Some(log(1)));
        assert_eq!((due.pop(Millis(9)), due.next()), (None, None));
    }
}
