//! Changing an account's device list, on a device that manages.

use std::collections::{BTreeMap, BTreeSet};

use super::certificate::{AccountEpoch, Certificate, DeviceList, DeviceRecord};
use super::certified::Certified;
use super::secrets::{DeviceSecrets, IdentityError, check_name};
use crate::crypto::sign::{SecretKey, Signed};
use crate::ids::{AccountId, DeviceId};
use crate::limits::{DEVICES_PER_ACCOUNT, REVOKED_PER_EPOCH};

impl DeviceSecrets {
    /// The certificate with one more device, which has the management key or not, or with a new
    /// record of a device that the account has.
    ///
    /// # Errors
    /// [`IdentityError`] if this device may not, or the record does not hold.
    pub fn admit(&self, record: &Signed, manages: bool) -> Result<Certificate, IdentityError> {
        let admitted = DeviceRecord::verify(record)?;
        if admitted.account != self.account {
            return Err(IdentityError::OtherAccount);
        }
        let mut listed = self.listed()?;
        if listed.revoked.contains(&admitted.device) {
            return Err(IdentityError::Revoked);
        }
        listed.records.insert(admitted.device, record.clone());
        if manages {
            listed.managing.insert(admitted.device);
        }
        self.certify(listed)
    }

    /// The certificate with another name of the account.
    ///
    /// # Errors
    /// [`IdentityError`] if this device may not, or the name is out of bounds.
    pub fn named(&self, name: &str) -> Result<Certificate, IdentityError> {
        check_name(name)?;
        let mut listed = self.listed()?;
        name.clone_into(&mut listed.name);
        self.certify(listed)
    }

    /// The certificate with a device among those that manage.
    ///
    /// # Errors
    /// [`IdentityError`] if this device may not, or the certificate does not list that one.
    pub fn grant(&self, device: &DeviceId) -> Result<Certificate, IdentityError> {
        let mut listed = self.listed()?;
        if !listed.records.contains_key(device) {
            return Err(IdentityError::NotListed);
        }
        listed.managing.insert(*device);
        self.certify(listed)
    }

    /// Takes the management key that another device of the account hands over. Tells whether it is
    /// the one that the certificate in hand goes by.
    pub fn take_management(&mut self, key: SecretKey) -> bool {
        let is_it = self
            .certificate
            .management_key()
            .is_ok_and(|public| key.public() == public);
        if is_it {
            self.management = Some(key);
        }
        is_it
    }

    /// The certificate with one device less, for good.
    ///
    /// # Errors
    /// [`IdentityError`] if this device may not, it is this one, or the certificate does not list
    /// it.
    pub fn revoke(&self, device: &DeviceId) -> Result<Certificate, IdentityError> {
        let mut listed = self.listed()?;
        if listed.records.remove(device).is_none() {
            return Err(IdentityError::NotListed);
        }
        if *device == self.device() {
            return Err(IdentityError::Itself);
        }
        listed.managing.remove(device);
        listed.revoked.insert(*device);
        self.certify(listed)
    }

    /// Takes over what a certificate of this account says beyond the one in hand, and tells
    /// whether that changes the latter. A device that manages makes a certificate that says what
    /// both do, if neither does; any other keeps the later of those that list it.
    ///
    /// # Errors
    /// [`IdentityError::NotListed`] if this device is cut off by it; others if it does not hold or
    /// is of another account.
    pub fn adopt(&mut self, certificate: Certificate) -> Result<bool, IdentityError> {
        let theirs = certificate.verify()?;
        if theirs.account != self.account {
            return Err(IdentityError::OtherAccount);
        }
        let ours = self.certificate.verify()?;
        let together = ours.merge(&theirs);
        let is_listed = together.devices.contains_key(&self.device());
        let is_out = theirs.epoch > ours.epoch
            || together.flooded
            || together.revoked.contains(&self.device());
        // One that is only too many is none of them now, and may be again.
        if !is_listed && is_out {
            return Err(IdentityError::NotListed);
        }
        if theirs.epoch > ours.epoch {
            self.management = None;
        }
        let is_later = theirs.supersedes(&ours);
        let says_all = is_later && together.says_what(&theirs);
        if says_all && self.has_key_of(&certificate)? {
            self.certificate = certificate;
        } else if together.says_what(&ours) {
            return Ok(false);
        } else if self.management.is_some() {
            self.certificate = self.certify_together(&certificate, &together)?;
        } else if is_later && theirs.devices.contains_key(&self.device()) {
            self.certificate = certificate;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Whether this device can go on from a certificate: not if it manages with another key. Two
    /// devices that were recovered at the same time have one each.
    fn has_key_of(&self, certificate: &Certificate) -> Result<bool, IdentityError> {
        let key = certificate.management_key()?;
        let other = |own: &SecretKey| own.public() != key;
        Ok(!self.management.as_ref().is_some_and(other))
    }

    fn certify_together(
        &self,
        other: &Certificate,
        together: &Certified,
    ) -> Result<Certificate, IdentityError> {
        let mut records = BTreeMap::new();
        for record in self.certificate.records.iter().chain(&other.records) {
            let said = DeviceRecord::verify(record)?;
            if together.devices.get(&said.device) == Some(&said) {
                records.insert(said.device, record.clone());
            }
        }
        self.certify(Listed {
            version: together.version,
            name: together.name.clone(),
            records,
            revoked: together.revoked.clone(),
            managing: together.managing.clone(),
            maker: None,
        })
    }

    /// What the certificate in hand lists.
    fn listed(&self) -> Result<Listed, IdentityError> {
        let certified = self.certificate.verify()?;
        let mut records = BTreeMap::new();
        for record in &self.certificate.records {
            records.insert(DeviceRecord::verify(record)?.device, record.clone());
        }
        Ok(Listed {
            version: certified.version,
            name: certified.name,
            records,
            revoked: certified.revoked,
            managing: certified.managing,
            maker: Some(self.device()),
        })
    }

    /// Signs a list of this, with the version that follows.
    fn certify(&self, mut listed: Listed) -> Result<Certificate, IdentityError> {
        let management = self
            .management
            .as_ref()
            .ok_or(IdentityError::NoManagementKey)?;
        listed.version = listed
            .version
            .checked_add(1)
            .ok_or(IdentityError::Exhausted)?;
        // Lists of earlier versions of Kith do not say who manages.
        listed.managing.insert(self.device());
        listed.sign(self.account, &self.certificate.account_epoch, management)
    }
}

/// What a device list says, with the signed records of its devices.
pub(super) struct Listed {
    pub(super) version: u32,
    pub(super) name: String,
    pub(super) records: BTreeMap<DeviceId, Signed>,
    pub(super) revoked: BTreeSet<DeviceId>,
    pub(super) managing: BTreeSet<DeviceId>,
    pub(super) maker: Option<DeviceId>,
}

impl Listed {
    pub(super) fn sign(
        self,
        account: AccountId,
        account_epoch: &Signed,
        management: &SecretKey,
    ) -> Result<Certificate, IdentityError> {
        if self.records.len() > DEVICES_PER_ACCOUNT {
            return Err(IdentityError::TooManyDevices);
        }
        if self.revoked.len() > REVOKED_PER_EPOCH {
            return Err(IdentityError::TooManyRevoked);
        }
        let manages = |id: &DeviceId| self.records.contains_key(id);
        let list = DeviceList {
            account,
            epoch: AccountEpoch::read(account_epoch)?.n,
            version: self.version,
            name: self.name,
            devices: self.records.keys().copied().collect(),
            revoked: self.revoked.into_iter().collect(),
            managing: self.managing.into_iter().filter(manages).collect(),
            maker: self.maker,
        };
        Ok(Certificate {
            account_epoch: account_epoch.clone(),
            device_list: list.sign(management),
            records: self.records.into_values().collect(),
        })
    }
}
