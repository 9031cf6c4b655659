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
        return Err(ChangeError::TooLarge {
            len: bytes.len(),
            max: CHANGE_MAX,
        });
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
    Ok(Passed {
        entry,
        dep: parts.dep,
        hash,
    })
}

/// Finds the free parts where they stand if the change is the expected one. What it returns is
/// worth nothing until [`write`] gives the same bytes back.
fn locate<'b>(bytes: &'b [u8], actor: &Actor, seq: u32) -> Option<Parts<'b>> {
    let (_, body) = leb128(bytes.get(HEAD_LEN..)?)?;
    let (deps, rest) = body.split_first()?;
    let (dep, rest) = match deps {
        0 => (None, rest),
        _ => rest
            .split_first_chunk::<32>()
            .map(|(dep, rest)| (Some(*dep), rest))?,
    };
    let table = rest.get(preamble(actor, seq).len()..)?;
    // Eight columns of one-byte length each but the seventh, the value; the third has the keys.
    let before_value: [u8; 6] = [2, 4, 6, 8, 10, 12].map(|at| table.get(at).copied().unwrap_or(0));
    let value_at = table
        .get(13)
        .filter(|&&column| column == VALUE)
        .map(|_| 14)?;
    let (value_len, rest) = leb128(table.get(value_at..)?)?;
    let data = rest.get(2..)?;
    let lengths = before_value.map(usize::from);
    let keys_end: usize = lengths[..3].iter().sum();
    let digits = 1 + seq.checked_ilog10()? as usize;
    let kind = *data.get(keys_end.checked_sub(digits + 1)?)?;
    let value_start: usize = lengths.iter().sum();
    let entry = data
        .get(value_start..)?
        .get(..usize::try_from(value_len).ok()?)?;
    let plausible = kind.is_ascii_lowercase() && !entry.is_empty();
    plausible.then_some(Parts {
        dep,
        kind: char::from(kind),
        entry,
    })
}

/// Reads a number of at most five bytes.
fn leb128(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let len = 1 + bytes.iter().take(5).position(|byte| byte & 0x80 == 0)?;
    let value = bytes[..len]
        .iter()
        .rev()
        .fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f));
    Some((value, &bytes[len..]))
}

#[cfg(test)]
mod tests {
    use automerge::transaction::{CommitOptions, Transactable};
    use automerge::{ActorId, Automerge, Change, ExpandedChange, ObjType, ROOT};
    use proptest::prelude::*;

    use super::*;
    use crate::ids::MessageId;
    use crate::segment::{Branch, Message};

    const ACTOR: Actor = Actor([0xa1; 16]);

    fn message() -> Entry {
        Entry::Message(Message::default())
    }

    /// The writer's first changes, of every kind of entry in turn.
    fn changes(count: u32) -> Vec<(Entry, Vec<u8>)> {
        let target = MessageId([7; 10]);
        let kinds = [
            message(),
            Entry::Edit { target },
            Entry::Deletion { target },
            Entry::Reaction {
                target,
                emoji: "👍".into(),
                on: true,
            },
            Entry::Seen(vec![]),
            Entry::Unknown {
                kind: 'q',
                entry: vec![9; 300],
            },
        ];
        let mut branch = Branch::new(ACTOR);
        let entries = kinds.into_iter().cycle().take(count as usize);
        entries
            .map(|entry| (entry.clone(), branch.write(&entry)))
            .collect()
    }

    /// A change that Automerge made, by whatever an author does to a document of its own.
    fn made(act: impl FnOnce(&mut automerge::transaction::Transaction<'_>)) -> Vec<u8> {
        let mut document = Automerge::new().with_actor(ActorId::from(&ACTOR.0[..]));
        let mut transaction = document.transaction();
        act(&mut transaction);
        transaction.commit_with(CommitOptions::default().with_time(0));
        document
            .get_last_local_change()
            .unwrap()
            .raw_bytes()
            .to_vec()
    }

    /// The first change, altered as an author may who has Automerge at hand.
    fn altered(alter: impl FnOnce(&mut ExpandedChange)) -> Vec<u8> {
        let mut change = Change::try_from(&changes(1)[0].1[..]).unwrap().decode();
        alter(&mut change);
        Change::from(change).raw_bytes().to_vec()
    }

    #[test]
    fn every_change_of_a_branch_passes_at_its_number_and_at_no_other() {
        for (seq, (entry, bytes)) in (1..).zip(changes(140)) {
            assert_eq!(read_change(&bytes, &ACTOR, seq), Ok(entry));
            assert_eq!(
                read_change(&bytes, &ACTOR, seq + 1),
                Err(ChangeError::Foreign)
            );
            assert_eq!(
                read_change(&bytes, &Actor([0xa2; 16]), seq),
                Err(ChangeError::Foreign)
            );
        }
    }

    #[test]
    fn automerge_reads_the_same_out_of_what_passes() {
        for (seq, (entry, bytes)) in (1..).zip(changes(140)) {
            let (change, passed) = (
                Change::try_from(&bytes[..]).unwrap(),
                pass(&bytes, &ACTOR, seq).unwrap(),
            );
            assert_eq!(
                (change.actor_id().to_bytes(), change.seq()),
                (&ACTOR.0[..], u64::from(seq))
            );
            assert_eq!(
                change.deps().iter().map(|dep| dep.0).collect::<Vec<_>>(),
                passed.dep.as_slice()
            );
            assert_eq!((change.hash().0, passed.entry), (passed.hash, entry));
        }
    }

    #[test]
    fn a_chunk_of_another_type_is_not_looked_into() {
        let (_, mut change) = changes(1).remove(0);
        for chunk_type in [0, 2, 3, 4] {
            change[8] = chunk_type;
            assert_eq!(
                read_change(&change, &ACTOR, 1),
                Err(ChangeError::NotAChange)
            );
        }
        assert_eq!(read_change(&[], &ACTOR, 1), Err(ChangeError::NotAChange));
        let large = vec![0x85; CHANGE_MAX + 1];
        assert!(matches!(
            read_change(&large, &ACTOR, 1),
            Err(ChangeError::TooLarge { .. })
        ));
    }

    #[test]
    fn whatever_else_an_author_does_is_foreign() {
        let map = |at: &str, key: &'static str| {
            let at = at.to_owned();
            move |t: &mut automerge::transaction::Transaction<'_>| {
                let map = t.put_object(ROOT, at, ObjType::Map).unwrap();
                t.put(map, key, vec![0x81, 0]).unwrap();
            }
        };
        let own = super::super::change::block_key(&ACTOR, 0);
        assert!(read_change(&made(map(&own, "m1")), &ACTOR, 1).is_ok());
        let foreign = [
            made(map(&own, "m2")),
            made(map(&own, "M1")),
            made(map(&own.replace('a', "b"), "m1")),
            made(map("", "m1")),
            made(|t| t.put(ROOT, "m1", vec![0x81, 0]).unwrap()),
            made(|t| drop(t.put_object(ROOT, &own, ObjType::Map).unwrap())),
            made(|t| drop(t.put_object(ROOT, &own, ObjType::List).unwrap())),
            made(|t| {
                map(&own, "m1")(t);
                t.put(ROOT, "more", 1).unwrap();
            }),
            altered(|change| change.time = 1),
            altered(|change| change.message = Some("hi".into())),
            altered(|change| change.extra_bytes = vec![1]),
            altered(|change| change.deps = vec![automerge::ChangeHash([1; 32])]),
            altered(|change| change.start_op = 2.try_into().unwrap()),
            altered(|change| change.seq = 2),
            altered(|change| change.operations.truncate(1)),
        ];
        for (at, bytes) in foreign.iter().enumerate() {
            assert_eq!(
                read_change(bytes, &ACTOR, 1),
                Err(ChangeError::Foreign),
                "{at}"
            );
        }
    }

    #[test]
    fn a_run_length_that_stands_for_ops_without_end_is_not_counted_out() {
        let (_, mut change) = changes(2).remove(1);
        // The action column says one put; now it says 2^34 of them in as many bytes.
        let at = change
            .windows(2)
            .rposition(|pair| pair == [0x7f, 1])
            .unwrap();
        change.splice(at..at + 2, [0x80, 0x80, 0x80, 0x80, 0xc0, 0, 1]);
        assert_eq!(read_change(&change, &ACTOR, 2), Err(ChangeError::Foreign));
    }

    #[test]
    fn an_entry_that_is_none_is_told_from_a_foreign_change() {
        let bytes = Branch::new(ACTOR).write(&Entry::Unknown {
            kind: 'm',
            entry: vec![1],
        });
        assert!(matches!(
            read_change(&bytes, &ACTOR, 1),
            Err(ChangeError::Entry(_))
        ));
    }

    proptest! {
        #[test]
        fn no_altered_byte_passes(at in any::<prop::sample::Index>(), to in any::<u8>(), seq in 1u32..4) {
            let (entry, original) = changes(seq).pop().unwrap();
            let mut bytes = original.clone();
            *at.get_mut(&mut bytes) = to;
            let read = read_change(&bytes, &ACTOR, seq);
            prop_assert_eq!(read.ok(), (bytes == original).then_some(entry));
        }

        #[test]
        fn no_bytes_make_it_fall_over(
            tail in proptest::collection::vec(any::<u8>(), 0..200),
            keep in 0usize..160,
            seq in any::<u32>(),
        ) {
            let (_, bytes) = changes(1).remove(0);
            let bytes = [&bytes[..keep.min(bytes.len())], &tail].concat();
            let _ = read_change(&bytes, &ACTOR, seq);
        }
    }
}
