//! What taking somebody out costs the node that makes the new key: the removal and the first
//! message under a new epoch, then the keys for everybody who asks. One engine on a store in
//! memory, and the requests of all others as they would come over the wire.

use std::time::Instant;

use kith_crdt::control::{Body, ControlLog, Role, VerifiedOp};
use kith_crdt::crypto::phrase::Phrase;
use kith_crdt::encoding;
use kith_crdt::frame::{self, Content};
use kith_crdt::grant::{self, KeyAnswer, PendingKeyRequest};
use kith_crdt::identity::{DeviceSecrets, create_account};
use kith_crdt::ids::ChannelId;
use kith_crdt::limits::{ACCOUNTS_PER_CHANNEL, SYNC_MESSAGE_MAX};
use kith_crdt::sync::{Answer, Request};
use kith_node::engine::{Event, MemberAct};
use kith_node::network::{Command, NetworkEvent};
use kith_tests::world::World;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::figure::{Bound, Report};

/// Accounts in the channel, and how many milliseconds the whole may take.
const SIZES: [(usize, Bound); 4] = [
    (2, Bound::Open),
    (32, Bound::Open),
    (256, Bound::AtMost(200.0)),
    (1_000, Bound::Open),
];

/// Measures each size.
pub(crate) fn measure(report: &mut Report) {
    for (accounts, bound) in SIZES {
        let mut crowd = Crowd::new(accounts);
        let (own, bytes_out) = crowd.rekey();
        let (answers, bytes_in, bytes_back) = crowd.hand_out();
        let row = |what: &str| format!("rekey of {accounts}: {what}");
        report.row(
            &row("removal, epoch, first message"),
            own,
            "ms",
            Bound::Open,
        );
        report.row(&row("keys for all who ask"), answers, "ms", Bound::Open);
        report.row(
            &row("in all, on the node that rekeys"),
            own + answers,
            "ms",
            bound,
        );
        report.row(&row("gossiped"), bytes_out as f64, "B", Bound::Open);
        report.row(&row("asked"), bytes_in as f64, "B", Bound::Open);
        report.row(&row("answered"), bytes_back as f64, "B", Bound::Open);
    }
}

/// A channel of one engine's, and the secrets of everybody else in it.
struct Crowd {
    world: World,
    channel: ChannelId,
    others: Vec<DeviceSecrets>,
    rng: ChaCha20Rng,
}

impl Crowd {
    /// A channel of so many accounts, and of one more that is to be taken out, where there is
    /// room for it.
    fn new(accounts: usize) -> Self {
        let mut world = World::new(1, 5);
        let channel = world.make(0, "crowd");
        world.say(0, channel, "before");
        let mut rng = ChaCha20Rng::seed_from_u64(9);
        let others: Vec<DeviceSecrets> = (0..accounts.min(ACCOUNTS_PER_CHANNEL - 1))
            .map(|number| {
                let phrase = Phrase::random(&mut rng);
                create_account(&phrase, &format!("person {number}"), "device", &mut rng)
                    .expect("the names are short")
            })
            .collect();
        let mut crowd = Self {
            world,
            channel,
            others,
            rng,
        };
        crowd.let_in();
        crowd
    }

    /// Adds all others by ops of the owner's, as another device of the owner's would send them.
    fn let_in(&mut self) {
        let engine = self.world.engine(0);
        let mut log = ControlLog::new(self.channel);
        let reader = engine.reader();
        let mut ops: Vec<VerifiedOp> = reader
            .view()
            .ops(&self.channel)
            .iter()
            .map(|(_, bytes)| VerifiedOp::from_stored(bytes).expect("an own op"))
            .collect();
        ops.sort_by_key(|op| op.op().lamport);
        for op in ops {
            log.insert(op);
        }
        let view = engine.shared().channel(&self.channel).expect("it was made");
        let epoch = view.roster.usable_epoch().expect("it was written in");
        let keys = view.keys.get(&epoch).expect("its own").clone();
        let owner = self.world.secrets(0).clone();
        let added: Vec<Vec<u8>> = self
            .others
            .iter()
            .map(|secrets| {
                let body = Body::Add {
                    role: Role::Member,
                    certificate: secrets.certificate.clone(),
                };
                let op = log.author(&owner, body, self.world.now());
                op.expect("an owner may").to_bytes()
            })
            .collect();
        for content in Content::ops(added) {
            let data = frame::seal_frame(&keys, &content, &mut self.rng);
            let event = NetworkEvent::Frame {
                ticket: 1,
                peer: self.others[0].transport_key(),
                topic: keys.topic(),
                data,
            };
            self.world.observe(0, Event::Network(event));
        }
        let members = self.world.engine(0).shared().channel(&self.channel);
        let known = members.map_or(0, |view| view.roster.members.len());
        assert_eq!(known, self.others.len() + 1, "all were let in");
    }

    /// Takes the last one out and writes. Returns milliseconds, and the bytes told to all.
    fn rekey(&mut self) -> (f64, usize) {
        let gone = self.others.pop().expect("there is one more");
        let begun = Instant::now();
        let commands = [
            kith_node::engine::Command::Member {
                channel: self.channel,
                account: gone.account,
                act: MemberAct::Remove,
                dry_run: false,
            },
            kith_node::engine::Command::Send {
                channel: self.channel,
                text: "after".into(),
                reply_to: None,
                thread: None,
                announce: false,
                expire_ms: None,
            },
        ];
        let mut told = Vec::new();
        for (token, command) in (1..).zip(commands) {
            let event = Event::Command {
                token,
                key: None,
                command,
            };
            told.extend(self.world.observe(0, event));
        }
        let took = begun.elapsed().as_secs_f64() * 1e3;
        let bytes = told.iter().map(|command| match command {
            Command::Publish { data, .. } => data.len(),
            _ => 0,
        });
        (took, bytes.sum())
    }

    /// Answers everybody's request for the new key. Returns milliseconds, and the bytes of the
    /// requests and of the answers.
    fn hand_out(&mut self) -> (f64, usize, usize) {
        let view = self.world.engine(0).shared().channel(&self.channel);
        let epoch = view.and_then(|view| view.roster.usable_epoch());
        let epoch = epoch.expect("it was written in");
        let mut asked: Vec<(PendingKeyRequest, Event, usize)> = Vec::new();
        for (id, secrets) in (1..).zip(&self.others) {
            let (pending, signed) =
                grant::request(&self.channel, &secrets.signing, &[epoch], &mut self.rng);
            let bytes = Request::Keys(signed).to_bytes();
            let length = bytes.len();
            let peer = secrets.transport_key();
            let event = Event::Network(NetworkEvent::Request { id, peer, bytes });
            asked.push((pending, event, length));
        }
        let (mut took, mut bytes_in, mut bytes_back) = (0.0, 0, 0);
        for (pending, event, length) in asked {
            let begun = Instant::now();
            let commands = self.world.observe(0, event);
            took += begun.elapsed().as_secs_f64() * 1e3;
            let answer = commands.into_iter().find_map(|command| match command {
                Command::Answer { bytes, .. } => Some(bytes),
                _ => None,
            });
            let answer = answer.expect("every request is answered");
            bytes_in += length;
            bytes_back += answer.len();
            let Ok(Answer::Keys(keys)) = Answer::parse(&answer) else {
                panic!("a member was refused its key");
            };
            let keys: KeyAnswer = encoding::decode(&keys, SYNC_MESSAGE_MAX).expect("an answer");
            let granted = pending.open(&keys).expect("it was sealed to the asker");
            assert_eq!(granted.len(), 1);
        }
        (took, bytes_in, bytes_back)
    }
}
