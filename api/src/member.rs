//! Members: what one may do about another, and what became of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;
use crate::channel::MemberStatus;
use crate::id::AccountId;
use crate::role::Role;

/// What is to be done about an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum MemberAct {
    /// Let it in, without an invite: somebody who is known from another channel, or who was here.
    Add {
        /// As what; member if absent.
        #[serde(default)]
        role: Option<Role>,
    },
    /// Take it out. It may come back by an invite.
    Remove,
    /// Take it out, if it is in, and keep it out.
    Ban {
        /// For how many milliseconds; for good if absent.
        #[serde(default)]
        for_ms: Option<u64>,
    },
    /// Let it come back.
    Unban,
    /// Keep it from writing and reacting for a while. Zero ends that.
    Mute {
        /// For how many milliseconds.
        for_ms: u64,
    },
    /// Give it another role.
    Role {
        /// Which.
        role: Role,
    },
}

/// Asks for something to be done about an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemberRequest {
    /// What.
    #[serde(flatten)]
    pub act: MemberAct,
    /// Whether only to say what would happen.
    #[serde(default)]
    pub dry_run: bool,
}

/// What an account is to a channel after something was done about it, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemberOutcome {
    /// The account.
    pub account: AccountId,
    /// The name it goes by.
    pub name: String,
    /// Its role, or the last one it had.
    pub role: Role,
    /// How it stands to the channel.
    pub status: MemberStatus,
    /// When the ban or mute ends, if it ends.
    pub until: Option<Timestamp>,
    /// Whether nothing was done.
    pub dry_run: bool,
}
