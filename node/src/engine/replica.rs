//! A channel as sync sees it: what is in memory, and the store behind it.

use std::collections::BTreeSet;

use kith_crdt::control::ControlLog;
use kith_crdt::crypto::sign::Signed;
use kith_crdt::envelope::Envelope;
use kith_crdt::ids::{ChannelId, DeviceId, LogId, Place, SegmentId};
use kith_crdt::sync::{BeaconTime, Replica, SegmentDigests};
use kith_crdt::time::Millis;
use kith_store::View;

use super::channel::Channel;

/// Envelopes read at a time for a page of sync.
const READ_AHEAD: usize = 4_096;

/// One channel and the store it is kept in.
pub(super) struct Served<'a> {
    pub(super) channel: &'a Channel,
    pub(super) view: &'a View<'a>,
    pub(super) now: Millis,
    /// Whether there is room for more of it.
    pub(super) has_room: bool,
}

impl Replica for Served<'_> {
    fn channel(&self) -> ChannelId {
        self.channel.id
    }

    fn control(&self) -> &ControlLog {
        &self.channel.control
    }

    fn digests(&self) -> &SegmentDigests {
        &self.channel.digests
    }

    fn link(&self, place: &Place) -> Option<[u8; 32]> {
        let stored = self.view.envelope(&self.channel.id, place)?;
        Envelope::from_stored(&stored, &self.channel.id, *place)
            .ok()
            .map(|envelope| envelope.link())
    }

    fn envelopes(&self, log: &LogId, from: u32, max_bytes: usize) -> Vec<Vec<u8>> {
        let id = &self.channel.id;
        let mut left = max_bytes;
        let mut page: Vec<Envelope> = Vec::new();
        let stored = self.view.envelopes(id, log, from, READ_AHEAD, max_bytes);
        // What lies behind something damaged follows nothing that the asker could have of us.
        for ((seq, bytes), next) in stored.into_iter().zip(from..) {
            if seq != next {
                break;
            }
            let Ok(envelope) = Envelope::from_stored(&bytes, id, log.place(seq)) else {
                break;
            };
            let cost = envelope.to_bytes().len() + 5;
            if cost > left {
                break;
            }
            left -= cost;
            page.push(envelope);
        }
        page.iter().map(Envelope::to_bytes).collect()
    }

    fn fork(&self, log: &LogId) -> Option<Vec<u8>> {
        self.channel.logs.get(log)?.fork?;
        self.view.fork(&self.channel.id, log)
    }

    fn is_over(&self, segment: &SegmentId) -> bool {
        self.channel.roster.is_over(segment, self.now)
    }

    fn has_room(&self) -> bool {
        self.has_room
    }

    fn awaited(&self) -> BTreeSet<DeviceId> {
        let written = self.channel.reaches.iter().filter_map(|(log_id, reach)| {
            let last = self.channel.logs.get(log_id)?.living().last()?;
            (reach.delivered < last).then_some((log_id, last))
        });
        let mut awaited = BTreeSet::new();
        for (log_id, last) in written {
            let devices = self.channel.others(&log_id.writer.device);
            awaited.extend(
                devices
                    .map(|(device, _)| device)
                    .filter(|device| self.channel.holds.of(device, log_id) < last),
            );
        }
        awaited
    }

    fn beacon_times(&self) -> Vec<BeaconTime> {
        self.channel
            .beacons
            .iter()
            .map(|(device, known)| BeaconTime {
                device: *device,
                hlc: known.hlc,
            })
            .collect()
    }

    fn beacon(&self, device: &DeviceId) -> Option<Signed> {
        Some(self.channel.beacons.get(device)?.signed.clone())
    }
}
