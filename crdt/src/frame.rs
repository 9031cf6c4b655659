//! Gossip frames: what a channel's nodes tell each other without being asked.
//!
//! A frame is sealed under its epoch's frame key, so that nobody outside sees whose device speaks.
//! What is inside is as unverified as anything that comes from a peer. Nothing depends on a frame
//! arriving.

use minicbor::bytes::{ByteSlice, ByteVec};
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use crate::crypto::aead::{self, NONCE_LEN};
use crate::crypto::secret::Secret;
use crate::crypto::sign::Signed;
use crate::encoding::{DecodeError, decode, encode};
use crate::envelope::padding::{pad, unpad};
use crate::keys::EpochKeys;
use crate::limits::{FRAME_ITEMS, FRAME_MAX, FRAME_SEALED_MAX};

/// The version of frame that this code writes and reads.
pub const VERSION: u8 = 1;

/// Why a frame does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A version that this node does not know. Not the sender's fault.
    #[error("frame version {0} is unknown: this node needs an upgrade")]
    Unknown(u8),
    /// Sealed under another key or for another topic, or altered.
    #[error("the frame's seal does not hold")]
    Sealed,
    /// The seal holds, and what is inside is nonsense.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
}

/// What a frame carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Envelopes, as bytes for [`crate::envelope::Envelope::parse`].
    Envelopes(Vec<Vec<u8>>),
    /// Signed control ops, as bytes.
    Ops(Vec<Vec<u8>>),
    /// A beacon, for [`crate::beacon::Beacon::verify`].
    Beacon(Signed),
    /// A moment, for [`crate::moment::Moment::verify`].
    Moment(Signed),
    /// A kind that a later version knows; ignored here.
    Unknown(u16),
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Wire<'b> {
    #[n(0)]
    kind: u16,
    #[b(1)]
    body: &'b ByteSlice,
}

impl Content {
    /// Splits envelopes into as few contents as the bounds of a frame allow, in order.
    pub fn envelopes(envelopes: Vec<Vec<u8>>) -> Vec<Self> {
        split(envelopes).into_iter().map(Self::Envelopes).collect()
    }

    /// Splits control ops into as few contents as the bounds of a frame allow, in order.
    pub fn ops(ops: Vec<Vec<u8>>) -> Vec<Self> {
        split(ops).into_iter().map(Self::Ops).collect()
    }

    fn to_bytes(&self) -> Vec<u8> {
        let (kind, body) = match self {
            Self::Envelopes(items) => (1, encode_items(items)),
            Self::Ops(items) => (2, encode_items(items)),
            Self::Beacon(signed) => (3, encode(signed)),
            Self::Moment(signed) => (4, encode(signed)),
            Self::Unknown(kind) => (*kind, Vec::new()),
        };
        encode(&Wire {
            kind,
            body: body[..].into(),
        })
    }

    fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let wire: Wire<'_> = decode(bytes, FRAME_SEALED_MAX)?;
        match wire.kind {
            1 => decode_items(wire.body).map(Self::Envelopes),
            2 => decode_items(wire.body).map(Self::Ops),
            3 => decode(wire.body, FRAME_MAX).map(Self::Beacon),
            4 => decode(wire.body, FRAME_MAX).map(Self::Moment),
            kind => Ok(Self::Unknown(kind)),
        }
    }
}

/// Seals a content for the topic of an epoch.
pub fn seal_frame(keys: &EpochKeys, content: &Content, rng: &mut impl CryptoRng) -> Vec<u8> {
    let mut nonce = [0; NONCE_LEN];
    rng.fill_bytes(&mut nonce);
    let sealed = aead::seal(
        &keys.frame_key,
        &nonce,
        &associated(&keys.topic()),
        &pad(&content.to_bytes()),
    );
    [&[VERSION], &nonce[..], &sealed].concat()
}

/// Opens a frame that came in on a topic.
///
/// # Errors
/// [`FrameError`]; nothing is opened of more than [`FRAME_SEALED_MAX`] bytes.
pub fn open_frame(frame_key: &Secret, topic: &str, bytes: &[u8]) -> Result<Content, FrameError> {
    if bytes.len() > FRAME_SEALED_MAX {
        return Err(DecodeError::TooLarge {
            len: bytes.len(),
            max: FRAME_SEALED_MAX,
        }
        .into());
    }
    let (&version, rest) = bytes.split_first().ok_or(FrameError::Sealed)?;
    if version != VERSION {
        return Err(FrameError::Unknown(version));
    }
    let (nonce, sealed) = rest
        .split_first_chunk::<NONCE_LEN>()
        .ok_or(FrameError::Sealed)?;
    let padded =
        aead::open(frame_key, nonce, &associated(topic), sealed).map_err(|_| FrameError::Sealed)?;
    let content = unpad(padded).ok_or(DecodeError::OutOfRange("padding"))?;
    Ok(Content::parse(&content)?)
}

fn associated(topic: &str) -> Vec<u8> {
    [b"kith/frame/v1\0", topic.as_bytes()].concat()
}

fn encode_items(items: &[Vec<u8>]) -> Vec<u8> {
    encode(
        &items
            .iter()
            .map(|item| <&ByteSlice>::from(&item[..]))
            .collect::<Vec<_>>(),
    )
}

fn decode_items(body: &[u8]) -> Result<Vec<Vec<u8>>, DecodeError> {
    let items: Vec<ByteVec> = decode(body, FRAME_SEALED_MAX)?;
    if items.len() > FRAME_ITEMS {
        return Err(DecodeError::OutOfRange("items in a frame"));
    }
    Ok(items.into_iter().map(Into::into).collect())
}

/// Cuts items into runs of at most [`FRAME_ITEMS`] and [`FRAME_MAX`] bytes. One that alone is
/// larger goes alone.
fn split(items: Vec<Vec<u8>>) -> Vec<Vec<Vec<u8>>> {
    let mut runs: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut room = 0;
    for item in items {
        let fits = runs.last().is_some_and(|run| run.len() < FRAME_ITEMS) && item.len() <= room;
        if !fits {
            runs.push(Vec::new());
            room = FRAME_MAX;
        }
        room = room.saturating_sub(item.len());
        runs.last_mut().expect("a run was just begun").push(item);
    }
    runs
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::ids::{ChannelId, Window};
    use crate::keys::EpochSecret;
    use crate::limits::ENVELOPE_MAX;
    use crate::term::Term;

    fn keys() -> EpochKeys {
        EpochSecret::new(Secret::new([1; 32])).into_keys(
            &ChannelId([9; 32]),
            Window(240),
            Term::FOREVER,
        )
    }

    fn sealed(content: &Content) -> Vec<u8> {
        seal_frame(&keys(), content, &mut ChaCha20Rng::seed_from_u64(1))
    }

    fn open(bytes: &[u8]) -> Result<Content, FrameError> {
        open_frame(&keys().frame_key, &keys().topic(), bytes)
    }

    #[test]
    fn every_kind_comes_through() {
        let signed = Signed {
            payload: vec![1, 2],
            signature: [3; 64],
        };
        let contents = [
            Content::Envelopes(vec![vec![1; 300], vec![]]),
            Content::Ops(vec![vec![2; 30]]),
            Content::Beacon(signed.clone()),
            Content::Moment(signed),
            Content::Unknown(77),
        ];
        for content in contents {
            assert_eq!(open(&sealed(&content)), Ok(content));
        }
    }

    #[test]
    fn a_frame_belongs_to_its_topic_and_key() {
        let mut frame = sealed(&Content::Unknown(9));
        assert_eq!(
            open_frame(&keys().frame_key, "elsewhere", &frame),
            Err(FrameError::Sealed)
        );
        assert_eq!(
            open_frame(&keys().topic_key, &keys().topic(), &frame),
            Err(FrameError::Sealed)
        );
        frame[0] = 2;
        assert_eq!(open(&frame), Err(FrameError::Unknown(2)));
    }

    #[test]
    fn the_largest_envelope_fits_and_what_is_larger_is_not_opened() {
        let largest = sealed(&Content::Envelopes(vec![vec![1; ENVELOPE_MAX]]));
        assert!(largest.len() <= FRAME_SEALED_MAX && open(&largest).is_ok());
        let refused = open(&vec![1; FRAME_SEALED_MAX + 1]);
        assert!(matches!(
            refused,
            Err(FrameError::Malformed(DecodeError::TooLarge { .. }))
        ));
        assert_eq!(
            [open(&[]), open(&[1; 20])],
            [Err(FrameError::Sealed), Err(FrameError::Sealed)]
        );
    }

    #[test]
    fn more_items_than_a_frame_may_have_are_refused() {
        let many = sealed(&Content::Ops(vec![vec![1]; FRAME_ITEMS + 1]));
        let refused = DecodeError::OutOfRange("items in a frame");
        assert_eq!(open(&many), Err(FrameError::Malformed(refused)));
    }

    #[test]
    fn batches_keep_to_the_bounds_and_the_order() {
        let items: Vec<Vec<u8>> = (0..200u8)
            .map(|n| vec![n; 10 + usize::from(n % 7) * 900])
            .collect();
        let contents = Content::envelopes(items.clone());
        let mut seen = Vec::new();
        for content in contents {
            let Content::Envelopes(run) = content else {
                panic!("not envelopes")
            };
            assert!(
                run.len() <= FRAME_ITEMS && run.iter().map(Vec::len).sum::<usize>() <= FRAME_MAX
            );
            seen.extend(run);
        }
        assert_eq!(seen, items);
        assert_eq!(Content::ops(vec![vec![0; FRAME_MAX + 1], vec![1]]).len(), 2);
    }
}
