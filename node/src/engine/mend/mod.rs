//! Mending: what damage on the disk took from a channel is made good as far as it can be had.
//!
//! Of the truth there are two kinds: signed pieces (ops and envelopes) and keys. Whatever else is
//! kept of a channel follows from them. So a mending
//! 1. waits for a control log, if that was lost (`recover`);
//! 2. drops what cannot be read, and all that follows from other records;
//! 3. goes through the logs and makes it anew (`rebuild`). A log that has lost an envelope ends
//!    before it, so that ordinary sync brings it back from whoever has it;
//! 4. waits until everybody was asked. What nobody has is lost, and is called so.
//!
//! How far it has come (`state`) is kept on the disk, and goes on at the next start. Only then is the damage
//! forgotten: until everything is back or known to be lost, whoever reads is warned.

mod state;

use std::collections::BTreeMap;

use kith_crdt::encoding;
use kith_crdt::ids::{ChannelId, DeviceId, LogId, TransportKey};
use kith_crdt::time::Millis;

pub use state::MendState;
pub(super) use state::Mending;
use state::{Phase, Progress};

use super::channel::Channel;
use super::effect::{Outcome, Refusal};
use super::incarnation::Cause;
use super::keys::FIRST_PLACE;
use super::write::no_channel;
use super::{Engine, Timer, load, storage};

/// The name under which the store keeps how far mendings have come.
const META_MENDING: &str = "mending";
/// Bytes of that record at most.
const RECORD_MAX: usize = 256 * 1024;
/// Milliseconds between looks at what is awaited.
const PATIENCE_MS: u64 = 3_000;

impl Engine {
    /// Begins to mend a channel, or all of them. The command is answered when it is over.
    pub(super) fn begin_mending(
        &mut self,
        now: Millis,
        token: u64,
        channel: Option<ChannelId>,
    ) -> Result<(), Refusal> {
        self.store.check_files().map_err(storage)?;
        if let Some(id) = channel {
            let channel = self.channels.get_mut(&id).ok_or_else(no_channel)?;
            let mut waiting = channel
                .mending
                .take()
                .map_or_else(Vec::new, |mending| mending.waiting);
            waiting.push(token);
            let mending = Mending::new(Phase::Begun);
            channel.mending = Some(Mending { waiting, ..mending });
            self.timers.set(Timer::Mend(id), now);
            self.keep_mending();
            return Ok(());
        }
        for (id, channel) in &mut self.channels {
            let waiting = channel.mending.take().map(|mending| mending.waiting);
            let mending = Mending::new(Phase::Begun);
            channel.mending = Some(Mending {
                waiting: waiting.unwrap_or_default(),
                ..mending
            });
            self.timers.set(Timer::Mend(*id), now);
        }
        self.mending_home.push(token);
        self.keep_mending();
        self.end_mending_home()
    }

    /// Takes up at a start what was begun before.
    pub(super) fn resume_mending(&mut self, now: Millis) {
        let stored = self.store.reader().view().meta(META_MENDING);
        let known: BTreeMap<ChannelId, Progress> = stored
            .unwrap_or_default()
            .and_then(|bytes| encoding::decode(&bytes, RECORD_MAX).ok())
            .unwrap_or_default();
        for (id, progress) in known {
            let Some(channel) = self.channels.get_mut(&id) else {
                continue;
            };
            let phase = match progress {
                Progress::Begun => Phase::Begun,
                Progress::Awaiting => Phase::Awaiting,
                Progress::Done => Phase::Done,
            };
            let mut mending = Mending::new(phase);
            mending.ops = channel.control.len();
            mending.missing = channel.logs.values().map(|log| log.awaited.len()).sum();
            channel.mending = Some(mending);
            if progress != Progress::Done {
                self.timers.set(Timer::Mend(id), now);
            }
        }
    }

    /// Whether every channel is being mended and that has come as far as it can with nobody
    /// connected: all logs that are here were gone through.
    pub fn has_gone_through(&self) -> bool {
        let is_done = |channel: &Channel| match channel.mending.as_ref().map(|it| &it.phase) {
            Some(Phase::Awaiting | Phase::Done) => true,
            Some(Phase::Begun) => channel.control.is_empty() || channel.control.waiting() > 0,
            None | Some(Phase::Logs(_) | Phase::Count) => false,
        };
        self.channels.values().all(is_done)
    }

    /// How many entries the mendings under way have gone through.
    pub fn entries_gone_through(&self) -> u64 {
        let mendings = self.channels.values().filter_map(|it| it.mending.as_ref());
        mendings.map(|mending| mending.entries).sum()
    }

    /// Has a mending look at once whether it can go on.
    pub(super) fn go_on_mending(&mut self, now: Millis, id: ChannelId) {
        if self.channels.get(&id).is_some_and(Channel::is_mending) {
            self.timers.set_by(Timer::Mend(id), now);
        }
    }

    /// Writes down how far all mendings have come.
    fn keep_mending(&mut self) {
        let known: BTreeMap<ChannelId, Progress> = self
            .channels
            .iter()
            .filter_map(|(id, channel)| Some((*id, channel.mending.as_ref()?.progress())))
            .collect();
        self.stage.touched.extend(known.keys());
        if known.is_empty() {
            self.stage.batch.delete_meta(META_MENDING);
        } else {
            let record = encoding::encode(&known);
            self.stage.batch.put_meta(META_MENDING, record);
        }
    }

    /// Writes down what damage was met in this turn or since the last, by whomever. It makes every
    /// mending that has ended one of before.
    pub(super) fn keep_damage(&mut self) {
        match self.store.keep_damage() {
            Ok(true) if !self.channels.values().any(Channel::is_mending) => {
                for channel in self.channels.values_mut() {
                    channel.mending = None;
                }
                self.keep_mending();
            }
            Ok(_) => {}
            Err(error) => tracing::warn!("what is damaged could not be written down: {error}"),
        }
    }

    /// Goes on with the mending of a channel.
    pub(super) fn mend_step(&mut self, now: Millis, id: ChannelId) {
        let Some(mending) = self
            .channels
            .get(&id)
            .and_then(|channel| channel.mending.as_ref())
        else {
            return;
        };
        let done = match &mending.phase {
            Phase::Begun => self.clear_for_mending(now, id),
            Phase::Logs(_) => {
                self.mend_logs(now, id);
                Ok(())
            }
            // What this turn has changed is counted once it is on the disk.
            Phase::Count if self.stage.touched.contains(&id) => {
                self.timers.set(Timer::Mend(id), now.plus(1));
                return;
            }
            Phase::Count => self.count_mended(now, id),
            Phase::Awaiting => self.await_missing(now, id),
            Phase::Done => Ok(()),
        };
        if let Err(refusal) = done {
            self.give_up_mending(id, &refusal);
        }
        self.stage.touched.insert(id);
    }

    fn phase(&mut self, id: ChannelId, phase: Phase) {
        let channel = self.channels.get_mut(&id);
        if let Some(mending) = channel.and_then(|channel| channel.mending.as_mut()) {
            mending.phase = phase;
        }
    }

    /// Drops what cannot be read and what follows from other records, and finds the logs to go
    /// through. Without a control log it only asks for one.
    fn clear_for_mending(&mut self, now: Millis, id: ChannelId) -> Result<(), Refusal> {
        let channel = &self.channels[&id];
        if channel.joining.is_some() && channel.control.is_empty() {
            // A join that has brought nothing yet has nothing that could be lost.
            return self.end_mending(id);
        }
        if channel.control.is_empty() || channel.control.waiting() > 0 {
            let peers: Vec<TransportKey> = self.peers.connected().copied().collect();
            for peer in peers {
                self.seek_ops(now, id, peer);
            }
            self.timers.set(Timer::Mend(id), now.plus(PATIENCE_MS));
            return Ok(());
        }
        self.store.check_files().map_err(storage)?;
        let logs = self.logs_to_mend(id);
        let dropped = self.store.drop_derived(&id).map_err(storage)?
            + self.store.drop_unreadable(&id).map_err(storage)?;
        let Some(channel) = self.channels.get_mut(&id) else {
            return Ok(());
        };
        channel.own_seen.clear();
        let record = channel.record();
        self.stage.batch.put_channel(&id, encoding::encode(&record));
        if let Some(mending) = &mut channel.mending {
            mending.dropped = dropped;
            mending.ops = channel.control.len();
            mending.phase = Phase::Logs(logs);
            (mending.logs, mending.entries, mending.missing) = (0, 0, 0);
        }
        self.timers.set(Timer::Mend(id), now);
        Ok(())
    }

    /// Goes through as many logs as are good for one turn.
    fn mend_logs(&mut self, now: Millis, id: ChannelId) {
        let channel = self.channels.get_mut(&id);
        let Some(mending) = channel.and_then(|channel| channel.mending.as_mut()) else {
            return;
        };
        let Phase::Logs(logs) = &mut mending.phase else {
            return;
        };
        // What this turn has added to a log is not on the disk yet, where it is read from.
        let is_changing = |log_id: &LogId| self.stage.logs.contains(&(id, *log_id));
        let next = logs.iter().find(|log_id| !is_changing(log_id)).copied();
        match next {
            Some(log_id) => {
                logs.remove(&log_id);
                self.rebuild_log(now, id, log_id);
            }
            None if logs.is_empty() => mending.phase = Phase::Count,
            None => {}
        }
        self.timers.set(Timer::Mend(id), now.plus(1));
    }

    /// Counts anew, and asks everybody for what is missing.
    fn count_mended(&mut self, now: Millis, id: ChannelId) -> Result<(), Refusal> {
        self.timers.set(Timer::Settings, now);
        let reader = self.store.reader();
        let has_damage = self.store.has_damage();
        let me = self.me;
        let Some(channel) = self.channels.get_mut(&id) else {
            return Ok(());
        };
        // Keys that the disk has lost may still be in memory.
        for keys in channel.keys.iter() {
            self.store
                .put_epoch(&id, &keys.epoch, &encoding::encode(keys))
                .map_err(storage)?;
        }
        load::figures(&reader.view(), &me, channel);
        channel.in_step.clear();
        self.outstanding.forget_sessions(&id);
        channel.digests.settle();
        channel.reopen_from = Some(FIRST_PLACE);
        let missing = channel
            .mending
            .as_ref()
            .map_or(0, |mending| mending.missing);
        self.branches.clear();
        if has_damage || missing > 0 {
            self.begin_anew(now, Cause::Damage);
        }
        self.phase(id, Phase::Awaiting);
        self.keep_mending();
        for (peer, _) in self.connected_members(id) {
            self.sync_with(now, id, peer);
        }
        self.timers.set(Timer::Keys(id), now);
        self.timers.set(Timer::Mend(id), now);
        Ok(())
    }

    /// Looks what is still missing, and whether anybody is left who may have it.
    fn await_missing(&mut self, now: Millis, id: ChannelId) -> Result<(), Refusal> {
        let (me, this) = (self.me, self.writer.device);
        let Some(channel) = self.channels.get_mut(&id) else {
            return Ok(());
        };
        let Some(mending) = &channel.mending else {
            return Ok(());
        };
        if channel.lost_ops && !channel.control.is_empty() && channel.others(&this).next().is_none()
        {
            channel.lost_ops = false;
        }
        if !channel.lost_ops && mending.ops != channel.control.len() {
            // Ops that came back may say whose the logs are, and what counts in them.
            self.phase(id, Phase::Begun);
            self.timers.set(Timer::Mend(id), now);
            return Ok(());
        }
        // Whoever is out is given nothing by anybody.
        let is_out = !channel.roster.belongs_on(&me, &this);
        let asked = |device: &DeviceId| is_out || mending.asked.contains(device);
        let keys_here = channel.reopen_from.is_none()
            && (channel.missing_epochs(&me, self.now).is_empty()
                || channel.is_everybody(&this, asked));
        let compared = |device: &DeviceId| is_out || channel.in_step.contains_key(device);
        if channel.is_everybody(&this, compared) {
            let forsaken: Vec<LogId> = channel
                .logs
                .values()
                .filter(|log| !log.awaited.is_empty())
                .map(|log| log.id)
                .collect();
            for log_id in forsaken {
                let log = channel.log_mut(log_id);
                let awaited = std::mem::take(&mut log.awaited);
                log.lost.extend(&awaited);
                self.stage.logs.insert((id, log_id));
            }
        }
        let is_awaited = channel.logs.values().any(|log| !log.awaited.is_empty());
        if is_awaited || !keys_here || channel.lost_ops {
            self.ask_for_missing(now, id);
            return Ok(());
        }
        self.end_mending(id)
    }

    fn ask_for_missing(&mut self, now: Millis, id: ChannelId) {
        for (peer, device) in self.connected_members(id) {
            if !self.channels[&id].in_step.contains_key(&device) {
                self.sync_with(now, id, peer);
            }
        }
        self.timers.set_by(Timer::Keys(id), now.plus(PATIENCE_MS));
        self.timers.set(Timer::Mend(id), now.plus(PATIENCE_MS));
    }

    /// Notes who was asked for keys.
    pub(super) fn note_keys_given(&mut self, now: Millis, id: ChannelId, peer: &TransportKey) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        let Some((device, _)) = channel.roster.by_transport(peer) else {
            return;
        };
        if let Some(mending) = &mut channel.mending {
            mending.asked.insert(device);
        }
        self.go_on_mending(now, id);
    }

    /// Ends a mending: nothing more is to be had, and the damage is forgotten.
    fn end_mending(&mut self, id: ChannelId) -> Result<(), Refusal> {
        // It may only have shown while everything was read.
        self.store.check_files().map_err(storage)?;
        self.store.forget_damage(Some(&id)).map_err(storage)?;
        self.phase(id, Phase::Done);
        let channel = self.channels.get_mut(&id);
        let waiting = channel
            .and_then(|channel| channel.mending.as_mut())
            .map_or_else(Vec::new, |mending| std::mem::take(&mut mending.waiting));
        for token in waiting {
            self.stage.answer(token, Ok(Outcome::Done));
        }
        self.keep_mending();
        self.end_mending_home()
    }

    /// Forgets damage of which it is not known whose it is, once every channel has been mended.
    fn end_mending_home(&mut self) -> Result<(), Refusal> {
        let is_done = |channel: &Channel| {
            let phase = channel.mending.as_ref().map(|mending| &mending.phase);
            phase == Some(&Phase::Done)
        };
        if self.channels.values().all(is_done) {
            self.store.forget_damage(None).map_err(storage)?;
            for token in std::mem::take(&mut self.mending_home) {
                self.stage.answer(token, Ok(Outcome::Done));
            }
        }
        Ok(())
    }

    fn give_up_mending(&mut self, id: ChannelId, refusal: &Refusal) {
        let channel = self.channels.get_mut(&id);
        let waiting = channel
            .and_then(|channel| channel.mending.take())
            .map_or_else(Vec::new, |mending| mending.waiting);
        let home = std::mem::take(&mut self.mending_home);
        for token in waiting.into_iter().chain(home) {
            self.stage.answer(token, Err(refusal.clone()));
        }
        self.keep_mending();
    }
}
