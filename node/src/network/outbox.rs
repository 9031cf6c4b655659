//! Events on their way to the engine, in order and bounded.
//!
//! What may be dropped (frames, requests) is dropped by the caller once the engine lags behind.
//! What may not (connections, answers) waits here, and while too much waits, the caller stops
//! reading sockets.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use super::NetworkEvent;
use super::limits::EVENTS_OVERDUE;

/// The queue to the engine and what did not fit into it.
pub(super) struct Outbox {
    queue: mpsc::Sender<NetworkEvent>,
    overdue: VecDeque<NetworkEvent>,
}

impl Outbox {
    /// An outbox in front of a queue.
    pub(super) const fn new(queue: mpsc::Sender<NetworkEvent>) -> Self {
        Self {
            queue,
            overdue: VecDeque::new(),
        }
    }

    /// Sends an event, or keeps it behind those that wait already.
    pub(super) fn push(&mut self, event: NetworkEvent) {
        if self.overdue.is_empty() {
            match self.queue.try_send(event) {
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
                Err(mpsc::error::TrySendError::Full(event)) => self.overdue.push_back(event),
            }
        } else {
            self.keep(event);
        }
    }

    /// Whether the engine lags behind, so that droppable events are to be dropped.
    pub(super) fn is_behind(&self) -> bool {
        !self.overdue.is_empty() || self.queue.capacity() == 0
    }

    /// Whether events wait for the engine to make room.
    pub(super) fn is_waiting(&self) -> bool {
        !self.overdue.is_empty()
    }

    /// Whether more may be read from sockets.
    pub(super) fn has_room(&self) -> bool {
        self.overdue.len() < EVENTS_OVERDUE
    }

    /// Waits until the engine has room and gives it the oldest waiting event. Returns whether
    /// the engine is still there. Nothing is lost if this is given up midway.
    pub(super) async fn flush(&mut self) -> bool {
        let Ok(room) = self.queue.reserve().await else {
            return false;
        };
        if let Some(event) = self.overdue.pop_front() {
            room.send(event);
        }
        true
    }

    /// Keeps an event; news of one peer's topics are put together.
    fn keep(&mut self, event: NetworkEvent) {
        if let NetworkEvent::Subscribed { peer, topics } = &event
            && let Some(NetworkEvent::Subscribed {
                peer: last,
                topics: waiting,
            }) = self.overdue.back_mut()
            && last == peer
        {
            waiting.extend_from_slice(topics);
            return;
        }
        self.overdue.push_back(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kith_crdt::ids::TransportKey;

    const PEER: TransportKey = TransportKey([1; 32]);

    fn subscribed(topic: &str) -> NetworkEvent {
        NetworkEvent::Subscribed {
            peer: PEER,
            topics: vec![topic.into()],
        }
    }

    #[tokio::test]
    async fn what_does_not_fit_waits_in_order() {
        let (queue, mut events) = mpsc::channel(1);
        let mut outbox = Outbox::new(queue);
        for name in ["a", "b", "c"] {
            outbox.push(NetworkEvent::Listening(name.into()));
        }
        assert!(outbox.is_waiting() && outbox.is_behind());
        for name in ["a", "b", "c"] {
            assert_eq!(
                events.recv().await,
                Some(NetworkEvent::Listening(name.into()))
            );
            assert!(!outbox.is_waiting() || outbox.flush().await);
        }
        assert!(!outbox.is_waiting() && !outbox.is_behind());
    }

    #[test]
    fn too_much_that_waits_stops_the_reading() {
        let (queue, _events) = mpsc::channel(1);
        let mut outbox = Outbox::new(queue);
        for _ in 0..=EVENTS_OVERDUE {
            assert!(outbox.has_room());
            outbox.push(NetworkEvent::Disconnected(PEER));
        }
        assert!(!outbox.has_room());
    }

    #[test]
    fn topics_of_one_peer_wait_together() {
        let (queue, _events) = mpsc::channel(1);
        let mut outbox = Outbox::new(queue);
        outbox.push(NetworkEvent::Disconnected(PEER));
        for topic in ["a", "b", "c"] {
            outbox.push(subscribed(topic));
        }
        assert_eq!(outbox.overdue.len(), 1);
    }

    #[tokio::test]
    async fn an_engine_that_is_gone_ends_the_waiting() {
        let (queue, events) = mpsc::channel(1);
        let mut outbox = Outbox::new(queue);
        drop(events);
        outbox.push(NetworkEvent::Disconnected(PEER));
        assert!(!outbox.flush().await);
    }
}
