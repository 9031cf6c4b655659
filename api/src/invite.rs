//! Invites: asking for one, taking one back, and accepting one.

use crate::id::{AccountId, InviteId};
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
    /// The invite, by which it is listed and revoked.
    pub invite: InviteId,
    /// The link.
    pub link: String,
    /// Until when it holds.
    pub expires_at: Option<Timestamp>,
}

/// Whether somebody may join by an invite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InviteStanding {
    /// Yes.
    Open,
    /// As many have joined by it as may.
    UsedUp,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
    /// Not now: whoever made it may not invite at present. It opens again if they are given the
    /// right again.
    Suspended,
}

impl InviteStanding {
    /// The standing as people read it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::UsedUp => "used up",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Suspended => "suspended",
        }
    }
}

/// An invite of a channel as everybody in it knows it. Only whoever made it has the link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InviteInfo {
    /// The invite.
    pub invite: InviteId,
    /// The role of whoever joins by it.
    pub role: Role,
    /// How many may join by it.
    pub uses: u32,
    /// How many more may.
    pub left: u32,
    /// Until when it holds.
    pub expires_at: Timestamp,
    /// Who made it.
    pub account: AccountId,
    /// The name that account goes by.
    pub name: String,
    /// Whether somebody may join by it now.
    pub state: InviteStanding,
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
