//! Who holds what: for each device of a channel, how far it has each log. The source of delivery
//! states. What a device holds only ever grows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kith_crdt::ids::{AccountId, DeviceId, LogId, SegmentId, Writer};

/// How far one device has each log.
pub(super) type Positions = BTreeMap<LogId, u32>;

/// What the devices of a channel hold, as far as this node knows.
#[derive(Debug, Clone, Default)]
pub struct Holds {
    devices: BTreeMap<DeviceId, Arc<Positions>>,
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

    /// How far `device` has `log`; 0 if nothing is known.
    pub fn of(&self, device: &DeviceId, log: &LogId) -> u32 {
        self.devices
            .get(device)
            .and_then(|positions| positions.get(log))
            .copied()
            .unwrap_or(0)
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
