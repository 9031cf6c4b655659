//! The network of a world: who is connected, and what is under way.

use std::collections::{BTreeMap, BTreeSet};

use kith_crdt::ids::TransportKey;
use kith_crdt::time::Millis;
use kith_node::engine::Event;
use kith_node::network::{Command, NetworkEvent, RequestFailure, Verdict};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::Rng;

/// Milliseconds that anything takes from one node to another, at least and at most.
const DELAY_MS: (u64, u64) = (1, 40);

/// The network.
#[derive(Default)]
pub(super) struct Wire {
    /// Gossip frames of a thousand that get lost.
    pub(super) lost_per_mille: u64,
    keys: BTreeMap<usize, TransportKey>,
    up: BTreeSet<usize>,
    cut: BTreeSet<(usize, usize)>,
    connected: BTreeSet<(usize, usize)>,
    topics: BTreeMap<usize, BTreeSet<String>>,
    under_way: BTreeMap<(Millis, u64), (usize, usize, Event)>,
    requests: BTreeMap<u64, (usize, u64, usize)>,
    counter: u64,
    last: BTreeMap<(usize, usize), Millis>,
    /// All that was sent since a test began to listen, as it is inside the transport's encryption.
    pub(super) heard: Option<Vec<NetworkEvent>>,
    /// How often a node charged another for what it had sent.
    pub(super) charges: usize,
}

impl Wire {
    pub(super) fn up(&mut self, node: usize, key: TransportKey) {
        self.keys.insert(node, key);
        self.up.insert(node);
        self.topics.insert(node, BTreeSet::new());
    }

    pub(super) fn down(&mut self, node: usize) -> Vec<(usize, Event)> {
        self.up.remove(&node);
        self.topics.remove(&node);
        self.under_way
            .retain(|_, (from, to, _)| *from != node && *to != node);
        let gone: Vec<(usize, usize)> = self
            .connected
            .iter()
            .filter(|(a, b)| *a == node || *b == node)
            .copied()
            .collect();
        gone.into_iter()
            .flat_map(|(a, b)| self.disconnect(a, b))
            .filter(|(at, _)| *at != node)
            .collect()
    }

    pub(super) fn set(&mut self, a: usize, b: usize, open: bool) -> Vec<(usize, Event)> {
        let pair = (a.min(b), a.max(b));
        if open {
            self.cut.remove(&pair);
            return Vec::new();
        }
        self.cut.insert(pair);
        self.under_way
            .retain(|_, (from, to, _)| (*from.min(to), *from.max(to)) != pair);
        self.disconnect(pair.0, pair.1)
    }

    /// Brings what is under way forward, so that a clock set back does not hold it up.
    pub(super) fn set_back(&mut self, ms: u64) {
        let under_way = std::mem::take(&mut self.under_way);
        self.under_way = under_way
            .into_iter()
            .map(|((at, number), event)| ((Millis(at.0.saturating_sub(ms)), number), event))
            .collect();
        self.last.clear();
    }

    fn disconnect(&mut self, a: usize, b: usize) -> Vec<(usize, Event)> {
        if !self.connected.remove(&(a, b)) {
            return Vec::new();
        }
        let gone = |peer| Event::Network(NetworkEvent::Disconnected(peer));
        vec![(a, gone(self.keys[&b])), (b, gone(self.keys[&a]))]
    }

    /// Connects every two nodes that run and are not cut off from each other.
    pub(super) fn connect_all(&mut self) -> Vec<(usize, Event)> {
        let mut events = Vec::new();
        let up: Vec<usize> = self.up.iter().copied().collect();
        for a in &up {
            for b in up.iter().filter(|b| *b > a) {
                let pair = (*a, *b);
                if !self.cut.contains(&pair) && self.connected.insert(pair) {
                    for (at, peer, outbound) in [(*a, *b, true), (*b, *a, false)] {
                        let connected = NetworkEvent::Connected {
                            peer: self.keys[&peer],
                            address: format!("/memory/{peer}"),
                            outbound,
                        };
                        events.push((at, Event::Network(connected)));
                    }
                }
            }
        }
        events
    }

    pub(super) fn next(&self) -> Option<Millis> {
        self.under_way.keys().next().map(|(at, _)| *at)
    }

    pub(super) fn deliver(&mut self, now: Millis) -> Option<(usize, Event)> {
        let entry = self.under_way.first_entry()?;
        if entry.key().0 > now {
            return None;
        }
        let (_, to, event) = entry.remove();
        Some((to, event))
    }

    pub(super) fn carry(
        &mut self,
        now: Millis,
        from: usize,
        command: Command,
        rng: &mut ChaCha20Rng,
    ) {
        match command {
            Command::Subscribe(topic) => {
                self.topics.entry(from).or_default().insert(topic);
            }
            Command::Unsubscribe(topic) => {
                self.topics.entry(from).or_default().remove(&topic);
            }
            Command::Publish { topic, data } => self.publish(now, from, &topic, &data, rng),
            Command::Request { id, peer, bytes } => match self.neighbour(from, &peer) {
                Some(to) => {
                    self.counter += 1;
                    let number = self.counter;
                    self.requests.insert(number, (from, id, to));
                    let request = NetworkEvent::Request {
                        id: number,
                        peer: self.keys[&from],
                        bytes,
                    };
                    self.send(now, from, to, request, rng);
                }
                None => {
                    let failed = NetworkEvent::RequestFailed {
                        id,
                        peer,
                        reason: RequestFailure::NotConnected,
                    };
                    self.send(now, from, from, failed, rng);
                }
            },
            Command::Answer { id, bytes } => {
                if let Some((asker, id, answerer)) = self.requests.remove(&id)
                    && self.are_connected(asker, answerer)
                {
                    let answered = NetworkEvent::Answered {
                        id,
                        peer: self.keys[&answerer],
                        bytes,
                    };
                    self.send(now, answerer, asker, answered, rng);
                }
            }
            Command::Penalise { .. }
            | Command::Judge {
                verdict: Verdict::Reject,
                ..
            } => self.charges += 1,
            Command::Dial { .. }
            | Command::Disconnect(_)
            | Command::Judge { .. }
            | Command::Protect(_)
            | Command::Unprotect(_) => {}
        }
    }

    fn publish(
        &mut self,
        now: Millis,
        from: usize,
        topic: &str,
        data: &[u8],
        rng: &mut ChaCha20Rng,
    ) {
        let listeners: Vec<usize> = self
            .topics
            .iter()
            .filter(|(node, topics)| {
                **node != from && topics.contains(topic) && self.are_connected(from, **node)
            })
            .map(|(node, _)| *node)
            .collect();
        for to in listeners {
            if rng.next_u64() % 1_000 < self.lost_per_mille {
                continue;
            }
            let frame = NetworkEvent::Frame {
                ticket: 0,
                peer: self.keys[&from],
                topic: topic.to_owned(),
                data: data.to_vec(),
            };
            self.send(now, from, to, frame, rng);
        }
    }

    /// Puts something on its way. One connection keeps its order, as TCP does.
    fn send(
        &mut self,
        now: Millis,
        from: usize,
        to: usize,
        event: NetworkEvent,
        rng: &mut ChaCha20Rng,
    ) {
        let (least, most) = DELAY_MS;
        let arrival = now.plus(least + rng.next_u64() % (most - least));
        let last = self.last.entry((from, to)).or_insert(arrival);
        *last = (*last).max(arrival);
        let at = *last;
        self.counter += 1;
        if let Some(heard) = &mut self.heard {
            heard.push(event.clone());
        }
        self.under_way
            .insert((at, self.counter), (from, to, Event::Network(event)));
    }

    fn neighbour(&self, from: usize, peer: &TransportKey) -> Option<usize> {
        self.keys
            .iter()
            .find(|(node, key)| *key == peer && self.are_connected(from, **node))
            .map(|(node, _)| *node)
    }

    fn are_connected(&self, a: usize, b: usize) -> bool {
        self.connected.contains(&(a.min(b), a.max(b)))
    }
}
