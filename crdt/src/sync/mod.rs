//! How two nodes come to hold the same channel: `/kith/sync/1`.
//!
//! A [`Session`] asks and [`serve`] answers; both are pure and see the channel through
//! [`Replica`]. Nothing here sends, stores or decides what may be kept: bytes go in and out of
//! [`Request`] and [`Answer`], and what a session receives is judged by its host exactly as if
//! gossip had brought it. Wire forms: `docs/protocol.md` section 9.

mod codec;
mod control_pull;
mod digest;
mod effort;
mod message;
mod page;
mod replica;
mod serve;
mod session;
mod targets;
mod wire;

pub use control_pull::{ControlPage, ControlPull};
pub use digest::{
    Digest, Head, LogHead, SegmentDigest, SegmentDigests, channel_digest, segment_digest,
};
pub use effort::{End, Outcome};
pub use message::{Answer, BeaconTime, LogWant, Refusal, Request, SegmentVector, VectorWant};
pub use page::LogPart;
pub use replica::Replica;
pub use serve::{Served, control as serve_control, serve};
pub use session::{Next, Received, Session};
