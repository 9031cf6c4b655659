//! What a role may allow in a channel.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Something that the least role that has it, and every role above, may do.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Right {
    /// Write messages.
    Write,
    /// React to messages.
    React,
    /// Attach files to messages.
    Attach,
    /// Mention everybody at once, and announce.
    MentionAll,
    /// Pin messages.
    Pin,
    /// Delete others' messages.
    DeleteOthers,
    /// Invite others, up to one's own role.
    Invite,
    /// Revoke invites of those one stands above.
    RevokeInvites,
    /// Let in somebody without an invite, up to one's own role.
    Add,
    /// Remove those one stands above.
    Remove,
    /// Mute those one stands above.
    Mute,
    /// Ban those one stands above and those outside.
    Ban,
    /// Set the topic.
    SetTopic,
    /// Rename the channel.
    Rename,
    /// Set what else the channel's policy has.
    SetPolicy,
    /// Set the roles of those one stands above, up to one's own.
    SetRoles,
    /// Limit for how long the channel may be made to keep its messages.
    LimitRetention,
}

/// Says that a text is not a right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a right: use write, react, attach, mention-all, pin, delete-others, invite, revoke-invites, \
     add, remove, mute, ban, set-topic, rename, set-policy, set-roles or limit-retention"
)]
pub struct ParseRightError;

impl Right {
    /// Every right.
    pub const ALL: [Self; 17] = [
        Self::Write,
        Self::React,
        Self::Attach,
        Self::MentionAll,
        Self::Pin,
        Self::DeleteOthers,
        Self::Invite,
        Self::RevokeInvites,
        Self::Add,
        Self::Remove,
        Self::Mute,
        Self::Ban,
        Self::SetTopic,
        Self::Rename,
        Self::SetPolicy,
        Self::SetRoles,
        Self::LimitRetention,
    ];

    /// The right's name as the API writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::React => "react",
            Self::Attach => "attach",
            Self::MentionAll => "mention-all",
            Self::Pin => "pin",
            Self::DeleteOthers => "delete-others",
            Self::Invite => "invite",
            Self::RevokeInvites => "revoke-invites",
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Mute => "mute",
            Self::Ban => "ban",
            Self::SetTopic => "set-topic",
            Self::Rename => "rename",
            Self::SetPolicy => "set-policy",
            Self::SetRoles => "set-roles",
            Self::LimitRetention => "limit-retention",
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Right {
    type Err = ParseRightError;

    fn from_str(text: &str) -> Result<Self, ParseRightError> {
        Self::ALL
            .into_iter()
            .find(|right| right.name() == text)
            .ok_or(ParseRightError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_is_called_alike_everywhere() {
        for right in Right::ALL {
            assert_eq!(right.name().parse(), Ok(right));
            let json = serde_json::to_value(right).unwrap();
            assert_eq!(json, right.name());
            assert!(ParseRightError.to_string().contains(right.name()));
        }
        assert_eq!("sing".parse::<Right>(), Err(ParseRightError));
    }
}
