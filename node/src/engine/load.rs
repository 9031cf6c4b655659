//! Starting: what the store holds becomes what the engine holds.

use std::sync::Arc;

use super::apply::{SEEN_MAX, read_of};
use super::channel::{Channel, Joining, KnownBeacon};
use super::keys::FIRST_PLACE;
use super::own::Own;
use super::quota::{META_QUOTA, weighed};
use super::retention::{META_CLOCK, META_UNERASED, Witness};
use super::shared::ChannelView;
use super::{Engine, META_HLC, PRESENCE_MS, Timer};
use crate::record::{BeaconRecord, ChannelRecord, HoldsRecord};
use kith_crdt::control::{Body, ControlLog, VerifiedOp};
use kith_crdt::encoding;
use kith_crdt::ids::{AccountId, ChannelId, DeviceId, LogId};
use kith_crdt::keys::EpochKeys;
use kith_crdt::link::InviteLink;
use kith_crdt::log::Log;
use kith_crdt::projection::SeenBy;
use kith_crdt::time::Millis;
use kith_store::{Store, StoreError, View};

/// Bytes that a stored record of these kinds may have.
const RECORD_MAX: usize = 4 * 1024 * 1024;

impl Engine {
    /// Takes over what the store holds.
    pub(super) fn load(&mut self, now: Millis) -> Result<(), StoreError> {
        let reader = self.store.reader();
        let view = reader.view();
        // One that cannot be read is made up for below, and by beginning anew.
        if let Some(bytes) = view.meta(META_HLC).unwrap_or_default() {
            self.hlc = encoding::decode(&bytes, 16).unwrap_or_default();
        }
        if let Some(bytes) = view.meta(META_CLOCK).unwrap_or_default() {
            let witness: Witness = encoding::decode(&bytes, 32).unwrap_or_default();
            self.witness = witness.restored();
        }
        // One that cannot be read is none: it would be refused for ever otherwise.
        let quota = view.meta(META_QUOTA).unwrap_or_default();
        self.quota = quota.and_then(|bytes| encoding::decode(&bytes, 16).ok());
        self.restore_certificate(&view);
        let is_unerased = view.meta(META_UNERASED).map_or(true, |kept| kept.is_some());
        for (peer, record) in view.peers() {
            self.peers.restore(peer, &record);
        }
        drop(view);
        self.own = Own::default();
        self.channels.clear();
        self.tags.clear();
        for channel in channels(&self.store, &self.me, &self.writer.device) {
            self.add_channel(channel);
        }
        self.recover_channels();
        self.reload_own();
        self.share_own();
        self.look_for_room(now);
        // Only now it is known whether the disk is whole, as far as a start reads it.
        self.take_up_writing(now, &reader.view())?;
        self.resume_mending(now);
        let ids: Vec<ChannelId> = self.channels.keys().copied().collect();
        for id in &ids {
            self.listen(*id);
            let nobody = ControlLog::new(*id);
            self.want_members(now, *id, nobody.roster());
            self.timers.set(Timer::Keys(*id), now);
            self.timers.set(Timer::Beacon(*id), now.plus(1_000));
            self.set_forget_timer(now, *id);
            self.timers.set(Timer::Bodies(*id), now.plus(5_000));
            // Whoever is connected meanwhile is asked at once.
            self.set_sync_timer(now, *id);
            if let Some(channel) = self.channels.get_mut(id) {
                if let Some(joining) = &channel.joining {
                    for (transport, addresses) in &joining.link.hosts {
                        self.peers.learn(now, *transport, addresses, true);
                    }
                }
                self.shared
                    .put(ChannelView::of(channel, &self.me, &self.writer.device));
            }
        }
        self.timers.set(Timer::Certify, now);
        self.resume_erasing(now, is_unerased);
        self.timers.set(Timer::Presence, now.plus(PRESENCE_MS));
        self.timers.set(Timer::Tidy, now.plus(60_000));
        self.shared.put_floor(self.witness.believed());
        self.shared.put_quota(self.quota);
        Ok(())
    }
}

/// Loads every channel of the store, as seen by a device of an account. What cannot be read is
/// left out and reported.
pub(super) fn channels(store: &Store, me: &AccountId, device: &DeviceId) -> Vec<Channel> {
    let reader = store.reader();
    let view = reader.view();
    let mut channels = Vec::new();
    for (_, bytes) in view.channels() {
        match encoding::decode::<ChannelRecord>(&bytes, RECORD_MAX) {
            Ok(record) => channels.push(channel(store, &view, (me, device), &record)),
            Err(_) => tracing::error!("a channel's record cannot be read; its messages are kept"),
        }
    }
    channels
}

pub(super) fn channel(
    store: &Store,
    view: &View<'_>,
    (me, device): (&AccountId, &DeviceId),
    record: &ChannelRecord,
) -> Channel {
    let id = record.channel;
    let mut channel = Channel::new(control(view, &id), record.name.clone());
    channel.quota = record.quota;
    channel.joining = record
        .joining
        .as_deref()
        .and_then(|link| link.parse::<InviteLink>().ok())
        .map(|link| Joining {
            link,
            waiting: Vec::new(),
        });
    for bytes in store.epochs(&id) {
        if let Ok(keys) = encoding::decode::<EpochKeys>(&bytes, RECORD_MAX) {
            Arc::make_mut(&mut channel.keys).insert(keys);
        }
    }
    let mut logs: Vec<Log> = Vec::new();
    for (_, bytes) in view.logs(&id) {
        match encoding::decode(&bytes, RECORD_MAX) {
            Ok(log) => logs.push(log),
            Err(_) => tracing::error!("a log's record cannot be read; sync brings it anew"),
        }
    }
    let mut ends = view.ends(&id, logs.iter().map(|log| &log.id));
    for mut log in logs {
        let living = log.living();
        let early = ends.remove(&log.id).unwrap_or_default().into_iter();
        // A fork may have cut off what they are of.
        let early = early.filter(|(seq, _)| living.contains(*seq));
        log.early.clone_from(&log.ends_before);
        log.early.extend(early.map(|(seq, at)| (seq, Millis(at))));
        log.bytes.get_or_insert_with(|| weighed(view, &id, &log.id));
        channel.restore(log);
    }
    channel.leaving = Some(me).filter(|_| record.leaving).and_then(|me| {
        let ops = channel.control.iter().map(|op| (op.op(), op));
        let left = ops.filter(|(op, _)| op.author == *me && matches!(op.body, Body::Leave));
        let (_, last) = left.max_by_key(|(op, _)| op.lamport)?;
        Some(last.clone())
    });
    channel.lost_ops = channel.joining.is_none()
        && (channel.control.is_empty() || channel.control.waiting() > 0 || store.lost_ops(&id));
    beacons(view, &mut channel);
    reaches(&mut channel, me, device);
    figures(view, me, &mut channel);
    channel.reopen_from = Some(FIRST_PLACE);
    channel.digests.settle();
    channel
}

/// What is counted of a channel, as the store has it.
pub(super) fn figures(view: &View<'_>, me: &AccountId, channel: &mut Channel) {
    channel.own_seen.clear();
    seen(view, me, channel);
    channel.messages = channel.logs.values().map(|log| log.living().len()).sum();
    channel.count_all_unread(view, me);
    last_activity(view, channel);
}

/// When the newest message of the main timeline was written, as the store has it.
pub(super) fn last_activity(view: &View<'_>, channel: &mut Channel) {
    channel.newest_ended = false;
    channel.last_activity = view
        .page(kith_store::Line::main(&channel.id), None, 1)
        .last()
        .map(|entry| entry.hlc.millis());
}

/// The control log. Ops are stored by their hashes and go in by age, so that none has to wait for
/// its ancestors: the places for those that do are few.
fn control(view: &View<'_>, id: &ChannelId) -> ControlLog {
    let mut ops = Vec::new();
    for (_, bytes) in view.ops(id) {
        match VerifiedOp::from_stored(&bytes) {
            Ok(op) => ops.push(op),
            Err(_) => tracing::error!("a stored control op does not hold and is left out"),
        }
    }
    ops.sort_by_key(|op| (op.op().lamport, op.id()));
    let mut control = ControlLog::new(*id);
    for op in ops {
        control.insert(op);
    }
    control
}

/// How far the logs of this device have come.
fn reaches(channel: &mut Channel, me: &AccountId, device: &DeviceId) {
    let own: Vec<LogId> = channel
        .logs
        .keys()
        .filter(|log_id| log_id.writer.device == *device)
        .copied()
        .collect();
    for log_id in own {
        let reach = channel
            .holds
            .reach(&log_id, channel.others(device), me, None);
        channel.reaches.insert(log_id, reach);
    }
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
    for (segment, device, bytes) in view.holds(&channel.id) {
        let Ok(record) = encoding::decode::<HoldsRecord>(&bytes, RECORD_MAX) else {
            continue;
        };
        for (writer, seq) in record.logs {
            channel.holds.raise(device, LogId { segment, writer }, seq);
        }
        for (writer, arrivals) in record.arrivals.unwrap_or_default() {
            let log_id = LogId { segment, writer };
            channel.holds.restore_arrivals(device, log_id, arrivals);
        }
        for (writer, erased) in record.erased {
            let log_id = LogId { segment, writer };
            channel.holds.note_erased(device, log_id, &erased);
        }
    }
    for (_, bytes) in view.beacons(&channel.id) {
        let Ok(record) = encoding::decode::<BeaconRecord>(&bytes, RECORD_MAX) else {
            continue;
        };
        let known = KnownBeacon {
            hlc: record.hlc,
            signed: record.signed,
        };
        channel.beacons.insert(record.device, known);
    }
}
