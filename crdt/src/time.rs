//! Time as data: milliseconds, windows and the hybrid logical clock. Nothing here asks a clock.

use minicbor::{Decode, Encode};

use crate::ids::Window;
use crate::limits::CLOCK_SKEW_MAX_MS;

/// Milliseconds in an hour.
pub const HOUR_MS: u64 = 3_600_000;
/// Milliseconds of a day.
pub const DAY_MS: u64 = 24 * HOUR_MS;

/// Milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Default)]
#[cbor(transparent)]
pub struct Millis(#[n(0)] pub u64);

impl Millis {
    /// This time plus so many milliseconds, at most the largest there is.
    pub const fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// How many milliseconds this time is after `earlier`, or 0.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Window {
    /// When the window begins.
    pub const fn starts_at(self) -> Millis {
        Millis(self.0 as u64 * HOUR_MS)
    }
}

/// A hybrid logical clock reading (Kulkarni et al. 2014): 48 bits of milliseconds, then a
/// 16-bit counter, in one number that sorts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Default)]
#[cbor(transparent)]
pub struct Hlc(#[n(0)] pub u64);

impl Hlc {
    /// The first reading of a millisecond.
    pub const fn at(time: Millis) -> Self {
        Self(time.0 << 16)
    }

    /// The wall-clock part.
    pub const fn millis(self) -> Millis {
        Millis(self.0 >> 16)
    }

    /// The window of `unit_hours` hours that this reading lies in.
    pub fn window(self, unit_hours: u8) -> Window {
        let hour = u32::try_from(self.millis().0 / HOUR_MS).unwrap_or(u32::MAX);
        Window(hour - hour % u32::from(unit_hours.max(1)))
    }

    /// The next reading to write with: after everything seen, unless what was seen runs further
    /// ahead of the wall clock than peers accept. Then the wall clock counts, so that a clock
    /// that was once wrong does not keep this device from being heard.
    pub fn tick(self, now: Millis) -> Self {
        let wall = Self::at(now);
        if self < wall || self.millis().since(now) > CLOCK_SKEW_MAX_MS {
            wall
        } else {
            Self(self.0 + 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_goes_on_when_the_wall_clock_stands_or_falls_back_a_little() {
        let now = Millis(1_700_000_000_000);
        let first = Hlc::default().tick(now);
        let second = first.tick(now);
        assert!(first < second && second < second.tick(Millis(now.0 - 60_000)));
        assert_eq!(Hlc::at(now.plus(HOUR_MS)).tick(now), Hlc::at(now));
    }

    #[test]
    fn a_day_window_starts_at_midnight() {
        assert_eq!(Hlc::at(Millis(HOUR_MS * 49)).window(24), Window(48));
        assert_eq!(Hlc::at(Millis(HOUR_MS * 49)).window(1), Window(49));
    }
}
