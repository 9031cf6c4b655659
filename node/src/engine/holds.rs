//! Who holds what: for each device of a channel, how far it has each log. The source of delivery
//! states, and of the evidence that something was erased. What a device holds and what it has erased
//! only ever grows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kith_crdt::ids::{AccountId, DeviceId, LogId, SegmentId, Writer};
use kith_crdt::ranges::Ranges;
use kith_crdt::time::Millis;

use crate::record::Arrivals;

/// Arrivals remembered of one log on one device: the newest. Of older ones it is only known that
/// they were.
const ARRIVALS_MAX: usize = 256;

/// Ranges remembered of what one device has erased of one log: a device that says nothing but single
/// numbers is not heard any further.
const ERASED_MAX: usize = 1_024;

/// How far one device has each log.
pub(super) type Positions = BTreeMap<LogId, u32>;

/// What the devices of a channel hold, as far as this node knows.
#[derive(Debug, Clone, Default)]
pub struct Holds {
    devices: BTreeMap<DeviceId, Arc<Positions>>,
    arrivals: BTreeMap<DeviceId, Arc<BTreeMap<LogId, Arrivals>>>,
    erased: BTreeMap<DeviceId, Arc<BTreeMap<LogId, Ranges>>>,
}

impl Holds {
    /// Notes that `device` has `log` up to `seq`. Returns whether that is news.
    pub fn raise(&mut self, device: DeviceId, log: LogId, seq: u32) -> bool {
        let known = self
            .devices
            .get(&device)
            .and_then(|positions| positions.get(&log))
            .copied()
            .unwrap_or(0);
        if seq <= known {
            return false;
        }
        Arc::make_mut(self.devices.entry(device).or_default()).insert(log, seq);
        true
    }

    /// Forgets logs that are over.
    pub(super) fn forget(&mut self, logs: &[LogId]) {
        for positions in self.devices.values_mut() {
            if logs.iter().any(|log| positions.contains_key(log)) {
                let positions = Arc::make_mut(positions);
                positions.retain(|log, _| !logs.contains(log));
            }
        }
        for arrivals in self.arrivals.values_mut() {
            if logs.iter().any(|log| arrivals.contains_key(log)) {
                let arrivals = Arc::make_mut(arrivals);
                arrivals.retain(|log, _| !logs.contains(log));
            }
        }
        for erased in self.erased.values_mut() {
            if logs.iter().any(|log| erased.contains_key(log)) {
                let erased = Arc::make_mut(erased);
                erased.retain(|log, _| !logs.contains(log));
            }
        }
    }

    /// Notes that `device` has no text any more of the messages among some numbers of `log`. Returns
    /// whether that is news.
    pub(super) fn note_erased(&mut self, device: DeviceId, log: LogId, numbers: &Ranges) -> bool {
        let logs = Arc::make_mut(self.erased.entry(device).or_default());
        let known = logs.entry(log).or_default();
        let mut all = known.clone();
        all.extend(numbers);
        let is_news = all != *known && all.ranges().len() <= ERASED_MAX;
        if is_news {
            *known = all;
        }
        is_news
    }

    /// The messages of `log` among these numbers have no text any more on `device`, as it says.
    pub fn erased(&self, device: &DeviceId, log: &LogId) -> Option<&Ranges> {
        self.erased.get(device)?.get(log)
    }

    /// What one device has erased, log by log.
    pub(super) fn all_erased(
        &self,
        device: &DeviceId,
    ) -> impl DoubleEndedIterator<Item = (&LogId, &Ranges)> {
        self.erased.get(device).into_iter().flat_map(|e| e.iter())
    }

    /// What one device has erased of the logs of a segment.
    pub(super) fn erased_in(&self, device: &DeviceId, segment: SegmentId) -> Vec<(Writer, Ranges)> {
        let logs = self.all_erased(device);
        logs.filter(|(log, _)| log.segment == segment)
            .map(|(log, erased)| (log.writer, erased.clone()))
            .collect()
    }

    /// How far `device` has `log`; 0 if nothing is known.
    pub fn of(&self, device: &DeviceId, log: &LogId) -> u32 {
        self.devices
            .get(device)
            .and_then(|positions| positions.get(log))
            .copied()
            .unwrap_or(0)
    }

    /// Notes when `device` was found to have `log` up to `seq`, of which it was known to have
    /// `before` numbers.
    pub(super) fn note_arrival(
        &mut self,
        device: DeviceId,
        log: LogId,
        (before, seq): (u32, u32),
        at: Millis,
    ) {
        let logs = Arc::make_mut(self.arrivals.entry(device).or_default());
        let arrivals = logs.entry(log).or_insert_with(|| vec![(before, at)]);
        arrivals.push((seq, at));
        if arrivals.len() > ARRIVALS_MAX + 1 {
            arrivals.remove(0);
        }
    }

    /// Takes over the arrivals of a log as they were stored.
    pub(super) fn restore_arrivals(&mut self, device: DeviceId, log: LogId, arrivals: Arrivals) {
        Arc::make_mut(self.arrivals.entry(device).or_default()).insert(log, arrivals);
    }

    /// When `device` was first known to have the number `seq` of `log`, if that is known.
    pub fn since(&self, device: &DeviceId, log: &LogId, seq: u32) -> Option<Millis> {
        let arrivals = self.arrivals.get(device)?.get(log)?;
        let first = arrivals.partition_point(|(have, _)| *have < seq);
        let (_, at) = arrivals.get(first).filter(|_| first > 0)?;
        Some(*at)
    }

    /// The arrivals of the logs of a segment on one device.
    pub(super) fn arrivals_in(
        &self,
        device: &DeviceId,
        segment: SegmentId,
    ) -> Vec<(Writer, Arrivals)> {
        let logs = self.arrivals.get(device).into_iter().flat_map(|a| a.iter());
        logs.filter(|(log, _)| log.segment == segment)
            .map(|(log, arrivals)| (log.writer, arrivals.clone()))
            .collect()
    }

    /// How far one device has the logs of a segment.
    pub(super) fn in_segment(&self, device: &DeviceId, segment: SegmentId) -> Vec<(Writer, u32)> {
        let Some(positions) = self.devices.get(device) else {
            return Vec::new();
        };
        let first = LogId {
            segment,
            writer: Writer {
                device: DeviceId([0; 32]),
                incarnation: 0,
            },
        };
        positions
            .range(first..)
            .take_while(|(log, _)| log.segment == segment)
            .map(|(log, seq)| (log.writer, *seq))
            .collect()
    }

    /// Everything known of one device.
    pub(super) fn positions(&self, device: &DeviceId) -> Option<&Positions> {
        self.devices.get(device).map(|positions| &**positions)
    }

    /// How far a log has come among `devices` and among whole accounts. `here` is a device that
    /// holds it all.
    pub fn reach(
        &self,
        log: &LogId,
        devices: impl Iterator<Item = (DeviceId, AccountId)>,
        author: &AccountId,
        here: Option<DeviceId>,
    ) -> Reach {
        let mut sent_to = 0;
        let mut members: BTreeMap<AccountId, u32> = BTreeMap::new();
        for (device, account) in devices {
            if device == log.writer.device {
                continue;
            }
            let seq = if here == Some(device) {
                u32::MAX
            } else {
                self.of(&device, log)
            };
            sent_to = sent_to.max(seq);
            if account != *author {
                let best = members.entry(account).or_default();
                *best = (*best).max(seq);
            }
        }
        Reach {
            sent: sent_to,
            delivered: members.values().copied().min().unwrap_or(0),
            waiting_for: members
                .iter()
                .filter(|(_, seq)| **seq < sent_to)
                .map(|(account, _)| *account)
                .collect(),
        }
    }
}

/// How far one log has come. Both bounds are inclusive numbers of envelopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// At least one other device has it up to here.
    pub sent: u32,
    /// Every other member has it up to here, on at least one device.
    pub delivered: u32,
    /// The members who have less than has been sent.
    pub waiting_for: BTreeSet<AccountId>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use kith_crdt::ids::Window;

    const fn device(n: u8) -> DeviceId {
        DeviceId([n; 32])
    }

    const fn account(n: u8) -> AccountId {
        AccountId([n; 32])
    }

    fn log_of(n: u8) -> LogId {
        LogId {
            segment: SegmentId {
                window: Window(24),
                index: 0,
            },
            writer: Writer {
                device: device(n),
                incarnation: 0,
            },
        }
    }

    #[test]
    fn an_arrival_has_the_time_at_which_it_became_known() {
        let (log, mut holds) = (log_of(1), Holds::default());
        for (step, at) in [((2, 4), 10), ((4, 5), 20)] {
            holds.note_arrival(device(2), log, step, Millis(at));
        }
        let since = |seq| holds.since(&device(2), &log, seq);
        assert_eq!(
            [2, 3, 4].map(since),
            [None, Some(Millis(10)), Some(Millis(10))]
        );
        assert_eq!([5, 6].map(since), [Some(Millis(20)), None]);
        assert_eq!(holds.since(&device(3), &log, 3), None);
    }

    #[test]
    fn what_a_device_has_erased_only_grows_and_not_without_end() {
        let (log, mut holds) = (log_of(1), Holds::default());
        let numbers = |numbers: &[u32]| {
            let mut ranges = Ranges::new();
            numbers.iter().for_each(|n| _ = ranges.insert(*n));
            ranges
        };
        assert!(holds.note_erased(device(2), log, &numbers(&[1, 2, 9])));
        assert!(!holds.note_erased(device(2), log, &numbers(&[2])));
        assert!(holds.note_erased(device(2), log, &numbers(&[3])));
        assert_eq!(
            holds.erased(&device(2), &log),
            Some(&numbers(&[1, 2, 3, 9]))
        );
        assert_eq!(holds.erased_in(&device(2), log.segment).len(), 1);
        let single: Vec<u32> = (0..ERASED_MAX as u32).map(|n| 2 * n + 20).collect();
        assert!(!holds.note_erased(device(2), log, &numbers(&single)));
        holds.forget(&[log]);
        assert_eq!(holds.erased(&device(2), &log), None);
    }

    #[test]
    fn of_old_arrivals_the_time_is_forgotten_not_guessed() {
        let (log, mut holds) = (log_of(1), Holds::default());
        let many = ARRIVALS_MAX as u32 + 2;
        for seq in 1..=many {
            holds.note_arrival(device(2), log, (seq - 1, seq), Millis(seq.into()));
        }
        assert_eq!(holds.since(&device(2), &log, 2), None);
        assert_eq!(holds.since(&device(2), &log, 3), Some(Millis(3)));
        let stored = holds.arrivals_in(&device(2), log.segment);
        assert_eq!(stored[0].1.len(), ARRIVALS_MAX + 1);
    }

    #[test]
    fn delivered_means_one_device_of_every_other_member() {
        let devices = [(1, 1), (2, 2), (3, 2), (4, 4)].map(|(d, a)| (device(d), account(a)));
        let log = log_of(1);
        let mut holds = Holds::default();
        assert!(holds.raise(device(3), log, 5) && !holds.raise(device(3), log, 4));
        let reach = holds.reach(&log, devices.into_iter(), &account(1), None);
        assert_eq!((reach.sent, reach.delivered), (5, 0));
        holds.raise(device(4), log, 2);
        let reach = holds.reach(&log, devices.into_iter(), &account(1), None);
        assert_eq!((reach.sent, reach.delivered), (5, 2));
        assert_eq!(reach.waiting_for, BTreeSet::from([account(4)]));
    }
}
