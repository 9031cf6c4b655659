//! What the one writer remembers of the index: the newest block of each shelf that it wrote to
//! last. Nearly every message is newer than all before it, so nearly every insertion falls into
//! one of these and reads nothing.

use std::collections::BTreeMap;
use std::mem::size_of;
use std::num::NonZeroUsize;

use lru::LruCache;

use super::{BLOCK_MAX, BlockKey, Shelf, TimelineEntry};

/// Shelves remembered: more than a busy node writes to within a minute, and at most 4 MB.
const SHELVES_MAX: NonZeroUsize = NonZeroUsize::new(256).unwrap();

const _: () =
    assert!(SHELVES_MAX.get() * BLOCK_MAX * size_of::<TimelineEntry>() <= 4 * 1024 * 1024);

/// The block of a shelf that no other comes after, as the last commit left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewestBlock {
    pub(super) key: BlockKey,
    /// In order; never empty.
    pub(super) entries: Vec<TimelineEntry>,
}

impl NewestBlock {
    /// Whether an entry belongs into this block and into none before it.
    pub(super) fn takes(&self, entry: &TimelineEntry) -> bool {
        if self.key.part == 0 {
            entry.hlc >= self.key.start
        } else {
            // Where a tie was cut, only the content tells where the block starts.
            self.entries.first().is_some_and(|first| entry >= first)
        }
    }
}

/// The newest blocks of the shelves written to last.
pub(crate) struct NewestBlocks(LruCache<Shelf, NewestBlock>);

impl Default for NewestBlocks {
    fn default() -> Self {
        Self(LruCache::new(SHELVES_MAX))
    }
}

impl NewestBlocks {
    /// Takes out what is remembered of a shelf. Until it is [kept](Self::keep) again nothing is
    /// remembered of it, which is right also if the commit fails.
    pub(crate) fn take(&mut self, shelf: &Shelf) -> Option<NewestBlock> {
        self.0.pop(shelf)
    }

    /// Remembers what a commit has left on these shelves.
    pub(crate) fn keep(&mut self, blocks: BTreeMap<Shelf, NewestBlock>) {
        for (shelf, block) in blocks {
            self.0.put(shelf, block);
        }
    }

    /// Forgets all, when records of the index are removed by other means than this module's.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
