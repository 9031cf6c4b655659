//! How long a channel keeps its messages, as the API writes it and people type it.

use std::fmt;
use std::str::FromStr;

use jiff::{Span, SpanRelativeTo, Unit};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::ToSchema;

use crate::id::ChannelId;
use crate::policy::SetBy;

/// The most hours that something with an end may be kept: ten years.
pub const HOURS_MAX: u32 = kith_crdt::limits::TERM_MAX_HOURS;

/// How long a channel keeps its messages. As text `forever`, `instant` (until everybody has read
/// them, thirty days at the latest), or a stretch of time such as `36h`, `7days` or `3days`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Retention {
    /// Until somebody deletes them.
    #[default]
    Forever,
    /// So many hours, 1 to [`HOURS_MAX`].
    Hours(u32),
    /// Until everybody has read them.
    Instant,
}

/// How long a channel keeps its messages, and what else might be set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RetentionInfo {
    /// The channel.
    pub channel: ChannelId,
    /// Its name.
    pub name: String,
    /// How long messages are kept that are written now: what was set, within the limits.
    #[schema(value_type = String)]
    pub retention: Retention,
    /// What was set, whether or not the limits leave it so; forever if nobody has set anything.
    #[schema(value_type = String)]
    pub set: Retention,
    /// Who set that, and when; null if nobody has.
    pub set_by: Option<SetBy>,
    /// The shortest that may be set; null if there is no limit.
    #[schema(value_type = Option<String>)]
    pub shortest: Option<Retention>,
    /// The longest that may be set; null if there is no limit.
    #[schema(value_type = Option<String>)]
    pub longest: Option<Retention>,
    /// Who set the limits, and when; null if nobody has.
    pub limits_set_by: Option<SetBy>,
}

/// Asks for everything that is over to be taken off the disk now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SweepRequest {
    /// Whether the person says that the node's clock is right although it has leapt ahead.
    #[serde(default)]
    pub confirm_clock: bool,
}

/// What a sweep took away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Swept {
    /// Messages whose texts, and what was said about them, were erased.
    pub purged: u64,
    /// Windows of channels whose records and keys were destroyed.
    pub shredded: u64,
    /// Whether files were rewritten, so that none of them holds any of it, nor what was erased or
    /// destroyed shortly before.
    pub rewritten: bool,
}

/// Says why a text is no retention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseRetentionError {
    /// It is none of the words and no stretch of time.
    #[error("not a retention: use forever, instant, or a stretch of time such as 12h or 7days")]
    Unknown,
    /// It is too short.
    #[error("messages are kept for at least 1h; instant lets them go once everybody has read them")]
    TooShort,
    /// It is too long.
    #[error("messages are kept for at most 3653days (ten years), or forever")]
    TooLong,
    /// It is no whole number of hours.
    #[error("retention is counted in whole hours, such as 1h or 36h")]
    NotWhole,
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forever => f.pad("forever"),
            Self::Hours(hours) => f.pad(&shown(*hours)),
            Self::Instant => f.pad("instant"),
        }
    }
}

impl FromStr for Retention {
    type Err = ParseRetentionError;

    fn from_str(text: &str) -> Result<Self, ParseRetentionError> {
        match text {
            "forever" => Ok(Self::Forever),
            "instant" => Ok(Self::Instant),
            _ => hours(text).map(Self::Hours),
        }
    }
}

impl Serialize for Retention {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Retention {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// The hours of a stretch of time.
fn hours(text: &str) -> Result<u32, ParseRetentionError> {
    let span: Span = text.parse().map_err(|_| unreadable(text))?;
    if span.get_years() != 0 || span.get_months() != 0 {
        return Err(ParseRetentionError::Unknown);
    }
    let day = SpanRelativeTo::days_are_24_hours();
    let hours = span.total((Unit::Hour, day));
    let hours = hours.map_err(|_| ParseRetentionError::Unknown)?;
    if hours < 1.0 {
        return Err(ParseRetentionError::TooShort);
    }
    if hours > f64::from(HOURS_MAX) {
        return Err(ParseRetentionError::TooLong);
    }
    let whole = (1..=HOURS_MAX).find(|whole| f64::from(*whole) >= hours);
    whole
        .filter(|whole| (f64::from(*whole) - hours).abs() < 1e-9)
        .ok_or(ParseRetentionError::NotWhole)
}

/// Why a text is no stretch of time: a number and a unit are too much where they are none.
fn unreadable(text: &str) -> ParseRetentionError {
    let number = text.trim_end_matches(char::is_alphabetic);
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    if is_number && number.len() < text.len() && number.len() > 6 {
        ParseRetentionError::TooLong
    } else {
        ParseRetentionError::Unknown
    }
}

fn shown(hours: u32) -> String {
    match (hours / 24, hours % 24) {
        (1, 0) => "1day".to_owned(),
        (days, 0) => format!("{days}days"),
        _ => format!("{hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retention_is_read_as_it_is_written() {
        for retention in [
            Retention::Forever,
            Retention::Instant,
            Retention::Hours(1),
            Retention::Hours(24),
            Retention::Hours(36),
            Retention::Hours(720),
            Retention::Hours(HOURS_MAX),
        ] {
            assert_eq!(retention.to_string().parse(), Ok(retention));
        }
        for week in ["7days", "7d", "1w", "168h", "6d24h"] {
            assert_eq!(week.parse(), Ok(Retention::Hours(168)), "{week}");
        }
    }

    #[test]
    fn what_is_none_says_why() {
        use ParseRetentionError::{NotWhole, TooLong, TooShort, Unknown};
        for (text, why) in [
            ("", Unknown),
            ("soon", Unknown),
            ("1month", Unknown),
            ("-2h", TooShort),
            ("0h", TooShort),
            ("59m", TooShort),
            ("90m", NotWhole),
            ("3654days", TooLong),
            ("9999999999h", TooLong),
        ] {
            assert_eq!(text.parse::<Retention>(), Err(why), "{text}");
        }
    }
}
