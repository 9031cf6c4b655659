//! Proof that a writer signed two different envelopes for one place. It verifies by itself.

use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};

use crate::crypto::sign::{BadSignature, SIGNATURE_LEN};
use crate::encoding::{DecodeError, decode, encode};
use crate::envelope::{self, Envelope, EnvelopeError, Header};
use crate::ids::{ChannelId, Place};
use crate::limits::FORK_MAX;

/// Why bytes prove no fork.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForkError {
    /// A header is not one of the channel.
    #[error(transparent)]
    Header(#[from] EnvelopeError),
    /// One of the two is not signed by the writer.
    #[error(transparent)]
    Signature(#[from] BadSignature),
    /// The two stand at different places, or are the same.
    #[error("the two headers do not contradict each other")]
    NoContradiction,
}

/// Two headers of one writer for one place, with their signatures. Unverified until
/// [`Fork::verify`]. The one with the smaller link comes first, so that one pair of envelopes
/// makes one proof.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Fork {
    #[n(0)]
    a_header: ByteVec,
    #[n(1)]
    a_signature: ByteArray<SIGNATURE_LEN>,
    #[n(2)]
    b_header: ByteVec,
    #[n(3)]
    b_signature: ByteArray<SIGNATURE_LEN>,
}

impl Fork {
    /// The proof that two envelopes of `channel` contradict each other; none if they do not, or
    /// if one of them is not signed.
    pub fn prove(channel: &ChannelId, one: &Envelope, other: &Envelope) -> Option<Self> {
        let (a, b) = if one.link() <= other.link() {
            (one, other)
        } else {
            (other, one)
        };
        let fork = Self {
            a_header: a.header_bytes.clone().into(),
            a_signature: a.signature.into(),
            b_header: b.header_bytes.clone().into(),
            b_signature: b.signature.into(),
        };
        fork.verify(channel).is_ok().then_some(fork)
    }

    /// Parses a proof, which is not believed yet.
    ///
    /// # Errors
    /// [`DecodeError`] if it is no proof by structure or larger than one can be.
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode(bytes, FORK_MAX)
    }

    /// The encoding, on the wire and on disk.
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(self)
    }

    /// Checks the proof and says where the writer contradicts itself.
    ///
    /// # Errors
    /// [`ForkError`] if it proves nothing about `channel`.
    pub fn verify(&self, channel: &ChannelId) -> Result<Place, ForkError> {
        let a = Header::parse(&self.a_header, channel)?;
        let b = Header::parse(&self.b_header, channel)?;
        let a_link = envelope::link(&self.a_header, &self.a_signature);
        let b_link = envelope::link(&self.b_header, &self.b_signature);
        if a.place != b.place || a_link == b_link {
            return Err(ForkError::NoContradiction);
        }
        envelope::verify(&a, &self.a_header, &self.a_signature, channel)?;
        envelope::verify(&b, &self.b_header, &self.b_signature, channel)?;
        Ok(a.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::fixtures::{CHANNEL, chain, envelope, log_id};

    #[test]
    fn two_signed_envelopes_at_one_place_prove_a_fork() {
        let (first, other) = (&chain(1)[0], envelope(1, [0; 32], b"other", None));
        let fork = Fork::prove(&CHANNEL, first, &other).unwrap();
        assert_eq!(Fork::prove(&CHANNEL, &other, first).as_ref(), Some(&fork));
        let received = Fork::parse(&fork.to_bytes()).unwrap();
        assert_eq!(received.verify(&CHANNEL), Ok(log_id().place(1)));
        assert!(received.verify(&ChannelId([8; 32])).is_err());
    }

    #[test]
    fn nothing_less_proves_one() {
        let chain = chain(2);
        assert_eq!(Fork::prove(&CHANNEL, &chain[0], &chain[0]), None);
        assert_eq!(Fork::prove(&CHANNEL, &chain[0], &chain[1]), None);
        let mut unsigned = envelope(1, [0; 32], b"other", None);
        unsigned.signature[5] ^= 1;
        assert_eq!(Fork::prove(&CHANNEL, &chain[0], &unsigned), None);
    }
}
