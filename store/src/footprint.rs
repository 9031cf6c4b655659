//! What takes up how much: the records of every channel by what they are for, counted as they are,
//! and the files they are kept in.
//!
//! Nothing is opened for it: whose a record is tells its key or the number it was sealed under. The
//! files are larger than the records for a while, since RocksDB writes beside what it replaces.

use std::collections::BTreeMap;
use std::path::Path;

use kith_crdt::ids::{ChannelId, LogId};
use rocksdb::ReadOptions;

use crate::keys::{ENVELOPE_KEY_LEN, Tag, after_prefix};
use crate::seal::{OVERHEAD, Sealed};
use crate::table::Table;
use crate::view::{Reader, View};

/// Bytes that an envelope takes up whose stored form has so many.
pub const fn envelope_bytes(stored: usize) -> u64 {
    (ENVELOPE_KEY_LEN + OVERHEAD + stored) as u64
}

/// What the records of a home take up, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Each channel's.
    pub channels: BTreeMap<ChannelId, ChannelFootprint>,
    /// Events, peers, and what the node knows of itself.
    pub node: u64,
    /// What is of no channel, or was sealed under a key that is gone: it is removed by and by.
    pub ended: u64,
}

/// What the records of a channel take up, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChannelFootprint {
    /// Envelopes: messages and what was said about them.
    pub envelopes: u64,
    /// What finds and orders them.
    pub index: u64,
    /// Who has read and who holds what.
    pub receipts: u64,
    /// The control log, the channel's own record, and what is noted of erasures.
    pub control: u64,
}

impl ChannelFootprint {
    /// All of it.
    pub const fn total(&self) -> u64 {
        self.envelopes + self.index + self.receipts + self.control
    }

    const fn part(&mut self, table: Table) -> &mut u64 {
        match table {
            Table::Envelopes => &mut self.envelopes,
            Table::Seen | Table::Holds | Table::Beacons => &mut self.receipts,
            Table::Control | Table::Channels | Table::Erasures => &mut self.control,
            _ => &mut self.index,
        }
    }
}

/// What the files of a home take up, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Files {
    /// The database of all records.
    pub data: u64,
    /// The database of the keys.
    pub keys: u64,
    /// Everything else in the home.
    pub rest: u64,
}

impl Reader {
    /// What the files of the home take up now; nothing where it is kept in memory. What cannot be
    /// looked at counts as nothing.
    pub fn files(&self) -> Option<Files> {
        let (data, keys) = (&self.shared.data_at, &self.shared.keys_at);
        let home = data.path.parent().filter(|_| data.is_on_disk())?;
        let (data, keys) = (bytes_under(&data.path), bytes_under(&keys.path));
        let rest = bytes_under(home).saturating_sub(data + keys);
        Some(Files { data, keys, rest })
    }
}

fn bytes_under(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return 0;
    };
    let of = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_under(&entry.path()),
        Ok(found) if found.is_file() => found.len(),
        _ => 0,
    };
    entries.flatten().map(of).sum()
}

impl View<'_> {
    /// What the records of these channels take up, and what is of none of them. Goes over every
    /// record.
    pub fn footprint(&self, channels: &[ChannelId]) -> Footprint {
        let keys = &self.shared.keys;
        let known: BTreeMap<Tag, ChannelId> =
            channels.iter().map(|id| (keys.chan(id), *id)).collect();
        let mut footprint = Footprint::default();
        for id in channels {
            footprint.channels.entry(*id).or_default();
        }
        for table in Table::DATA {
            let mut tags = BTreeMap::new();
            self.weigh(table, |key, value| {
                let bytes = (key.len() + value.len()) as u64;
                if matches!(
                    table,
                    Table::Meta | Table::Peers | Table::Events | Table::Idempotency
                ) {
                    footprint.node += bytes;
                    return;
                }
                let tag = self.tag_of(table, key, value, &mut tags);
                let channel = tag.and_then(|tag| known.get(&tag));
                match channel.and_then(|id| footprint.channels.get_mut(id)) {
                    Some(channel) => *channel.part(table) += bytes,
                    None => footprint.ended += bytes,
                }
            });
        }
        footprint
    }

    /// What each envelope of a log takes up, by its number.
    pub fn envelope_sizes(&self, channel: &ChannelId, log: &LogId) -> Vec<(u32, u64)> {
        let prefix = self.shared.keys.log(channel, log);
        let upper = after_prefix(&prefix);
        let mut rows = self
            .shared
            .cursor(Table::Envelopes, prefix, upper, || self.options());
        let mut sizes = Vec::new();
        rows.seek_first();
        while let Some((key, value)) = rows.row() {
            let seq = key.last_chunk::<4>().copied().map(u32::from_be_bytes);
            sizes.extend(seq.map(|seq| (seq, (key.len() + value.len()) as u64)));
            rows.next();
        }
        sizes
    }

    /// The tag of the channel that a record is of. `tags` remembers those of key numbers.
    fn tag_of(
        &self,
        table: Table,
        key: &[u8],
        value: &[u8],
        tags: &mut BTreeMap<u32, Option<Tag>>,
    ) -> Option<Tag> {
        if !table.is_windowed() {
            return key.first_chunk().copied();
        }
        // What a key that is gone sealed has ended, whosever it was.
        let number = Sealed::split(value)?.number;
        let window_keys = &self.shared.window_keys;
        *tags
            .entry(number)
            .or_insert_with(|| window_keys.get(number).map(|(_, key)| key.chan))
    }

    fn weigh(&self, table: Table, mut each: impl FnMut(&[u8], &[u8])) {
        let options = || -> ReadOptions {
            let mut options = self.options();
            options.set_total_order_seek(true);
            // What is read once must not push out what is read all the time.
            options.fill_cache(false);
            options
        };
        let mut rows = self.shared.cursor(table, Vec::new(), Vec::new(), options);
        rows.seek_first();
        while let Some((key, value)) = rows.row() {
            each(key, value);
            rows.next();
        }
    }
}
