//! Beacons: what a device says it holds and where it can be reached.
//!
//! The source of delivery state. A verified beacon is its device's word and no more: whether the
//! device belongs to the channel is the roster's to say.

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

use crate::crypto::sign::{BadSignature, SecretKey, Signed};
use crate::encoding::{DecodeError, check_text, decode, encode};
use crate::ids::{ChannelId, DeviceId, LogId, SegmentId, Window, Writer};
use crate::limits::{ADDRESS_MAX, ADDRESSES_MAX, BEACON_ERASED, BEACON_POSITIONS, FRAME_MAX};
use crate::ranges::Ranges;
use crate::time::Hlc;

/// Why a beacon is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BeaconError {
    /// Not a beacon, or out of its bounds.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// Not signed by the device it names for this channel.
    #[error(transparent)]
    Signature(#[from] BadSignature),
}

/// What a device says of itself in a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beacon {
    /// The device, and the incarnation in which it writes.
    pub writer: Writer,
    /// When it said so. Of a device's beacons the one with the larger time counts.
    pub hlc: Hlc,
    /// Multiaddresses at which it listens, at most [`ADDRESSES_MAX`].
    pub addresses: Vec<String>,
    /// How far it holds the logs of recent segments, newest segments first: the last number of
    /// each writer's log.
    pub holds: Vec<InSegment<u32>>,
    /// Its digest of the whole channel.
    pub digest: [u8; 32],
    /// Of which messages of recent segments it has no text any more in any file, newest segments
    /// first: the messages among these numbers of each writer's log.
    pub erased: Vec<InSegment<Ranges>>,
}

/// What a device says of the logs of one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InSegment<T> {
    /// The segment.
    pub segment: SegmentId,
    /// What it says of each writer's log.
    pub logs: Vec<(Writer, T)>,
}

impl<T> InSegment<T> {
    /// Puts together what is said of logs, those of one segment one after the other.
    pub fn group(logs: impl IntoIterator<Item = (LogId, T)>) -> Vec<Self> {
        let mut grouped: Vec<Self> = Vec::new();
        for (LogId { segment, writer }, said) in logs {
            match grouped.last_mut() {
                Some(last) if last.segment == segment => last.logs.push((writer, said)),
                _ => grouped.push(Self {
                    segment,
                    logs: vec![(writer, said)],
                }),
            }
        }
        grouped
    }

    /// What is said of each log.
    pub fn logs(&self) -> impl Iterator<Item = (LogId, &T)> {
        let segment = self.segment;
        let logs = self.logs.iter();
        logs.map(move |(writer, said)| {
            let writer = *writer;
            (LogId { segment, writer }, said)
        })
    }
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Wire {
    #[n(0)]
    device: DeviceId,
    #[n(1)]
    incarnation: u32,
    #[n(2)]
    hlc: Hlc,
    #[n(3)]
    addresses: Vec<String>,
    #[n(4)]
    holds: Vec<WireSegment<u32>>,
    #[n(5)]
    digest: ByteArray<32>,
    #[cbor(n(6), default)]
    erased: Vec<WireSegment<Ranges>>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct WireSegment<T> {
    #[n(0)]
    window: Window,
    #[n(1)]
    index: u32,
    #[n(2)]
    logs: Vec<WireLog<T>>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct WireLog<T> {
    #[n(0)]
    device: DeviceId,
    #[n(1)]
    incarnation: u32,
    #[n(2)]
    said: T,
}

impl<T> From<InSegment<T>> for WireSegment<T> {
    fn from(InSegment { segment, logs }: InSegment<T>) -> Self {
        let log = |(writer, said): (Writer, T)| WireLog {
            device: writer.device,
            incarnation: writer.incarnation,
            said,
        };
        Self {
            window: segment.window,
            index: segment.index,
            logs: logs.into_iter().map(log).collect(),
        }
    }
}

impl<T> From<WireSegment<T>> for InSegment<T> {
    fn from(wire: WireSegment<T>) -> Self {
        let log = |log: WireLog<T>| {
            let (device, incarnation) = (log.device, log.incarnation);
            let writer = Writer {
                device,
                incarnation,
            };
            (writer, log.said)
        };
        Self {
            segment: SegmentId {
                window: wire.window,
                index: wire.index,
            },
            logs: wire.logs.into_iter().map(log).collect(),
        }
    }
}

impl Beacon {
    /// Signs the beacon. What is over the bounds is left out: addresses from the end, positions
    /// from the oldest segments, and ranges from there and from the beginnings of logs.
    pub fn sign(mut self, channel: &ChannelId, signing: &SecretKey) -> Signed {
        self.addresses
            .retain(|address| check_address(address).is_ok());
        self.addresses.truncate(ADDRESSES_MAX);
        let mut room = BEACON_POSITIONS;
        for holding in &mut self.holds {
            holding.logs.truncate(room);
            room -= holding.logs.len();
        }
        self.holds.retain(|holding| !holding.logs.is_empty());
        let mut room = BEACON_ERASED;
        for (_, numbers) in self.erased.iter_mut().flat_map(|erasure| &mut erasure.logs) {
            numbers.keep_last(room);
            room -= numbers.ranges().len();
        }
        for erasure in &mut self.erased {
            erasure.logs.retain(|(_, numbers)| !numbers.is_empty());
        }
        self.erased.retain(|erasure| !erasure.logs.is_empty());
        Signed::new(signing, "beacon", &channel.0, encode(&self.into_wire()))
    }

    /// Parses a beacon and checks that the device it names signed it for `channel`.
    ///
    /// # Errors
    /// [`BeaconError`] if it is malformed, out of its bounds, or not signed.
    pub fn verify(channel: &ChannelId, signed: &Signed) -> Result<Self, BeaconError> {
        let beacon = Self::from_wire(decode(&signed.payload, FRAME_MAX)?)?;
        signed.verify(&beacon.writer.device.0, "beacon", &channel.0)?;
        Ok(beacon)
    }

    fn into_wire(self) -> Wire {
        Wire {
            device: self.writer.device,
            incarnation: self.writer.incarnation,
            hlc: self.hlc,
            addresses: self.addresses,
            holds: self.holds.into_iter().map(Into::into).collect(),
            digest: self.digest.into(),
            erased: self.erased.into_iter().map(Into::into).collect(),
        }
    }

    fn from_wire(wire: Wire) -> Result<Self, DecodeError> {
        if wire.addresses.len() > ADDRESSES_MAX {
            return Err(DecodeError::OutOfRange("addresses"));
        }
        wire.addresses
            .iter()
            .try_for_each(|address| check_address(address))?;
        let positions: usize = wire
            .holds
            .iter()
            .map(|holding| holding.logs.len().max(1))
            .sum();
        if positions > BEACON_POSITIONS {
            return Err(DecodeError::OutOfRange("log positions"));
        }
        let erased = wire.erased.iter().flat_map(|erasure| &erasure.logs);
        let ranges = erased.map(|log| log.said.ranges().len().max(1));
        if wire.erased.len() > BEACON_ERASED || ranges.sum::<usize>() > BEACON_ERASED {
            return Err(DecodeError::OutOfRange("erased ranges"));
        }
        Ok(Self {
            writer: Writer {
                device: wire.device,
                incarnation: wire.incarnation,
            },
            hlc: wire.hlc,
            addresses: wire.addresses,
            holds: wire.holds.into_iter().map(Into::into).collect(),
            digest: wire.digest.into(),
            erased: wire.erased.into_iter().map(Into::into).collect(),
        })
    }
}

fn check_address(address: &str) -> Result<(), DecodeError> {
    check_text(address, ADDRESS_MAX, "address")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::secret::Secret;

    const CHANNEL: ChannelId = ChannelId([9; 32]);

    fn key() -> SecretKey {
        SecretKey::from_seed(&Secret::new([2; 32]))
    }

    fn beacon(segments: u32, logs: u32) -> Beacon {
        let writer = |incarnation| Writer {
            device: DeviceId(key().public()),
            incarnation,
        };
        let holding = |index| InSegment {
            segment: SegmentId {
                window: Window(24),
                index,
            },
            logs: (0..logs).map(|n| (writer(n), 7)).collect(),
        };
        Beacon {
            writer: writer(1),
            hlc: Hlc(5),
            addresses: vec!["/ip4/192.0.2.1/tcp/4001".into()],
            holds: (0..segments).rev().map(holding).collect(),
            digest: [6; 32],
            erased: Vec::new(),
        }
    }

    /// One log of each of so many segments, of which so many single numbers are erased.
    fn erased(segments: u32, numbers: u32) -> Vec<InSegment<Ranges>> {
        let erasure = |index| {
            let mut ranges = Ranges::new();
            (0..numbers).for_each(|n| _ = ranges.insert(2 * n + 1));
            let holding = beacon(1, 1).holds.remove(0);
            InSegment {
                segment: SegmentId {
                    index,
                    ..holding.segment
                },
                logs: vec![(holding.logs[0].0, ranges)],
            }
        };
        (0..segments).rev().map(erasure).collect()
    }

    #[test]
    fn a_beacon_is_the_word_of_its_device_in_its_channel() {
        let beacon = Beacon {
            erased: erased(3, 2),
            ..beacon(2, 3)
        };
        let signed = beacon.clone().sign(&CHANNEL, &key());
        assert_eq!(Beacon::verify(&CHANNEL, &signed), Ok(beacon));
        let elsewhere = Beacon::verify(&ChannelId([8; 32]), &signed);
        assert_eq!(elsewhere, Err(BeaconError::Signature(BadSignature)));
    }

    #[test]
    fn what_is_over_the_bounds_is_left_out_where_it_is_made() {
        let mut large = beacon(9, 100);
        large.addresses = vec!["/ip4/192.0.2.1/tcp/4001".into(); 20];
        large.addresses[0] = "x".repeat(ADDRESS_MAX + 1);
        large.erased = [erased(3, 50), erased(1, 0)].concat();
        let read = Beacon::verify(&CHANNEL, &large.sign(&CHANNEL, &key())).unwrap();
        assert_eq!(read.addresses.len(), ADDRESSES_MAX);
        let counts: Vec<_> = read
            .holds
            .iter()
            .map(|holding| holding.logs.len())
            .collect();
        assert_eq!(counts, [100, 100, 100, 100, 100, 12]);
        let ranges = |said: &[InSegment<Ranges>]| -> Vec<_> {
            let logs = said.iter().flat_map(|in_segment| &in_segment.logs);
            logs.map(|(_, numbers)| numbers.ranges().to_vec()).collect()
        };
        let all = ranges(&erased(3, 50));
        assert_eq!(
            ranges(&read.erased),
            [&all[0][..], &all[1], &all[2][22..]],
            "the newest are kept"
        );
    }

    #[test]
    fn what_is_over_the_bounds_is_refused_where_it_is_read() {
        let sign =
            |beacon: Beacon| Signed::new(&key(), "beacon", &CHANNEL.0, encode(&beacon.into_wire()));
        let too_many = [
            beacon(6, 100),
            beacon(600, 0),
            Beacon {
                addresses: vec!["a".into(); 9],
                ..beacon(1, 1)
            },
            Beacon {
                addresses: vec!["a".repeat(257)],
                ..beacon(1, 1)
            },
            Beacon {
                erased: erased(1, 129),
                ..beacon(1, 1)
            },
            Beacon {
                erased: erased(129, 0),
                ..beacon(1, 1)
            },
        ];
        for beacon in too_many {
            let read = Beacon::verify(&CHANNEL, &sign(beacon));
            assert!(matches!(
                read,
                Err(BeaconError::Malformed(DecodeError::OutOfRange(_)))
            ));
        }
    }
}
