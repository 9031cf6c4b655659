//! How long a session may go on, and what came of it.

use super::message::Refusal;
use crate::limits::{SYNC_IDLE_ROUNDS, SYNC_ROUNDS};

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Why it ended.
    pub end: End,
    /// Requests made.
    pub rounds: u32,
    /// Control ops received.
    pub ops: usize,
    /// Envelopes received.
    pub envelopes: usize,
    /// Logs of which the peer has more that could not be used.
    pub given_up: usize,
    /// Pieces that an honest peer would not have sent.
    pub faults: usize,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Both held the same channel to begin with.
    Same,
    /// All that the peer offered has been asked for.
    Complete,
    /// All has been asked for but envelopes, for which there is no room here.
    Full,
    /// The peer refused.
    Refused(Refusal),
    /// The peer's answer does not fit the question.
    Unexpected,
    /// [`SYNC_IDLE_ROUNDS`] in a row brought nothing new.
    Stalled,
    /// [`SYNC_ROUNDS`] were not enough; the next session goes on from here.
    Paused,
}

/// What a session has asked and received so far.
#[derive(Debug, Default)]
pub(super) struct Effort {
    rounds: u32,
    /// How many of the last rounds in a row brought nothing new.
    idle: u32,
    pub(super) ops: usize,
    pub(super) envelopes: usize,
    pub(super) faults: usize,
}

impl Effort {
    /// Counts a request.
    pub(super) const fn ask(&mut self) {
        self.rounds += 1;
    }

    /// Notes whether the answer brought anything new.
    pub(super) const fn note(&mut self, advanced: bool) {
        self.idle = if advanced { 0 } else { self.idle + 1 };
    }

    /// Why the session may not go on, if it may not.
    pub(super) const fn spent(&self) -> Option<End> {
        if self.idle >= SYNC_IDLE_ROUNDS {
            Some(End::Stalled)
        } else if self.rounds >= SYNC_ROUNDS {
            Some(End::Paused)
        } else {
            None
        }
    }

    /// The outcome of a session that ends now.
    pub(super) const fn outcome(&self, end: End, given_up: usize) -> Outcome {
        Outcome {
            end,
            rounds: self.rounds,
            ops: self.ops,
            envelopes: self.envelopes,
            given_up,
            faults: self.faults,
        }
    }
}
