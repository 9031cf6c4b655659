//! The fields of a channel's policy and their bytes.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use super::role::{Right, Role};
use crate::encoding::{self, DecodeError, check_text};
use crate::limits::{HISTORY_DAYS_MAX, NAME_MAX_CHARS, OP_MAX, TOPIC_MAX_CHARS};
use crate::retention::{Retention, RetentionLimits};

/// One field of the channel's policy and its new value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Policy {
    /// The channel's name, at most [`NAME_MAX_CHARS`] characters.
    Name(String),
    /// The channel's topic, at most [`TOPIC_MAX_CHARS`] characters.
    Topic(String),
    /// What newcomers may read of what was written before them.
    History(History),
    /// The least role that has a right, instead of the table's ([`Right::least_role`]). Each
    /// right that has a number is a field of its own.
    Right {
        /// The right.
        right: Right,
        /// The least role that has it from now on.
        least: Role,
    },
    /// What new messages live for.
    Retention {
        /// The life of what is written from now on.
        retention: Retention,
        /// Whether what is there already lives no longer either.
        existing: bool,
    },
    /// Which retention the channel may be given.
    RetentionLimits(RetentionLimits),
}

/// What a policy op sets: of each thing the latest that counts holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyField {
    /// The channel's name.
    Name,
    /// Its topic.
    Topic,
    /// What newcomers may read.
    History,
    /// Which role has a right.
    Right(Right),
    /// What messages live for.
    Retention,
    /// Which retention may be set.
    RetentionLimits,
}

/// What newcomers may read of what was written before they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum History {
    /// All there is.
    #[default]
    Everything,
    /// The last days, 1 to [`HISTORY_DAYS_MAX`].
    Days(u16),
    /// Nothing.
    FromJoining,
}

const NAME: u8 = 1;
const TOPIC: u8 = 2;
const HISTORY: u8 = 3;
const RIGHT: u8 = 4;
const RETENTION: u8 = 5;
const RETENTION_LIMITS: u8 = 6;

impl Policy {
    /// What it sets.
    pub const fn field(&self) -> PolicyField {
        match self {
            Self::Name(_) => PolicyField::Name,
            Self::Topic(_) => PolicyField::Topic,
            Self::History(_) => PolicyField::History,
            Self::Right { right, .. } => PolicyField::Right(*right),
            Self::Retention { .. } => PolicyField::Retention,
            Self::RetentionLimits(_) => PolicyField::RetentionLimits,
        }
    }

    /// The right that it takes to set the field.
    pub const fn takes(&self) -> Right {
        match self {
            Self::Name(_) => Right::Rename,
            Self::Topic(_) => Right::SetTopic,
            Self::History(_) | Self::Right { .. } | Self::Retention { .. } => Right::SetPolicy,
            Self::RetentionLimits(_) => Right::LimitRetention,
        }
    }

    /// The body of the op.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let (field, value) = match self {
            Self::Name(name) => (NAME, encoding::encode(name)),
            Self::Topic(topic) => (TOPIC, encoding::encode(topic)),
            Self::History(history) => (HISTORY, encoding::encode(history)),
            Self::Right { right, least } => (
                RIGHT,
                encoding::encode(&RightWire {
                    right: right.number().unwrap_or(0),
                    least: *least,
                }),
            ),
            Self::Retention {
                retention,
                existing,
            } => (
                RETENTION,
                encoding::encode(&RetentionWire {
                    retention: *retention,
                    existing: existing.then_some(true),
                }),
            ),
            Self::RetentionLimits(limits) => (RETENTION_LIMITS, encoding::encode(limits)),
        };
        encoding::encode(&Wire {
            field,
            value: value.into(),
        })
    }

    /// Reads the body of an op; nothing if this program does not know the field or the right.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, DecodeError> {
        let Wire { field, value } = encoding::decode(bytes, OP_MAX)?;
        Ok(match field {
            NAME => Some(Self::Name(encoding::decode(&value, OP_MAX)?)),
            TOPIC => Some(Self::Topic(encoding::decode(&value, OP_MAX)?)),
            HISTORY => Some(Self::History(encoding::decode(&value, OP_MAX)?)),
            RIGHT => {
                let RightWire { right, least } = encoding::decode(&value, OP_MAX)?;
                Right::from_number(right).map(|right| Self::Right { right, least })
            }
            RETENTION => {
                let RetentionWire {
                    retention,
                    existing,
                } = encoding::decode(&value, OP_MAX)?;
                Some(Self::Retention {
                    retention,
                    existing: existing.unwrap_or(false),
                })
            }
            RETENTION_LIMITS => Some(Self::RetentionLimits(encoding::decode(&value, OP_MAX)?)),
            _ => None,
        })
    }

    /// Holds the value against its bounds.
    pub(super) fn check(&self) -> Result<(), DecodeError> {
        match self {
            Self::Name(name) => check_text(name, NAME_MAX_CHARS, "channel name"),
            Self::Topic(topic) => check_text(topic, TOPIC_MAX_CHARS, "topic"),
            Self::History(History::Days(days)) if !(1..=HISTORY_DAYS_MAX).contains(days) => {
                Err(DecodeError::OutOfRange("days of history"))
            }
            Self::Right { right, .. } if right.number().is_none() => {
                Err(DecodeError::OutOfRange("right"))
            }
            Self::Retention { retention, .. } => retention.check(),
            Self::RetentionLimits(limits) => limits.check(),
            Self::History(_) | Self::Right { .. } => Ok(()),
        }
    }
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Wire {
    #[n(0)]
    field: u8,
    #[n(1)]
    value: ByteVec,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct RightWire {
    #[n(0)]
    right: u8,
    #[n(1)]
    least: Role,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct RetentionWire {
    #[n(0)]
    retention: Retention,
    #[n(1)]
    existing: Option<bool>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct HistoryWire {
    #[n(0)]
    mode: u8,
    #[n(1)]
    days: Option<u16>,
}

impl<C> Encode<C> for History {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        let (mode, days) = match self {
            Self::Everything => (0, None),
            Self::Days(days) => (1, Some(*days)),
            Self::FromJoining => (2, None),
        };
        HistoryWire { mode, days }.encode(e, context)
    }
}

impl<'b, C> Decode<'b, C> for History {
    fn decode(d: &mut Decoder<'b>, context: &mut C) -> Result<Self, decode::Error> {
        match HistoryWire::decode(d, context)? {
            HistoryWire { mode: 0, .. } => Ok(Self::Everything),
            HistoryWire {
                mode: 1,
                days: Some(days),
            } => Ok(Self::Days(days)),
            HistoryWire { mode: 2, .. } => Ok(Self::FromJoining),
            HistoryWire { .. } => Err(decode::Error::message("unknown history policy")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_bounds_or_unknown_is_no_policy() {
        for days in [0, HISTORY_DAYS_MAX + 1] {
            assert!(Policy::History(History::Days(days)).check().is_err());
        }
        let rekey = Policy::Right {
            right: Right::Rekey,
            least: Role::Owner,
        };
        assert!(rekey.check().is_err());
        let hours = |hours| Policy::Retention {
            retention: Retention::Hours(hours),
            existing: false,
        };
        assert!(hours(0).check().is_err() && hours(u32::MAX).check().is_err());
        assert_eq!(Policy::read(&rekey.to_bytes()), Ok(None));
    }

    #[test]
    fn every_policy_is_read_as_it_was_written() {
        let rights = Right::ALL
            .into_iter()
            .filter(|right| right.number().is_some());
        let rights = rights.map(|right| Policy::Right {
            right,
            least: Role::Owner,
        });
        let histories = [History::Everything, History::Days(30), History::FromJoining];
        let retentions = [
            Retention::Forever,
            Retention::Hours(168),
            Retention::Instant,
        ];
        let retentions = retentions.into_iter().flat_map(|retention| {
            [false, true].map(|existing| Policy::Retention {
                retention,
                existing,
            })
        });
        let limits = Policy::RetentionLimits(RetentionLimits {
            shortest: None,
            longest: Some(720),
        });
        let policies = rights.chain(histories.map(Policy::History));
        for policy in policies.chain(retentions).chain([limits]) {
            assert_eq!(Policy::read(&policy.to_bytes()), Ok(Some(policy)));
        }
    }
}
