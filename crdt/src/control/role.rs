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
    /// Keeps order: topic, others' messages and invites, who has to go.
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

    /// Whether the role includes a right where the channel's policy says nothing else.
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

/// Something that a role allows or not. The table of who may what is [`Right::least_role`]; a
/// channel's policy may say otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// Make a new epoch. Not for the policy to change: whoever may write must be able to.
    Rekey,
    /// Write messages.
    Write,
    /// React to messages.
    React,
    /// Attach files to messages.
    Attach,
    /// Mention everybody at once.
    MentionAll,
    /// Pin messages.
    Pin,
    /// Delete others' messages.
    DeleteOthers,
    /// Invite others, up to one's own role.
    Invite,
    /// Revoke invites of those one stands above.
    RevokeInvites,
    /// Let in somebody by their certificate, up to one's own role.
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

/// The least role that has each right, its number in a policy op, the word for it in a command,
/// and what it is called in a sentence.
const RIGHTS: [(Right, Role, Option<u8>, &str, &str); 18] = {
    use Role::{Admin, Member, Moderator, Owner};
    [
        (Right::Rekey, Member, None, "rekey", "change the keys"),
        (Right::Write, Member, Some(1), "write", "write"),
        (Right::React, Member, Some(2), "react", "react"),
        (Right::Attach, Member, Some(3), "attach", "attach files"),
        (
            Right::MentionAll,
            Member,
            Some(4),
            "mention-all",
            "mention everybody",
        ),
        (Right::Pin, Member, Some(5), "pin", "pin messages"),
        (
            Right::DeleteOthers,
            Moderator,
            Some(6),
            "delete-others",
            "delete others' messages",
        ),
        (Right::Invite, Member, Some(7), "invite", "invite"),
        (
            Right::RevokeInvites,
            Moderator,
            Some(8),
            "revoke-invites",
            "revoke others' invites",
        ),
        (Right::Add, Moderator, Some(9), "add", "add people"),
        (
            Right::Remove,
            Moderator,
            Some(10),
            "remove",
            "remove people",
        ),
        (Right::Mute, Moderator, Some(11), "mute", "mute people"),
        (Right::Ban, Moderator, Some(12), "ban", "ban people"),
        (
            Right::SetTopic,
            Moderator,
            Some(13),
            "set-topic",
            "set the topic",
        ),
        (
            Right::Rename,
            Admin,
            Some(14),
            "rename",
            "rename the channel",
        ),
        (
            Right::SetPolicy,
            Admin,
            Some(15),
            "set-policy",
            "set the policy",
        ),
        (Right::SetRoles, Admin, Some(16), "set-roles", "set roles"),
        (
            Right::LimitRetention,
            Owner,
            Some(17),
            "limit-retention",
            "limit the retention",
        ),
    ]
};

impl Right {
    /// All rights.
    pub const ALL: [Self; RIGHTS.len()] = {
        let mut all = [Self::Rekey; RIGHTS.len()];
        let mut at = 0;
        while at < RIGHTS.len() {
            all[at] = RIGHTS[at].0;
            at += 1;
        }
        all
    };

    /// The lowest role that has the right where the policy says nothing else.
    pub const fn least_role(self) -> Role {
        RIGHTS[self as usize].1
    }

    /// The number of the right in a policy op; none if no policy may change it.
    pub const fn number(self) -> Option<u8> {
        RIGHTS[self as usize].2
    }

    /// The right with this number, if there is one.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|right| right.number() == Some(number))
    }

    /// The word for it in a command.
    pub const fn word(self) -> &'static str {
        RIGHTS[self as usize].3
    }

    /// The right with this word, if there is one that a policy may change.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|right| right.number().is_some() && right.word() == word)
    }

    /// Whether a muted account is without it.
    pub const fn is_silenced(self) -> bool {
        matches!(
            self,
            Self::Write | Self::React | Self::Attach | Self::MentionAll | Self::Pin
        )
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(RIGHTS[*self as usize].4)
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
    fn the_table_of_rights_stands_in_the_order_of_the_rights() {
        for (at, right) in Right::ALL.into_iter().enumerate() {
            assert_eq!(right as usize, at);
        }
        let numbers = Right::ALL.into_iter().filter_map(Right::number);
        assert!(numbers.eq(1..=17));
        assert_eq!(Right::from_number(0), None);
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
