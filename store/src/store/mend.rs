//! What a store does towards mending: it drops what cannot be read or follows from other records,
//! says where things were, and forgets damage once the engine has made up for it.
//!
//! What belongs into the place of what is dropped the store does not know.

use std::collections::BTreeSet;

use kith_crdt::ids::{ChannelId, LogId};
use rocksdb::{ReadOptions, WriteBatch};

use super::Store;
use super::shred::SWEPT;
use crate::damage::DamageKind;
use crate::error::{RESTART, StoreError};
use crate::events;
use crate::keys::after_prefix;
use crate::ledger::{LEDGER, Mended};
use crate::salvage;
use crate::seal::{Sealed, Site};
use crate::shared::{Found, Shared};
use crate::table::Table;
use crate::timeline::{self, Line};
use crate::window_keys::Lookup;

/// Bytes of deletions written at a time.
const DROP_BYTES: usize = 1 << 20;

/// The tables whose keys begin with the channel.
const OF_A_CHANNEL: [Table; 9] = [
    Table::Channels,
    Table::Control,
    Table::Envelopes,
    Table::Logs,
    Table::Forks,
    Table::Beacons,
    Table::Holds,
    Table::Erasures,
    Table::Ends,
];

impl Store {
    /// Writes down what damage was met, if there is news of it, and says whether there was.
    ///
    /// # Errors
    /// What keeps the database from being written.
    pub fn keep_damage(&mut self) -> Result<bool, StoreError> {
        if self.shared.damage.unkept().is_none() {
            return Ok(false);
        }
        let mut writes = WriteBatch::default();
        let kept = self.add_ledger(&mut writes);
        self.write_synced(writes)?;
        self.ledger_kept(kept);
        Ok(true)
    }

    /// Adds the record of damage to what is being written, if there is news. Returns the change
    /// that it is as of.
    pub(super) fn add_ledger(&mut self, writes: &mut WriteBatch) -> Option<u64> {
        let (change, record) = self.shared.damage.unkept()?;
        let site = Site {
            table: Table::Meta,
            key: LEDGER,
        };
        self.write(writes, site, record.as_deref(), None);
        Some(change)
    }

    pub(super) fn ledger_kept(&self, change: Option<u64>) {
        if let Some(change) = change {
            self.shared.damage.kept(change);
        }
    }

    /// Takes over what earlier runs wrote down.
    pub(super) fn read_ledger(shared: &Shared) {
        let site = Site {
            table: Table::Meta,
            key: LEDGER,
        };
        if let Found::Record(record) = shared.get(site, &ReadOptions::default())
            && !shared.damage.restore(&record.plain)
        {
            shared.malformed(site);
        }
    }

    /// Checks that the files of the databases are whole, as far as is known: nothing can be mended
    /// on top of broken ones.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the next start has to salvage first.
    pub fn check_files(&self) -> Result<(), StoreError> {
        if self.shared.damage.is_marked() {
            return Err(StoreError::Damaged {
                what: "a file of the databases".to_owned(),
                remedy: RESTART,
            });
        }
        Ok(())
    }

    /// Drops everything that follows from the envelopes of a channel: the index of its messages,
    /// the claims about them and what was read. Returns how many records could not be read of it.
    ///
    /// # Errors
    /// What keeps the database from being written. Doing it again finishes it.
    pub fn drop_derived(&mut self, channel: &ChannelId) -> Result<u64, StoreError> {
        self.newest_blocks.clear();
        let mut unreadable = 0;
        for table in SWEPT {
            unreadable += self.drop_rows(table, Vec::new(), |shared, site, record| {
                let number = Sealed::split(record).map(|sealed| sealed.number);
                let scope = number.and_then(|number| shared.window_keys.scope(number));
                let is_gone = number.is_some_and(|number| {
                    matches!(shared.window_keys.secret(number), Lookup::Gone)
                });
                match scope {
                    Some((of, _)) if of == *channel => {
                        Fate::dropped(matches!(shared.open(site, record), Found::Damaged))
                    }
                    None if !is_gone => {
                        shared
                            .damage
                            .note(site.table.name(), site.key, DamageKind::Key);
                        Fate::dropped(true)
                    }
                    _ => Fate::Stays,
                }
            })?;
        }
        let prefix = self.shared.keys.channel(channel);
        unreadable += self.drop_rows(Table::Seen, prefix, |shared, site, record| {
            Fate::dropped(matches!(shared.open(site, record), Found::Damaged))
        })?;
        Ok(unreadable)
    }

    /// Drops the records of a channel, and of the node, that cannot be read. Returns how many
    /// there were.
    ///
    /// # Errors
    /// What keeps the databases from being written. Doing it again finishes it.
    pub fn drop_unreadable(&mut self, channel: &ChannelId) -> Result<u64, StoreError> {
        let prefix = self.shared.keys.channel(channel);
        let unreadable = |shared: &Shared, site: Site<'_>, record: &[u8]| {
            if matches!(shared.open(site, record), Found::Damaged) {
                Fate::dropped(true)
            } else {
                Fate::Stays
            }
        };
        let mut dropped = 0;
        for table in OF_A_CHANNEL {
            dropped += self.drop_rows(table, prefix.clone(), unreadable)?;
        }
        for table in Table::OF_THE_NODE {
            dropped += self.drop_rows(table, Vec::new(), unreadable)?;
        }
        if dropped > 0 {
            self.hold_cursor()?;
        }
        let keys = &self.shared.window_keys;
        let seals = (&self.shared.table_keys, &mut self.nonces);
        Ok(dropped + self.key_db.drop_unreadable(prefix, keys, seals)?)
    }

    /// Sees to it that no cursor is given out twice although the newest events may be gone.
    fn hold_cursor(&mut self) -> Result<(), StoreError> {
        let key = events::key(self.events.next);
        let site = Site {
            table: Table::Events,
            key: &key,
        };
        let mut writes = WriteBatch::default();
        self.write(&mut writes, site, Some(&events::encode(&[])), None);
        self.write_synced(writes)
    }

    /// Goes over the rows of a table under a prefix and drops those that are to go. Returns how
    /// many of these could not be read.
    fn drop_rows(
        &self,
        table: Table,
        prefix: Vec<u8>,
        fate: impl Fn(&Shared, Site<'_>, &[u8]) -> Fate,
    ) -> Result<u64, StoreError> {
        let shared = &self.shared;
        let upper = after_prefix(&prefix);
        let mut rows = shared.cursor(table, prefix, upper, salvage::whole_table);
        let mut writes = WriteBatch::default();
        let mut unreadable = 0;
        rows.seek_first();
        while let Some((key, record)) = rows.row() {
            if let Fate::Dropped { damaged } = fate(shared, Site { table, key }, record) {
                writes.delete_cf(shared.table(table), key);
                unreadable += u64::from(damaged);
            }
            if writes.size_in_bytes() >= DROP_BYTES {
                self.write_synced(std::mem::take(&mut writes))?;
            }
            rows.next();
        }
        drop(rows);
        if !writes.is_empty() {
            self.write_synced(writes)?;
        }
        Ok(unreadable)
    }

    /// Forgets the damage of a channel, or all there is, once it has been mended.
    ///
    /// # Errors
    /// What keeps the database from being written.
    pub fn forget_damage(&mut self, channel: Option<&ChannelId>) -> Result<(), StoreError> {
        let keys = &self.shared.keys;
        match channel {
            Some(channel) => {
                let lines = Line::main(channel).tags(&self.shared);
                let chan = keys.chan(channel);
                self.shared.damage.forget(&Mended::Channel(&chan, &lines));
            }
            None => self.shared.damage.forget(&Mended::Home),
        }
        self.keep_damage().map(drop)
    }

    /// Whether anything damaged is known that nobody has mended.
    pub fn has_damage(&self) -> bool {
        self.shared.damage.count_known() > 0
    }

    /// Whether ops of a channel's control log may have been lost to damage.
    pub fn lost_ops(&self, channel: &ChannelId) -> bool {
        let chan = self.shared.keys.chan(channel);
        self.shared.damage.is_hit(Table::Control, &chan)
    }

    /// The channels that something was written in, by the keys that it was sealed under.
    pub fn channels_with_keys(&self) -> Vec<ChannelId> {
        self.shared.window_keys.channels()
    }

    /// The logs of a channel that the index of its messages speaks of.
    pub fn logs_in_index(&self, channel: &ChannelId) -> BTreeSet<LogId> {
        timeline::logs_of(&self.shared, channel)
    }
}

/// What becomes of a row.
enum Fate {
    Stays,
    Dropped { damaged: bool },
}

impl Fate {
    const fn dropped(damaged: bool) -> Self {
        Self::Dropped { damaged }
    }
}
