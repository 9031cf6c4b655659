//! The bytes of what a control op does.

use minicbor::{Decode, Encode};

use super::Body;
use crate::control::policy::Policy;
use crate::control::role::Role;
use crate::control::seen::LastSeen;
use crate::crypto::sign::SIGNATURE_LEN;
use crate::encoding::{self, DecodeError};
use crate::identity::Certificate;
use crate::ids::{AccountId, InviteId};
use crate::limits::OP_MAX;
use crate::time::Millis;

const CREATE: u16 = 1;
const DEVICES: u16 = 2;
const INVITE: u16 = 3;
const REVOKE_INVITE: u16 = 4;
const JOIN: u16 = 5;
const LEAVE: u16 = 6;
const POLICY: u16 = 7;
const EPOCH: u16 = 8;
const ADD: u16 = 9;
const SET_ROLE: u16 = 10;
const REMOVE: u16 = 11;
const BAN: u16 = 12;
const UNBAN: u16 = 13;
const MUTE: u16 = 14;

impl Body {
    /// The number of the kind on the wire.
    pub const fn kind(&self) -> u16 {
        match self {
            Self::Create { .. } => CREATE,
            Self::Devices { .. } => DEVICES,
            Self::Invite { .. } => INVITE,
            Self::RevokeInvite { .. } => REVOKE_INVITE,
            Self::Join { .. } => JOIN,
            Self::Leave => LEAVE,
            Self::Policy(_) => POLICY,
            Self::Epoch(_) => EPOCH,
            Self::Add { .. } => ADD,
            Self::SetRole { .. } => SET_ROLE,
            Self::Remove { .. } => REMOVE,
            Self::Ban { .. } => BAN,
            Self::Unban { .. } => UNBAN,
            Self::Mute { .. } => MUTE,
            Self::Unknown { kind, .. } => *kind,
        }
    }

    /// The bytes of the body.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self.clone() {
            Self::Create {
                nonce,
                name,
                kind,
                certificate,
            } => encoding::encode(&CreateWire {
                nonce,
                name,
                kind,
                certificate,
            }),
            Self::Devices {
                certificate,
                last_seen,
            } => encoding::encode(&DevicesWire {
                certificate,
                last_seen,
            }),
            Self::Invite {
                invite,
                role,
                uses,
                expires_at,
            } => encoding::encode(&InviteWire {
                invite,
                role,
                uses,
                expires_at,
            }),
            Self::RevokeInvite { invite } => encoding::encode(&RevokeInviteWire { invite }),
            Self::Join {
                invite,
                certificate,
                countersignature,
            } => encoding::encode(&JoinWire {
                invite,
                certificate,
                countersignature,
            }),
            Self::Leave => encoding::encode(&LeaveWire {}),
            Self::Policy(policy) => policy.to_bytes(),
            Self::Epoch(epoch) => encoding::encode(&epoch),
            Self::Add { role, certificate } => encoding::encode(&AddWire { role, certificate }),
            Self::SetRole { account, role } => encoding::encode(&SetRoleWire { account, role }),
            Self::Remove { account, last_seen } => {
                encoding::encode(&RemoveWire { account, last_seen })
            }
            Self::Ban {
                account,
                last_seen,
                until,
            } => encoding::encode(&BanWire {
                account,
                last_seen,
                until,
            }),
            Self::Unban { account } => encoding::encode(&UnbanWire { account }),
            Self::Mute { account, until } => encoding::encode(&MuteWire { account, until }),
            Self::Unknown { body, .. } => body,
        }
    }

    /// Reads a body as far as this program understands it.
    pub fn read(kind: u16, bytes: &[u8]) -> Self {
        Self::read_known(kind, bytes)
            .ok()
            .flatten()
            .unwrap_or_else(|| Self::Unknown {
                kind,
                body: bytes.to_vec(),
            })
    }

    fn read_known(kind: u16, bytes: &[u8]) -> Result<Option<Self>, DecodeError> {
        let body = match kind {
            CREATE => {
                let CreateWire {
                    nonce,
                    name,
                    kind,
                    certificate,
                } = decode(bytes)?;
                Self::Create {
                    nonce,
                    name,
                    kind,
                    certificate,
                }
            }
            DEVICES => {
                let DevicesWire {
                    certificate,
                    last_seen,
                } = decode(bytes)?;
                Self::Devices {
                    certificate,
                    last_seen,
                }
            }
            INVITE => {
                let InviteWire {
                    invite,
                    role,
                    uses,
                    expires_at,
                } = decode(bytes)?;
                Self::Invite {
                    invite,
                    role,
                    uses,
                    expires_at,
                }
            }
            REVOKE_INVITE => {
                let RevokeInviteWire { invite } = decode(bytes)?;
                Self::RevokeInvite { invite }
            }
            JOIN => {
                let JoinWire {
                    invite,
                    certificate,
                    countersignature,
                } = decode(bytes)?;
                Self::Join {
                    invite,
                    certificate,
                    countersignature,
                }
            }
            LEAVE => {
                let LeaveWire {} = decode(bytes)?;
                Self::Leave
            }
            POLICY => match Policy::read(bytes)? {
                Some(policy) => Self::Policy(policy),
                None => return Ok(None),
            },
            EPOCH => Self::Epoch(decode(bytes)?),
            ADD => {
                let AddWire { role, certificate } = decode(bytes)?;
                Self::Add { role, certificate }
            }
            SET_ROLE => {
                let SetRoleWire { account, role } = decode(bytes)?;
                Self::SetRole { account, role }
            }
            REMOVE => {
                let RemoveWire { account, last_seen } = decode(bytes)?;
                Self::Remove { account, last_seen }
            }
            BAN => {
                let BanWire {
                    account,
                    last_seen,
                    until,
                } = decode(bytes)?;
                Self::Ban {
                    account,
                    last_seen,
                    until,
                }
            }
            UNBAN => {
                let UnbanWire { account } = decode(bytes)?;
                Self::Unban { account }
            }
            MUTE => {
                let MuteWire { account, until } = decode(bytes)?;
                Self::Mute { account, until }
            }
            _ => return Ok(None),
        };
        body.check()?;
        Ok(Some(body))
    }
}

fn decode<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, DecodeError> {
    encoding::decode(bytes, OP_MAX)
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct CreateWire {
    #[cbor(n(0), with = "minicbor::bytes")]
    nonce: [u8; 16],
    #[n(1)]
    name: String,
    #[n(2)]
    kind: u8,
    #[n(3)]
    certificate: Certificate,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct DevicesWire {
    #[n(0)]
    certificate: Certificate,
    #[n(1)]
    last_seen: Option<LastSeen>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct InviteWire {
    #[n(0)]
    invite: InviteId,
    #[n(1)]
    role: Role,
    #[n(2)]
    uses: u32,
    #[n(3)]
    expires_at: Millis,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct RevokeInviteWire {
    #[n(0)]
    invite: InviteId,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct JoinWire {
    #[n(0)]
    invite: InviteId,
    #[n(1)]
    certificate: Certificate,
    #[cbor(n(2), with = "minicbor::bytes")]
    countersignature: [u8; SIGNATURE_LEN],
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct LeaveWire {}

#[derive(Encode, Decode)]
#[cbor(array)]
struct AddWire {
    #[n(0)]
    role: Role,
    #[n(1)]
    certificate: Certificate,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct SetRoleWire {
    #[n(0)]
    account: AccountId,
    #[n(1)]
    role: Role,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct RemoveWire {
    #[n(0)]
    account: AccountId,
    #[n(1)]
    last_seen: LastSeen,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct BanWire {
    #[n(0)]
    account: AccountId,
    #[n(1)]
    last_seen: LastSeen,
    #[n(2)]
    until: Option<Millis>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct UnbanWire {
    #[n(0)]
    account: AccountId,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct MuteWire {
    #[n(0)]
    account: AccountId,
    #[n(1)]
    until: Millis,
}
