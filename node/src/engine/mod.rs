//! The engine: events in, effects out. It owns the store and decides everything.
//!
//! A turn takes whatever is waiting, handles each event, commits once, and only then releases the
//! effects: group commit, one writer, and the rule that everything rests on.
//!
//! **Invariant: nothing leaves the node, and nothing is acknowledged, before what it depends on
//! is on disk.**
//!
//! The engine knows no clock, no socket and no task: time comes with every call, randomness from
//! the generator it is given, so that a simulation can run many of them in one thread.

mod accounts;
mod added;
mod admitting;
mod apply;
mod branches;
mod channel;
mod commands;
mod commit;
mod control;
mod delivery;
mod denial;
mod devices;
mod effect;
mod erasing;
mod event;
mod expiry;
mod farewell;
mod founding;
mod gossip;
mod holds;
mod incarnation;
mod invites;
mod joining;
mod keys;
mod leaving;
mod linking;
mod load;
mod members;
mod mend;
mod messages;
mod outstanding;
mod own;
mod peers;
mod pins;
mod policy;
mod quota;
mod rebuild;
mod receive;
mod recover;
mod repeats;
mod replica;
mod retention;
mod shared;
mod stage;
mod syncing;
mod texts;
mod timers;
mod unread;
mod write;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use kith_crdt::identity::{Certificate, DeviceSecrets};
use kith_crdt::ids::{AccountId, ChannelId, ChannelTag, DeviceId, EpochId, TransportKey, Writer};
use kith_crdt::limits::MOMENT_SKEW_MAX_MS;
use kith_crdt::time::{Hlc, Millis};
use kith_store::{Store, StoreError};
use rand_chacha::ChaCha20Rng;

use crate::network::{Command as NetworkCommand, NetworkEvent};
use branches::Branches;
use channel::Channel;
use commit::Rest;
use erasing::Erasing;
use outstanding::Outstanding;
use peers::Peers;
use quota::META_QUOTA;
use retention::{Forgotten, META_CLOCK, Sweeping, Witness};
use stage::Stage;
use timers::{Timer, Timers};

pub use channel::Standing;
pub use devices::{META_RECOVERY, OwnDevices, Recovery};
pub use effect::{Effects, Moment, Outcome, Refusal};
pub use event::{Command, Event};
pub use holds::{Holds, Reach};
pub use incarnation::{Cause, Continuation, META_BACKUP, Run, Runs};
pub use linking::{LinkStage, LinkView};
pub use members::{MemberAct, MemberState, Stands};
pub use mend::MendState;
pub use own::{Draft, DraftOf, Notify, OwnView, Wishes};
pub use peers::Connected;
pub use shared::{ChannelView, Shared};
pub use unread::Places;

/// Milliseconds between signs of life on every channel.
const PRESENCE_MS: u64 = 60_000;
/// Timers that run in one turn; the rest is due at once in the next.
const TIMERS_PER_TURN: usize = 64;
/// The name under which the clock is kept.
const META_HLC: &str = "hlc";
/// The name under which the port is kept that this node listened on last.
pub(crate) const META_PORT: &str = "port";

/// The names of what is kept of the device itself, and goes into a backup. What else is kept under a
/// name is of one home, or follows from other records.
pub(crate) const META_OF_THE_DEVICE: [&str; 8] = [
    META_HLC,
    META_CLOCK,
    META_QUOTA,
    META_RECOVERY,
    devices::META_CERTIFICATE,
    devices::META_OTHERS,
    devices::META_MANAGEMENT,
    devices::META_REVOKED,
];

/// The deciding half of a node.
#[derive(Debug)]
pub struct Engine {
    secrets: DeviceSecrets,
    /// The certificate that the vault has.
    first_certificate: Certificate,
    me: AccountId,
    writer: Writer,
    runs: Runs,
    continuation: Continuation,
    store: Store,
    rng: ChaCha20Rng,
    now: Millis,
    /// The latest that it has ever been: by this it is decided what is over, so that a clock that
    /// falls back brings nothing back.
    floor: Millis,
    hlc: Hlc,
    channels: BTreeMap<ChannelId, Channel>,
    tags: BTreeMap<ChannelTag, ChannelId>,
    topics: BTreeMap<String, (ChannelId, EpochId)>,
    peers: Peers,
    peers_changed: bool,
    devices: Option<Arc<OwnDevices>>,
    devices_changed: bool,
    /// Whether this device was handed the management key, which the vault does not have.
    was_handed_key: bool,
    linking: Option<linking::Linking>,
    /// What those who are connected have shown of their accounts.
    shown: BTreeMap<TransportKey, accounts::Shown>,
    /// Those who are connected and were shown this account's certificate.
    shown_to: BTreeSet<TransportKey>,
    /// Channels that those who are connected named to this account after a recovery.
    sought: BTreeMap<TransportKey, VecDeque<ChannelTag>>,
    /// Certificates of this account that its own one does not cover.
    others: Vec<Certificate>,
    recovery: Recovery,
    own: own::Own,
    /// When channels are told of a cut by those who did not make it.
    others_tell_at: Millis,
    /// Who was heard to be there, on which device, and when last.
    present: BTreeMap<(ChannelId, DeviceId), (AccountId, Millis)>,
    timers: Timers,
    /// When something of which channel is over.
    lives: Timers,
    witness: Witness,
    /// As it was before anything of this turn was done.
    watched: Witness,
    forgotten: Forgotten,
    /// Who waits for everything that is over to be gone.
    sweeping: Vec<Sweeping>,
    /// Where what this account said is being taken back, or counted if that is true.
    erasing: BTreeMap<(ChannelId, bool), Erasing>,
    outstanding: Outstanding,
    branches: Branches,
    /// Who waits for the whole home to be mended.
    mending_home: Vec<u64>,
    declined: added::Declined,
    /// How many bytes the envelopes of all channels may take up; nothing if there is no bound.
    quota: Option<u64>,
    stage: Stage,
    rest: Rest,
    shared: Arc<Shared>,
}

impl Engine {
    /// Starts an engine on what the store holds. `bootstrap` are addresses to dial where nobody is
    /// connected.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn new(
        secrets: DeviceSecrets,
        runs: Runs,
        store: Store,
        rng: ChaCha20Rng,
        bootstrap: Vec<String>,
        now: Millis,
    ) -> Result<Self, StoreError> {
        let batch = store.batch();
        let mut engine = Self {
            me: secrets.account,
            writer: secrets.writer(),
            first_certificate: secrets.certificate.clone(),
            secrets,
            runs,
            continuation: Continuation::default(),
            store,
            rng,
            now,
            floor: now,
            hlc: Hlc::default(),
            channels: BTreeMap::new(),
            tags: BTreeMap::new(),
            topics: BTreeMap::new(),
            peers: Peers::new(bootstrap),
            peers_changed: false,
            devices: None,
            devices_changed: false,
            was_handed_key: false,
            linking: None,
            shown: BTreeMap::new(),
            shown_to: BTreeSet::new(),
            sought: BTreeMap::new(),
            others: Vec::new(),
            recovery: Recovery::default(),
            others_tell_at: Millis(0),
            own: own::Own::default(),
            present: BTreeMap::new(),
            timers: Timers::default(),
            lives: Timers::default(),
            witness: Witness::default(),
            watched: Witness::default(),
            forgotten: Forgotten::default(),
            sweeping: Vec::new(),
            erasing: BTreeMap::new(),
            outstanding: Outstanding::default(),
            branches: Branches::default(),
            mending_home: Vec::new(),
            declined: added::Declined::default(),
            quota: None,
            stage: Stage::new(batch),
            rest: Rest::default(),
            shared: Arc::default(),
        };
        engine.load(now)?;
        Ok(engine)
    }

    /// What readers share with this engine.
    pub fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// The store's reading side.
    pub fn reader(&self) -> kith_store::Reader {
        self.store.reader()
    }

    /// When the engine wants to be called again, if nothing happens before.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.timers
            .next()
            .into_iter()
            .chain(self.lives.next())
            .chain(self.peers.next_deadline())
            .min()
            .map(|at| self.rest.put_off(at))
    }

    /// Handles one event.
    pub fn handle(&mut self, now: Millis, event: Event) -> Effects {
        self.turn(now, [event])
    }

    /// Handles events together: one commit, then all their effects.
    pub fn turn(&mut self, now: Millis, events: impl IntoIterator<Item = Event>) -> Effects {
        if now < self.now {
            self.timers.clip(now.plus(PRESENCE_MS));
            self.lives.clip(now.plus(PRESENCE_MS));
            self.peers.clock_fell_back(now);
            self.rest.end();
        }
        self.now = now;
        let events: Vec<Event> = events.into_iter().collect();
        let is_waited_for = events
            .first()
            .is_some_and(|event| !matches!(event, Event::Tick));
        self.witness.look(now);
        self.watched = self.witness;
        // What would be tried again at once fails again at once; what somebody asks for is tried.
        let asks = |event: &Event| matches!(event, Event::Command { .. });
        let rests = self.rest.is_on(now) && !events.iter().any(asks);
        // Whoever goes says nothing after that they go.
        let stops = events.iter().any(|event| matches!(event, Event::Stop));
        if !rests {
            self.forget_due(now, is_waited_for);
        }
        self.floor = self.witness.believed().max(now);
        for event in events {
            self.dispatch(now, event);
        }
        if !rests && !stops {
            self.run_timers(now);
        }
        self.finish()
    }

    fn dispatch(&mut self, now: Millis, event: Event) {
        match event {
            Event::Command {
                token,
                key,
                command,
            } => self.command(now, token, key, command),
            Event::Network(event) => self.network_event(now, event),
            Event::Erased(failed) => self.erased(now, failed),
            Event::Tick => {}
            Event::Stop => self.stop(now),
        }
    }

    fn network_event(&mut self, now: Millis, event: NetworkEvent) {
        match event {
            NetworkEvent::Listening(address) => self.listening(now, address),
            NetworkEvent::NotListening(address) => self.not_listening(now, &address),
            NetworkEvent::Connected {
                peer,
                address,
                outbound,
            } => self.connected(now, peer, address, outbound),
            NetworkEvent::Disconnected(peer) => self.disconnected(now, peer),
            NetworkEvent::DialFailed { peer, .. } => self.dial_failed(now, peer),
            NetworkEvent::Discovered { peer, addresses } => self.discovered(now, peer, &addresses),
            NetworkEvent::Identified { peer, addresses } => self.identified(now, peer, &addresses),
            NetworkEvent::Subscribed { peer, topics } => self.heard_by(now, peer, &topics),
            NetworkEvent::Frame {
                ticket,
                peer,
                topic,
                data,
            } => {
                let verdict = self.receive_frame(now, peer, &topic, &data);
                self.stage.send(NetworkCommand::Judge { ticket, verdict });
            }
            NetworkEvent::Request { id, peer, bytes } => {
                let answer = self.serve(now, peer, &bytes);
                self.stage.send(NetworkCommand::Answer {
                    id,
                    bytes: answer.to_bytes(),
                });
            }
            NetworkEvent::Answered { id, peer, bytes } => self.take_answer(now, id, peer, &bytes),
            NetworkEvent::RequestFailed { id, peer, .. } => {
                self.request_failed(now, id, peer);
            }
        }
    }

    fn run_timers(&mut self, now: Millis) {
        // What sets itself anew is for the next turn.
        let due: Vec<Timer> = std::iter::from_fn(|| self.timers.pop(now))
            .take(TIMERS_PER_TURN)
            .collect();
        for timer in due {
            match timer {
                Timer::Sync(id) => self.sync_period(now, id),
                Timer::Beacon(id) => {
                    self.announce(now, id);
                    self.announce_rest(id);
                }
                Timer::Keys(id) => self.pursue_keys(now, id),
                Timer::Mend(id) => self.mend_step(now, id),
                Timer::TakeBack(id) => self.erasing_step(now, id),
                Timer::Leave(id) => self.offer_leave(now, id),
                Timer::Certify => self.settle_certificate(now),
                Timer::Settings => self.weigh_own_anew(now),
                Timer::Dial => {}
                Timer::Tidy => self.tidy(now),
                Timer::Forget(_) => {}
                Timer::Erase => self.erase(now),
                Timer::Bodies(id) => self.pursue_bodies(now, id),
                Timer::Presence => {
                    self.miss_the_silent(now);
                    self.seek_channels(now);
                    self.say_everywhere(now, kith_crdt::moment::MomentKind::Present);
                }
            }
        }
        self.dial(now);
    }

    fn say_everywhere(&mut self, now: Millis, kind: kith_crdt::moment::MomentKind) {
        let ids: Vec<ChannelId> = self.channels.keys().copied().collect();
        for id in ids {
            self.say(now, id, kind);
        }
        self.timers.set(Timer::Presence, now.plus(PRESENCE_MS));
    }

    /// Somebody can hear us on these topics now: say what this node holds, and by that that it is
    /// there.
    fn heard_by(&mut self, now: Millis, peer: TransportKey, topics: &[String]) {
        for topic in topics {
            let Some((id, _)) = self.topics.get(topic).copied() else {
                continue;
            };
            if self.channels[&id].roster.by_transport(&peer).is_some() {
                let due = self.beacon_due(id).max(now.plus(50));
                self.timers.set_by(Timer::Beacon(id), due);
                // Some member's clock is ahead, and with it the time that a beacon bears: it does
                // not say of now that this node is here.
                if self.hlc.millis().since(now) > MOMENT_SKEW_MAX_MS / 2 {
                    self.timers.set_by(Timer::Presence, now.plus(500));
                }
            }
        }
    }

    fn stop(&mut self, now: Millis) {
        self.say_everywhere(now, kith_crdt::moment::MomentKind::Away);
    }

    fn add_channel(&mut self, mut channel: Channel) {
        channel.blocked = self.own.blocked();
        self.tags.insert(channel.id.tag(), channel.id);
        self.stage.touched.insert(channel.id);
        self.channels.insert(channel.id, channel);
    }

    fn remove_channel(&mut self, id: ChannelId) {
        if let Some(channel) = self.channels.remove(&id) {
            for op in channel.control.iter() {
                self.stage.batch.delete_op(&id, &op.id());
            }
        }
        self.tags.remove(&id.tag());
        self.stage.batch.delete_channel(&id);
        self.stage.touched.insert(id);
        self.lives.clear(Timer::Forget(id));
        self.timers.clear(Timer::Bodies(id));
        self.timers.clear(Timer::Keys(id));
        self.timers.clear(Timer::Sync(id));
        self.timers.clear(Timer::Beacon(id));
        self.timers.clear(Timer::Mend(id));
        self.timers.clear(Timer::Leave(id));
    }
}

/// A refusal because of the disk, with the store's own remedy.
fn storage(error: impl std::fmt::Display) -> Refusal {
    Refusal::Storage(error.to_string())
}
