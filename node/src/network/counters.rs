//! What has been dropped, refused and found broken: numbers for the status page and for tests.

use std::sync::atomic::{AtomicU64, Ordering};

/// The numbers since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames that came in while the engine did not keep up, or from a peer with too many
    /// waiting.
    pub frames_ignored: u64,
    /// Frames beyond what one peer may send.
    pub frames_over_allowance: u64,
    /// Frames larger than any may be.
    pub frames_too_large: u64,
    /// Frames that were not judged in time.
    pub frames_unjudged: u64,
    /// Frames that did not go out, because no queue had room for them.
    pub frames_unsent: u64,
    /// Requests that were not passed on, because the engine did not keep up or the peer had too
    /// many under way.
    pub requests_refused: u64,
    /// Sync messages that broke the rules of framing.
    pub messages_malformed: u64,
    /// Answers of the engine that came too late.
    pub answers_late: u64,
    /// Times that a peer was disconnected for what it did, and refused for a while.
    pub peers_refused: u64,
}

/// The same numbers, shared between the network's parts.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) frames_ignored: Counter,
    pub(super) frames_over_allowance: Counter,
    pub(super) frames_too_large: Counter,
    pub(super) frames_unjudged: Counter,
    pub(super) frames_unsent: Counter,
    pub(super) requests_refused: Counter,
    pub(super) messages_malformed: Counter,
    pub(super) answers_late: Counter,
    pub(super) peers_refused: Counter,
}

impl Counters {
    /// The numbers of this moment.
    pub(super) fn read(&self) -> Counts {
        Counts {
            frames_ignored: self.frames_ignored.read(),
            frames_over_allowance: self.frames_over_allowance.read(),
            frames_too_large: self.frames_too_large.read(),
            frames_unjudged: self.frames_unjudged.read(),
            frames_unsent: self.frames_unsent.read(),
            requests_refused: self.requests_refused.read(),
            messages_malformed: self.messages_malformed.read(),
            answers_late: self.answers_late.read(),
            peers_refused: self.peers_refused.read(),
        }
    }
}

/// One number, which orders nothing else.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
