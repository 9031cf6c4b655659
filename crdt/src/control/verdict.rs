//! What becomes of an op, and the rule that decides it. `kith why` prints these.

use crate::ids::OpId;
use crate::limits::ACCOUNTS_PER_CHANNEL;

use super::role::{Right, Role};

/// What has become of an op of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It counts.
    Stands,
    /// It is kept and passed on, and has no effect.
    Void(Rule),
    /// This program does not know its kind or a value in it: kept, passed on, no effect here.
    NotUnderstood,
}

impl Rule {
    /// The other op that the rule is about.
    pub const fn other(&self) -> Option<OpId> {
        match self {
            Self::Banned { by }
            | Self::ImposedFromAbove { by }
            | Self::Withdrawn { by }
            | Self::Lowered { by }
            | Self::StoodLower { by }
            | Self::InviterWithdrawn { by }
            | Self::SubjectLeft { by }
            | Self::DeviceRevoked { by }
            | Self::Outranked { by }
            | Self::Unfounded { on: by } => Some(*by),
            _ => None,
        }
    }
}

impl Verdict {
    /// Whether the op counts.
    pub fn stands(&self) -> bool {
        *self == Self::Stands
    }
}

/// The rule that makes an op void. The first group judges an op by what its author could know,
/// the second by what else was done at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    /// Its author was not a member.
    #[error("its author was not a member of the channel")]
    NotAMember,
    /// It is signed by a device that its author's newest certificate did not list.
    #[error("it was signed by a device that does not belong to its author")]
    NotTheirDevice,
    /// The certificate in it does not hold, or is somebody else's.
    #[error("the certificate in it does not hold")]
    BadCertificate,
    /// The certificate in it does not supersede the one known.
    #[error("the certificate in it is not newer than the one known")]
    OldCertificate,
    /// Its author's role does not include the right.
    #[error("to {right} takes the role {least} or above, its author was {role}")]
    RoleTooLow {
        /// What the op needs.
        right: Right,
        /// The least role that had it.
        least: Role,
        /// What its author was.
        role: Role,
    },
    /// It hands out a role above its author's own, or takes a right to or from such a role.
    #[error("nobody disposes of a role above their own: {granted} by {own}")]
    RoleAboveOwn {
        /// The role in question.
        granted: Role,
        /// The role of its author.
        own: Role,
    },
    /// The invite or epoch that it makes was made before.
    #[error("what it makes was there before")]
    MadeBefore,
    /// Whom it is about does not belong.
    #[error("whom it is about is not a member of the channel")]
    NoSuchMember,
    /// Its author does not stand above whom it is about.
    #[error(
        "its author does not stand above whom it is about: by role, and within a role by who was \
         granted it earlier"
    )]
    NotAbove,
    /// The account is banned.
    #[error("the account was banned: end the ban first")]
    Banned {
        /// The op that banned it.
        by: OpId,
    },
    /// There is no ban to end.
    #[error("the account was not banned")]
    NotBanned,
    /// It would end or shorten what somebody standing above its author has imposed.
    #[error("somebody standing above its author imposed that: only they or those above end it")]
    ImposedFromAbove {
        /// The op that did.
        by: OpId,
    },
    /// Everything is as it says already.
    #[error("it changes nothing")]
    NoChange,
    /// There is no such invite.
    #[error("there is no such invite")]
    NoSuchInvite,
    /// The invite is by somebody whom its author does not stand above.
    #[error("the invite is by somebody its author does not stand above")]
    InviteOfAnother,
    /// The countersignature does not prove the invite, or not for this account and devices.
    #[error("it does not prove that its author was given the invite")]
    BadCountersignature,
    /// The invite was revoked.
    #[error("the invite was revoked")]
    InviteRevoked,
    /// Whoever made the invite had left, or could no longer hand out its role.
    #[error("whoever made the invite could no longer invite")]
    InviterGone,
    /// The invite had expired.
    #[error("the invite had expired")]
    InviteExpired,
    /// The invite had been used as often as it may be.
    #[error("the invite was used up")]
    InviteUsedUp,
    /// Whom it lets in is a member already, or was let in twice at the same time.
    #[error("whom it lets in was a member already")]
    AlreadyAMember,
    /// The channel has as many accounts as it may have.
    #[error("the channel is full: {ACCOUNTS_PER_CHANNEL} accounts")]
    ChannelFull,
    /// The channel is the one in which an account keeps its settings.
    #[error("nobody else belongs to the channel in which an account keeps its settings")]
    OwnChannel,
    /// Nobody would be left to answer for the channel.
    #[error("the last owner cannot leave or step down: make somebody else an owner first")]
    LastOwner,
    /// The retention that it sets is shorter or longer than the channel's limits.
    #[error("the channel's owners have limited for how long it may be made to keep messages")]
    BeyondLimits,
    /// There is one Create, and it is the first op.
    #[error("a channel is created once")]
    CreatedBefore,

    /// Its author left or was removed, or the invite in it was revoked, at the same time.
    #[error("at the same time its author left or was removed, or its invite was revoked")]
    Withdrawn {
        /// The op that did so.
        by: OpId,
    },
    /// Its author was given a lower role at the same time.
    #[error("at the same time its author was given a lower role")]
    Lowered {
        /// The op that did so.
        by: OpId,
    },
    /// Before it its author was removed or given a lower role, by an op that its author had reason
    /// to think void.
    #[error("its author had been removed or given a lower role by an op that counts after all")]
    StoodLower {
        /// The op that did so.
        by: OpId,
    },
    /// Whoever made its invite was removed or given a lower role at the same time.
    #[error("at the same time whoever made its invite was removed or given a lower role")]
    InviterWithdrawn {
        /// The op that did so.
        by: OpId,
    },
    /// Whom it is about left at the same time.
    #[error("whom it is about left at the same time")]
    SubjectLeft {
        /// The op by which they left.
        by: OpId,
    },
    /// The device that signed it was revoked at the same time.
    #[error("the device that signed it was revoked at the same time")]
    DeviceRevoked {
        /// The op that brought the certificate without the device.
        by: OpId,
    },
    /// Somebody standing higher, or the same author later, did something about the same thing at
    /// the same time.
    #[error("somebody standing higher settled the same thing at the same time")]
    Outranked {
        /// The op that stands instead.
        by: OpId,
    },
    /// An op that it rests on (its author's admission or promotion, that of whom it is about,
    /// the invite) is void.
    #[error("it rests on an op that is void itself")]
    Unfounded {
        /// The op that it rests on.
        on: OpId,
    },
}
