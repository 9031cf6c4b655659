//! Moments: typing and presence. Signed, shown for a moment, never stored.

use minicbor::{Decode, Encode};

use crate::crypto::sign::{BadSignature, SecretKey, Signed};
use crate::encoding::{DecodeError, decode, encode};
use crate::ids::{ChannelId, DeviceId, Writer};
use crate::limits::MOMENT_SKEW_MAX_MS;
use crate::time::{Hlc, Millis};

/// Bytes that a moment's payload may have: four fields, and room for later ones.
const MOMENT_MAX: usize = 256;

/// Why a moment is not shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MomentError {
    /// Not a moment.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// Not signed by the device it names for this channel.
    #[error(transparent)]
    Signature(#[from] BadSignature),
    /// Too old, or of a clock too far off: it may be a replay.
    #[error("the moment is over")]
    Over,
}

/// What a member is doing right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MomentKind {
    /// Writing a message.
    Typing,
    /// Looking at the channel.
    Present,
    /// No longer looking.
    Away,
    /// Something that a later version knows; ignored here.
    Unknown(u8),
}

/// A passing notice of a device in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The device, in its incarnation.
    pub writer: Writer,
    /// When.
    pub hlc: Hlc,
    /// What.
    pub kind: MomentKind,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Wire {
    #[n(0)]
    device: DeviceId,
    #[n(1)]
    incarnation: u32,
    #[n(2)]
    hlc: Hlc,
    #[n(3)]
    kind: u8,
}

impl Moment {
    /// Signs the moment.
    pub fn sign(&self, channel: &ChannelId, signing: &SecretKey) -> Signed {
        let kind = match self.kind {
            MomentKind::Typing => 1,
            MomentKind::Present => 2,
            MomentKind::Away => 3,
            MomentKind::Unknown(kind) => kind,
        };
        let Writer {
            device,
            incarnation,
        } = self.writer;
        Signed::new(
            signing,
            "moment",
            &channel.0,
            encode(&Wire {
                device,
                incarnation,
                hlc: self.hlc,
                kind,
            }),
        )
    }

    /// Parses a moment and checks that it is of now and signed by the device it names.
    ///
    /// # Errors
    /// [`MomentError`] if it is malformed, not signed, or over.
    pub fn verify(channel: &ChannelId, signed: &Signed, now: Millis) -> Result<Self, MomentError> {
        let wire: Wire = decode(&signed.payload, MOMENT_MAX)?;
        if wire.hlc.millis().0.abs_diff(now.0) > MOMENT_SKEW_MAX_MS {
            return Err(MomentError::Over);
        }
        signed.verify(&wire.device.0, "moment", &channel.0)?;
        let kind = match wire.kind {
            1 => MomentKind::Typing,
            2 => MomentKind::Present,
            3 => MomentKind::Away,
            other => MomentKind::Unknown(other),
        };
        let writer = Writer {
            device: wire.device,
            incarnation: wire.incarnation,
        };
        Ok(Self {
            writer,
            hlc: wire.hlc,
            kind,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::secret::Secret;

    const CHANNEL: ChannelId = ChannelId([9; 32]);
    const NOW: Millis = Millis(1_700_000_000_000);

    fn moment(kind: MomentKind) -> (Moment, Signed) {
        let key = SecretKey::from_seed(&Secret::new([2; 32]));
        let writer = Writer {
            device: DeviceId(key.public()),
            incarnation: 1,
        };
        let moment = Moment {
            writer,
            hlc: Hlc::at(NOW),
            kind,
        };
        (moment, moment.sign(&CHANNEL, &key))
    }

    #[test]
    fn every_kind_comes_through() {
        for kind in [
            MomentKind::Typing,
            MomentKind::Present,
            MomentKind::Away,
            MomentKind::Unknown(9),
        ] {
            let (moment, signed) = moment(kind);
            assert_eq!(Moment::verify(&CHANNEL, &signed, NOW), Ok(moment));
        }
    }

    #[test]
    fn a_moment_passes_and_belongs_to_its_channel() {
        let (_, signed) = moment(MomentKind::Typing);
        for off in [
            NOW.0 - MOMENT_SKEW_MAX_MS - 1,
            NOW.0 + MOMENT_SKEW_MAX_MS + 1,
        ] {
            assert_eq!(
                Moment::verify(&CHANNEL, &signed, Millis(off)),
                Err(MomentError::Over)
            );
        }
        let elsewhere = Moment::verify(&ChannelId([8; 32]), &signed, NOW);
        assert_eq!(elsewhere, Err(MomentError::Signature(BadSignature)));
    }
}
