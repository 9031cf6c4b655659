//! The branches this device is writing on: where its own changes to each open segment have come
//! to, taken up from its last envelope on demand and kept within a bound.

use std::num::NonZeroUsize;

use kith_crdt::ids::{ChannelId, LogId};
use kith_crdt::segment::{Branch, ChangeError, Entry};
use kith_store::Store;
use lru::LruCache;

use super::channel::Channel;

/// How many branches stay at hand: one for each channel somebody at this node is writing in. Each
/// takes a hundred bytes, and one envelope has to be read to take it up again.
const KEPT_MAX: NonZeroUsize = NonZeroUsize::new(256).expect("256 is not zero");

/// Why this device cannot go on with what it wrote.
#[derive(Debug, thiserror::Error)]
pub(super) enum BranchLost {
    /// The last own envelope is damaged or its key is gone.
    #[error("the last entry of this device cannot be read back")]
    Unreadable,
    /// The last own envelope holds no change of this device's.
    #[error("the last entry of this device is not its own: {0}")]
    Broken(#[from] ChangeError),
}

/// The branches at hand.
#[derive(Debug)]
pub(super) struct Branches(LruCache<(ChannelId, LogId), Branch>);

impl Default for Branches {
    fn default() -> Self {
        Self(LruCache::new(KEPT_MAX))
    }
}

impl Branches {
    /// Writes an entry as number `seq` and returns the change to be sealed.
    ///
    /// # Errors
    /// [`BranchLost`] if the branch has to be taken up and cannot be.
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
            .0
            .get(&key)
            .is_none_or(|branch| branch.seq() + 1 != seq)
        {
            self.0.put(key, take_up(store, channel, log, seq - 1)?);
        }
        let branch = self.0.get_mut(&key).expect("it was put there just now");
        Ok(branch.write(entry))
    }

    /// Forgets a branch whose log was changed by somebody else.
    pub(super) fn forget(&mut self, channel: ChannelId, log: LogId) {
        self.0.pop(&(channel, log));
    }

    /// Forgets everything: what is on disk is the truth.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Takes a branch up after its entry number `head`.
fn take_up(store: &Store, channel: &Channel, log: LogId, head: u32) -> Result<Branch, BranchLost> {
    let actor = log.writer.actor(&channel.id);
    if head == 0 {
        return Ok(Branch::new(actor));
    }
    let place = log.place(head);
    let reader = store.reader();
    let stored = reader.view().envelope(&channel.id, &place);
    let change = stored
        .and_then(|stored| channel.open_stored_change(place, &stored))
        .ok_or(BranchLost::Unreadable)?;
    Ok(Branch::resume(actor, head, &change)?)
}
