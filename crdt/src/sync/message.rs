//! Requests and answers of `/kith/sync/1` as they stand on the wire.
//!
//! A message is `[kind: u16, …fields]`; `docs/protocol.md` section 9 has the table. Parsing says
//! that the bytes are a message, and nothing about whether its sender may ask or whether what it
//! brings is true: envelopes, ops, forks and beacons stay bytes until their own modules judge them.

use minicbor::Decoder;

use super::digest::{Digest, LogHead, SegmentDigest};
use super::wire::Fields;
use crate::crypto::sign::{SIGNATURE_LEN, Signed};
use crate::device_link::{Ask, Linked};
use crate::encoding::{self, DecodeError};
use crate::identity::Certificate;
use crate::ids::{ChannelId, ChannelTag, DeviceId, InviteId, LogId, OpId, SegmentId, Writer};
use crate::limits::SYNC_MESSAGE_MAX;
use crate::time::Hlc;

/// A segment whose logs are asked for.
///
/// On the wire `[window, index, device or null, incarnation or null]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VectorWant {
    /// The segment.
    pub segment: SegmentId,
    /// Only logs of writers behind this one: where an answer was cut within a segment.
    pub after: Option<Writer>,
}

/// The logs of one segment.
///
/// On the wire `[window, index, [log head]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentVector {
    /// The segment.
    pub segment: SegmentId,
    /// Its logs, by writer.
    pub logs: Vec<LogHead>,
}

/// A log that is asked for, from an envelope on.
///
/// On the wire `[window, index, device, incarnation, from_seq]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogWant {
    /// The log.
    pub log: LogId,
    /// The number of the first envelope asked for, from 1.
    pub from: u32,
}

/// A beacon that the asker holds.
///
/// On the wire `[device, hlc]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BeaconTime {
    /// Whose beacon.
    pub device: DeviceId,
    /// When it was made.
    pub hlc: Hlc,
}

/// What one node asks another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Whether both hold the same channel, and if not, where they differ.
    Summary {
        /// The channel.
        tag: ChannelTag,
        /// Some of the asker's control heads: a hint for the answerer that it lacks something.
        heads: Vec<OpId>,
        /// The digest of the asker's channel.
        digest: Digest,
        /// Only segments older than this one: where the list of an earlier answer was cut.
        below: Option<SegmentId>,
    },
    /// Control ops.
    Control {
        /// The channel.
        tag: ChannelTag,
        /// Ops that the asker holds with all their ancestors.
        have: Vec<OpId>,
    },
    /// Which logs segments have and how far they go.
    Vectors {
        /// The channel.
        tag: ChannelTag,
        /// The segments, in the order in which to answer.
        segments: Vec<VectorWant>,
    },
    /// Envelopes and proofs of forks.
    Pull {
        /// The channel.
        tag: ChannelTag,
        /// The logs, in the order in which to answer.
        logs: Vec<LogWant>,
    },
    /// Epoch keys: a signed `KeyRequest`, for the host to judge.
    Keys(Signed),
    /// The control log, for someone who shows that they hold an invite.
    Prove {
        /// The channel.
        tag: ChannelTag,
        /// The invite.
        invite: InviteId,
        /// By the invite key, over both ends' transport keys.
        signature: [u8; SIGNATURE_LEN],
        /// Ops that the asker holds with all their ancestors, as in `Control`.
        have: Vec<OpId>,
    },
    /// Control ops that the other side may lack, such as the asker's own Join.
    Offer {
        /// The channel.
        tag: ChannelTag,
        /// Signed ops as received, parents first.
        ops: Vec<Vec<u8>>,
    },
    /// Beacons newer than those held.
    Beacons {
        /// The channel.
        tag: ChannelTag,
        /// The newest that the asker holds of each device.
        have: Vec<BeaconTime>,
    },
    /// To become a device of the account of whoever shows a link.
    Link(Box<Ask>),
    /// The nonce that a `Link` committed to; repeated until there is an end of it.
    LinkOpen {
        /// The nonce.
        nonce: [u8; 32],
    },
    /// What is known of the asker's account, whose certificate this is.
    Account(Box<Certificate>),
    /// A request of a kind that this version does not know: refused, and nothing more.
    Unknown {
        /// Its kind.
        kind: u16,
    },
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Both hold the same channel.
    Same,
    /// They do not.
    Differs {
        /// The answerer's control heads.
        heads: Vec<OpId>,
        /// The answerer's segments, newest first.
        segments: Vec<SegmentDigest>,
        /// Whether there are older ones.
        more: bool,
    },
    /// Control ops.
    Ops {
        /// Signed ops as received, parents first.
        ops: Vec<Vec<u8>>,
        /// Whether there are more.
        more: bool,
    },
    /// The logs of the first of the segments asked for.
    Vectors {
        /// In the order asked.
        segments: Vec<SegmentVector>,
        /// Whether the last of them has further logs.
        more: bool,
    },
    /// Envelopes and forks of the first of the logs asked for.
    Page {
        /// Envelopes, log by log in the order asked.
        envelopes: Vec<Vec<u8>>,
        /// Fork proofs of logs asked for.
        forks: Vec<Vec<u8>>,
    },
    /// A `KeyAnswer`, for the host to open.
    Keys(Vec<u8>),
    /// How many offered ops were taken.
    Taken {
        /// Ops that are in the answerer's log now.
        count: u32,
    },
    /// Beacons.
    Beacons {
        /// Each signed by its device.
        beacons: Vec<Signed>,
        /// Whether there are more.
        more: bool,
    },
    /// What the code is made of, besides what the asker knows.
    LinkNonce {
        /// Drawn for this exchange.
        nonce: [u8; 32],
    },
    /// Nobody has confirmed the code yet.
    LinkAwaited,
    /// Somebody has.
    Linked(Box<Linked>),
    /// What is known of the asker's account.
    Account {
        /// The certificate that counts here, if the account is the answerer's as well.
        certificate: Option<Box<Certificate>>,
        /// Channels that the account belongs to.
        channels: Vec<ChannelId>,
    },
    /// No.
    Refused(Refusal),
    /// An answer of a kind that this version does not know.
    Unknown {
        /// Its kind.
        kind: u16,
    },
}

/// Why a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Refusal {
    /// The channel is unknown here or the asker does not belong to it; which of both is not said.
    #[error("the other side does not share this channel with this device")]
    NotForYou,
    /// The request is malformed or of an unknown kind.
    #[error("the other side does not understand the request")]
    Malformed,
    /// Too much to do; try again later.
    #[error("the other side is busy")]
    Busy,
    /// The invite was revoked.
    #[error("the invite was revoked")]
    InviteRevoked,
    /// The invite has expired.
    #[error("the invite has expired")]
    InviteExpired,
    /// Every use of the invite has been made.
    #[error("the invite has been used up")]
    InviteUsedUp,
    /// The link for a device has expired.
    #[error("the link has expired")]
    LinkExpired,
    /// The link for a device was used, withdrawn or tried too often, or nobody shows one.
    #[error("the link is not good any more")]
    LinkOver,
    /// A reason that this version does not know.
    #[error("refused for a reason that this version does not know ({0})")]
    Other(u8),
}

impl Refusal {
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::NotForYou => 1,
            Self::Malformed => 2,
            Self::Busy => 3,
            Self::InviteRevoked => 4,
            Self::InviteExpired => 5,
            Self::InviteUsedUp => 6,
            Self::LinkExpired => 7,
            Self::LinkOver => 8,
            Self::Other(code) => code,
        }
    }

    pub(super) const fn from_code(code: u8) -> Self {
        match code {
            1 => Self::NotForYou,
            2 => Self::Malformed,
            3 => Self::Busy,
            4 => Self::InviteRevoked,
            5 => Self::InviteExpired,
            6 => Self::InviteUsedUp,
            7 => Self::LinkExpired,
            8 => Self::LinkOver,
            other => Self::Other(other),
        }
    }
}

impl Request {
    /// The bytes of the request, without the length that the transport puts before them.
    pub fn to_bytes(&self) -> Vec<u8> {
        encoding::encode(self)
    }

    /// Reads a request.
    ///
    /// # Errors
    /// [`DecodeError`] if it is longer than [`SYNC_MESSAGE_MAX`] or not a request.
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        encoding::decode(bytes, SYNC_MESSAGE_MAX)
    }

    /// The tag of the channel that the request is about, if it names one. That of a key request
    /// is read without judging its signature.
    pub fn tag(&self) -> Option<ChannelTag> {
        match self {
            Self::Summary { tag, .. }
            | Self::Control { tag, .. }
            | Self::Vectors { tag, .. }
            | Self::Pull { tag, .. }
            | Self::Prove { tag, .. }
            | Self::Offer { tag, .. }
            | Self::Beacons { tag, .. } => Some(*tag),
            Self::Keys(signed) => Fields::open(&mut Decoder::new(&signed.payload))
                .ok()?
                .get()
                .ok(),
            Self::Link(_) | Self::LinkOpen { .. } | Self::Account(_) | Self::Unknown { .. } => None,
        }
    }
}

impl Answer {
    /// The bytes of the answer, without the length that the transport puts before them.
    pub fn to_bytes(&self) -> Vec<u8> {
        encoding::encode(self)
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// [`DecodeError`] if it is longer than [`SYNC_MESSAGE_MAX`] or not an answer.
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        encoding::decode(bytes, SYNC_MESSAGE_MAX)
    }
}
