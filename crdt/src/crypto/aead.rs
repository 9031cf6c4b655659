//! XChaCha20-Poly1305 with a 24-byte nonce: envelopes, frames and records.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use super::secret::Secret;

/// Bytes of a nonce.
pub const NONCE_LEN: usize = 24;
/// Bytes that sealing adds.
pub const TAG_LEN: usize = 16;

/// The seal does not hold: another key, another context, or altered bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the seal does not hold")]
pub struct SealBroken;

/// Seals `plain`, binding it to `associated`.
///
/// # Panics
/// Never for the sizes used here: the cipher's limit is 256 GiB.
pub fn seal(key: &Secret, nonce: &[u8; NONCE_LEN], associated: &[u8], plain: &[u8]) -> Vec<u8> {
    XChaCha20Poly1305::new(key.expose().into())
        .encrypt(
            &XNonce::from(*nonce),
            Payload {
                msg: plain,
                aad: associated,
            },
        )
        .expect("a plaintext below 256 GiB can always be sealed")
}

/// Opens what [`seal`] made.
///
/// # Errors
/// [`SealBroken`] if key, nonce, associated data or a single bit differ.
pub fn open(
    key: &Secret,
    nonce: &[u8; NONCE_LEN],
    associated: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, SealBroken> {
    XChaCha20Poly1305::new(key.expose().into())
        .decrypt(
            &XNonce::from(*nonce),
            Payload {
                msg: sealed,
                aad: associated,
            },
        )
        .map_err(|_| SealBroken)
}
