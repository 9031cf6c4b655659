//! What is secret, as a text that is copied by hand, by eye or by paste: a scheme, and a version,
//! a structure and a check in base32.

use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use crate::crypto::hash;
use crate::encoding::{self, DecodeError};
use crate::ids::{base32, from_base32};
use crate::limits::LINK_MAX;

const CHECK_LEN: usize = 4;

/// A kind of such texts.
pub(crate) struct Coded {
    /// What it begins with, colon included.
    pub(crate) scheme: &'static str,
    pub(crate) version: u8,
    /// The context of the hash that its check is of.
    pub(crate) check: &'static str,
}

/// What is wrong with a text.
#[derive(Debug)]
pub(crate) enum Flaw {
    /// It does not begin like one.
    OtherScheme,
    /// Its end is missing.
    CutShort,
    /// A character of it is not what it was.
    Altered,
    /// It is of a version that this program does not know.
    Newer(u8),
    /// It is whole, but what it says is out of bounds.
    OutOfBounds(DecodeError),
}

impl Coded {
    /// The text of a structure.
    pub(crate) fn write(&self, content: &impl Encode<()>) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new(vec![self.version]);
        bytes.extend_from_slice(&Zeroizing::new(encoding::encode(content)));
        let check = self.check_of(&bytes);
        bytes.extend_from_slice(&check);
        let coded = Zeroizing::new(base32(&bytes));
        Zeroizing::new(format!("{}{}", self.scheme, *coded))
    }

    /// Whether a text begins like one of these.
    pub(crate) fn begins(&self, text: &str) -> bool {
        let start = text.trim().get(..self.scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(self.scheme))
    }

    /// The structure of a text.
    ///
    /// White space in it is what mail and terminals make of a long line.
    pub(crate) fn read<T: for<'b> Decode<'b, ()>>(&self, text: &str) -> Result<T, Flaw> {
        if !self.begins(text) {
            return Err(Flaw::OtherScheme);
        }
        let coded = text.trim()[self.scheme.len()..].split_whitespace();
        let coded = &*Zeroizing::new(coded.collect::<String>());
        if coded.len() > LINK_MAX.div_ceil(5) * 8 {
            return Err(Flaw::Altered);
        }
        if !coded
            .bytes()
            .all(|c| c.is_ascii_alphabetic() || (b'2'..=b'7').contains(&c))
        {
            return Err(Flaw::Altered);
        }
        // With every character a good one, only a wrong length is left to be wrong.
        let bytes = Zeroizing::new(from_base32(coded).ok_or(Flaw::CutShort)?);
        let (covered, check) = bytes
            .split_last_chunk::<CHECK_LEN>()
            .ok_or(Flaw::CutShort)?;
        if self.check_of(covered) != *check {
            return Err(broken(&bytes));
        }
        let (&version, body) = covered.split_first().ok_or(Flaw::CutShort)?;
        if version != self.version {
            return Err(Flaw::Newer(version));
        }
        encoding::decode(body, LINK_MAX).map_err(Flaw::OutOfBounds)
    }

    fn check_of(&self, covered: &[u8]) -> [u8; CHECK_LEN] {
        let full = hash::derive(self.check, &[covered]);
        let mut check = [0; CHECK_LEN];
        check.copy_from_slice(&full[..CHECK_LEN]);
        check
    }
}

/// Says how a text whose check fails is broken: cut short if it ends before its own structure and
/// check do.
fn broken(bytes: &[u8]) -> Flaw {
    let mut decoder = minicbor::Decoder::new(&bytes[1..]);
    match decoder.skip() {
        Ok(()) if 1 + decoder.position() + CHECK_LEN > bytes.len() => Flaw::CutShort,
        Err(error) if error.is_end_of_input() => Flaw::CutShort,
        _ => Flaw::Altered,
    }
}
