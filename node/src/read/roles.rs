//! Roles and standings of the control log in the words of the local API, and back.

use kith_api::channel::MemberStatus;
use kith_api::invite;
use kith_api::role::Role as Shown;
use kith_crdt::control::{InviteStanding, Role};

use crate::engine::MemberState;

/// A role as the API names it.
pub(crate) const fn shown(role: Role) -> Shown {
    match role {
        Role::Reader => Shown::Reader,
        Role::Member => Shown::Member,
        Role::Moderator => Shown::Moderator,
        Role::Admin => Shown::Admin,
        Role::Owner => Shown::Owner,
    }
}

/// The role that the API names.
pub(crate) const fn meant(role: Shown) -> Role {
    match role {
        Shown::Reader => Role::Reader,
        Shown::Member => Role::Member,
        Shown::Moderator => Role::Moderator,
        Shown::Admin => Role::Admin,
        Shown::Owner => Role::Owner,
    }
}

/// Whether somebody may join by an invite, as the API says it. One that nobody knows is as good as
/// one that was taken back.
pub(super) const fn invite_standing(standing: InviteStanding) -> invite::InviteStanding {
    match standing {
        InviteStanding::Open => invite::InviteStanding::Open,
        InviteStanding::UsedUp => invite::InviteStanding::UsedUp,
        InviteStanding::Expired => invite::InviteStanding::Expired,
        InviteStanding::Suspended => invite::InviteStanding::Suspended,
        InviteStanding::Revoked | InviteStanding::Unknown => invite::InviteStanding::Revoked,
    }
}

/// How an account stands to a channel, as the API says it.
pub(crate) const fn status(state: MemberState) -> MemberStatus {
    match state {
        MemberState::Active => MemberStatus::Active,
        MemberState::Muted => MemberStatus::Muted,
        MemberState::Left => MemberStatus::Left,
        MemberState::Removed => MemberStatus::Removed,
        MemberState::Banned => MemberStatus::Banned,
    }
}
