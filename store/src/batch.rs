//! What one turn of the engine wants written: collected in memory, committed as one.
//!
//! Values are plaintext here; which key seals each is the store's business. The order of calls
//! is the order in which they take effect.

use std::collections::BTreeMap;
use std::sync::Arc;

use kith_crdt::ids::{
    AccountId, ChannelId, DeviceId, LogId, MessageId, OpId, Place, SegmentId, TransportKey,
};
use kith_crdt::term::Span;
use kith_crdt::time::Hlc;
use zeroize::Zeroizing;

use crate::keys::after_prefix;
use crate::shared::Shared;
use crate::table::Table;
use crate::timeline::{Changes, Line, Shelf, TimelineEntry};
use crate::view::IdempotencyHandle;

/// One change to one table.
pub(crate) enum Change {
    Put {
        table: Table,
        key: Vec<u8>,
        value: Zeroizing<Vec<u8>>,
        scope: Option<(ChannelId, Span)>,
    },
    Delete {
        table: Table,
        key: Vec<u8>,
    },
    /// Everything from `from` to before `to`.
    DeleteRange {
        table: Table,
        from: Vec<u8>,
        to: Vec<u8>,
    },
}

impl Change {
    pub(crate) const fn table(&self) -> Table {
        match self {
            Self::Put { table, .. }
            | Self::Delete { table, .. }
            | Self::DeleteRange { table, .. } => *table,
        }
    }
}

/// A set of changes that become durable together or not at all.
pub struct Batch {
    shared: Arc<Shared>,
    pub(crate) changes: Vec<Change>,
    pub(crate) timeline: BTreeMap<Shelf, Changes>,
    pub(crate) events: Vec<Vec<u8>>,
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Batch({} changes, {} events)",
            self.changes.len(),
            self.events.len()
        )
    }
}

impl Batch {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            changes: Vec::new(),
            timeline: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.timeline.is_empty() && self.events.is_empty()
    }

    fn put(&mut self, table: Table, key: Vec<u8>, value: impl Into<Vec<u8>>) {
        debug_assert!(
            !table.is_windowed(),
            "a record of this table needs a window"
        );
        self.changes.push(Change::Put {
            table,
            key,
            value: Zeroizing::new(value.into()),
            scope: None,
        });
    }

    /// Puts a record whose key holds a name only as a hash: the name goes in front of the value.
    fn put_named(&mut self, table: Table, key: Vec<u8>, name: &[u8], value: impl Into<Vec<u8>>) {
        let value = Zeroizing::new(value.into());
        self.put(table, key, [name, &value].concat());
    }

    fn put_in(
        &mut self,
        table: Table,
        key: Vec<u8>,
        value: impl Into<Vec<u8>>,
        scope: (ChannelId, Span),
    ) {
        debug_assert!(
            table.is_windowed(),
            "a record of this table is sealed under the table's key"
        );
        self.changes.push(Change::Put {
            table,
            key,
            value: Zeroizing::new(value.into()),
            scope: Some(scope),
        });
    }

    fn delete(&mut self, table: Table, key: Vec<u8>) {
        self.changes.push(Change::Delete { table, key });
    }

    /// Removes everything from one key to before another; an empty one is after all keys.
    pub(crate) fn delete_range(&mut self, table: Table, from: Vec<u8>, to: Vec<u8>) {
        if to.is_empty() {
            self.delete_prefix(table, from);
        } else {
            self.changes.push(Change::DeleteRange { table, from, to });
        }
    }

    pub(crate) fn delete_prefix(&mut self, table: Table, prefix: Vec<u8>) {
        let to = match after_prefix(&prefix) {
            end if end.is_empty() => vec![0xff; prefix.len() + 64],
            end => end,
        };
        self.changes.push(Change::DeleteRange {
            table,
            from: prefix,
            to,
        });
    }

    /// Writes a value of the node's own, such as its clock or a counter.
    pub fn put_meta(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.put(Table::Meta, name.as_bytes().to_vec(), value);
    }

    /// Removes a value of the node's own.
    pub fn delete_meta(&mut self, name: &str) {
        self.delete(Table::Meta, name.as_bytes().to_vec());
    }

    /// Writes the state of a channel.
    pub fn put_channel(&mut self, channel: &ChannelId, value: impl Into<Vec<u8>>) {
        self.put_named(
            Table::Channels,
            self.shared.keys.channel(channel),
            &channel.0,
            value,
        );
    }

    /// Removes the state of a channel, and nothing else of it.
    pub fn delete_channel(&mut self, channel: &ChannelId) {
        self.delete(Table::Channels, self.shared.keys.channel(channel));
    }

    /// Writes a control op.
    pub fn put_op(&mut self, channel: &ChannelId, op: &OpId, value: impl Into<Vec<u8>>) {
        self.put_named(
            Table::Control,
            self.shared.keys.op(channel, op),
            &op.0,
            value,
        );
    }

    /// Removes a control op.
    pub fn delete_op(&mut self, channel: &ChannelId, op: &OpId) {
        self.delete(Table::Control, self.shared.keys.op(channel, op));
    }

    /// Writes an envelope.
    pub fn put_envelope(&mut self, channel: &ChannelId, place: &Place, value: impl Into<Vec<u8>>) {
        let scope = (*channel, place.log.segment.span());
        self.put_in(
            Table::Envelopes,
            self.shared.keys.envelope(channel, place),
            value,
            scope,
        );
    }

    /// Removes an envelope.
    pub fn delete_envelope(&mut self, channel: &ChannelId, place: &Place) {
        self.delete(Table::Envelopes, self.shared.keys.envelope(channel, place));
    }

    /// Removes the envelopes of a log from one number on, and when they end. What indexes them is for the caller to
    /// remove: [`Batch::remove_timeline`], [`Batch::delete_message_id`], [`Batch::delete_claim`].
    pub fn truncate_log(&mut self, channel: &ChannelId, log: &LogId, from_seq: u32) {
        let from = self.shared.keys.envelope(channel, &log.place(from_seq));
        let to = after_prefix(&self.shared.keys.log(channel, log));
        self.delete_range(Table::Ends, from.clone(), to.clone());
        self.delete_range(Table::Envelopes, from, to);
    }

    /// Writes the state of a log.
    pub fn put_log(&mut self, channel: &ChannelId, log: &LogId, value: impl Into<Vec<u8>>) {
        self.put(Table::Logs, self.shared.keys.log(channel, log), value);
    }

    /// Removes the state of a log, and when its messages end.
    pub fn delete_log(&mut self, channel: &ChannelId, log: &LogId) {
        let key = self.shared.keys.log(channel, log);
        let after = after_prefix(&key);
        self.delete_range(Table::Ends, key.clone(), after);
        self.delete(Table::Logs, key);
    }

    /// Writes when a message ends that asks to end sooner than others, in milliseconds since 1970.
    pub fn put_end(&mut self, channel: &ChannelId, place: &Place, at: u64) {
        let key = self.shared.keys.envelope(channel, place);
        self.put(Table::Ends, key, at.to_be_bytes());
    }

    /// Removes when a message ends.
    pub fn delete_end(&mut self, channel: &ChannelId, place: &Place) {
        let key = self.shared.keys.envelope(channel, place);
        self.delete(Table::Ends, key);
    }

    /// Writes the proof of a fork.
    pub fn put_fork(&mut self, channel: &ChannelId, log: &LogId, value: impl Into<Vec<u8>>) {
        self.put(Table::Forks, self.shared.keys.log(channel, log), value);
    }

    /// Removes the proof of a fork.
    pub fn delete_fork(&mut self, channel: &ChannelId, log: &LogId) {
        self.delete(Table::Forks, self.shared.keys.log(channel, log));
    }

    /// Writes what the entry at `place` says about the message `target`. `kind` tells claims at
    /// one place apart.
    pub fn put_claim(
        &mut self,
        channel: &ChannelId,
        target: &MessageId,
        kind: u8,
        place: &Place,
        value: impl Into<Vec<u8>>,
    ) {
        let key = self.shared.keys.claim(channel, target, kind, place);
        self.put_in(
            Table::Claims,
            key,
            value,
            (*channel, place.log.segment.span()),
        );
    }

    /// Removes a claim.
    pub fn delete_claim(
        &mut self,
        channel: &ChannelId,
        target: &MessageId,
        kind: u8,
        place: &Place,
    ) {
        self.delete(
            Table::Claims,
            self.shared.keys.claim(channel, target, kind, place),
        );
    }

    /// Writes what an account has seen of a segment.
    pub fn put_seen(
        &mut self,
        channel: &ChannelId,
        segment: &SegmentId,
        account: &AccountId,
        value: impl Into<Vec<u8>>,
    ) {
        let key = self.shared.keys.seen(channel, segment, account);
        self.put_named(Table::Seen, key, &account.0, value);
    }

    /// Removes what an account has seen of a segment.
    pub fn delete_seen(&mut self, channel: &ChannelId, segment: &SegmentId, account: &AccountId) {
        self.delete(
            Table::Seen,
            self.shared.keys.seen(channel, segment, account),
        );
    }

    /// Makes a message findable by its id.
    pub fn put_message_id(&mut self, channel: &ChannelId, message: &MessageId, place: &Place) {
        let value = crate::view::encode_message_place(place);
        let scope = (*channel, place.log.segment.span());
        self.put_in(Table::MessageIds, message.0.to_vec(), value, scope);
    }

    /// Makes a message no longer findable by its id.
    pub fn delete_message_id(&mut self, message: &MessageId) {
        self.delete(Table::MessageIds, message.0.to_vec());
    }

    /// Puts an entry into a timeline. Doing so again changes nothing.
    pub fn insert_timeline(&mut self, line: Line, hlc: Hlc, place: Place) {
        self.change_timeline(line, TimelineEntry { hlc, place }, true);
    }

    /// Takes an entry out of a timeline, if it is there.
    pub fn remove_timeline(&mut self, line: Line, hlc: Hlc, place: Place) {
        self.change_timeline(line, TimelineEntry { hlc, place }, false);
    }

    fn change_timeline(&mut self, line: Line, entry: TimelineEntry, wanted: bool) {
        self.timeline
            .entry(Shelf::of(line, &entry))
            .or_default()
            .insert(entry, wanted);
    }

    /// Writes the newest beacon of a device.
    pub fn put_beacon(
        &mut self,
        channel: &ChannelId,
        device: &DeviceId,
        value: impl Into<Vec<u8>>,
    ) {
        self.put_named(
            Table::Beacons,
            self.shared.keys.beacon(channel, device),
            &device.0,
            value,
        );
    }

    /// Removes the beacon of a device.
    pub fn delete_beacon(&mut self, channel: &ChannelId, device: &DeviceId) {
        self.delete(Table::Beacons, self.shared.keys.beacon(channel, device));
    }

    /// Writes what was erased of a channel on a day, counted from 1970.
    pub fn put_erasures(&mut self, channel: &ChannelId, day: u32, value: impl Into<Vec<u8>>) {
        let key = self.shared.keys.erasures(channel, day);
        self.put(Table::Erasures, key, value);
    }

    /// Removes what is noted of erasures in a channel before a day.
    pub fn delete_erasures_before(&mut self, channel: &ChannelId, day: u32) {
        let keys = &self.shared.keys;
        let (from, to) = (keys.erasures(channel, 0), keys.erasures(channel, day));
        self.delete_range(Table::Erasures, from, to);
    }

    /// Writes how far a device holds the logs of a segment.
    pub fn put_holds(
        &mut self,
        channel: &ChannelId,
        segment: &SegmentId,
        device: &DeviceId,
        value: impl Into<Vec<u8>>,
    ) {
        let key = self.shared.keys.holds(channel, segment, device);
        self.put_named(Table::Holds, key, &device.0, value);
    }

    /// Writes what is known of a peer.
    pub fn put_peer(&mut self, transport: &TransportKey, value: impl Into<Vec<u8>>) {
        self.put_named(
            Table::Peers,
            self.shared.keys.peer(transport),
            &transport.0,
            value,
        );
    }

    /// Removes what is known of a peer.
    pub fn delete_peer(&mut self, transport: &TransportKey) {
        self.delete(Table::Peers, self.shared.keys.peer(transport));
    }

    /// Remembers what a request with this idempotency key led to.
    pub fn put_idempotency(&mut self, key: &str, value: impl Into<Vec<u8>>) {
        self.put(Table::Idempotency, self.shared.keys.idempotency(key), value);
    }

    /// Forgets what a request led to.
    pub fn delete_idempotency(&mut self, handle: IdempotencyHandle) {
        self.delete(Table::Idempotency, handle.0);
    }

    /// Adds an event. It gets the next cursor when the batch is committed.
    pub fn append_event(&mut self, value: impl Into<Vec<u8>>) {
        self.events.push(value.into());
    }

    pub(crate) fn put_own(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.put(Table::Meta, key, value);
    }

    pub(crate) fn delete_own(&mut self, key: Vec<u8>) {
        self.delete(Table::Meta, key);
    }
}
