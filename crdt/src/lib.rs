//! The pure core of Kith: who may do what, what is readable by whom, and how two nodes come to
//! hold the same channel.
//!
//! There is no clock, no randomness, no thread, no file and no network in here: time and a
//! generator are arguments, and `clippy.toml` keeps it so. `docs/protocol.md` draws every byte.

pub mod beacon;
pub mod control;
pub mod crypto;
pub mod device_link;
pub mod encoding;
pub mod envelope;
pub mod frame;
pub mod grant;
pub mod identity;
pub mod ids;
pub mod keyring;
pub mod keys;
pub mod law;
pub mod limits;
pub mod link;
pub mod log;
pub mod moment;
pub mod projection;
pub mod ranges;
pub mod retention;
pub mod segment;
pub mod sync;
pub mod term;
pub mod time;
