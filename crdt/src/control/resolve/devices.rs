//! Certificates are facts (rule 7): which devices were cut off, by the ops that brought what.

use std::collections::{BTreeMap, BTreeSet};

use super::Contest;
use crate::control::graph::Index;
use crate::ids::{AccountId, DeviceId};

/// The ops of a stage that cut off devices.
#[derive(Default)]
pub(super) struct Revocations {
    /// All of them.
    pub(super) ops: Vec<Index>,
    /// Those by which a device was known to be cut off.
    known: BTreeMap<DeviceId, Vec<Index>>,
    /// Those that brought a new account epoch, and which.
    raised: BTreeMap<AccountId, Vec<(u32, Index)>>,
    /// Of accounts with such, the highest account epoch in which a device is listed.
    listed: BTreeMap<DeviceId, u32>,
}

impl Revocations {
    /// The ops that cut off a device of an account.
    pub(super) fn of<'a>(
        &'a self,
        account: &AccountId,
        device: &DeviceId,
    ) -> impl Iterator<Item = Index> + 'a {
        let listed = self.listed.get(device).copied().unwrap_or(0);
        let raised = self.raised.get(account).into_iter().flatten();
        let raised = raised.filter(move |(epoch, _)| *epoch > listed);
        let known = self.known.get(device).into_iter().flatten();
        known.copied().chain(raised.map(|(_, index)| *index))
    }
}

impl Contest<'_> {
    /// Finds what cuts off which devices. A new account epoch also cuts off those that its author
    /// had not heard of.
    pub(super) fn revocations(&self) -> Revocations {
        let mut found = Revocations::default();
        let mut raising: BTreeSet<AccountId> = BTreeSet::new();
        for (index, grounds) in self.allowed() {
            let Some(cut) = &grounds.cut else { continue };
            found.ops.push(index);
            for device in &cut.devices {
                found.known.entry(*device).or_default().push(index);
            }
            if let Ok(Some(certified)) = self.graph.op(index).credentials()
                && cut.raises
            {
                raising.insert(certified.account);
                let raised = found.raised.entry(certified.account).or_default();
                raised.push((certified.epoch, index));
            }
        }
        if raising.is_empty() {
            return found;
        }
        for (id, device) in &self.base.devices {
            if raising.contains(&device.account) {
                found.listed.insert(*id, device.epoch);
            }
        }
        for (index, _) in self.allowed() {
            if let Ok(Some(certified)) = self.graph.op(index).credentials()
                && raising.contains(&certified.account)
            {
                for device in certified.devices.keys() {
                    let listed = found.listed.entry(*device).or_default();
                    *listed = certified.epoch.max(*listed);
                }
            }
        }
        found
    }
}
