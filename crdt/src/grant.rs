//! How an epoch's keys pass from a device that has them to one that lacks them.
//!
//! The asker makes a KEM key pair for this one request and signs its public half with its device
//! key. Whoever has the epochs seals them to it, bound to channel, epoch, device and request.
//! The key pair dies with the answer, so neither the traffic nor a stolen device opens it later.
//!
//! Whether the asker may have the keys is the caller's to decide, from the roster; so is whether
//! what was granted fits the epoch's op (unit and first window).

use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use crate::crypto::kem::{self, ENCAPSULATED_LEN, KemKey, PUBLIC_LEN, SUITE};
use crate::crypto::sign::{BadSignature, SecretKey, Signed};
use crate::encoding::{DecodeError, decode, encode};
use crate::ids::{ChannelId, ChannelTag, DeviceId, EpochId};
use crate::keys::EpochKeys;
use crate::limits::KEY_REQUEST_EPOCHS;

/// Bytes that a request's payload may have: the KEM key and the largest list of epochs fit.
pub const REQUEST_MAX: usize = PUBLIC_LEN + KEY_REQUEST_EPOCHS * 20 + 256;
/// Bytes that a grant may have: three keys, an id and two numbers fit.
const GRANT_MAX: usize = 256;

/// Why keys were not granted or a grant does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// The request or answer is not well formed.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// The request is about another channel.
    #[error("the request is about another channel")]
    OtherChannel,
    /// The request is not signed by the device it names.
    #[error(transparent)]
    Signature(#[from] BadSignature),
    /// The other side speaks a suite that this node does not.
    #[error("unknown key agreement suite {0}: one of the two nodes needs an upgrade")]
    UnknownSuite(u16),
    /// An answer grants an epoch that was not asked for.
    #[error("the answer grants an epoch that was not asked for")]
    Unasked(EpochId),
    /// The sealed keys do not open, or the KEM key is none.
    #[error("the sealed keys do not open")]
    Sealed,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct RequestPayload {
    #[n(0)]
    tag: ChannelTag,
    #[n(1)]
    device: DeviceId,
    #[n(2)]
    suite: u16,
    #[n(3)]
    kem_public: ByteVec,
    #[n(4)]
    epochs: Vec<EpochId>,
    #[n(5)]
    nonce: ByteArray<16>,
}

/// A request whose signature holds. That the device may have the keys is not yet said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRequest {
    /// The device that asks, and that signed.
    pub device: DeviceId,
    /// What it asks for.
    pub epochs: Vec<EpochId>,
    channel: ChannelId,
    kem_public: Vec<u8>,
    nonce: [u8; 16],
}

impl KeyRequest {
    /// Parses a request about `channel` and checks that the device it names signed it.
    ///
    /// # Errors
    /// [`GrantError`] if it is malformed, about another channel, of another suite, or unsigned.
    pub fn verify(channel: &ChannelId, request: &Signed) -> Result<Self, GrantError> {
        let payload: RequestPayload = decode(&request.payload, REQUEST_MAX)?;
        if payload.suite != SUITE {
            return Err(GrantError::UnknownSuite(payload.suite));
        }
        if payload.tag != channel.tag() {
            return Err(GrantError::OtherChannel);
        }
        if payload.kem_public.len() != PUBLIC_LEN {
            return Err(DecodeError::OutOfRange("KEM public key").into());
        }
        if payload.epochs.len() > KEY_REQUEST_EPOCHS {
            return Err(DecodeError::OutOfRange("epochs asked for").into());
        }
        request.verify(&payload.device.0, "key-request", &channel.0)?;
        Ok(Self {
            device: payload.device,
            epochs: payload.epochs,
            channel: *channel,
            kem_public: payload.kem_public.into(),
            nonce: payload.nonce.into(),
        })
    }

    /// Seals those of `keys` that were asked for to the asker.
    ///
    /// # Errors
    /// [`GrantError::Sealed`] if the KEM key in the request is none.
    pub fn answer<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k EpochKeys>,
        rng: &mut impl CryptoRng,
    ) -> Result<KeyAnswer, GrantError> {
        let mut grants = Vec::new();
        for keys in keys
            .into_iter()
            .filter(|keys| self.epochs.contains(&keys.epoch))
        {
            let info = info(&self.channel, &keys.epoch, &self.device);
            let plain = zeroize::Zeroizing::new(encode(keys));
            let (encapsulated, sealed) =
                kem::seal(&self.kem_public, &info, &self.nonce, &plain, rng)
                    .map_err(|_| GrantError::Sealed)?;
            grants.push(SealedGrant {
                epoch: keys.epoch,
                encapsulated: encapsulated.into(),
                sealed: sealed.into(),
            });
        }
        Ok(KeyAnswer {
            suite: SUITE,
            grants,
        })
    }
}

/// The sealed grants that answer a request. Part of the sync protocol; nothing in it is believed
/// until [`PendingKeyRequest::open`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct KeyAnswer {
    #[n(0)]
    suite: u16,
    #[n(1)]
    grants: Vec<SealedGrant>,
}

impl KeyAnswer {
    /// How many epochs it grants.
    pub const fn len(&self) -> usize {
        self.grants.len()
    }

    /// Whether it grants nothing.
    pub const fn is_empty(&self) -> bool {
        self.grants.is_empty()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct SealedGrant {
    #[n(0)]
    epoch: EpochId,
    #[n(1)]
    encapsulated: ByteVec,
    #[n(2)]
    sealed: ByteVec,
}

/// The asker's half of a request under way. Dropping it gives the request up.
#[derive(Debug)]
pub struct PendingKeyRequest {
    channel: ChannelId,
    device: DeviceId,
    epochs: Vec<EpochId>,
    key: KemKey,
    nonce: [u8; 16],
}

/// Asks for the keys of at most [`KEY_REQUEST_EPOCHS`] epochs (what is beyond is left out).
pub fn request(
    channel: &ChannelId,
    signing: &SecretKey,
    epochs: &[EpochId],
    rng: &mut impl CryptoRng,
) -> (PendingKeyRequest, Signed) {
    let key = KemKey::random(rng);
    let mut nonce = [0; 16];
    rng.fill_bytes(&mut nonce);
    let device = DeviceId(signing.public());
    let epochs = epochs[..epochs.len().min(KEY_REQUEST_EPOCHS)].to_vec();
    let payload = encode(&RequestPayload {
        tag: channel.tag(),
        device,
        suite: SUITE,
        kem_public: key.public().to_vec().into(),
        epochs: epochs.clone(),
        nonce: nonce.into(),
    });
    let signed = Signed::new(signing, "key-request", &channel.0, payload);
    (
        PendingKeyRequest {
            channel: *channel,
            device,
            epochs,
            key,
            nonce,
        },
        signed,
    )
}

impl PendingKeyRequest {
    /// The epochs asked for.
    pub fn epochs(&self) -> &[EpochId] {
        &self.epochs
    }

    /// Opens the answer and ends the key pair.
    ///
    /// # Errors
    /// [`GrantError`] if anything in the answer is not what was asked for; nothing of it is then
    /// taken.
    pub fn open(self, answer: &KeyAnswer) -> Result<Vec<EpochKeys>, GrantError> {
        if answer.suite != SUITE {
            return Err(GrantError::UnknownSuite(answer.suite));
        }
        if answer.grants.len() > self.epochs.len() {
            return Err(DecodeError::OutOfRange("epochs granted").into());
        }
        answer
            .grants
            .iter()
            .map(|grant| self.open_one(grant))
            .collect()
    }

    fn open_one(&self, grant: &SealedGrant) -> Result<EpochKeys, GrantError> {
        if !self.epochs.contains(&grant.epoch) {
            return Err(GrantError::Unasked(grant.epoch));
        }
        if grant.encapsulated.len() != ENCAPSULATED_LEN || grant.sealed.len() > GRANT_MAX {
            return Err(DecodeError::OutOfRange("sealed grant").into());
        }
        let info = info(&self.channel, &grant.epoch, &self.device);
        let plain = self
            .key
            .open(&grant.encapsulated, &info, &self.nonce, &grant.sealed)
            .map(zeroize::Zeroizing::new)
            .map_err(|_| GrantError::Sealed)?;
        let keys: EpochKeys = decode(&plain, GRANT_MAX)?;
        keys.check()?;
        if keys.epoch == grant.epoch {
            Ok(keys)
        } else {
            Err(GrantError::Unasked(keys.epoch))
        }
    }
}

fn info(channel: &ChannelId, epoch: &EpochId, device: &DeviceId) -> Vec<u8> {
    [
        b"kith/epoch-grant/v1\0",
        &channel.0[..],
        &epoch.0,
        &device.0,
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::crypto::secret::Secret;
    use crate::ids::Window;
    use crate::keys::EpochSecret;
    use crate::term::Term;

    const CHANNEL: ChannelId = ChannelId([9; 32]);

    fn world() -> (ChaCha20Rng, SecretKey, EpochKeys) {
        let keys =
            EpochSecret::new(Secret::new([1; 32])).into_keys(&CHANNEL, Window(240), Term::FOREVER);
        (
            ChaCha20Rng::seed_from_u64(1),
            SecretKey::from_seed(&Secret::new([2; 32])),
            keys,
        )
    }

    #[test]
    fn keys_reach_the_device_that_asked() {
        let (mut rng, device, keys) = world();
        let (pending, signed) = request(&CHANNEL, &device, &[keys.epoch], &mut rng);
        let asked = KeyRequest::verify(&CHANNEL, &signed).unwrap();
        let answer = asked.answer([&keys], &mut rng).unwrap();
        assert_eq!(pending.open(&answer), Ok(vec![keys]));
    }

    #[test]
    fn an_answer_opens_only_for_its_own_request() {
        let (mut rng, device, keys) = world();
        let (pending, _) = request(&CHANNEL, &device, &[keys.epoch], &mut rng);
        let (_, other) = request(&CHANNEL, &device, &[keys.epoch], &mut rng);
        let answer = KeyRequest::verify(&CHANNEL, &other)
            .unwrap()
            .answer([&keys], &mut rng)
            .unwrap();
        assert_eq!(pending.open(&answer), Err(GrantError::Sealed));
    }

    #[test]
    fn an_epoch_nobody_asked_for_is_neither_given_nor_taken() {
        let (mut rng, device, keys) = world();
        let (pending, signed) = request(&CHANNEL, &device, &[EpochId([7; 16])], &mut rng);
        let mut asked = KeyRequest::verify(&CHANNEL, &signed).unwrap();
        assert!(asked.answer([&keys], &mut rng).unwrap().is_empty());
        asked.epochs = vec![keys.epoch];
        let answer = asked.answer([&keys], &mut rng).unwrap();
        assert_eq!(pending.open(&answer), Err(GrantError::Unasked(keys.epoch)));
    }

    #[test]
    fn a_grant_of_another_epoch_under_the_name_of_one_asked_for_is_not_taken() {
        let (mut rng, device, mut keys) = world();
        let asked_for = EpochId([7; 16]);
        let (pending, signed) = request(&CHANNEL, &device, &[asked_for], &mut rng);
        let request = KeyRequest::verify(&CHANNEL, &signed).unwrap();
        let mut seal_as_asked = |keys: &EpochKeys| {
            let info = info(&CHANNEL, &asked_for, &request.device);
            let plain = encode(keys);
            let (encapsulated, sealed) =
                kem::seal(&request.kem_public, &info, &request.nonce, &plain, &mut rng).unwrap();
            let (encapsulated, sealed) = (encapsulated.into(), sealed.into());
            SealedGrant {
                epoch: asked_for,
                encapsulated,
                sealed,
            }
        };
        let other = pending.open_one(&seal_as_asked(&keys));
        assert_eq!(other, Err(GrantError::Unasked(keys.epoch)));
        keys.term = Term::hours(25).unwrap();
        keys.window = Window(241);
        let between_days = pending.open_one(&seal_as_asked(&keys));
        assert_eq!(between_days, Err(DecodeError::OutOfRange("window").into()));
    }

    #[test]
    fn a_request_counts_in_its_channel_and_with_its_signature() {
        let (mut rng, device, keys) = world();
        let (_, mut signed) = request(&CHANNEL, &device, &[keys.epoch], &mut rng);
        let elsewhere = KeyRequest::verify(&ChannelId([8; 32]), &signed);
        assert_eq!(elsewhere, Err(GrantError::OtherChannel));
        *signed.payload.last_mut().unwrap() ^= 1;
        assert_eq!(
            KeyRequest::verify(&CHANNEL, &signed),
            Err(GrantError::Signature(BadSignature))
        );
    }
}
