//! What sync needs to see of one channel as a node holds it.
//!
//! Reading only: what a session receives is applied by its host, through the same doors as
//! everything else. A node implements it over its store, the tests in memory.

use std::collections::BTreeSet;

use super::digest::{Digest, SegmentDigests};
use super::message::BeaconTime;
use crate::control::ControlLog;
use crate::crypto::sign::Signed;
use crate::ids::{ChannelId, DeviceId, LogId, Place, SegmentId};

/// One channel as it is held here.
pub trait Replica {
    /// Which channel.
    fn channel(&self) -> ChannelId;

    /// Its control log.
    fn control(&self) -> &ControlLog;

    /// Where each of its logs ends.
    fn digests(&self) -> &SegmentDigests;

    /// The link of the envelope at a place within a log held here.
    fn link(&self, place: &Place) -> Option<[u8; 32]>;

    /// Envelopes of a log as received, from a number on: as many as fit `max_bytes`, each counted
    /// with 5 bytes more than it has. Empty if there is none or the first does not fit.
    fn envelopes(&self, log: &LogId, from: u32, max_bytes: usize) -> Vec<Vec<u8>>;

    /// The proof that a log forks, with the smallest number known.
    fn fork(&self, log: &LogId) -> Option<Vec<u8>>;

    /// The newest beacon held of each device, by time.
    fn beacon_times(&self) -> Vec<BeaconTime>;

    /// The newest beacon of a device as received.
    fn beacon(&self, device: &DeviceId) -> Option<Signed>;

    /// The devices that are not known to hold all that was written here, so that word of them is
    /// worth asking for even of a peer who holds the same.
    fn awaited(&self) -> BTreeSet<DeviceId> {
        BTreeSet::new()
    }

    /// Whether nothing of a segment is kept any more, so that nothing of it is asked for.
    fn is_over(&self, _segment: &SegmentId) -> bool {
        false
    }

    /// Whether there is room here for further envelopes. Without it none are asked for.
    fn has_room(&self) -> bool {
        true
    }

    /// The digest of the whole channel.
    fn digest(&self) -> Digest {
        self.digests()
            .channel(&self.channel(), &self.control().heads())
    }
}
