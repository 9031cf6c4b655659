//! The header of an envelope: where it belongs, what it follows, and what its parts hash to.
//!
//! Parsing bounds every field; it believes none of them. The bytes that were signed are kept by
//! the envelope, so nothing here is ever encoded again to be verified.

use std::convert::Infallible;

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encoder, encode as cbor};

use super::EnvelopeError;
use crate::encoding::{DecodeError, decode, encode};
use crate::ids::{
    ChannelId, ChannelTag, DeviceId, EpochId, LogId, Place, SegmentId, Window, Writer,
};
use crate::limits::HEADER_MAX;
use crate::time::Hlc;

/// The version of header that this code writes and reads.
pub const VERSION: u32 = 1;

/// Bytes of a header with both hashes and the largest numbers.
const HEADER_CAPACITY: usize = 288;

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The short tag of the channel.
    pub tag: ChannelTag,
    /// Segment, writer and number.
    pub place: Place,
    /// Link of the log's previous envelope, or zeros at number 1.
    pub prev: [u8; 32],
    /// When it was written.
    pub hlc: Hlc,
    /// The epoch whose window key seals it.
    pub epoch: EpochId,
    /// Makes the keys of this envelope its own; the nonce of both parts.
    pub salt: [u8; 24],
    /// Binds the ciphertexts to one key.
    pub commitment: [u8; 32],
    /// Hash of the sealed change.
    pub change_hash: [u8; 32],
    /// Hash of the sealed body, if there is or was one.
    pub body_hash: Option<[u8; 32]>,
}

#[derive(Decode)]
#[cbor(array)]
struct Wire {
    #[n(1)]
    tag: ChannelTag,
    #[n(2)]
    window: Window,
    #[n(3)]
    index: u32,
    #[n(4)]
    device: DeviceId,
    #[n(5)]
    incarnation: u32,
    #[n(6)]
    seq: u32,
    #[n(7)]
    prev: ByteArray<32>,
    #[n(8)]
    hlc: Hlc,
    #[n(9)]
    epoch: EpochId,
    #[n(10)]
    salt: ByteArray<24>,
    #[n(11)]
    commitment: ByteArray<32>,
    #[n(12)]
    change_hash: ByteArray<32>,
    #[n(13)]
    body_hash: Option<ByteArray<32>>,
}

impl Header {
    /// Parses a header of `channel`.
    ///
    /// # Errors
    /// [`EnvelopeError::Unknown`] for another version, [`EnvelopeError::OtherChannel`] for
    /// another tag, [`EnvelopeError::Malformed`] for everything else.
    pub fn parse(bytes: &[u8], channel: &ChannelId) -> Result<Self, EnvelopeError> {
        if bytes.len() > HEADER_MAX {
            return Err(DecodeError::TooLarge {
                len: bytes.len(),
                max: HEADER_MAX,
            }
            .into());
        }
        match version(bytes)? {
            VERSION => {}
            other => return Err(EnvelopeError::Unknown(other)),
        }
        let header = Self::from_wire(decode(bytes, HEADER_MAX)?)?;
        if header.tag == channel.tag() {
            Ok(header)
        } else {
            Err(EnvelopeError::OtherChannel)
        }
    }

    /// The canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.fields(13 + u64::from(self.body_hash.is_some()));
        for hash in [Some(self.change_hash), self.body_hash]
            .into_iter()
            .flatten()
        {
            bytes.extend(encode(&ByteArray::from(hash)));
        }
        bytes
    }

    /// The encoding of the first twelve fields: what the parts are bound to, before their own
    /// hashes are known.
    pub(super) fn binding(&self) -> Vec<u8> {
        self.fields(12)
    }

    /// The first twelve fields behind the head of an array of `count`.
    fn fields(&self, count: u64) -> Vec<u8> {
        let LogId { segment, writer } = self.place.log;
        let mut e = Encoder::new(Vec::with_capacity(HEADER_CAPACITY));
        let mut write = || -> Result<(), cbor::Error<Infallible>> {
            e.array(count)?.u32(VERSION)?.bytes(&self.tag.0)?;
            e.u32(segment.window.0)?.u32(segment.index)?;
            e.bytes(&writer.device.0)?
                .u32(writer.incarnation)?
                .u32(self.place.seq)?;
            e.bytes(&self.prev)?.u64(self.hlc.0)?.bytes(&self.epoch.0)?;
            e.bytes(&self.salt)?.bytes(&self.commitment)?.ok()
        };
        write().expect("writing CBOR to memory does not fail");
        e.into_writer()
    }

    fn from_wire(wire: Wire) -> Result<Self, DecodeError> {
        if wire.seq == 0 {
            return Err(DecodeError::OutOfRange("envelope number"));
        }
        let segment = SegmentId {
            window: wire.window,
            index: wire.index,
        };
        segment.check()?;
        let writer = Writer {
            device: wire.device,
            incarnation: wire.incarnation,
        };
        Ok(Self {
            tag: wire.tag,
            place: LogId { segment, writer }.place(wire.seq),
            prev: wire.prev.into(),
            hlc: wire.hlc,
            epoch: wire.epoch,
            salt: wire.salt.into(),
            commitment: wire.commitment.into(),
            change_hash: wire.change_hash.into(),
            body_hash: wire.body_hash.map(Into::into),
        })
    }
}

/// Reads the version alone: what follows it may be of another shape.
fn version(bytes: &[u8]) -> Result<u32, DecodeError> {
    let mut decoder = minicbor::Decoder::new(bytes);
    decoder
        .array()
        .and_then(|_| decoder.u32())
        .map_err(|error| DecodeError::Malformed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::fixtures::{CHANNEL, envelope};

    fn header() -> Header {
        envelope(1, [0; 32], b"change", Some(b"body")).header
    }

    #[test]
    fn a_header_reads_back_as_it_was_written() {
        for body_hash in [None, Some([8; 32])] {
            let header = Header {
                body_hash,
                ..header()
            };
            assert_eq!(Header::parse(&header.to_bytes(), &CHANNEL), Ok(header));
        }
    }

    #[test]
    fn fields_of_a_later_revision_are_passed_over() {
        let mut bytes = header().to_bytes();
        bytes[0] += 1;
        bytes.extend([0x82, 1, 2]);
        assert_eq!(Header::parse(&bytes, &CHANNEL), Ok(header()));
    }

    #[test]
    fn every_field_has_its_bounds() {
        let mut headers = [header(), header()];
        headers[0].place.seq = 0;
        headers[1].place.log.segment.index = u32::MAX;
        for header in headers {
            let refused = Header::parse(&header.to_bytes(), &CHANNEL);
            assert!(matches!(
                refused,
                Err(EnvelopeError::Malformed(DecodeError::OutOfRange(_)))
            ));
        }
        let large = [header().to_bytes(), vec![0; HEADER_MAX]].concat();
        let refused = Header::parse(&large, &CHANNEL);
        assert!(matches!(
            refused,
            Err(EnvelopeError::Malformed(DecodeError::TooLarge { .. }))
        ));
    }

    #[test]
    fn a_header_belongs_to_one_channel() {
        let elsewhere = Header::parse(&header().to_bytes(), &ChannelId([8; 32]));
        assert_eq!(elsewhere, Err(EnvelopeError::OtherChannel));
    }
}
