//! Linking a device: how a new device of an account comes to be certified by one that may manage.
//!
//! The device that may manage shows a link, and the new one connects by it. A link may have been
//! copied or replaced on its way, so before anything is handed over the two make a short
//! authentication string of what each has seen of the other, and the person compares it:
//!
//! ```text
//! new → old   Ask     commitment to a nonce, the own record, proof of holding the link
//! old → new   nonce
//! new → old   Open    the nonce committed to
//!             both derive the code of: account, link, both transport keys, record, both nonces;
//!             the person says on the new device that both show the same pictures, and types the
//!             digits that it shows then at the old one
//! new → old   Open    again and again, until that is done: then the certificate
//! ```
//!
//! Whoever stands between them has two transcripts, and in each one nonce that is chosen after
//! theirs was fixed: their codes are equal once in a million times, and a link is good for
//! [`crate::limits::DEVICE_LINK_TRIES`] tries. (The construction is that of Vaudenay, "Secure
//! Communications over Insecure Channels Based on Short Authenticated Strings", CRYPTO 2005.)
//!
//! Nothing here reads a clock or keeps count; whoever shows the link does.

mod code;

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use crate::crypto::hash;
use crate::crypto::secret::Secret;
use crate::crypto::sign::{self, BadSignature, SIGNATURE_LEN, SecretKey, Signed};
use crate::encoding::{self, DecodeError, check_text};
use crate::identity::Certificate;
use crate::ids::{AccountId, TransportKey, base32};
use crate::limits::NAME_MAX_CHARS;
use crate::link::{self, Coded, Flaw, check_addresses};
use crate::time::Millis;

pub use code::Code;

const SCHEME: &str = "kith-device:";
const CODED: Coded = Coded {
    scheme: SCHEME,
    version: 1,
    check: "device-link-check",
};

/// Why a text is not a link for a device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceLinkError {
    /// It does not begin like one.
    #[error("this is not a link for a device: one begins with `{SCHEME}`")]
    NotALink,
    /// It is an invite into a channel.
    #[error("this is an invite into a channel: use `kith join` on a device that has an account")]
    AnInvite,
    /// Its end is missing.
    #[error("the link is cut short, or was altered on the way: copy all of it, exactly")]
    CutShort,
    /// A character of it is not what it was.
    #[error("the link was altered on its way: copy it again, or make a new one")]
    Altered,
    /// It is of a version that this program does not know.
    #[error("the link is of a newer version of Kith ({0}): update, then use it")]
    Newer(u8),
    /// It is whole, but what it says is out of bounds.
    #[error("the link cannot be right ({0}): make a new one")]
    OutOfBounds(DecodeError),
}

/// What a device that may manage shows to a new one. It works once, and only with the code.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct DeviceLink {
    /// The account that the new device is to belong to.
    #[n(0)]
    pub account: AccountId,
    /// The name by which others see that account.
    #[n(1)]
    pub name: String,
    /// Shows that whoever connects has seen the link.
    #[n(2)]
    pub secret: Secret,
    /// When it expires.
    #[n(3)]
    pub expires_at: Millis,
    /// The device that shows it.
    #[n(4)]
    pub host: TransportKey,
    /// Where that can be reached.
    #[n(5)]
    pub addresses: Vec<String>,
}

impl DeviceLink {
    fn key(&self) -> SecretKey {
        SecretKey::from_seed(&self.secret)
    }

    /// Tells links apart, and tells nothing of them.
    pub fn id(&self) -> String {
        let hash = hash::derive("device-link-id", &[&self.key().public()]);
        base32(&hash[..10])
    }

    /// The code of an exchange, as one side has seen it. `device` is the new device's transport
    /// key, `theirs` the nonce of the device that shows the link, `ours` that of the new one.
    pub fn code(
        &self,
        (host, device): (&TransportKey, &TransportKey),
        record: &Signed,
        (theirs, ours): (&[u8; 32], &[u8; 32]),
    ) -> Code {
        let transcript = hash::derive(
            "device-link-code",
            &[
                self.account.as_bytes(),
                &self.key().public(),
                host.as_bytes(),
                device.as_bytes(),
                &hash_of(record),
                theirs,
                ours,
            ],
        );
        Code::of(&transcript)
    }

    fn check(&self) -> Result<(), DecodeError> {
        check_text(&self.name, NAME_MAX_CHARS, "name")?;
        check_addresses(&self.addresses)
    }
}

/// What a new device asks with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Fixes the nonce that is shown once the other side's is known.
    pub commitment: [u8; 32],
    /// What the device says of itself.
    pub record: Signed,
    /// By the link's key, over both transport keys, commitment and record.
    pub signature: [u8; SIGNATURE_LEN],
}

impl Ask {
    /// Asks `host` by a link, from a device with this transport key. Returns the nonce that is to
    /// be shown afterwards.
    pub fn new(
        link: &DeviceLink,
        (host, device): (&TransportKey, &TransportKey),
        record: Signed,
        rng: &mut impl CryptoRng,
    ) -> (Self, [u8; 32]) {
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        let commitment = commit(&nonce, device);
        let payload = payload((host, device), &commitment, &record);
        let signature = link.key().sign("link", link.account.as_bytes(), &payload);
        let ask = Self {
            commitment,
            record,
            signature,
        };
        (ask, nonce)
    }

    /// Checks that whoever asks, from a device with this transport key, holds the link.
    ///
    /// # Errors
    /// [`BadSignature`] if they do not, or asked somebody else.
    pub fn verify(
        &self,
        link: &DeviceLink,
        (host, device): (&TransportKey, &TransportKey),
    ) -> Result<(), BadSignature> {
        sign::verify(
            &link.key().public(),
            "link",
            link.account.as_bytes(),
            &payload((host, device), &self.commitment, &self.record),
            &self.signature,
        )
    }

    /// Whether this is the nonce that a device with this transport key committed to.
    pub fn is_opened_by(&self, nonce: &[u8; 32], device: &TransportKey) -> bool {
        commit(nonce, device) == self.commitment
    }
}

/// What a linked device is handed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Linked {
    /// The account's certificate, which lists the new device.
    #[n(0)]
    pub certificate: Certificate,
    /// The account's management key, for a device that is to manage as well.
    #[n(1)]
    pub management: Option<Secret>,
}

fn commit(nonce: &[u8; 32], device: &TransportKey) -> [u8; 32] {
    hash::derive("device-link-commitment", &[nonce, device.as_bytes()])
}

fn hash_of(record: &Signed) -> [u8; 32] {
    hash::derive("device-link-record", &[&encoding::encode(record)])
}

fn payload(
    (host, device): (&TransportKey, &TransportKey),
    commitment: &[u8; 32],
    record: &Signed,
) -> Vec<u8> {
    let (host, device) = (host.as_bytes().as_slice(), device.as_bytes().as_slice());
    [device, host, commitment, &hash_of(record)].concat()
}

impl fmt::Display for DeviceLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&CODED.write(self))
    }
}

impl FromStr for DeviceLink {
    type Err = DeviceLinkError;

    fn from_str(text: &str) -> Result<Self, DeviceLinkError> {
        let link: Self = CODED.read(text).map_err(|flaw| match flaw {
            Flaw::OtherScheme if link::begins(text) => DeviceLinkError::AnInvite,
            Flaw::OtherScheme => DeviceLinkError::NotALink,
            Flaw::CutShort => DeviceLinkError::CutShort,
            Flaw::Altered => DeviceLinkError::Altered,
            Flaw::Newer(version) => DeviceLinkError::Newer(version),
            Flaw::OutOfBounds(error) => DeviceLinkError::OutOfBounds(error),
        })?;
        link.check().map_err(DeviceLinkError::OutOfBounds)?;
        Ok(link)
    }
}

/// Whether a text begins like a link for a device.
pub(crate) fn begins(text: &str) -> bool {
    CODED.begins(text)
}

#[cfg(test)]
mod tests;
