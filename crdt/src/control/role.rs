//! Roles, rights and the strict order of authority.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use crate::ids::OpId;

/// What an account may do in a channel, each role everything that the ones below it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Role {
    /// Reads.
    Reader = 0,
    /// Writes and invites.
    Member = 1,
    /// Keeps order: topic, others' messages, others' invites.
    Moderator = 2,
    /// Settles what the channel is.
    Admin = 3,
    /// Answers for the channel; there is always at least one.
    Owner = 4,
}

impl Role {
    /// All roles, lowest first.
    pub const ALL: [Self; 5] = [
        Self::Reader,
        Self::Member,
        Self::Moderator,
        Self::Admin,
        Self::Owner,
    ];

    /// The number of the role on the wire.
    pub const fn as_u8(self) -> u8 {
        self as u8
    }

    /// The role with this number, if there is one.
    pub fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Whether the role includes a right.
    pub fn has(self, right: Right) -> bool {
        self >= right.least_role()
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Reader => "reader",
            Self::Member => "member",
            Self::Moderator => "moderator",
            Self::Admin => "admin",
            Self::Owner => "owner",
        })
    }
}

/// The text names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a role: use reader, member, moderator, admin or owner")]
pub struct ParseRoleError;

impl FromStr for Role {
    type Err = ParseRoleError;

    fn from_str(text: &str) -> Result<Self, ParseRoleError> {
        Self::ALL
            .into_iter()
            .find(|role| role.to_string().eq_ignore_ascii_case(text))
            .ok_or(ParseRoleError)
    }
}

impl<C> Encode<C> for Role {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.u8(self.as_u8())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Role {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        Self::from_u8(d.u8()?).ok_or_else(|| decode::Error::message("unknown role"))
    }
}

/// Something that a role allows or not. The table of who may what is [`Right::least_role`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// Write messages.
    Write,
    /// Invite others, up to one's own role.
    Invite,
    /// Make a new epoch.
    Rekey,
    /// Revoke invites of those one stands above.
    RevokeInvites,
    /// Delete others' messages.
    DeleteOthers,
    /// Set the topic.
    SetTopic,
    /// Rename the channel.
    Rename,
}

impl Right {
    /// The lowest role that has the right.
    pub const fn least_role(self) -> Role {
        match self {
            Self::Write | Self::Invite | Self::Rekey => Role::Member,
            Self::RevokeInvites | Self::DeleteOthers | Self::SetTopic => Role::Moderator,
            Self::Rename => Role::Admin,
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Write => "write",
            Self::Invite => "invite",
            Self::Rekey => "change the keys",
            Self::RevokeInvites => "revoke others' invites",
            Self::DeleteOthers => "delete others' messages",
            Self::SetTopic => "set the topic",
            Self::Rename => "rename the channel",
        })
    }
}

/// Where an account stands in the order of authority: by role, and within a role by who was
/// granted it earlier. No two accounts of a channel stand equally high, so there are no duels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Standing {
    /// The role.
    pub role: Role,
    /// The op that granted the role, as (lamport, op id): the earlier, the higher.
    pub granted: Reverse<(u64, OpId)>,
}

impl Standing {
    /// The standing of a role granted by this op.
    pub const fn new(role: Role, granted: (u64, OpId)) -> Self {
        Self {
            role,
            granted: Reverse(granted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earlier_grant_stands_higher_within_a_role_only() {
        let founder = Standing::new(Role::Owner, (1, OpId([9; 32])));
        let heir = Standing::new(Role::Owner, (7, OpId([0; 32])));
        let admin = Standing::new(Role::Admin, (2, OpId([0; 32])));
        assert!(founder > heir && heir > admin);
    }

    #[test]
    fn roles_survive_being_shown_and_numbered() {
        for role in Role::ALL {
            assert_eq!(role.to_string().parse(), Ok(role));
            assert_eq!(Role::from_u8(role.as_u8()), Some(role));
        }
        assert_eq!(Role::from_u8(5), None);
        assert_eq!("chief".parse::<Role>(), Err(ParseRoleError));
    }
}
