//! What a device keeps in its vault, and how accounts and devices come to be.
//!
//! The recovery key is made here, signs one account epoch and is gone again: no device keeps it.

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use rand_core::CryptoRng;

use super::certificate::{
    AccountEpoch, Certificate, CertificateError, Certified, DeviceList, DeviceRecord,
};
use crate::crypto::phrase::Phrase;
use crate::crypto::secret::Secret;
use crate::crypto::sign::{SecretKey, Signed};
use crate::encoding::{DecodeError, check_text};
use crate::ids::{AccountId, DeviceId, TransportKey, Writer};
use crate::limits::{DEVICES_PER_ACCOUNT, NAME_MAX_CHARS};

/// Why an account or a device cannot be made or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// A name is too long or has control characters in it.
    #[error("a name has at most {NAME_MAX_CHARS} characters and no line breaks")]
    Name,
    /// This device has no management key.
    #[error("this device may not manage the account's devices: use one that may")]
    NoManagementKey,
    /// The account has as many devices as it may have.
    #[error("an account has at most {DEVICES_PER_ACCOUNT} devices: remove one first")]
    TooManyDevices,
    /// The record or certificate is of another account.
    #[error("this belongs to another account")]
    OtherAccount,
    /// The certificate does not list this device.
    #[error("the certificate does not list this device")]
    NotListed,
    /// The numbering of certificates has come to its end.
    #[error("no further certificate can be numbered: recover the account with its phrase")]
    Exhausted,
    /// A certificate or record does not hold.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// Everything secret that a device has, and the certificate that says whose it is.
#[derive(Debug, Clone)]
pub struct DeviceSecrets {
    /// The account.
    pub account: AccountId,
    /// Signs whatever the device writes; its public half is the device id.
    pub signing: SecretKey,
    /// The seed of the libp2p Ed25519 key.
    pub transport: Secret,
    /// The account's management key, on devices that may manage.
    pub management: Option<SecretKey>,
    /// The account's newest certificate known here.
    pub certificate: Certificate,
    /// Which life of the device this is: a restored or copied home takes the next.
    pub incarnation: u32,
}

impl DeviceSecrets {
    /// The device id.
    pub fn device(&self) -> DeviceId {
        DeviceId(self.signing.public())
    }

    /// The writer that this device's envelopes are by.
    pub fn writer(&self) -> Writer {
        Writer {
            device: self.device(),
            incarnation: self.incarnation,
        }
    }

    /// The public half of the transport key.
    pub fn transport_key(&self) -> TransportKey {
        TransportKey(SecretKey::from_seed(&self.transport).public())
    }

    /// The certificate with one more device, or with a new record of a device it has.
    ///
    /// # Errors
    /// [`IdentityError`] if this device may not, or the record does not hold.
    pub fn admit(&self, record: &Signed) -> Result<Certificate, IdentityError> {
        let admitted = DeviceRecord::verify(record)?;
        if admitted.account != self.account {
            return Err(IdentityError::OtherAccount);
        }
        let mut records = self.records_without(&admitted.device)?;
        records.push(record.clone());
        self.certify(records)
    }

    /// The certificate without one device.
    ///
    /// # Errors
    /// [`IdentityError`] if this device may not, or the certificate does not list that one.
    pub fn dismiss(&self, device: &DeviceId) -> Result<Certificate, IdentityError> {
        let records = self.records_without(device)?;
        if records.len() == self.certificate.records.len() {
            return Err(IdentityError::NotListed);
        }
        self.certify(records)
    }

    /// Takes over a certificate of this account if it counts instead of the one in hand; says
    /// whether it does.
    ///
    /// # Errors
    /// [`IdentityError`] if it does not hold or is of another account.
    pub fn adopt(&mut self, certificate: Certificate) -> Result<bool, IdentityError> {
        let certified = certificate.verify()?;
        if certified.account != self.account {
            return Err(IdentityError::OtherAccount);
        }
        let newer = certified.supersedes(&self.certificate.verify()?);
        if newer {
            self.certificate = certificate;
        }
        Ok(newer)
    }

    fn records_without(&self, device: &DeviceId) -> Result<Vec<Signed>, IdentityError> {
        let mut records = Vec::new();
        for record in &self.certificate.records {
            if DeviceRecord::verify(record)?.device != *device {
                records.push(record.clone());
            }
        }
        Ok(records)
    }

    fn certify(&self, records: Vec<Signed>) -> Result<Certificate, IdentityError> {
        let management = self
            .management
            .as_ref()
            .ok_or(IdentityError::NoManagementKey)?;
        let current = self.certificate.verify()?;
        let version = current
            .version
            .checked_add(1)
            .ok_or(IdentityError::Exhausted)?;
        let numbers = (self.account, current.epoch, version);
        issue(
            &self.certificate.account_epoch,
            management,
            numbers,
            &current.name,
            records,
        )
    }
}

/// A device on its way into an account: it has keys, but nobody has certified it yet.
#[derive(Debug, Clone)]
pub struct NewDevice {
    /// What the device says of itself, to be handed to a device that may manage.
    pub record: Signed,
    account: AccountId,
    signing: SecretKey,
    transport: Secret,
}

impl NewDevice {
    /// Draws the keys of a new device of `account`.
    ///
    /// # Errors
    /// [`IdentityError::Name`] if the name is out of bounds.
    pub fn generate(
        account: AccountId,
        name: &str,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, IdentityError> {
        check_name(name)?;
        let signing = SecretKey::random(rng);
        let transport = Secret::random(rng);
        let record = DeviceRecord {
            device: DeviceId(signing.public()),
            account,
            transport: TransportKey(SecretKey::from_seed(&transport).public()),
            name: name.to_owned(),
            incarnation: 0,
        };
        Ok(Self {
            record: record.sign(&signing),
            account,
            signing,
            transport,
        })
    }

    /// The seed of the libp2p Ed25519 key, for the connection by which it is certified.
    pub const fn transport(&self) -> &Secret {
        &self.transport
    }

    /// The public half of the transport key.
    pub fn transport_key(&self) -> TransportKey {
        TransportKey(SecretKey::from_seed(&self.transport).public())
    }

    /// Makes the device's secrets complete with the certificate that lists it.
    ///
    /// # Errors
    /// [`IdentityError`] if the certificate does not hold or does not list this device.
    pub fn certified(
        self,
        certificate: Certificate,
        management: Option<SecretKey>,
    ) -> Result<DeviceSecrets, IdentityError> {
        let certified = certificate.verify()?;
        if certified.account != self.account {
            return Err(IdentityError::OtherAccount);
        }
        let manages = certificate.management_key()?;
        if management
            .as_ref()
            .is_some_and(|key| key.public() != manages)
        {
            return Err(IdentityError::OtherAccount);
        }
        if !certified
            .devices
            .contains_key(&DeviceId(self.signing.public()))
        {
            return Err(IdentityError::NotListed);
        }
        Ok(DeviceSecrets {
            account: self.account,
            signing: self.signing,
            transport: self.transport,
            management,
            certificate,
            incarnation: 0,
        })
    }
}

/// Creates the account of a phrase with its first device, which may manage.
///
/// # Errors
/// [`IdentityError::Name`] if a name is out of bounds.
pub fn create_account(
    phrase: &Phrase,
    name: &str,
    device_name: &str,
    rng: &mut impl CryptoRng,
) -> Result<DeviceSecrets, IdentityError> {
    take_account(phrase, 1, name, device_name, rng)
}

/// Takes an account back with its phrase: a new management key and this device alone, which
/// supersedes `last`, the newest certificate known.
///
/// # Errors
/// [`IdentityError`] if `last` is of another account or a name is out of bounds.
pub fn recover_account(
    phrase: &Phrase,
    last: &Certified,
    device_name: &str,
    rng: &mut impl CryptoRng,
) -> Result<DeviceSecrets, IdentityError> {
    if last.account != AccountId(phrase.recovery_key().public()) {
        return Err(IdentityError::OtherAccount);
    }
    let n = last.epoch.checked_add(1).ok_or(IdentityError::Exhausted)?;
    take_account(phrase, n, &last.name, device_name, rng)
}

fn take_account(
    phrase: &Phrase,
    n: u32,
    name: &str,
    device_name: &str,
    rng: &mut impl CryptoRng,
) -> Result<DeviceSecrets, IdentityError> {
    check_name(name)?;
    let recovery = phrase.recovery_key();
    let account = AccountId(recovery.public());
    let management = SecretKey::random(rng);
    let device = NewDevice::generate(account, device_name, rng)?;
    let account_epoch = AccountEpoch {
        account,
        n,
        management: management.public(),
    }
    .sign(&recovery);
    let certificate = issue(
        &account_epoch,
        &management,
        (account, n, 1),
        name,
        vec![device.record.clone()],
    )?;
    device.certified(certificate, Some(management))
}

/// Signs a list of the devices whose records these are.
fn issue(
    account_epoch: &Signed,
    management: &SecretKey,
    (account, epoch, version): (AccountId, u32, u32),
    name: &str,
    records: Vec<Signed>,
) -> Result<Certificate, IdentityError> {
    if records.len() > DEVICES_PER_ACCOUNT {
        return Err(IdentityError::TooManyDevices);
    }
    let mut by_device = std::collections::BTreeMap::new();
    for record in records {
        by_device.insert(DeviceRecord::verify(&record)?.device, record);
    }
    let list = DeviceList {
        account,
        epoch,
        version,
        name: name.to_owned(),
        devices: by_device.keys().copied().collect(),
    };
    Ok(Certificate {
        account_epoch: account_epoch.clone(),
        device_list: list.sign(management),
        records: by_device.into_values().collect(),
    })
}

fn check_name(name: &str) -> Result<(), IdentityError> {
    check_text(name, NAME_MAX_CHARS, "name").map_err(|_: DecodeError| IdentityError::Name)
}

/// The secrets as the vault keeps them; `docs/storage.md` section 1.
#[derive(Encode, Decode)]
#[cbor(array)]
struct Kept {
    #[n(0)]
    version: u8,
    #[n(1)]
    account: AccountId,
    #[n(2)]
    signing: Secret,
    #[n(3)]
    transport: Secret,
    #[n(4)]
    management: Option<Secret>,
    #[n(5)]
    certificate: Certificate,
    #[n(6)]
    incarnation: u32,
}

const KEPT_VERSION: u8 = 1;

impl<C> Encode<C> for DeviceSecrets {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        Kept {
            version: KEPT_VERSION,
            account: self.account,
            signing: self.signing.seed(),
            transport: self.transport.clone(),
            management: self.management.as_ref().map(SecretKey::seed),
            certificate: self.certificate.clone(),
            incarnation: self.incarnation,
        }
        .encode(e, ctx)
    }
}

impl<'b, C> Decode<'b, C> for DeviceSecrets {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, decode::Error> {
        let kept = Kept::decode(d, ctx)?;
        if kept.version != KEPT_VERSION {
            return Err(decode::Error::message(
                "device secrets of another version of Kith",
            ));
        }
        Ok(Self {
            account: kept.account,
            signing: SecretKey::from_seed(&kept.signing),
            transport: kept.transport,
            management: kept.management.as_ref().map(SecretKey::from_seed),
            certificate: kept.certificate,
            incarnation: kept.incarnation,
        })
    }
}

#[cfg(test)]
mod tests;
