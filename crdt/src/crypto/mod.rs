//! The border to the cryptography crates: what they are used for, under our own names.
//!
//! Every label is of the form `kith/<what>/v1`, so that a signature, hash or key made for one
//! purpose is worth nothing for another. `docs/protocol.md` section 1 has the bytes.

pub mod aead;
pub mod hash;
pub mod kdf;
pub mod kem;
pub mod phrase;
pub mod secret;
pub mod sign;
pub mod stream;
