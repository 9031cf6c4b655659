//! Erasing on request: taking back everything that this account said in a channel, or everywhere.

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

/// Asks for the account to be erased: everything that it said taken back in every channel, then
/// its own data destroyed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EraseAccountRequest {
    /// Whether only to say what that would be.
    #[serde(default)]
    pub dry_run: bool,
    /// Whether to destroy the account's own data without waiting until the others have heard of
    /// it. What they have not heard of stays with them.
    #[serde(default)]
    pub at_once: bool,
    /// How many milliseconds to wait for the others; 30 seconds if absent.
    #[serde(default)]
    pub wait_ms: Option<u64>,
}

impl EraseAccountRequest {
    /// How many milliseconds to wait if nobody says.
    pub const WAIT_MS: u64 = 30_000;
}

/// How far the erasing of an account has come, or what it would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountErased {
    /// Each of its channels.
    pub channels: Vec<ErasedChannel>,
    /// What the account's other devices are called: they keep their homes and the account's keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_devices: Vec<String>,
    /// Whether nothing was done.
    pub dry_run: bool,
    /// Whether all is done: the daemon stops and destroys the home that holds the account's data.
    pub destroyed: bool,
}

/// A channel in which an account is erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErasedChannel {
    /// What was taken back by this request.
    #[serde(flatten)]
    pub erased: Erased,
    /// What it waits for.
    pub state: ErasedState,
}

/// What the erasing of an account waits for in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErasedState {
    /// It has not begun.
    Here,
    /// Nobody else is in it, so nobody has to hear of it.
    Alone,
    /// The account is its last owner: somebody else has to be made one.
    LastOwner,
    /// No device of another member is known to have heard of all that was taken back.
    Unheard,
    /// The account has left, and no other member is known to have heard of that.
    Leaving,
    /// It was left before: what was not erased by then stays there.
    Left,
    /// Others have taken the account out: what is there stays there.
    Out,
    /// Somebody has heard of everything, and tells the others.
    Done,
}

impl ErasedState {
    /// Whether nothing more is waited for.
    pub const fn is_done(self) -> bool {
        matches!(self, Self::Alone | Self::Left | Self::Out | Self::Done)
    }
}
