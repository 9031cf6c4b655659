//! The timeline index: which messages a line of conversation has, in order, in blocks of up to
//! [`BLOCK_MAX`] entries, so that a page costs the same at any depth.
//!
//! An entry says when and where a message was written and nothing else. The order is
//! (hlc, device, incarnation, seq) and, where all of these are the same, (window, index).
//!
//! Blocks lie on *shelves*. A shelf holds the entries of one window and term and is sealed under
//! their key. Within a line what is of one term is a sorted run of blocks, because the windows of a
//! term do not overlap, and a page is the merge of the runs there are: one, unless the channel's
//! retention was changed.

mod block;
mod logs;
mod newest;
mod read;
mod write;

use std::cmp::Ordering;

use kith_crdt::ids::{ChannelId, DeviceId, MessageId, Place, Window};
use kith_crdt::term::{Span, Term};
use kith_crdt::time::Hlc;

use crate::keys::{RecordKeys, Tag};
use crate::shared::Shared;

pub(crate) use logs::logs_of;
pub(crate) use newest::NewestBlocks;
pub(crate) use read::{count, lengths, page};
pub(crate) use write::{Changes, Rewrite, rewrite};

/// Entries in a full block.
const BLOCK_MAX: usize = 128;

/// A line of conversation: a channel's main timeline, or one thread of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line {
    channel: ChannelId,
    thread: Option<MessageId>,
}

impl Line {
    /// The main timeline of a channel.
    pub const fn main(channel: &ChannelId) -> Self {
        Self {
            channel: *channel,
            thread: None,
        }
    }

    /// The thread that starts at a message of a channel.
    pub const fn thread(channel: &ChannelId, message: &MessageId) -> Self {
        Self {
            channel: *channel,
            thread: Some(*message),
        }
    }

    /// The channel the line belongs to.
    pub const fn channel(&self) -> &ChannelId {
        &self.channel
    }

    fn tag(&self, keys: &RecordKeys, term: Term) -> Tag {
        keys.line(term, &self.channel, self.thread.as_ref())
    }

    /// The tags of its runs.
    pub(crate) fn tags(&self, shared: &Shared) -> Vec<Tag> {
        let terms = shared.window_keys.terms(shared.keys.chan(&self.channel));
        let tag = |term| self.tag(&shared.keys, term);
        terms.into_iter().map(tag).collect()
    }
}

/// One message of a line: when it was written and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimelineEntry {
    /// The reading of its author's clock.
    pub hlc: Hlc,
    /// Where its envelope is.
    pub place: Place,
}

impl TimelineEntry {
    const fn rank(&self) -> (Hlc, DeviceId, u32, u32, Window, u32) {
        let Place { log, seq } = self.place;
        (
            self.hlc,
            log.writer.device,
            log.writer.incarnation,
            seq,
            log.segment.window,
            log.segment.index,
        )
    }
}

impl Ord for TimelineEntry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for TimelineEntry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Where entries of one window and term of one line are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Shelf {
    line: Line,
    span: Span,
}

impl Shelf {
    /// The shelf of an entry: its window's, or, should its time lie outside its window, that of
    /// its time, so that a run stays sorted whatever it is given.
    pub(crate) fn of(line: Line, entry: &TimelineEntry) -> Self {
        let term = entry.place.log.segment.term();
        let window = term.window(entry.hlc);
        Self {
            line,
            span: Span { window, term },
        }
    }

    pub(crate) const fn span(&self) -> Span {
        self.span
    }

    pub(crate) const fn channel(&self) -> &ChannelId {
        self.line.channel()
    }
}

/// What the keys start with of everything that the main timeline of a channel has of a span.
pub(crate) fn main_line_prefix(keys: &RecordKeys, channel: &ChannelId, span: &Span) -> Vec<u8> {
    let tag = Line::main(channel).tag(keys, span.term);
    [tag.as_slice(), &span.window.0.to_be_bytes()].concat()
}

/// The key of a block: `line ‖ window ‖ start ‖ part`. A block holds the entries from its start
/// to the next block's. The first block of a shelf starts at 0; one that had to be split among
/// entries of the same time says by its part (more than 0) that only its content tells where it
/// starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct BlockKey {
    tag: Tag,
    window: Window,
    start: Hlc,
    part: u32,
}

impl BlockKey {
    const LEN: usize = 8 + 4 + 8 + 4;

    fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..8].copy_from_slice(&self.tag);
        bytes[8..12].copy_from_slice(&self.window.0.to_be_bytes());
        bytes[12..20].copy_from_slice(&self.start.0.to_be_bytes());
        bytes[20..].copy_from_slice(&self.part.to_be_bytes());
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (tag, rest) = bytes.split_first_chunk::<8>()?;
        let (window, rest) = rest.split_first_chunk::<4>()?;
        let (start, part) = rest.split_first_chunk::<8>()?;
        Some(Self {
            tag: *tag,
            window: Window(u32::from_be_bytes(*window)),
            start: Hlc(u64::from_be_bytes(*start)),
            part: u32::from_be_bytes(part.try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_key_sorts_by_window_start_and_part() {
        let key = |window, start, part| BlockKey {
            tag: [3; 8],
            window: Window(window),
            start: Hlc(start),
            part,
        };
        let sorted = [key(24, 0, 0), key(24, 9, 0), key(24, 9, 1), key(48, 0, 0)];
        assert!(sorted.map(BlockKey::to_bytes).is_sorted());
        assert_eq!(BlockKey::parse(&sorted[2].to_bytes()), Some(sorted[2]));
    }
}
