//! The gate: what a stranger's bytes must be before Automerge sees them.
//!
//! Automerge's reader is made for documents of people who trust each other: a compressed chunk of
//! a few bytes inflates without end, and so does a run length in an uncompressed one (a column of
//! four bytes can say 2^60 ops). So nothing is parsed on trust. The gate finds the three things
//! that are free in a change (dependency, kind, entry), writes the only change that a writer may
//! make of them at this number, and takes the bytes if they are equal.
//!
//! It looks at actor, number and bytes alone, so every node judges a change alike, whatever else
//! it holds. Whether the dependency is the hash of the writer's change before is not asked here:
//! that change may not be readable yet.

use super::change::{HEAD_LEN, MAGIC, Parts, UNCOMPRESSED, VALUE, preamble, write};
use super::entry::Entry;
use crate::encoding::DecodeError;
use crate::ids::Actor;
use crate::limits::CHANGE_MAX;

/// Why a change is quarantined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// More bytes than a change may have.
    #[error("a change of {len} bytes, where at most {max} are allowed")]
    TooLarge {
        /// Bytes received.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// Not an uncompressed Automerge change chunk. Nothing behind its first bytes was looked at.
    #[error("not an uncompressed Automerge change")]
    NotAChange,
    /// A change, but not the one that this writer may make at this number.
    #[error("not a change that its writer may make at its number")]
    Foreign,
    /// The change is as it has to be, but its entry is not.
    #[error("entry: {0}")]
    Entry(#[from] DecodeError),
}

/// A change that passed the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Passed {
    /// What it says.
    pub(super) entry: Entry,
    /// Hash of the change it names as the one before.
    pub(super) dep: Option<[u8; 32]>,
    /// Its own hash.
    pub(super) hash: [u8; 32],
}

/// Reads the entry out of a change that must be the writer's own, with this number, and do
/// nothing but put this entry.
///
/// # Errors
/// [`ChangeError`]: the envelope is to be quarantined.
pub fn read_change(bytes: &[u8], actor: &Actor, seq: u32) -> Result<Entry, ChangeError> {
    pass(bytes, actor, seq).map(|passed| passed.entry)
}

pub(super) fn pass(bytes: &[u8], actor: &Actor, seq: u32) -> Result<Passed, ChangeError> {
    if bytes.len() > CHANGE_MAX {
        return Err(ChangeError::TooLarge { len: bytes.len(), max: CHANGE_MAX });
    }
    if bytes.get(..4) != Some(&MAGIC) || bytes.get(8) != Some(&UNCOMPRESSED) {
        return Err(ChangeError::NotAChange);
    }
    let parts = locate(bytes, actor, seq).ok_or(ChangeError::Foreign)?;
    let (expected, hash) = write(actor, seq, &parts);
    if expected != bytes || parts.dep.is_some() != (seq > 1) {
        return Err(ChangeError::Foreign);
    }
    let entry = Entry::parse(parts.kind, parts.entry)?;
    Ok(Passed { entry, dep: parts.dep, hash })
}

/// Finds the free parts where they stand if the change is the expected one. What it returns is
/// worth nothing until [`write`] gives the same bytes back.
fn locate<'b>(bytes: &'b [u8], actor: &Actor, seq: u32) -> Option<Parts<'b>> {
    let (_, body) = leb128(bytes.get(HEAD_LEN..)?)?;
    let (deps, rest) = body.split_first()?;
    let (dep, rest) = match deps {
        0 => (None, rest),
        _ => rest.split_first_chunk::<32>().map(|(dep, rest)| (Some(*dep), rest))?,
    };
    let table = rest.get(preamble(actor, seq).len()..)?;
    // Eight columns of one-byte length each but the seventh, the value; the third has the keys.
    let before_value: [u8; 6] = [2, 4, 6, 8, 10, 12].map(|at| table.get(at).copied().unwrap_or(0));
    let value_at = table.get(13).filter(|&&column| column == VALUE).map(|_| 14)?;
    let (value_len, rest) = leb128(table.get(value_at..)?)?;
    let data = rest.get(2..)?;
    let lengths = before_value.map(usize::from);
    let keys_end: usize = lengths[..3].iter().sum();
    let digits = 1 + seq.checked_ilog10()? as usize;
    let kind = *data.get(keys_end.checked_sub(digits + 1)?)?;
    let value_start: usize = lengths.iter().sum();
    let entry = data.get(value_start..)?.get(..usize::try_from(value_len).ok()?)?;
    let plausible = kind.is_ascii_lowercase() && !entry.is_empty();
    plausible.then_some(Parts { dep, kind: char::from(kind), entry })
}

/// Reads a number of at most five bytes.
fn leb128(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let len = 1 + bytes.iter().take(5).position(|byte| byte & 0x80 == 0)?;
    let value = bytes[..len].iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f));
    Some((value, &bytes[len..]))
}
