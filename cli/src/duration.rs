//! Stretches of time as people write them: `30s`, `10m`, `2h`, `7days`.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use jiff::{Span, SpanRelativeTo, Unit};

/// Why a text is no stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoDuration {
    /// It is not written like one.
    Unreadable,
    /// It names months or years.
    NoFixedLength,
    /// It is nothing at all, or less.
    TooShort,
}

/// Reads a stretch of time. A day has 24 hours; months and years have no fixed length and are
/// refused.
///
/// # Errors
///
/// [`NoDuration`], which says what may be written.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, NoDuration> {
    let span: Span = text.parse().map_err(|_| NoDuration::Unreadable)?;
    if span.get_years() != 0 || span.get_months() != 0 {
        return Err(NoDuration::NoFixedLength);
    }
    let day = SpanRelativeTo::days_are_24_hours();
    let milliseconds = span.total((Unit::Millisecond, day));
    let milliseconds = milliseconds.map_err(|_| NoDuration::Unreadable)?;
    if milliseconds < 0.0 {
        return Err(NoDuration::TooShort);
    }
    Duration::try_from_secs_f64(milliseconds / 1000.0).map_err(|_| NoDuration::Unreadable)
}

/// The same in milliseconds.
///
/// # Errors
///
/// As [`parse_duration`], and if there are no milliseconds at all.
pub(crate) fn parse_milliseconds(text: &str) -> Result<u64, NoDuration> {
    let duration = parse_duration(text)?;
    match u64::try_from(duration.as_millis()) {
        Ok(0) => Err(NoDuration::TooShort),
        Ok(milliseconds) => Ok(milliseconds),
        Err(_) => Err(NoDuration::Unreadable),
    }
}

impl fmt::Display for NoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "write it like 30s, 10m, 2h or 7days",
            Self::NoFixedLength => "months and years differ in length: use days",
            Self::TooShort => "it has to be at least a millisecond",
        })
    }
}

impl Error for NoDuration {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_understood() {
        for (text, seconds) in [
            ("30s", 30),
            ("10m", 600),
            ("2h", 7_200),
            ("7days", 604_800),
            ("1d 12h", 129_600),
            ("2 weeks", 1_209_600),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_secs(seconds)),
                "{text}"
            );
        }
        assert_eq!(parse_milliseconds("1ms"), Ok(1));
    }

    #[test]
    fn what_is_too_short_is_not_called_badly_written() {
        for text in ["0h", "0s", "-1h"] {
            assert_eq!(
                parse_milliseconds(text),
                Err(NoDuration::TooShort),
                "{text}"
            );
        }
    }

    #[test]
    fn what_has_no_fixed_length_or_makes_no_sense_is_refused() {
        for text in [
            "",
            "soon",
            "10",
            "-5m",
            "1month",
            "2 years",
            "0s",
            "5m ago",
            "99999999999days",
        ] {
            assert!(parse_milliseconds(text).is_err(), "{text}");
        }
    }
}
