//! What an account's certificates say, one of them or all together.
//!
//! Two devices that manage may change the list without knowing of each other, and certificates
//! reach a node in any order. So what is known of an account is not one of its lists but all of
//! them **merged** (`docs/protocol.md`, section 3): [`Certified::merge`] is commutative,
//! associative and idempotent, a join in the sense of Shapiro et al., "Conflict-free Replicated
//! Data Types" (2011), with the account epoch above everything else.
//!
//! 1. **The phrase is above the management key**: a higher account epoch counts instead of a lower
//!    one, whatever that says.
//! 2. **A device is revoked for good.** Whatever else lists it, it does not come back.
//! 3. Of what a list merely calls by name, the latest list counts.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::certificate::{DeviceList, DeviceRecord};
use crate::ids::{AccountId, DeviceId, TransportKey};
use crate::limits::{DEVICES_PER_ACCOUNT, DEVICES_PER_EPOCH};

/// Which of two lists of an account epoch is later: the larger version, at a tie the smaller hash.
type Rank = (u32, Reverse<[u8; 32]>);

/// What is certified of an account, every signature of it verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certified {
    /// The account.
    pub account: AccountId,
    /// The account epoch.
    pub epoch: u32,
    /// The version of the latest device list in that epoch.
    pub version: u32,
    /// The name the person goes by.
    pub name: String,
    /// The devices.
    pub devices: BTreeMap<DeviceId, DeviceRecord>,
    /// What was revoked in this account epoch.
    pub revoked: BTreeSet<DeviceId>,
    /// Those of the devices that have the management key, as far as lists say.
    pub managing: BTreeSet<DeviceId>,
    /// The device that made the latest device list to change something.
    pub maker: Option<DeviceId>,
    /// The hash of the latest device list's payload.
    pub list_hash: [u8; 32],
    /// Whether more devices than [`DEVICES_PER_EPOCH`] were listed and revoked. Then the account
    /// has none until the next account epoch, or somebody could have everybody hold any number.
    pub flooded: bool,
    /// The latest list of each device, also of those in `surplus`.
    ranks: BTreeMap<DeviceId, Rank>,
    /// Devices that would be too many.
    surplus: BTreeMap<DeviceId, DeviceRecord>,
}

/// What becomes known to be cut off: devices that are the account's no more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cut {
    /// The devices.
    pub devices: BTreeSet<DeviceId>,
    /// Whether a new account epoch does it, which cuts off every device that it does not list,
    /// known or not.
    pub raises: bool,
}

impl Certified {
    /// What one certificate says.
    pub(super) fn of(
        list: &DeviceList,
        list_hash: [u8; 32],
        devices: BTreeMap<DeviceId, DeviceRecord>,
    ) -> Self {
        let rank = (list.version, Reverse(list_hash));
        Self {
            account: list.account,
            epoch: list.epoch,
            version: list.version,
            name: list.name.clone(),
            ranks: devices.keys().map(|id| (*id, rank)).collect(),
            devices,
            revoked: list.revoked.iter().copied().collect(),
            managing: list.managing.iter().copied().collect(),
            maker: list.maker,
            list_hash,
            flooded: false,
            surplus: BTreeMap::new(),
        }
    }

    /// What this and `other`, of the same account, say together.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        let (latest, earlier) = if other.supersedes(self) {
            (other, self)
        } else {
            (self, other)
        };
        if latest.epoch > earlier.epoch {
            return latest.clone();
        }
        let revoked: BTreeSet<DeviceId> = latest.revoked.union(&earlier.revoked).copied().collect();
        let known = latest
            .ranks
            .keys()
            .chain(earlier.ranks.keys())
            .chain(&revoked);
        if latest.flooded || earlier.flooded || exceeds(known, DEVICES_PER_EPOCH) {
            return latest.without_devices();
        }
        let mut listed: BTreeMap<DeviceId, (Rank, &DeviceRecord)> = BTreeMap::new();
        for said in [earlier, latest] {
            for (id, record) in said.devices.iter().chain(&said.surplus) {
                let rank = said.ranks[id];
                let is_later = |(known, other): &(Rank, &DeviceRecord)| {
                    (*known, content(other)) < (rank, content(record))
                };
                if !revoked.contains(id) && listed.get(id).is_none_or(is_later) {
                    listed.insert(*id, (rank, record));
                }
            }
        }
        let mut by_rank: Vec<DeviceId> = listed.keys().copied().collect();
        by_rank.sort_by_key(|id| (Reverse(listed[id].0), *id));
        let (kept, too_many) = by_rank.split_at(by_rank.len().min(DEVICES_PER_ACCOUNT));
        let records = |ids: &[DeviceId]| {
            let records = ids.iter().map(|id| (*id, listed[id].1.clone()));
            records.collect::<BTreeMap<DeviceId, DeviceRecord>>()
        };
        let managing = latest.managing.union(&earlier.managing).copied();
        Self {
            managing: managing.filter(|id| !revoked.contains(id)).collect(),
            devices: records(kept),
            surplus: records(too_many),
            ranks: listed.iter().map(|(id, (rank, _))| (*id, *rank)).collect(),
            revoked,
            ..latest.clone()
        }
    }

    fn without_devices(&self) -> Self {
        Self {
            devices: BTreeMap::new(),
            revoked: BTreeSet::new(),
            managing: BTreeSet::new(),
            ranks: BTreeMap::new(),
            surplus: BTreeMap::new(),
            flooded: true,
            ..self.clone()
        }
    }

    /// Whether this says the same as `other` of the same account epoch, by whichever lists.
    pub fn says_what(&self, other: &Self) -> bool {
        self.epoch == other.epoch
            && self.name == other.name
            && self.devices == other.devices
            && self.revoked == other.revoked
            && self.managing == other.managing
    }

    /// Whether this says something that `known` does not.
    pub fn adds_to(&self, known: &Self) -> bool {
        known.merge(self) != *known
    }

    /// What `new` cuts off that was not known to be cut off; nothing if it cuts off nothing.
    pub fn cut_by(&self, new: &Self) -> Option<Cut> {
        let raises = new.epoch > self.epoch;
        let together = self.merge(new);
        let known = self.devices.keys().chain(self.surplus.keys());
        let is_gone = |id: &&DeviceId| {
            let lists = together.devices.contains_key(*id) || together.surplus.contains_key(*id);
            !lists
        };
        let gone = known.filter(is_gone);
        // One that was revoked before it was heard of is cut off as well.
        let revoked = together.revoked.difference(&self.revoked);
        let devices: BTreeSet<DeviceId> = gone.chain(revoked).copied().collect();
        (raises || !devices.is_empty()).then_some(Cut { devices, raises })
    }

    /// What this cuts off whatever else is known; nothing if it cuts off nothing.
    pub fn cuts_by_itself(&self) -> Option<Cut> {
        let raises = self.epoch > 1;
        (raises || !self.revoked.is_empty()).then(|| Cut {
            devices: self.revoked.clone(),
            raises,
        })
    }

    /// Whether the latest list of this certificate is later than that of `other`, one of the same
    /// account: of a higher account epoch, or of the same and of a larger version, or of the same
    /// and of a smaller hash. A strict order.
    pub fn supersedes(&self, other: &Self) -> bool {
        (self.epoch, self.rank()) > (other.epoch, other.rank())
    }

    const fn rank(&self) -> Rank {
        (self.version, Reverse(self.list_hash))
    }
}

/// Whether there are more different ids than so many.
fn exceeds<'a>(ids: impl Iterator<Item = &'a DeviceId>, most: usize) -> bool {
    let mut different = BTreeSet::new();
    ids.into_iter()
        .any(|id| different.insert(id) && different.len() > most)
}

/// A device may sign several records, and a list does not say which of them it means.
fn content(record: &DeviceRecord) -> (u32, &str, TransportKey) {
    (record.incarnation, &record.name, record.transport)
}

#[cfg(test)]
mod tests;
