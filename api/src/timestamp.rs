//! Points in time as the API shows them: RFC 3339 in UTC with milliseconds.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use kith_crdt::time::{Hlc, Millis};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, schema::Type};
use utoipa::{PartialSchema, ToSchema};

/// A point in time, in milliseconds since the Unix epoch.
///
/// What lies beyond the year 9999 is shown as the last millisecond of it, for four digits are all
/// that RFC 3339 has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

/// The last millisecond of the year 9999.
const LAST_MS: i64 = 253_402_207_200_999;

/// Says that a text is not a point in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a time: write it like 2026-11-20T09:30:00.000Z")]
pub struct ParseTimestampError;

impl Timestamp {
    /// The same point as the time library knows it.
    pub fn to_jiff(self) -> jiff::Timestamp {
        let ms = i64::try_from(self.0).unwrap_or(LAST_MS).min(LAST_MS);
        jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX)
    }
}

impl From<Millis> for Timestamp {
    fn from(time: Millis) -> Self {
        Self(time.0)
    }
}

impl From<Hlc> for Timestamp {
    fn from(hlc: Hlc) -> Self {
        hlc.millis().into()
    }
}

impl From<Timestamp> for Millis {
    fn from(time: Timestamp) -> Self {
        Self(time.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.to_jiff())
    }
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, ParseTimestampError> {
        let time: jiff::Timestamp = text.parse().map_err(|_| ParseTimestampError)?;
        u64::try_from(time.as_millisecond())
            .map(Self)
            .map_err(|_| ParseTimestampError)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("RFC 3339 in UTC with milliseconds."))
            .into()
    }
}

impl ToSchema for Timestamp {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Timestamp")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_three_decimals_whatever_they_are() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_763_631_000_120, "2025-11-20T09:30:00.120Z"),
        ] {
            assert_eq!(Timestamp(ms).to_string(), text);
            assert_eq!(text.parse(), Ok(Timestamp(ms)));
        }
    }

    #[test]
    fn a_time_beyond_the_calendar_is_its_end() {
        assert!(Timestamp(u64::MAX).to_string().starts_with("9999-12-"));
    }
}
