//! Digests: what two nodes compare to see whether they hold the same channel.
//!
//! A log is told by its [`Head`], a segment by a hash over the heads of its logs, a channel by a
//! hash over its control heads and its segments. [`SegmentDigests`] keeps the heads of a channel
//! and the hashes over them, so that one more envelope costs the hash of its segment and one pass
//! over the cached hashes of the others. Nothing here looks into an envelope.

use std::collections::BTreeMap;

use minicbor::encode::{self, Write};
use minicbor::{Decode, Decoder, Encode, Encoder, decode};

use super::wire::{self, Fields};
use crate::crypto::hash;
use crate::ids::{ChannelId, LogId, OpId, SegmentId, Writer};

/// A 32-byte digest.
pub type Digest = [u8; 32];

/// The end of a log: all there is to say about it, because the links chain the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Head {
    /// The number of the last envelope; 0 only where a fork leaves nothing.
    pub seq: u32,
    /// The link of the last envelope; zeros at seq 0.
    pub link: [u8; 32],
    /// The smallest number at which a fork is proven; the log ends before it.
    pub fork: Option<u32>,
}

/// A log of a known segment and its end.
///
/// On the wire `[device, incarnation, seq, link, fork or null]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogHead {
    /// Who appends to the log.
    pub writer: Writer,
    /// Where the log ends.
    pub head: Head,
}

impl<C> Encode<C> for LogHead {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.array(if self.head.fork.is_some() { 5 } else { 4 })?
            .encode(self.writer.device)?
            .u32(self.writer.incarnation)?
            .u32(self.head.seq)?
            .bytes(&self.head.link)?;
        if let Some(fork) = self.head.fork {
            e.u32(fork)?;
        }
        Ok(())
    }
}

impl<'b> Decode<'b, ()> for LogHead {
    fn decode(d: &mut Decoder<'b>, (): &mut ()) -> Result<Self, decode::Error> {
        let mut fields = Fields::open(d)?;
        let writer = Writer {
            device: fields.get()?,
            incarnation: fields.get()?,
        };
        let head = Head {
            seq: fields.get()?,
            link: fields.bytes()?,
            fork: fields.optional()?,
        };
        fields.close()?;
        Ok(Self { writer, head })
    }
}

/// A segment and the digest over its logs.
///
/// On the wire `[window, index, digest]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentDigest {
    /// The segment.
    pub segment: SegmentId,
    /// [`segment_digest`] of it.
    pub digest: Digest,
}

impl<C> Encode<C> for SegmentDigest {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.array(3)?
            .encode(self.segment.window)?
            .u32(self.segment.index)?
            .bytes(&self.digest)?
            .ok()
    }
}

impl<'b> Decode<'b, ()> for SegmentDigest {
    fn decode(d: &mut Decoder<'b>, (): &mut ()) -> Result<Self, decode::Error> {
        let mut fields = Fields::open(d)?;
        let segment = SegmentId {
            window: fields.get()?,
            index: fields.get()?,
        };
        let digest = fields.bytes()?;
        fields.close()?;
        Ok(Self { segment, digest })
    }
}

/// The digest of a segment whose logs end like this; `logs` are in the order of their writers.
pub fn segment_digest(segment: &SegmentId, logs: &[LogHead]) -> Digest {
    let mut encoder = Encoder::new(Vec::new());
    infallible((|| {
        encoder
            .array(3)?
            .encode(segment.window)?
            .u32(segment.index)?;
        wire::list(&mut encoder, logs)
    })());
    hash::derive("segment-digest", &[encoder.writer()])
}

/// The digest of a channel with these control heads (in any order) and these segments, in
/// ascending order.
pub fn channel_digest(
    channel: &ChannelId,
    control_heads: &[OpId],
    segments: &[SegmentDigest],
) -> Digest {
    let mut heads = control_heads.to_vec();
    heads.sort_unstable();
    let mut encoder = Encoder::new(Vec::new());
    infallible((|| {
        encoder.array(3)?.encode(channel)?;
        wire::list(&mut encoder, &heads)?;
        wire::list(&mut encoder, segments)
    })());
    hash::derive("channel-digest", &[encoder.writer()])
}

fn infallible(written: Result<(), encode::Error<std::convert::Infallible>>) {
    written.expect("writing CBOR to memory does not fail");
}

/// The ends of all logs of one channel, by segment, with a cached digest for each segment.
#[derive(Debug, Clone, Default)]
pub struct SegmentDigests {
    segments: BTreeMap<SegmentId, Segment>,
}

#[derive(Debug, Clone, Default)]
struct Segment {
    heads: BTreeMap<Writer, Head>,
    /// None after a change, until [`SegmentDigests::settle`].
    digest: Option<Digest>,
}

impl Segment {
    fn logs(&self) -> Vec<LogHead> {
        self.heads
            .iter()
            .map(|(writer, head)| LogHead {
                writer: *writer,
                head: *head,
            })
            .collect()
    }

    fn digest(&self, id: &SegmentId) -> Digest {
        self.digest
            .unwrap_or_else(|| segment_digest(id, &self.logs()))
    }
}

impl SegmentDigests {
    /// Holds no log yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes where a log ends now. A log without an envelope and without a fork is forgotten, so
    /// that it is the same as one never heard of.
    pub fn set(&mut self, log: &LogId, head: Head) {
        if head.seq == 0 && head.fork.is_none() {
            self.remove(log);
            return;
        }
        let segment = self.segments.entry(log.segment).or_default();
        if segment.heads.insert(log.writer, head) != Some(head) {
            segment.digest = None;
        }
    }

    /// Forgets a log.
    pub fn remove(&mut self, log: &LogId) {
        let Some(segment) = self.segments.get_mut(&log.segment) else {
            return;
        };
        if segment.heads.remove(&log.writer).is_some() {
            segment.digest = None;
        }
        if segment.heads.is_empty() {
            self.segments.remove(&log.segment);
        }
    }

    /// Forgets a whole segment.
    pub fn remove_segment(&mut self, segment: &SegmentId) {
        self.segments.remove(segment);
    }

    /// Where a log ends, if anything of it is here.
    pub fn head(&self, log: &LogId) -> Option<Head> {
        self.segments
            .get(&log.segment)?
            .heads
            .get(&log.writer)
            .copied()
    }

    /// How many logs there are.
    pub fn logs(&self) -> usize {
        self.segments
            .values()
            .map(|segment| segment.heads.len())
            .sum()
    }

    /// The logs of a segment in the order of their writers.
    pub fn vector(&self, segment: &SegmentId) -> Vec<LogHead> {
        self.segments
            .get(segment)
            .map(Segment::logs)
            .unwrap_or_default()
    }

    /// The digest of a segment, if anything of it is here.
    pub fn segment(&self, segment: &SegmentId) -> Option<Digest> {
        self.segments.get(segment).map(|held| held.digest(segment))
    }

    /// The segments and their digests, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = SegmentDigest> {
        self.segments.iter().rev().map(|(id, held)| SegmentDigest {
            segment: *id,
            digest: held.digest(id),
        })
    }

    /// The digest of the whole channel with these control heads (in any order).
    pub fn channel(&self, channel: &ChannelId, control_heads: &[OpId]) -> Digest {
        let mut segments: Vec<_> = self.newest_first().collect();
        segments.reverse();
        channel_digest(channel, control_heads, &segments)
    }

    /// Hashes what changed since the last time, once for everybody who asks afterwards. Answers
    /// are right without it, only slower.
    pub fn settle(&mut self) {
        for (id, segment) in &mut self.segments {
            if segment.digest.is_none() {
                segment.digest = Some(segment.digest(id));
            }
        }
    }
}

#[cfg(test)]
mod tests;
