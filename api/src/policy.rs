//! What holds in a channel: its settings, who set them, and the requests that change them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::ToSchema;

use crate::Timestamp;
use crate::id::AccountId;
use crate::retention::Retention;
use crate::right::Right;
use crate::role::Role;

/// The most days that a history policy may name: ten years.
pub const HISTORY_DAYS_MAX: u16 = kith_crdt::limits::HISTORY_DAYS_MAX;

/// What newcomers may read of what was written before they came. As text `everything`, a number of
/// days such as `30days`, or `joining`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum History {
    /// All there is.
    #[default]
    Everything,
    /// What was written on the last so many days.
    Days(u16),
    /// Nothing.
    Joining,
}

/// Says that a text is no history policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a history: use everything, joining, or a number of days from 1 to {HISTORY_DAYS_MAX}")]
pub struct ParseHistoryError;

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.pad("everything"),
            Self::Days(1) => f.pad("1day"),
            Self::Days(days) => f.pad(&format!("{days}days")),
            Self::Joining => f.pad("joining"),
        }
    }
}

impl FromStr for History {
    type Err = ParseHistoryError;

    fn from_str(text: &str) -> Result<Self, ParseHistoryError> {
        match text {
            "everything" => Ok(Self::Everything),
            "joining" => Ok(Self::Joining),
            _ => {
                let units = ["days", "day", "d", ""];
                let number = units.iter().find_map(|unit| text.strip_suffix(unit));
                let days = number.and_then(|number| number.parse().ok());
                days.filter(|days| (1..=HISTORY_DAYS_MAX).contains(days))
                    .map(Self::Days)
                    .ok_or(ParseHistoryError)
            }
        }
    }
}

impl Serialize for History {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for History {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// What a setting is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Setting {
    /// The channel's name.
    Name,
    /// Its topic.
    Topic,
    /// What newcomers may read of what was written before they came.
    History,
    /// The least role that has a right.
    Right,
    /// How long messages are kept.
    Retention,
    /// The shortest and longest retention that may be set.
    #[serde(rename = "retention-limits")]
    RetentionLimits,
}

impl Setting {
    /// The setting as the API writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Topic => "topic",
            Self::History => "history",
            Self::Right => "right",
            Self::Retention => "retention",
            Self::RetentionLimits => "retention-limits",
        }
    }
}

/// A setting of a channel as it holds now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicySetting {
    /// What it is about.
    pub setting: Setting,
    /// Which right; absent unless it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<Right>,
    /// What holds: a text, a history, or the name of a role.
    pub value: String,
    /// What holds where nobody has set anything; null for what has no such value.
    pub default: Option<String>,
    /// Who set it last; null if nobody has. Of a retention that the limits make another one, who
    /// set those.
    pub account: Option<AccountId>,
    /// The name that account goes by; null if nobody has set it.
    pub name: Option<String>,
    /// When, by the clock of whoever did; null if nobody has set it.
    pub at: Option<Timestamp>,
}

/// Who set something, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SetBy {
    /// Who.
    pub account: AccountId,
    /// The name that account goes by.
    pub name: String,
    /// When, by the clock of whoever did.
    pub at: Timestamp,
}

/// What is to be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "setting", rename_all = "lowercase")]
pub enum PolicyChange {
    /// What newcomers may read.
    History {
        /// The new history; everything if absent.
        #[serde(default)]
        #[schema(value_type = Option<String>)]
        value: Option<History>,
    },
    /// Which role has a right.
    Right {
        /// Which right.
        right: Right,
        /// The least role that has it from now on; the one of the table if absent.
        #[serde(default)]
        role: Option<Role>,
    },
    /// How long messages are kept.
    Retention {
        /// The new retention; forever if absent.
        #[serde(default)]
        #[schema(value_type = Option<String>)]
        value: Option<Retention>,
        /// Whether what is there already is kept no longer either.
        #[serde(default)]
        existing: bool,
    },
    /// Which retention may be set.
    #[serde(rename = "retention-limits")]
    RetentionLimits {
        /// The shortest: a stretch of time; no limit if absent.
        #[serde(default)]
        #[schema(value_type = Option<String>)]
        shortest: Option<Retention>,
        /// The longest: a stretch of time; no limit if absent.
        #[serde(default)]
        #[schema(value_type = Option<String>)]
        longest: Option<Retention>,
    },
}

/// Asks for a setting to be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyRequest {
    /// What.
    #[serde(flatten)]
    pub change: PolicyChange,
    /// Whether only to say what would happen.
    #[serde(default)]
    pub dry_run: bool,
}

/// A setting after it was changed, or as it would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyOutcome {
    /// The setting.
    #[serde(flatten)]
    pub setting: PolicySetting,
    /// Whether nothing was done.
    pub dry_run: bool,
    /// Whether it holds for what is there already as well; only where a retention was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub existing: Option<bool>,
    /// How long messages are kept from then on; only where limits were set that change it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub retention: Option<Retention>,
    /// How many messages would be gone at once; only where a retention was tried that holds for
    /// existing messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_at_once: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_is_read_as_it_is_written() {
        for history in [
            History::Everything,
            History::Days(1),
            History::Days(HISTORY_DAYS_MAX),
            History::Joining,
        ] {
            assert_eq!(history.to_string().parse(), Ok(history));
        }
        for days in ["30", "30d", "30days"] {
            assert_eq!(days.parse(), Ok(History::Days(30)));
        }
        for wrong in ["", "0", "3651", "-1", "days", "all", "70000", "1 day"] {
            assert_eq!(wrong.parse::<History>(), Err(ParseHistoryError), "{wrong}");
        }
    }

    #[test]
    fn a_request_is_flat() {
        let request: PolicyRequest =
            serde_json::from_str(r#"{"setting":"right","right":"write","role":"moderator"}"#)
                .unwrap();
        let change = PolicyChange::Right {
            right: Right::Write,
            role: Some(Role::Moderator),
        };
        assert_eq!((request.change, request.dry_run), (change, false));
        let wrong = r#"{"setting":"history","value":"0"}"#;
        assert!(serde_json::from_str::<PolicyRequest>(wrong).is_err());
    }
}
