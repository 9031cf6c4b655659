//! Changing the index: which blocks a set of insertions and removals touches, and what they hold
//! afterwards. Each touched block is read once and written once.

use std::collections::BTreeMap;

use kith_crdt::time::Hlc;
use rocksdb::ReadOptions;

use super::read::read_block;
use super::{BLOCK_MAX, BlockKey, Shelf, TimelineEntry, block};
use crate::keys::after_prefix;
use crate::scan::Cursor;
use crate::shared::Shared;
use crate::table::Table;

/// The room left between the parts of a tie, so that parts can be put between.
const PART_STEP: u32 = 1 << 16;

/// What should be on a shelf (`true`) or not (`false`); the last word on an entry counts.
pub(crate) type Changes = BTreeMap<TimelineEntry, bool>;

/// One block that has to be written, or deleted where nothing is left in it.
pub(crate) struct Rewrite {
    pub(crate) key: Vec<u8>,
    pub(crate) plain: Option<Vec<u8>>,
}

/// Works out what changes on one shelf. Reads the newest state; there is one writer.
pub(crate) fn rewrite(shared: &Shared, shelf: &Shelf, changes: &Changes) -> Vec<Rewrite> {
    let mut blocks = ShelfBlocks::new(shared, shelf);
    let touched = blocks.touched_by(changes);
    touched
        .into_iter()
        .flat_map(|(key, touched)| touched.rewrite(key))
        .collect()
}

/// A block that changes fall into.
struct Touched {
    /// What it holds now; `None` if it does not exist.
    entries: Option<Vec<TimelineEntry>>,
    /// The key of the block after it.
    next: Option<BlockKey>,
    changes: Vec<(TimelineEntry, bool)>,
}

/// The blocks of one shelf, as they are before the commit.
struct ShelfBlocks<'a> {
    shared: &'a Shared,
    rows: Cursor<'a>,
    first: BlockKey,
}

impl<'a> ShelfBlocks<'a> {
    fn new(shared: &'a Shared, shelf: &Shelf) -> Self {
        let tag = shelf.line.tag(&shared.keys, shelf.run);
        let prefix = [tag.as_slice(), &shelf.window.0.to_be_bytes()].concat();
        let upper = after_prefix(&prefix);
        let rows = shared.cursor(Table::Timeline, prefix, upper, ReadOptions::default);
        Self {
            shared,
            rows,
            first: BlockKey {
                tag,
                window: shelf.window,
                start: Hlc(0),
                part: 0,
            },
        }
    }

    fn touched_by(&mut self, changes: &Changes) -> BTreeMap<BlockKey, Touched> {
        let mut touched: BTreeMap<BlockKey, Touched> = BTreeMap::new();
        let mut current: Option<BlockKey> = None;
        for (&entry, &wanted) in changes {
            let stays = current
                .and_then(|key| touched.get(&key))
                .is_some_and(|block| block.next.is_none_or(|next| entry.hlc < next.start));
            if !stays {
                let (key, entries) = self.find(&entry);
                let next = self.after(&key);
                touched.entry(key).or_insert(Touched {
                    entries,
                    next,
                    changes: Vec::new(),
                });
                current = Some(key);
            }
            let block = current
                .and_then(|key| touched.get_mut(&key))
                .expect("found just above");
            block.changes.push((entry, wanted));
        }
        touched
    }

    /// The block that an entry belongs to, and what it holds; the shelf's first block if the
    /// entry comes before all that exist.
    fn find(&mut self, entry: &TimelineEntry) -> (BlockKey, Option<Vec<TimelineEntry>>) {
        self.rows.seek_back(
            &BlockKey {
                start: entry.hlc,
                part: u32::MAX,
                ..self.first
            }
            .to_bytes(),
        );
        while let Some((row, record)) = self.rows.row() {
            if let Some(key) = BlockKey::parse(row) {
                let entries = read_block(self.shared, row, record);
                let starts_later =
                    key.part > 0 && entries.first().is_some_and(|first| entry < first);
                if !starts_later {
                    return (key, Some(entries));
                }
            }
            self.rows.prev();
        }
        (self.first, None)
    }

    fn after(&mut self, key: &BlockKey) -> Option<BlockKey> {
        let mut beyond = key.to_bytes().to_vec();
        beyond.push(0);
        self.rows.seek(&beyond);
        self.rows.row().and_then(|(row, _)| BlockKey::parse(row))
    }
}

impl Touched {
    fn rewrite(self, key: BlockKey) -> Vec<Rewrite> {
        let existed = self.entries.is_some();
        let mut entries = self.entries.unwrap_or_default();
        let appended = entries.last().copied();
        let mut changed = false;
        for (entry, wanted) in &self.changes {
            match (entries.binary_search(entry), wanted) {
                (Err(at), true) => entries.insert(at, *entry),
                (Ok(at), false) => drop(entries.remove(at)),
                _ => continue,
            }
            changed = true;
        }
        if !changed {
            return Vec::new();
        }
        if entries.is_empty() {
            let gone = Rewrite {
                key: key.to_bytes().to_vec(),
                plain: None,
            };
            return existed.then_some(gone).into_iter().collect();
        }
        let appends_only = self
            .changes
            .iter()
            .all(|(entry, wanted)| *wanted && appended.is_none_or(|last| *entry > last));
        pieces(&entries, appends_only, key, self.next)
            .into_iter()
            .map(|(key, piece)| Rewrite {
                key: key.to_bytes().to_vec(),
                plain: Some(block::encode(key.window, piece)),
            })
            .collect()
    }
}

/// Cuts the entries of one block into as many as they need. What is only appended to leaves full
/// blocks behind it; otherwise the pieces are of equal size, so that there is room in each.
fn pieces(
    entries: &[TimelineEntry],
    appends_only: bool,
    first: BlockKey,
    next: Option<BlockKey>,
) -> Vec<(BlockKey, &[TimelineEntry])> {
    let size = if appends_only {
        BLOCK_MAX
    } else {
        entries.len().div_ceil(entries.len().div_ceil(BLOCK_MAX))
    };
    let mut pieces: Vec<(BlockKey, &[TimelineEntry])> = Vec::new();
    let mut from = 0;
    let mut key = first;
    for cut in (size..entries.len()).step_by(size) {
        // Where there is no key to cut at, the piece stays longer.
        if let Some(after) = key_at(entries, cut, key, next) {
            pieces.push((key, &entries[from..cut]));
            (from, key) = (cut, after);
        }
    }
    pieces.push((key, &entries[from..]));
    pieces
}

/// The key of the piece that starts at `cut`: its first entry's time, or, in the middle of
/// entries of the same time, a part between its neighbours'.
fn key_at(
    entries: &[TimelineEntry],
    cut: usize,
    before: BlockKey,
    next: Option<BlockKey>,
) -> Option<BlockKey> {
    let start = entries[cut].hlc;
    if entries[cut - 1].hlc < start {
        return Some(BlockKey {
            start,
            part: 0,
            ..before
        });
    }
    let low = if before.start == start {
        before.part
    } else {
        0
    };
    let part = match next.filter(|next| next.start == start) {
        None => low.checked_add(PART_STEP)?,
        Some(next) => low + next.part.checked_sub(low)? / 2,
    };
    (part > low).then_some(BlockKey {
        start,
        part,
        ..before
    })
}
