//! A writer's own part of a segment document, on which it makes its changes.
//!
//! It is an Automerge document with one actor. What it knows of the others is nothing: writing
//! costs the same in a segment of two writers and of two hundred.

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{
    ActorId, Automerge, Change, ChangeHash, LoadOptions, ObjId, ObjType, ROOT, ReadDoc,
    ScalarValue, VerificationMode,
};

use super::change::{self, Parts, block, block_key, entry_key, makes_block};
use super::entry::Entry;
use super::gate::{ChangeError, pass};
use crate::ids::Actor;

/// Bytes of memory that a branch takes before its first entry, and for each entry.
const MEMORY_BASE: usize = 32 * 1024;
const MEMORY_PER_ENTRY: usize = 512;

/// Why a branch cannot be taken up again. It can be rebuilt from the writer's own envelopes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BranchError {
    /// The snapshot is not an Automerge document.
    #[error("the snapshot does not load: {0}")]
    Snapshot(String),
    /// The snapshot is not of this writer alone, or not of the number it should have.
    #[error("the snapshot is not this writer's")]
    Foreign,
    /// A change does not pass the gate.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// A change does not follow the one before.
    #[error("the changes do not follow one another: expected number {expected}")]
    Gap {
        /// The number that should have come.
        expected: u32,
    },
}

/// The Automerge document of one writer's own log.
#[derive(Debug, Clone)]
pub struct Branch {
    actor: Actor,
    document: Automerge,
    seq: u32,
    tip: Option<[u8; 32]>,
}

impl Branch {
    /// An empty branch.
    pub fn new(actor: Actor) -> Self {
        let document = Automerge::new().with_actor(ActorId::from(&actor.0[..]));
        Self {
            actor,
            document,
            seq: 0,
            tip: None,
        }
    }

    /// Takes up a branch that [`Self::save`] gave. It must come from where only this node
    /// writes: its changes are not looked at one by one.
    ///
    /// # Errors
    /// [`BranchError`] if it is no document or not this writer's.
    pub fn load(snapshot: &[u8], actor: Actor) -> Result<Self, BranchError> {
        let options = LoadOptions::new().verification_mode(VerificationMode::DontCheck);
        let mut document = Automerge::load_with_options(snapshot, options)
            .map_err(|error| BranchError::Snapshot(error.to_string()))?;
        document.set_actor(ActorId::from(&actor.0[..]));
        let heads = document.get_heads();
        let last = document.get_last_local_change();
        let (seq, tip) = match (&heads[..], &last) {
            ([], None) => (0, None),
            ([head], Some(last)) if *head == last.hash() => (last.seq(), Some(head.0)),
            _ => return Err(BranchError::Foreign),
        };
        let seq = u32::try_from(seq).map_err(|_| BranchError::Foreign)?;
        Ok(Self {
            actor,
            document,
            seq,
            tip,
        })
    }

    /// Rebuilds a branch from its changes, in order.
    ///
    /// # Errors
    /// [`BranchError`] at the first change that is not the writer's next.
    pub fn apply<'c>(
        &mut self,
        changes: impl IntoIterator<Item = &'c [u8]>,
    ) -> Result<(), BranchError> {
        let (mut seq, mut tip, mut batch) = (self.seq, self.tip, Vec::new());
        for bytes in changes {
            let passed = pass(bytes, &self.actor, seq + 1)?;
            if passed.dep != tip {
                return Err(BranchError::Gap { expected: seq + 1 });
            }
            batch.push(parse(bytes));
            (seq, tip) = (seq + 1, Some(passed.hash));
        }
        self.document
            .apply_changes(batch)
            .expect("changes that passed the gate and follow one another apply");
        (self.seq, self.tip) = (seq, tip);
        Ok(())
    }

    /// Writes an entry and returns the change that says so. It costs the same however much has
    /// been written before.
    ///
    /// # Panics
    /// If the entry is [`Entry::Unknown`] without bytes, since there is nothing to write; or if
    /// Automerge makes another change than every other node's gate expects, since sending it
    /// would lose the entry.
    pub fn write(&mut self, entry: &Entry) -> Vec<u8> {
        let seq = self.seq + 1;
        let entry_bytes = entry.to_bytes();
        assert!(!entry_bytes.is_empty(), "an entry has at least one byte");
        let parts = Parts {
            dep: self.tip,
            kind: entry.kind(),
            entry: &entry_bytes,
        };
        // The change is not asked of Automerge, which would have to put it together again.
        let (change, hash) = change::write(&self.actor, seq, &parts);
        let committed = self.commit(seq, entry.kind(), entry_bytes);
        assert_eq!(
            committed,
            Some(ChangeHash(hash)),
            "Automerge's change is the gate's"
        );
        (self.seq, self.tip) = (seq, Some(hash));
        change
    }

    fn commit(&mut self, seq: u32, kind: char, entry: Vec<u8>) -> Option<ChangeHash> {
        let root_key = block_key(&self.actor, block(seq));
        let mut transaction = self.document.transaction();
        let map = if makes_block(seq) {
            transaction
                .put_object(ROOT, root_key, ObjType::Map)
                .expect("the root is a map")
        } else {
            map_at(&transaction, &root_key).expect("an earlier change made the map of its block")
        };
        transaction
            .put(&map, entry_key(kind, seq), ScalarValue::Bytes(entry))
            .expect("a block is a map");
        let (committed, _) = transaction.commit_with(CommitOptions::default().with_time(0));
        committed
    }

    /// The branch as bytes for [`Self::load`], to be sealed before they are stored.
    pub fn save(&self) -> Vec<u8> {
        self.document.save()
    }

    /// The number of the last entry, 0 for none.
    pub const fn seq(&self) -> u32 {
        self.seq
    }

    /// The Automerge hash of the last change.
    pub const fn tip(&self) -> Option<[u8; 32]> {
        self.tip
    }

    /// About how much memory it takes, for whoever bounds what is kept.
    pub const fn approximate_bytes(&self) -> usize {
        MEMORY_BASE + self.seq as usize * MEMORY_PER_ENTRY
    }
}

/// The map at a root key.
pub(super) fn map_at(document: &impl ReadDoc, key: &str) -> Option<ObjId> {
    let (value, id) = document.get(ROOT, key).ok()??;
    (value.to_objtype() == Some(ObjType::Map)).then_some(id)
}

/// Hands a change that passed the gate to Automerge.
pub(super) fn parse(passed: &[u8]) -> Change {
    Change::try_from(passed)
        .expect("what passed the gate is the change Automerge itself would write")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::Message;

    const ACTOR: Actor = Actor([0xa1; 16]);

    fn message() -> Entry {
        Entry::Message(Message::default())
    }

    fn written(count: u32) -> (Branch, Vec<Vec<u8>>) {
        let mut branch = Branch::new(ACTOR);
        let changes = (0..count).map(|_| branch.write(&message())).collect();
        (branch, changes)
    }

    #[test]
    fn a_branch_goes_on_the_same_however_it_was_taken_up() {
        for count in [0, 1, 63, 64, 130] {
            let (mut original, changes) = written(count);
            let mut loaded = Branch::load(&original.save(), ACTOR).unwrap();
            let mut rebuilt = Branch::new(ACTOR);
            rebuilt.apply(changes.iter().map(Vec::as_slice)).unwrap();
            assert_eq!((loaded.seq(), rebuilt.seq()), (count, count));
            assert_eq!(
                (loaded.tip(), rebuilt.tip()),
                (original.tip(), original.tip())
            );
            for _ in 0..2 {
                let next = original.write(&message());
                assert_eq!(
                    [loaded.write(&message()), rebuilt.write(&message())],
                    [next.clone(), next]
                );
            }
        }
    }

    #[test]
    fn a_snapshot_of_another_is_not_taken_up() {
        let (branch, _) = written(3);
        assert_eq!(
            Branch::load(&branch.save(), Actor([1; 16])).unwrap_err(),
            BranchError::Foreign
        );
        assert!(matches!(
            Branch::load(b"nonsense", ACTOR),
            Err(BranchError::Snapshot(_))
        ));
    }

    #[test]
    fn changes_out_of_order_are_not_applied() {
        let (_, changes) = written(3);
        let mut branch = Branch::new(ACTOR);
        assert!(branch.apply([&changes[0][..], &changes[2]]).is_err());
        assert_eq!(branch.seq(), 0);
        let mut other = Branch::new(ACTOR);
        other.write(&Entry::Seen(vec![]));
        assert_eq!(
            other.apply([&changes[1][..]]),
            Err(BranchError::Gap { expected: 2 })
        );
    }

    #[test]
    fn a_change_is_small_and_stays_small() {
        let (_, changes) = written(4_096);
        assert_eq!(changes.iter().map(Vec::len).max(), Some(148));
        assert_eq!([0, 1, 4_094].map(|at| changes[at].len()), [108, 99, 105]);
    }
}
