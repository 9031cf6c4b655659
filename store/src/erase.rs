//! Getting what was deleted or replaced out of the files.
//!
//! RocksDB writes beside what it replaces: the bytes before, sealed but whole, lie in its tables
//! and in its write-ahead log until it rewrites them, which may take months. So after a purge or a
//! shredding the tables are rewritten where something went, and what is in the log is moved into
//! tables, which lets go of the log. That takes the writer no lock.

use kith_crdt::ids::ChannelId;
use kith_crdt::term::Span;

use crate::error::StoreError;
use crate::rewrite::{Part, rewrite};
use crate::table::Table;
use crate::view::Reader;

/// The tables whose keys start with channel and window.
const BY_WINDOW: [Table; 6] = [
    Table::Envelopes,
    Table::Logs,
    Table::Forks,
    Table::Seen,
    Table::Holds,
    Table::Ends,
];
/// Those that hold something of every window beside each other.
const MIXED: [Table; 3] = [Table::Claims, Table::MessageIds, Table::Timeline];

impl Reader {
    /// Rewrites the files that hold something of these spans of channels, so that nothing is left
    /// in them of what was deleted or replaced before. It may take seconds; sending goes on.
    ///
    /// # Errors
    /// What keeps the database from being written, and [`StoreError::NotRewritten`]. Doing it again
    /// finishes it.
    pub fn erase_replaced(&self, spans: &[(ChannelId, Span)]) -> Result<(), StoreError> {
        let shared = &self.shared;
        let ranges = spans.iter().flat_map(|(channel, span)| {
            let (from, to) = shared.keys.span(channel, span);
            BY_WINDOW.map(|table| Part::range(table, from.clone(), to.clone()))
        });
        let parts: Vec<Part> = ranges.chain(MIXED.map(Part::whole)).collect();
        rewrite(&shared.db, &shared.data_at, &parts, false)
    }
}
