//! What a device keeps in its vault, and how accounts and devices come to be.
//!
//! The recovery key is made here, signs one account epoch and is gone again: no device keeps it.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use rand_core::CryptoRng;

use super::certificate::{AccountEpoch, Certificate, CertificateError, DeviceRecord};
use super::listing::Listed;
use crate::crypto::phrase::Phrase;
use crate::crypto::secret::Secret;
use crate::crypto::sign::{SecretKey, Signed};
use crate::encoding::{DecodeError, check_text};
use crate::ids::{AccountId, DeviceId, TransportKey, Writer};
use crate::limits::{DEVICES_PER_ACCOUNT, NAME_MAX_CHARS, REVOKED_PER_EPOCH};
use crate::time::Millis;

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
    /// The device was revoked, which is for good.
    #[error("this device was revoked: it can only come back as a new one")]
    Revoked,
    /// A device would revoke itself.
    #[error("a device cannot revoke itself: do it on another one that manages the account")]
    Itself,
    /// As many devices were revoked as can be.
    #[error(
        "at most {REVOKED_PER_EPOCH} devices can be revoked: recover the account with its phrase"
    )]
    TooManyRevoked,
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

    /// The device id.
    pub fn device(&self) -> DeviceId {
        DeviceId(self.signing.public())
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
        if !certified.devices.contains_key(&self.device()) {
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

/// Takes an account back with its phrase: a new management key and this device alone, in the
/// account epoch `n`, which has to be higher than any before it; [`recovery_epoch`] is.
///
/// # Errors
/// [`IdentityError::Name`] if a name is out of bounds.
pub fn recover_account(
    phrase: &Phrase,
    n: u32,
    (name, device_name): (&str, &str),
    rng: &mut impl CryptoRng,
) -> Result<DeviceSecrets, IdentityError> {
    take_account(phrase, n, name, device_name, rng)
}

/// The account epoch of a recovery at a time, by somebody who does not know the ones before it: the
/// seconds since 1970. The first is 1, and two recoveries lie seconds apart.
pub fn recovery_epoch(now: Millis) -> u32 {
    u32::try_from(now.0 / 1_000).unwrap_or(u32::MAX).max(2)
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
    let own = device.device();
    let listed = Listed {
        version: 1,
        name: name.to_owned(),
        records: BTreeMap::from([(own, device.record.clone())]),
        revoked: BTreeSet::new(),
        managing: BTreeSet::from([own]),
        maker: Some(own),
    };
    let certificate = listed.sign(account, &account_epoch, &management)?;
    device.certified(certificate, Some(management))
}

pub(super) fn check_name(name: &str) -> Result<(), IdentityError> {
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
