//! What gossip has to pass before libp2p remembers anything about it: an allowance per peer, a
//! largest size, and a topic that is listened to.
//!
//! gossipsub keeps every message it takes in for a dozen seconds and its id for minutes, judged
//! or not, and has no limit of its own on how many. So the gate stands inside it, where each
//! message arrives first, and around it, where it is known whose message it is.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use kith_crdt::limits::FRAME_SEALED_MAX;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::gossipsub::{
    DataTransform, Event, IdentTopic, Message, MessageAcceptance, MessageId, PublishError,
    RawMessage, SubscriptionError, TopicHash,
};
use libp2p::swarm::behaviour::ConnectionClosed;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use super::counters::Counters;
use super::gossip::{self, Gossipsub};
use super::limits::{
    COST_FRAME_TOO_LARGE, FLOOD_PER_POINT, FRAME_BYTES_BURST, FRAME_BYTES_PER_S, FRAMES_BURST,
    FRAMES_PER_S, GOSSIP_BURST, GOSSIP_PER_S,
};

/// gossipsub behind its gate.
pub(super) struct Gated {
    inner: Gossipsub,
    gate: Gate,
}

/// What comes out of the gate.
#[derive(Debug)]
pub(super) enum GatedEvent {
    /// From gossipsub.
    Gossip(Event),
    /// A peer has to be charged.
    Misbehaved {
        /// Who.
        peer: PeerId,
        /// The points.
        cost: u32,
    },
}

impl Gated {
    /// gossipsub with nothing subscribed.
    pub(super) fn new(counters: Arc<Counters>) -> Result<Self, String> {
        let gate = Gate::new(counters);
        Ok(Self {
            inner: gossip::behaviour(gate.clone())?,
            gate,
        })
    }

    /// Listens to a topic.
    pub(super) fn subscribe(&mut self, topic: &str) -> Result<(), SubscriptionError> {
        let topic = IdentTopic::new(topic);
        self.inner.subscribe(&topic)?;
        self.gate.lock().topics.insert(topic.hash());
        Ok(())
    }

    /// Stops listening to a topic.
    pub(super) fn unsubscribe(&mut self, topic: &str) {
        let topic = IdentTopic::new(topic);
        self.inner.unsubscribe(&topic);
        self.gate.lock().topics.remove(&topic.hash());
    }

    /// Whether a topic is listened to.
    pub(super) fn listens_to(&self, topic: &TopicHash) -> bool {
        self.gate.lock().topics.contains(topic)
    }

    /// Sends a frame to all that listen to the topic.
    pub(super) fn publish(&mut self, topic: &str, data: Vec<u8>) -> Result<(), PublishError> {
        if data.len() > FRAME_SEALED_MAX {
            return Err(PublishError::MessageTooLarge);
        }
        self.inner.publish(IdentTopic::new(topic), data).map(|_| ())
    }

    /// Says how a peer stands: 0, or below.
    pub(super) fn score(&mut self, peer: &PeerId, score: f64) {
        self.inner.set_application_score(peer, score);
    }

    /// Says what became of a frame.
    pub(super) fn judge(&mut self, id: &MessageId, from: &PeerId, verdict: MessageAcceptance) {
        self.inner
            .report_message_validation_result(id, from, verdict);
    }
}

impl NetworkBehaviour for Gated {
    type ConnectionHandler = <Gossipsub as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = GatedEvent;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.inner
            .handle_pending_inbound_connection(connection, local, remote)
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner
            .handle_established_inbound_connection(connection, peer, local, remote)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        self.inner
            .handle_pending_outbound_connection(connection, peer, addresses, role)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner
            .handle_established_outbound_connection(connection, peer, address, role, port)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ConnectionClosed(ConnectionClosed {
            peer_id,
            remaining_established: 0,
            ..
        }) = &event
        {
            self.gate.lock().allowances.remove(peer_id);
        }
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        if self.gate.lock().enter(peer, Instant::now()) {
            self.inner
                .on_connection_handler_event(peer, connection, event);
            self.gate.lock().from = None;
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some((peer, cost)) = self.gate.lock().charges.pop_first() {
            return Poll::Ready(ToSwarm::GenerateEvent(GatedEvent::Misbehaved {
                peer,
                cost,
            }));
        }
        self.inner
            .poll(cx)
            .map(|event| event.map_out(GatedEvent::Gossip))
    }
}

/// The part of the gate that sits inside gossipsub.
#[derive(Clone)]
pub(super) struct Gate(Arc<Mutex<State>>);

impl Gate {
    fn new(counters: Arc<Counters>) -> Self {
        Self(Arc::new(Mutex::new(State {
            topics: BTreeSet::new(),
            allowances: BTreeMap::new(),
            charges: BTreeMap::new(),
            from: None,
            counters,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DataTransform for Gate {
    fn inbound_transform(&self, frame: RawMessage) -> Result<Message, io::Error> {
        let passed = self
            .lock()
            .pass(&frame.topic, frame.data.len(), Instant::now());
        passed.map_err(|reason| io::Error::other(format!("{reason:?}")))?;
        Ok(Message {
            source: frame.source,
            data: frame.data,
            sequence_number: frame.sequence_number,
            topic: frame.topic,
        })
    }

    fn outbound_transform(&self, _: &TopicHash, data: Vec<u8>) -> Result<Vec<u8>, io::Error> {
        Ok(data)
    }
}

/// Why a frame did not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopped {
    OverAllowance,
    TooLarge,
    UnknownTopic,
}

struct State {
    topics: BTreeSet<TopicHash>,
    /// Of connected peers only.
    allowances: BTreeMap<PeerId, Allowance>,
    charges: BTreeMap<PeerId, u32>,
    /// Whose message is being handled.
    from: Option<PeerId>,
    counters: Arc<Counters>,
}

impl State {
    /// Lets one gossip message of a peer in, if its allowance permits.
    fn enter(&mut self, peer: PeerId, now: Instant) -> bool {
        let allowance = self
            .allowances
            .entry(peer)
            .or_insert_with(|| Allowance::full(now));
        let allowed = allowance.messages.take(1, now);
        if allowed {
            self.from = Some(peer);
        } else {
            self.note_flood(peer);
        }
        allowed
    }

    /// Decides about one frame of the message that is being handled. A frame of a topic not
    /// listened to is nobody's fault: both sides may have changed their minds.
    fn pass(&mut self, topic: &TopicHash, bytes: usize, now: Instant) -> Result<(), Stopped> {
        if let Some(peer) = self.from {
            let allowance = self
                .allowances
                .entry(peer)
                .or_insert_with(|| Allowance::full(now));
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            if !(allowance.frames.take(1, now) && allowance.bytes.take(bytes, now)) {
                self.counters.frames_over_allowance.add();
                self.note_flood(peer);
                return Err(Stopped::OverAllowance);
            }
        }
        if bytes > FRAME_SEALED_MAX {
            self.counters.frames_too_large.add();
            if let Some(peer) = self.from {
                self.charge(peer, COST_FRAME_TOO_LARGE);
            }
            return Err(Stopped::TooLarge);
        }
        if self.topics.contains(topic) {
            Ok(())
        } else {
            Err(Stopped::UnknownTopic)
        }
    }

    fn note_flood(&mut self, peer: PeerId) {
        let Some(allowance) = self.allowances.get_mut(&peer) else {
            return;
        };
        allowance.flood += 1;
        if allowance.flood.is_multiple_of(FLOOD_PER_POINT) {
            self.charge(peer, 1);
        }
    }

    fn charge(&mut self, peer: PeerId, cost: u32) {
        let charge = self.charges.entry(peer).or_insert(0);
        *charge = charge.saturating_add(cost);
    }
}

/// What one peer may still send.
struct Allowance {
    messages: Bucket,
    frames: Bucket,
    bytes: Bucket,
    /// Messages and frames beyond the allowance so far.
    flood: u64,
}

impl Allowance {
    const fn full(now: Instant) -> Self {
        Self {
            messages: Bucket::full(GOSSIP_BURST, GOSSIP_PER_S, now),
            frames: Bucket::full(FRAMES_BURST, FRAMES_PER_S, now),
            bytes: Bucket::full(FRAME_BYTES_BURST, FRAME_BYTES_PER_S, now),
            flood: 0,
        }
    }
}

/// A token bucket, in thousandths so that no fraction of a second is lost.
struct Bucket {
    left_milli: u64,
    burst: u64,
    per_s: u64,
    filled: Instant,
}

impl Bucket {
    const fn full(burst: u64, per_s: u64, now: Instant) -> Self {
        Self {
            left_milli: burst * 1_000,
            burst,
            per_s,
            filled: now,
        }
    }

    /// Takes so many, or none if there are fewer.
    fn take(&mut self, amount: u64, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.filled);
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        if elapsed_ms > 0 {
            let gained = elapsed_ms.saturating_mul(self.per_s);
            self.left_milli = self
                .left_milli
                .saturating_add(gained)
                .min(self.burst * 1_000);
            self.filled = now;
        }
        let Some(left) = self.left_milli.checked_sub(amount.saturating_mul(1_000)) else {
            return false;
        };
        self.left_milli = left;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn gate(topics: &[&str]) -> (Gate, Arc<Counters>) {
        let counters = Arc::new(Counters::default());
        let gate = Gate::new(Arc::clone(&counters));
        gate.lock()
            .topics
            .extend(topics.iter().map(|topic| TopicHash::from_raw(*topic)));
        (gate, counters)
    }

    #[test]
    fn a_bucket_holds_its_burst_and_fills_at_its_rate() {
        let now = Instant::now();
        let mut bucket = Bucket::full(10, 2, now);
        assert!(bucket.take(10, now) && !bucket.take(1, now));
        assert!(!bucket.take(1, now + Duration::from_millis(499)));
        assert!(bucket.take(1, now + Duration::from_millis(500)));
        let much_later = now + Duration::from_secs(3_600);
        assert!(!bucket.take(11, much_later) && bucket.take(10, much_later));
    }

    #[test]
    fn small_steps_of_time_add_up() {
        let start = Instant::now();
        let mut bucket = Bucket::full(1, 1, start);
        assert!(bucket.take(1, start));
        let gained = (1..=1_000).filter(|ms| bucket.take(1, start + Duration::from_millis(*ms)));
        assert_eq!(gained.count(), 1);
    }

    #[test]
    fn only_frames_of_topics_listened_to_pass() {
        let (gate, _) = gate(&["ours"]);
        let (mut state, now) = (gate.lock(), Instant::now());
        assert_eq!(state.pass(&TopicHash::from_raw("ours"), 300, now), Ok(()));
        assert_eq!(
            state.pass(&TopicHash::from_raw("other"), 300, now),
            Err(Stopped::UnknownTopic)
        );
        assert!(state.charges.is_empty());
    }

    #[test]
    fn a_frame_too_large_is_counted_and_charged_to_its_sender() {
        let (gate, counters) = gate(&["ours"]);
        let (mut state, now, peer) = (gate.lock(), Instant::now(), PeerId::random());
        assert!(state.enter(peer, now));
        let topic = TopicHash::from_raw("ours");
        assert_eq!(state.pass(&topic, FRAME_SEALED_MAX, now), Ok(()));
        assert_eq!(
            state.pass(&topic, FRAME_SEALED_MAX + 1, now),
            Err(Stopped::TooLarge)
        );
        assert_eq!(state.charges.get(&peer), Some(&COST_FRAME_TOO_LARGE));
        assert_eq!(counters.read().frames_too_large, 1);
    }

    #[test]
    fn a_flood_is_stopped_and_charged_and_others_are_not_touched() {
        let (gate, counters) = gate(&["ours"]);
        let (mut state, now) = (gate.lock(), Instant::now());
        let (flood, quiet) = (PeerId::random(), PeerId::random());
        let topic = TopicHash::from_raw("ours");
        let sent = FRAMES_BURST + FLOOD_PER_POINT;
        state.from = Some(flood);
        let passed = (0..sent)
            .filter(|_| state.pass(&topic, 300, now).is_ok())
            .count();
        assert_eq!(passed as u64, FRAMES_BURST);
        assert_eq!(counters.read().frames_over_allowance, FLOOD_PER_POINT);
        assert_eq!(state.charges, BTreeMap::from([(flood, 1)]));
        state.from = Some(quiet);
        assert_eq!(state.pass(&topic, 300, now), Ok(()));
    }

    #[test]
    fn large_frames_use_up_the_allowance_in_bytes() {
        let (gate, _) = gate(&["ours"]);
        let (mut state, now) = (gate.lock(), Instant::now());
        state.from = Some(PeerId::random());
        let topic = TopicHash::from_raw("ours");
        let passed = (0..FRAMES_BURST).filter(|_| state.pass(&topic, 64 * 1024, now).is_ok());
        assert_eq!(passed.count() as u64, FRAME_BYTES_BURST / (64 * 1024));
    }

    #[test]
    fn control_messages_have_an_allowance_too() {
        let (gate, _) = gate(&[]);
        let (mut state, now, peer) = (gate.lock(), Instant::now(), PeerId::random());
        let entered = (0..2 * GOSSIP_BURST)
            .filter(|_| state.enter(peer, now))
            .count();
        assert_eq!(entered as u64, GOSSIP_BURST);
        assert!(state.enter(peer, now + Duration::from_secs(1)));
    }
}
