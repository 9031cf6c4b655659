//! What a node notes of what it erased: how much, when and why, and nothing of what was in it. The
//! record of a day is a list of these (`docs/storage.md`, section 3).

use kith_crdt::control::Roster;
use kith_crdt::encoding::{self, DecodeError};
use kith_crdt::projection::{End, Written};
use kith_crdt::retention::Retention;
use kith_crdt::term::Span;
use kith_crdt::time::{DAY_MS, HOUR_MS, Millis};
use minicbor::{Decode, Encode};

/// Bytes that the record of a day may have.
const RECORD_MAX: usize = 1024 * 1024;
/// Days that are remembered.
pub(crate) const DAYS_KEPT: u32 = 400;

const KEPT: u8 = 1;
const ASKED: u8 = 2;
const DELETED: u8 = 3;

/// Why something was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The channel kept it for so many hours.
    Kept(u32),
    /// Everybody had read it, or its thirty days were over.
    Instant,
    /// It had asked to go.
    Asked,
    /// Somebody had deleted it.
    Deleted,
}

impl Cause {
    /// Why a message is over that ended so.
    pub(crate) fn of_message(roster: &Roster, written: &Written, end: End) -> Self {
        let life = roster.epochs.get(&written.epoch).map(|epoch| epoch.life);
        let life = life.unwrap_or_default();
        match end {
            End::ReadByAll => Self::Instant,
            End::Expired(at) if written.expires_at == Some(at) => Self::Asked,
            End::Expired(_) if life.instant => Self::Instant,
            End::Expired(_) => Self::Kept(life.term.as_hours().unwrap_or(0)),
        }
    }

    /// Why all that ends together is over.
    pub(crate) fn of_span(roster: &Roster, span: &Span) -> Self {
        let mut epochs = roster.epochs.values();
        if epochs.any(|epoch| epoch.term == span.term && epoch.life.instant) {
            return Self::Instant;
        }
        let first = span.segments().0;
        let end = roster.segment_ends_at(&first).unwrap_or_default();
        let kept = end.0.saturating_sub(first.closes_at().0) / HOUR_MS;
        Self::Kept(u32::try_from(kept).unwrap_or(u32::MAX))
    }

    /// How long the channel kept it, if that is why.
    pub(crate) const fn retention(self) -> Option<Retention> {
        match self {
            Self::Kept(hours) => Some(Retention::Hours(hours)),
            Self::Instant => Some(Retention::Instant),
            Self::Asked | Self::Deleted => None,
        }
    }

    const fn numbers(self) -> (u8, u32) {
        match self {
            Self::Kept(hours) => (KEPT, hours),
            Self::Instant => (KEPT, 0),
            Self::Asked => (ASKED, 0),
            Self::Deleted => (DELETED, 0),
        }
    }
}

/// What was erased for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct Erased {
    #[n(0)]
    cause: u8,
    #[n(1)]
    hours: u32,
    /// When the first of it was.
    #[n(2)]
    pub(crate) first: Millis,
    /// When the last of it was.
    #[n(3)]
    pub(crate) last: Millis,
    /// Messages that lost their texts.
    #[n(4)]
    pub(crate) messages: u64,
    /// Windows that were shredded.
    #[n(5)]
    pub(crate) windows: u64,
}

impl Erased {
    /// So many messages and windows, at a time.
    pub(crate) const fn new(cause: Cause, at: Millis, (messages, windows): (u64, u64)) -> Self {
        let (cause, hours) = cause.numbers();
        Self {
            cause,
            hours,
            first: at,
            last: at,
            messages,
            windows,
        }
    }

    /// Why it was; nothing if a later version knows more reasons.
    pub(crate) const fn cause(&self) -> Option<Cause> {
        match (self.cause, self.hours) {
            (KEPT, 0) => Some(Cause::Instant),
            (KEPT, hours) => Some(Cause::Kept(hours)),
            (ASKED, _) => Some(Cause::Asked),
            (DELETED, _) => Some(Cause::Deleted),
            _ => None,
        }
    }

    fn add(&mut self, other: &Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.messages = self.messages.saturating_add(other.messages);
        self.windows = self.windows.saturating_add(other.windows);
    }
}

/// Adds what was erased to what there is already, one for each reason.
pub(crate) fn add(all: &mut Vec<Erased>, more: &Erased) {
    let like = |known: &&mut Erased| known.cause == more.cause && known.hours == more.hours;
    match all.iter_mut().find(like) {
        Some(known) => known.add(more),
        None => all.push(*more),
    }
}

/// The day of a moment, counted from 1970.
pub(crate) fn day(at: Millis) -> u32 {
    u32::try_from(at.0 / DAY_MS).unwrap_or(u32::MAX)
}

/// Reads the record of a day.
///
/// # Errors
/// [`DecodeError`] if it is none.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Erased>, DecodeError> {
    encoding::decode(bytes, RECORD_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_of_a_day_is_what_the_document_says() {
        let mut day = Vec::new();
        for (cause, at, amount) in [
            (Cause::Kept(168), 1_000, (3, 0)),
            (Cause::Instant, 2_000, (1, 1)),
            (Cause::Asked, 3_000, (2, 0)),
            (Cause::Deleted, 4_000, (1, 0)),
            (Cause::Kept(168), 5_000, (1, 2)),
        ] {
            add(&mut day, &Erased::new(cause, Millis(at), amount));
        }
        let bytes = encoding::encode(&day);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "84860118a81903e8191388040286010019\
             07d01907d00101860200190bb8190bb80200860300190fa0190fa00100"
        );
        let again = read(&bytes).unwrap();
        assert_eq!(again, day);
        let causes: Vec<Option<Cause>> = again.iter().map(Erased::cause).collect();
        let each = [
            Cause::Kept(168),
            Cause::Instant,
            Cause::Asked,
            Cause::Deleted,
        ];
        assert_eq!(causes, each.map(Some));
    }
}
