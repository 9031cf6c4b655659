//! Invite links: what somebody pastes to somebody else, and what its secret half proves.
//!
//! A link is as good as the invite it names: whether that is still open is the control log's to
//! say ([`crate::control::Roster::invite_standing`]).

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use crate::control::{Body, Role};
use crate::crypto::hash;
use crate::crypto::secret::Secret;
use crate::crypto::sign::{self, BadSignature, SIGNATURE_LEN, SecretKey};
use crate::encoding::{self, DecodeError, check_text};
use crate::identity::{Certificate, CertificateError, Certified};
use crate::ids::{ChannelId, InviteId, TransportKey, base32, from_base32};
use crate::limits::{ADDRESS_MAX, ADDRESSES_MAX, LINK_HOSTS_MAX, LINK_MAX, NAME_MAX_CHARS};
use crate::time::Millis;

const SCHEME: &str = "kith:";
const VERSION: u8 = 1;
const CHECK_LEN: usize = 4;

/// Why a text is not an invite link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It does not begin like one.
    #[error("this is not an invite link: one begins with `{SCHEME}`")]
    NotALink,
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
        let addresses_fit = |addresses: &Vec<String>| {
            addresses.len() <= ADDRESSES_MAX
                && addresses.iter().all(|address| address.len() <= ADDRESS_MAX)
        };
        if self.hosts.len() <= LINK_HOSTS_MAX
            && self
                .hosts
                .iter()
                .all(|(_, addresses)| addresses_fit(addresses))
        {
            Ok(())
        } else {
            Err(DecodeError::OutOfRange("hosts"))
        }
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
        let mut bytes = Zeroizing::new(vec![VERSION]);
        bytes.extend_from_slice(&Zeroizing::new(encoding::encode(self)));
        let check = check_bytes(&bytes);
        bytes.extend_from_slice(&check);
        write!(f, "{SCHEME}{}", *Zeroizing::new(base32(&bytes)))
    }
}

impl FromStr for InviteLink {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let text = text.trim();
        let is_ours = text
            .get(..SCHEME.len())
            .is_some_and(|s| s.eq_ignore_ascii_case(SCHEME));
        if !is_ours {
            return Err(LinkError::NotALink);
        }
        let coded = &text[SCHEME.len()..];
        if coded.len() > LINK_MAX.div_ceil(5) * 8 {
            return Err(LinkError::Altered);
        }
        if !coded
            .bytes()
            .all(|c| c.is_ascii_alphabetic() || (b'2'..=b'7').contains(&c))
        {
            return Err(LinkError::Altered);
        }
        // With every character a good one, only a wrong length is left to be wrong.
        let bytes = Zeroizing::new(from_base32(coded).ok_or(LinkError::CutShort)?);
        let (covered, check) = bytes
            .split_last_chunk::<CHECK_LEN>()
            .ok_or(LinkError::CutShort)?;
        if check_bytes(covered) != *check {
            return Err(broken(&bytes));
        }
        let (&version, body) = covered.split_first().ok_or(LinkError::CutShort)?;
        if version != VERSION {
            return Err(LinkError::Newer(version));
        }
        let link: Self = encoding::decode(body, LINK_MAX).map_err(LinkError::OutOfBounds)?;
        link.check().map_err(LinkError::OutOfBounds)?;
        Ok(link)
    }
}

/// Says how a link whose check fails is broken: cut short if it ends before its own structure
/// and check do.
fn broken(bytes: &[u8]) -> LinkError {
    let mut decoder = minicbor::Decoder::new(&bytes[1..]);
    match decoder.skip() {
        Ok(()) if 1 + decoder.position() + CHECK_LEN > bytes.len() => LinkError::CutShort,
        Err(error) if error.is_end_of_input() => LinkError::CutShort,
        _ => LinkError::Altered,
    }
}

fn check_bytes(covered: &[u8]) -> [u8; CHECK_LEN] {
    let full = hash::derive("link-check", &[covered]);
    let mut check = [0; CHECK_LEN];
    check.copy_from_slice(&full[..CHECK_LEN]);
    check
}

#[cfg(test)]
mod tests;
