//! Delivery: what each device holds, told and heard by beacons, and what that makes of our own
//! messages: sent, delivered.

use std::collections::{BTreeMap, BTreeSet};

use kith_crdt::beacon::{Beacon, InSegment};
use kith_crdt::crypto::sign::Signed;
use kith_crdt::encoding;
use kith_crdt::frame::Content;
use kith_crdt::ids::{ChannelId, DeviceId, LogId, SegmentId, TransportKey};
use kith_crdt::limits::{ADDRESSES_MAX, BEACON_POSITIONS, CLOCK_SKEW_MAX_MS};
use kith_crdt::log::Log;
use kith_crdt::time::Millis;

use super::channel::KnownBeacon;
use super::{Engine, Timer};
use crate::record::{Arrival, BeaconRecord, HoldsRecord, What};

/// Milliseconds between beacons of one channel at the least.
const BEACON_GAP_MS: u64 = 250;
/// Milliseconds a beacon waits for more to tell.
const BEACON_DELAY_MS: u64 = 20;
/// Positions that every beacon has, changed or not: who hears it may have missed the last ones.
/// What is older, equal digests settle.
const NEWEST_POSITIONS: usize = 4;
/// Delivery events of one log and turn: the newest, where history arrives in bulk.
const ARRIVALS_MAX: usize = 256;

impl Engine {
    /// When the next beacon of a channel is due, if one is wanted now.
    pub(super) fn beacon_due(&self, id: ChannelId) -> Millis {
        let announced = self
            .channels
            .get(&id)
            .map_or(Millis(0), |channel| channel.announced_at);
        // A clock that fell back must not keep this node silent.
        self.now
            .plus(BEACON_DELAY_MS)
            .max(announced.min(self.now).plus(BEACON_GAP_MS))
    }

    /// Tells the others what this node holds and where it can be reached.
    pub(super) fn announce(&mut self, now: Millis, id: ChannelId) {
        let hlc = self.hlc.tick(now);
        let addresses: Vec<String> = self.peers.own_addresses().take(ADDRESSES_MAX).collect();
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        if !channel.roster.belongs_on(&self.me, &self.writer.device) || channel.joining.is_some() {
            return;
        }
        let mut holds: BTreeMap<LogId, u32> = channel
            .logs
            .iter()
            .rev()
            .take(NEWEST_POSITIONS)
            .map(|(log_id, log)| (*log_id, log.head))
            .collect();
        while holds.len() < BEACON_POSITIONS
            && let Some(log_id) = channel.unannounced.pop_last()
        {
            holds.insert(log_id, channel.logs.get(&log_id).map_or(0, |log| log.head));
        }
        channel.announced_at = now;
        let beacon = Beacon {
            writer: self.writer,
            hlc,
            addresses,
            holds: InSegment::group(holds.into_iter().rev()),
            digest: channel.digest(),
            erased: channel.erasures(&self.writer.device),
        };
        self.hlc = hlc;
        let signed = beacon.sign(&id, &self.secrets.signing);
        channel.beacons.insert(
            self.writer.device,
            KnownBeacon {
                hlc,
                signed: signed.clone(),
            },
        );
        if let Some((_, epoch)) = self.listened_topics(id).first().cloned() {
            self.publish(id, epoch, &Content::Beacon(signed));
        }
    }

    /// Takes a beacon, from its device or passed on. `from` is who gossiped it. Says
    /// whether it is its device's newest.
    pub(super) fn receive_beacon(
        &mut self,
        now: Millis,
        id: ChannelId,
        beacon: &Beacon,
        signed: Signed,
        from: Option<TransportKey>,
    ) -> bool {
        let device = beacon.writer.device;
        let held = beacon.holds.iter().flat_map(InSegment::logs);
        let positions: Vec<(LogId, u32)> = held.map(|(log_id, seq)| (log_id, *seq)).collect();
        let Some(channel) = self.channels.get_mut(&id) else {
            return false;
        };
        let Some(known) = channel
            .roster
            .devices
            .get(&device)
            .filter(|known| known.active)
        else {
            return false;
        };
        let ahead = beacon.hlc.millis().since(now);
        if ahead > CLOCK_SKEW_MAX_MS {
            return false;
        }
        if device == self.writer.device {
            self.look_for_double(&beacon.writer, beacon.hlc);
            return false;
        }
        let transport = known.transport;
        self.hear_clock(now, beacon.hlc.millis());
        let Some(channel) = self.channels.get_mut(&id) else {
            return false;
        };
        let newer = channel
            .beacons
            .get(&device)
            .is_none_or(|last| last.hlc < beacon.hlc);
        if newer {
            channel.beacons.insert(
                device,
                KnownBeacon {
                    hlc: beacon.hlc,
                    signed: signed.clone(),
                },
            );
            let record = BeaconRecord {
                device,
                hlc: beacon.hlc,
                signed,
            };
            self.stage
                .batch
                .put_beacon(&id, &device, encoding::encode(&record));
            self.peers.learn(now, transport, &beacon.addresses, false);
        }
        let held = |log_id| channel.logs.get(log_id).map_or(0, |log: &Log| log.head);
        let behind: u64 = positions
            .iter()
            .map(|(log_id, seq)| u64::from(seq.saturating_sub(held(log_id))))
            .sum();
        if behind > 0 {
            channel.ahead.insert(device, behind);
            channel.in_step.remove(&device);
        } else {
            channel.ahead.remove(&device);
        }
        let equal = newer && channel.digest() == beacon.digest;
        self.raise(now, id, device, positions);
        self.hear_erased(id, beacon);
        if equal {
            self.hold_equal(now, id, device);
        } else if newer && let Some(peer) = from {
            let source = if self.peers.is_connected(&transport) {
                transport
            } else {
                peer
            };
            if behind > 0 && self.has_room(id) {
                self.sync_with(now, id, source);
            }
        }
        newer
    }

    /// Notes that a peer was found to hold the same as we do.
    pub(super) fn note_equal(&mut self, now: Millis, id: ChannelId, peer: TransportKey) {
        let Some(channel) = self.channels.get(&id) else {
            return;
        };
        let Some((device, _)) = channel.roster.by_transport(&peer) else {
            return;
        };
        self.hold_equal(now, id, device);
    }

    /// Notes that a peer has nothing that is not here.
    pub(super) fn nothing_ahead(&mut self, id: ChannelId, peer: TransportKey) {
        if let Some(channel) = self.channels.get_mut(&id)
            && let Some((device, _)) = channel.roster.by_transport(&peer)
        {
            channel.ahead.remove(&device);
        }
    }

    fn hold_equal(&mut self, now: Millis, id: ChannelId, device: DeviceId) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        channel.ahead.remove(&device);
        channel.in_step.insert(device, now);
        if channel.is_mending() {
            self.timers.set_by(Timer::Mend(id), now);
        }
        let known = channel
            .holds
            .positions(&device)
            .cloned()
            .unwrap_or_default();
        let positions: Vec<(LogId, u32)> = channel
            .logs
            .iter()
            .map(|(log_id, log)| (*log_id, log.head))
            // What is over was not compared.
            .filter(|(log_id, _)| !channel.is_concealed(log_id))
            .filter(|(log_id, seq)| known.get(log_id).is_none_or(|held| held < seq))
            .collect();
        self.stage.touched.insert(id);
        self.raise(now, id, device, positions);
    }

    /// Notes how far a device has logs, keeps it, and tells what that makes of our own messages.
    fn raise(
        &mut self,
        now: Millis,
        id: ChannelId,
        device: DeviceId,
        positions: Vec<(LogId, u32)>,
    ) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        let mut raised = BTreeSet::new();
        for (log_id, seq) in positions {
            // A device cannot be believed to hold what nobody is known to have written.
            let Some(head) = channel.logs.get(&log_id).map(|log| log.head) else {
                continue;
            };
            let before = channel.holds.of(&device, &log_id);
            let held = seq.min(head);
            if channel.holds.raise(device, log_id, held) {
                if log_id.writer.device == self.writer.device {
                    let step = (before, held);
                    channel.holds.note_arrival(device, log_id, step, now);
                }
                raised.insert(log_id);
            }
        }
        if raised.is_empty() {
            return;
        }
        let segments: BTreeSet<SegmentId> = raised.iter().map(|log_id| log_id.segment).collect();
        for segment in segments {
            self.keep_holds(id, device, segment);
        }
        self.stage.touched.insert(id);
        let this = self.writer.device;
        let own = raised.iter().filter(|log_id| log_id.writer.device == this);
        for log_id in own {
            self.note_reach(now, id, *log_id);
        }
    }

    /// Keeps what a device is known to hold of a segment, and to have erased.
    pub(super) fn keep_holds(&mut self, id: ChannelId, device: DeviceId, segment: SegmentId) {
        let Some(channel) = self.channels.get(&id) else {
            return;
        };
        let record = HoldsRecord {
            logs: channel.holds.in_segment(&device, segment),
            arrivals: Some(channel.holds.arrivals_in(&device, segment)),
            erased: channel.holds.erased_in(&device, segment),
        };
        self.stage
            .batch
            .put_holds(&id, &segment, &device, encoding::encode(&record));
        self.stage.touched.insert(id);
    }

    fn note_reach(&mut self, now: Millis, id: ChannelId, log_id: LogId) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        let reach =
            channel
                .holds
                .reach(&log_id, channel.others(&self.writer.device), &self.me, None);
        let before = channel.reaches.insert(log_id, reach.clone());
        let (sent, delivered) = before.map_or((0, 0), |before| (before.sent, before.delivered));
        let Some(log) = channel.logs.get(&log_id) else {
            return;
        };
        let living = log.living();
        let between = |from: u32, to: u32| -> Vec<u32> {
            living
                .iter()
                .rev()
                .skip_while(|seq| *seq > to)
                .take_while(|seq| *seq > from)
                .take(ARRIVALS_MAX)
                .collect()
        };
        let delivered_now = between(delivered, reach.delivered);
        let sent_now = between(sent.max(reach.delivered), reach.sent);
        for (arrival, seqs) in [
            (Arrival::Delivered, delivered_now),
            (Arrival::Sent, sent_now),
        ] {
            for seq in seqs.into_iter().rev() {
                self.happened(
                    id,
                    now,
                    What::Arrived(log_id.place(seq).message_id(&id), arrival),
                );
            }
        }
    }

    /// Keeps announcing until everything that grew has been told.
    pub(super) fn announce_rest(&mut self, id: ChannelId) {
        if self
            .channels
            .get(&id)
            .is_some_and(|channel| !channel.unannounced.is_empty())
        {
            let due = self.beacon_due(id);
            self.timers.set_by(Timer::Beacon(id), due);
        }
    }
}
