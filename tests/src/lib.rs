//! The harness of the end-to-end tests and of the benchmark: throw-away homes,
//! real daemons, and what is needed to watch them.
//!
//! Tests speak to a daemon only through the `kith` command with `--json`, as a
//! script would. Nothing here reaches into a node, and nothing here is needed to
//! build Kith.

mod agreement;
mod binary;
mod daemon;
mod home;
mod needles;
mod relay;
mod tail;
mod transcript;
mod wait;

pub use agreement::{befriend, digest, ids, texts, until_agreed, until_seen};
pub use binary::{kith, workspace};
pub use daemon::Daemon;
pub use home::{Failure, Home, Outcome, PASSPHRASE};
pub use needles::{Find, Needle, find_in, find_in_bytes};
pub use relay::Relay;
pub use tail::Tail;
pub use transcript::Transcript;
pub use wait::{PATIENCE, until};
