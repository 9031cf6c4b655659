//! Rewriting tables, and making sure of it.
//!
//! RocksDB's interface does not say that a compaction failed, for want of space, say. So the files
//! are compared: whatever held something of the range before has to be gone.

use std::collections::BTreeSet;

use rocksdb::{BottommostLevelCompaction, CompactOptions, DB, FlushOptions, LiveFile};

use crate::error::StoreError;
use crate::table::Table;

/// A range of keys of a table.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    table: Table,
    from: Vec<u8>,
    /// Where it ends, if not with the table.
    to: Option<Vec<u8>>,
}

impl Part {
    /// A table as a whole.
    pub(crate) const fn whole(table: Table) -> Self {
        Self {
            table,
            from: Vec::new(),
            to: None,
        }
    }

    /// The keys from one on and before another, or to the end if that one is empty.
    pub(crate) fn range(table: Table, from: Vec<u8>, to: Vec<u8>) -> Self {
        let to = Some(to).filter(|to| !to.is_empty());
        Self { table, from, to }
    }

    /// Whether a file may hold something of it.
    fn meets(&self, file: &LiveFile) -> bool {
        let begins_before = match (&file.start_key, &self.to) {
            (Some(start), Some(to)) => start < to,
            _ => true,
        };
        let ends_after = file.end_key.as_ref().is_none_or(|end| *end >= self.from);
        file.column_family_name == self.table.name() && begins_before && ends_after
    }
}

/// Moves everything out of the write-ahead log, and rewrites the files that hold something of these
/// parts, beside others' writing unless it is to be `alone`.
///
/// # Errors
/// What keeps the database from being written, and [`StoreError::NotRewritten`]. Doing it again
/// finishes it.
pub(crate) fn rewrite(
    db: &DB,
    tables: &[Table],
    parts: &[Part],
    alone: bool,
) -> Result<(), StoreError> {
    let table = |table: &Table| {
        db.cf_handle(table.name())
            .expect("every table is made when the database is opened")
    };
    let flushed: Vec<_> = tables.iter().map(table).collect();
    db.flush_cfs_opt(&flushed, &FlushOptions::default())?;
    let before = files(db, parts)?;
    let mut options = CompactOptions::default();
    options.set_exclusive_manual_compaction(alone);
    options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
    for part in parts {
        let (from, to) = (Some(&part.from), part.to.as_ref());
        db.compact_range_cf_opt(table(&part.table), from, to, &options);
    }
    match files(db, parts)?.intersection(&before).count() {
        0 => Ok(()),
        left => Err(StoreError::NotRewritten { files: left }),
    }
}

/// The names of the files that hold something of these parts.
fn files(db: &DB, parts: &[Part]) -> Result<BTreeSet<String>, StoreError> {
    let live = db.live_files()?.into_iter();
    let met = live.filter(|file| parts.iter().any(|part| part.meets(file)));
    Ok(met.map(|file| file.name).collect())
}
