//! What takes up space on this disk, what would free some, and how much there may be.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;
use crate::id::ChannelId;
use crate::retention::Retention;

/// What takes up space in this home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StorageInfo {
    /// Bytes of all files of the home. More than its records for a while: what is deleted or
    /// replaced is given back when the files are rewritten.
    pub files: u64,
    /// Bytes of those files that hold records.
    pub data: u64,
    /// Bytes of those files that hold keys.
    pub keys: u64,
    /// Bytes of records that are of no channel: events, peers, settings.
    pub node: u64,
    /// Bytes of records of what is over and destroyed, which cannot be opened any more and go by
    /// themselves.
    pub ended: u64,
    /// The quota of all channels together; null if there is none.
    pub quota: Option<Quota>,
    /// The channels, the largest first.
    pub channels: Vec<ChannelStorage>,
}

/// What a channel takes up, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelStorage {
    /// The channel.
    pub channel: ChannelId,
    /// Its name.
    pub name: String,
    /// Bytes of all its records.
    pub total: u64,
    /// Bytes of messages and what was said about them. A quota counts these.
    pub entries: u64,
    /// Bytes of what finds and orders them.
    pub index: u64,
    /// Bytes of who has read and who has received what.
    pub receipts: u64,
    /// Bytes of the control log: members, roles, settings, keys to be given.
    pub control: u64,
    /// How many messages are here and shown.
    pub messages: u64,
    /// When the oldest of them was written; null if there is none.
    pub oldest: Option<Timestamp>,
    /// How long messages are kept.
    #[schema(value_type = String)]
    pub retention: Retention,
    /// Its own quota; null if it has none.
    pub quota: Option<Quota>,
    /// Whether it takes nothing more, as its quota or that of all channels is used up.
    pub full: bool,
    /// What is over and still on the disk: without its text, until its window is destroyed.
    pub over: Extent,
}

/// So many messages, and what they take up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Extent {
    /// How many messages.
    pub messages: u64,
    /// Bytes.
    pub bytes: u64,
}

/// What a channel takes up, and what keeping messages for a shorter time would free.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelStorageDetail {
    /// What the list shows too.
    #[serde(flatten)]
    pub storage: ChannelStorage,
    /// The quota of all channels together, which bounds this one too; null if there is none.
    pub home_quota: Option<Quota>,
    /// What would go at once, by each time that may be set and is shorter than what holds.
    pub frees: Vec<Freed>,
}

/// What would go at once if messages were kept for a shorter time, those that are there as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Freed {
    /// How long they would be kept.
    #[schema(value_type = String)]
    pub retention: Retention,
    /// How many messages would be over.
    pub messages: u64,
    /// About how many bytes of messages that would free: what a quota counts, and a little more
    /// of the index besides.
    pub bytes: u64,
}

/// How much of a quota is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum QuotaLevel {
    /// More than a fifth.
    Enough,
    /// A fifth or less.
    Low,
    /// Nothing.
    Full,
}

/// How much messages may take up, and how much they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Quota {
    /// How many bytes they may take up.
    pub bytes: u64,
    /// How many they do.
    pub used: u64,
    /// How much is left.
    pub level: QuotaLevel,
}

impl Quota {
    /// A quota of so many bytes, of which so many are used.
    pub const fn new(bytes: u64, used: u64) -> Self {
        let level = if used >= bytes {
            QuotaLevel::Full
        } else if used as u128 * 100 >= bytes as u128 * 80 {
            QuotaLevel::Low
        } else {
            QuotaLevel::Enough
        };
        Self { bytes, used, level }
    }

    /// The part that is used, in whole hundredths. Only what is full is all of it.
    pub const fn percent(&self) -> u64 {
        let bytes = if self.bytes == 0 { 1 } else { self.bytes };
        (self.used as u128 * 100 / bytes as u128) as u64
    }
}

/// The quota of a channel, or of all channels together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuotaInfo {
    /// The channel; null for all of them together.
    pub channel: Option<ChannelId>,
    /// Its name; null for all of them together.
    pub name: Option<String>,
    /// How many bytes of messages there are.
    pub used: u64,
    /// The quota; null if there is none.
    pub quota: Option<Quota>,
}

impl QuotaInfo {
    /// Whether the quota is used up.
    pub fn is_full(&self) -> bool {
        let quota = self.quota.as_ref();
        quota.is_some_and(|quota| quota.level == QuotaLevel::Full)
    }
}

/// Asks for a quota.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotaRequest {
    /// How many bytes messages may take up, 1 or more; null for as many as there are.
    pub bytes: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_runs_low_at_four_fifths_and_is_full_at_all_of_it() {
        use QuotaLevel::{Enough, Full, Low};
        for (bytes, used, level, percent) in [
            (1_000, 0, Enough, 0),
            (1_000, 799, Enough, 79),
            (1_000, 800, Low, 80),
            (1_000, 999, Low, 99),
            (1_000, 1_000, Full, 100),
            (1_000, 2_500, Full, 250),
            (u64::MAX, u64::MAX - 1, Low, 99),
        ] {
            let quota = Quota::new(bytes, used);
            assert_eq!((quota.level, quota.percent()), (level, percent), "{used}");
        }
    }
}
