//! One signed, encrypted entry of a log: parsed, verified, opened and made.
//!
//! An [`Envelope`] in hand is well formed, of the channel asked for, and its parts are the ones
//! its header names. That its device signed it is what [`Envelope::verify`] says; where it may go
//! is [`crate::log`]'s to decide; what is inside is believed only after [`crate::segment::read`].

mod header;
pub(crate) mod padding;
mod seal;
mod stored;

use minicbor::Encode;
use minicbor::bytes::{ByteArray, ByteSlice};

pub use header::{Header, VERSION};
pub use padding::padded_len;
pub use seal::{OpenError, Opened, Position, seal};

use crate::crypto::hash;
use crate::crypto::sign::{self, BadSignature, SIGNATURE_LEN};
use crate::encoding::{DecodeError, decode, encode};
use crate::ids::{ChannelId, LogId, Place};
use crate::limits::ENVELOPE_MAX;

/// Why bytes are not an envelope of the channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Too large or not of this structure.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// A version that this node does not know. Not the sender's fault.
    #[error("envelope version {0} is unknown: this node needs an upgrade")]
    Unknown(u32),
    /// The tag names another channel.
    #[error("the envelope belongs to another channel")]
    OtherChannel,
    /// A stored envelope says that it stands elsewhere than where it was found.
    #[error("the envelope belongs to another place")]
    OtherPlace,
    /// A part is not the one whose hash the header has.
    #[error("a part of the envelope is not the one its header names")]
    OtherPart,
}

/// An entry of a log as it travels. The body may be missing where it has been erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The header as it was signed.
    pub header_bytes: Vec<u8>,
    /// The writer's signature over it.
    pub signature: [u8; SIGNATURE_LEN],
    /// The sealed Automerge change.
    pub change_ct: Vec<u8>,
    /// The sealed text, if there is one and it has not been erased.
    pub body_ct: Option<Vec<u8>>,
    /// What the header says.
    pub header: Header,
}

#[derive(Encode, minicbor::Decode)]
#[cbor(array)]
struct Wire<'b> {
    #[b(0)]
    header: &'b ByteSlice,
    #[n(1)]
    signature: ByteArray<SIGNATURE_LEN>,
    #[b(2)]
    change_ct: &'b ByteSlice,
    #[b(3)]
    body_ct: Option<&'b ByteSlice>,
}

impl Envelope {
    /// Parses an envelope of `channel`. The signature is not looked at.
    ///
    /// # Errors
    /// [`EnvelopeError`]; nothing is parsed of more than [`ENVELOPE_MAX`] bytes.
    pub fn parse(bytes: &[u8], channel: &ChannelId) -> Result<Self, EnvelopeError> {
        let wire: Wire<'_> = decode(bytes, ENVELOPE_MAX)?;
        let header = Header::parse(wire.header, channel)?;
        let envelope = Self {
            header_bytes: wire.header.to_vec(),
            signature: wire.signature.into(),
            change_ct: wire.change_ct.to_vec(),
            body_ct: wire.body_ct.map(|body| body.to_vec()),
            header,
        };
        envelope.check_parts()?;
        Ok(envelope)
    }

    /// The envelope as it travels.
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(&Wire {
            header: self.header_bytes[..].into(),
            signature: self.signature.into(),
            change_ct: self.change_ct[..].into(),
            body_ct: self.body_ct.as_deref().map(Into::into),
        })
    }

    /// Where it is: log and number.
    pub const fn place(&self) -> Place {
        self.header.place
    }

    /// The log it is in.
    pub const fn log_id(&self) -> LogId {
        self.header.place.log
    }

    /// What the next envelope of the log names as its previous. It covers the signature too, so
    /// that equal links mean equal bytes.
    pub fn link(&self) -> [u8; 32] {
        link(&self.header_bytes, &self.signature)
    }

    /// Checks that the device in the header signed it for `channel`.
    ///
    /// # Errors
    /// [`BadSignature`] if not.
    pub fn verify(&self, channel: &ChannelId) -> Result<(), BadSignature> {
        verify(&self.header, &self.header_bytes, &self.signature, channel)
    }

    /// Drops the sealed body. The log still verifies, because the header has its hash.
    pub fn erase_body(&mut self) {
        self.body_ct = None;
    }

    /// Whether there was a body that is gone.
    pub const fn body_erased(&self) -> bool {
        self.header.body_hash.is_some() && self.body_ct.is_none()
    }

    fn check_parts(&self) -> Result<(), EnvelopeError> {
        let body_hash = self.body_ct.as_deref().map(hash_body);
        let body_fits = body_hash.is_none() || body_hash == self.header.body_hash;
        if hash_change(&self.change_ct) == self.header.change_hash && body_fits {
            Ok(())
        } else {
            Err(EnvelopeError::OtherPart)
        }
    }
}

/// The link of a header and its signature.
pub(crate) fn link(header: &[u8], signature: &[u8; SIGNATURE_LEN]) -> [u8; 32] {
    hash::derive("link", &[header, signature])
}

/// Checks a header's signature.
pub(crate) fn verify(
    header: &Header,
    bytes: &[u8],
    signature: &[u8; SIGNATURE_LEN],
    channel: &ChannelId,
) -> Result<(), BadSignature> {
    let device = &header.place.log.writer.device;
    sign::verify(&device.0, "envelope", &channel.0, bytes, signature)
}

fn hash_change(sealed: &[u8]) -> [u8; 32] {
    hash::derive("change-ct", &[sealed])
}

fn hash_body(sealed: &[u8]) -> [u8; 32] {
    hash::derive("body-ct", &[sealed])
}

#[cfg(test)]
pub(crate) mod fixtures {
    //! Envelopes of one device in one channel, alike on every run.

    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::{Envelope, Position, seal};
    use crate::crypto::secret::Secret;
    use crate::crypto::sign::SecretKey;
    use crate::ids::{ChannelId, DeviceId, EpochId, LogId, SegmentId, Window, Writer};
    use crate::time::{HOUR_MS, Hlc, Millis};

    pub(crate) const CHANNEL: ChannelId = ChannelId([9; 32]);
    pub(crate) const WINDOW: Window = Window(24 * 20_000);
    pub(crate) const NOON: Millis = Millis(WINDOW.0 as u64 * HOUR_MS + 12 * HOUR_MS);

    pub(crate) fn signing() -> SecretKey {
        SecretKey::from_seed(&Secret::new([2; 32]))
    }

    pub(crate) fn window_key() -> Secret {
        Secret::new([5; 32])
    }

    pub(crate) fn log_id() -> LogId {
        let writer = Writer {
            device: DeviceId(signing().public()),
            incarnation: 1,
        };
        LogId {
            segment: SegmentId {
                window: WINDOW,
                index: 0,
            },
            writer,
        }
    }

    pub(crate) fn position(seq: u32, prev: [u8; 32]) -> Position {
        let hlc = Hlc(Hlc::at(NOON).0 + u64::from(seq));
        Position {
            place: log_id().place(seq),
            prev,
            hlc,
            epoch: EpochId([4; 16]),
        }
    }

    pub(crate) fn envelope(
        seq: u32,
        prev: [u8; 32],
        change: &[u8],
        body: Option<&[u8]>,
    ) -> Envelope {
        let mut rng = ChaCha20Rng::seed_from_u64(u64::from(seq));
        seal(
            &CHANNEL,
            &signing(),
            &position(seq, prev),
            &window_key(),
            change,
            body,
            &mut rng,
        )
    }

    /// The first `count` envelopes of the log.
    pub(crate) fn chain(count: u32) -> Vec<Envelope> {
        let mut chain: Vec<Envelope> = Vec::new();
        for seq in 1..=count {
            let prev = chain.last().map_or([0; 32], Envelope::link);
            chain.push(envelope(seq, prev, b"change", None));
        }
        chain
    }
}
