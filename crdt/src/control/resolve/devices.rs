//! Certificates are facts (rule 7): which devices were revoked, by the op that brought what.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::Contest;
use crate::control::graph::Index;
use crate::identity::Certified;
use crate::ids::{AccountId, DeviceId};

impl Contest<'_> {
    /// Goes through each account's certificates from the oldest to the newest; each
    /// revokes the devices of the one before that it does not list.
    pub(super) fn revocations(&self) -> BTreeMap<DeviceId, Vec<Index>> {
        let mut brought: BTreeMap<AccountId, Vec<(Index, &Arc<Certified>)>> = BTreeMap::new();
        for (index, _) in self.allowed() {
            if let Ok(Some(certified)) = self.graph.op(index).credentials() {
                brought
                    .entry(certified.account)
                    .or_default()
                    .push((index, certified));
            }
        }
        let mut revoked: BTreeMap<DeviceId, Vec<Index>> = BTreeMap::new();
        for (account, mut certificates) in brought {
            // A stable sort: of equal ones the first to be brought counts.
            certificates.sort_by(|(_, a), (_, b)| older_first(a, b));
            let mut known = self
                .base
                .members
                .get(&account)
                .map(|member| &member.certified);
            for (index, certified) in certificates {
                if known.is_some_and(|known| !certified.supersedes(known)) {
                    continue;
                }
                let dropped = known.iter().flat_map(|known| known.devices.keys());
                for device in dropped.filter(|id| !certified.devices.contains_key(id)) {
                    revoked.entry(*device).or_default().push(index);
                }
                known = Some(certified);
            }
        }
        revoked
    }
}

fn older_first(a: &Certified, b: &Certified) -> Ordering {
    match (a.supersedes(b), b.supersedes(a)) {
        (true, _) => Ordering::Greater,
        (_, true) => Ordering::Less,
        _ => Ordering::Equal,
    }
}
