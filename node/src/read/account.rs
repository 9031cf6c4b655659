//! This account and its devices.

use std::collections::BTreeSet;

use kith_api::ApiError;
use kith_api::account::{AccountInfo, DeviceInfo};
use kith_crdt::identity::{DeviceRecord, SafetyNumber};
use kith_crdt::ids::DeviceId;

use super::Reading;
use crate::engine::OwnDevices;

/// Characters of an id that mean a device, at least: what is done to one is not undone.
const PREFIX_MIN: usize = 4;

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
            safety_number: SafetyNumber::of(&certified.account).to_string(),
            epoch: certified.epoch,
            version: certified.version,
            devices,
            revoked: self.revoked_devices(&certified.revoked),
            revoked_at: own.revoked_at.map(Into::into),
        })
    }

    /// Devices that are none any more, by the names that a channel knows.
    fn revoked_devices(&self, revoked: &BTreeSet<DeviceId>) -> Vec<DeviceInfo> {
        let channels = self.shared.all_channels();
        let name_of = |device: &DeviceId| {
            let known = channels.iter().find_map(|it| it.roster.devices.get(device));
            known.map(|known| known.name.clone()).unwrap_or_default()
        };
        let info = |device: &DeviceId| DeviceInfo {
            device: (*device).into(),
            name: name_of(device),
            this: *device == self.device,
            revoked: true,
            manages: None,
        };
        revoked.iter().map(info).collect()
    }

    /// The device of this account that its id, a prefix of it, or its name means.
    ///
    /// # Errors
    /// [`ApiError`]: not found, or ambiguous with the candidates.
    pub fn find_device(&self, reference: &str) -> Result<DeviceInfo, ApiError> {
        let (mut devices, revoked) = self
            .account()
            .map_or_else(Default::default, |it| (it.devices, it.revoked));
        let prefix = reference.to_ascii_lowercase();
        let has_name = |device: &DeviceInfo| device.name == reference;
        let has_id = |device: &DeviceInfo| {
            prefix.len() >= PREFIX_MIN && device.device.to_string().starts_with(&prefix)
        };
        let is_meant = |device: &DeviceInfo| has_name(device) || has_id(device);
        devices.retain(is_meant);
        let is_revoked = revoked.iter().any(is_meant);
        match devices.as_slice() {
            [] if is_revoked => Err(ApiError::not_found(format_args!(
                "device {reference:?} was revoked, for good"
            ))),
            [] => Err(ApiError::not_found(format_args!(
                "this account has no device {reference:?}: `kith device list` shows those there are"
            ))),
            [device] => Ok(device.clone()),
            several => Err(ApiError::ambiguous(
                reference,
                several
                    .iter()
                    .map(|device| format!("{} ({})", device.device, device.name)),
            )),
        }
    }

    fn device_info(&self, own: &OwnDevices, record: &DeviceRecord) -> DeviceInfo {
        let this = record.device == self.device;
        // Lists of earlier versions do not say who manages.
        let manages = if this {
            Some(own.manages)
        } else {
            let managing = &own.certified.managing;
            (!managing.is_empty()).then(|| managing.contains(&record.device))
        };
        DeviceInfo {
            device: record.device.into(),
            name: record.name.clone(),
            this,
            revoked: false,
            manages,
        }
    }
}
