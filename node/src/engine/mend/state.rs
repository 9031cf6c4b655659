//! How far the mending of a channel has come.

use std::collections::BTreeSet;

use kith_crdt::ids::{DeviceId, LogId, Place};
use minicbor::{Decode, Encode};

use crate::engine::channel::Channel;

/// Places that are named of those awaited or lost.
const NAMED_MAX: usize = 16;

/// How far a mending has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// It has not begun, for want of a control log.
    Begun,
    /// These logs are still to be gone through.
    Logs(BTreeSet<LogId>),
    /// The logs are done, and what is counted is to be counted anew.
    Count,
    /// What is missing is awaited.
    Awaiting,
    /// Nothing more is to be had.
    Done,
}

/// The same on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub(super) enum Progress {
    #[n(1)]
    Begun,
    #[n(2)]
    Awaiting,
    #[n(3)]
    Done,
}

/// The mending of one channel.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Mending {
    pub(super) phase: Phase,
    pub(super) waiting: Vec<u64>,
    /// Records that could not be read and were dropped.
    pub(super) dropped: u64,
    /// Logs and entries that were gone through.
    pub(in crate::engine) logs: u64,
    pub(in crate::engine) entries: u64,
    /// Entries that were missing after that.
    pub(in crate::engine) missing: u64,
    /// Ops there were when the logs were gone through.
    pub(super) ops: usize,
    /// Devices that were asked for keys since.
    pub(super) asked: BTreeSet<DeviceId>,
}

/// How a mending stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MendState {
    /// Whether nothing more is to be had.
    pub done: bool,
    /// Records that could not be read and were dropped.
    pub dropped: u64,
    /// Logs that were gone through.
    pub logs: u64,
    /// Entries in them, of which everything shown was made anew.
    pub entries: u64,
    /// Entries that were missing and came back from other members.
    pub fetched: u64,
    /// Whether ops of the control log are awaited.
    pub ops_awaited: bool,
    /// Entries that are awaited.
    pub awaited: u64,
    /// The first of them.
    pub awaited_at: Vec<Place>,
    /// Whether keys are awaited.
    pub keys_awaited: bool,
    /// Entries that nobody has any more.
    pub lost: u64,
    /// The first of them.
    pub lost_at: Vec<Place>,
    /// Entries that are here and that no key is known for.
    pub unopened: u64,
}

impl Mending {
    pub(super) fn new(phase: Phase) -> Self {
        Self {
            phase,
            waiting: Vec::new(),
            dropped: 0,
            logs: 0,
            entries: 0,
            missing: 0,
            ops: 0,
            asked: BTreeSet::new(),
        }
    }

    /// The commands that wait for it.
    pub(in crate::engine) fn waiting(&self) -> impl Iterator<Item = &u64> {
        self.waiting.iter()
    }

    pub(super) const fn progress(&self) -> Progress {
        match self.phase {
            Phase::Begun | Phase::Logs(_) | Phase::Count => Progress::Begun,
            Phase::Awaiting => Progress::Awaiting,
            Phase::Done => Progress::Done,
        }
    }
}

impl Channel {
    /// Whether a mending is under way.
    pub(in crate::engine) fn is_mending(&self) -> bool {
        let phase = self.mending.as_ref().map(|mending| &mending.phase);
        phase.is_some_and(|phase| *phase != Phase::Done)
    }

    /// How the mending under way stands, or how the last one ended.
    pub(in crate::engine) fn mend_state(&self) -> Option<MendState> {
        let mending = self.mending.as_ref()?;
        let places = |lost: bool| {
            let all = self.logs.values().flat_map(move |log| {
                let numbers = if lost { &log.lost } else { &log.awaited };
                numbers.iter().map(|seq| log.id.place(seq))
            });
            all.take(NAMED_MAX).collect()
        };
        let awaited = self.logs.values().map(|log| log.awaited.len()).sum();
        let lost = self.logs.values().map(|log| log.lost.len()).sum();
        Some(MendState {
            done: mending.phase == Phase::Done,
            dropped: mending.dropped,
            logs: mending.logs,
            entries: mending.entries,
            fetched: mending.missing.saturating_sub(awaited + lost),
            ops_awaited: self.lost_ops,
            awaited,
            awaited_at: places(false),
            keys_awaited: mending.phase != Phase::Done && self.reopen_from.is_some(),
            lost,
            lost_at: places(true),
            unopened: self.logs.values().map(|log| log.unopened.len()).sum(),
        })
    }

    /// Whether every other device of the channel is among these.
    pub(super) fn is_everybody(&self, this: &DeviceId, among: impl Fn(&DeviceId) -> bool) -> bool {
        self.others(this).all(|(device, _)| among(&device))
    }
}
