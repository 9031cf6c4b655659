//! The Kith daemon: the engine decides, the shell acts.
//!
//! `engine` is synchronous and deterministic and owns the store; `network`, `control` and
//! `shell` own tokio, libp2p, the clock and the local API, and decide nothing; `read` answers
//! from snapshots and never waits for the engine.

pub mod backup;
mod claims;
pub mod clock;
pub mod control;
pub mod daemon;
pub mod device;
pub mod dialer;
pub mod engine;
mod erasures;
mod fate;
pub mod handle;
mod handover;
pub mod network;
mod own_words;
pub mod read;
pub mod record;
mod shell;

pub use handle::Node;
