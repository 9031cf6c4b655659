//! Sealing an envelope's parts and opening them again.
//!
//! `Expand(K[window], "envelope", place ‖ salt, 96)` gives a key for the change, a key for the
//! body and a commitment. The commitment stands in the signed header: a ciphertext that opens to
//! two things under two keys cannot be made to pass as one message (Albertini et al., "How to
//! Abuse and Fix Authenticated Encryption Without Key Commitment", 2022).

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::header::Header;
use super::padding::{pad, unpad};
use super::{Envelope, hash_body, hash_change};
use crate::crypto::aead;
use crate::crypto::kdf::expand;
use crate::crypto::secret::Secret;
use crate::crypto::sign::SecretKey;
use crate::ids::{ChannelId, EpochId, LogId, Place};
use crate::time::Hlc;

/// Why the parts of an envelope do not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The key is not the one the writer committed to.
    #[error("the window key is not the one that sealed this envelope")]
    OtherKey,
    /// The key is right, and yet the writer's bytes do not open with it.
    #[error("a part of the envelope does not open under its own key")]
    Broken,
    /// What opened is not padded as it has to be.
    #[error("a part of the envelope is not padded")]
    Unpadded,
}

/// Where the next envelope of a log stands and what it follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Log and number.
    pub place: Place,
    /// Link of the envelope before it, or zeros at number 1.
    pub prev: [u8; 32],
    /// When it is written.
    pub hlc: Hlc,
    /// The epoch whose window key seals it.
    pub epoch: EpochId,
}

/// The parts of an envelope in the clear. Nothing in them is checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The Automerge change, for [`crate::segment::read_change`].
    pub change: Vec<u8>,
    /// The text, if there is one and it has not been erased.
    pub body: Option<Vec<u8>>,
}

#[derive(Clone, Copy)]
enum Part {
    Change = 0,
    Body = 1,
}

struct PartKeys {
    change: Secret,
    body: Secret,
    commitment: [u8; 32],
}

impl PartKeys {
    fn derive(window_key: &Secret, place: &Place, salt: &[u8; 24]) -> Self {
        let LogId { segment, writer } = place.log;
        let mut keys = Zeroizing::new([0; 96]);
        let context = [
            &segment.window.0.to_be_bytes()[..],
            &segment.index.to_be_bytes(),
            &writer.device.0,
            &writer.incarnation.to_be_bytes(),
            &place.seq.to_be_bytes(),
            salt,
        ];
        expand(window_key, "envelope", &context, &mut keys[..]);
        let third = |n: usize| {
            let mut bytes = [0; 32];
            bytes.copy_from_slice(&keys[n * 32..][..32]);
            bytes
        };
        Self {
            change: Secret::new(third(0)),
            body: Secret::new(third(1)),
            commitment: third(2),
        }
    }
}

/// Seals and signs the next envelope of a log.
pub fn seal(
    channel: &ChannelId,
    signing: &SecretKey,
    position: &Position,
    window_key: &Secret,
    change: &[u8],
    body: Option<&[u8]>,
    rng: &mut impl CryptoRng,
) -> Envelope {
    let mut salt = [0; aead::NONCE_LEN];
    rng.fill_bytes(&mut salt);
    let keys = PartKeys::derive(window_key, &position.place, &salt);
    let mut header = Header {
        tag: channel.tag(),
        place: position.place,
        prev: position.prev,
        hlc: position.hlc,
        epoch: position.epoch,
        salt,
        commitment: keys.commitment,
        change_hash: [0; 32],
        body_hash: None,
    };
    let binding = header.binding();
    let seal_part = |part, key, plain: &[u8]| {
        let padded = Zeroizing::new(pad(plain));
        aead::seal(key, &salt, &associated(channel, part, &binding), &padded)
    };
    let change_ct = seal_part(Part::Change, &keys.change, change);
    let body_ct = body.map(|body| seal_part(Part::Body, &keys.body, body));
    header.change_hash = hash_change(&change_ct);
    header.body_hash = body_ct.as_deref().map(hash_body);
    let header_bytes = header.to_bytes();
    let signature = signing.sign("envelope", &channel.0, &header_bytes);
    Envelope {
        header_bytes,
        signature,
        change_ct,
        body_ct,
        header,
    }
}

impl Envelope {
    /// Opens both parts.
    ///
    /// # Errors
    /// [`OpenError`]: another key, or a writer that sealed nonsense.
    pub fn open(&self, channel: &ChannelId, window_key: &Secret) -> Result<Opened, OpenError> {
        let keys = self.keys(window_key)?;
        let binding = self.header.binding();
        let change = open_part(
            self,
            channel,
            Part::Change,
            &keys.change,
            &binding,
            &self.change_ct,
        )?;
        let body = self.body_ct.as_deref();
        let body = body
            .map(|sealed| open_part(self, channel, Part::Body, &keys.body, &binding, sealed))
            .transpose()?;
        Ok(Opened { change, body })
    }

    /// Opens the change alone.
    ///
    /// # Errors
    /// [`OpenError`], as for [`Self::open`].
    pub fn open_change(
        &self,
        channel: &ChannelId,
        window_key: &Secret,
    ) -> Result<Vec<u8>, OpenError> {
        let key = self.keys(window_key)?.change;
        open_part(
            self,
            channel,
            Part::Change,
            &key,
            &self.header.binding(),
            &self.change_ct,
        )
    }

    fn keys(&self, window_key: &Secret) -> Result<PartKeys, OpenError> {
        let keys = PartKeys::derive(window_key, &self.header.place, &self.header.salt);
        if keys.commitment.ct_eq(&self.header.commitment).into() {
            Ok(keys)
        } else {
            Err(OpenError::OtherKey)
        }
    }
}

fn open_part(
    envelope: &Envelope,
    channel: &ChannelId,
    part: Part,
    key: &Secret,
    binding: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, OpenError> {
    let associated = associated(channel, part, binding);
    let padded = aead::open(key, &envelope.header.salt, &associated, sealed)
        .map_err(|_| OpenError::Broken)?;
    unpad(padded).ok_or(OpenError::Unpadded)
}

fn associated(channel: &ChannelId, part: Part, binding: &[u8]) -> Vec<u8> {
    [b"kith/part/v1\0", &channel.0[..], &[part as u8], binding].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::fixtures::{CHANNEL, envelope, window_key};
    use crate::envelope::{EnvelopeError, VERSION};

    #[test]
    fn what_is_sealed_opens_with_its_key_alone() {
        let sealed = envelope(1, [0; 32], b"change", Some(b"body"));
        let parsed = Envelope::parse(&sealed.to_bytes(), &CHANNEL).unwrap();
        let opened = Opened {
            change: b"change".to_vec(),
            body: Some(b"body".to_vec()),
        };
        assert_eq!(
            (
                parsed.open(&CHANNEL, &window_key()),
                parsed.verify(&CHANNEL)
            ),
            (Ok(opened), Ok(()))
        );
        assert_eq!(
            parsed.open(&CHANNEL, &Secret::new([8; 32])),
            Err(OpenError::OtherKey)
        );
        assert_eq!(
            parsed.open(&ChannelId([8; 32]), &window_key()),
            Err(OpenError::Broken)
        );
    }

    #[test]
    fn the_parts_cannot_change_places() {
        let mut sealed = envelope(1, [0; 32], b"same", Some(b"same"));
        sealed.change_ct = sealed.body_ct.clone().unwrap();
        assert_eq!(
            sealed.open_change(&CHANNEL, &window_key()),
            Err(OpenError::Broken)
        );
    }

    #[test]
    fn an_erased_body_leaves_the_rest_as_it_was() {
        let mut sealed = envelope(1, [0; 32], b"change", Some(b"body"));
        let link = sealed.link();
        sealed.erase_body();
        let parsed = Envelope::parse(&sealed.to_bytes(), &CHANNEL).unwrap();
        assert_eq!((parsed.link(), parsed.verify(&CHANNEL)), (link, Ok(())));
        assert_eq!(parsed.open(&CHANNEL, &window_key()).unwrap().body, None);
        assert!(parsed.body_erased());
    }

    #[test]
    fn a_part_the_header_does_not_name_is_refused() {
        let mut sealed = envelope(1, [0; 32], b"change", None);
        sealed.body_ct = Some(vec![1; 48]);
        assert_eq!(
            Envelope::parse(&sealed.to_bytes(), &CHANNEL),
            Err(EnvelopeError::OtherPart)
        );
        sealed.body_ct = None;
        sealed.change_ct[0] ^= 1;
        assert_eq!(
            Envelope::parse(&sealed.to_bytes(), &CHANNEL),
            Err(EnvelopeError::OtherPart)
        );
    }

    #[test]
    fn another_version_is_told_from_nonsense() {
        let mut sealed = envelope(1, [0; 32], b"change", None);
        assert_eq!(u32::from(sealed.header_bytes[1]), VERSION);
        sealed.header_bytes[1] = 2;
        assert_eq!(
            Envelope::parse(&sealed.to_bytes(), &CHANNEL),
            Err(EnvelopeError::Unknown(2))
        );
        sealed.header_bytes.truncate(40);
        sealed.header_bytes[1] = 1;
        let refused = Envelope::parse(&sealed.to_bytes(), &CHANNEL);
        assert!(matches!(refused, Err(EnvelopeError::Malformed(_))));
    }
}
