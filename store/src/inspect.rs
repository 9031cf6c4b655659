//! Reading a home as the next start would find it: a second, read-only opening beside the one
//! that writes.
//!
//! The open store answers from its caches and from the window keys that it read when it started,
//! so a bit that has flipped on the disk since then may not show for weeks. An inspection has
//! caches, keys and a count of damage of its own, sees one moment, and changes nothing. What it has
//! met counts once the open store takes it over.

use std::collections::BTreeMap;
use std::sync::Arc;

use kith_crdt::ids::{ChannelId, LogId, SegmentId};
use kith_crdt::ranges::Ranges;
use zeroize::Zeroizing;

use crate::damage::{Damage, DamageLog};
use crate::error::StoreError;
use crate::keydb::KeyDb;
use crate::keys::segment_in;
use crate::shared::{Found, Shared};
use crate::table::Table;
use crate::view::{Reader, View};

/// A home, read once more.
pub struct Inspection {
    reader: Reader,
    key_db: KeyDb,
}

impl std::fmt::Debug for Inspection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inspection")
    }
}

/// A log as its records name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogHandle(Vec<u8>);

impl LogHandle {
    /// The segment that it is of.
    pub fn segment(&self) -> Option<SegmentId> {
        segment_in(&self.0)
    }
}

/// What of a log is on the disk.
#[derive(Debug, Clone, Default)]
pub struct Readable {
    /// The numbers that can be read.
    pub readable: Ranges,
    /// Those that are there and cannot.
    pub unreadable: Ranges,
}

impl Reader {
    /// Opens the home once more, as it is on the disk now, without writing. Takes memory and files
    /// of its own, so there should be one at a time.
    ///
    /// # Errors
    /// [`StoreError`] if a database cannot be opened at all: then a start would have to salvage.
    pub fn inspect(&self) -> Result<Inspection, StoreError> {
        self.shared.open_again(open)
    }
}

fn open(live: &Shared) -> Result<Inspection, StoreError> {
    let damage = DamageLog::new(None);
    let key_db = KeyDb::for_reading(&live.keys_at)?;
    let window_keys = key_db.load(&live.keys, &live.table_keys, &damage);
    let shared = live.beside(live.data_at.open_for_reading()?, window_keys, damage);
    Ok(Inspection {
        reader: Reader {
            shared: Arc::new(shared),
        },
        key_db,
    })
}

impl Inspection {
    /// A reader of it.
    pub const fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Everything in it.
    pub fn view(&self) -> View<'_> {
        self.reader.view()
    }

    /// The readable epochs of a channel.
    pub fn epochs(&self, channel: &ChannelId) -> Vec<Zeroizing<Vec<u8>>> {
        let shared = &self.reader.shared;
        let prefix = shared.keys.channel(channel);
        self.key_db
            .epochs(prefix, &shared.table_keys, &shared.damage)
    }

    /// Looks at every record that no view of a channel comes by: what is of the whole node, and
    /// what is remembered of other devices. Damage among them is met by this.
    pub fn read_the_rest(&self, channel: &ChannelId) {
        let view = self.view();
        view.look_at(Table::Holds, self.reader.shared.keys.channel(channel));
        view.look_at(Table::Beacons, self.reader.shared.keys.channel(channel));
        view.look_at(Table::Erasures, self.reader.shared.keys.channel(channel));
        view.look_at(Table::Ends, self.reader.shared.keys.channel(channel));
        view.look_at(Table::Forks, self.reader.shared.keys.channel(channel));
        view.look_at(Table::Seen, self.reader.shared.keys.channel(channel));
        for table in Table::OF_THE_NODE {
            view.look_at(table, Vec::new());
        }
    }

    /// What is on the disk of each log of a channel: reads all envelopes. Those count as readable
    /// whose records open and are `usable`.
    pub fn readable(
        &self,
        channel: &ChannelId,
        usable: impl Fn(&[u8]) -> bool,
    ) -> BTreeMap<LogHandle, Readable> {
        let mut logs: BTreeMap<LogHandle, Readable> = BTreeMap::new();
        let prefix = self.reader.shared.keys.channel(channel);
        self.view().each(Table::Envelopes, prefix, |key, found| {
            let is_readable = match found {
                Found::Record(record) => usable(&record.plain),
                Found::Damaged => false,
                Found::Nothing => return,
            };
            let Some((log, seq)) = key.split_last_chunk::<4>() else {
                return;
            };
            let log = logs.entry(LogHandle(log.to_vec())).or_default();
            let seq = u32::from_be_bytes(*seq);
            match is_readable {
                true => log.readable.insert(seq),
                false => log.unreadable.insert(seq),
            };
        });
        logs
    }

    /// The name by which [`Self::readable`] knows a log.
    pub fn handle(&self, channel: &ChannelId, log: &LogId) -> LogHandle {
        LogHandle(self.reader.shared.keys.log(channel, log))
    }

    /// The damage met so far that is of a channel, or of none that can be told. At most the first
    /// thousand by name.
    pub fn damage_of(&self, channel: &ChannelId) -> Vec<Damage> {
        let shared = &self.reader.shared;
        shared.damage.named_of(&shared.keys.chan(channel))
    }
}
