//! What readers see of the engine's state: one consistent picture of each channel, replaced as a
//! whole after a turn is durable. Readers never wait for a turn.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use kith_crdt::control::{CHANNEL_SELF, Roster};
use kith_crdt::ids::{AccountId, ChannelId, DeviceId, LogId, TransportKey};
use kith_crdt::keyring::Keyring;
use kith_crdt::time::Millis;

use super::channel::{Channel, Standing};
use super::devices::OwnDevices;
use super::holds::Holds;
use super::incarnation::Continuation;
use super::linking::LinkView;
use super::mend::MendState;
use super::own::OwnView;
use super::peers::Connected;
use super::unread::{Places, count};

/// One channel as readers see it.
#[derive(Debug, Clone)]
pub struct ChannelView {
    /// Its id.
    pub id: ChannelId,
    /// Its name, or the link's while a join is under way.
    pub name: String,
    /// How this node stands to it.
    pub standing: Standing,
    /// Who belongs to it.
    pub roster: Arc<Roster>,
    /// Whoever added this account, as long as it has written nothing here.
    pub added_by: Option<AccountId>,
    /// The keys that open it.
    pub keys: Arc<Keyring>,
    /// What each device holds of it.
    pub holds: Holds,
    /// Messages of others in the main timeline that this account has not read.
    pub unread: u64,
    /// Those in threads.
    pub unread_threads: Arc<Places>,
    /// Messages that are shown, in threads or not.
    pub messages: u64,
    /// Messages that are here and not shown: of others, by what was done about them.
    pub hidden: u64,
    /// Those of them that are in threads.
    pub hidden_threads: Places,
    /// The time of the newest message.
    pub last_activity: Option<Millis>,
    /// By what clock, which nobody believes yet, segments count as over for the others.
    pub concealed_at: Option<Millis>,
    /// Equal on nodes that hold the same.
    pub digest: [u8; 32],
    /// Own messages that no other device has.
    pub pending: u64,
    /// Devices found equal since they last differed, and when they last were.
    pub in_step: BTreeMap<DeviceId, Millis>,
    /// Devices that refused to compare when last asked.
    pub refused_by: BTreeSet<DeviceId>,
    /// Whether this account has left and no member is known to have heard of it.
    pub is_leaving: bool,
    /// The entries that pin a message or unpin one.
    pub pins: Places,
    /// When begins what this account may read; nothing if it may read everything.
    pub history_begins: Option<Millis>,
    /// Envelopes that others are known to hold and this node does not.
    pub missing: u64,
    /// How many bytes its envelopes may take up on this disk; nothing if there is no bound.
    pub quota: Option<u64>,
    /// How many they do.
    pub bytes: u64,
    /// Whether it takes nothing more, as its quota or that of all channels is used up.
    pub full: bool,
    /// How the mending under way stands, or how the last one ended.
    pub mending: Option<MendState>,
}

impl ChannelView {
    /// A picture of a channel as it is now.
    pub(super) fn of(channel: &mut Channel, me: &AccountId, device: &DeviceId) -> Self {
        let pending = channel
            .logs
            .iter()
            .filter(|(log_id, _)| log_id.writer.device == *device)
            .map(|(log_id, log)| pending_of(channel, log_id, &log.living()))
            .sum();
        let hidden = channel.hidden().map(|(_, hidden)| hidden.len()).sum();
        Self {
            id: channel.id,
            name: channel.name().to_owned(),
            standing: channel.standing(me, device),
            roster: Arc::clone(&channel.roster),
            added_by: channel.added_by(me),
            keys: Arc::clone(&channel.keys),
            holds: channel.holds.clone(),
            unread: channel.unread.in_main(),
            unread_threads: channel.unread.in_threads(),
            messages: channel.messages.saturating_sub(hidden),
            hidden,
            hidden_threads: channel
                .hidden()
                .map(|(log, hidden)| (log.id, hidden.intersect(&log.threaded)))
                .filter(|(_, hidden)| !hidden.is_empty())
                .collect(),
            last_activity: channel.last_activity,
            concealed_at: channel.concealed_at,
            digest: channel.digest(),
            pending,
            in_step: channel.in_step.clone(),
            refused_by: channel.refused_by.clone(),
            is_leaving: channel.leaving.is_some(),
            pins: channel.pins(),
            history_begins: channel.roster.history_begins(me),
            missing: channel.ahead.values().copied().max().unwrap_or(0),
            quota: channel.quota,
            bytes: channel.bytes,
            full: channel.full,
            mending: channel.mend_state(),
        }
    }
}

impl ChannelView {
    /// Whether a log is over by a clock that is not believed: it is no part of the channel for the
    /// others, and is not destroyed here yet.
    pub fn conceals(&self, id: &LogId) -> bool {
        self.concealed_at
            .is_some_and(|at| self.roster.is_over(&id.segment, at))
    }

    /// Whether an account keeps its settings in it, and nobody talks.
    pub fn is_own(&self) -> bool {
        self.roster.kind == CHANNEL_SELF
    }

    /// How many messages in threads are unread.
    pub fn unread_replies(&self) -> u64 {
        count(&self.unread_threads)
    }
}

fn pending_of(channel: &Channel, log_id: &LogId, messages: &kith_crdt::ranges::Ranges) -> u64 {
    let sent = channel.reaches.get(log_id).map_or(0, |reach| reach.sent);
    messages.above(sent)
}

/// Everything that readers share with the engine.
#[derive(Debug, Default)]
pub struct Shared {
    channels: RwLock<BTreeMap<ChannelId, Arc<ChannelView>>>,
    peers: RwLock<BTreeMap<TransportKey, Connected>>,
    continuation: RwLock<Continuation>,
    declined: AtomicU64,
    listening: RwLock<Vec<String>>,
    floor: AtomicU64,
    /// By how many milliseconds the clock is too far ahead; 0 if it is not.
    clock_ahead: AtomicU64,
    /// How many bytes all channels together may take up; 0 if there is no bound.
    quota: AtomicU64,
    devices: RwLock<Option<Arc<OwnDevices>>>,
    linking: RwLock<Option<Arc<LinkView>>>,
    own: RwLock<Arc<OwnView>>,
}

impl Shared {
    /// The latest that it has ever been to the engine. Readers take it for the time where their
    /// clock says less, so that a clock that falls back shows nothing that was hidden.
    pub fn floor(&self) -> Millis {
        Millis(self.floor.load(Ordering::Acquire))
    }

    /// By how many milliseconds this node's clock is ahead of the last time that anybody speaks
    /// for, where that is too much to destroy anything on its word.
    pub fn clock_ahead(&self) -> Option<u64> {
        Some(self.clock_ahead.load(Ordering::Relaxed)).filter(|ms| *ms > 0)
    }

    /// How many bytes the envelopes of all channels together may take up; nothing if there is no
    /// bound.
    pub fn quota(&self) -> Option<u64> {
        Some(self.quota.load(Ordering::Relaxed)).filter(|quota| *quota > 0)
    }

    pub(super) fn put_quota(&self, quota: Option<u64>) {
        self.quota.store(quota.unwrap_or(0), Ordering::Relaxed);
    }

    /// This account's devices. None before the engine has begun.
    pub fn devices(&self) -> Option<Arc<OwnDevices>> {
        self.read(&self.devices).clone()
    }

    pub(super) fn put_devices(&self, devices: Option<Arc<OwnDevices>>) {
        *self
            .devices
            .write()
            .expect("no reader panics while it holds the lock") = devices;
    }

    /// How the link for a device stands, if one is shown.
    pub fn linking(&self) -> Option<Arc<LinkView>> {
        self.read(&self.linking).clone()
    }

    pub(super) fn put_linking(&self, view: Option<Arc<LinkView>>) {
        *self
            .linking
            .write()
            .expect("no reader panics while it holds the lock") = view;
    }

    /// What this account has set for itself.
    pub fn own(&self) -> Arc<OwnView> {
        Arc::clone(&self.read(&self.own))
    }

    pub(super) fn put_own(&self, own: Arc<OwnView>) {
        *self
            .own
            .write()
            .expect("no reader panics while it holds the lock") = own;
    }

    pub(super) fn put_clock_ahead(&self, ms: Option<u64>) {
        self.clock_ahead.store(ms.unwrap_or(0), Ordering::Relaxed);
    }

    pub(super) fn put_floor(&self, floor: Millis) {
        self.floor.store(floor.0, Ordering::Release);
    }

    /// One channel.
    pub fn channel(&self, id: &ChannelId) -> Option<Arc<ChannelView>> {
        self.read(&self.channels).get(id).cloned()
    }

    /// All channels in which people talk.
    pub fn channels(&self) -> Vec<Arc<ChannelView>> {
        let all = self.all_channels().into_iter();
        all.filter(|channel| !channel.is_own()).collect()
    }

    /// All channels, also those in which this account keeps its settings.
    pub fn all_channels(&self) -> Vec<Arc<ChannelView>> {
        self.read(&self.channels).values().cloned().collect()
    }

    /// The connected nodes.
    pub fn peers(&self) -> BTreeMap<TransportKey, Connected> {
        self.read(&self.peers).clone()
    }

    /// How many channels that this account was added to were not taken in, because too many are
    /// not answered.
    pub fn declined(&self) -> u64 {
        self.declined.load(Ordering::Relaxed)
    }

    pub(super) fn put_declined(&self, channels: u64) {
        self.declined.store(channels, Ordering::Relaxed);
    }

    /// How this home goes on from what its device wrote before.
    pub fn continuation(&self) -> Continuation {
        *self.read(&self.continuation)
    }

    pub(super) fn put_continuation(&self, continuation: Continuation) {
        *self
            .continuation
            .write()
            .expect("no reader panics while it holds the lock") = continuation;
    }

    /// The addresses that this node is heard on.
    pub fn listening(&self) -> Vec<String> {
        self.read(&self.listening).clone()
    }

    pub(super) fn put(&self, view: ChannelView) {
        let mut channels = self
            .channels
            .write()
            .expect("no reader panics while it holds the lock");
        channels.insert(view.id, Arc::new(view));
    }

    pub(super) fn remove(&self, id: &ChannelId) {
        let mut channels = self
            .channels
            .write()
            .expect("no reader panics while it holds the lock");
        channels.remove(id);
    }

    pub(super) fn put_listening(&self, addresses: Vec<String>) {
        *self
            .listening
            .write()
            .expect("no reader panics while it holds the lock") = addresses;
    }

    pub(super) fn put_peers(&self, table: BTreeMap<TransportKey, Connected>) {
        *self
            .peers
            .write()
            .expect("no reader panics while it holds the lock") = table;
    }

    #[expect(
        clippy::unused_self,
        reason = "keeps the one reason for the lock's health in one place"
    )]
    fn read<'a, T>(&self, lock: &'a RwLock<T>) -> std::sync::RwLockReadGuard<'a, T> {
        lock.read()
            .expect("the engine does not panic while it holds the lock")
    }
}
