//! Which logs the index of a channel's messages speaks of: where the record of a log is lost, its
//! envelopes are still there under a hash of their writer's name, and this says who that is.

use std::collections::BTreeSet;

use kith_crdt::ids::{ChannelId, LogId, SegmentId, Window};

use super::read::read_block;
use crate::salvage;
use crate::seal::{Sealed, Site};
use crate::shared::Shared;
use crate::table::Table;
use crate::view::decode_message_place;

/// The logs that the timelines of a channel and the ids of its messages name.
pub(crate) fn logs_of(shared: &Shared, channel: &ChannelId) -> BTreeSet<LogId> {
    let mut logs = BTreeSet::new();
    for table in [Table::Timeline, Table::MessageIds] {
        let mut rows = shared.cursor(table, Vec::new(), Vec::new(), salvage::whole_table);
        rows.seek_first();
        while let Some((key, record)) = rows.row() {
            let number = Sealed::split(record).map(|sealed| sealed.number);
            let scope = number.and_then(|number| shared.window_keys.scope(number));
            match (table, scope.filter(|(of, _)| of == channel)) {
                (Table::Timeline, Some(_)) => {
                    let entries = read_block(shared, key, record);
                    logs.extend(entries.iter().map(|entry| entry.place.log));
                }
                (_, Some((_, span))) => logs.extend(log_of(shared, key, record, span.window)),
                (_, None) => {}
            }
            rows.next();
        }
    }
    logs
}

fn log_of(shared: &Shared, key: &[u8], record: &[u8], window: Window) -> Option<LogId> {
    let site = Site {
        table: Table::MessageIds,
        key,
    };
    let record = shared.open(site, record).readable()?;
    let (index, writer, _) = decode_message_place(&record.plain).ok()?;
    Some(LogId {
        segment: SegmentId { window, index },
        writer,
    })
}
