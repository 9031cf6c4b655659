//! What a control op does, kind by kind. Its bytes are in `bytes`.
//!
//! A body that does not parse, or holds a value that this program does not know, is
//! [`Body::Unknown`]: an older program keeps and passes on what a newer one wrote, and one
//! strange op does not stop the log.

mod bytes;

use minicbor::{Decode, Encode};

use super::policy::Policy;
use super::role::Role;
use super::seen::LastSeen;
use crate::crypto::sign::SIGNATURE_LEN;
use crate::encoding::{DecodeError, check_text};
use crate::identity::Certificate;
use crate::ids::{AccountId, EpochId, InviteId, Window};
use crate::keys::KeyHashes;
use crate::limits::{EPOCH_REPLACES_MAX, INVITE_USES_MAX, NAME_MAX_CHARS};
use crate::term::Term;
use crate::time::Millis;

/// The kind of a channel, in its Create op, to which people belong.
pub const CHANNEL_GROUP: u8 = 0;
/// The kind of a channel that one account keeps its settings in: nobody else is let in.
pub const CHANNEL_SELF: u8 = 1;

/// What a control op does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Founds the channel; its author becomes the owner.
    Create {
        /// Makes the channel's id unique.
        nonce: [u8; 16],
        /// The first name.
        name: String,
        /// What kind of channel: [`CHANNEL_GROUP`] or [`CHANNEL_SELF`].
        kind: u8,
        /// The founder's certificate.
        certificate: Certificate,
    },
    /// Brings a certificate of the author's account that says something new.
    Devices {
        /// The certificate.
        certificate: Certificate,
        /// What the author had of the messages of those devices that it cuts off, if it does.
        last_seen: Option<LastSeen>,
    },
    /// Opens an invite.
    Invite {
        /// The public half of the invite's key.
        invite: InviteId,
        /// The role of whoever joins by it.
        role: Role,
        /// How many accounts may join by it; at least 1.
        uses: u32,
        /// When it expires.
        expires_at: Millis,
    },
    /// Closes an invite.
    RevokeInvite {
        /// The invite.
        invite: InviteId,
    },
    /// Joins by an invite; written by the joiner.
    Join {
        /// The invite.
        invite: InviteId,
        /// The joiner's certificate.
        certificate: Certificate,
        /// The invite key's signature over the account and its device list.
        countersignature: [u8; SIGNATURE_LEN],
    },
    /// Leaves the channel.
    Leave,
    /// Sets one field of the channel's policy.
    Policy(Policy),
    /// Names a new epoch.
    Epoch(EpochOp),
    /// Lets somebody in without an invite.
    Add {
        /// Their role.
        role: Role,
        /// Their certificate.
        certificate: Certificate,
    },
    /// Gives a member another role.
    SetRole {
        /// Whose.
        account: AccountId,
        /// The role.
        role: Role,
    },
    /// Removes a member.
    Remove {
        /// Whom.
        account: AccountId,
        /// What the author had of their messages.
        last_seen: LastSeen,
    },
    /// Removes an account, if it belongs, and keeps it out.
    Ban {
        /// Whom.
        account: AccountId,
        /// What the author had of their messages.
        last_seen: LastSeen,
        /// When the ban ends; never without.
        until: Option<Millis>,
    },
    /// Ends a ban.
    Unban {
        /// Whose.
        account: AccountId,
    },
    /// Takes a member the right to write and react until some time.
    Mute {
        /// Whom.
        account: AccountId,
        /// When the mute ends. A time that is over ends one.
        until: Millis,
    },
    /// Of a kind or with a value that this program does not know.
    Unknown {
        /// The kind.
        kind: u16,
        /// The body as received.
        body: Vec<u8>,
    },
}

/// A new epoch: what it is called and where its keys begin, and nothing of the keys.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct EpochOp {
    /// The epoch.
    #[n(0)]
    pub epoch: EpochId,
    /// The epochs that its author used until now; at most [`EPOCH_REPLACES_MAX`].
    #[n(1)]
    pub replaces: Vec<EpochId>,
    /// The hash of the roster that its author saw, for whoever asks why.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub roster_hash: [u8; 32],
    /// The window at which its chain begins.
    #[n(3)]
    pub first_window: Window,
    /// How long what is sealed in it is kept; gives the length of its windows.
    #[n(4)]
    pub term: Term,
    /// What its keys are told by.
    #[n(5)]
    pub key_hashes: KeyHashes,
}

impl Body {
    /// The certificate that the op brings, if it brings one.
    pub const fn certificate(&self) -> Option<&Certificate> {
        match self {
            Self::Create { certificate, .. }
            | Self::Devices { certificate, .. }
            | Self::Join { certificate, .. }
            | Self::Add { certificate, .. } => Some(certificate),
            _ => None,
        }
    }

    /// The account that the op is about, other than by a certificate in it.
    pub const fn subject(&self) -> Option<AccountId> {
        match self {
            Self::SetRole { account, .. }
            | Self::Remove { account, .. }
            | Self::Ban { account, .. }
            | Self::Unban { account }
            | Self::Mute { account, .. } => Some(*account),
            _ => None,
        }
    }

    /// Holds the body against its bounds.
    pub(super) fn check(&self) -> Result<(), DecodeError> {
        let in_range = |holds: bool, what: &'static str| {
            if holds {
                Ok(())
            } else {
                Err(DecodeError::OutOfRange(what))
            }
        };
        match self {
            Self::Create { name, kind, .. } => {
                check_text(name, NAME_MAX_CHARS, "channel name")?;
                in_range(
                    matches!(*kind, CHANNEL_GROUP | CHANNEL_SELF),
                    "channel kind",
                )
            }
            Self::Invite { uses, .. } => {
                in_range((1..=INVITE_USES_MAX).contains(uses), "uses of an invite")
            }
            Self::Policy(policy) => policy.check(),
            Self::Remove { last_seen, .. }
            | Self::Ban { last_seen, .. }
            | Self::Devices {
                last_seen: Some(last_seen),
                ..
            } => last_seen.check(),
            Self::Epoch(epoch) => {
                in_range(
                    epoch.replaces.len() <= EPOCH_REPLACES_MAX,
                    "epochs replaced",
                )?;
                epoch.term.check()?;
                let starts = epoch
                    .first_window
                    .0
                    .is_multiple_of(u32::from(epoch.term.unit_hours()));
                in_range(starts, "first window")
            }
            _ => Ok(()),
        }
    }
}
