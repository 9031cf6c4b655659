//! Ed25519 with domain separation, and signed payloads that are not believed until verified.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use rand_core::CryptoRng;

use super::secret::Secret;

/// Bytes of a signature.
pub const SIGNATURE_LEN: usize = 64;

/// The signature does not hold: wrong key, altered bytes, or a malformed key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not hold")]
pub struct BadSignature;

/// An Ed25519 secret key.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// The key with this seed.
    pub fn from_seed(seed: &Secret) -> Self {
        Self(SigningKey::from_bytes(seed.expose()))
    }

    /// Draws a fresh key.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        Self::from_seed(&Secret::random(rng))
    }

    /// The seed, to be kept in the vault.
    pub fn seed(&self) -> Secret {
        Secret::new(self.0.to_bytes())
    }

    /// The public half.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs `payload` for one named purpose and scope (a channel id, or empty).
    pub fn sign(&self, what: &str, scope: &[u8], payload: &[u8]) -> [u8; SIGNATURE_LEN] {
        self.0.sign(&message(what, scope, payload)).to_bytes()
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// Checks a signature strictly (no small-order keys, no malleability), over the bytes received.
///
/// # Errors
/// [`BadSignature`], without saying which part was wrong.
pub fn verify(
    public: &[u8; 32],
    what: &str,
    scope: &[u8],
    payload: &[u8],
    signature: &[u8; SIGNATURE_LEN],
) -> Result<(), BadSignature> {
    VerifyingKey::from_bytes(public)
        .and_then(|key| {
            key.verify_strict(
                &message(what, scope, payload),
                &Signature::from_bytes(signature),
            )
        })
        .map_err(|_| BadSignature)
}

fn message(what: &str, scope: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16 + what.len() + scope.len() + payload.len());
    bytes.extend_from_slice(b"kith/");
    bytes.extend_from_slice(what.as_bytes());
    bytes.extend_from_slice(b"/v1\0");
    bytes.extend_from_slice(scope);
    bytes.extend_from_slice(payload);
    bytes
}

/// A payload and a signature as received: nothing about it is believed yet.
///
/// On the wire `[payload: bytes, signature: bytes(64)]`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signed {
    /// The exact bytes that were signed.
    pub payload: Vec<u8>,
    /// The signature.
    pub signature: [u8; SIGNATURE_LEN],
}

impl Signed {
    /// Signs a payload.
    pub fn new(key: &SecretKey, what: &str, scope: &[u8], payload: Vec<u8>) -> Self {
        let signature = key.sign(what, scope, &payload);
        Self { payload, signature }
    }

    /// Checks the signature over the received payload.
    ///
    /// # Errors
    /// [`BadSignature`] if it does not hold.
    pub fn verify(&self, public: &[u8; 32], what: &str, scope: &[u8]) -> Result<(), BadSignature> {
        verify(public, what, scope, &self.payload, &self.signature)
    }
}

impl std::fmt::Debug for Signed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signed({} bytes)", self.payload.len())
    }
}

impl<C> Encode<C> for Signed {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.array(2)?
            .bytes(&self.payload)?
            .bytes(&self.signature)?
            .ok()
    }
}

impl<'b, C> Decode<'b, C> for Signed {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        if d.array()? != Some(2) {
            return Err(decode::Error::message("a signed payload has two parts"));
        }
        let payload = d.bytes()?.to_vec();
        let signature = d
            .bytes()?
            .try_into()
            .map_err(|_| decode::Error::message("wrong length of a signature"))?;
        Ok(Self { payload, signature })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_counts_for_one_purpose_scope_and_payload() {
        let key = SecretKey::from_seed(&Secret::new([1; 32]));
        let signature = key.sign("op", b"here", b"payload");
        assert!(verify(&key.public(), "op", b"here", b"payload", &signature).is_ok());
        assert!(verify(&key.public(), "po", b"here", b"payload", &signature).is_err());
        assert!(verify(&key.public(), "op", b"there", b"payload", &signature).is_err());
        assert!(verify(&key.public(), "op", b"here", b"payloads", &signature).is_err());
    }
}
