//! The harnesses of the tests that need more than one node, and of the benchmark.
//!
//! End to end: throw-away homes, real daemons, and what is needed to watch them.
//! Those tests speak to a daemon only through the `kith` command with `--json`,
//! as a script would. The other harness is [`world`]: many engines in one thread
//! under virtual time, without sockets.
//!
//! Nothing here is needed to build Kith.

mod agreement;
mod attack;
mod binary;
mod daemon;
mod flip;
mod home;
mod lively;
mod needles;
mod relay;
mod small_disk;
mod tail;
mod talk;
mod thief;
mod transcript;
mod wait;
pub mod world;

pub use agreement::{befriend, digest, ids, texts, until_agreed, until_seen};
pub use attack::Attack;
pub use binary::{kith, workspace};
pub use daemon::Daemon;
pub use flip::{files, flip, tables};
pub use home::{Failure, Home, Outcome, PASSPHRASE, copy_tree};
pub use lively::lively;
pub use needles::{Find, Needle, find_in, find_in_bytes};
pub use relay::Relay;
pub use small_disk::SmallDisk;
pub use tail::Tail;
pub use talk::{Talk, link};
pub use thief::{Thief, envelopes, opens};
pub use transcript::Transcript;
pub use wait::{PATIENCE, until};
