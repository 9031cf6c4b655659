//! The rules that decide who may do what and which messages are shown, by number, name and one
//! sentence, as `kith why` tells them to people. `docs/rules.md` lists them.
//!
//! Nothing is decided here. Each rule stands as prose above the code that applies it: those with
//! an A above `control/judge.rs`, those with an S above `control/resolve.rs`, and those with an M
//! where messages are weighed.

use crate::control::{Deed, Rule};

/// A rule that somebody can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Law {
    /// Only members act.
    Belonging,
    /// A role includes rights.
    Rights,
    /// Nobody disposes of a role above their own.
    OwnRole,
    /// Acting on others takes standing above them.
    Standing,
    /// What was imposed from above is ended from above.
    Imposed,
    /// Nobody is let in while banned.
    Bans,
    /// Everybody may go but the last owner.
    Leaving,
    /// An invite lets in as it says.
    Invites,
    /// A certificate counts by itself.
    Certificates,
    /// What finds nothing to do does nothing.
    Cause,
    /// Whoever founds a channel owns it.
    Founding,
    /// Retention lies within the limits.
    Limits,
    /// At the same time, whoever stands higher is right.
    Authority,
    /// What is done while being withdrawn is void.
    Withdrawal,
    /// Nothing stands on what is void.
    Foundations,
    /// First come, first served.
    Seats,
    /// A device that is revoked takes what it did meanwhile with it.
    Devices,
    /// Writing takes the right to write.
    Writing,
    /// The muted are silent.
    Mutes,
    /// A removal hides what the remover did not have.
    Removal,
    /// Only authors edit.
    Edits,
    /// Authors and moderators delete.
    Deletions,
    /// A log ends where it forks.
    Forks,
    /// An entry is what it says it is.
    Content,
    /// Without its key nothing is read.
    Keys,
}

/// Number, name and sentence of each, in the order of the variants.
const LAWS: [(Law, &str, &str, &str); 25] = [
    (
        Law::Belonging,
        "A1",
        "belonging",
        "only members act, each with a device of their own; joining alone is for those outside",
    ),
    (
        Law::Rights,
        "A2",
        "rights",
        "everything takes a right, and the table and the channel's policy say which role has it",
    ),
    (
        Law::OwnRole,
        "A3",
        "own role",
        "nobody disposes of a role above their own",
    ),
    (
        Law::Standing,
        "A4",
        "standing",
        "to remove, ban, mute or give a role to somebody takes standing above them: by role, and \
         within a role by who was granted it earlier",
    ),
    (
        Law::Imposed,
        "A5",
        "imposed",
        "a ban or mute is ended by whoever imposed it, or by somebody whom they do not stand above",
    ),
    (
        Law::Bans,
        "A6",
        "bans",
        "nobody joins or is added while banned",
    ),
    (
        Law::Leaving,
        "A7",
        "leaving",
        "whoever belongs may leave or step down, but for the last owner",
    ),
    (
        Law::Invites,
        "A8",
        "invites",
        "an invite lets in with its role and as often as it says, until it expires, is revoked, or \
         whoever made it may no longer invite",
    ),
    (
        Law::Certificates,
        "A9",
        "certificates",
        "a certificate counts by its signatures and for what it says beyond those known; a device \
         that it cuts off does not bring it",
    ),
    (
        Law::Cause,
        "A10",
        "cause",
        "what finds nothing to do, or nobody to do it to, does nothing",
    ),
    (
        Law::Founding,
        "A11",
        "founding",
        "a channel is founded once, and whoever founds it is its owner",
    ),
    (
        Law::Limits,
        "A12",
        "limits",
        "messages are kept no shorter and no longer than the channel's owners allow",
    ),
    (
        Law::Authority,
        "S1",
        "authority",
        "of what is done about the same thing at the same time, that by whoever stands higher \
         counts, and of one author's the later",
    ),
    (
        Law::Withdrawal,
        "S2",
        "withdrawals",
        "what somebody does while they leave, are removed or are given a lower role is void, and \
         so is a join by an invite that is withdrawn meanwhile",
    ),
    (
        Law::Foundations,
        "S4",
        "foundations",
        "nothing stands on what is void, and what counts after all counts against those who did \
         not know it",
    ),
    (
        Law::Seats,
        "S6",
        "seats",
        "who is let in is first come, first served",
    ),
    (
        Law::Devices,
        "S7",
        "devices",
        "what a device does while it is revoked is void",
    ),
    (
        Law::Writing,
        "M1",
        "writing",
        "a message counts if its author's role included writing when it was written",
    ),
    (
        Law::Mutes,
        "M2",
        "mutes",
        "what somebody writes while muted is not shown",
    ),
    (
        Law::Removal,
        "M3",
        "removals",
        "a removal hides what the remover did not have of somebody's messages, until they are let \
         in again; revoking a device does the same for good",
    ),
    (
        Law::Edits,
        "M4",
        "edits",
        "a message is edited by its author alone",
    ),
    (
        Law::Deletions,
        "M5",
        "deletions",
        "a message is deleted by its author, or by somebody with the right to delete others'",
    ),
    (
        Law::Forks,
        "M6",
        "forks",
        "where a device wrote two things in one place, nothing from there on is shown",
    ),
    (
        Law::Content,
        "M7",
        "content",
        "what is not made as a message of this writer has to be is kept, and not shown",
    ),
    (
        Law::Keys,
        "M8",
        "keys",
        "what is sealed under a key that is not here cannot be read",
    ),
];

impl Law {
    /// All of them.
    pub const ALL: [Self; LAWS.len()] = {
        let mut all = [Self::Belonging; LAWS.len()];
        let mut at = 0;
        while at < LAWS.len() {
            all[at] = LAWS[at].0;
            at += 1;
        }
        all
    };

    /// The number by which people find it in `docs/rules.md`, such as `A4`.
    pub const fn number(self) -> &'static str {
        LAWS[self as usize].1
    }

    /// What it is called, in a word or two.
    pub const fn name(self) -> &'static str {
        LAWS[self as usize].2
    }

    /// The rule in one sentence.
    pub const fn text(self) -> &'static str {
        LAWS[self as usize].3
    }

    /// The rule under which an op that counts does.
    pub const fn behind(deed: &Deed, by_themselves: bool) -> Option<Self> {
        Some(match deed {
            Deed::Found => Self::Founding,
            Deed::List | Deed::CutOff(_) | Deed::Recover => Self::Certificates,
            Deed::Join(_) => Self::Invites,
            Deed::Leave => Self::Leaving,
            Deed::SetRole(_) if by_themselves => Self::Leaving,
            Deed::SetRole(_) | Deed::Remove | Deed::Ban(_) | Deed::Mute(_) => Self::Standing,
            Deed::Unban => Self::Imposed,
            Deed::Invite(_)
            | Deed::RevokeInvite
            | Deed::Add(_)
            | Deed::SetPolicy(_)
            | Deed::Rekey => Self::Rights,
            Deed::Unknown => return None,
        })
    }

    /// The rule that makes an op void.
    pub const fn against(rule: &Rule) -> Self {
        match rule {
            Rule::NotAMember | Rule::NotTheirDevice => Self::Belonging,
            Rule::BadCertificate | Rule::OldCertificate => Self::Certificates,
            Rule::RoleTooLow { .. } => Self::Rights,
            Rule::RoleAboveOwn { .. } => Self::OwnRole,
            Rule::NotAbove | Rule::InviteOfAnother => Self::Standing,
            Rule::Banned { .. } => Self::Bans,
            Rule::ImposedFromAbove { .. } => Self::Imposed,
            Rule::MadeBefore
            | Rule::NoSuchMember
            | Rule::NotBanned
            | Rule::NoChange
            | Rule::NoSuchInvite
            | Rule::AlreadyAMember => Self::Cause,
            Rule::BadCountersignature
            | Rule::InviteRevoked
            | Rule::InviterGone
            | Rule::InviteExpired
            | Rule::InviteUsedUp => Self::Invites,
            Rule::ChannelFull => Self::Seats,
            Rule::LastOwner => Self::Leaving,
            Rule::CreatedBefore | Rule::OwnChannel => Self::Founding,
            Rule::BeyondLimits => Self::Limits,
            Rule::Withdrawn { .. }
            | Rule::Lowered { .. }
            | Rule::InviterWithdrawn { .. }
            | Rule::SubjectLeft { .. } => Self::Withdrawal,
            Rule::StoodLower { .. } | Rule::Unfounded { .. } => Self::Foundations,
            Rule::DeviceRevoked { .. } => Self::Devices,
            Rule::Outranked { .. } => Self::Authority,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_stands_in_the_order_of_the_rules() {
        for (at, law) in Law::ALL.into_iter().enumerate() {
            assert_eq!(law as usize, at);
        }
        let numbers: BTreeSet<&str> = Law::ALL.into_iter().map(Law::number).collect();
        assert_eq!(numbers.len(), Law::ALL.len());
    }

    #[test]
    fn the_page_of_rules_has_every_one_of_them() {
        let page = include_str!("../../docs/rules.md");
        for law in Law::ALL {
            let row = format!("| {} | {} | {} |", law.number(), law.name(), law.text());
            assert!(page.contains(&row), "docs/rules.md lacks {row}");
        }
    }
}
