//! Certificates: the devices of an account, as signed.
//!
//! [`Certificate`] is bytes from somewhere; [`Certified`] is what they say once every signature
//! holds. There is no way from the first to the second but [`Certificate::verify`].

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use super::certified::Certified;
use crate::crypto::hash;
use crate::crypto::sign::{SecretKey, Signed};
use crate::encoding::{self, DecodeError, check_text};
use crate::ids::{AccountId, DeviceId, TransportKey};
use crate::limits::{CERTIFICATE_PART_MAX, DEVICES_PER_ACCOUNT, NAME_MAX_CHARS, REVOKED_PER_EPOCH};

const ACCOUNT_EPOCH: &str = "account-epoch";
const DEVICE_LIST: &str = "device-list";
const DEVICE_RECORD: &str = "device-record";

/// Which management key an account goes by, signed by the recovery key. The largest `n` counts,
/// so that the phrase cuts off whoever got hold of an older management key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct AccountEpoch {
    /// The account: the recovery public key.
    #[n(0)]
    pub account: AccountId,
    /// Counts up with every new management key, from 1.
    #[n(1)]
    pub n: u32,
    /// The public half of the management key.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub management: [u8; 32],
}

impl AccountEpoch {
    /// Signs it with the recovery key.
    pub fn sign(&self, recovery: &SecretKey) -> Signed {
        Signed::new(recovery, ACCOUNT_EPOCH, &[], encoding::encode(self))
    }

    /// Reads one without checking its signature.
    ///
    /// # Errors
    /// [`CertificateError`] if it cannot be read.
    pub(super) fn read(signed: &Signed) -> Result<Self, CertificateError> {
        part(signed, "account epoch")
    }
}

/// The devices of an account, signed by the management key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct DeviceList {
    /// The account.
    #[n(0)]
    pub account: AccountId,
    /// The account epoch whose management key signs.
    #[n(1)]
    pub epoch: u32,
    /// Counts up with every list of this epoch, from 1.
    #[n(2)]
    pub version: u32,
    /// The name the person goes by.
    #[n(3)]
    pub name: String,
    /// The devices, sorted, without duplicates.
    #[n(4)]
    pub devices: Vec<DeviceId>,
    /// Devices that are the account's no more and never will be again, sorted, without duplicates.
    #[cbor(n(5), default)]
    pub revoked: Vec<DeviceId>,
    /// Those of the devices that have the management key, sorted, without duplicates.
    #[cbor(n(6), default)]
    pub managing: Vec<DeviceId>,
    /// The device that made the list to change something; none if it only says together what
    /// others do.
    #[n(7)]
    pub maker: Option<DeviceId>,
}

impl DeviceList {
    /// Signs it with the management key.
    pub fn sign(&self, management: &SecretKey) -> Signed {
        Signed::new(management, DEVICE_LIST, &[], encoding::encode(self))
    }
}

/// What a device says of itself, signed by the device.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct DeviceRecord {
    /// The device: its signing public key.
    #[n(0)]
    pub device: DeviceId,
    /// The account that it belongs to.
    #[n(1)]
    pub account: AccountId,
    /// Its libp2p Ed25519 public key.
    #[n(2)]
    pub transport: TransportKey,
    /// What the person calls it.
    #[n(3)]
    pub name: String,
    /// The incarnation with which it was certified.
    #[n(4)]
    pub incarnation: u32,
}

impl DeviceRecord {
    /// Signs it with the device's signing key.
    pub fn sign(&self, signing: &SecretKey) -> Signed {
        Signed::new(signing, DEVICE_RECORD, &[], encoding::encode(self))
    }

    /// Reads and checks what a device says of itself. That it belongs to the account it names is
    /// not said by that, only by the account's device list.
    ///
    /// # Errors
    /// [`CertificateError`] if the bytes, the bounds or the device's own signature do not hold.
    pub fn verify(signed: &Signed) -> Result<Self, CertificateError> {
        let record: Self = part(signed, "device record")?;
        check_text(&record.name, NAME_MAX_CHARS, "device name").map_err(CertificateError::Part)?;
        holds(signed, record.device.as_bytes(), DEVICE_RECORD)?;
        Ok(record)
    }
}

/// The devices of an account as somebody hands them on: not believed until verified.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Certificate {
    /// The signed [`AccountEpoch`].
    #[n(0)]
    pub account_epoch: Signed,
    /// The signed [`DeviceList`].
    #[n(1)]
    pub device_list: Signed,
    /// A signed [`DeviceRecord`] for each device of the list.
    #[n(2)]
    pub records: Vec<Signed>,
}

impl Certificate {
    /// The public half of the management key that the account epoch names, which is not checked.
    ///
    /// # Errors
    /// [`CertificateError`] if it cannot be read.
    pub fn management_key(&self) -> Result<[u8; 32], CertificateError> {
        Ok(AccountEpoch::read(&self.account_epoch)?.management)
    }

    /// Checks every signature and that the parts belong together.
    ///
    /// # Errors
    /// [`CertificateError`] names the first part that does not hold.
    pub fn verify(&self) -> Result<Certified, CertificateError> {
        if self.records.len() > DEVICES_PER_ACCOUNT {
            return Err(CertificateError::TooManyDevices(self.records.len()));
        }
        let epoch = AccountEpoch::read(&self.account_epoch)?;
        let list: DeviceList = part(&self.device_list, "device list")?;
        check_list(&list)?;
        if list.account != epoch.account || list.epoch != epoch.n {
            return Err(CertificateError::Mismatch);
        }
        holds(&self.account_epoch, epoch.account.as_bytes(), ACCOUNT_EPOCH)?;
        holds(&self.device_list, &epoch.management, DEVICE_LIST)?;

        let mut devices = BTreeMap::new();
        for signed in &self.records {
            let record = DeviceRecord::verify(signed)?;
            if record.account != epoch.account {
                return Err(CertificateError::Mismatch);
            }
            devices.insert(record.device, record);
        }
        let one_each = devices.len() == self.records.len() && devices.keys().eq(&list.devices);
        if !one_each {
            return Err(CertificateError::Mismatch);
        }
        let list_hash = hash::derive("device-list-payload", &[&self.device_list.payload]);
        Ok(Certified::of(&list, list_hash, devices))
    }
}

/// Why a certificate is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// A part is not what it should be.
    #[error("certificate: {0}")]
    Part(DecodeError),
    /// A signature does not hold.
    #[error("certificate: the signature of the {0} does not hold")]
    BadSignature(&'static str),
    /// The parts are of different accounts, epochs or devices.
    #[error("certificate: its parts do not belong together")]
    Mismatch,
    /// More devices than an account may have.
    #[error("certificate: {0} devices, where at most {DEVICES_PER_ACCOUNT} are allowed")]
    TooManyDevices(usize),
    /// More devices than may be revoked in one account epoch.
    #[error("certificate: {0} devices revoked, where at most {REVOKED_PER_EPOCH} are allowed")]
    TooManyRevoked(usize),
}

fn holds(signed: &Signed, key: &[u8; 32], what: &'static str) -> Result<(), CertificateError> {
    signed
        .verify(key, what, &[])
        .map_err(|_| CertificateError::BadSignature(what))
}

fn part<'b, T: Decode<'b, ()>>(
    signed: &'b Signed,
    what: &'static str,
) -> Result<T, CertificateError> {
    encoding::decode(&signed.payload, CERTIFICATE_PART_MAX).map_err(|error| match error {
        DecodeError::Malformed(reason) => {
            CertificateError::Part(DecodeError::Malformed(format!("{what}: {reason}")))
        }
        other => CertificateError::Part(other),
    })
}

fn check_list(list: &DeviceList) -> Result<(), CertificateError> {
    check_text(&list.name, NAME_MAX_CHARS, "account name").map_err(CertificateError::Part)?;
    if list.devices.len() > DEVICES_PER_ACCOUNT {
        return Err(CertificateError::TooManyDevices(list.devices.len()));
    }
    if list.revoked.len() > REVOKED_PER_EPOCH {
        return Err(CertificateError::TooManyRevoked(list.revoked.len()));
    }
    let out_of_range = |what| CertificateError::Part(DecodeError::OutOfRange(what));
    let lists = [&list.devices, &list.revoked, &list.managing];
    if !lists.iter().all(|ids| ids.is_sorted_by(|a, b| a < b)) {
        return Err(out_of_range("devices: sorted, each once"));
    }
    let is_listed = |id: &DeviceId| list.devices.binary_search(id).is_ok();
    if list.revoked.iter().any(is_listed) || !list.managing.iter().all(is_listed) {
        return Err(out_of_range(
            "devices: none revoked, and those that manage among them",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
