//! The end of a turn: everything that it changed is written at once, and only then is anything of
//! it sent, answered or shown. Or none of it happened.

use std::collections::BTreeSet;

use kith_crdt::encoding;
use kith_crdt::ids::ChannelId;
use kith_crdt::time::Millis;
use kith_store::StoreError;

use super::effect::{Effects, Outcome, Refusal};
use super::mend::Mending;
use super::retention::META_CLOCK;
use super::shared::ChannelView;
use super::stage::Stage;
use super::timers::Timers;
use super::{Engine, META_HLC, load, storage};
use crate::network::Command as NetworkCommand;

/// Milliseconds of the first rest: as often as RocksDB looks for space.
const REST_MS: u64 = 5_000;
/// Milliseconds of the longest.
const REST_MAX_MS: u64 = 60_000;

/// The rest after a turn that the disk did not take, in which nothing is tried by itself: it would
/// fail again at once, and each failure reads everything back. What somebody asks for is tried.
#[derive(Debug, Default)]
pub(super) struct Rest {
    until: Option<Millis>,
    ms: u64,
}

impl Rest {
    /// Begins another, twice as long as the one before, unless one is on.
    fn begin(&mut self, now: Millis) {
        if self.is_on(now) {
            return;
        }
        self.ms = (2 * self.ms).clamp(REST_MS, REST_MAX_MS);
        self.until = Some(now.plus(self.ms));
    }

    /// The disk takes turns again, or the clock by which this one would end fell back.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    pub(super) fn is_on(&self, now: Millis) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// When what is due at a time is to be tried.
    pub(super) fn put_off(&self, at: Millis) -> Millis {
        self.until.map_or(at, |until| at.max(until))
    }
}

impl Engine {
    /// Commits the turn and releases its effects.
    pub(super) fn finish(&mut self) -> Effects {
        self.publish_outgoing();
        self.settle_own();
        self.count_unread();
        self.look_for_room(self.now);
        for (id, log_id) in std::mem::take(&mut self.stage.logs) {
            if let Some(log) = self
                .channels
                .get(&id)
                .and_then(|channel| channel.logs.get(&log_id))
            {
                self.stage
                    .batch
                    .put_log(&id, &log_id, encoding::encode(log));
            }
        }
        for key in std::mem::take(&mut self.stage.seen_changed) {
            if let Some(seen) = self.stage.seen.get(&key) {
                let (id, segment, account) = key;
                self.stage
                    .batch
                    .put_seen(&id, &segment, &account, encoding::encode(seen));
            }
        }
        self.keep_damage();
        self.keep_erasures();
        self.peers.save(&mut self.stage.batch);
        let stage = std::mem::replace(&mut self.stage, Stage::new(self.store.batch()));
        let mut effects = stage.effects;
        if !stage.batch.is_empty() {
            let mut batch = stage.batch;
            batch.put_meta(META_HLC, encoding::encode(&self.hlc));
            if let Some(witness) = self.witness.keep_now() {
                batch.put_meta(META_CLOCK, encoding::encode(&witness));
            }
            match self.store.commit(batch) {
                Ok(commit) => {
                    self.rest.end();
                    effects.newest_event = (commit.first <= commit.cursor).then_some(commit.cursor);
                }
                Err(error) => return self.undo(effects, &error),
            }
        }
        self.share(&stage.touched);
        if let Some(linking) = stage.linking {
            self.shared.put_linking(linking);
        }
        self.shared.put_clock_ahead(self.witness.leapt_by(self.now));
        self.shared.put_quota(self.quota);
        effects
    }

    /// Makes the pictures that readers see anew.
    fn share(&mut self, touched: &BTreeSet<ChannelId>) {
        self.shared.put_floor(self.witness.believed());
        for id in touched {
            match self.channels.get_mut(id) {
                Some(channel) => {
                    if channel.newest_ended {
                        load::last_activity(&self.store.reader().view(), channel);
                    }
                    self.shared
                        .put(ChannelView::of(channel, &self.me, &self.writer.device))
                }
                None => self.shared.remove(id),
            }
        }
        self.share_own();
        if std::mem::take(&mut self.devices_changed) {
            self.shared.put_devices(self.devices.clone());
        }
        if std::mem::take(&mut self.peers_changed) {
            self.shared.put_peers(self.peers.table().clone());
            self.shared
                .put_listening(self.peers.own_addresses().collect());
        }
    }

    /// A turn that did not reach the disk did not happen: its commands are refused, nothing of it
    /// is sent, and memory goes back to what the store holds.
    fn undo(&mut self, effects: Effects, error: &StoreError) -> Effects {
        tracing::error!("the store did not take a turn: {error}");
        let refusal = storage(error);
        let begins_rewriting = !effects.erase.is_empty();
        // A turn that failed may be on the disk all the same, and nothing tells of its places then.
        self.forgotten.spans.extend(effects.erase.iter().copied());
        let mut answers: Vec<(u64, Result<Outcome, Refusal>)> = effects
            .answers
            .into_iter()
            .map(|(token, answer)| (token, answer.and(Err(refusal.clone()))))
            .collect();
        let mut network: Vec<NetworkCommand> = effects
            .network
            .into_iter()
            .filter(|command| {
                matches!(
                    command,
                    NetworkCommand::Dial { .. } | NetworkCommand::Protect(_)
                )
            })
            .collect();
        let topics: Vec<String> = std::mem::take(&mut self.topics).into_keys().collect();
        network.extend(topics.into_iter().map(NetworkCommand::Unsubscribe));
        for channel in self.channels.values() {
            let waiting = channel.joining.iter().flat_map(|joining| &joining.waiting);
            let mending = channel.mending.iter().flat_map(Mending::waiting);
            answers.extend(
                waiting
                    .chain(mending)
                    .map(|token| (*token, Err(refusal.clone()))),
            );
        }
        let sweeping = std::mem::take(&mut self.sweeping).into_iter();
        let waiting = std::mem::take(&mut self.mending_home).into_iter();
        let waiting = waiting.chain(sweeping.map(|sweeping| sweeping.token));
        let erasing = std::mem::take(&mut self.erasing).into_values();
        let waiting = waiting.chain(erasing.flat_map(|erasing| erasing.waiting));
        answers.extend(waiting.map(|token| (token, Err(refusal.clone()))));
        if begins_rewriting {
            // It does not begin, so it does not end either.
            self.forgotten.rewriting = None;
        }
        // What it had promised to a device is not on the disk.
        self.linking = None;
        self.shared.put_linking(None);
        self.rest.begin(self.now);
        self.timers = Timers::default();
        self.lives = Timers::default();
        self.branches.clear();
        self.outstanding.forget();
        self.shown_to.clear();
        if let Err(error) = self.load(self.now) {
            // Going on would build on what was never stored. The daemon ends with its engine.
            panic!("the store cannot be read back: {error}");
        }
        // The time passed whether it was written down or not: a clock that was watched all the
        // while has not leapt.
        self.witness = self.watched.not_kept();
        self.shared.put_floor(self.witness.believed());
        // What loading staged is for the next turn's commit; what it released goes out now.
        network.extend(std::mem::take(&mut self.stage.effects).network);
        Effects {
            network,
            answers,
            ..Effects::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rest_is_twice_as_long_as_the_one_before_and_failing_in_it_begins_no_other() {
        let mut rest = Rest::default();
        let mut now = Millis(1_000);
        for ms in [5_000, 10_000, 20_000, 40_000, 60_000, 60_000] {
            assert!(!rest.is_on(now));
            rest.begin(now);
            assert_eq!(rest.put_off(now), now.plus(ms));
            assert_eq!(rest.put_off(now.plus(ms + 7)), now.plus(ms + 7));
            rest.begin(now.plus(1));
            assert!(rest.is_on(now.plus(ms - 1)));
            now = now.plus(ms);
        }
        rest.begin(now);
        rest.end();
        assert_eq!(rest.put_off(now), now);
        rest.begin(now);
        assert_eq!(rest.put_off(now), now.plus(5_000));
    }
}
