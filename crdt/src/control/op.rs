//! Control ops: how they are written, and what can be said of one by its bytes alone.
//!
//! A [`VerifiedOp`] is well formed and signed by the device it names. Whether its author may do
//! what it says is decided by the log around it.

use std::sync::Arc;

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use super::body::Body;
use super::verdict::Rule;
use crate::crypto::hash;
use crate::crypto::sign::{SecretKey, Signed};
use crate::encoding::{self, DecodeError};
use crate::identity::Certified;
use crate::ids::{AccountId, ChannelId, DeviceId, OpId};
use crate::limits::{OP_MAX, PARENTS_MAX};
use crate::link::verify_countersignature;
use crate::time::Millis;

const CONTROL_OP: &str = "control-op";
const VERSION: u8 = 1;

/// What a control op says, unsigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlOp {
    /// The channel; none in the Create op, whose id becomes the channel's.
    pub channel: Option<ChannelId>,
    /// The account that acts.
    pub author: AccountId,
    /// The device that signs.
    pub device: DeviceId,
    /// The ops that its author built on: sorted, at most [`PARENTS_MAX`], none only in Create.
    pub parents: Vec<OpId>,
    /// One more than the largest of the parents'; 1 in Create.
    pub lamport: u64,
    /// The author's clock.
    pub at: Millis,
    /// What is done.
    pub body: Body,
}

impl ControlOp {
    /// Signs the op and verifies it like one from elsewhere.
    ///
    /// # Errors
    /// [`OpError`] if it is out of the bounds that others will hold it against.
    pub fn sign(&self, signing: &SecretKey) -> Result<VerifiedOp, OpError> {
        let signed = Signed::new(signing, CONTROL_OP, &[], self.to_payload());
        VerifiedOp::verify(&encoding::encode(&signed))
    }

    fn to_payload(&self) -> Vec<u8> {
        encoding::encode(&Wire {
            v: VERSION,
            channel: self.channel,
            author: self.author,
            device: self.device,
            parents: self.parents.clone(),
            lamport: self.lamport,
            at: self.at,
            kind: self.body.kind(),
            body: self.body.to_bytes().into(),
        })
    }
}

/// Why bytes are not a control op that may enter a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpError {
    /// The bytes are not a control op.
    #[error("control op: {0}")]
    Encoding(#[from] DecodeError),
    /// A control op of a version that this program does not know.
    #[error("control op of version {0}, which this program does not know")]
    Version(u64),
    /// The parents are not sorted, not unique, or too many.
    #[error("control op: its parents are not at most {PARENTS_MAX}, sorted, each once")]
    Parents,
    /// A Create with parents or a channel, or another op without.
    #[error("control op: only a Create has neither channel nor parents")]
    Root,
    /// The Create does not certify its own author.
    #[error("control op: a Create that does not certify its author: {0}")]
    Create(Rule),
    /// The signature does not hold.
    #[error("control op: the signature does not hold")]
    BadSignature,
}

/// A control op that is well formed and signed by the device it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedOp {
    id: OpId,
    op: ControlOp,
    signed: Signed,
    credentials: Result<Option<Arc<Certified>>, Rule>,
}

impl VerifiedOp {
    /// Checks size, structure, order of the parents and every signature in it. A body that this
    /// program does not understand is no error: the op is kept and passed on without effect.
    ///
    /// # Errors
    /// [`OpError`] if the bytes cannot be an op of any log.
    pub fn verify(bytes: &[u8]) -> Result<Self, OpError> {
        Self::read(bytes, true)
    }

    /// Reads an op that was verified before it was stored under a seal of our own: the same
    /// checks but for its own signature, without which it would not have been stored. What it
    /// carries is checked again, because an op whose certificate does not hold is stored too.
    ///
    /// # Errors
    /// [`OpError`] if the bytes are not an op.
    pub fn from_stored(bytes: &[u8]) -> Result<Self, OpError> {
        Self::read(bytes, false)
    }

    /// An op without signature, its certificate taken for granted: ten thousand logs in a test
    /// are as many as there is time for.
    #[cfg(test)]
    pub(super) fn unsigned(op: ControlOp, certified: Option<Arc<Certified>>) -> Self {
        let payload = op.to_payload();
        Self {
            id: OpId(hash::derive("op-id", &[&payload])),
            op,
            signed: Signed {
                payload,
                signature: [0; crate::crypto::sign::SIGNATURE_LEN],
            },
            credentials: Ok(certified),
        }
    }

    /// The op id.
    pub const fn id(&self) -> OpId {
        self.id
    }

    /// What the op says.
    pub const fn op(&self) -> &ControlOp {
        &self.op
    }

    /// Payload and signature as received.
    pub const fn signed(&self) -> &Signed {
        &self.signed
    }

    /// The encoded [`Signed`], as it is stored and sent.
    pub fn to_bytes(&self) -> Vec<u8> {
        encoding::encode(&self.signed)
    }

    /// The channel it belongs to; a Create's own id.
    pub fn channel(&self) -> ChannelId {
        self.op.channel.unwrap_or(ChannelId(self.id.0))
    }

    /// The account that the op lets in, takes out or otherwise is about; none if it is about the
    /// channel, an invite or keys.
    pub fn subject(&self) -> Option<AccountId> {
        match &self.op.body {
            Body::Create { .. } | Body::Devices { .. } | Body::Join { .. } | Body::Leave => {
                Some(self.op.author)
            }
            Body::Add { .. } => self
                .credentials
                .as_ref()
                .ok()?
                .as_ref()
                .map(|of| of.account),
            body => body.subject(),
        }
    }

    /// The verified certificate that the op carries, if it carries one, or why what it carries
    /// is not believed.
    ///
    /// # Errors
    /// [`Rule::BadCertificate`] or [`Rule::BadCountersignature`], whatever the log around it.
    pub fn credentials(&self) -> Result<Option<&Arc<Certified>>, Rule> {
        self.credentials
            .as_ref()
            .map(Option::as_ref)
            .map_err(|rule| *rule)
    }

    /// Its place in the order of a log, which sorts every op behind its ancestors.
    pub(super) const fn order(&self) -> (u64, OpId) {
        (self.op.lamport, self.id)
    }

    fn read(bytes: &[u8], check_signature: bool) -> Result<Self, OpError> {
        let signed: Signed = encoding::decode(bytes, OP_MAX)?;
        let op = read_payload(&signed.payload)?;
        if check_signature {
            signed
                .verify(op.device.as_bytes(), CONTROL_OP, &[])
                .map_err(|_| OpError::BadSignature)?;
        }
        let credentials = credentials(&op);
        if let (Body::Create { .. }, Err(rule)) = (&op.body, &credentials) {
            return Err(OpError::Create(*rule));
        }
        let id = OpId(hash::derive("op-id", &[&signed.payload]));
        Ok(Self {
            id,
            op,
            signed,
            credentials,
        })
    }
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Wire {
    #[n(0)]
    v: u8,
    #[n(1)]
    channel: Option<ChannelId>,
    #[n(2)]
    author: AccountId,
    #[n(3)]
    device: DeviceId,
    #[n(4)]
    parents: Vec<OpId>,
    #[n(5)]
    lamport: u64,
    #[n(6)]
    at: Millis,
    #[n(7)]
    kind: u16,
    #[n(8)]
    body: ByteVec,
}

fn read_payload(payload: &[u8]) -> Result<ControlOp, OpError> {
    let version = version_of(payload)?;
    if version != u64::from(VERSION) {
        return Err(OpError::Version(version));
    }
    let wire: Wire = encoding::decode(payload, OP_MAX)?;
    if wire.parents.len() > PARENTS_MAX || !wire.parents.is_sorted_by(|a, b| a < b) {
        return Err(OpError::Parents);
    }
    let body = Body::read(wire.kind, &wire.body);
    let is_create = matches!(body, Body::Create { .. });
    if wire.channel.is_none() != is_create
        || wire.parents.is_empty() != is_create
        || is_create && wire.lamport != 1
    {
        return Err(OpError::Root);
    }
    Ok(ControlOp {
        channel: wire.channel,
        author: wire.author,
        device: wire.device,
        parents: wire.parents,
        lamport: wire.lamport,
        at: wire.at,
        body,
    })
}

fn version_of(payload: &[u8]) -> Result<u64, DecodeError> {
    let mut decoder = minicbor::Decoder::new(payload);
    decoder
        .array()
        .and_then(|_| decoder.u64())
        .map_err(|error| DecodeError::Malformed(error.to_string()))
}

/// Checks the certificate and countersignature in an op, which are good or bad whatever the log
/// around it.
fn credentials(op: &ControlOp) -> Result<Option<Arc<Certified>>, Rule> {
    let Some(certificate) = op.body.certificate() else {
        return Ok(None);
    };
    let certified = certificate.verify().map_err(|_| Rule::BadCertificate)?;
    let of_another = matches!(op.body, Body::Add { .. });
    if certified.account != op.author && !of_another {
        return Err(Rule::BadCertificate);
    }
    let must_list_author = matches!(op.body, Body::Create { .. } | Body::Join { .. });
    if must_list_author && !certified.devices.contains_key(&op.device) {
        return Err(Rule::NotTheirDevice);
    }
    if let (
        Body::Join {
            invite,
            countersignature,
            ..
        },
        Some(channel),
    ) = (&op.body, &op.channel)
    {
        verify_countersignature(channel, invite, &certified, countersignature)
            .map_err(|_| Rule::BadCountersignature)?;
    }
    Ok(Some(Arc::new(certified)))
}
