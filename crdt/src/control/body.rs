//! What a control op does, kind by kind, and the bytes of it.
//!
//! A body that does not parse, or holds a value that this program does not know, is
//! [`Body::Unknown`]: an older program keeps and passes on what a newer one wrote, and one
//! strange op does not stop the log.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use super::role::Role;
use crate::crypto::sign::SIGNATURE_LEN;
use crate::encoding::{self, DecodeError, check_text};
use crate::identity::Certificate;
use crate::ids::{EpochId, InviteId, Window};
use crate::keys::KeyHashes;
use crate::limits::{EPOCH_REPLACES_MAX, INVITE_USES_MAX, NAME_MAX_CHARS, OP_MAX, TOPIC_MAX_CHARS};
use crate::time::Millis;

/// The kind of a channel in its Create op.
pub const CHANNEL_GROUP: u8 = 0;

/// What a control op does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Founds the channel; its author becomes the owner.
    Create {
        /// Makes the channel's id unique.
        nonce: [u8; 16],
        /// The first name.
        name: String,
        /// What kind of channel: [`CHANNEL_GROUP`].
        kind: u8,
        /// The founder's certificate.
        certificate: Certificate,
    },
    /// Brings a newer certificate of the author's account.
    Devices {
        /// The certificate.
        certificate: Certificate,
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
    /// Of a kind or with a value that this program does not know.
    Unknown {
        /// The kind.
        kind: u16,
        /// The body as received.
        body: Vec<u8>,
    },
}

/// One field of the channel's policy and its new value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Policy {
    /// The channel's name, at most [`NAME_MAX_CHARS`] characters.
    Name(String),
    /// The channel's topic, at most [`TOPIC_MAX_CHARS`] characters.
    Topic(String),
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
    /// Hours in a window: 24 or 1.
    #[n(4)]
    pub unit_hours: u8,
    /// What its keys are told by.
    #[n(5)]
    pub key_hashes: KeyHashes,
}

const CREATE: u16 = 1;
const DEVICES: u16 = 2;
const INVITE: u16 = 3;
const REVOKE_INVITE: u16 = 4;
const JOIN: u16 = 5;
const LEAVE: u16 = 6;
const POLICY: u16 = 7;
const EPOCH: u16 = 8;

const POLICY_NAME: u8 = 1;
const POLICY_TOPIC: u8 = 2;

impl Body {
    /// The number of the kind on the wire.
    pub const fn kind(&self) -> u16 {
        match self {
            Self::Create { .. } => CREATE,
            Self::Devices { .. } => DEVICES,
            Self::Invite { .. } => INVITE,
            Self::RevokeInvite { .. } => REVOKE_INVITE,
            Self::Join { .. } => JOIN,
            Self::Leave => LEAVE,
            Self::Policy(_) => POLICY,
            Self::Epoch(_) => EPOCH,
            Self::Unknown { kind, .. } => *kind,
        }
    }

    /// The bytes of the body.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self.clone() {
            Self::Create {
                nonce,
                name,
                kind,
                certificate,
            } => encoding::encode(&CreateWire {
                nonce,
                name,
                kind,
                certificate,
            }),
            Self::Devices { certificate } => encoding::encode(&DevicesWire { certificate }),
            Self::Invite {
                invite,
                role,
                uses,
                expires_at,
            } => encoding::encode(&InviteWire {
                invite,
                role,
                uses,
                expires_at,
            }),
            Self::RevokeInvite { invite } => encoding::encode(&RevokeInviteWire { invite }),
            Self::Join {
                invite,
                certificate,
                countersignature,
            } => encoding::encode(&JoinWire {
                invite,
                certificate,
                countersignature,
            }),
            Self::Leave => encoding::encode(&LeaveWire {}),
            Self::Policy(Policy::Name(name)) => policy_bytes(POLICY_NAME, &name),
            Self::Policy(Policy::Topic(topic)) => policy_bytes(POLICY_TOPIC, &topic),
            Self::Epoch(epoch) => encoding::encode(&epoch),
            Self::Unknown { body, .. } => body,
        }
    }

    /// Reads a body as far as this program understands it.
    pub fn read(kind: u16, bytes: &[u8]) -> Self {
        Self::read_known(kind, bytes)
            .ok()
            .flatten()
            .unwrap_or_else(|| Self::Unknown {
                kind,
                body: bytes.to_vec(),
            })
    }

    fn read_known(kind: u16, bytes: &[u8]) -> Result<Option<Self>, DecodeError> {
        let body = match kind {
            CREATE => {
                let CreateWire {
                    nonce,
                    name,
                    kind,
                    certificate,
                } = decode(bytes)?;
                Self::Create {
                    nonce,
                    name,
                    kind,
                    certificate,
                }
            }
            DEVICES => {
                let DevicesWire { certificate } = decode(bytes)?;
                Self::Devices { certificate }
            }
            INVITE => {
                let InviteWire {
                    invite,
                    role,
                    uses,
                    expires_at,
                } = decode(bytes)?;
                Self::Invite {
                    invite,
                    role,
                    uses,
                    expires_at,
                }
            }
            REVOKE_INVITE => {
                let RevokeInviteWire { invite } = decode(bytes)?;
                Self::RevokeInvite { invite }
            }
            JOIN => {
                let JoinWire {
                    invite,
                    certificate,
                    countersignature,
                } = decode(bytes)?;
                Self::Join {
                    invite,
                    certificate,
                    countersignature,
                }
            }
            LEAVE => {
                let LeaveWire {} = decode(bytes)?;
                Self::Leave
            }
            POLICY => {
                let PolicyWire { field, value } = decode(bytes)?;
                match field {
                    POLICY_NAME => Self::Policy(Policy::Name(decode(&value)?)),
                    POLICY_TOPIC => Self::Policy(Policy::Topic(decode(&value)?)),
                    _ => return Ok(None),
                }
            }
            EPOCH => Self::Epoch(decode(bytes)?),
            _ => return Ok(None),
        };
        body.check()?;
        Ok(Some(body))
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
                in_range(*kind == CHANNEL_GROUP, "channel kind")
            }
            Self::Invite { uses, .. } => {
                in_range((1..=INVITE_USES_MAX).contains(uses), "uses of an invite")
            }
            Self::Policy(Policy::Name(name)) => check_text(name, NAME_MAX_CHARS, "channel name"),
            Self::Policy(Policy::Topic(topic)) => check_text(topic, TOPIC_MAX_CHARS, "topic"),
            Self::Epoch(epoch) => {
                in_range(
                    epoch.replaces.len() <= EPOCH_REPLACES_MAX,
                    "epochs replaced",
                )?;
                in_range(matches!(epoch.unit_hours, 1 | 24), "hours of a window")?;
                let starts = epoch
                    .first_window
                    .0
                    .is_multiple_of(u32::from(epoch.unit_hours));
                in_range(starts, "first window")
            }
            _ => Ok(()),
        }
    }
}

fn decode<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, DecodeError> {
    encoding::decode(bytes, OP_MAX)
}

fn policy_bytes(field: u8, value: &str) -> Vec<u8> {
    encoding::encode(&PolicyWire {
        field,
        value: encoding::encode(&value).into(),
    })
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct CreateWire {
    #[cbor(n(0), with = "minicbor::bytes")]
    nonce: [u8; 16],
    #[n(1)]
    name: String,
    #[n(2)]
    kind: u8,
    #[n(3)]
    certificate: Certificate,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct DevicesWire {
    #[n(0)]
    certificate: Certificate,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct InviteWire {
    #[n(0)]
    invite: InviteId,
    #[n(1)]
    role: Role,
    #[n(2)]
    uses: u32,
    #[n(3)]
    expires_at: Millis,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct RevokeInviteWire {
    #[n(0)]
    invite: InviteId,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct JoinWire {
    #[n(0)]
    invite: InviteId,
    #[n(1)]
    certificate: Certificate,
    #[cbor(n(2), with = "minicbor::bytes")]
    countersignature: [u8; SIGNATURE_LEN],
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct LeaveWire {}

#[derive(Encode, Decode)]
#[cbor(array)]
struct PolicyWire {
    #[n(0)]
    field: u8,
    #[n(1)]
    value: ByteVec,
}
