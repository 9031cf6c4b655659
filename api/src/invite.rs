//! Invites: asking for one, taking one back, and accepting one.

use crate::id::InviteId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;
use crate::role::Role;

/// Asks for an invite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteRequest {
    /// The role that whoever joins gets; member if absent.
    #[serde(default)]
    pub role: Option<Role>,
    /// How many may join by it; one if absent.
    #[serde(default)]
    pub uses: Option<u32>,
    /// How many milliseconds from now it holds; seven days if absent.
    #[serde(default)]
    pub expires_ms: Option<u64>,
    /// Idempotency key: a retry with the same key makes no second invite.
    #[serde(default)]
    pub key: Option<String>,
}

impl InviteRequest {
    /// How many may join if nobody says.
    pub const USES: u32 = 1;
    /// How many milliseconds an invite holds if nobody says.
    pub const EXPIRES_MS: u64 = 7 * 24 * 3_600_000;
}

/// An invite. Whoever has the link can join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invited {
    /// The link.
    pub link: String,
    /// Until when it holds.
    pub expires_at: Option<Timestamp>,
}

/// Asks to take an invite back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeInvite {
    /// The link, the invite's id, or a unique prefix of the id.
    pub invite: String,
}

/// An invite that nobody can join by any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Revoked {
    /// The invite.
    pub invite: InviteId,
}

/// Asks to join a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinRequest {
    /// The invite's link.
    pub link: String,
    /// How many milliseconds to wait for somebody to answer; 30 seconds if absent.
    #[serde(default)]
    pub wait_ms: Option<u64>,
}

impl JoinRequest {
    /// How many milliseconds to wait if nobody says.
    pub const WAIT_MS: u64 = 30_000;
}
