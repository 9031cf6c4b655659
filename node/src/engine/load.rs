//! Starting: what the store holds becomes what the engine holds.

use std::sync::Arc;

use super::apply::{SEEN_MAX, read_of};
use super::channel::{Channel, Joining, KnownBeacon};
use crate::record::{BeaconRecord, ChannelRecord};
use kith_crdt::control::{ControlLog, VerifiedOp};
use kith_crdt::encoding;
use kith_crdt::ids::{AccountId, LogId};
use kith_crdt::keys::EpochKeys;
use kith_crdt::link::InviteLink;
use kith_crdt::log::Log;
use kith_crdt::projection::SeenBy;
use kith_store::{Store, StoreError, View};

/// Bytes that a stored record of these kinds may have.
const RECORD_MAX: usize = 4 * 1024 * 1024;

/// Loads every channel of the store. What cannot be read is left out and reported.
///
/// # Errors
/// [`StoreError`] if the store as a whole cannot be read.
pub(super) fn channels(store: &Store, me: &AccountId) -> Result<Vec<Channel>, StoreError> {
    let reader = store.reader();
    let view = reader.view();
    let mut channels = Vec::new();
    for (_, bytes) in view.channels() {
        match encoding::decode::<ChannelRecord>(&bytes, RECORD_MAX) {
            Ok(record) => channels.push(channel(store, &view, me, &record)?),
            Err(_) => tracing::error!("a channel's record cannot be read; its messages are kept"),
        }
    }
    Ok(channels)
}

fn channel(
    store: &Store,
    view: &View<'_>,
    me: &AccountId,
    record: &ChannelRecord,
) -> Result<Channel, StoreError> {
    let id = record.channel;
    let mut control = ControlLog::new(id);
    for (_, bytes) in view.ops(&id) {
        match VerifiedOp::from_stored(&bytes) {
            Ok(op) => {
                control.insert(op);
            }
            Err(_) => tracing::error!("a stored control op does not hold and is left out"),
        }
    }
    let mut channel = Channel::new(control, record.name.clone());
    channel.joining = record
        .joining
        .as_deref()
        .and_then(|link| link.parse::<InviteLink>().ok())
        .map(|link| Joining {
            link,
            op: None,
            waiting: Vec::new(),
        });
    for bytes in store.epochs(&id) {
        if let Ok(keys) = encoding::decode::<EpochKeys>(&bytes, RECORD_MAX) {
            Arc::make_mut(&mut channel.keys).insert(keys);
        }
    }
    for (_, bytes) in view.logs(&id) {
        match encoding::decode::<Log>(&bytes, RECORD_MAX) {
            Ok(log) => channel.restore(log),
            Err(_) => tracing::error!("a log's record cannot be read; sync brings it anew"),
        }
    }
    seen(view, me, &mut channel);
    beacons(view, &mut channel);
    channel.unread = channel
        .unread_ranges(me)
        .iter()
        .map(|(_, unread)| unread.len())
        .sum();
    channel.last_activity = view
        .page(kith_store::Line::main(&id), None, 1)
        .last()
        .map(|entry| entry.hlc.millis());
    channel.digests.settle();
    Ok(channel)
}

fn seen(view: &View<'_>, me: &AccountId, channel: &mut Channel) {
    let logs: Vec<LogId> = channel.logs.keys().copied().collect();
    let mut segment = None;
    let mut seen = SeenBy::default();
    for log_id in logs {
        if segment != Some(log_id.segment) {
            segment = Some(log_id.segment);
            let stored = view.seen_by(&channel.id, &log_id.segment, me);
            seen = stored
                .and_then(|bytes| encoding::decode(&bytes, SEEN_MAX).ok())
                .unwrap_or_default();
        }
        let read = read_of(&seen, &log_id);
        if !read.is_empty() {
            channel.own_seen.insert(log_id, read);
        }
    }
}

fn beacons(view: &View<'_>, channel: &mut Channel) {
    for (_, bytes) in view.beacons(&channel.id) {
        let Ok(record) = encoding::decode::<BeaconRecord>(&bytes, RECORD_MAX) else {
            continue;
        };
        for place in &record.positions {
            channel.holds.raise(record.device, place.log, place.seq);
        }
        let known = KnownBeacon {
            hlc: record.hlc,
            signed: record.signed,
        };
        channel.beacons.insert(record.device, known);
    }
}
