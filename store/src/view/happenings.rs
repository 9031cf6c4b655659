//! The events, by cursor.

use super::View;
use crate::events;
use crate::seal::Site;
use crate::table::Table;

impl View<'_> {
    /// The events after a cursor with their own cursors, at most `limit`. A gap between `cursor`
    /// and the first of them tells that some are no longer kept, or could not be read.
    pub fn events_since(&self, cursor: u64, limit: usize) -> Vec<(u64, Vec<u8>)> {
        let Some(newest) = self.newest_cursor() else {
            return Vec::new();
        };
        let from = cursor.saturating_add(1).max(events::oldest_shown(newest));
        let mut rows = self
            .shared
            .cursor(Table::Events, Vec::new(), Vec::new(), || self.options());
        rows.seek_back(&events::key(from));
        if rows.row().is_none() {
            rows.seek(&events::key(from));
        }
        let mut found = Vec::new();
        while let Some((first, events)) = rows
            .row()
            .filter(|_| found.len() < limit)
            .map(|row| self.events_in(row))
        {
            let numbered = (first..).zip(events).filter(|(number, _)| *number >= from);
            found.extend(numbered.take(limit - found.len()));
            rows.next();
        }
        found
    }

    /// The cursor of the oldest event that is still kept.
    pub fn oldest_cursor(&self) -> Option<u64> {
        let newest = self.newest_cursor()?;
        let mut rows = self
            .shared
            .cursor(Table::Events, Vec::new(), Vec::new(), || self.options());
        rows.seek_first();
        rows.row()
            .map(|row| self.events_in(row).0.max(events::oldest_shown(newest)))
    }

    /// The cursor of the newest event.
    pub fn newest_cursor(&self) -> Option<u64> {
        let mut rows = self
            .shared
            .cursor(Table::Events, Vec::new(), Vec::new(), || self.options());
        rows.seek_back(&[0xff; 8]);
        let (first, events) = self.events_in(rows.row()?);
        Some(first + (events.len() as u64).saturating_sub(1))
    }

    fn events_in(&self, (key, record): (&[u8], &[u8])) -> (u64, Vec<Vec<u8>>) {
        let site = Site {
            table: Table::Events,
            key,
        };
        let first = events::first_in(key).unwrap_or(0);
        let Some(record) = self.shared.open(site, record).readable() else {
            return (first, Vec::new());
        };
        let events = events::decode(&record.plain).unwrap_or_else(|_| {
            self.shared.malformed(site);
            Vec::new()
        });
        (first, events)
    }
}
