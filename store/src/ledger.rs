//! The durable record of damage: what was met and has not been mended, so that a warning outlives
//! the run that met it and the salvage that dropped the record.
//!
//! It is one value of the table `meta`, `[[[table, key in hex, kind], …], how many more]`, with as
//! many names as are kept in memory. It is written with whatever is written next.

use std::sync::PoisonError;

use minicbor::{Decode, Encode};

use crate::damage::{Damage, DamageKind, DamageLog, Seen, hex, is_anywhere, is_of};
use crate::keys::Tag;
use crate::rocks::Database;
use crate::table::Table;

/// Where it is kept.
pub(crate) const LEDGER: &[u8] = b"\0damage";

/// The record as it is written.
#[derive(Encode, Decode)]
#[cbor(array)]
struct Ledger {
    #[n(0)]
    named: Vec<Line>,
    #[n(1)]
    unnamed: u64,
}

/// One damaged record.
#[derive(Encode, Decode)]
#[cbor(array)]
struct Line {
    #[n(0)]
    table: String,
    #[n(1)]
    key: String,
    #[n(2)]
    kind: DamageKind,
}

/// Whose damage has been mended.
pub(crate) enum Mended<'a> {
    /// A channel's, with the tags of its main line.
    Channel(&'a Tag, &'a [Tag]),
    /// Everything.
    Home,
}

impl DamageLog {
    /// Takes over what earlier runs have written. Says whether it can be read.
    pub(crate) fn restore(&self, bytes: &[u8]) -> bool {
        let Ok(ledger) = minicbor::decode::<Ledger>(bytes) else {
            return false;
        };
        let named = ledger.named.into_iter().filter_map(|line| {
            Some(Damage {
                table: known_name(&line.table)?,
                key: line.key,
                kind: line.kind,
            })
        });
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.before = named.collect();
        seen.before_unnamed = ledger.unnamed;
        true
    }

    /// What is to be written, if anything has changed since: the change it is as of, and the
    /// record, or nothing where there is no damage any more.
    pub(crate) fn unkept(&self) -> Option<(u64, Option<Vec<u8>>)> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.changes == seen.kept {
            return None;
        }
        let ledger = ledger(&seen);
        let is_empty = ledger.named.is_empty() && ledger.unnamed == 0;
        let record = (!is_empty).then(|| kith_crdt::encoding::encode(&ledger));
        Some((seen.changes, record))
    }

    /// Notes that the durable record is as of a change.
    pub(crate) fn kept(&self, change: u64) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.kept = seen.kept.max(change);
    }

    /// Forgets what has been mended.
    pub(crate) fn forget(&self, mended: &Mended<'_>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match mended {
            Mended::Home => {
                seen.named.clear();
                seen.before.clear();
                (seen.unnamed, seen.before_unnamed) = (0, 0);
            }
            Mended::Channel(chan, lines) => {
                let chan = hex(*chan);
                let lines: Vec<String> = lines.iter().map(|line| hex(line)).collect();
                let stays = |damage: &Damage| !is_mended(damage, &chan, &lines);
                seen.named.retain(stays);
                seen.before.retain(stays);
            }
        }
        seen.changes += 1;
    }

    /// Whether a table is known to have damage that may be of a channel.
    pub(crate) fn is_hit(&self, table: Table, chan: &Tag) -> bool {
        let chan = hex(chan);
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.known().any(|damage| {
            let is_broken = matches!(damage.kind, DamageKind::Block | DamageKind::Log);
            let is_here = damage.table == table.name() || damage.kind == DamageKind::Log;
            is_here && (is_broken || is_of(damage, &chan))
        })
    }
}

fn is_mended(damage: &Damage, chan: &str, lines: &[String]) -> bool {
    let of_line = damage.table == Table::Timeline.name()
        && lines.iter().any(|line| damage.key.starts_with(line));
    // What a hole swallowed besides cannot be told.
    let is_broken = matches!(damage.kind, DamageKind::Block | DamageKind::Log);
    !is_broken && !is_anywhere(damage) && (of_line || is_of(damage, chan))
}

fn ledger(seen: &Seen) -> Ledger {
    let lines = seen.known().map(|damage| Line {
        table: damage.table.to_owned(),
        key: damage.key.clone(),
        kind: damage.kind,
    });
    let mut named: Vec<Line> = lines.collect();
    let beyond = named.len().saturating_sub(crate::damage::NAMED_MAX);
    named.truncate(crate::damage::NAMED_MAX);
    Ledger {
        named,
        unnamed: seen.unnamed + seen.before_unnamed + beyond as u64,
    }
}

fn known_name(name: &str) -> Option<&'static str> {
    let tables = Table::DATA.into_iter().chain(Table::KEYS);
    let databases = [Database::Data, Database::Keys].map(Database::directory);
    tables
        .map(Table::name)
        .chain(databases)
        .find(|known| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(log: &DamageLog) -> Vec<u8> {
        let (change, record) = log.unkept().expect("something is new");
        log.kept(change);
        record.expect("there is damage")
    }

    #[test]
    fn what_was_met_is_known_to_the_next_run_and_met_again_it_is_no_news() {
        let first = DamageLog::default();
        first.note("logs", &[7; 22], DamageKind::Seal);
        first.note("data", &[], DamageKind::Log);
        let record = kept(&first);
        assert!(first.unkept().is_none());

        let next = DamageLog::default();
        assert!(next.restore(&record) && !next.restore(&record[1..]));
        next.note("logs", &[7; 22], DamageKind::Seal);
        assert!(next.unkept().is_none());
        assert_eq!((next.count(), next.count_known()), (1, 2));
    }

    #[test]
    fn mending_a_channel_leaves_what_may_be_of_another() {
        let (chan, other, line) = ([7; 8], [8; 8], [5; 8]);
        let log = DamageLog::default();
        for (table, key) in [("logs", chan), ("logs", other), ("timeline", line)] {
            log.note(table, &key, DamageKind::Seal);
        }
        log.note("claims", &[], DamageKind::Block);
        log.forget(&Mended::Channel(&chan, &[line]));
        let left: Vec<&str> = log.named().iter().map(|damage| damage.table).collect();
        assert_eq!(left, ["claims", "logs"]);
        log.forget(&Mended::Home);
        let (_, record) = log
            .unkept()
            .expect("it is to be forgotten on the disk, too");
        assert_eq!((log.count_known(), record), (0, None));
    }

    #[test]
    fn a_hole_may_be_of_any_channel() {
        let log = DamageLog::default();
        log.note("control", &[], DamageKind::Block);
        log.note("logs", &[8; 22], DamageKind::Seal);
        let hit = |table| log.is_hit(table, &[7; 8]);
        assert_eq!([hit(Table::Control), hit(Table::Logs)], [true, false]);
    }
}
