//! Verifying a channel: whether all that is shown of it is what its signed entries make. And
//! mending it, where damage on the disk is why it is not.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;
use crate::id::ChannelId;

/// What a verification came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VerifyReport {
    /// The channel.
    pub channel: ChannelId,
    /// The channel's name.
    pub channel_name: String,
    /// Whether everything is as the signed entries make it.
    pub equal: bool,
    /// Whether what the daemon has in memory was of the same moment as what is on the disk, and
    /// so held against it. It is not where the channel changed all the while.
    pub settled: bool,
    /// How many ops of the control log were checked.
    pub ops: u64,
    /// How many logs were gone through.
    pub logs: u64,
    /// How many segments they are in.
    pub segments: u64,
    /// How many entries the logs have.
    pub entries: u64,
    /// How many of them are messages.
    pub messages: u64,
    /// How many signatures were checked, of ops and entries.
    pub signatures: u64,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// The first thing that is not as it should be; null if all is.
    pub difference: Option<Difference>,
    /// When what was written cannot all be read from this disk, the oldest first: where the record
    /// of an entry is damaged, or the key that it is sealed under.
    pub unreadable: Vec<Unreadable>,
}

/// A stretch of time of which something cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Unreadable {
    /// When it begins.
    pub from: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// How many entries of it cannot be read.
    pub entries: u64,
}

/// Something that is not as the signed entries make it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Difference {
    /// What kind of thing.
    pub what: String,
    /// Where it is.
    pub place: String,
    /// What is the matter.
    pub detail: String,
    /// What to do about it.
    pub remedy: String,
}

/// Asks for what damage on the disk took to be made good.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MendRequest {
    /// How many milliseconds to wait for other members; 30 seconds if absent. What is not done by
    /// then goes on by itself.
    #[serde(default)]
    pub wait_ms: Option<u64>,
}

impl MendRequest {
    /// How many milliseconds to wait if nobody says.
    pub const WAIT_MS: u64 = 30_000;
}

/// How the mending of a channel stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MendReport {
    /// The channel.
    pub channel: ChannelId,
    /// The channel's name.
    pub channel_name: String,
    /// Whether nothing more is to be had. If not, it goes on by itself.
    pub done: bool,
    /// How many records could not be read and were dropped.
    pub dropped: u64,
    /// How many logs were gone through.
    pub logs: u64,
    /// How many entries they have; what is shown of them was made anew.
    pub entries: u64,
    /// How many entries were missing and came back from other members.
    pub fetched: u64,
    /// Whether ops of the control log are awaited.
    pub ops_awaited: bool,
    /// Whether keys are awaited, or entries are being opened with those that came.
    pub keys_awaited: bool,
    /// How many entries are awaited from other members.
    pub awaited: u64,
    /// The first of them: whose, when, and by which number.
    pub awaited_at: Vec<String>,
    /// How many entries nobody has any more.
    pub lost: u64,
    /// The first of them: whose, when, and by which number.
    pub lost_at: Vec<String>,
    /// How many entries are here that no key opens, for whatever reason.
    pub unopened: u64,
}
