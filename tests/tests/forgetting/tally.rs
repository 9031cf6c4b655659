//! How much happened, so that nobody takes a quiet world for a sound one.

use std::ops::AddAssign;

/// How much there was of what, in all seeds.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) seeds: u64,
    pub(crate) messages: u64,
    /// Messages that came to their end at a node.
    pub(crate) ends: u64,
    pub(crate) retentions: u64,
    pub(crate) starts: u64,
    pub(crate) cuts: u64,
    pub(crate) departures: u64,
    pub(crate) looks: u64,
}

impl Tally {
    /// Whether there was something of everything.
    pub(crate) fn is_lively(&self) -> bool {
        let told = [self.messages, self.ends, self.retentions, self.starts];
        told.into_iter().all(|count| count > self.seeds) && self.cuts > 0
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.messages += other.messages;
        self.ends += other.ends;
        self.retentions += other.retentions;
        self.starts += other.starts;
        self.cuts += other.cuts;
        self.departures += other.departures;
        self.looks += other.looks;
    }
}
