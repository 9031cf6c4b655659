//! Records that cannot be read: named, counted, and kept from stopping anything else.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use kith_crdt::ids::MessageId;
use minicbor::{Decode, Encode};

use crate::keys::Tag;
use crate::table::Table;

/// How many damaged records are kept by name; what is beyond is only counted.
pub(crate) const NAMED_MAX: usize = 1_024;

/// How a record is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum DamageKind {
    /// Its seal does not hold: a bit of the value, or the value itself, is another's.
    #[n(1)]
    Seal,
    /// It opens, but what is inside is not of the form that this table has.
    #[n(2)]
    Form,
    /// The key it is sealed under is itself damaged.
    #[n(3)]
    Key,
    /// The block of the file it lies in cannot be read; there may be more records in it.
    #[n(4)]
    Block,
    /// Part of the write-ahead log cannot be read: the last commits before a crash may be lost.
    #[n(5)]
    Log,
}

/// One record, or one stretch of records, that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damage {
    /// The table.
    pub table: &'static str,
    /// The record's key in hex; for a block, the key at which reading stopped.
    pub key: String,
    /// How it is damaged.
    pub kind: DamageKind,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let how = match self.kind {
            DamageKind::Seal => "its seal does not hold",
            DamageKind::Form => "its content is malformed",
            DamageKind::Key => "the key it is sealed under is lost",
            DamageKind::Block => "the file around it cannot be read",
            DamageKind::Log => "part of the write-ahead log cannot be read",
        };
        write!(f, "{} {}: {how}", self.table, self.key)
    }
}

/// The damage seen since the store was opened, and what earlier runs saw that nobody has mended.
/// Seeing a record twice does not count twice.
#[derive(Debug, Default)]
pub(crate) struct DamageLog {
    pub(crate) seen: Mutex<Seen>,
    marker: Option<PathBuf>,
}

#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) named: BTreeSet<Damage>,
    pub(crate) unnamed: u64,
    /// What the durable record had when the store was opened.
    pub(crate) before: BTreeSet<Damage>,
    /// What it had without names.
    pub(crate) before_unnamed: u64,
    /// How often any of this changed.
    pub(crate) changes: u64,
    /// The change up to which the durable record has it.
    pub(crate) kept: u64,
    is_marked: bool,
}

impl Seen {
    /// Everything known by name.
    pub(crate) fn known(&self) -> impl Iterator<Item = &Damage> {
        self.named.union(&self.before)
    }
}

impl DamageLog {
    /// A log that leaves a file at `marker` when a database's own files turn out to be damaged,
    /// so that the next start salvages them.
    pub(crate) fn new(marker: Option<PathBuf>) -> Self {
        Self {
            seen: Mutex::default(),
            marker,
        }
    }

    /// Notes a stretch of rows that RocksDB cannot read.
    pub(crate) fn note_block(&self, table: &'static str, key: &[u8]) {
        self.note(table, key, DamageKind::Block);
        self.mark();
    }

    /// Leaves the marker. That it cannot be written changes nothing for this run, and the next
    /// one meets the same damage again.
    pub(crate) fn mark(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(marker) = self.marker.as_ref().filter(|_| !seen.is_marked) {
            seen.is_marked = File::create(marker).is_ok();
        }
    }

    /// Takes the marker away once everything that was damaged has been salvaged.
    pub(crate) fn unmark(&self) -> io::Result<()> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.is_marked = false;
        match self.marker.as_ref().map(fs::remove_file) {
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    pub(crate) fn note(&self, table: &'static str, key: &[u8], kind: DamageKind) {
        let damage = Damage {
            table,
            key: hex(key),
            kind,
        };
        self.add(damage);
    }

    fn add(&self, damage: Damage) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = seen.before.contains(&damage);
        let is_new = if seen.named.len() < NAMED_MAX {
            seen.named.insert(damage)
        } else if seen.named.contains(&damage) {
            false
        } else {
            seen.unnamed += 1;
            true
        };
        if is_new && !is_known {
            seen.changes += 1;
        }
    }

    /// Takes over what another look at the same home has met.
    pub(crate) fn take_over(&self, met: Vec<Damage>) {
        let is_broken = met.iter().any(|damage| damage.kind == DamageKind::Block);
        for damage in met {
            self.add(damage);
        }
        if is_broken {
            self.mark();
        }
    }

    /// Whether the next start is to salvage: files of a database are broken.
    pub(crate) fn is_marked(&self) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.is_marked
    }

    pub(crate) fn named(&self) -> Vec<Damage> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.named.iter().cloned().collect()
    }

    /// How many of the records known by name have the tag of this channel in their key, or of one
    /// of these lines of it.
    pub(crate) fn count_of(&self, chan: &Tag, lines: &[Tag]) -> u64 {
        let chan = hex(chan);
        let lines: Vec<String> = lines.iter().map(|line| hex(line)).collect();
        let of_line = |damage: &Damage| {
            damage.table == Table::Timeline.name()
                && lines.iter().any(|line| damage.key.starts_with(line))
        };
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.known()
            .filter(|damage| is_of(damage, &chan) || of_line(damage) || is_anywhere(damage))
            .count() as u64
    }

    /// The records known by name that have the tag of this channel in their key, and those that
    /// are of no channel by their keys.
    pub(crate) fn named_of(&self, chan: &Tag) -> Vec<Damage> {
        let chan = hex(chan);
        let nobodys = [Table::WindowKeys, Table::Timeline, Table::MessageIds];
        let nobodys = nobodys.into_iter().chain(Table::OF_THE_NODE);
        let nobodys: Vec<&str> = nobodys.map(Table::name).collect();
        let mut named = self.named();
        named.retain(|damage| is_of(damage, &chan) || nobodys.contains(&damage.table));
        named
    }

    /// Whether a record of a channel is known to be damaged, or its table to have a hole in which
    /// it may have been.
    pub(crate) fn may_have_hit(&self, table: Table, chan: &Tag, key: &[u8]) -> bool {
        let (chan, key) = (hex(chan), hex(key));
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut of_table = seen.known().filter(|damage| damage.table == table.name());
        of_table.any(|damage| match damage.kind {
            DamageKind::Block | DamageKind::Log => is_of(damage, &chan) || is_anywhere(damage),
            _ => damage.key == key,
        })
    }

    pub(crate) fn count(&self) -> u64 {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.named.len() as u64 + seen.unnamed
    }

    /// How many are known, those of earlier runs among them.
    pub(crate) fn count_known(&self) -> u64 {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.known().count() as u64 + seen.unnamed + seen.before_unnamed
    }
}

/// Whether a hole or a lost end of a log may hold records of any channel.
pub(crate) fn is_anywhere(damage: &Damage) -> bool {
    damage.key.len() < 2 * size_of::<Tag>()
        && matches!(damage.kind, DamageKind::Block | DamageKind::Log)
}

pub(crate) fn is_of(damage: &Damage, chan: &str) -> bool {
    // Claims stand by the message they are about, and only then by its channel.
    let target = if damage.table == Table::Claims.name() {
        2 * MessageId::LEN
    } else {
        0
    };
    damage
        .key
        .get(target..)
        .is_some_and(|rest| rest.starts_with(chan))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            text.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
            text.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_seen_twice_counts_once() {
        let log = DamageLog::default();
        log.note("envelopes", &[1, 0xab], DamageKind::Seal);
        log.note("envelopes", &[1, 0xab], DamageKind::Seal);
        assert_eq!(log.count(), 1);
        assert_eq!(
            log.named()[0].to_string(),
            "envelopes 01ab: its seal does not hold"
        );
    }

    #[test]
    fn a_record_counts_to_its_channel_in_whatever_table() {
        let (chan, other) = ([7; 8], [8; 8]);
        let log = DamageLog::default();
        log.note(
            "envelopes",
            &[&chan[..], &[1, 2]].concat(),
            DamageKind::Seal,
        );
        log.note(
            "claims",
            &[&[9; 10][..], &chan, &[0]].concat(),
            DamageKind::Seal,
        );
        log.note("envelopes", &other, DamageKind::Seal);
        log.note("timeline", &[5; 24], DamageKind::Block);
        assert_eq!(
            (log.count_of(&chan, &[[5; 8]]), log.count_of(&other, &[])),
            (3, 1)
        );
        assert_eq!(log.count(), 4);
    }

    #[test]
    fn names_are_bounded_and_the_count_goes_on() {
        let log = DamageLog::default();
        for number in 0..NAMED_MAX as u32 + 7 {
            log.note("logs", &number.to_be_bytes(), DamageKind::Form);
        }
        assert_eq!(log.named().len(), NAMED_MAX);
        assert_eq!(log.count(), NAMED_MAX as u64 + 7);
    }
}
