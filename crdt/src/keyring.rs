//! The epochs of a channel that this device can read, and the window keys they give.
//!
//! It knows nothing of who may read what: it holds what was granted.

use std::collections::BTreeMap;

use crate::crypto::secret::Secret;
use crate::ids::{EpochId, Window};
use crate::keys::{EpochKeys, walk, window_key};

/// The readable epochs of one channel.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    epochs: BTreeMap<EpochId, EpochKeys>,
}

impl Keyring {
    /// An empty ring.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an epoch and tells whether that changed anything. Of two grants of one epoch the one
    /// that reaches further back is kept.
    pub fn insert(&mut self, keys: EpochKeys) -> bool {
        if self
            .get(&keys.epoch)
            .is_some_and(|held| held.window <= keys.window)
        {
            return false;
        }
        self.epochs.insert(keys.epoch, keys);
        true
    }

    /// Takes an epoch off the ring.
    pub fn remove(&mut self, epoch: &EpochId) -> bool {
        self.epochs.remove(epoch).is_some()
    }

    /// Whether an epoch is on the ring, from whatever window on.
    pub fn has(&self, epoch: &EpochId) -> bool {
        self.epochs.contains_key(epoch)
    }

    /// The keys of an epoch.
    pub fn get(&self, epoch: &EpochId) -> Option<&EpochKeys> {
        self.epochs.get(epoch)
    }

    /// The keys of every epoch, by epoch id.
    pub fn iter(&self) -> impl Iterator<Item = &EpochKeys> {
        self.epochs.values()
    }

    /// The key that seals the gossip frames of an epoch.
    pub fn frame_key(&self, epoch: &EpochId) -> Option<&Secret> {
        self.get(epoch).map(|keys| &keys.frame_key)
    }

    /// The gossip topics and the epochs behind them.
    pub fn topics(&self) -> BTreeMap<String, EpochId> {
        self.iter().map(|keys| (keys.topic(), keys.epoch)).collect()
    }

    /// The key of a window in an epoch: none if the epoch is not held, begins later, or the
    /// window is not one of its windows.
    pub fn window_key(&self, epoch: &EpochId, window: Window) -> Option<Secret> {
        let keys = self.get(epoch)?;
        // A step for each window since the epoch's first; an epoch is replaced within days.
        let chain = walk(&keys.chain, keys.window, window, keys.term.unit_hours())?;
        Some(window_key(&chain, window))
    }

    /// Forgets how to read every window of an epoch before `window`, and tells whether the
    /// chain moved. What was stored of the epoch has to be replaced by what [`Self::get`] then
    /// returns.
    pub fn advance(&mut self, epoch: &EpochId, window: Window) -> bool {
        self.epochs
            .get_mut(epoch)
            .is_some_and(|keys| keys.window < window && keys.advance(window))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ChannelId;
    use crate::keys::EpochSecret;
    use crate::term::Term;

    fn ring(first: u32) -> (Keyring, EpochId) {
        let secret = EpochSecret::new(Secret::new([1; 32]));
        let keys = secret.into_keys(&ChannelId([9; 32]), Window(first), Term::FOREVER);
        let mut ring = Keyring::new();
        let epoch = keys.epoch;
        ring.insert(keys);
        (ring, epoch)
    }

    #[test]
    fn an_advanced_ring_reads_no_earlier_window() {
        let (mut ring, epoch) = ring(240);
        let before = ring.window_key(&epoch, Window(480));
        assert!(ring.advance(&epoch, Window(480)));
        assert_eq!(ring.window_key(&epoch, Window(480)), before);
        assert!(ring.window_key(&epoch, Window(264)).is_none());
    }

    #[test]
    fn the_grant_that_reaches_further_back_stays() {
        let (mut held, epoch) = ring(240);
        let mut later = held.get(&epoch).unwrap().clone();
        later.advance(Window(480));
        assert!(!held.insert(later.clone()));
        let mut short = Keyring::new();
        assert!(short.insert(later) && short.insert(held.get(&epoch).unwrap().clone()));
        assert!(short.window_key(&epoch, Window(240)).is_some());
    }
}
