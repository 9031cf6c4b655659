//! The names of things: fixed-size ids, how they are derived, shown and parsed.
//!
//! Nothing here is secret and nothing here is checked: an id in hand says that somebody
//! named a thing, not that the thing exists or that its author might make it.

use std::fmt;

use data_encoding::BASE32_NOPAD;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use crate::crypto::hash;

/// Says why a text is not an id of the asked kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid id: expected {expected} lower-case base32 characters (a-z, 2-7)")]
pub struct ParseIdError {
    /// How many characters the whole id has.
    pub expected: usize,
}

/// Encodes bytes as lower-case base32 without padding (RFC 4648).
pub fn base32(bytes: &[u8]) -> String {
    BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}

/// Decodes lower- or upper-case base32 without padding.
pub fn from_base32(text: &str) -> Option<Vec<u8>> {
    BASE32_NOPAD
        .decode(text.to_ascii_uppercase().as_bytes())
        .ok()
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// The length in bytes.
            pub const LEN: usize = $len;

            /// The bytes of the id.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// Reads an id out of exactly as many bytes as it has.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&base32(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let text = base32(&self.0);
                write!(f, "{}({})", stringify!($name), &text[..text.len().min(8)])
            }
        }

        impl std::str::FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                from_base32(text)
                    .and_then(|bytes| Self::from_slice(&bytes))
                    .ok_or(ParseIdError { expected: ($len * 8usize).div_ceil(5) })
            }
        }

        impl<C> Encode<C> for $name {
            fn encode<W: encode::Write>(
                &self,
                e: &mut Encoder<W>,
                _: &mut C,
            ) -> Result<(), encode::Error<W::Error>> {
                e.bytes(&self.0)?.ok()
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
                let at = d.position();
                Self::from_slice(d.bytes()?)
                    .ok_or_else(|| decode::Error::message(concat!("wrong length of ", stringify!($name))).at(at))
            }
        }
    };
}

id! {
    /// A person: the Ed25519 recovery public key.
    AccountId, 32
}
id! {
    /// One installation of an account: its Ed25519 signing public key.
    DeviceId, 32
}
id! {
    /// The libp2p Ed25519 public key of a device, behind its peer id.
    TransportKey, 32
}
id! {
    /// A conversation: the op id of its Create op, so that it certifies itself.
    ChannelId, 32
}
id! {
    /// An op of a control log: the hash of its signed payload.
    OpId, 32
}
id! {
    /// An invite: its Ed25519 public key.
    InviteId, 32
}
id! {
    /// An epoch: a hash of its secret and its channel.
    EpochId, 16
}
id! {
    /// What a header shows of its channel.
    ChannelTag, 8
}
id! {
    /// A writer's Automerge actor id in a channel.
    Actor, 16
}
id! {
    /// A message: where it was written, hashed. 16 characters when shown.
    MessageId, 10
}

impl ChannelId {
    /// The short tag that headers and requests carry.
    pub fn tag(&self) -> ChannelTag {
        let full = hash::derive("channel-tag", &[&self.0]);
        let mut tag = [0; ChannelTag::LEN];
        tag.copy_from_slice(&full[..ChannelTag::LEN]);
        ChannelTag(tag)
    }
}

/// A stretch of time with its own key, named by the hour (since the Unix epoch) at which it
/// starts. How long it is (24 hours or 1) follows from the [`Term`](crate::term::Term) of what is
/// in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Window(#[n(0)] pub u32);

/// One document of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(array)]
pub struct SegmentId {
    /// The window it belongs to.
    #[n(0)]
    pub window: Window,
    /// Its term and its number: `term.rs` takes it apart.
    #[n(1)]
    pub index: u32,
}

/// Who appends to a log: a device in one of its incarnations. A restored or copied home takes a
/// new incarnation before it writes, so a log is never continued by two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(array)]
pub struct Writer {
    /// The device that signs.
    #[n(0)]
    pub device: DeviceId,
    /// Which life of the device; drawn at random.
    #[n(1)]
    pub incarnation: u32,
}

impl Writer {
    /// The Automerge actor id under which this writer changes documents of `channel`.
    pub fn actor(&self, channel: &ChannelId) -> Actor {
        let full = hash::derive(
            "actor",
            &[&channel.0, &self.device.0, &self.incarnation.to_be_bytes()],
        );
        let mut actor = [0; Actor::LEN];
        actor.copy_from_slice(&full[..Actor::LEN]);
        Actor(actor)
    }
}

/// One log of a channel: the envelopes of one writer in one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(array)]
pub struct LogId {
    /// The segment.
    #[n(0)]
    pub segment: SegmentId,
    /// The writer.
    #[n(1)]
    pub writer: Writer,
}

impl LogId {
    /// The place of the envelope with this number in the log.
    pub const fn place(self, seq: u32) -> Place {
        Place { log: self, seq }
    }
}

/// Where an envelope is: its log and its number in it, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(array)]
pub struct Place {
    /// The log.
    #[n(0)]
    pub log: LogId,
    /// The envelope's number, from 1.
    #[n(1)]
    pub seq: u32,
}

impl Place {
    /// The id of the message written at this place of `channel`.
    pub fn message_id(&self, channel: &ChannelId) -> MessageId {
        let LogId { segment, writer } = self.log;
        let full = hash::derive(
            "message-id",
            &[
                &channel.0,
                &segment.window.0.to_be_bytes(),
                &segment.index.to_be_bytes(),
                &writer.device.0,
                &writer.incarnation.to_be_bytes(),
                &self.seq.to_be_bytes(),
            ],
        );
        let mut id = [0; MessageId::LEN];
        id.copy_from_slice(&full[..MessageId::LEN]);
        MessageId(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_being_shown() {
        let id = MessageId([7; 10]);
        assert_eq!(id.to_string().len(), 16);
        assert_eq!(id.to_string().parse::<MessageId>().unwrap(), id);
        assert!("short".parse::<MessageId>().is_err());
    }
}
