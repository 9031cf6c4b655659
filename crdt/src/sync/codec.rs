//! How sync messages are written and read: one array each, the kind first.
//!
//! Kept apart from what the messages are (`message.rs`). Counts are bounded here; what the bytes
//! within mean is for others to judge.

use minicbor::encode::{self, Write};
use minicbor::{Decode, Decoder, Encode, Encoder, decode};

use super::message::{Answer, BeaconTime, LogWant, Refusal, Request, SegmentVector, VectorWant};
use super::wire::{self, Fields};
use crate::device_link::Ask;
use crate::ids::{LogId, SegmentId, Writer};
use crate::limits::{
    CHANNELS_PER_NODE, PAGE_BYTES, PULL_LOGS, SYNC_BEACONS, SYNC_HEADS, SYNC_SEGMENTS,
    VECTOR_SEGMENTS,
};

/// Byte strings in one list: none that means anything is shorter than 64 bytes.
const BLOBS_MAX: usize = PAGE_BYTES / 64;
/// Logs in one segment of a vector: none takes less than 70 bytes.
const VECTOR_LOGS_MAX: usize = PAGE_BYTES / 70;

impl<C> Encode<C> for Request {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        match self {
            Self::Summary {
                tag,
                heads,
                digest,
                below,
            } => {
                e.array(if below.is_some() { 5 } else { 4 })?
                    .u16(1)?
                    .encode(tag)?;
                wire::list(e, heads)?;
                e.bytes(digest)?;
                below.iter().try_for_each(|below| e.encode(below)?.ok())
            }
            Self::Control { tag, have } => {
                e.array(3)?.u16(2)?.encode(tag)?;
                wire::list(e, have)
            }
            Self::Vectors { tag, segments } => {
                e.array(3)?.u16(3)?.encode(tag)?;
                wire::list(e, segments)
            }
            Self::Pull { tag, logs } => {
                e.array(3)?.u16(4)?.encode(tag)?;
                wire::list(e, logs)
            }
            Self::Keys(signed) => e.array(2)?.u16(5)?.encode(signed)?.ok(),
            Self::Prove {
                tag,
                invite,
                signature,
                have,
            } => {
                e.array(5)?
                    .u16(6)?
                    .encode(tag)?
                    .encode(invite)?
                    .bytes(signature)?;
                wire::list(e, have)
            }
            Self::Offer { tag, ops } => {
                e.array(3)?.u16(7)?.encode(tag)?;
                wire::blobs(e, ops)
            }
            Self::Beacons { tag, have } => {
                e.array(3)?.u16(8)?.encode(tag)?;
                wire::list(e, have)
            }
            Self::Link(ask) => e
                .array(4)?
                .u16(9)?
                .bytes(&ask.commitment)?
                .encode(&ask.record)?
                .bytes(&ask.signature)?
                .ok(),
            Self::LinkOpen { nonce } => e.array(2)?.u16(10)?.bytes(nonce)?.ok(),
            Self::Account(certificate) => e.array(2)?.u16(11)?.encode(&**certificate)?.ok(),
            Self::Unknown { kind } => e.array(1)?.u16(*kind)?.ok(),
        }
    }
}

impl<'b> Decode<'b, ()> for Request {
    fn decode(d: &mut Decoder<'b>, (): &mut ()) -> Result<Self, decode::Error> {
        let mut fields = Fields::open(d)?;
        let request = match fields.get()? {
            1 => Self::Summary {
                tag: fields.get()?,
                heads: fields.list(SYNC_HEADS)?,
                digest: fields.bytes()?,
                below: fields.optional()?,
            },
            2 => Self::Control {
                tag: fields.get()?,
                have: fields.list(SYNC_HEADS)?,
            },
            3 => Self::Vectors {
                tag: fields.get()?,
                segments: fields.list(VECTOR_SEGMENTS)?,
            },
            4 => Self::Pull {
                tag: fields.get()?,
                logs: fields.list(PULL_LOGS)?,
            },
            5 => Self::Keys(fields.get()?),
            6 => Self::Prove {
                tag: fields.get()?,
                invite: fields.get()?,
                signature: fields.bytes()?,
                have: fields.list(SYNC_HEADS)?,
            },
            7 => Self::Offer {
                tag: fields.get()?,
                ops: fields.blobs(BLOBS_MAX)?,
            },
            8 => Self::Beacons {
                tag: fields.get()?,
                have: fields.list(SYNC_BEACONS)?,
            },
            9 => Self::Link(Box::new(Ask {
                commitment: fields.bytes()?,
                record: fields.get()?,
                signature: fields.bytes()?,
            })),
            10 => Self::LinkOpen {
                nonce: fields.bytes()?,
            },
            11 => Self::Account(Box::new(fields.get()?)),
            kind => Self::Unknown { kind },
        };
        fields.close()?;
        Ok(request)
    }
}

impl<C> Encode<C> for Answer {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        match self {
            Self::Same => e.array(1)?.u16(101)?.ok(),
            Self::Differs {
                heads,
                segments,
                more,
            } => {
                e.array(4)?.u16(102)?;
                wire::list(e, heads)?;
                wire::list(e, segments)?;
                e.bool(*more)?.ok()
            }
            Self::Ops { ops, more } => {
                e.array(3)?.u16(103)?;
                wire::blobs(e, ops)?;
                e.bool(*more)?.ok()
            }
            Self::Vectors { segments, more } => {
                e.array(3)?.u16(104)?;
                wire::list(e, segments)?;
                e.bool(*more)?.ok()
            }
            Self::Page { envelopes, forks } => {
                e.array(3)?.u16(105)?;
                wire::blobs(e, envelopes)?;
                wire::blobs(e, forks)
            }
            Self::Keys(answer) => e.array(2)?.u16(106)?.bytes(answer)?.ok(),
            Self::Taken { count } => e.array(2)?.u16(107)?.u32(*count)?.ok(),
            Self::Beacons { beacons, more } => {
                e.array(3)?.u16(108)?;
                wire::list(e, beacons)?;
                e.bool(*more)?.ok()
            }
            Self::LinkNonce { nonce } => e.array(2)?.u16(109)?.bytes(nonce)?.ok(),
            Self::LinkAwaited => e.array(1)?.u16(110)?.ok(),
            Self::Linked(linked) => e.array(2)?.u16(111)?.encode(&**linked)?.ok(),
            Self::Account {
                certificate,
                channels,
            } => {
                e.array(3)?.u16(112)?.encode(certificate.as_deref())?;
                wire::list(e, channels)
            }
            Self::Refused(refusal) => e.array(2)?.u16(199)?.u8(refusal.code())?.ok(),
            Self::Unknown { kind } => e.array(1)?.u16(*kind)?.ok(),
        }
    }
}

impl<'b> Decode<'b, ()> for Answer {
    fn decode(d: &mut Decoder<'b>, (): &mut ()) -> Result<Self, decode::Error> {
        let mut fields = Fields::open(d)?;
        let answer = match fields.get()? {
            101 => Self::Same,
            102 => Self::Differs {
                heads: fields.list(SYNC_HEADS)?,
                segments: fields.list(SYNC_SEGMENTS)?,
                more: fields.get()?,
            },
            103 => Self::Ops {
                ops: fields.blobs(BLOBS_MAX)?,
                more: fields.get()?,
            },
            104 => Self::Vectors {
                segments: fields.list(VECTOR_SEGMENTS)?,
                more: fields.get()?,
            },
            105 => Self::Page {
                envelopes: fields.blobs(BLOBS_MAX)?,
                forks: fields.blobs(PULL_LOGS)?,
            },
            106 => Self::Keys(fields.blob()?),
            107 => Self::Taken {
                count: fields.get()?,
            },
            108 => Self::Beacons {
                beacons: fields.list(SYNC_BEACONS)?,
                more: fields.get()?,
            },
            109 => Self::LinkNonce {
                nonce: fields.bytes()?,
            },
            110 => Self::LinkAwaited,
            111 => Self::Linked(Box::new(fields.get()?)),
            112 => Self::Account {
                certificate: fields.get::<Option<_>>()?.map(Box::new),
                channels: fields.list(CHANNELS_PER_NODE)?,
            },
            199 => Self::Refused(Refusal::from_code(fields.get()?)),
            kind => Self::Unknown { kind },
        };
        fields.close()?;
        Ok(answer)
    }
}

impl<C> Encode<C> for VectorWant {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.array(if self.after.is_some() { 4 } else { 2 })?
            .encode(self.segment.window)?
            .u32(self.segment.index)?;
        self.after
            .iter()
            .try_for_each(|after| e.encode(after.device)?.u32(after.incarnation)?.ok())
    }
}

impl<'b> Decode<'b, ()> for VectorWant {
    fn decode(d: &mut Decoder<'b>, (): &mut ()) -> Result<Self, decode::Error> {
        let mut fields = Fields::open(d)?;
        let segment = SegmentId {
            window: fields.get()?,
            index: fields.get()?,
        };
        let after = match (fields.optional()?, fields.optional()?) {
            (Some(device), Some(incarnation)) => Some(Writer {
                device,
                incarnation,
            }),
            (None, None) => None,
            _ => return Err(decode::Error::message("half a writer")),
        };
        fields.close()?;
        Ok(Self { segment, after })
    }
}

impl<C> Encode<C> for SegmentVector {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.array(3)?
            .encode(self.segment.window)?
            .u32(self.segment.index)?;
        wire::list(e, &self.logs)
    }
}

impl<'b> Decode<'b, ()> for SegmentVector {
    fn decode(d: &mut Decoder<'b>, (): &mut ()) -> Result<Self, decode::Error> {
        let mut fields = Fields::open(d)?;
        let segment = SegmentId {
            window: fields.get()?,
            index: fields.get()?,
        };
        let logs = fields.list(VECTOR_LOGS_MAX)?;
        fields.close()?;
        Ok(Self { segment, logs })
    }
}

impl<C> Encode<C> for LogWant {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        let LogId { segment, writer } = self.log;
        e.array(5)?
            .encode(segment.window)?
            .u32(segment.index)?
            .encode(writer.device)?
            .u32(writer.incarnation)?
            .u32(self.from)?
            .ok()
    }
}

impl<'b> Decode<'b, ()> for LogWant {
    fn decode(d: &mut Decoder<'b>, (): &mut ()) -> Result<Self, decode::Error> {
        let mut fields = Fields::open(d)?;
        let segment = SegmentId {
            window: fields.get()?,
            index: fields.get()?,
        };
        let writer = Writer {
            device: fields.get()?,
            incarnation: fields.get()?,
        };
        let from = fields.get()?;
        fields.close()?;
        Ok(Self {
            log: LogId { segment, writer },
            from,
        })
    }
}

impl<C> Encode<C> for BeaconTime {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.array(2)?.encode(self.device)?.encode(self.hlc)?.ok()
    }
}

impl<'b> Decode<'b, ()> for BeaconTime {
    fn decode(d: &mut Decoder<'b>, (): &mut ()) -> Result<Self, decode::Error> {
        let mut fields = Fields::open(d)?;
        let time = Self {
            device: fields.get()?,
            hlc: fields.get()?,
        };
        fields.close()?;
        Ok(time)
    }
}

#[cfg(test)]
mod tests;
