//! A whole segment as one Automerge document: the union of its writers' branches.
//!
//! Reading a timeline does not need it, since every entry has its place in the store. It is what
//! the entries are a projection of, and tests hold the two against each other.

use std::collections::BTreeMap;

use automerge::{
    Automerge, Change, ChangeHash, ObjId, ObjType, ROOT, ReadDoc, ScalarValueRef, ValueRef,
};

use super::entry::Entry;
use super::gate::pass;
use crate::ids::Actor;

/// A segment document.
#[derive(Debug, Clone, Default)]
pub struct SegmentDocument {
    document: Automerge,
    tips: BTreeMap<Actor, (u32, [u8; 32])>,
}

/// A writer's change as it came out of an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriterChange {
    /// The writer's actor.
    pub actor: Actor,
    /// The envelope's number.
    pub seq: u32,
    /// The change.
    pub bytes: Vec<u8>,
}

impl SegmentDocument {
    /// An empty document.
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies a batch of changes, those of each writer in order, and returns how many took
    /// effect. One that does not pass the gate, or does not follow its writer's last one, is left
    /// out: Automerge would keep it in memory without bound, waiting for what it names.
    pub fn apply_batch<'c>(
        &mut self,
        changes: impl IntoIterator<Item = &'c WriterChange>,
    ) -> usize {
        let mut batch = Vec::new();
        for change in changes {
            let tip = self.tips.get(&change.actor).copied();
            let follows = tip.map_or(1, |(seq, _)| seq + 1) == change.seq;
            let passed = pass(&change.bytes, &change.actor, change.seq);
            let Some(passed) = passed
                .ok()
                .filter(|passed| follows && passed.dep == tip.map(|(_, hash)| hash))
            else {
                continue;
            };
            self.tips.insert(change.actor, (change.seq, passed.hash));
            batch.push(parse(&change.bytes));
        }
        let applied = batch.len();
        self.document
            .apply_changes(batch)
            .expect("changes that passed the gate and follow one another apply");
        applied
    }

    /// Every entry, by writer and number, as it stands in the document.
    pub fn entries(&self) -> Vec<(Actor, u32, Entry)> {
        let mut entries: Vec<_> = self
            .document
            .keys(ROOT)
            .filter_map(|key| Some((block_actor(&key)?, map_at(&self.document, &key)?)))
            .flat_map(|(actor, map)| {
                self.document.map_range(map, ..).filter_map(move |item| {
                    let (seq, entry) = read_item(&item.key, &item.value)?;
                    Some((actor, seq, entry))
                })
            })
            .collect();
        entries.sort_by_key(|&(actor, seq, _)| (actor, seq));
        entries
    }

    /// The hashes of the newest changes, one for each writer, sorted.
    pub fn heads(&self) -> Vec<[u8; 32]> {
        self.document
            .get_heads()
            .into_iter()
            .map(|ChangeHash(hash)| hash)
            .collect()
    }
}

/// The map at a root key.
fn map_at(document: &impl ReadDoc, key: &str) -> Option<ObjId> {
    let (value, id) = document.get(ROOT, key).ok()??;
    (value.to_objtype() == Some(ObjType::Map)).then_some(id)
}

/// Hands a change that passed the gate to Automerge.
fn parse(passed: &[u8]) -> Change {
    Change::try_from(passed)
        .expect("what passed the gate is the change Automerge itself would write")
}

fn block_actor(key: &str) -> Option<Actor> {
    let (hex, _) = key.split_once('/')?;
    let mut actor = [0; Actor::LEN];
    let digits = hex.as_bytes();
    if digits.len() != 2 * Actor::LEN {
        return None;
    }
    for (byte, pair) in actor.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(Actor(actor))
}

fn read_item(key: &str, value: &ValueRef<'_>) -> Option<(u32, Entry)> {
    let kind = key.chars().next()?;
    let seq = key.get(kind.len_utf8()..)?.parse().ok()?;
    match value {
        ValueRef::Scalar(ScalarValueRef::Bytes(bytes)) => {
            Some((seq, Entry::parse(kind, bytes).ok()?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::MessageId;
    use crate::segment::{Branch, Message, read_change};

    fn entry(n: u8) -> Entry {
        let target = MessageId([n; 10]);
        match n % 5 {
            0 => Entry::Message(Message::default()),
            1 => Entry::Edit { target },
            2 => Entry::Deletion { target },
            3 => Entry::Reaction {
                target,
                emoji: "👍".into(),
                on: n > 99,
            },
            _ => Entry::Unknown {
                kind: 'z',
                entry: vec![n],
            },
        }
    }

    /// What three writers write, each in its own branch.
    fn written(choices: &[(u8, u8)]) -> Vec<WriterChange> {
        let mut branches: Vec<_> = (0..3).map(|n| Branch::new(Actor([n; 16]))).collect();
        let write = |&(who, what): &(u8, u8)| {
            let branch = &mut branches[usize::from(who)];
            let bytes = branch.write(&entry(what));
            WriterChange {
                actor: Actor([who; 16]),
                seq: branch.seq(),
                bytes,
            }
        };
        choices.iter().map(write).collect()
    }

    proptest! {
        #[test]
        fn the_document_says_what_the_entries_say_whatever_the_batches(
            choices in proptest::collection::vec((0u8..3, any::<u8>()), 0..150),
            cut in any::<prop::sample::Index>(),
        ) {
            let changes = written(&choices);
            let mut entries: Vec<_> = changes
                .iter()
                .map(|c| (c.actor, c.seq, read_change(&c.bytes, &c.actor, c.seq).unwrap()))
                .collect();
            entries.sort_by_key(|&(actor, seq, _)| (actor, seq));

            let mut by_writer = changes.clone();
            by_writer.sort_by_key(|change| (std::cmp::Reverse(change.actor), change.seq));
            let (mut one, mut two) = (SegmentDocument::new(), SegmentDocument::new());
            prop_assert_eq!(one.apply_batch(&changes), changes.len());
            let (front, back) = by_writer.split_at(cut.index(by_writer.len() + 1));
            prop_assert_eq!(two.apply_batch(front) + two.apply_batch(back), changes.len());

            prop_assert_eq!(one.entries(), entries);
            prop_assert_eq!((one.entries(), one.heads()), (two.entries(), two.heads()));
        }
    }

    #[test]
    fn what_does_not_follow_or_does_not_pass_is_left_out() {
        let mut changes = written(&[(0, 0), (0, 0), (0, 0), (1, 0)]);
        changes[3].bytes[40] ^= 1;
        changes.remove(1);
        let mut document = SegmentDocument::new();
        assert_eq!(document.apply_batch(&changes), 1);
        assert_eq!(document.entries().len(), 1);
        assert_eq!(
            document.apply_batch(&changes),
            0,
            "a change is applied once"
        );
    }

    #[test]
    fn a_change_on_another_history_is_left_out() {
        let (first, other) = (written(&[(0, 0)]), written(&[(0, 1), (0, 0)]));
        let mut document = SegmentDocument::new();
        assert_eq!(document.apply_batch(&first), 1);
        assert_eq!(document.apply_batch(&other[1..]), 0);
    }
}
