//! BLAKE3 with named contexts. No other hash is used for ids, links and digests.

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
