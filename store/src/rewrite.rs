//! Rewriting tables, and making sure of it.
//!
//! RocksDB's interface does not say that a compaction failed, for want of space, say, and no list
//! of its has a file that it began and could not finish, or let go of and could not remove. So the
//! directory is looked at: whatever may have held something of the range before has to be gone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use rocksdb::{
    BottommostLevelCompaction, CompactOptions, DB, FlushOptions, LiveFile, WaitForCompactOptions,
};

use crate::error::StoreError;
use crate::home;
use crate::rocks::{self, LOG, Location, TABLE};
use crate::table::Table;

/// How long is waited for work in the background that keeps files from being removed.
const WAIT_US: u64 = 5_000_000;

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
    location: &Location,
    parts: &[Part],
    alone: bool,
) -> Result<(), StoreError> {
    let files = Files {
        db,
        directory: location.is_on_disk().then_some(location.path.as_path()),
        parts,
    };
    let table = |table: &Table| {
        db.cf_handle(table.name())
            .expect("every table is made when the database is opened")
    };
    let logs = files.logs()?;
    let flushed: Vec<_> = location.database.tables().iter().map(table).collect();
    db.flush_cfs_opt(&flushed, &FlushOptions::default())?;
    let mut before = files.tables()?;
    before.extend(logs);

    let mut options = CompactOptions::default();
    options.set_exclusive_manual_compaction(alone);
    options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
    for part in parts {
        let (from, to) = (Some(&part.from), part.to.as_ref());
        db.compact_range_cf_opt(table(&part.table), from, to, &options);
    }
    let mut left = files.left_of(&before)?;
    if left > 0 {
        let mut wait = WaitForCompactOptions::default();
        wait.set_timeout(WAIT_US);
        // That it took too long or failed shows in what is left.
        drop(db.wait_for_compact(&wait));
        left = files.left_of(&before)?;
    }
    match left {
        0 => Ok(()),
        files => Err(StoreError::NotRewritten { files }),
    }
}

/// The files of a database, by name, that may hold something of some parts.
struct Files<'a> {
    db: &'a DB,
    /// Where they are, if not in memory.
    directory: Option<&'a Path>,
    parts: &'a [Part],
}

impl Files<'_> {
    /// Those of the write-ahead log.
    fn logs(&self) -> Result<BTreeSet<String>, StoreError> {
        let mut logs = self.there()?;
        logs.retain(|name| name.ends_with(LOG));
        Ok(logs)
    }

    /// Those of the tables: what is in use and meets the parts, and what is there and not in use.
    fn tables(&self) -> Result<BTreeSet<String>, StoreError> {
        let live: BTreeMap<String, LiveFile> = self
            .db
            .live_files()?
            .into_iter()
            .map(|file| (file.name.trim_start_matches('/').to_owned(), file))
            .collect();
        let mut tables = self.there()?;
        tables.retain(|name| name.ends_with(TABLE));
        tables.extend(live.keys().cloned());
        tables.retain(|name| {
            let met = |file: &LiveFile| self.parts.iter().any(|part| part.meets(file));
            live.get(name).is_none_or(met)
        });
        Ok(tables)
    }

    /// How many of these are still there, once RocksDB has removed what it has no use for.
    fn left_of(&self, before: &BTreeSet<String>) -> Result<usize, StoreError> {
        // Of what it could not remove at the time it is reminded by nothing else before it is opened
        // again.
        self.db.disable_file_deletions()?;
        self.db.enable_file_deletions()?;
        let mut now = self.tables()?;
        now.extend(self.logs()?);
        Ok(now.intersection(before).count())
    }

    /// The names of the tables and logs in the directory that are not empty.
    fn there(&self) -> Result<BTreeSet<String>, StoreError> {
        let Some(directory) = self.directory else {
            return Ok(BTreeSet::new());
        };
        let files = home::files(directory, rocks::is_of_records)
            .map_err(|error| StoreError::io("looking at the files of a database", error))?;
        let names = files.iter().filter_map(|path| {
            let is_empty = fs::metadata(path).is_ok_and(|file| file.len() == 0);
            let name = path.file_name()?.to_str()?;
            (!is_empty).then(|| name.to_owned())
        });
        Ok(names.collect())
    }
}
