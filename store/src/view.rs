//! Reading: what the store held at one moment, however long the reader looks at it.
//!
//! A record that cannot be read is skipped and noted ([`Reader::damage`]); where that must not be
//! mistaken for there being none, the result says so.

use std::sync::Arc;

use kith_crdt::ids::{
    AccountId, ChannelId, DeviceId, LogId, MessageId, OpId, Place, SegmentId, TransportKey, Writer,
};
use kith_crdt::time::Hlc;
use minicbor::{Decoder, Encoder, decode};
use rocksdb::{ReadOptions, Snapshot};

use crate::damage::Damage;
use crate::error::{RESTORE, StoreError};
use crate::events;
use crate::keys::{after_prefix, segment_in};
use crate::seal::Site;
use crate::shared::{Found, Record, Shared};
use crate::table::Table;
use crate::timeline::{self, Line, TimelineEntry};

/// Makes [`View`]s. Clones share everything; none of them waits for the writer.
#[derive(Clone)]
pub struct Reader {
    pub(crate) shared: Arc<Shared>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reader")
    }
}

impl Reader {
    /// Everything as it is now. Cheap, and meant to be short-lived: what is deleted meanwhile
    /// takes up space until the view is dropped.
    pub fn view(&self) -> View<'_> {
        View {
            shared: &self.shared,
            snapshot: self.shared.db.snapshot(),
        }
    }

    /// The damage met since the store was opened, at most the first thousand by name.
    pub fn damage(&self) -> Vec<Damage> {
        self.shared.damage.named()
    }

    /// How many damaged records were met since the store was opened.
    pub fn damage_count(&self) -> u64 {
        self.shared.damage.count()
    }
}

/// An idempotency key as the store knows it: by its hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdempotencyHandle(pub(crate) Vec<u8>);

/// What the store held when the view was made.
pub struct View<'a> {
    shared: &'a Shared,
    snapshot: Snapshot<'a>,
}

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("View")
    }
}

impl View<'_> {
    /// A value of the node's own.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if it is there and cannot be read: what depends on it must not go
    /// on as if it had never been written.
    pub fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.decisive(Table::Meta, name.as_bytes())
    }

    /// The state of one channel.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] as with [`View::meta`].
    pub fn channel(&self, channel: &ChannelId) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.decisive(Table::Channels, &self.shared.keys.channel(channel))?;
        Ok(value.map(|mut value| value.split_off(ChannelId::LEN.min(value.len()))))
    }

    /// All channels with their states.
    pub fn channels(&self) -> Vec<(ChannelId, Vec<u8>)> {
        self.named(Table::Channels, &[], ChannelId::from_slice)
    }

    /// The control ops of a channel, in no meaningful order.
    pub fn ops(&self, channel: &ChannelId) -> Vec<(OpId, Vec<u8>)> {
        self.named(
            Table::Control,
            &self.shared.keys.channel(channel),
            OpId::from_slice,
        )
    }

    /// One envelope.
    pub fn envelope(&self, channel: &ChannelId, place: &Place) -> Option<Vec<u8>> {
        self.get(Table::Envelopes, &self.shared.keys.envelope(channel, place))
            .readable()
            .map(|record| record.plain)
    }

    /// The envelopes at these places, in this order; `None` where there is none, or none that
    /// can be read.
    pub fn multi_envelopes(&self, channel: &ChannelId, places: &[Place]) -> Vec<Option<Vec<u8>>> {
        let keys: Vec<Vec<u8>> = places
            .iter()
            .map(|place| self.shared.keys.envelope(channel, place))
            .collect();
        self.multi(Table::Envelopes, &keys)
    }

    /// The envelopes of a log from one number on, with their numbers: at most so many, and no
    /// more than `max_bytes` in all, but always the first.
    pub fn envelopes(
        &self,
        channel: &ChannelId,
        log: &LogId,
        from_seq: u32,
        max_items: usize,
        max_bytes: usize,
    ) -> Vec<(u32, Vec<u8>)> {
        let lower = self.shared.keys.envelope(channel, &log.place(from_seq));
        let upper = after_prefix(&self.shared.keys.log(channel, log));
        let mut found = Vec::new();
        let mut bytes = 0_usize;
        self.scan(Table::Envelopes, lower, upper, |key, record| {
            let Some(seq) = key.last_chunk::<4>() else {
                return true;
            };
            bytes = bytes.saturating_add(record.plain.len());
            let fits = found.len() < max_items && (found.is_empty() || bytes <= max_bytes);
            if fits {
                found.push((u32::from_be_bytes(*seq), record.plain));
            }
            fits && found.len() < max_items
        });
        found
    }

    /// The state of one log.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] as with [`View::meta`].
    pub fn log(&self, channel: &ChannelId, log: &LogId) -> Result<Option<Vec<u8>>, StoreError> {
        self.decisive(Table::Logs, &self.shared.keys.log(channel, log))
    }

    /// The states of all logs of a channel, with their segments, oldest window first.
    pub fn logs(&self, channel: &ChannelId) -> Vec<(SegmentId, Vec<u8>)> {
        self.by_segment(Table::Logs, channel)
    }

    /// The proofs of forks of a channel, with their segments.
    pub fn forks(&self, channel: &ChannelId) -> Vec<(SegmentId, Vec<u8>)> {
        self.by_segment(Table::Forks, channel)
    }

    /// What is claimed in a channel about a message: edits, deletions, reactions. Almost free
    /// where there is nothing.
    pub fn claims(&self, channel: &ChannelId, message: &MessageId) -> Vec<Vec<u8>> {
        self.multi_claims(channel, std::slice::from_ref(message))
            .pop()
            .unwrap_or_default()
    }

    /// What is claimed about each of these messages, in this order.
    pub fn multi_claims(&self, channel: &ChannelId, messages: &[MessageId]) -> Vec<Vec<Vec<u8>>> {
        let options = || {
            let mut options = self.options();
            options.set_prefix_same_as_start(true);
            options
        };
        let mut cursor = self
            .shared
            .cursor(Table::Claims, Vec::new(), Vec::new(), options);
        let mut claims_of = |message: &MessageId| {
            let mut claims = Vec::new();
            let prefix = self.shared.keys.claims(channel, message);
            cursor.seek(&prefix);
            while let Some((key, record)) = cursor.row().filter(|(key, _)| key.starts_with(&prefix))
            {
                let found = self.shared.open(
                    Site {
                        table: Table::Claims,
                        key,
                    },
                    record,
                );
                claims.extend(found.readable().map(|record| record.plain));
                cursor.next();
            }
            claims
        };
        messages.iter().map(&mut claims_of).collect()
    }

    /// The proof that a log forks, if there is one.
    pub fn fork(&self, channel: &ChannelId, log: &LogId) -> Option<Vec<u8>> {
        let record = self
            .get(Table::Forks, &self.shared.keys.log(channel, log))
            .readable()?;
        Some(record.plain)
    }

    /// What each account has seen of a segment.
    pub fn seen(&self, channel: &ChannelId, segment: &SegmentId) -> Vec<(AccountId, Vec<u8>)> {
        self.named(
            Table::Seen,
            &self.shared.keys.segment(channel, segment),
            AccountId::from_slice,
        )
    }

    /// What one account has seen of a segment.
    pub fn seen_by(
        &self,
        channel: &ChannelId,
        segment: &SegmentId,
        account: &AccountId,
    ) -> Option<Vec<u8>> {
        let record = self
            .get(
                Table::Seen,
                &self.shared.keys.seen(channel, segment, account),
            )
            .readable()?;
        record.plain.get(AccountId::LEN..).map(<[u8]>::to_vec)
    }

    /// Where a message is.
    pub fn message(&self, message: &MessageId) -> Option<(ChannelId, Place)> {
        let record = self.get(Table::MessageIds, &message.0).readable()?;
        self.message_place(&message.0, &record)
    }

    /// The messages whose shown id starts with `prefix`, in the order of their ids, at most
    /// `limit`. None if the prefix is not of that alphabet.
    pub fn messages_with_prefix(
        &self,
        prefix: &str,
        limit: usize,
    ) -> Vec<(MessageId, ChannelId, Place)> {
        let Some((lower, upper)) = message_id_range(prefix) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        self.scan(Table::MessageIds, lower, upper, |key, record| {
            let message = MessageId::from_slice(key).zip(self.message_place(key, &record));
            found.extend(
                message
                    .map(|(id, (channel, place))| (id, channel, place))
                    .filter(|_| limit > 0),
            );
            found.len() < limit
        });
        found
    }

    /// A page of a line: its newest entries, or the newest that come before one of them, at most
    /// `limit`, the oldest first. Costs the same at any depth.
    pub fn page(
        &self,
        line: Line,
        before: Option<(Hlc, Place)>,
        limit: usize,
    ) -> Vec<TimelineEntry> {
        let before = before.map(|(hlc, place)| TimelineEntry { hlc, place });
        timeline::page(
            self.shared,
            || self.options(),
            &line,
            before.as_ref(),
            limit,
        )
    }

    /// How many entries of a line come after one of them, or how many there are. Reads every
    /// block that has one, so the cost grows with the number.
    pub fn count(&self, line: Line, after: Option<(Hlc, Place)>) -> u64 {
        let after = after.map(|(hlc, place)| TimelineEntry { hlc, place });
        timeline::count(self.shared, || self.options(), &line, after.as_ref())
    }

    /// How many entries each of these lines has, in this order. Almost free for a line that has
    /// none, such as the thread of a message that nobody answered.
    pub fn lengths(&self, lines: &[Line]) -> Vec<u64> {
        timeline::lengths(self.shared, || self.options(), lines)
    }

    /// How far each device holds the logs of each segment of a channel.
    pub fn holds(&self, channel: &ChannelId) -> Vec<(SegmentId, DeviceId, Vec<u8>)> {
        self.collect(
            Table::Holds,
            self.shared.keys.channel(channel),
            |key, record| {
                let (device, value) = record.plain.split_at_checked(NAME_LEN)?;
                Some((
                    segment_in(key)?,
                    DeviceId::from_slice(device)?,
                    value.to_vec(),
                ))
            },
        )
    }

    /// The newest beacon of each device of a channel.
    pub fn beacons(&self, channel: &ChannelId) -> Vec<(DeviceId, Vec<u8>)> {
        self.named(
            Table::Beacons,
            &self.shared.keys.channel(channel),
            DeviceId::from_slice,
        )
    }

    /// What is known of each peer.
    pub fn peers(&self) -> Vec<(TransportKey, Vec<u8>)> {
        self.named(Table::Peers, &[], TransportKey::from_slice)
    }

    /// What a request with this idempotency key led to.
    pub fn idempotency(&self, key: &str) -> Option<Vec<u8>> {
        self.get(Table::Idempotency, &self.shared.keys.idempotency(key))
            .readable()
            .map(|record| record.plain)
    }

    /// Everything remembered of requests, so that what is old can be forgotten.
    pub fn all_idempotency(&self) -> Vec<(IdempotencyHandle, Vec<u8>)> {
        self.collect(Table::Idempotency, Vec::new(), |key, record| {
            Some((IdempotencyHandle(key.to_vec()), record.plain))
        })
    }

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

    pub(crate) fn options(&self) -> ReadOptions {
        let mut options = ReadOptions::default();
        options.set_snapshot(&self.snapshot);
        options
    }

    fn get(&self, table: Table, key: &[u8]) -> Found {
        self.shared.get(Site { table, key }, &self.options())
    }

    /// Reads a record whose damage must not be taken for its absence.
    fn decisive(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.get(table, key) {
            Found::Nothing => Ok(None),
            Found::Record(record) => Ok(Some(record.plain)),
            Found::Damaged => Err(StoreError::Damaged {
                what: format!("a record of the table {}", table.name()),
                remedy: RESTORE,
            }),
        }
    }

    fn multi(&self, table: Table, keys: &[Vec<u8>]) -> Vec<Option<Vec<u8>>> {
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
    fn scan(
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

    /// What `read` makes of every record under a prefix; where it makes nothing, the record is
    /// malformed.
    fn collect<T>(
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
    fn named<N>(
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

    fn by_segment(&self, table: Table, channel: &ChannelId) -> Vec<(SegmentId, Vec<u8>)> {
        self.collect(table, self.shared.keys.channel(channel), |key, record| {
            Some((segment_in(key)?, record.plain))
        })
    }

    fn message_place(&self, key: &[u8], record: &Record) -> Option<(ChannelId, Place)> {
        let (channel, window) = self.shared.window_keys.scope(record.number)?;
        match decode_message_place(&record.plain) {
            Ok((index, writer, seq)) => Some((
                channel,
                LogId {
                    segment: SegmentId { window, index },
                    writer,
                }
                .place(seq),
            )),
            Err(_) => {
                self.shared.malformed(Site {
                    table: Table::MessageIds,
                    key,
                });
                None
            }
        }
    }
}

/// The length of every name that goes in front of a value.
const NAME_LEN: usize = 32;

/// Where a message is, without what the number of its window key tells: `[index, device,
/// incarnation, seq]`.
pub(crate) fn encode_message_place(place: &Place) -> Vec<u8> {
    let Place { log, seq } = place;
    let mut e = Encoder::new(Vec::with_capacity(48));
    e.array(4)
        .and_then(|e| e.u16(log.segment.index)?.bytes(&log.writer.device.0))
        .and_then(|e| e.u32(log.writer.incarnation)?.u32(*seq))
        .expect("writing CBOR to memory does not fail");
    e.into_writer()
}

fn decode_message_place(bytes: &[u8]) -> Result<(u16, Writer, u32), decode::Error> {
    let mut d = Decoder::new(bytes);
    if d.array()? != Some(4) {
        return Err(decode::Error::message("a place has four fields"));
    }
    let index = d.u16()?;
    let writer = Writer {
        device: d.decode()?,
        incarnation: d.u32()?,
    };
    Ok((index, writer, d.u32()?))
}

/// The ids from the first that is shown with this prefix to before the first that is not.
fn message_id_range(prefix: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut bits = 0_u128;
    for character in prefix.chars() {
        let digit = match character.to_ascii_lowercase() {
            letter @ 'a'..='z' => letter as u32 - 'a' as u32,
            number @ '2'..='7' => number as u32 - '2' as u32 + 26,
            _ => return None,
        };
        bits = bits << 5 | u128::from(digit);
    }
    let shown = MessageId::LEN * 8 / 5;
    let free = 5 * shown.checked_sub(prefix.len())?;
    let bytes = |number: u128| number.to_be_bytes()[16 - MessageId::LEN..].to_vec();
    let lower = bits << free;
    let after = (bits + 1) << free;
    Some((
        bytes(lower),
        if after >> (MessageId::LEN * 8) == 0 {
            bytes(after)
        } else {
            Vec::new()
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_range_of_ids() {
        let id = MessageId([0xab, 0xcd, 0xef, 1, 2, 3, 4, 5, 6, 7]);
        for len in 0..=16 {
            let prefix = &id.to_string()[..len];
            let (lower, upper) = message_id_range(prefix).unwrap();
            assert!(
                lower.as_slice() <= &id.0[..] && (upper.is_empty() || &id.0[..] < upper.as_slice())
            );
            let below = MessageId([0xab, 0xcd, 0xef, 1, 2, 3, 4, 5, 6, 6]);
            let is_in = lower.as_slice() <= &below.0[..]
                && (upper.is_empty() || &below.0[..] < upper.as_slice());
            assert_eq!(is_in, below.to_string().starts_with(prefix));
        }
        assert!(message_id_range("8").is_none() && message_id_range("aaaaaaaaaaaaaaaaa").is_none());
        assert_eq!(message_id_range("7").unwrap().1, Vec::<u8>::new());
    }

    #[test]
    fn a_place_survives_being_written() {
        let writer = Writer {
            device: DeviceId([3; 32]),
            incarnation: 9,
        };
        let segment = SegmentId {
            window: kith_crdt::ids::Window(24),
            index: 2,
        };
        let place = LogId { segment, writer }.place(300);
        assert_eq!(
            decode_message_place(&encode_message_place(&place)).unwrap(),
            (2, writer, 300)
        );
        assert!(decode_message_place(&[0x83, 0, 0, 0]).is_err());
    }
}
