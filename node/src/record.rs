//! What the node keeps about channels and events in the store, in its own bytes.
//!
//! Events are kept by reference: what was said is looked up when an event is told, so that an
//! event never outlives what it is about.

use kith_crdt::crypto::sign::Signed;
use kith_crdt::encoding::{self, DecodeError};
use kith_crdt::ids::{AccountId, ChannelId, DeviceId, MessageId, Place, Writer};
use kith_crdt::ranges::Ranges;
use kith_crdt::time::{Hlc, Millis};
use minicbor::{Decode, Encode};

/// Bytes that one of these records may have.
const RECORD_MAX: usize = 64 * 1024;

/// The number by which [`What::Setting`] tells that the retention was set: no right has it.
pub const SETTING_RETENTION: u8 = 100;
/// The number for the limits of retention.
pub const SETTING_RETENTION_LIMITS: u8 = 101;

/// How this node stands to a channel.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ChannelRecord {
    /// The channel.
    #[n(0)]
    pub channel: ChannelId,
    /// The invite link of a join under way; none once the channel is joined.
    #[n(1)]
    pub joining: Option<String>,
    /// The name it has until the control log has arrived.
    #[n(2)]
    pub name: String,
    /// How many bytes its envelopes may take up here; nothing if there is no bound.
    #[n(3)]
    pub quota: Option<u64>,
    /// Whether this account has left and no member is known to have heard of it.
    #[cbor(n(4), default)]
    pub leaving: bool,
}

/// When it became known how far a device has a log, oldest first. The first entry only says where
/// what is known begins.
pub type Arrivals = Vec<(u32, Millis)>;

/// How far a device holds the logs of one segment.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct HoldsRecord {
    /// The highest number held of each writer's log.
    #[n(0)]
    pub logs: Vec<(Writer, u32)>,
    /// Of this device's own logs: when each number became known to be held, as
    /// `Holds::since` reads it.
    #[n(1)]
    pub arrivals: Option<Vec<(Writer, Arrivals)>>,
    /// Of which messages of each writer's log it has no text any more, as it says.
    #[cbor(n(2), default)]
    pub erased: Vec<(Writer, Ranges)>,
}

/// The newest beacon of a device.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct BeaconRecord {
    /// The device.
    #[n(0)]
    pub device: DeviceId,
    /// The time of the newest beacon.
    #[n(1)]
    pub hlc: Hlc,
    /// The beacon as signed, to be passed on.
    #[n(2)]
    pub signed: Signed,
}

/// A delivery state that a message of ours has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Arrival {
    /// On one other device.
    #[n(1)]
    Sent,
    /// On one device of every member.
    #[n(2)]
    Delivered,
    /// Read by every member.
    #[n(3)]
    Read,
    /// Over before any other device had it.
    #[n(4)]
    Failed,
}

/// A durable event.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Happening {
    /// Where it happened.
    #[n(0)]
    pub channel: ChannelId,
    /// When, by this node's clock or by the entry's.
    #[n(1)]
    pub at: Millis,
    /// What happened.
    #[n(2)]
    pub what: What,
}

/// What a durable event is about, by reference.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum What {
    /// A message arrived or was written here.
    #[n(0)]
    Message(#[n(0)] MessageId),
    /// A message has another text.
    #[n(1)]
    Edited(#[n(0)] MessageId),
    /// A message was deleted.
    #[n(2)]
    Deleted(#[n(0)] MessageId),
    /// A reaction was added or removed by the entry at a place.
    #[n(3)]
    Reaction(#[n(0)] MessageId, #[n(1)] Place),
    /// An account read messages.
    #[n(4)]
    Read(#[n(0)] AccountId, #[n(1)] Vec<MessageId>),
    /// A message of ours got further.
    #[n(5)]
    Arrived(#[n(0)] MessageId, #[n(1)] Arrival),
    /// Somebody joined, left or has another name or role.
    #[n(6)]
    Member(#[n(0)] AccountId),
    /// The channel has another name or topic.
    #[n(7)]
    Policy,
    /// Something else of the channel's policy was set: a right by its number, with 0 what newcomers
    /// may read, or what [`SETTING_RETENTION`] and [`SETTING_RETENTION_LIMITS`] say.
    #[n(8)]
    Setting(#[n(0)] u8),
    /// A message was pinned or unpinned by the entry at a place.
    #[n(9)]
    Pin(#[n(0)] MessageId, #[n(1)] Place),
    /// This account has set something for itself, by the entry at a place.
    #[n(11)]
    Own(#[n(0)] Place),
    /// A message is over.
    #[n(10)]
    Expired(#[n(0)] MessageId),
}

impl Happening {
    /// The bytes that are kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        encoding::encode(self)
    }

    /// Reads what was kept.
    ///
    /// # Errors
    /// [`DecodeError`] if these are not the bytes of an event.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        encoding::decode(bytes, RECORD_MAX)
    }
}
