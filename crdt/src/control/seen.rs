//! What whoever removes somebody had of their messages.
//!
//! A removal says it so that what the removed account writes afterwards, or had written and told
//! nobody, is not shown, while what people have read already stays.

use std::collections::BTreeMap;
use std::sync::Arc;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use crate::encoding::DecodeError;
use crate::ids::{DeviceId, LogId, Place, SegmentId, Window, Writer};
use crate::limits::{LAST_SEEN_POSITIONS, LOG_ENVELOPES};
use crate::time::{HOUR_MS, Millis};

/// How far into an account's logs somebody had read: everything before a segment, and from there
/// on each listed log up to a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastSeen {
    from: SegmentId,
    positions: Arc<BTreeMap<LogId, u32>>,
}

impl LastSeen {
    /// What is seen if these are the last numbers held of all the account's logs. If there are
    /// more than [`LAST_SEEN_POSITIONS`], the newest segments are listed and what lies before
    /// them counts as seen.
    pub fn new(held: impl IntoIterator<Item = (LogId, u32)>) -> Self {
        let mut positions: BTreeMap<LogId, u32> =
            held.into_iter().filter(|(_, last)| *last > 0).collect();
        let mut from = FIRST_SEGMENT;
        while positions.len() > LAST_SEEN_POSITIONS {
            let Some((oldest, _)) = positions.first_key_value() else {
                break;
            };
            from = following(oldest.segment);
            positions.retain(|log, _| log.segment >= from);
        }
        Self {
            from,
            positions: Arc::new(positions),
        }
    }

    /// Everything in windows that have begun by a time, whoever has it, and nothing later.
    pub fn until(time: Millis) -> Self {
        let hour = u32::try_from(time.0 / HOUR_MS).unwrap_or(u32::MAX);
        Self {
            from: SegmentId {
                window: Window(hour.saturating_add(1)),
                index: 0,
            },
            positions: Arc::default(),
        }
    }

    /// Whether the envelope at a place had been seen.
    pub fn covers(&self, place: &Place) -> bool {
        place.log.segment < self.from
            || self
                .positions
                .get(&place.log)
                .is_some_and(|last| place.seq <= *last)
    }

    /// Whether anything of a log had been seen.
    pub fn knows(&self, log: &LogId) -> bool {
        log.segment < self.from || self.positions.contains_key(log)
    }

    /// The listed logs and the last number seen of each, by segment and writer.
    pub fn positions(&self) -> impl Iterator<Item = (&LogId, u32)> {
        self.positions.iter().map(|(log, last)| (log, *last))
    }

    /// Holds it against its bounds.
    pub(super) fn check(&self) -> Result<(), DecodeError> {
        let in_range = self.positions.len() <= LAST_SEEN_POSITIONS
            && self
                .positions
                .iter()
                .all(|(log, last)| log.segment >= self.from && (1..=LOG_ENVELOPES).contains(last));
        if in_range {
            Ok(())
        } else {
            Err(DecodeError::OutOfRange("last seen"))
        }
    }
}

const FIRST_SEGMENT: SegmentId = SegmentId {
    window: Window(0),
    index: 0,
};

fn following(segment: SegmentId) -> SegmentId {
    match segment.index.checked_add(1) {
        Some(index) => SegmentId { index, ..segment },
        None => SegmentId {
            window: Window(segment.window.0.saturating_add(1)),
            index: 0,
        },
    }
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Wire {
    #[n(0)]
    from: SegmentId,
    #[n(1)]
    positions: Vec<Position>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Position {
    #[n(0)]
    window: Window,
    #[n(1)]
    index: u32,
    #[n(2)]
    device: DeviceId,
    #[n(3)]
    incarnation: u32,
    #[n(4)]
    last: u32,
}

impl Position {
    const fn log(&self) -> LogId {
        LogId {
            segment: SegmentId {
                window: self.window,
                index: self.index,
            },
            writer: Writer {
                device: self.device,
                incarnation: self.incarnation,
            },
        }
    }
}

impl<C> Encode<C> for LastSeen {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        let position = |(log, last): (&LogId, u32)| Position {
            window: log.segment.window,
            index: log.segment.index,
            device: log.writer.device,
            incarnation: log.writer.incarnation,
            last,
        };
        let wire = Wire {
            from: self.from,
            positions: self.positions().map(position).collect(),
        };
        wire.encode(e, context)
    }
}

impl<'b, C> Decode<'b, C> for LastSeen {
    fn decode(d: &mut Decoder<'b>, context: &mut C) -> Result<Self, decode::Error> {
        let wire = Wire::decode(d, context)?;
        if !wire.positions.is_sorted_by(|a, b| a.log() < b.log()) {
            return Err(decode::Error::message("positions out of order"));
        }
        let positions = wire.positions.iter().map(|p| (p.log(), p.last)).collect();
        Ok(Self {
            from: wire.from,
            positions: Arc::new(positions),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::{decode, encode};

    fn log(day: u32, device: u8) -> LogId {
        LogId {
            segment: SegmentId {
                window: Window(24 * day),
                index: 0,
            },
            writer: Writer {
                device: DeviceId([device; 32]),
                incarnation: 0,
            },
        }
    }

    #[test]
    fn what_is_listed_is_seen_up_to_its_number_and_nothing_else_is() {
        let seen = LastSeen::new([(log(1, 1), 5), (log(2, 1), 3)]);
        assert!(seen.covers(&log(1, 1).place(5)) && seen.covers(&log(2, 1).place(1)));
        assert!(!seen.covers(&log(2, 1).place(4)));
        assert!(!seen.covers(&log(2, 2).place(1)));
        assert!(!seen.covers(&log(0, 1).place(1)));
        assert!(!LastSeen::new([]).covers(&log(0, 1).place(1)));
    }

    #[test]
    fn until_a_time_everything_is_seen_that_may_be_from_before_it() {
        let noon = LastSeen::until(Millis((24 * 5 + 12) * HOUR_MS));
        assert!(noon.covers(&log(5, 1).place(900)) && noon.knows(&log(4, 9)));
        assert!(!noon.covers(&log(6, 1).place(1)) && !noon.knows(&log(6, 1)));
        assert_eq!(noon.check(), Ok(()));
    }

    #[test]
    fn of_a_long_history_the_newest_segments_are_listed_whole() {
        let days = LAST_SEEN_POSITIONS as u32;
        let held = (0..days).flat_map(|day| [(log(day, 1), 7), (log(day, 2), 7)]);
        let seen = LastSeen::new(held);
        assert_eq!(seen.positions().count(), LAST_SEEN_POSITIONS);
        assert!(seen.covers(&log(0, 1).place(8)), "before the list");
        assert!(!seen.covers(&log(days - 1, 2).place(8)));
        assert!(!seen.covers(&log(days / 2, 3).place(1)));
        assert_eq!(seen.check(), Ok(()));
        assert_eq!(decode::<LastSeen>(&encode(&seen), 1 << 16), Ok(seen));
    }

    #[test]
    fn positions_out_of_order_or_out_of_bounds_are_not_read() {
        let at = |day| Position {
            window: Window(24 * day),
            index: 0,
            device: DeviceId([1; 32]),
            incarnation: 0,
            last: 5,
        };
        let wire = |days: [u32; 2]| Wire {
            from: FIRST_SEGMENT,
            positions: days.map(at).into(),
        };
        assert!(decode::<LastSeen>(&encode(&wire([1, 2])), 1 << 16).is_ok());
        assert!(decode::<LastSeen>(&encode(&wire([2, 1])), 1 << 16).is_err());
        assert!(decode::<LastSeen>(&encode(&wire([2, 2])), 1 << 16).is_err());
        let beyond = LastSeen::new([(log(1, 1), LOG_ENVELOPES + 1)]);
        assert!(beyond.check().is_err());
    }
}
