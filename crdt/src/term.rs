//! How long a segment is kept: so many hours after its window, or for ever.
//!
//! The term stands in the segment's index, so whoever is handed something of a segment knows from
//! its name alone until when it may be kept, whatever else they know of the channel:
//!
//! ```text
//! index = term in hours · 1,024 + number          term 0: for ever
//! ends  = window + unit + term                    unit: 1 hour up to a term of a day, else 24
//! ```
//!
//! Every envelope of a segment is sealed in an epoch of the same term. So what ends together lies
//! together, under keys that nothing else needs, and can be ended by deleting them.

use minicbor::{Decode, Encode};

use crate::encoding::DecodeError;
use crate::ids::{SegmentId, Window};
use crate::limits::{SEGMENT_NUMBER_MAX, TERM_MAX_HOURS};
use crate::time::{HOUR_MS, Hlc, Millis};

/// Bits of an index below the term.
const NUMBER_BITS: u32 = SEGMENT_NUMBER_MAX.count_ones();
/// The longest term whose windows are hours.
const HOURLY_MAX_HOURS: u32 = 24;
/// Terms, in hours, of messages that ask for less than their channel gives: few enough that not
/// every duration makes an epoch of its own, close enough that nothing is kept for much longer than
/// it asks.
const OWN_TERMS_HOURS: [u32; 11] = [
    1,
    3,
    6,
    12,
    24,
    3 * 24,
    7 * 24,
    30 * 24,
    90 * 24,
    365 * 24,
    TERM_MAX_HOURS,
];

/// How many hours a segment is kept after its window, or for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Term(#[n(0)] u32);

impl Term {
    /// Kept until somebody deletes it.
    pub const FOREVER: Self = Self(0);

    /// An hour.
    pub const SHORTEST: Self = Self(1);

    /// So many hours; nothing if they are none or more than [`TERM_MAX_HOURS`].
    pub const fn hours(hours: u32) -> Option<Self> {
        if hours >= 1 && hours <= TERM_MAX_HOURS {
            Some(Self(hours))
        } else {
            None
        }
    }

    /// The term of a message that asks to live so long: the shortest of a few that is long enough.
    pub fn of_own_life(ms: u64) -> Self {
        let is_enough = |hours: &&u32| u64::from(**hours) * HOUR_MS >= ms;
        let hours = OWN_TERMS_HOURS.iter().find(is_enough);
        hours.map_or(Self::FOREVER, |hours| Self(*hours))
    }

    /// How many hours; nothing for ever.
    pub const fn as_hours(self) -> Option<u32> {
        match self.0 {
            0 => None,
            hours => Some(hours),
        }
    }

    /// How many milliseconds; nothing for ever.
    pub fn as_millis(self) -> Option<u64> {
        self.as_hours().map(|hours| u64::from(hours) * HOUR_MS)
    }

    /// Hours of a window: what lives for a day or less does not wait for the end of a day.
    pub const fn unit_hours(self) -> u8 {
        match self.as_hours() {
            Some(1..=HOURLY_MAX_HOURS) => 1,
            _ => 24,
        }
    }

    /// Holds a term that was read against its bounds.
    ///
    /// # Errors
    /// [`DecodeError::OutOfRange`] if it is longer than ten years.
    pub const fn check(self) -> Result<(), DecodeError> {
        if self.0 <= TERM_MAX_HOURS {
            Ok(())
        } else {
            Err(DecodeError::OutOfRange("term"))
        }
    }

    /// The first window of this term of which something is there still, where all of it is `kept`
    /// so long after its window.
    pub fn first_open(self, kept: Self, now: Millis) -> Window {
        let Some(term) = kept.as_hours() else {
            return Window(0);
        };
        let unit = u32::from(self.unit_hours());
        let hours = u32::try_from(now.0 / HOUR_MS).unwrap_or(u32::MAX);
        let first = (hours.saturating_add(1)).saturating_sub(unit + term);
        Window(first.next_multiple_of(unit))
    }

    /// The window of this term in which something is written.
    pub fn window(self, hlc: Hlc) -> Window {
        hlc.window(self.unit_hours())
    }
}

impl Ord for Term {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let hours = |term: &Self| term.as_hours().unwrap_or(u32::MAX);
        hours(self).cmp(&hours(other))
    }
}

impl PartialOrd for Term {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// What ends together: the segments of a channel of one window and term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The window.
    pub window: Window,
    /// The term.
    pub term: Term,
}

impl Span {
    /// The first segment that it may have and the last.
    pub fn segments(&self) -> (SegmentId, SegmentId) {
        let number = |number| SegmentId::new(self.window, self.term, number);
        (number(0), number(SEGMENT_NUMBER_MAX))
    }
}

impl SegmentId {
    /// The segment with a number of a window and a term.
    pub const fn new(window: Window, term: Term, number: u32) -> Self {
        Self {
            window,
            index: (term.0 << NUMBER_BITS) | number,
        }
    }

    /// How long it is kept.
    pub const fn term(&self) -> Term {
        Term(self.index >> NUMBER_BITS)
    }

    /// What it ends together with.
    pub const fn span(&self) -> Span {
        Span {
            window: self.window,
            term: self.term(),
        }
    }

    /// Which of its window and term it is.
    pub const fn number(&self) -> u32 {
        self.index & SEGMENT_NUMBER_MAX
    }

    /// Holds a segment that was read against its bounds: its term, and that its window is one of
    /// that term's.
    ///
    /// # Errors
    /// [`DecodeError::OutOfRange`] naming what is not.
    pub fn check(&self) -> Result<(), DecodeError> {
        self.term().check()?;
        if self.window.0.is_multiple_of(self.unit_hours()) {
            Ok(())
        } else {
            Err(DecodeError::OutOfRange("window"))
        }
    }

    /// Whether what is written at a time belongs into its window.
    pub fn holds(&self, hlc: Hlc) -> bool {
        self.term().window(hlc) == self.window
    }

    /// The first moment after its window.
    pub fn closes_at(&self) -> Millis {
        let hours = u64::from(self.window.0) + u64::from(self.unit_hours());
        Millis(hours * HOUR_MS)
    }

    /// When nothing of it is kept any more; never, if it is kept for ever.
    pub fn ends_at(&self) -> Option<Millis> {
        Some(self.closes_at().plus(self.term().as_millis()?))
    }

    /// Whether its time is over.
    pub fn is_over(&self, now: Millis) -> bool {
        self.ends_at().is_some_and(|end| end <= now)
    }

    fn unit_hours(&self) -> u32 {
        u32::from(self.term().unit_hours())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(hours: u32) -> Term {
        Term::hours(hours).unwrap()
    }

    #[test]
    fn an_index_is_term_and_number() {
        for (term, number) in [(Term::FOREVER, 0), (term(1), 1_023), (term(720), 7)] {
            let segment = SegmentId::new(Window(240), term, number);
            assert_eq!((segment.term(), segment.number()), (term, number));
            assert_eq!(segment.check(), Ok(()));
        }
        assert_eq!(SegmentId::new(Window(240), Term::FOREVER, 3).index, 3);
    }

    #[test]
    fn a_term_has_its_bounds() {
        assert_eq!(
            (Term::hours(0), Term::hours(TERM_MAX_HOURS + 1)),
            (None, None)
        );
        let beyond = SegmentId::new(Window(240), Term(TERM_MAX_HOURS + 1), 0);
        assert!(beyond.check().is_err());
        assert!(SegmentId::new(Window(241), term(25), 0).check().is_err());
        assert!(SegmentId::new(Window(241), term(24), 0).check().is_ok());
        assert!(term(1) < term(720) && term(720) < Term::FOREVER);
    }

    #[test]
    fn a_message_that_asks_for_less_has_a_term_that_is_just_long_enough() {
        let of = |ms| Term::of_own_life(ms).as_hours();
        assert_eq!(
            (of(1), of(HOUR_MS), of(HOUR_MS + 1)),
            (Some(1), Some(1), Some(3))
        );
        assert_eq!((of(24 * HOUR_MS), of(25 * HOUR_MS)), (Some(24), Some(72)));
        let longest = u64::from(TERM_MAX_HOURS) * HOUR_MS;
        assert_eq!((of(longest), of(longest + 1)), (Some(TERM_MAX_HOURS), None));
        assert!(OWN_TERMS_HOURS.is_sorted());
    }

    #[test]
    fn the_first_open_window_is_the_first_that_is_not_over() {
        for hours in [1, 2, 24, 25, 48, 720] {
            for now in [0, 30 * 24, 40 * 24 + 5, 41 * 24].map(|hour| Millis(hour * HOUR_MS + 7)) {
                let (term, open) = (term(hours), term(hours).first_open(term(hours), now));
                let unit = u32::from(term.unit_hours());
                assert!(
                    !SegmentId::new(open, term, 0).is_over(now),
                    "{hours} {now:?}"
                );
                assert!(open.0.is_multiple_of(unit));
                let before = open.0.checked_sub(unit);
                let over = |window| SegmentId::new(Window(window), term, 0).is_over(now);
                assert!(before.is_none_or(over), "{hours} {now:?}");
            }
        }
        let ever = Term::FOREVER;
        assert_eq!(ever.first_open(ever, Millis(u64::MAX)), Window(0));
        let days = |days: u64| Millis(days * 24 * HOUR_MS);
        assert_eq!(ever.first_open(term(48), days(10)), Window(8 * 24));
    }

    #[test]
    fn a_segment_ends_so_many_hours_after_its_window() {
        let hour = |hour: u64| Millis(hour * HOUR_MS);
        let (day, short) = (
            SegmentId::new(Window(240), term(48), 0),
            SegmentId::new(Window(240), term(2), 0),
        );
        assert_eq!(day.ends_at(), Some(hour(240 + 24 + 48)));
        assert_eq!(short.ends_at(), Some(hour(240 + 1 + 2)));
        assert!(!short.is_over(Millis(hour(243).0 - 1)) && short.is_over(hour(243)));
        assert!(day.holds(Hlc::at(hour(263))) && !short.holds(Hlc::at(hour(241))));
        let forever = SegmentId::new(Window(240), Term::FOREVER, 0);
        assert!(!forever.is_over(Millis(u64::MAX)));
    }
}
