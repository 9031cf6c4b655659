//! Deterministic CBOR (RFC 8949 §4.2.1) in and out, bounded before it is parsed.

use minicbor::{Decode, Encode};

/// Why bytes are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More bytes than this structure may have.
    #[error("{len} bytes, where at most {max} are allowed")]
    TooLarge {
        /// Bytes received.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// Not the CBOR of this structure.
    #[error("malformed: {0}")]
    Malformed(String),
    /// Well formed, but with bytes behind its end.
    #[error("bytes after the end")]
    Trailing,
    /// Well formed, but a value is out of its range.
    #[error("out of range: {0}")]
    OutOfRange(&'static str),
}

/// Encodes a value. All types here encode deterministically: arrays by position, shortest
/// integers, definite lengths.
///
/// # Panics
/// Never: writing to memory does not fail.
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("writing CBOR to memory does not fail")
}

/// Decodes a value that takes up all of at most `max` bytes.
///
/// # Errors
/// [`DecodeError`]; nothing is allocated for a length that the bytes do not back up.
pub fn decode<'b, T: Decode<'b, ()>>(bytes: &'b [u8], max: usize) -> Result<T, DecodeError> {
    if bytes.len() > max {
        return Err(DecodeError::TooLarge {
            len: bytes.len(),
            max,
        });
    }
    let mut decoder = minicbor::Decoder::new(bytes);
    let value = decoder
        .decode()
        .map_err(|error| DecodeError::Malformed(error.to_string()))?;
    if decoder.position() == bytes.len() {
        Ok(value)
    } else {
        Err(DecodeError::Trailing)
    }
}

/// Checks a name or topic: at most `max` characters, no control characters.
///
/// # Errors
/// [`DecodeError::OutOfRange`] naming `what`.
pub fn check_text(text: &str, max: usize, what: &'static str) -> Result<(), DecodeError> {
    if text.chars().count() > max || text.chars().any(char::is_control) {
        return Err(DecodeError::OutOfRange(what));
    }
    Ok(())
}
