//! A long plaintext in chunks of which none can be altered, moved, left out or cut off: STREAM over
//! XChaCha20-Poly1305.
//!
//! Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption and its Nonce-Reuse
//! Misuse-Resistance (2015), by the crate `aead-stream`: each chunk's nonce is the prefix, its
//! position (u32, big-endian) and whether it is the last. A key is good for one plaintext.

use aead_stream::{NewStream, StreamBE32, StreamPrimitive};
use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::KeyInit;

use super::aead::SealBroken;
use super::secret::Secret;

/// Bytes of a prefix.
pub const PREFIX_LEN: usize = 19;

/// Where a chunk stands in the plaintext.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkAt {
    /// Counted from 0.
    pub position: u32,
    /// Whether it is the last.
    pub is_last: bool,
}

/// Seals and opens the chunks of one plaintext.
pub struct ChunkSeal(StreamBE32<XChaCha20Poly1305>);

impl std::fmt::Debug for ChunkSeal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChunkSeal(…)")
    }
}

impl ChunkSeal {
    /// Under a key that seals nothing else.
    pub fn new(key: &Secret, prefix: &[u8; PREFIX_LEN]) -> Self {
        let cipher = XChaCha20Poly1305::new(key.expose().into());
        Self(StreamBE32::from_aead(cipher, prefix.into()))
    }

    /// Seals a chunk.
    ///
    /// # Panics
    /// Never for the sizes used here: the cipher's limit is 256 GiB.
    pub fn seal(&self, at: ChunkAt, plain: &[u8]) -> Vec<u8> {
        let sealed = self.0.encrypt(at.position, at.is_last, plain);
        sealed.expect("a plaintext below 256 GiB can always be sealed")
    }

    /// Opens a chunk.
    ///
    /// # Errors
    /// [`SealBroken`] if it is another, stands elsewhere, or was altered.
    pub fn open(&self, at: ChunkAt, sealed: &[u8]) -> Result<Vec<u8>, SealBroken> {
        let plain = self.0.decrypt(at.position, at.is_last, sealed);
        plain.map_err(|_| SealBroken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(position: u32, is_last: bool) -> ChunkAt {
        ChunkAt { position, is_last }
    }

    #[test]
    fn a_chunk_opens_where_it_was_sealed_and_nowhere_else() {
        let seal = ChunkSeal::new(&Secret::new([1; 32]), &[2; PREFIX_LEN]);
        let mut sealed = seal.seal(at(3, false), b"text");
        assert_eq!(seal.open(at(3, false), &sealed).unwrap(), b"text");
        assert_eq!(seal.open(at(4, false), &sealed), Err(SealBroken));
        assert_eq!(seal.open(at(3, true), &sealed), Err(SealBroken));
        let other = ChunkSeal::new(&Secret::new([1; 32]), &[3; PREFIX_LEN]);
        assert_eq!(other.open(at(3, false), &sealed), Err(SealBroken));
        sealed[0] ^= 1;
        assert_eq!(seal.open(at(3, false), &sealed), Err(SealBroken));
    }
}
