//! BLAKE3 with named contexts. No other hash is used for ids, links and digests.
//!
//! SHA-256 is here only because Automerge names its changes by it.

use sha2::{Digest, Sha256};

/// The 32-byte hash of the concatenated parts under the context `kith/<what>/v1`.
pub fn derive(what: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(&format!("kith/{what}/v1"));
    for part in parts {
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}

/// The 32-byte hash of the concatenated parts under a key.
pub fn keyed(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    for part in parts {
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}

/// The SHA-256 of the concatenated parts.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}
