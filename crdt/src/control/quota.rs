//! How many ops a device has in a log, and among the ancestors of an op.
//!
//! It is counted by the device that signed, and not by the account that an op says it is of: that
//! anybody may write, and whoever found a lost device must not use up what its owner needs to
//! revoke it.
//!
//! A bound that depended on what arrived first would part nodes for ever: one would have ops that
//! others refuse, and build on them. So it is held in two ways.
//!
//! 1. An op is refused if so many of its device's ops are among its **ancestors**. That is the
//!    same on every node, whatever else it has.
//! 2. Ops that a device writes concurrently with each other are not bounded by that. Of those a
//!    node takes no more than so many **unless another member's op builds on them**. Here nodes
//!    may differ, in ops that nobody honest has built on; what one has, the others take.

use std::collections::BTreeMap;

use crate::ids::DeviceId;

/// For each device where its ops are: the places in each chain, ascending.
#[derive(Debug, Clone, Default)]
pub(super) struct Quotas(BTreeMap<DeviceId, Written>);

#[derive(Debug, Clone, Default)]
struct Written {
    count: usize,
    places: BTreeMap<u32, Vec<u32>>,
}

impl Quotas {
    /// How many ops of a device the log has.
    pub(super) fn count(&self, device: &DeviceId) -> usize {
        self.0.get(device).map_or(0, |written| written.count)
    }

    /// How many of them are at or below these places of these chains.
    pub(super) fn count_below(&self, device: &DeviceId, reached: &BTreeMap<u32, u32>) -> usize {
        let Some(written) = self.0.get(device) else {
            return 0;
        };
        let below = |(chain, places): (&u32, &Vec<u32>)| match reached.get(chain) {
            Some(last) => places.partition_point(|place| place <= last),
            None => 0,
        };
        written.places.iter().map(below).sum()
    }

    /// Takes note of an op at the end of a chain.
    pub(super) fn add(&mut self, device: DeviceId, (chain, place): (u32, u32)) {
        let written = self.0.entry(device).or_default();
        written.count += 1;
        written.places.entry(chain).or_default().push(place);
    }
}
