//! A member who does not keep to the rules, against an honest engine.

use kith_crdt::control::ControlLog;
use kith_crdt::envelope::{self, Envelope, Position};
use kith_crdt::frame::{self, Content};
use kith_crdt::ids::{ChannelId, LogId, SegmentId, TransportKey, Writer};
use kith_crdt::keyring::Keyring;
use kith_crdt::keys::EpochKeys;
use kith_crdt::segment::{Branch, Entry, Message};
use kith_crdt::sync::{Answer, Request};
use kith_crdt::time::{Hlc, Millis};
use kith_node::engine::Event;
use kith_node::network::{Command, NetworkEvent, Verdict};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::world::World;

/// A channel of two: node 1 plays the hostile member, node 0 is the honest one.
pub struct Attack {
    /// Where it happens; node 1 does not run in it, what it says is made up here.
    pub world: World,
    /// The channel that envelopes are made for.
    pub channel: ChannelId,
    /// The keys that envelopes and frames are sealed with.
    pub keys: EpochKeys,
    /// What is drawn.
    pub rng: ChaCha20Rng,
    /// As which incarnation of its device the attacker writes.
    pub incarnation: u32,
}

impl Default for Attack {
    fn default() -> Self {
        Self::new()
    }
}

impl Attack {
    /// The two have met, and know the same.
    ///
    /// # Panics
    ///
    /// If they do not come to know the same.
    pub fn new() -> Self {
        let mut world = World::new(2, 77);
        let channel = world.channel("general");
        world.until_agreed(&[0, 1], &channel);
        let view = world.engine(1).shared().channel(&channel);
        let view = view.expect("both have the channel");
        let epoch = view.roster.usable_epoch().expect("one to write in");
        let keys = view.keys.get(&epoch).expect("its keys").clone();
        world.crash(1);
        Self {
            world,
            channel,
            keys,
            rng: ChaCha20Rng::seed_from_u64(7),
            incarnation: 0,
        }
    }

    /// An honest envelope of the attacker's, at a time, as number `seq` after `prev`, or with
    /// another change in it.
    ///
    /// # Panics
    ///
    /// If `seq` is 0.
    pub fn envelope(
        &mut self,
        at: Millis,
        seq: u32,
        prev: [u8; 32],
        change: Option<Vec<u8>>,
    ) -> Envelope {
        let secrets = self.world.secrets(1).clone();
        let hlc = Hlc::at(at);
        let segment = SegmentId {
            window: hlc.window(24),
            index: 3,
        };
        let log = LogId {
            segment,
            writer: Writer {
                incarnation: self.incarnation,
                ..secrets.writer()
            },
        };
        let mut branch = Branch::new(log.writer.actor(&self.channel));
        let honest = (0..seq)
            .map(|_| branch.write(&Entry::Message(Message::default())))
            .last()
            .expect("numbers begin with 1");
        let position = Position {
            place: log.place(seq),
            prev,
            hlc,
            epoch: self.keys.epoch,
        };
        let mut ring = Keyring::new();
        ring.insert(self.keys.clone());
        let key = ring.window_key(&self.keys.epoch, segment.window);
        envelope::seal(
            &self.channel,
            &secrets.signing,
            &position,
            &key.expect("a key of that window"),
            &change.unwrap_or(honest),
            Some(b"a text"),
            &mut self.rng,
        )
    }

    /// Gossips to the honest node and returns its verdict.
    pub fn gossip(&mut self, content: &Content) -> Verdict {
        let data = frame::seal_frame(&self.keys, content, &mut self.rng);
        self.gossip_raw(data)
    }

    /// Gossips anything at all to the honest node and returns its verdict.
    ///
    /// # Panics
    ///
    /// If it gives none.
    pub fn gossip_raw(&mut self, data: Vec<u8>) -> Verdict {
        let peer = self.world.transport(1);
        let frame = NetworkEvent::Frame {
            ticket: 9,
            peer,
            topic: self.keys.topic(),
            data,
        };
        let commands = self.world.observe(0, Event::Network(frame));
        let judged = commands.into_iter().find_map(|command| match command {
            Command::Judge { ticket: 9, verdict } => Some(verdict),
            _ => None,
        });
        judged.expect("every frame is judged")
    }

    /// Asks the honest node, as the attacker (1) or a stranger (any other number), and returns
    /// the answer.
    ///
    /// # Panics
    ///
    /// If none comes.
    pub fn ask(&mut self, from: u8, request: &Request) -> Answer {
        let peer = if from == 1 {
            self.world.transport(1)
        } else {
            TransportKey([from; 32])
        };
        let event = NetworkEvent::Request {
            id: 5,
            peer,
            bytes: request.to_bytes(),
        };
        let commands = self.world.observe(0, Event::Network(event));
        let answer = commands.into_iter().find_map(|command| match command {
            Command::Answer { id: 5, bytes } => Some(bytes),
            _ => None,
        });
        Answer::parse(&answer.expect("every request is answered")).expect("and can be read")
    }

    /// How many messages the honest node counts in the channel.
    ///
    /// # Panics
    ///
    /// If it counts other bytes than are there.
    pub fn held(&self) -> u64 {
        let (counted, there) = self.world.sizes(0, &self.channel);
        assert_eq!(counted, there, "bytes of envelopes");
        self.world.messages(0, &self.channel)
    }

    /// The control log as the honest node has it.
    ///
    /// # Panics
    ///
    /// If an op that it keeps does not hold.
    pub fn control(&self) -> ControlLog {
        self.world.control(0, &self.channel)
    }
}
