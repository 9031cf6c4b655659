//! This account and its devices.

use kith_api::account::{AccountInfo, DeviceInfo};
use kith_crdt::identity::DeviceRecord;

use super::Reading;
use crate::engine::OwnDevices;

impl Reading<'_> {
    /// The account of this home. None before the engine has begun.
    pub fn account(&self) -> Option<AccountInfo> {
        let own = self.shared.devices()?;
        let certified = &own.certified;
        let mut devices: Vec<DeviceInfo> = certified
            .devices
            .values()
            .map(|record| self.device_info(&own, record))
            .collect();
        devices.sort_by_key(|device| !device.this);
        Some(AccountInfo {
            account: certified.account.into(),
            name: certified.name.clone(),
            epoch: certified.epoch,
            version: certified.version,
            devices,
        })
    }

    fn device_info(&self, own: &OwnDevices, record: &DeviceRecord) -> DeviceInfo {
        let this = record.device == self.device;
        DeviceInfo {
            device: record.device.into(),
            name: record.name.clone(),
            this,
            manages: this.then_some(own.manages),
        }
    }
}
