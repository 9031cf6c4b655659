//! How rows are read: one, many, or all under a prefix.

use kith_crdt::ids::{ChannelId, SegmentId};

use super::View;
use crate::error::{RESTORE, StoreError};
use crate::keys::{after_prefix, segment_in};
use crate::seal::Site;
use crate::shared::{Found, Record};
use crate::table::Table;

/// The length of every name that goes in front of a value.
pub(super) const NAME_LEN: usize = 32;

impl View<'_> {
    pub(super) fn get(&self, table: Table, key: &[u8]) -> Found {
        self.shared.get(Site { table, key }, &self.options())
    }

    /// Reads a record whose damage must not be taken for its absence.
    pub(super) fn decisive(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.get(table, key) {
            Found::Nothing => Ok(None),
            Found::Record(record) => Ok(Some(record.plain)),
            Found::Damaged => Err(StoreError::Damaged {
                what: format!("a record of the table {}", table.name()),
                remedy: RESTORE,
            }),
        }
    }

    pub(super) fn multi(&self, table: Table, keys: &[Vec<u8>]) -> Vec<Option<Vec<u8>>> {
        let cf = self.shared.table(table);
        let rows = self
            .shared
            .db
            .batched_multi_get_cf_opt(cf, keys, false, &self.options());
        let open = |(key, row): (&Vec<u8>, Result<_, rocksdb::Error>)| match row {
            Ok(record) => {
                let record: Option<rocksdb::DBPinnableSlice<'_>> = record;
                self.shared
                    .open(Site { table, key }, &record?)
                    .readable()
                    .map(|record| record.plain)
            }
            Err(_) => {
                self.shared.damage.note_block(table.name(), key);
                None
            }
        };
        keys.iter().zip(rows).map(open).collect()
    }

    /// Calls `each` with every readable record from `lower` to before `upper`, as long as it
    /// says so.
    pub(super) fn scan(
        &self,
        table: Table,
        lower: Vec<u8>,
        upper: Vec<u8>,
        mut each: impl FnMut(&[u8], Record) -> bool,
    ) {
        let mut rows = self.shared.cursor(table, lower, upper, || self.options());
        rows.seek_first();
        while let Some((key, record)) = rows.row() {
            let found = self.shared.open(Site { table, key }, record);
            if !found.readable().is_none_or(|record| each(key, record)) {
                return;
            }
            rows.next();
        }
    }

    /// Calls `each` with every record under a prefix, those that cannot be read among them.
    pub(crate) fn each(&self, table: Table, prefix: Vec<u8>, mut each: impl FnMut(&[u8], Found)) {
        let upper = after_prefix(&prefix);
        let mut rows = self.shared.cursor(table, prefix, upper, || self.options());
        rows.seek_first();
        while let Some((key, record)) = rows.row() {
            each(key, self.shared.open(Site { table, key }, record));
            rows.next();
        }
    }

    /// Opens every record under a prefix, so that damage among them is noted.
    pub(crate) fn look_at(&self, table: Table, prefix: Vec<u8>) {
        self.each(table, prefix, |_, _| {});
    }

    /// What `read` makes of every record under a prefix; where it makes nothing, the record is
    /// malformed.
    pub(super) fn collect<T>(
        &self,
        table: Table,
        prefix: Vec<u8>,
        read: impl Fn(&[u8], Record) -> Option<T>,
    ) -> Vec<T> {
        let upper = after_prefix(&prefix);
        let mut all = Vec::new();
        self.scan(table, prefix, upper, |key, record| {
            match read(key, record) {
                Some(value) => all.push(value),
                None => self.shared.malformed(Site { table, key }),
            }
            true
        });
        all
    }

    /// The records under a prefix that carry the name that their keys hash.
    pub(super) fn named<N>(
        &self,
        table: Table,
        prefix: &[u8],
        name: impl Fn(&[u8]) -> Option<N>,
    ) -> Vec<(N, Vec<u8>)> {
        self.collect(table, prefix.to_vec(), |_, record| {
            let (head, value) = record.plain.split_at_checked(NAME_LEN)?;
            Some((name(head)?, value.to_vec()))
        })
    }

    pub(super) fn by_segment(
        &self,
        table: Table,
        channel: &ChannelId,
    ) -> Vec<(SegmentId, Vec<u8>)> {
        self.collect(table, self.shared.keys.channel(channel), |key, record| {
            Some((segment_in(key)?, record.plain))
        })
    }
}
