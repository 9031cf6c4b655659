//! What a member may do in a channel, by rank.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A member's rank; each may do what those before it may.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Reader,
    /// Writes.
    Member,
    /// Deletes what others wrote.
    Moderator,
    /// Invites, and changes the channel's name and topic.
    Admin,
    /// Decides everything.
    Owner,
}

/// Says that a text is not a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a role: choose one of reader, member, moderator, admin, owner")]
pub struct ParseRoleError;

impl Role {
    /// Every role, lowest first.
    pub const ALL: [Self; 5] = [
        Self::Reader,
        Self::Member,
        Self::Moderator,
        Self::Admin,
        Self::Owner,
    ];

    /// The role's name as the API writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Member => "member",
            Self::Moderator => "moderator",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Role {
    type Err = ParseRoleError;

    fn from_str(text: &str) -> Result<Self, ParseRoleError> {
        Self::ALL
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or(ParseRoleError)
    }
}
