//! Erasing on request: taking back everything that this account said in a channel.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::ChannelId;

/// Asks for everything that this account said in a channel to be taken back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EraseRequest {
    /// Whether only to say how much that would be.
    #[serde(default)]
    pub dry_run: bool,
}

/// How much of what this account said was taken back, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Erased {
    /// The channel.
    pub channel: ChannelId,
    /// Its name.
    pub name: String,
    /// Messages that were deleted for everyone, in threads or not.
    pub messages: u64,
    /// Reactions that were taken back.
    pub reactions: u64,
    /// Whether nothing was done.
    pub dry_run: bool,
}

impl Erased {
    /// Whether there is nothing to take back.
    pub const fn is_nothing(&self) -> bool {
        self.messages == 0 && self.reactions == 0
    }
}
