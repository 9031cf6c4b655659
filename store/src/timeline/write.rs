//! Changing the index: which blocks a set of insertions and removals touches, and what they hold
//! afterwards. Each touched block is read at most once and written once.

use std::collections::BTreeMap;

use kith_crdt::time::Hlc;
use rocksdb::ReadOptions;

use super::newest::NewestBlock;
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

/// What a set of changes does to one shelf.
pub(crate) struct Rewritten {
    pub(crate) blocks: Vec<Rewrite>,
    /// The shelf's newest block afterwards, if it is known.
    pub(crate) newest: Option<NewestBlock>,
}

/// Works out what changes on one shelf. Reads the newest state, and not even that where all falls
/// into the block that is remembered; there is one writer.
pub(crate) fn rewrite(
    shared: &Shared,
    shelf: &Shelf,
    newest: Option<NewestBlock>,
    changes: &Changes,
) -> Rewritten {
    let mut blocks = ShelfBlocks::new(shared, shelf, newest);
    let touched = blocks.touched_by(changes);
    let mut whole = Rewritten {
        blocks: Vec::new(),
        newest: blocks.newest,
    };
    for (key, block) in touched {
        let is_newest = block.next.is_none();
        let part = block.rewrite(key);
        whole.blocks.extend(part.blocks);
        if is_newest {
            whole.newest = part.newest;
        }
    }
    whole
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
    /// Over the shelf's records; made when the first has to be read.
    rows: Option<Cursor<'a>>,
    first: BlockKey,
    /// The last block, until it is touched.
    newest: Option<NewestBlock>,
}

impl<'a> ShelfBlocks<'a> {
    fn new(shared: &'a Shared, shelf: &Shelf, newest: Option<NewestBlock>) -> Self {
        Self {
            shared,
            rows: None,
            first: BlockKey {
                tag: shelf.line.tag(&shared.keys, shelf.span.term),
                window: shelf.span.window,
                start: Hlc(0),
                part: 0,
            },
            newest,
        }
    }

    fn rows(&mut self) -> &mut Cursor<'a> {
        let BlockKey { tag, window, .. } = self.first;
        let shared = self.shared;
        self.rows.get_or_insert_with(|| {
            let prefix = [tag.as_slice(), &window.0.to_be_bytes()].concat();
            let upper = after_prefix(&prefix);
            shared.cursor(Table::Timeline, prefix, upper, ReadOptions::default)
        })
    }

    fn touched_by(&mut self, changes: &Changes) -> BTreeMap<BlockKey, Touched> {
        let mut touched: BTreeMap<BlockKey, Touched> = BTreeMap::new();
        let mut current: Option<BlockKey> = None;
        for (&entry, &wanted) in changes {
            let stays = current
                .and_then(|key| touched.get(&key))
                .is_some_and(|block| block.next.is_none_or(|next| entry.hlc < next.start));
            if !stays {
                let (key, entries, next) = self.find(&entry);
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

    /// The block that an entry belongs to, what it holds, and the block after it; the shelf's
    /// first block if the entry comes before all that exist.
    fn find(
        &mut self,
        entry: &TimelineEntry,
    ) -> (BlockKey, Option<Vec<TimelineEntry>>, Option<BlockKey>) {
        if let Some(newest) = self.newest.take_if(|newest| newest.takes(entry)) {
            return (newest.key, Some(newest.entries), None);
        }
        let (key, entries) = self.read(entry);
        let next = self.after(&key);
        (key, entries, next)
    }

    fn read(&mut self, entry: &TimelineEntry) -> (BlockKey, Option<Vec<TimelineEntry>>) {
        let (shared, first) = (self.shared, self.first);
        let rows = self.rows();
        rows.seek_back(
            &BlockKey {
                start: entry.hlc,
                part: u32::MAX,
                ..first
            }
            .to_bytes(),
        );
        while let Some((row, record)) = rows.row() {
            if let Some(key) = BlockKey::parse(row) {
                let entries = read_block(shared, row, record);
                let starts_later =
                    key.part > 0 && entries.first().is_some_and(|first| entry < first);
                if !starts_later {
                    return (key, Some(entries));
                }
            }
            rows.prev();
        }
        (first, None)
    }

    fn after(&mut self, key: &BlockKey) -> Option<BlockKey> {
        let mut beyond = key.to_bytes().to_vec();
        beyond.push(0);
        let rows = self.rows();
        rows.seek(&beyond);
        rows.row().and_then(|(row, _)| BlockKey::parse(row))
    }
}

impl Touched {
    /// The block with its changes, in as many pieces as it needs. The newest block is the last of
    /// them, if anything is left.
    fn rewrite(self, key: BlockKey) -> Rewritten {
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
        if entries.is_empty() {
            let gone = Rewrite {
                key: key.to_bytes().to_vec(),
                plain: None,
            };
            return Rewritten {
                blocks: (changed && existed).then_some(gone).into_iter().collect(),
                newest: None,
            };
        }
        if !changed {
            return Rewritten {
                blocks: Vec::new(),
                newest: Some(NewestBlock { key, entries }),
            };
        }
        let appends_only = self
            .changes
            .iter()
            .all(|(entry, wanted)| *wanted && appended.is_none_or(|last| *entry > last));
        let pieces = pieces(&entries, appends_only, key, self.next);
        Rewritten {
            blocks: pieces
                .iter()
                .map(|(key, piece)| Rewrite {
                    key: key.to_bytes().to_vec(),
                    plain: Some(block::encode(key.window, piece)),
                })
                .collect(),
            newest: pieces.last().map(|&(key, piece)| NewestBlock {
                key,
                entries: piece.to_vec(),
            }),
        }
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
