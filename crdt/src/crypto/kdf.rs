//! HKDF-SHA256 (RFC 5869) with named labels.

use hkdf::Hkdf;
use sha2::Sha256;

use super::secret::Secret;

/// Fills `out` with key material drawn from `secret` for one named purpose and context.
///
/// # Panics
/// If `out` is longer than 8,160 bytes, which no caller's is.
pub fn expand(secret: &Secret, what: &str, context: &[&[u8]], out: &mut [u8]) {
    let label = format!("kith/{what}/v1\0");
    let mut info = vec![label.as_bytes()];
    info.extend_from_slice(context);
    Hkdf::<Sha256>::new(None, secret.expose())
        .expand_multi_info(&info, out)
        .expect("HKDF output lengths here are constants far below its limit");
}

/// Draws one 32-byte secret.
pub fn expand_secret(secret: &Secret, what: &str, context: &[&[u8]]) -> Secret {
    let mut out = [0; 32];
    expand(secret, what, context, &mut out);
    Secret::new(out)
}
