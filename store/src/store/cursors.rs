//! Which cursors the store's events have, and the deleting of the oldest.

use rocksdb::{ReadOptions, WriteBatch};

use crate::events;
use crate::seal::Site;
use crate::shared::Shared;
use crate::table::Table;

/// Where the events are.
#[derive(Clone, Copy)]
pub(super) struct EventCursors {
    /// The first cursor that may still be on the disk.
    pub(super) oldest: u64,
    /// The cursor of the next event.
    pub(super) next: u64,
}

impl EventCursors {
    /// Where they are in a store that has just been opened.
    pub(super) fn read(shared: &Shared) -> Self {
        let rows = || shared.cursor(Table::Events, Vec::new(), Vec::new(), ReadOptions::default);
        let mut first = rows();
        first.seek_first();
        let oldest = first
            .row()
            .and_then(|(key, _)| events::first_in(key))
            .unwrap_or(1);
        let mut last = rows();
        last.seek_back(&[0xff; 8]);
        let next = last.row().map_or(1, |(key, record)| {
            let first = events::first_in(key).unwrap_or(0);
            let opened = shared
                .open(
                    Site {
                        table: Table::Events,
                        key,
                    },
                    record,
                )
                .readable();
            let count = opened
                .and_then(|record| events::decode(&record.plain).ok())
                .map(|events| events.len() as u64);
            // How many a damaged record held is not known; no cursor may be given out twice.
            first + count.unwrap_or(events::EVENTS_KEPT)
        });
        Self { oldest, next }
    }

    /// Deletes the oldest events once enough of them are beyond what is kept. The record that
    /// holds the oldest cursor that is shown stays whole.
    pub(super) fn trim(&mut self, shared: &Shared, writes: &mut WriteBatch) {
        let oldest_shown = events::oldest_shown(self.next - 1);
        if oldest_shown < self.oldest + events::TRIM_STEP {
            return;
        }
        let mut rows = shared.cursor(Table::Events, Vec::new(), Vec::new(), ReadOptions::default);
        rows.seek_back(&events::key(oldest_shown));
        if let Some(first) = rows.row().and_then(|(key, _)| events::first_in(key)) {
            writes.delete_range_cf(
                shared.table(Table::Events),
                events::key(0),
                events::key(first),
            );
            self.oldest = first;
        }
    }
}
