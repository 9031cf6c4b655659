//! Verifying a channel: whether all that is shown of it is what its signed entries make.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
