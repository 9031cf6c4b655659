//! The epochs of a channel that this device can read, and the window keys they give.
//!
//! It knows nothing of who may read what: it holds what was granted.

use std::collections::BTreeMap;

use crate::crypto::secret::Secret;
use crate::ids::{EpochId, Window};
use crate::keys::{EpochKeys, walk, window_key};
use crate::limits::CHAIN_CACHE;

/// The readable epochs of one channel.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    epochs: BTreeMap<EpochId, Epoch>,
}

#[derive(Debug, Clone)]
struct Epoch {
    keys: EpochKeys,
    /// Chain values on the way, so that a year-old epoch is not walked anew for every envelope.
    walked: BTreeMap<Window, Secret>,
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
        self.epochs.insert(
            keys.epoch,
            Epoch {
                keys,
                walked: BTreeMap::new(),
            },
        );
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
        self.epochs.get(epoch).map(|held| &held.keys)
    }

    /// The keys of every epoch, by epoch id.
    pub fn iter(&self) -> impl Iterator<Item = &EpochKeys> {
        self.epochs.values().map(|held| &held.keys)
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
        Some(window_key(
            &self.epochs.get(epoch)?.chain_at(window)?,
            window,
        ))
    }

    /// Remembers the chain at a window, so that [`Self::window_key`] for it and what comes after
    /// it is one short walk. At most [`CHAIN_CACHE`] windows of an epoch are remembered.
    pub fn warm(&mut self, epoch: &EpochId, window: Window) {
        let Some(held) = self.epochs.get_mut(epoch) else {
            return;
        };
        if let Some(chain) = held.chain_at(window) {
            held.walked.insert(window, chain);
            if held.walked.len() > CHAIN_CACHE {
                held.walked.pop_first();
            }
        }
    }

    /// Forgets how to read every window of an epoch before `window`, and tells whether the
    /// chain moved. What was stored of the epoch has to be replaced by what [`Self::get`] then
    /// returns.
    pub fn advance(&mut self, epoch: &EpochId, window: Window) -> bool {
        let Some(held) = self.epochs.get_mut(epoch) else {
            return false;
        };
        if window <= held.keys.window {
            return false;
        }
        let Some(chain) = held.chain_at(window) else {
            return false;
        };
        held.keys.chain = chain;
        held.keys.window = window;
        held.walked = held.walked.split_off(&window);
        true
    }
}

impl Epoch {
    fn chain_at(&self, window: Window) -> Option<Secret> {
        let (from, chain) = self
            .walked
            .range(..=window)
            .next_back()
            .map_or((self.keys.window, &self.keys.chain), |(from, chain)| {
                (*from, chain)
            });
        walk(chain, from, window, self.keys.unit_hours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ChannelId;
    use crate::keys::EpochSecret;

    fn ring(first: u32) -> (Keyring, EpochId) {
        let secret = EpochSecret::new(Secret::new([1; 32]));
        let keys = secret.into_keys(&ChannelId([9; 32]), Window(first), 24);
        let mut ring = Keyring::new();
        let epoch = keys.epoch;
        ring.insert(keys);
        (ring, epoch)
    }

    #[test]
    fn a_remembered_walk_gives_the_same_keys() {
        let (cold, epoch) = ring(240);
        let mut warm = cold.clone();
        (240..24 * 200)
            .step_by(24)
            .for_each(|window| warm.warm(&epoch, Window(window)));
        for window in [240, 264, 24 * 150, 24 * 300] {
            assert_eq!(
                cold.window_key(&epoch, Window(window)),
                warm.window_key(&epoch, Window(window))
            );
        }
        assert!(cold.window_key(&epoch, Window(216)).is_none());
    }

    #[test]
    fn an_advanced_ring_reads_no_earlier_window() {
        let (mut ring, epoch) = ring(240);
        let before = ring.window_key(&epoch, Window(480));
        ring.warm(&epoch, Window(264));
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
