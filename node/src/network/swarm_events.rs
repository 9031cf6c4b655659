//! What the swarm says, translated for the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Instant;

use kith_crdt::ids::TransportKey;
use libp2p::core::ConnectedPoint;
use libp2p::gossipsub::{self, MessageAcceptance, MessageId};
use libp2p::request_response::{self, InboundRequestId, OutboundFailure, OutboundRequestId};
use libp2p::swarm::{ConnectionId, DialError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, identify, mdns, ping};

use super::behaviour::{BehaviourEvent, PROTOCOL_FAMILY};
use super::codec::Message;
use super::driver::{Dial, Driver, Peer};
use super::exchange::AnswerChannel;
use super::gate::GatedEvent;
use super::limits::{COST_MESSAGE_TOO_LONG, DISCOVERED, IDENTIFIED};
use super::{NetworkEvent, RequestFailure, addresses, keys};

impl Driver {
    /// Handles whatever the swarm has to say.
    pub(super) fn handle_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.handle_behaviour_event(event),
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            } => {
                self.handle_connected(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                num_established: 0,
                ..
            } => {
                self.handle_disconnected(&peer_id);
            }
            SwarmEvent::OutgoingConnectionError {
                connection_id,
                error,
                ..
            } => {
                self.handle_dial_failed(connection_id, &error);
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                self.outbox
                    .push(NetworkEvent::Listening(addresses::text(&address)));
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.outbox
                    .push(NetworkEvent::NotListening(addresses::text(&address)));
            }
            SwarmEvent::ListenerClosed {
                addresses, reason, ..
            } => {
                tracing::warn!(?reason, "a listener closed");
                for address in addresses {
                    self.outbox
                        .push(NetworkEvent::NotListening(addresses::text(&address)));
                }
            }
            _ => {}
        }
    }

    fn handle_behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Gossip(GatedEvent::Gossip(event)) => self.handle_gossip(event),
            BehaviourEvent::Gossip(GatedEvent::Misbehaved { peer, cost }) => {
                self.penalise(peer, cost);
            }
            BehaviourEvent::Sync(event) => self.handle_sync(event),
            BehaviourEvent::Identify(event) => self.handle_identify(event),
            BehaviourEvent::Ping(ping::Event {
                connection, result, ..
            }) => {
                if matches!(
                    result,
                    Err(ping::Failure::Timeout | ping::Failure::Other { .. })
                ) {
                    self.swarm.close_connection(connection);
                }
            }
            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => self.handle_discovered(found),
            BehaviourEvent::Mdns(mdns::Event::Expired(_)) => {}
            BehaviourEvent::Refused(never)
            | BehaviourEvent::PerPeer(never)
            | BehaviourEvent::Total(never) => match never {},
        }
    }

    /// Notes a connection; the first one of a peer is news. A peer whose key is not Ed25519 is
    /// none of ours.
    fn handle_connected(&mut self, peer: PeerId, connection: ConnectionId, at: &ConnectedPoint) {
        self.dials.remove(&connection);
        let Some(key) = keys::transport_key(&peer) else {
            self.swarm.close_connection(connection);
            return;
        };
        if self.peers.contains_key(&peer) {
            return;
        }
        let address = at.get_remote_address();
        self.outbox.push(NetworkEvent::Connected {
            peer: key,
            address: addresses::text(address),
            outbound: at.is_dialer(),
        });
        self.peers.insert(
            peer,
            Peer {
                address: address.clone(),
                since: Instant::now(),
                instance: None,
                topics: BTreeSet::new(),
                named: Vec::new(),
                namings: 0,
            },
        );
    }

    fn handle_disconnected(&mut self, peer: &PeerId) {
        if self.peers.remove(peer).is_some()
            && let Some(key) = keys::transport_key(peer)
        {
            self.outbox.push(NetworkEvent::Disconnected(key));
            self.begin_turn(peer, key);
        }
    }

    fn handle_dial_failed(&mut self, connection: ConnectionId, error: &DialError) {
        tracing::debug!(%connection, "a dial failed");
        let Some(Dial { peer, addresses }) = self.dials.remove(&connection) else {
            return;
        };
        let addresses = match error {
            DialError::Transport(errors) => errors
                .iter()
                .map(|(address, _)| addresses::text(address))
                .collect(),
            DialError::WrongPeerId { address, .. } | DialError::LocalPeerId { address } => {
                vec![addresses::text(address)]
            }
            _ => addresses,
        };
        self.outbox
            .push(NetworkEvent::DialFailed { peer, addresses });
    }

    fn handle_gossip(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message {
                propagation_source,
                message_id,
                message,
            } => {
                self.handle_frame(propagation_source, message_id, message);
            }
            gossipsub::Event::Subscribed { peer_id, topic } => {
                self.handle_subscribed(peer_id, &topic);
            }
            _ => {}
        }
    }

    /// Passes a frame on to the engine, or ignores it while the engine lags behind or its sender
    /// has too many waiting.
    fn handle_frame(&mut self, from: PeerId, id: MessageId, message: gossipsub::Message) {
        let key = keys::transport_key(&from).filter(|_| !self.outbox.is_behind());
        let bytes = message.data.len();
        let admitted = key.and_then(|key| {
            let ticket = self
                .unjudged
                .admit(from, id.clone(), bytes, Instant::now())?;
            Some((key, ticket))
        });
        let Some((peer, ticket)) = admitted else {
            self.counters.frames_ignored.add();
            let gossip = &mut self.swarm.behaviour_mut().gossip;
            gossip.judge(&id, &from, MessageAcceptance::Ignore);
            return;
        };
        let topic = message.topic.into_string();
        self.outbox.push(NetworkEvent::Frame {
            ticket,
            peer,
            topic,
            data: message.data,
        });
    }

    /// Tells of a peer's topic, if it is one of ours and was not told of before.
    fn handle_subscribed(&mut self, from: PeerId, topic: &gossipsub::TopicHash) {
        let Some(key) = keys::transport_key(&from) else {
            return;
        };
        if !self.swarm.behaviour().gossip.listens_to(topic) {
            return;
        }
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        let topic = topic.to_string();
        if peer.topics.insert(topic.clone()) {
            self.outbox.push(NetworkEvent::Subscribed {
                peer: key,
                topics: vec![topic],
            });
        }
    }

    fn handle_sync(&mut self, event: request_response::Event<Message, Message>) {
        use request_response::{Event, Message as Exchanged};
        match event {
            Event::Message { peer, message, .. } => match message {
                Exchanged::Request {
                    request_id,
                    request,
                    channel,
                } => {
                    self.handle_asked(peer, request_id, request, channel);
                }
                Exchanged::Response {
                    request_id,
                    response,
                } => {
                    self.handle_answered(peer, request_id, response);
                }
            },
            Event::OutboundFailure {
                request_id, error, ..
            } => {
                if let Some((id, peer)) = self.exchange.take_asked(request_id) {
                    let reason = failure(&error);
                    self.outbox
                        .push(NetworkEvent::RequestFailed { id, peer, reason });
                }
            }
            Event::InboundFailure { request_id, .. } | Event::ResponseSent { request_id, .. } => {
                self.exchange.end(request_id);
            }
        }
    }

    /// Passes a peer's answer on to the engine.
    fn handle_answered(&mut self, from: PeerId, request: OutboundRequestId, message: Message) {
        let Some((id, peer)) = self.exchange.take_asked(request) else {
            return;
        };
        let event = if let Ok(bytes) = message {
            NetworkEvent::Answered { id, peer, bytes }
        } else {
            self.handle_malformed(from);
            NetworkEvent::RequestFailed {
                id,
                peer,
                reason: RequestFailure::Malformed,
            }
        };
        self.outbox.push(event);
    }

    /// Passes a peer's request on to the engine, or hangs up.
    fn handle_asked(
        &mut self,
        from: PeerId,
        request: InboundRequestId,
        message: Message,
        channel: AnswerChannel,
    ) {
        let Ok(bytes) = message else {
            return self.handle_malformed(from);
        };
        let key = keys::transport_key(&from).filter(|_| !self.outbox.is_behind());
        let admitted = key.and_then(|key| Some((key, self.exchange.admit(key, request, channel)?)));
        let Some((peer, id)) = admitted else {
            self.counters.requests_refused.add();
            return;
        };
        self.outbox.push(NetworkEvent::Request { id, peer, bytes });
    }

    fn handle_malformed(&mut self, peer: PeerId) {
        self.counters.messages_malformed.add();
        self.penalise(peer, COST_MESSAGE_TOO_LONG);
    }

    /// Learns where a peer can be reached, or that it is not one of ours.
    fn handle_identify(&mut self, event: identify::Event) {
        let (identify::Event::Received {
            connection_id: connection,
            peer_id: peer,
            info,
        }
        | identify::Event::Pushed {
            connection_id: connection,
            peer_id: peer,
            info,
        }) = event
        else {
            return;
        };
        if !info.protocol_version.starts_with(PROTOCOL_FAMILY) {
            // An error only says that it is gone already.
            let _ = self.swarm.disconnect_peer_id(peer);
            return;
        }
        if self.is_sent_away((peer, connection), &info.agent_version, &info.listen_addrs) {
            return;
        }
        let (Some(key), Some(known)) = (keys::transport_key(&peer), self.peers.get_mut(&peer))
        else {
            return;
        };
        let addresses = addresses::reachable(&info.listen_addrs, Some(&known.address));
        if addresses.is_empty() || addresses == known.named || known.namings >= IDENTIFIED {
            return;
        }
        known.namings += 1;
        known.named.clone_from(&addresses);
        self.outbox.push(NetworkEvent::Identified {
            peer: key,
            addresses,
        });
    }

    fn handle_discovered(&mut self, found: Vec<(PeerId, Multiaddr)>) {
        let mut by_peer: BTreeMap<TransportKey, Vec<Multiaddr>> = BTreeMap::new();
        for (peer, address) in found {
            if let Some(key) = keys::transport_key(&peer) {
                by_peer.entry(key).or_default().push(address);
            }
        }
        for (peer, claimed) in by_peer.into_iter().take(DISCOVERED) {
            let addresses = addresses::reachable(&claimed, None);
            if !addresses.is_empty() {
                self.outbox
                    .push(NetworkEvent::Discovered { peer, addresses });
            }
        }
    }
}

/// What a failure means to whoever asked.
fn failure(error: &OutboundFailure) -> RequestFailure {
    match error {
        OutboundFailure::Timeout => RequestFailure::Timeout,
        OutboundFailure::UnsupportedProtocols => RequestFailure::Unsupported,
        OutboundFailure::DialFailure => RequestFailure::NotConnected,
        OutboundFailure::ConnectionClosed => RequestFailure::Disconnected,
        OutboundFailure::Io(error) => match error.kind() {
            io::ErrorKind::UnexpectedEof => RequestFailure::Refused,
            io::ErrorKind::InvalidData => RequestFailure::Malformed,
            _ => RequestFailure::Disconnected,
        },
    }
}
