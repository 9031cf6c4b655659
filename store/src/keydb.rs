//! The key database: window keys and epochs, apart from everything they open.
//!
//! It is tiny, so that whenever a key goes, all of it can be written anew: the tables are
//! flushed and compacted to their last level, which leaves the old files and the old log without
//! a use, and these are overwritten before they are removed. What a file system or a flash chip
//! keeps of overwritten blocks is beyond a program's reach; what was in them is sealed as well.

use std::fs;
use std::io;
use std::path::Path;

use kith_crdt::crypto::secret::Secret;
use kith_crdt::ids::{ChannelId, Window};
use kith_crdt::term::{Span, Term};
use minicbor::{Decode, Encode};
use rocksdb::{ColumnFamily, DB, ReadOptions, WriteBatch, WriteOptions};
use zeroize::Zeroizing;

use crate::damage::{DamageKind, DamageLog};
use crate::error::StoreError;
use crate::home;
use crate::keys::{RecordKeys, after_prefix};
use crate::rewrite::{Part, rewrite};
use crate::rocks::{self, Location};
use crate::scan::Cursor;
use crate::seal::{self, Nonces, Sealed, Site, TABLE_KEY};
use crate::shared::TableKeys;
use crate::table::Table;
use crate::window_keys::{WindowKey, WindowKeys};

/// The record that holds the next number to give out, under a number that no key has.
const COUNTER: u32 = 0;
/// How far numbering goes on ahead when the counter cannot be read.
const COUNTER_LEAP: u32 = 1 << 16;
/// What stands in the place of a key that was deleted on purpose: CBOR's null. Without it a number
/// that has no key would be taken for damage.
const DELETED: [u8; 1] = [0xf6];
/// How the names of files start that wait to be overwritten. RocksDB does not know such names.
const HELD: &str = "held-";

/// The value of a record of `window_keys`.
#[derive(Encode, Decode)]
#[cbor(array)]
struct WindowRecord {
    #[n(0)]
    channel: ChannelId,
    #[n(1)]
    window: Window,
    #[n(2)]
    term: Term,
    #[n(3)]
    key: Secret,
}

/// The open key database. Only the writer has it, and whoever inspects a home.
pub(crate) struct KeyDb {
    db: DB,
    location: Location,
}

impl KeyDb {
    pub(crate) fn new(db: DB, location: Location) -> Self {
        let keys = Self { db, location };
        // An erasing that was cut off, or failed. If it fails again, the next one tries it.
        if keys.has_held() {
            drop(keys.erase());
        }
        keys
    }

    /// The key database as it is now, beside whoever writes to it.
    pub(crate) fn for_reading(location: &Location) -> Result<Self, StoreError> {
        Ok(Self {
            db: location.open_for_reading()?,
            location: location.clone(),
        })
    }

    fn table(&self, table: Table) -> &ColumnFamily {
        self.db
            .cf_handle(table.name())
            .expect("every table is made when the database is opened")
    }

    fn write(&self, batch: WriteBatch) -> Result<(), StoreError> {
        let mut options = WriteOptions::default();
        options.set_sync(true);
        Ok(self.db.write_opt(batch, &options)?)
    }

    /// Seals a record under its place and stages it.
    fn put(
        &self,
        batch: &mut WriteBatch,
        (table, key): (Table, &[u8]),
        plain: &[u8],
        (table_keys, nonces): (&TableKeys, &mut Nonces),
    ) {
        let site = Site { table, key };
        let record = seal::seal(
            site,
            TABLE_KEY,
            table_keys.get(table),
            &nonces.next(),
            plain,
        );
        batch.put_cf(self.table(table), key, record);
    }

    fn scan(
        &self,
        table: Table,
        prefix: Vec<u8>,
        damage: &DamageLog,
        mut each: impl FnMut(&[u8], &[u8]),
    ) {
        let upper = after_prefix(&prefix);
        let rows = || {
            self.db
                .raw_iterator_cf_opt(self.table(table), ReadOptions::default())
        };
        let mut rows = Cursor::new(rows, table, (prefix, upper), damage);
        rows.seek_first();
        while let Some((key, record)) = rows.row() {
            each(key, record);
            rows.next();
        }
    }

    /// Reads all window keys into memory.
    pub(crate) fn load(
        &self,
        keys: &RecordKeys,
        table_keys: &TableKeys,
        damage: &DamageLog,
    ) -> WindowKeys {
        let loaded = WindowKeys::default();
        let mut counter = None;
        let mut rows = 0_u64;
        self.scan(Table::WindowKeys, Vec::new(), damage, |key, record| {
            rows += 1;
            let site = Site {
                table: Table::WindowKeys,
                key,
            };
            let number = key.try_into().ok().map(u32::from_be_bytes);
            let plain = open(site, record, table_keys);
            match (number, plain.and_then(|plain| Entry::parse(number, &plain))) {
                (_, Some(Entry::Counter(next))) => counter = Some(next),
                (
                    Some(number),
                    Some(Entry::Key(WindowRecord {
                        channel,
                        window,
                        term,
                        key,
                    })),
                ) => {
                    let chan = keys.chan(&channel);
                    loaded.insert(
                        number,
                        channel,
                        WindowKey {
                            chan,
                            span: Span { window, term },
                            secret: key,
                        },
                    );
                }
                (Some(number), Some(Entry::Deleted)) => loaded.remove(number),
                (number, _) => {
                    damage.note(site.table.name(), key, DamageKind::Seal);
                    loaded.raise_next(number.map_or(0, |number| number.saturating_add(1)));
                }
            }
        });
        let has_hole = damage.named().iter().any(|damage| {
            damage.table == Table::WindowKeys.name() && damage.kind == DamageKind::Block
        });
        match counter {
            Some(next) => loaded.raise_next(next),
            None if rows > 0 || has_hole => {
                loaded.raise_next(loaded.next().saturating_add(COUNTER_LEAP))
            }
            None => {}
        }
        loaded
    }

    /// Makes new window keys durable, with the next number to give out after them.
    pub(crate) fn put_windows(
        &self,
        fresh: &[(u32, ChannelId, WindowKey)],
        next: u32,
        (table_keys, nonces): (&TableKeys, &mut Nonces),
    ) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        let mut put = |number: u32, plain: &[u8]| {
            let place = (Table::WindowKeys, &number.to_be_bytes()[..]);
            self.put(&mut batch, place, plain, (table_keys, nonces));
        };
        for (number, channel, key) in fresh {
            let record = WindowRecord {
                channel: *channel,
                window: key.span.window,
                term: key.span.term,
                key: key.secret.clone(),
            };
            put(
                *number,
                &Zeroizing::new(kith_crdt::encoding::encode(&record)),
            );
        }
        put(COUNTER, &kith_crdt::encoding::encode(&next));
        self.write(batch)
    }

    /// Deletes a window key, leaving the mark that it was deleted. Files may hold the key until
    /// [`KeyDb::erase`].
    pub(crate) fn delete_window(
        &self,
        number: u32,
        (table_keys, nonces): (&TableKeys, &mut Nonces),
    ) -> Result<(), StoreError> {
        let place = (Table::WindowKeys, &number.to_be_bytes()[..]);
        let mut batch = WriteBatch::default();
        self.put(&mut batch, place, &DELETED, (table_keys, nonces));
        self.write(batch)
    }

    /// Deletes the records that cannot be opened: all those of window keys, and the epochs under a
    /// prefix of their keys. Window keys that are still in memory are written again. Returns how
    /// many there were.
    pub(crate) fn drop_unreadable(
        &self,
        prefix: Vec<u8>,
        loaded: &WindowKeys,
        (table_keys, nonces): (&TableKeys, &mut Nonces),
    ) -> Result<u64, StoreError> {
        // What is met here was met at the start.
        let unheard = DamageLog::default();
        let mut batch = WriteBatch::default();
        let mut dropped = 0;
        let mut again = Vec::new();
        for (table, prefix) in [(Table::WindowKeys, Vec::new()), (Table::Epochs, prefix)] {
            self.scan(table, prefix, &unheard, |key, record| {
                if open(Site { table, key }, record, table_keys).is_none() {
                    batch.delete_cf(self.table(table), key);
                    dropped += 1;
                    let number = key.try_into().ok().map(u32::from_be_bytes);
                    again.extend(number.filter(|_| table == Table::WindowKeys));
                }
            });
        }
        if dropped > 0 {
            let known = |number| loaded.get(number).map(|(of, key)| (number, of, key));
            let again: Vec<_> = again.into_iter().filter_map(known).collect();
            self.write(batch)?;
            self.put_windows(&again, loaded.next(), (table_keys, nonces))?;
        }
        Ok(dropped)
    }

    /// Writes an epoch. The value it had before, if another, is erased; if that fails, writing it
    /// again tries it again.
    pub(crate) fn put_epoch(
        &self,
        key: &[u8],
        plain: &[u8],
        (table_keys, nonces): (&TableKeys, &mut Nonces),
    ) -> Result<(), StoreError> {
        let site = Site {
            table: Table::Epochs,
            key,
        };
        let old = self.db.get_cf(self.table(site.table), key)?;
        if old
            .as_ref()
            .and_then(|old| open(site, old, table_keys))
            .is_some_and(|old| *old == plain)
        {
            return if self.has_held() {
                self.erase()
            } else {
                Ok(())
            };
        }
        let mut batch = WriteBatch::default();
        let place = (Table::Epochs, key);
        self.put(&mut batch, place, plain, (table_keys, nonces));
        match old {
            Some(_) => self.replace(batch),
            None => self.write(batch),
        }
    }

    /// The readable epochs under a prefix of their keys.
    pub(crate) fn epochs(
        &self,
        prefix: Vec<u8>,
        table_keys: &TableKeys,
        damage: &DamageLog,
    ) -> Vec<Zeroizing<Vec<u8>>> {
        let mut epochs = Vec::new();
        self.scan(Table::Epochs, prefix, damage, |key, record| {
            match open(
                Site {
                    table: Table::Epochs,
                    key,
                },
                record,
                table_keys,
            ) {
                Some(plain) => epochs.push(plain),
                None => damage.note(Table::Epochs.name(), key, DamageKind::Seal),
            }
        });
        epochs
    }

    /// Deletes an epoch so that no file holds it any more.
    pub(crate) fn delete_epoch(&self, key: &[u8]) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        batch.delete_cf(self.table(Table::Epochs), key);
        self.replace(batch)
    }

    /// Writes what makes something of the files worthless, and erases that. Should it be cut off in
    /// between, the held files tell the next start.
    fn replace(&self, batch: WriteBatch) -> Result<(), StoreError> {
        self.hold()?;
        self.write(batch)?;
        self.erase()
    }

    /// Rewrites everything and overwrites the files that held it before, so that what was deleted
    /// is in no file any more.
    pub(crate) fn erase(&self) -> Result<(), StoreError> {
        self.hold()?;
        rewrite(
            &self.db,
            &self.location,
            &Table::KEYS.map(Part::whole),
            true,
        )?;
        self.overwrite_held();
        Ok(())
    }

    /// Gives every file a second name, by which it can be overwritten once RocksDB has let go of
    /// it.
    fn hold(&self) -> Result<(), StoreError> {
        if !self.location.is_on_disk() {
            return Ok(());
        }
        // RocksDB works beside this: what it removed meanwhile would not be overwritten.
        self.db.disable_file_deletions()?;
        let held = hold_files(&self.location.path)
            .and_then(|()| home::sync_dir(&self.location.path))
            .map_err(|error| StoreError::io("erasing a key", error));
        self.db.enable_file_deletions()?;
        held
    }

    /// Whether files are held, because an erasing was cut off or failed.
    fn has_held(&self) -> bool {
        let held = |name: &str| name.starts_with(HELD);
        let held = home::files(&self.location.path, held).unwrap_or_default();
        self.location.is_on_disk() && !held.is_empty()
    }

    /// Overwrites and removes held files that RocksDB no longer has. That it cannot be done now
    /// leaves them for the next time.
    fn overwrite_held(&self) {
        if !self.location.is_on_disk() {
            return;
        }
        for path in
            home::files(&self.location.path, |name| name.starts_with(HELD)).unwrap_or_default()
        {
            drop(home::overwrite(&path));
        }
    }
}

enum Entry {
    Counter(u32),
    Key(WindowRecord),
    Deleted,
}

impl Entry {
    fn parse(number: Option<u32>, plain: &[u8]) -> Option<Self> {
        if number? == COUNTER {
            minicbor::decode(plain).ok().map(Self::Counter)
        } else if plain == DELETED {
            Some(Self::Deleted)
        } else {
            minicbor::decode(plain).ok().map(Self::Key)
        }
    }
}

fn open(site: Site<'_>, record: &[u8], table_keys: &TableKeys) -> Option<Zeroizing<Vec<u8>>> {
    let sealed = Sealed::split(record).filter(|sealed| sealed.number == TABLE_KEY)?;
    sealed
        .open(site, table_keys.get(site.table))
        .ok()
        .map(Zeroizing::new)
}

/// Gives every file that may hold a key a second name, under which it outlives its removal.
fn hold_files(directory: &Path) -> io::Result<()> {
    for path in home::files(directory, rocks::is_of_records)? {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        match fs::hard_link(&path, directory.join(format!("{HELD}{name}"))) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // It was being removed when this began.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // A file system without hard links: the file is removed without being overwritten.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(()),
            done => done?,
        }
    }
    Ok(())
}
