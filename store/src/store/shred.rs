//! Ending what a window held: its records, its key, and what the key leaves behind.
//!
//! The records go first, with a mark that says so; then the key, then every file that held it,
//! then the mark. Whatever is cut off between is done again by the next shredding or start.

use kith_crdt::ids::{ChannelId, Window};
use kith_crdt::term::{Span, Term};
use rocksdb::{ReadOptions, WriteBatch};

use super::Store;
use crate::error::StoreError;
use crate::keys::{Tag, after_prefix};
use crate::salvage;
use crate::seal::{Sealed, TABLE_KEY};
use crate::table::Table;
use crate::timeline;
use crate::window_keys::Lookup;

/// How the store's own keys in the table `meta` start; a name of the engine's has no NUL.
const SHREDDING: &[u8] = b"\0shredding";

/// The tables in which records may outlive their window's key: those whose keys do not start
/// with channel and window.
pub(super) const SWEPT: [Table; 3] = [Table::Claims, Table::MessageIds, Table::Timeline];

/// How far a sweep came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    /// Records looked at.
    pub looked: usize,
    /// Records removed.
    pub removed: usize,
    /// Whether the sweep reached the end; the next one starts over.
    pub finished: bool,
}

/// Where the next sweep goes on.
#[derive(Default)]
pub(super) struct SweepPosition {
    table: usize,
    key: Vec<u8>,
}

/// How a mark names a channel's span.
fn span_name(chan: &Tag, span: &Span) -> Vec<u8> {
    let term = span.term.as_hours().unwrap_or(0);
    [
        chan.as_slice(),
        &span.window.0.to_be_bytes(),
        &term.to_be_bytes(),
    ]
    .concat()
}

fn parse_span_name(name: &[u8]) -> Option<(Tag, Span)> {
    let (chan, rest) = name.split_first_chunk::<8>()?;
    let (window, term) = rest.split_first_chunk::<4>()?;
    let term = u32::from_be_bytes(term.try_into().ok()?);
    let span = Span {
        window: Window(u32::from_be_bytes(*window)),
        term: Term::hours(term).unwrap_or(Term::FOREVER),
    };
    Some((*chan, span))
}

impl Store {
    /// Ends everything a channel holds of a window and term: its records are deleted, then the key they
    /// were sealed under, and what held the key is overwritten. What else was sealed under it, or
    /// lies in a copy of the home, cannot be opened any more; [`Store::sweep`] removes the rest.
    ///
    /// # Errors
    /// What keeps the databases from being written. Doing it again finishes it, and so does
    /// shredding another window, or the next start.
    pub fn shred(&mut self, channel: &ChannelId, span: &Span) -> Result<(), StoreError> {
        self.finish_shredding()?;
        let keys = &self.shared.keys;
        let (from, to) = keys.span(channel, span);
        let main_line = timeline::main_line_prefix(keys, channel, span);
        let name = span_name(&keys.chan(channel), span);
        let mut batch = self.batch();
        for table in [
            Table::Envelopes,
            Table::Logs,
            Table::Forks,
            Table::Seen,
            Table::Holds,
            Table::Ends,
        ] {
            batch.delete_range(table, from.clone(), to.clone());
        }
        batch.delete_prefix(Table::Timeline, main_line);
        let mark = [SHREDDING, &name].concat();
        batch.put_own(mark.clone(), name);
        self.commit(batch)?;
        self.shred_key(mark)
    }

    /// Deletes the key of a window whose records are gone, then the mark that says so.
    fn shred_key(&mut self, mark: Vec<u8>) -> Result<(), StoreError> {
        let scope = mark.strip_prefix(SHREDDING).and_then(parse_span_name);
        let number = scope.and_then(|(chan, span)| self.shared.window_keys.number(chan, span));
        if let Some(number) = number {
            self.key_db
                .delete_window(number, (&self.shared.table_keys, &mut self.nonces))?;
            self.shared.window_keys.remove(number);
        }
        // Also where the key is gone already: what was cut off may have been the erasing.
        self.key_db.erase()?;
        let mut batch = self.batch();
        batch.delete_own(mark);
        self.commit(batch).map(drop)
    }

    /// Finishes what the marks say was begun.
    pub(super) fn finish_shredding(&mut self) -> Result<(), StoreError> {
        let mut marks = Vec::new();
        let upper = after_prefix(SHREDDING);
        let mut rows =
            self.shared
                .cursor(Table::Meta, SHREDDING.to_vec(), upper, ReadOptions::default);
        rows.seek_first();
        while let Some((key, _)) = rows.row() {
            marks.push(key.to_vec());
            rows.next();
        }
        drop(rows);
        marks.into_iter().try_for_each(|mark| self.shred_key(mark))
    }

    /// Removes records whose window key is gone, looking at no more than `limit` of them and
    /// going on where the last sweep stopped.
    ///
    /// # Errors
    /// What keeps the database from being written.
    pub fn sweep(&mut self, limit: usize) -> Result<Swept, StoreError> {
        let mut swept = Swept {
            looked: 0,
            removed: 0,
            finished: false,
        };
        let mut writes = WriteBatch::default();
        while swept.looked < limit && !swept.finished {
            self.sweep_table(limit, &mut swept, &mut writes);
        }
        if swept.removed > 0 {
            self.write_synced(writes)?;
        }
        Ok(swept)
    }

    fn sweep_table(&mut self, limit: usize, swept: &mut Swept, writes: &mut WriteBatch) {
        let table = SWEPT[self.sweep.table];
        let from = self.sweep.key.clone();
        let mut rows = self
            .shared
            .cursor(table, from, Vec::new(), salvage::whole_table);
        rows.seek_first();
        while let Some((key, record)) = rows.row() {
            if swept.looked >= limit {
                self.sweep.key = key.to_vec();
                return;
            }
            swept.looked += 1;
            let number = Sealed::split(record)
                .map(|sealed| sealed.number)
                .filter(|&number| number != TABLE_KEY);
            if number.is_some_and(|number| {
                matches!(self.shared.window_keys.secret(number), Lookup::Gone)
            }) {
                writes.delete_cf(self.shared.table(table), key);
                swept.removed += 1;
            }
            rows.next();
        }
        drop(rows);
        let next = (self.sweep.table + 1) % SWEPT.len();
        self.sweep = SweepPosition {
            table: next,
            key: Vec::new(),
        };
        swept.finished = next == 0;
    }
}
