//! Opening a database whose files are damaged: what is readable is copied into a fresh one, which
//! takes the old one's place.
//!
//! RocksDB stops writing for good when a compaction meets a block it cannot read, so a damaged
//! file must not stay. Damage is noted by the copy (`scan`) and told to whoever asks; the copy is
//! complete and durable before the old files go. Only databases on a disk are salvaged.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rocksdb::{DB, ErrorKind, FlushOptions, ReadOptions, WriteBatch, WriteOptions};

use crate::damage::{DamageKind, DamageLog};
use crate::error::{RESTORE, StoreError};
use crate::home::sync_dir;
use crate::rocks::{Care, Location};
use crate::scan::Cursor;
use crate::table::Table;

/// Bytes copied at a time.
const COPY_BYTES: usize = 1 << 20;

/// Opens a database, salvaging it first if `is_marked` or if it cannot be opened otherwise.
pub(crate) fn open(
    location: &Location,
    is_marked: bool,
    damage: &DamageLog,
) -> Result<DB, StoreError> {
    if location.is_on_disk() {
        check_current(location)?;
        finish_swap(&location.path)
            .map_err(|error| StoreError::io("finishing a salvage", error))?;
        if is_marked && location.path.exists() {
            salvage(location, damage)?;
        }
    }
    match location.open(Care::Strict) {
        Ok(db) => Ok(db),
        Err(error) if is_corruption(&error) && location.is_on_disk() => mend(location, damage),
        Err(error) => Err(hopeless(location, error)),
    }
}

/// RocksDB takes a directory without the file that names its contents for a new one, and deletes
/// what else is in it.
fn check_current(location: &Location) -> Result<(), StoreError> {
    let Ok(files) = std::fs::read_dir(&location.path) else {
        return Ok(());
    };
    let has_content = files.filter_map(Result::ok).any(|file| {
        let path = file.path();
        path.extension()
            .is_some_and(|kind| kind == "sst" || kind == "log")
    });
    if has_content && !location.path.join("CURRENT").exists() {
        let directory = location.database.directory();
        return Err(StoreError::Damaged {
            what: format!("the database {directory}/ (its file CURRENT is missing)"),
            remedy: RESTORE,
        });
    }
    Ok(())
}

fn is_corruption(error: &rocksdb::Error) -> bool {
    error.kind() == ErrorKind::Corruption
}

fn hopeless(location: &Location, error: rocksdb::Error) -> StoreError {
    if is_corruption(&error) {
        let what = format!("the database {}/", location.database.directory());
        StoreError::Damaged {
            what,
            remedy: RESTORE,
        }
    } else {
        error.into()
    }
}

/// Opens a database that strict opening refused. A damaged log is replayed as far as it can be
/// read; damaged files are salvaged.
fn mend(location: &Location, damage: &DamageLog) -> Result<DB, StoreError> {
    match location.open(Care::Lenient) {
        // Opening wrote what could be read of the log into tables, and the log is done with.
        Ok(db) => drop(db),
        Err(_) => salvage(location, damage)?,
    }
    damage.note(location.database.directory(), &[], DamageKind::Log);
    match location.open(Care::Strict) {
        Ok(db) => Ok(db),
        Err(_) => {
            salvage(location, damage)?;
            location
                .open(Care::Strict)
                .map_err(|error| hopeless(location, error))
        }
    }
}

/// Copies what is readable into a fresh database and puts it in the old one's place.
fn salvage(location: &Location, damage: &DamageLog) -> Result<(), StoreError> {
    let told = |error| StoreError::io("salvaging a database", error);
    let (fresh, _) = beside(&location.path);
    remove(&fresh).map_err(told)?;
    let old = match location.open(Care::Lenient) {
        Ok(old) => old,
        Err(error) if is_corruption(&error) => {
            location
                .rebuild_manifest()
                .map_err(|error| hopeless(location, error))?;
            location
                .open(Care::Lenient)
                .map_err(|error| hopeless(location, error))?
        }
        Err(error) => return Err(hopeless(location, error)),
    };
    let new = location.at(fresh).open(Care::Strict)?;
    for &table in location.database.tables() {
        copy(&old, &new, table, damage)?;
    }
    drop((old, new));
    swap(&location.path).map_err(told)
}

fn copy(old: &DB, new: &DB, table: Table, damage: &DamageLog) -> Result<(), StoreError> {
    let handles = old.cf_handle(table.name()).zip(new.cf_handle(table.name()));
    let (from, to) = handles.expect("every table is made when a database is opened");
    let rows = || old.raw_iterator_cf_opt(from, whole_table());
    let mut rows = Cursor::new(rows, table, (Vec::new(), Vec::new()), damage);
    // What is copied is flushed below, so the log would only double the work.
    let mut unlogged = WriteOptions::default();
    unlogged.disable_wal(true);
    let mut batch = WriteBatch::default();
    rows.seek_first();
    while let Some((key, record)) = rows.row() {
        batch.put_cf(to, key, record);
        if batch.size_in_bytes() >= COPY_BYTES {
            new.write_opt(std::mem::take(&mut batch), &unlogged)?;
        }
        rows.next();
    }
    new.write_opt(batch, &unlogged)?;
    new.flush_cf_opt(to, &FlushOptions::default())?;
    Ok(())
}

/// Reading all of a table once: in the order of whole keys, and without filling the cache.
pub(crate) fn whole_table() -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_total_order_seek(true);
    options.fill_cache(false);
    options
}

/// The names beside a database: of the copy being made, and of the old files on their way out.
fn beside(path: &Path) -> (PathBuf, PathBuf) {
    (
        path.with_extension("salvaged"),
        path.with_extension("damaged"),
    )
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Puts the finished copy in the place of the damaged database.
fn swap(path: &Path) -> io::Result<()> {
    let (fresh, damaged) = beside(path);
    let home = path
        .parent()
        .ok_or_else(|| io::Error::other("a database lies in a home"))?;
    remove(&damaged)?;
    sync_dir(&fresh)?;
    fs::rename(path, &damaged)?;
    fs::rename(&fresh, path)?;
    sync_dir(home)?;
    remove(&damaged)
}

/// Finishes or undoes what a crash left of a swap. The old files only move when the copy is
/// complete, so a missing database means that the copy is to take its place.
fn finish_swap(path: &Path) -> io::Result<()> {
    let (fresh, damaged) = beside(path);
    if !path.exists() && damaged.exists() && fresh.exists() {
        fs::rename(&fresh, path)?;
    }
    if path.exists() {
        remove(&fresh)?;
        remove(&damaged)?;
    }
    Ok(())
}
