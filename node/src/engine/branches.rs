//! The documents this device is writing: its own branch of each open segment, loaded on demand
//! and kept within a bound.

use std::num::NonZeroUsize;

use kith_crdt::ids::{ChannelId, LogId};
use kith_crdt::segment::{Branch, BranchError, Entry};
use kith_store::{Batch, Store};
use lru::LruCache;

use super::channel::Channel;

/// How many branches stay loaded: one for each channel somebody at this node is writing in.
const LOADED_MAX: NonZeroUsize = NonZeroUsize::new(64).expect("64 is not zero");
/// A branch is saved anew after so many entries, so that loading replays at most as many.
const SNAPSHOT_EVERY: u32 = 1_024;
/// Envelopes replayed at a time.
const REPLAY_PAGE: usize = 512;

/// Why this device cannot go on with what it wrote.
#[derive(Debug, thiserror::Error)]
pub(super) enum BranchLost {
    /// An own envelope is damaged or its key is gone.
    #[error(
        "what this device wrote today cannot be read back: restore the home from a backup made after this device last wrote (an older one must not write), or make a new home and ask for an invite"
    )]
    Unreadable,
    /// Own changes do not fit together.
    #[error("what this device wrote today does not fit together: {0}")]
    Broken(#[from] BranchError),
}

/// The loaded branches.
#[derive(Debug)]
pub(super) struct Branches {
    loaded: LruCache<(ChannelId, LogId), Loaded>,
}

#[derive(Debug)]
struct Loaded {
    branch: Branch,
    saved_at: u32,
}

impl Default for Branches {
    fn default() -> Self {
        Self {
            loaded: LruCache::new(LOADED_MAX),
        }
    }
}

impl Branches {
    /// Writes an entry as number `seq` and returns the change to be sealed.
    ///
    /// # Errors
    /// [`BranchLost`] if the branch has to be loaded and cannot be.
    pub(super) fn write(
        &mut self,
        store: &Store,
        channel: &Channel,
        log: LogId,
        seq: u32,
        entry: &Entry,
    ) -> Result<Vec<u8>, BranchLost> {
        let key = (channel.id, log);
        if self
            .loaded
            .get(&key)
            .is_none_or(|loaded| loaded.branch.seq() + 1 != seq)
        {
            let loaded = load(store, channel, log, seq - 1)?;
            self.loaded.put(key, loaded);
        }
        let loaded = self
            .loaded
            .get_mut(&key)
            .expect("it was put there just now");
        Ok(loaded.branch.write(entry))
    }

    /// Forgets a branch whose log was changed by somebody else.
    pub(super) fn forget(&mut self, channel: ChannelId, log: LogId) {
        self.loaded.pop(&(channel, log));
    }

    /// Forgets everything: what is on disk is the truth.
    pub(super) fn clear(&mut self) {
        self.loaded.clear();
    }

    /// Stages snapshots of the branches that grew enough, or of all.
    pub(super) fn save(&mut self, batch: &mut Batch, all: bool) {
        for ((channel, log), loaded) in self.loaded.iter_mut() {
            let grown = loaded.branch.seq() - loaded.saved_at;
            if grown >= SNAPSHOT_EVERY || (all && grown > 0) {
                batch.put_snapshot(channel, log, loaded.branch.save());
                loaded.saved_at = loaded.branch.seq();
            }
        }
    }
}

/// Builds a branch out of its snapshot and the envelopes after it, up to `head`.
fn load(store: &Store, channel: &Channel, log: LogId, head: u32) -> Result<Loaded, BranchLost> {
    let reader = store.reader();
    let view = reader.view();
    let actor = log.writer.actor(&channel.id);
    let snapshot = view
        .snapshot(&channel.id, &log)
        .and_then(|bytes| Branch::load(&bytes, actor).ok())
        .filter(|branch| branch.seq() <= head);
    let mut branch = snapshot.unwrap_or_else(|| Branch::new(actor));
    let saved_at = branch.seq();
    while branch.seq() < head {
        let page = view.envelopes(&channel.id, &log, branch.seq() + 1, REPLAY_PAGE, usize::MAX);
        let before = branch.seq();
        let changes: Vec<Vec<u8>> = page
            .iter()
            .take((head - before) as usize)
            .map_while(|(seq, stored)| channel.open_stored_change(log.place(*seq), stored))
            .collect();
        branch.apply(changes.iter().map(Vec::as_slice))?;
        if branch.seq() == before {
            return Err(BranchLost::Unreadable);
        }
    }
    Ok(Loaded { branch, saved_at })
}
