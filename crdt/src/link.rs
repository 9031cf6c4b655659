//! Invite links: what somebody pastes to somebody else, and what its secret half proves.
//!
//! A link is as good as the invite it names: whether that is still open is the control log's to
//! say ([`crate::control::Roster::invite_standing`]).

mod coded;

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};

use crate::control::{Body, Role};
use crate::crypto::secret::Secret;
use crate::crypto::sign::{self, BadSignature, SIGNATURE_LEN, SecretKey};
use crate::device_link;
use crate::encoding::{DecodeError, check_text};
use crate::identity::{Certificate, CertificateError, Certified};
use crate::ids::{ChannelId, InviteId, TransportKey};
use crate::limits::{ADDRESS_MAX, ADDRESSES_MAX, LINK_HOSTS_MAX, NAME_MAX_CHARS};
use crate::time::Millis;

pub(crate) use coded::{Coded, Flaw};

const SCHEME: &str = "kith:";
const CODED: Coded = Coded {
    scheme: SCHEME,
    version: 1,
    check: "link-check",
};

/// Why a text is not an invite link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It does not begin like one.
    #[error("this is not an invite link: one begins with `{SCHEME}`")]
    NotALink,
    /// It is the link for a new device.
    #[error(
        "this link is for a new device of somebody's own: use `kith device join` on that device"
    )]
    ForADevice,
    /// Its end is missing.
    #[error("the invite link is cut short, or was altered on the way: copy all of it, exactly")]
    CutShort,
    /// A character of it is not what it was.
    #[error("the invite link was altered on its way: copy it again, or ask for a new one")]
    Altered,
    /// It is of a version that this program does not know.
    #[error("the invite link is of a newer version of Kith ({0}): update, then join")]
    Newer(u8),
    /// It is whole, but what it says is out of bounds.
    #[error("the invite link cannot be right ({0}): ask for a new one")]
    OutOfBounds(DecodeError),
}

/// An invite in the form that travels outside of Kith. Whoever holds it may join.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct InviteLink {
    /// The channel.
    #[n(0)]
    pub channel: ChannelId,
    /// What the channel was called when the link was made.
    #[n(1)]
    pub name: String,
    /// The secret half of the invite.
    #[n(2)]
    pub secret: Secret,
    /// When the invite expires.
    #[n(3)]
    pub expires_at: Millis,
    /// Nodes that may be asked, each with its addresses.
    #[n(4)]
    pub hosts: Vec<(TransportKey, Vec<String>)>,
}

impl InviteLink {
    /// The public half of the invite, by which the control log knows it.
    pub fn invite(&self) -> InviteId {
        InviteId(self.key().public())
    }

    /// Proves to `answerer` that `asker` holds the link, before anything of the channel is told.
    pub fn prove(&self, asker: &TransportKey, answerer: &TransportKey) -> [u8; SIGNATURE_LEN] {
        self.key()
            .sign("prove", self.channel.as_bytes(), &pair(asker, answerer))
    }

    /// Admits an account with exactly these devices: the countersignature of its Join.
    pub fn countersign(&self, joiner: &Certified) -> [u8; SIGNATURE_LEN] {
        self.key()
            .sign("join", self.channel.as_bytes(), &join_payload(joiner))
    }

    /// The op body that opens the invite.
    pub fn opening(&self, role: Role, uses: u32) -> Body {
        Body::Invite {
            invite: self.invite(),
            role,
            uses,
            expires_at: self.expires_at,
        }
    }

    /// The op body with which the account of this certificate joins.
    ///
    /// # Errors
    /// [`CertificateError`] if the certificate does not hold.
    pub fn joining(&self, certificate: &Certificate) -> Result<Body, CertificateError> {
        let countersignature = self.countersign(&certificate.verify()?);
        let certificate = certificate.clone();
        Ok(Body::Join {
            invite: self.invite(),
            certificate,
            countersignature,
        })
    }

    fn key(&self) -> SecretKey {
        SecretKey::from_seed(&self.secret)
    }

    fn check(&self) -> Result<(), DecodeError> {
        check_text(&self.name, NAME_MAX_CHARS, "channel name")?;
        let hosts = &self.hosts;
        if hosts.len() > LINK_HOSTS_MAX {
            return Err(DecodeError::OutOfRange("hosts"));
        }
        hosts
            .iter()
            .try_for_each(|(_, addresses)| check_addresses(addresses))
    }
}

/// Holds the addresses of a host against their bounds.
pub(crate) fn check_addresses(addresses: &[String]) -> Result<(), DecodeError> {
    let fit = addresses.iter().all(|address| address.len() <= ADDRESS_MAX);
    if fit && addresses.len() <= ADDRESSES_MAX {
        Ok(())
    } else {
        Err(DecodeError::OutOfRange("hosts"))
    }
}

/// Checks what [`InviteLink::prove`] made.
///
/// # Errors
/// [`BadSignature`] if it was made with another secret, for another channel or another pair.
pub fn verify_proof(
    channel: &ChannelId,
    invite: &InviteId,
    asker: &TransportKey,
    answerer: &TransportKey,
    proof: &[u8; SIGNATURE_LEN],
) -> Result<(), BadSignature> {
    sign::verify(
        invite.as_bytes(),
        "prove",
        channel.as_bytes(),
        &pair(asker, answerer),
        proof,
    )
}

/// Checks what [`InviteLink::countersign`] made.
pub(crate) fn verify_countersignature(
    channel: &ChannelId,
    invite: &InviteId,
    joiner: &Certified,
    countersignature: &[u8; SIGNATURE_LEN],
) -> Result<(), BadSignature> {
    let payload = join_payload(joiner);
    sign::verify(
        invite.as_bytes(),
        "join",
        channel.as_bytes(),
        &payload,
        countersignature,
    )
}

fn join_payload(joiner: &Certified) -> Vec<u8> {
    [joiner.account.as_bytes().as_slice(), &joiner.list_hash].concat()
}

fn pair(asker: &TransportKey, answerer: &TransportKey) -> Vec<u8> {
    [asker.as_bytes().as_slice(), answerer.as_bytes()].concat()
}

impl fmt::Display for InviteLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&CODED.write(self))
    }
}

impl FromStr for InviteLink {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let link: Self = CODED.read(text).map_err(|flaw| match flaw {
            Flaw::OtherScheme if device_link::begins(text) => LinkError::ForADevice,
            Flaw::OtherScheme => LinkError::NotALink,
            Flaw::CutShort => LinkError::CutShort,
            Flaw::Altered => LinkError::Altered,
            Flaw::Newer(version) => LinkError::Newer(version),
            Flaw::OutOfBounds(error) => LinkError::OutOfBounds(error),
        })?;
        link.check().map_err(LinkError::OutOfBounds)?;
        Ok(link)
    }
}

/// Whether a text begins like an invite link.
pub(crate) fn begins(text: &str) -> bool {
    CODED.begins(text)
}

#[cfg(test)]
mod tests;
