//! What a reader sees of the entries: a pure function of the entries and the roster.
//!
//! Entries arrive in any order and more than once; nothing here depends on either. Rights are
//! applied when a message is rendered and never before, so a role that changes, or a roster op
//! that arrives late, changes what is shown and nothing that is stored.

mod against;
mod claims;
mod counting;
mod fate;
mod seen;
mod settings;

pub use against::Against;
pub use claims::{Claim, ClaimKind, Original, Reaction, Rendered};
pub use counting::{against_claim, against_message, announces, is_shown, render, whose};
pub use fate::{End, Fate, Written, fate};
pub use seen::SeenBy;
pub use settings::{SetAt, Settings};

use crate::ids::{Place, SegmentId, Writer};
use crate::time::Hlc;

/// Where an entry stands in the order of a timeline: (hlc, device, incarnation, seq), and last
/// the segment, so that no two entries stand at the same position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// When it was written.
    pub hlc: Hlc,
    /// Who wrote it.
    pub writer: Writer,
    /// Its number in its log.
    pub seq: u32,
    /// Its segment.
    pub segment: SegmentId,
}

impl Position {
    /// The position of the entry at a place.
    pub const fn new(hlc: Hlc, place: Place) -> Self {
        Self {
            hlc,
            writer: place.log.writer,
            seq: place.seq,
            segment: place.log.segment,
        }
    }
}
