//! Reading: what the store held at one moment, however long the reader looks at it.
//!
//! A record that cannot be read is skipped and noted ([`Reader::damage`]); where that must not be
//! mistaken for there being none, the result says so.

mod ends;
mod happenings;
mod messages;
mod rows;

use std::sync::Arc;

use kith_crdt::ids::{
    AccountId, ChannelId, DeviceId, EpochId, LogId, MessageId, OpId, Place, SegmentId, TransportKey,
};
use kith_crdt::time::Hlc;
use rocksdb::{ReadOptions, Snapshot};

use crate::damage::Damage;
use crate::error::StoreError;
use crate::inspect::Inspection;
use crate::keys::{Tag, after_prefix, segment_in};
use crate::seal::Site;
use crate::shared::Shared;
use crate::table::Table;
use crate::timeline::{self, Line, TimelineEntry};

pub(crate) use messages::{decode_message_place, encode_message_place};
use rows::NAME_LEN;

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

    /// How many damaged records are known, those among them that earlier runs met and that nobody
    /// has mended.
    pub fn damage_known(&self) -> u64 {
        self.shared.damage.count_known()
    }

    /// Takes over what damage an inspection has met: the open store may not come by it for weeks.
    pub fn take_over(&self, inspection: &Inspection) {
        self.shared.damage.take_over(inspection.reader().damage());
    }

    /// How many of the damaged records that are known by name are of one channel, those of its
    /// threads' index excepted.
    pub fn damage_in(&self, channel: &ChannelId) -> u64 {
        let lines = Line::main(channel).tags(&self.shared);
        let chan = self.shared.keys.chan(channel);
        self.shared.damage.count_of(&chan, &lines)
    }

    /// Whether the record of an epoch was found damaged, or may lie where nothing could be read, in
    /// this run or an earlier one.
    pub fn has_lost(&self, channel: &ChannelId, epoch: &EpochId) -> bool {
        let key = self.shared.keys.epoch(channel, &epoch.0);
        let chan = self.shared.keys.chan(channel);
        self.shared.damage.may_have_hit(Table::Epochs, &chan, &key)
    }
}

/// An idempotency key as the store knows it: by its hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdempotencyHandle(pub(crate) Vec<u8>);

/// What the store held when the view was made.
pub struct View<'a> {
    pub(crate) shared: &'a Shared,
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

    /// A control op of each channel that has any that can be read. A channel's own record may be
    /// damaged, and its ops say which channel they are of.
    pub fn an_op_of_each_channel(&self) -> Vec<Vec<u8>> {
        let mut rows = self
            .shared
            .cursor(Table::Control, Vec::new(), Vec::new(), || self.options());
        let mut found = Vec::new();
        rows.seek_first();
        while let Some((key, record)) = rows.row() {
            let site = Site {
                table: Table::Control,
                key,
            };
            let op = self.shared.open(site, record).readable();
            let op = op.and_then(|op| op.plain.get(NAME_LEN..).map(<[u8]>::to_vec));
            let beyond = key.get(..size_of::<Tag>()).map(after_prefix);
            match (op, beyond) {
                (Some(op), Some(beyond)) => {
                    found.push(op);
                    if beyond.is_empty() {
                        break;
                    }
                    rows.seek(&beyond);
                }
                _ => rows.next(),
            }
        }
        found
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

    /// Everything that is claimed in a channel, or all of one kind, with the message that each is
    /// about. Goes over the claims of all channels, whose keys begin with the message.
    pub fn all_claims(&self, channel: &ChannelId, kind: Option<u8>) -> Vec<(MessageId, Vec<u8>)> {
        let options = || {
            let mut options = self.options();
            options.set_total_order_seek(true);
            options
        };
        let mut rows = self
            .shared
            .cursor(Table::Claims, Vec::new(), Vec::new(), options);
        let mut wanted = self.shared.keys.channel(channel);
        wanted.extend(kind);
        let mut claims = Vec::new();
        rows.seek_first();
        while let Some((key, record)) = rows.row() {
            if let Some((target, rest)) = key.split_first_chunk()
                && rest.starts_with(&wanted)
            {
                let site = Site {
                    table: Table::Claims,
                    key,
                };
                let found = self.shared.open(site, record).readable();
                claims.extend(found.map(|record| (MessageId(*target), record.plain)));
            }
            rows.next();
        }
        claims
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

    /// What was erased of a channel, by the day, counted from 1970.
    pub fn erasures(&self, channel: &ChannelId) -> Vec<(u32, Vec<u8>)> {
        self.collect(
            Table::Erasures,
            self.shared.keys.channel(channel),
            |key, record| {
                let day = key.get(8..)?.try_into().ok()?;
                Some((u32::from_be_bytes(day), record.plain))
            },
        )
    }

    /// What was erased of a channel on a day.
    pub fn erasures_of(&self, channel: &ChannelId, day: u32) -> Option<Vec<u8>> {
        let key = self.shared.keys.erasures(channel, day);
        self.get(Table::Erasures, &key)
            .readable()
            .map(|record| record.plain)
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

    pub(crate) fn options(&self) -> ReadOptions {
        let mut options = ReadOptions::default();
        options.set_snapshot(&self.snapshot);
        options
    }
}
