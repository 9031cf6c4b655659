//! A writer's own part of a segment document, on which it makes its changes.
//!
//! What decides a change is known without any document ([`super::change`]): the writer, the
//! number, the hash of the writer's change before, and the entry. So a branch is that hash and
//! that number; Automerge makes the same bytes of it, which the tests hold, and writing costs the
//! same however much has been written before and by however many others.

use super::change::{self, Parts};
use super::entry::Entry;
use super::gate::{ChangeError, pass};
use crate::ids::Actor;

/// Where one writer's changes to a segment have come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    actor: Actor,
    seq: u32,
    tip: Option<[u8; 32]>,
}

impl Branch {
    /// An empty branch.
    pub const fn new(actor: Actor) -> Self {
        Self {
            actor,
            seq: 0,
            tip: None,
        }
    }

    /// Takes up a branch at the newest change of its writer, which has number `seq`.
    ///
    /// # Errors
    /// [`ChangeError`] if that is not a change of this writer with this number.
    pub fn resume(actor: Actor, seq: u32, change: &[u8]) -> Result<Self, ChangeError> {
        let passed = pass(change, &actor, seq)?;
        Ok(Self {
            actor,
            seq,
            tip: Some(passed.hash),
        })
    }

    /// Writes an entry and returns the change that says so.
    ///
    /// # Panics
    /// If the entry is [`Entry::Unknown`] without bytes, since there is nothing to write.
    pub fn write(&mut self, entry: &Entry) -> Vec<u8> {
        let seq = self.seq + 1;
        let entry_bytes = entry.to_bytes();
        assert!(!entry_bytes.is_empty(), "an entry has at least one byte");
        let parts = Parts {
            dep: self.tip,
            kind: entry.kind(),
            entry: &entry_bytes,
        };
        let (change, hash) = change::write(&self.actor, seq, &parts);
        (self.seq, self.tip) = (seq, Some(hash));
        change
    }

    /// The number of the last entry, 0 for none.
    pub const fn seq(&self) -> u32 {
        self.seq
    }

    /// The Automerge hash of the last change.
    pub const fn tip(&self) -> Option<[u8; 32]> {
        self.tip
    }
}

#[cfg(test)]
mod tests {
    use automerge::transaction::{CommitOptions, Transactable};
    use automerge::{ActorId, Automerge, ObjType, ROOT, ReadDoc, ScalarValue};
    use proptest::prelude::*;

    use super::*;
    use crate::ids::MessageId;
    use crate::segment::Message;
    use crate::segment::change::{block, block_key, entry_key, makes_block};

    const ACTOR: Actor = Actor([0xa1; 16]);

    fn message() -> Entry {
        Entry::Message(Message::default())
    }

    fn written(count: u32) -> (Branch, Vec<Vec<u8>>) {
        let mut branch = Branch::new(ACTOR);
        let changes = (0..count).map(|_| branch.write(&message())).collect();
        (branch, changes)
    }

    /// The change that Automerge itself makes of an entry.
    fn committed(document: &mut Automerge, seq: u32, entry: &Entry) -> Vec<u8> {
        let root_key = block_key(&ACTOR, block(seq));
        let mut transaction = document.transaction();
        let map = if makes_block(seq) {
            transaction
                .put_object(ROOT, root_key, ObjType::Map)
                .unwrap()
        } else {
            transaction.get(ROOT, root_key).unwrap().unwrap().1
        };
        let value = ScalarValue::Bytes(entry.to_bytes());
        transaction
            .put(&map, entry_key(entry.kind(), seq), value)
            .unwrap();
        transaction.commit_with(CommitOptions::default().with_time(0));
        let change = document.get_last_local_change().unwrap();
        change.raw_bytes().to_vec()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn automerge_would_write_the_same(
            entries in proptest::collection::vec((0u8..5, 1usize..400), 1..200)
        ) {
            let target = MessageId([7; 10]);
            let mut document = Automerge::new().with_actor(ActorId::from(&ACTOR.0[..]));
            let mut branch = Branch::new(ACTOR);
            for (seq, (kind, len)) in (1..).zip(entries) {
                let entry = match kind {
                    0 => message(),
                    1 => Entry::Edit { target },
                    2 => Entry::Seen(vec![]),
                    3 => Entry::Reaction { target, emoji: "👍".into(), on: true },
                    _ => Entry::Unknown { kind: 'q', entry: vec![kind; len] },
                };
                prop_assert_eq!(branch.write(&entry), committed(&mut document, seq, &entry));
            }
        }
    }

    #[test]
    fn a_branch_goes_on_the_same_when_it_is_taken_up() {
        for count in [1, 63, 64, 130] {
            let (mut original, changes) = written(count);
            let last = changes.last().unwrap();
            let mut resumed = Branch::resume(ACTOR, count, last).unwrap();
            assert_eq!(resumed, original);
            assert_eq!(resumed.write(&message()), original.write(&message()));
        }
    }

    #[test]
    fn what_is_another_s_is_not_taken_up() {
        let (_, changes) = written(3);
        for (actor, seq, change) in [
            (Actor([1; 16]), 3, &changes[2][..]),
            (ACTOR, 2, &changes[2][..]),
            (ACTOR, 3, b"nonsense"),
        ] {
            assert!(Branch::resume(actor, seq, change).is_err());
        }
    }

    #[test]
    fn a_change_is_small_and_stays_small() {
        let (_, changes) = written(4_096);
        assert_eq!(changes.iter().map(Vec::len).max(), Some(148));
        assert_eq!([0, 1, 4_094].map(|at| changes[at].len()), [108, 99, 105]);
    }
}
