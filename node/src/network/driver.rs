//! The loop that drives libp2p: commands in, swarm events in, events out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt;
use kith_crdt::ids::TransportKey;
use libp2p::gossipsub::{MessageAcceptance, PublishError};
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError};
use libp2p::{Multiaddr, PeerId, Swarm};
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::behaviour::Behaviour;
use super::counters::Counters;
use super::doubles::Turn;
use super::exchange::Exchange;
use super::frames::Unjudged;
use super::outbox::Outbox;
use super::standing::Standings;
use super::{Command, NetworkEvent, RequestFailure, Verdict, addresses, keys, limits};

/// The swarm and what is known about its doings.
pub(super) struct Driver {
    pub(super) swarm: Swarm<Behaviour>,
    commands: mpsc::Receiver<Command>,
    pub(super) outbox: Outbox,
    pub(super) counters: Arc<Counters>,
    pub(super) exchange: Exchange,
    pub(super) unjudged: Unjudged,
    standings: Standings,
    /// Dials under way.
    pub(super) dials: BTreeMap<ConnectionId, Dial>,
    /// Connected peers.
    pub(super) peers: BTreeMap<PeerId, Peer>,
    /// Whom the engine wants connected.
    pub(super) protected: BTreeSet<PeerId>,
    /// Members of whom the second node waits for its turn.
    pub(super) waiting: BTreeMap<PeerId, Turn>,
    /// Whose turn it is next, of two nodes with one key.
    pub(super) turns: BTreeMap<PeerId, Turn>,
    tick: Interval,
}

/// A dial under way.
pub(super) struct Dial {
    pub(super) peer: Option<TransportKey>,
    pub(super) addresses: Vec<String>,
}

/// A connected peer.
pub(super) struct Peer {
    /// Where it is, on its first connection.
    pub(super) address: Multiaddr,
    /// Since when it is connected.
    pub(super) since: Instant,
    /// Which node of that key it is, as it says itself.
    pub(super) instance: Option<String>,
    /// Topics that it listens to and the engine was told of.
    pub(super) topics: BTreeSet<String>,
    /// Where it last said that it can be reached.
    pub(super) named: Vec<String>,
    /// How often it has named something new.
    pub(super) namings: u32,
}

impl Driver {
    /// A driver of a swarm that listens already.
    pub(super) fn new(
        swarm: Swarm<Behaviour>,
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<NetworkEvent>,
        counters: Arc<Counters>,
    ) -> Self {
        let mut tick = interval(limits::TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            swarm,
            commands,
            outbox: Outbox::new(events),
            counters,
            exchange: Exchange::default(),
            unjudged: Unjudged::default(),
            standings: Standings::default(),
            dials: BTreeMap::new(),
            peers: BTreeMap::new(),
            protected: BTreeSet::new(),
            waiting: BTreeMap::new(),
            turns: BTreeMap::new(),
            tick,
        }
    }

    /// Runs until nobody commands any more or nobody listens. Where the engine lags too far
    /// behind, the swarm is left alone, and with it the sockets; commands are always taken, so
    /// the two cannot wait for each other.
    pub(super) async fn run(mut self) {
        loop {
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.handle_command(command),
                    None => break,
                },
                listening = self.outbox.flush(), if self.outbox.is_waiting() => {
                    if !listening { break }
                }
                event = self.swarm.select_next_some(), if self.outbox.has_room() => {
                    self.handle_swarm_event(event);
                }
                _ = self.tick.tick() => self.handle_tick(Instant::now()),
            }
        }
    }

    /// Charges a peer, and refuses it if that is too much.
    pub(super) fn penalise(&mut self, peer: PeerId, cost: u32) {
        if self.standings.charge(peer, cost, Instant::now()) {
            tracing::info!("refusing a peer for what it sends");
            self.counters.peers_refused.add();
            self.swarm.behaviour_mut().refused.block_peer(peer);
        }
    }

    fn handle_command(&mut self, command: Command) {
        match command {
            Command::Subscribe(topic) => self.handle_subscribe(&topic),
            Command::Unsubscribe(topic) => self.swarm.behaviour_mut().gossip.unsubscribe(&topic),
            Command::Publish { topic, data } => self.handle_publish(&topic, data),
            Command::Request { id, peer, bytes } => self.handle_request(id, peer, bytes),
            Command::Answer { id, bytes } => self.handle_answer(id, bytes),
            Command::Dial { peer, addresses } => self.handle_dial(peer, addresses),
            Command::Disconnect(peer) => {
                // An error only says that there is no connection.
                let _ = self.swarm.disconnect_peer_id(keys::peer_id(&peer));
            }
            Command::Judge { ticket, verdict } => self.handle_verdict(ticket, verdict),
            Command::Penalise { peer, cost } => self.penalise(keys::peer_id(&peer), cost),
            Command::Protect(peer) => {
                self.protected.insert(keys::peer_id(&peer));
                self.swarm
                    .behaviour_mut()
                    .total
                    .bypass_peer_id(&keys::peer_id(&peer));
            }
            Command::Unprotect(peer) => {
                self.protected.remove(&keys::peer_id(&peer));
                self.swarm
                    .behaviour_mut()
                    .total
                    .remove_peer_id(&keys::peer_id(&peer));
            }
        }
    }

    fn handle_subscribe(&mut self, topic: &str) {
        if let Err(error) = self.swarm.behaviour_mut().gossip.subscribe(topic) {
            tracing::error!(%error, "cannot listen to a topic");
        }
    }

    fn handle_publish(&mut self, topic: &str, data: Vec<u8>) {
        match self.swarm.behaviour_mut().gossip.publish(topic, data) {
            Ok(()) | Err(PublishError::NoPeersSubscribedToTopic | PublishError::Duplicate) => {}
            Err(error) => {
                self.counters.frames_unsent.add();
                tracing::debug!(%error, "a frame was not sent");
            }
        }
    }

    fn handle_request(&mut self, id: u64, peer: TransportKey, bytes: Vec<u8>) {
        let peer_id = keys::peer_id(&peer);
        let reason = if !self.swarm.is_connected(&peer_id) {
            RequestFailure::NotConnected
        } else if !self.exchange.may_ask(&peer) {
            RequestFailure::Busy
        } else {
            let request = self
                .swarm
                .behaviour_mut()
                .sync
                .send_request(&peer_id, Ok(bytes));
            self.exchange.note_asked(request, id, peer);
            return;
        };
        self.outbox
            .push(NetworkEvent::RequestFailed { id, peer, reason });
    }

    fn handle_answer(&mut self, id: u64, bytes: Vec<u8>) {
        let sent = self
            .exchange
            .take_channel(id, bytes.len())
            .is_some_and(|channel| {
                self.swarm
                    .behaviour_mut()
                    .sync
                    .send_response(channel, Ok(bytes))
                    .is_ok()
            });
        if !sent {
            self.counters.answers_late.add();
        }
    }

    fn handle_verdict(&mut self, ticket: u64, verdict: Verdict) {
        let Some(frame) = self.unjudged.take(ticket) else {
            return;
        };
        let acceptance = match verdict {
            Verdict::Accept => MessageAcceptance::Accept,
            Verdict::Ignore => MessageAcceptance::Ignore,
            Verdict::Reject => MessageAcceptance::Reject,
        };
        self.swarm
            .behaviour_mut()
            .gossip
            .judge(&frame.id, &frame.peer, acceptance);
        if verdict == Verdict::Reject {
            self.penalise(frame.peer, limits::COST_FRAME_REJECTED);
        }
    }

    pub(super) fn handle_dial(&mut self, peer: Option<TransportKey>, texts: Vec<String>) {
        let dialable = addresses::parse(&texts);
        if dialable.is_empty() {
            self.outbox.push(NetworkEvent::DialFailed {
                peer,
                addresses: texts,
            });
        } else if let Some(key) = peer {
            let options = DialOpts::peer_id(keys::peer_id(&key))
                .condition(PeerCondition::DisconnectedAndNotDialing)
                .addresses(dialable)
                .allocate_new_port()
                .build();
            self.dial(
                options,
                Dial {
                    peer,
                    addresses: texts,
                },
            );
        } else {
            for address in dialable {
                let addresses = vec![addresses::text(&address)];
                let options = DialOpts::unknown_peer_id()
                    .address(address)
                    .allocate_new_port();
                self.dial(options.build(), Dial { peer, addresses });
            }
        }
    }

    /// Dials from a port of its own: two nodes that dial each other from the ports that they
    /// listen on can end up in one connection with two initiators, which fails.
    fn dial(&mut self, options: DialOpts, dial: Dial) {
        let connection = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => {
                self.dials.insert(connection, dial);
            }
            // Connected, or about to be: whoever waits for that will hear of it.
            Err(DialError::DialPeerConditionFalse(_)) => {}
            Err(error) => {
                tracing::debug!(%error, "a dial was refused");
                let Dial { peer, addresses } = dial;
                self.outbox
                    .push(NetworkEvent::DialFailed { peer, addresses });
            }
        }
    }

    fn handle_tick(&mut self, now: Instant) {
        self.end_turns();
        while let Some(frame) = self.unjudged.take_expired(now) {
            self.counters.frames_unjudged.add();
            let gossip = &mut self.swarm.behaviour_mut().gossip;
            gossip.judge(&frame.id, &frame.peer, MessageAcceptance::Ignore);
        }
        for (peer, score) in self.standings.scores(now) {
            self.swarm.behaviour_mut().gossip.score(peer, score);
        }
        while let Some(peer) = self.standings.take_pardoned(now) {
            self.swarm.behaviour_mut().refused.unblock_peer(peer);
        }
    }
}
