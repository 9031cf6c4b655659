//! What a channel's messages live for.
//!
//! 1. **The retention of a message is that of its epoch**, and that of an epoch is the policy its
//!    maker knew. So a new policy is for new messages: whoever writes after it makes an epoch
//!    first, as after a removal, and what was sealed without knowing of it stays as it was meant.
//! 2. **A policy for existing messages as well** shortens the life of everything that is sealed in
//!    an epoch whose maker did not know of it. It never lengthens a life: what was promised to
//!    disappear does. Neither another retention set at the same time, from above, nor limits take
//!    that back: whoever heard of it first has erased messages by it.
//! 3. **A message may ask for less** than its epoch gives, not for more.
//! 4. **Read by all** (`instant`): a message is gone when everybody whom its epoch's maker knew as
//!    a member, but its author, has said to have read it. Who left or was taken out is not waited
//!    for, not even after coming back, and who came later is not asked: their admission ends what may be written in before it.
//!    Where the author was alone nobody can read it, and it lives until the end of its term.
//!    Where a policy for existing messages makes them so, those are waited for who belonged as far
//!    as its author knew; of two that were set at once, those whom both knew, since whoever heard
//!    of one of them first waited for no more.
//! 5. **Who may set it within which limits** is the channel's policy as well. Of a retention and
//!    limits that were set without knowing of each other the retention holds as far as the limits
//!    allow.
//!
//! All of that is the same on every node; only whether a time is over is by a node's own clock.

use std::fmt;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use crate::encoding::DecodeError;
use crate::limits::TERM_MAX_HOURS;
use crate::term::Term;
use crate::time::{Hlc, Millis};

/// The longest that a message waits for its last reader: thirty days.
pub const INSTANT_TERM_HOURS: u32 = 30 * 24;

/// A channel's policy about the life of its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Retention {
    /// Until somebody deletes them.
    #[default]
    Forever,
    /// So many hours, 1 to [`TERM_MAX_HOURS`].
    Hours(u32),
    /// Until everybody has read them, [`INSTANT_TERM_HOURS`] at the latest.
    Instant,
}

impl Retention {
    /// How long what is sealed under it is kept.
    pub fn term(self) -> Term {
        match self {
            Self::Forever => Term::FOREVER,
            Self::Hours(hours) => Term::hours(hours).unwrap_or(Term::FOREVER),
            Self::Instant => Term::hours(INSTANT_TERM_HOURS).unwrap_or(Term::FOREVER),
        }
    }

    /// Holds a policy that was read against its bounds.
    ///
    /// # Errors
    /// [`DecodeError::OutOfRange`] if it is no hour or more than ten years.
    pub const fn check(self) -> Result<(), DecodeError> {
        match self {
            Self::Hours(hours) if Term::hours(hours).is_none() => {
                Err(DecodeError::OutOfRange("hours of retention"))
            }
            Self::Forever | Self::Hours(_) | Self::Instant => Ok(()),
        }
    }
}

/// Which retention a channel may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Encode, Decode)]
#[cbor(array)]
pub struct RetentionLimits {
    /// The fewest hours; `instant` keeps nothing for sure and is not allowed where there are any.
    #[n(0)]
    pub shortest: Option<u32>,
    /// The most hours; `forever` is not allowed where there are any.
    #[n(1)]
    pub longest: Option<u32>,
}

impl RetentionLimits {
    /// Whether a retention lies within the limits.
    pub fn allow(&self, retention: Retention) -> bool {
        self.hold(retention) == retention
    }

    /// The retention that is left of one within the limits.
    pub fn hold(&self, retention: Retention) -> Retention {
        let too_short = |hours: u32| self.shortest.is_some_and(|shortest| hours < shortest);
        let too_long = |hours: u32| self.longest.is_some_and(|longest| hours > longest);
        match (retention, self.shortest, self.longest) {
            (Retention::Instant, Some(shortest), _) => Retention::Hours(shortest),
            (Retention::Instant, None, Some(longest)) if too_long(INSTANT_TERM_HOURS) => {
                Retention::Hours(longest)
            }
            (Retention::Forever, _, Some(longest)) => Retention::Hours(longest),
            (Retention::Hours(hours), Some(shortest), _) if too_short(hours) => {
                Retention::Hours(shortest)
            }
            (Retention::Hours(hours), _, Some(longest)) if too_long(hours) => {
                Retention::Hours(longest)
            }
            (retention, ..) => retention,
        }
    }

    /// Holds limits that were read against their bounds.
    ///
    /// # Errors
    /// [`DecodeError::OutOfRange`] if one is no term, or the shortest is longer than the longest.
    pub fn check(&self) -> Result<(), DecodeError> {
        let mut hours = self.shortest.into_iter().chain(self.longest);
        let is_term = hours.all(|hours| Term::hours(hours).is_some());
        let shortest = self.shortest.unwrap_or(1);
        if is_term && shortest <= self.longest.unwrap_or(TERM_MAX_HOURS) {
            Ok(())
        } else {
            Err(DecodeError::OutOfRange("limits of retention"))
        }
    }
}

/// As it is typed: `instant`, `forever`, or days where they are whole and hours otherwise.
impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forever => f.pad("forever"),
            Self::Hours(hours) => f.pad(&told(*hours)),
            Self::Instant => f.pad("instant"),
        }
    }
}

impl fmt::Display for RetentionLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.shortest, self.longest) {
            (None, None) => f.write_str("none"),
            (Some(shortest), None) => write!(f, "{} at least", told(shortest)),
            (None, Some(longest)) => write!(f, "{} at most", told(longest)),
            (Some(shortest), Some(longest)) => {
                write!(f, "{} to {}", told(shortest), told(longest))
            }
        }
    }
}

fn told(hours: u32) -> String {
    match (hours / 24, hours % 24) {
        (1, 0) => "1day".to_owned(),
        (days, 0) => format!("{days}days"),
        _ => format!("{hours}h"),
    }
}

/// The life of what is sealed in an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Life {
    /// How long at most.
    pub term: Term,
    /// Whether it ends when everybody has read it.
    pub instant: bool,
}

impl Life {
    /// The shorter of this life and the one that a policy gives.
    #[must_use]
    pub fn shortened_by(self, retention: Retention) -> Self {
        let other = Self::from(retention);
        Self {
            term: self.term.min(other.term),
            instant: self.instant || other.instant,
        }
    }

    /// What is left of it where nothing is kept longer than a term.
    #[must_use]
    pub fn within(self, term: Term) -> Self {
        Self {
            term: self.term.min(term),
            ..self
        }
    }

    /// When something ends that was written at a time and itself asks to end at `wish`.
    pub fn ends_at(self, written: Hlc, wish: Option<Millis>) -> Option<Millis> {
        let own = self.term.as_millis().map(|ms| written.millis().plus(ms));
        own.into_iter().chain(wish).min()
    }
}

impl From<Retention> for Life {
    fn from(retention: Retention) -> Self {
        Self {
            term: retention.term(),
            instant: retention == Retention::Instant,
        }
    }
}

const FOREVER: u8 = 0;
const HOURS: u8 = 1;
const INSTANT: u8 = 2;

#[derive(Encode, Decode)]
#[cbor(array)]
struct Wire {
    #[n(0)]
    mode: u8,
    #[n(1)]
    hours: Option<u32>,
}

impl<C> Encode<C> for Retention {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        let (mode, hours) = match self {
            Self::Forever => (FOREVER, None),
            Self::Hours(hours) => (HOURS, Some(*hours)),
            Self::Instant => (INSTANT, None),
        };
        Wire { mode, hours }.encode(e, context)
    }
}

impl<'b, C> Decode<'b, C> for Retention {
    fn decode(d: &mut Decoder<'b>, context: &mut C) -> Result<Self, decode::Error> {
        let Wire { mode, hours } = Wire::decode(d, context)?;
        match (mode, hours) {
            (FOREVER, _) => Ok(Self::Forever),
            (HOURS, Some(hours)) => Ok(Self::Hours(hours)),
            (INSTANT, _) => Ok(Self::Instant),
            _ => Err(decode::Error::message("unknown retention policy")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::{decode, encode};

    const WEEK: Retention = Retention::Hours(168);

    #[test]
    fn a_policy_is_read_as_it_was_written() {
        for retention in [Retention::Forever, WEEK, Retention::Instant] {
            assert_eq!(decode::<Retention>(&encode(&retention), 16), Ok(retention));
        }
        assert!(Retention::Hours(0).check().is_err());
        assert!(Retention::Hours(TERM_MAX_HOURS + 1).check().is_err());
    }

    #[test]
    fn limits_leave_what_they_allow_and_the_nearest_of_the_rest() {
        let limits = |shortest, longest| RetentionLimits { shortest, longest };
        let of = |limits: RetentionLimits| {
            [
                Retention::Instant,
                Retention::Hours(2),
                WEEK,
                Retention::Forever,
            ]
            .map(|retention| limits.hold(retention))
        };
        let hours = Retention::Hours;
        assert_eq!(
            of(limits(None, None)),
            [Retention::Instant, hours(2), WEEK, Retention::Forever]
        );
        assert_eq!(
            of(limits(Some(24), None)),
            [hours(24), hours(24), WEEK, Retention::Forever]
        );
        assert_eq!(
            of(limits(None, Some(24))),
            [hours(24), hours(2), hours(24), hours(24)]
        );
        assert!(limits(Some(2), Some(168)).allow(WEEK));
        assert!(!limits(Some(2), Some(168)).allow(Retention::Forever));
        assert!(
            limits(Some(3), Some(2)).check().is_err() && limits(Some(0), None).check().is_err()
        );
    }

    #[test]
    fn a_life_is_only_ever_shortened() {
        let week = Life::from(WEEK);
        assert_eq!(week.shortened_by(Retention::Forever), week);
        assert_eq!(
            week.shortened_by(Retention::Hours(1)).term.as_hours(),
            Some(1)
        );
        let instant = week.shortened_by(Retention::Instant);
        assert_eq!(
            (instant.term.as_hours(), instant.instant),
            (Some(168), true)
        );
    }

    #[test]
    fn a_message_may_ask_for_less_and_not_for_more() {
        let written = Hlc::at(Millis(1_000));
        let ends = |wish| Life::from(Retention::Hours(1)).ends_at(written, wish);
        assert_eq!(ends(None), Some(Millis(3_601_000)));
        assert_eq!(ends(Some(Millis(2_000))), Some(Millis(2_000)));
        assert_eq!(ends(Some(Millis(u64::MAX))), Some(Millis(3_601_000)));
        assert_eq!(Life::default().ends_at(written, None), None);
    }
}
