//! Segment documents: what one envelope's change may say, how it is written, how it is read.
//!
//! - [`read_change`] is the gate between a stranger's bytes and everything else; [`read`] goes
//!   through it with a whole opened envelope.
//! - [`Branch`] is where a writer makes its own changes.
//! - [`SegmentDocument`] is the Automerge document that all writers' changes make together.
//!
//! Nothing here knows keys or roles: what comes in has been opened already, and whether an entry
//! has an effect is decided in [`crate::projection`]. Automerge ends in this directory.

mod branch;
mod change;
mod document;
mod emoji;
mod entry;
mod gate;
mod said;
mod setting;

pub use branch::Branch;
pub use document::{SegmentDocument, WriterChange};
pub use emoji::{NotAnEmoji, check_emoji};
pub use entry::{ANNOUNCEMENT, Entry, Message, SeenRange};
pub use gate::{ChangeError, read_change};
pub use said::{Quarantine, Said, read};
pub use setting::{Setting, Subject};
