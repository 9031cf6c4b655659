//! A world of engines in one thread, under virtual time, on in-memory stores: no socket, no clock,
//! no randomness but a seed's. What a network does to messages (delay, cuts, forgetful gossip) is
//! decided here, so a seed replays everything.

mod asking;
mod chance;
mod clock;
mod node;
mod reading;
mod wire;

use std::collections::BTreeMap;

use kith_crdt::crypto::phrase::Phrase;
use kith_crdt::identity::Certificate;
use kith_crdt::ids::{AccountId, DeviceId};
use kith_crdt::time::Millis;
use kith_node::engine::{Effects, Event, Moment, Outcome, Refusal};
use kith_node::network::NetworkEvent;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

pub use asking::plain;
use node::Node;
use wire::Wire;

/// When every world begins: 2026-11-20, 12:00 UTC.
const BEGINNING: Millis = Millis(1_795_176_000_000);
/// Milliseconds that a world may take to come to rest before it counts as stuck.
const PATIENCE_MS: u64 = 20 * 60_000;

/// Engines and the network between them.
pub struct World {
    rng: ChaCha20Rng,
    now: Millis,
    nodes: Vec<Node>,
    /// The phrases of those who were there from the beginning.
    phrases: Vec<Phrase>,
    wire: Wire,
    /// The certificates of accounts with several devices.
    newest: BTreeMap<AccountId, Certificate>,
    answers: BTreeMap<u64, Result<Outcome, Refusal>>,
    presence: Vec<(usize, DeviceId, bool)>,
    next_token: u64,
}

impl World {
    /// A world of `people`, one device each, all running and connected.
    pub fn new(people: usize, seed: u64) -> Self {
        let mut world = Self {
            rng: ChaCha20Rng::seed_from_u64(seed),
            now: BEGINNING,
            nodes: Vec::new(),
            phrases: Vec::new(),
            wire: Wire::default(),
            newest: BTreeMap::new(),
            answers: BTreeMap::new(),
            presence: Vec::new(),
            next_token: 1,
        };
        for number in 0..people {
            world.add(&format!("person {number}"));
        }
        for number in 0..people {
            world.start(number);
        }
        world
    }

    /// Cuts or mends the line between two nodes.
    pub fn link(&mut self, a: usize, b: usize, open: bool) {
        for (at, event) in self.wire.set(a, b, open) {
            self.turn(at, event);
        }
        self.connect_all();
    }

    /// How many gossip frames of a thousand get lost.
    pub const fn lose_gossip(&mut self, per_mille: u64) {
        self.wire.lost_per_mille = per_mille;
    }

    /// Begins to listen on every line, inside the encryption of the transport.
    pub fn listen(&mut self) {
        self.wire.heard = Some(Vec::new());
    }

    /// What was sent since then, as it arrives.
    pub fn heard(&mut self) -> Vec<NetworkEvent> {
        self.wire.heard.take().unwrap_or_default()
    }

    /// How often somebody was charged for what they had sent: nobody is who is honest.
    pub const fn charges(&self) -> usize {
        self.wire.charges
    }

    pub(super) fn connect_all(&mut self) {
        for (at, event) in self.wire.connect_all() {
            self.turn(at, event);
        }
    }

    pub(super) fn turn(&mut self, number: usize, event: Event) {
        let node = &mut self.nodes[number];
        let now = node.clock(self.now);
        let Some(engine) = node.engine.as_mut() else {
            return;
        };
        let Effects {
            network,
            answers,
            moments,
            erase,
            ..
        } = engine.handle(now, event);
        self.answers.extend(answers);
        self.presence
            .extend(moments.iter().filter_map(|moment| match moment {
                Moment::Presence {
                    device, present, ..
                } => Some((number, *device, *present)),
                _ => None,
            }));
        for command in network {
            self.wire.carry(self.now, number, command, &mut self.rng);
        }
        // Nobody looks into the files of this world: they count as rewritten when it says so.
        if !erase.is_empty() {
            match &mut self.nodes[number].rewritings {
                Some(begun) => *begun += 1,
                None => self.turn(number, Event::Erased(Vec::new())),
            }
        }
    }
}
