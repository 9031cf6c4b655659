//! The store itself: opening it, and the one writer's commits.
//!
//! **Invariant: nothing is sealed under a key before that key is durable.** New window keys go
//! into the key database, synced, before the batch that needs them. Deletion goes the other way
//! round, and a mark in the batch lets the next start finish what a crash left between.

mod cursors;
mod mend;
mod shred;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use kith_crdt::crypto::secret::Secret;
use kith_crdt::ids::{ChannelId, EpochId};
use kith_crdt::term::Span;
use rocksdb::{WriteBatch, WriteOptions};
use zeroize::Zeroizing;

use self::cursors::EventCursors;
use self::shred::SweepPosition;
pub use self::shred::Swept;
use crate::batch::{Batch, Change};
use crate::damage::{Damage, DamageLog};
use crate::error::StoreError;
use crate::events;
use crate::home;
use crate::keydb::KeyDb;
use crate::keys::RecordKeys;
use crate::rocks::{Database, Location, Medium};
use crate::salvage;
use crate::seal::{self, Nonces, OVERHEAD, Site, TABLE_KEY};
use crate::shared::{Shared, TableKeys};
use crate::table::Table;
use crate::timeline::{self, NewestBlocks, Rewrite};
use crate::vault::{FORMAT, Vault};
use crate::view::Reader;
use crate::window_keys::{Lookup, WindowKey};

/// The file that tells the next start to salvage the databases.
const SALVAGE_MARKER: &str = "salvage";

/// What a commit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitInfo {
    /// The cursor of the first event of the batch; more than `cursor` if it had none.
    pub first: u64,
    /// The cursor of the newest event there is; 0 if there is none.
    pub cursor: u64,
}

/// An open home, and the only right to write to it.
pub struct Store {
    shared: Arc<Shared>,
    key_db: KeyDb,
    nonces: Nonces,
    events: EventCursors,
    newest_blocks: NewestBlocks,
    sweep: SweepPosition,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

/// The key of one window, while a commit needs it.
struct WindowSeal {
    number: u32,
    key: Secret,
}

impl Store {
    /// Opens the store of a home, making it if it is new, and finishes what a crash left.
    ///
    /// # Errors
    /// [`StoreError::Newer`] or [`StoreError::Older`] before anything is touched;
    /// [`StoreError::Locked`] if it is open already; otherwise what keeps it from being read or
    /// written.
    pub fn open(home: &Path, master: &Secret, medium: Medium) -> Result<Self, StoreError> {
        let marker = home.join(SALVAGE_MARKER);
        let is_on_disk = matches!(medium, Medium::Disk);
        if is_on_disk {
            check_format(home)?;
            make_directories(home)?;
        }
        let is_marked = is_on_disk && marker.exists();
        let damage = DamageLog::new(is_on_disk.then_some(marker.clone()));
        let keys_at = Location::new(home, Database::Keys, &medium);
        let key_db = KeyDb::new(
            salvage::open(&keys_at, is_marked, &damage)?,
            keys_at.clone(),
        );
        let data_at = Location::new(home, Database::Data, &medium);
        let db = salvage::open(&data_at, is_marked, &damage)?;
        damage
            .unmark()
            .map_err(|error| StoreError::io("finishing a salvage", error))?;
        let keys = RecordKeys::new(master);
        let table_keys = TableKeys::new(master);
        let window_keys = key_db.load(&keys, &table_keys, &damage);
        let shared = Arc::new(Shared {
            db,
            keys,
            table_keys,
            window_keys,
            damage,
            data_at,
            keys_at,
        });
        Self::read_ledger(&shared);
        let events = EventCursors::read(&shared);
        let mut store = Self {
            shared,
            key_db,
            nonces: Nonces::new()?,
            events,
            newest_blocks: NewestBlocks::default(),
            sweep: SweepPosition::default(),
        };
        store.finish_shredding()?;
        match store.keep_damage() {
            // RocksDB has met the broken file by itself and writes no more. It was left a marker.
            Err(StoreError::Damaged { .. }) if is_on_disk && !is_marked => {
                drop(store);
                Self::open(home, master, medium)
            }
            // Whatever else keeps it from being written keeps everything, and is told then.
            _ => Ok(store),
        }
    }

    /// A reader, for any thread.
    pub fn reader(&self) -> Reader {
        Reader {
            shared: Arc::clone(&self.shared),
        }
    }

    /// An empty batch.
    pub fn batch(&self) -> Batch {
        Batch::new(Arc::clone(&self.shared))
    }

    /// Makes a batch durable: all of it, or, when this returns an error, nothing of it that a
    /// reader sees.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`] and the like; the batch can be built and committed again.
    pub fn commit(&mut self, batch: Batch) -> Result<CommitInfo, StoreError> {
        let first = self.events.next;
        if batch.is_empty() {
            return Ok(CommitInfo {
                first,
                cursor: first - 1,
            });
        }
        let seals = self.window_seals(scopes(&batch))?;
        let mut writes = WriteBatch::with_capacity_bytes(expected_bytes(&batch));
        for change in &batch.changes {
            self.write_change(&mut writes, &seals, change);
        }
        if batch
            .changes
            .iter()
            .any(|change| change.table() == Table::Timeline)
        {
            self.newest_blocks.clear();
        }
        let mut newest_blocks = BTreeMap::new();
        for (shelf, changes) in &batch.timeline {
            let seal = seals.get(&(*shelf.channel(), shelf.span()));
            let newest = self.newest_blocks.take(shelf);
            let rewritten = timeline::rewrite(&self.shared, shelf, newest, changes);
            newest_blocks.extend(rewritten.newest.map(|block| (*shelf, block)));
            for Rewrite { key, plain } in rewritten.blocks {
                self.write(
                    &mut writes,
                    Site {
                        table: Table::Timeline,
                        key: &key,
                    },
                    plain.as_deref(),
                    seal,
                );
            }
        }
        let mut cursors = self.events;
        if !batch.events.is_empty() {
            let key = events::key(first);
            let plain = events::encode(&batch.events);
            self.write(
                &mut writes,
                Site {
                    table: Table::Events,
                    key: &key,
                },
                Some(&plain),
                None,
            );
            cursors.next += batch.events.len() as u64;
            cursors.trim(&self.shared, &mut writes);
        }
        let ledger = self.add_ledger(&mut writes);
        self.write_synced(writes)?;
        self.ledger_kept(ledger);
        self.newest_blocks.keep(newest_blocks);
        self.events = cursors;
        Ok(CommitInfo {
            first,
            cursor: cursors.next - 1,
        })
    }

    fn write_change(
        &mut self,
        writes: &mut WriteBatch,
        seals: &BTreeMap<(ChannelId, Span), WindowSeal>,
        change: &Change,
    ) {
        match change {
            Change::Put {
                table,
                key,
                value,
                scope,
            } => {
                let seal = scope.as_ref().and_then(|scope| seals.get(scope));
                self.write(writes, Site { table: *table, key }, Some(value), seal);
            }
            Change::Delete { table, key } => writes.delete_cf(self.shared.table(*table), key),
            Change::DeleteRange { table, from, to } => {
                writes.delete_range_cf(self.shared.table(*table), from, to)
            }
        }
    }

    /// Seals one record into a batch, or deletes it where there is nothing to write.
    fn write(
        &mut self,
        writes: &mut WriteBatch,
        site: Site<'_>,
        plain: Option<&[u8]>,
        seal: Option<&WindowSeal>,
    ) {
        let cf = self.shared.table(site.table);
        let Some(plain) = plain else {
            return writes.delete_cf(cf, site.key);
        };
        assert_eq!(
            seal.is_some(),
            site.table.is_windowed(),
            "what a window holds is sealed under its key"
        );
        let (number, key) = match seal {
            Some(seal) => (seal.number, &seal.key),
            None => (TABLE_KEY, self.shared.table_keys.get(site.table)),
        };
        writes.put_cf(
            cf,
            site.key,
            seal::seal(site, number, key, &self.nonces.next(), plain),
        );
    }

    fn write_synced(&self, writes: WriteBatch) -> Result<(), StoreError> {
        let mut options = WriteOptions::default();
        options.set_sync(true);
        let written = self
            .shared
            .db
            .write_opt(writes, &options)
            .map_err(StoreError::from);
        if matches!(written, Err(StoreError::Damaged { .. })) {
            self.shared.damage.mark();
        }
        written
    }

    /// The keys of these windows. Those that are new are durable when this returns.
    fn window_seals(
        &mut self,
        scopes: BTreeSet<(ChannelId, Span)>,
    ) -> Result<BTreeMap<(ChannelId, Span), WindowSeal>, StoreError> {
        let mut seals = BTreeMap::new();
        let mut fresh = Vec::new();
        let mut next = self.shared.window_keys.next();
        for (channel, span) in scopes {
            let chan = self.shared.keys.chan(&channel);
            let known = self.shared.window_keys.number(chan, span);
            let seal = match known.map(|number| (number, self.shared.window_keys.secret(number))) {
                Some((number, Lookup::Alive(key))) => WindowSeal { number, key },
                _ => {
                    let seal = WindowSeal {
                        number: next,
                        key: Secret::new(seal::random()?),
                    };
                    fresh.push((
                        next,
                        channel,
                        WindowKey {
                            chan,
                            span,
                            secret: seal.key.clone(),
                        },
                    ));
                    next = next
                        .checked_add(1)
                        .ok_or_else(|| StoreError::Database("out of key numbers".to_owned()))?;
                    seal
                }
            };
            seals.insert((channel, span), seal);
        }
        if !fresh.is_empty() {
            self.key_db
                .put_windows(&fresh, next, (&self.shared.table_keys, &mut self.nonces))?;
            for (number, channel, key) in fresh {
                self.shared.window_keys.insert(number, channel, key);
            }
        }
        Ok(seals)
    }

    /// Makes the keys of an epoch durable. A value that it replaces is erased.
    ///
    /// # Errors
    /// What keeps the key database from being written.
    pub fn put_epoch(
        &mut self,
        channel: &ChannelId,
        epoch: &EpochId,
        value: &[u8],
    ) -> Result<(), StoreError> {
        let key = self.shared.keys.epoch(channel, &epoch.0);
        self.key_db
            .put_epoch(&key, value, (&self.shared.table_keys, &mut self.nonces))
    }

    /// The readable epochs of a channel.
    pub fn epochs(&self, channel: &ChannelId) -> Vec<Zeroizing<Vec<u8>>> {
        let prefix = self.shared.keys.channel(channel);
        self.key_db
            .epochs(prefix, &self.shared.table_keys, &self.shared.damage)
    }

    /// Deletes the keys of an epoch and erases what held them.
    ///
    /// # Errors
    /// What keeps the key database from being written.
    pub fn delete_epoch(&mut self, channel: &ChannelId, epoch: &EpochId) -> Result<(), StoreError> {
        self.key_db
            .delete_epoch(&self.shared.keys.epoch(channel, &epoch.0))
    }

    /// What of a channel is sealed under a key of its own, the oldest windows first.
    pub fn spans(&self, channel: &ChannelId) -> Vec<Span> {
        self.shared
            .window_keys
            .spans(self.shared.keys.chan(channel))
    }

    /// The damage met since the store was opened, at most the first thousand by name.
    pub fn damage(&self) -> Vec<Damage> {
        self.shared.damage.named()
    }

    /// How many damaged records were met since the store was opened.
    pub fn damage_count(&self) -> u64 {
        self.shared.damage.count()
    }
}

/// Refuses a home of a newer or an earlier program before anything is touched. A home without a
/// vault is one in the making.
fn check_format(home: &Path) -> Result<(), StoreError> {
    let known = FORMAT;
    match Vault::format(home) {
        Ok(found) if found > known => Err(StoreError::Newer { found, known }),
        Ok(found) if found < known => Err(StoreError::Older { found, known }),
        _ => Ok(()),
    }
}

fn make_directories(home: &Path) -> Result<(), StoreError> {
    home::prepare(home)?;
    for database in [Database::Data, Database::Keys] {
        // One whose salvage was cut off is put back in place first, and is not to be made anew.
        let path = home.join(database.directory());
        if !path.with_extension("damaged").exists() {
            home::make_private_dir(&path)
                .map_err(|error| StoreError::io("making the databases", error))?;
        }
    }
    Ok(())
}

/// What a batch writes into.
fn scopes(batch: &Batch) -> BTreeSet<(ChannelId, Span)> {
    let records = batch.changes.iter().filter_map(|change| match change {
        Change::Put { scope, .. } => *scope,
        Change::Delete { .. } | Change::DeleteRange { .. } => None,
    });
    let shelves = batch
        .timeline
        .keys()
        .map(|shelf| (*shelf.channel(), shelf.span()));
    records.chain(shelves).collect()
}

/// About how many bytes a batch takes up in RocksDB's form.
fn expected_bytes(batch: &Batch) -> usize {
    let of = |change: &Change| match change {
        Change::Put { key, value, .. } => key.len() + value.len() + OVERHEAD + 12,
        Change::Delete { key, .. } => key.len() + 8,
        Change::DeleteRange { from, to, .. } => from.len() + to.len() + 8,
    };
    let events: usize = batch.events.iter().map(|event| event.len() + 5).sum();
    batch.changes.iter().map(of).sum::<usize>() + 4_096 * batch.timeline.len() + events + 128
}
