//! A member or a stranger who does not keep to the rules, against an engine: that one thing is
//! refused, and nobody else notices.

#![expect(
    clippy::unwrap_used,
    reason = "a test that lacks what it needs has failed"
)]

use kith_crdt::beacon::Beacon;
use kith_crdt::control::{
    Body, ControlLog, ControlOp, LastSeen, Participation, Policy, Role, VerifiedOp,
};
use kith_crdt::crypto::secret::Secret;
use kith_crdt::crypto::sign::Signed;
use kith_crdt::envelope::{self, Envelope, Position};
use kith_crdt::frame::{self, Content};
use kith_crdt::grant::KeyRequest;
use kith_crdt::ids::{ChannelId, LogId, SegmentId, Writer};
use kith_crdt::keyring::Keyring;
use kith_crdt::keys::{EpochKeys, EpochSecret};
use kith_crdt::limits::LOGS_PER_DEVICE;
use kith_crdt::segment::{Branch, Entry, Message};
use kith_crdt::sync::{Answer, Refusal, Request};
use kith_crdt::time::{Hlc, Millis};
use kith_node::engine::Event;
use kith_node::network::{Command, NetworkEvent, Verdict};
use kith_tests::world::World;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// Node 1 plays the hostile member, node 0 the honest one.
struct Attack {
    world: World,
    channel: ChannelId,
    keys: EpochKeys,
    rng: ChaCha20Rng,
    incarnation: u32,
}

impl Attack {
    fn new() -> Self {
        let mut world = World::new(2, 77);
        let channel = world.channel("general");
        world.until_agreed(&[0, 1], &channel);
        let view = world.engine(1).shared().channel(&channel).unwrap();
        let epoch = view.roster.usable_epoch().unwrap();
        let keys = view.keys.get(&epoch).unwrap().clone();
        world.crash(1);
        Self {
            world,
            channel,
            keys,
            rng: ChaCha20Rng::seed_from_u64(7),
            incarnation: 0,
        }
    }

    /// An honest envelope of the attacker's, at a time, as number `seq` after `prev`.
    fn envelope(
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
            .unwrap();
        let position = Position {
            place: log.place(seq),
            prev,
            hlc,
            epoch: self.keys.epoch,
        };
        let mut ring = Keyring::new();
        ring.insert(self.keys.clone());
        let key = ring.window_key(&self.keys.epoch, segment.window).unwrap();
        let change = change.unwrap_or(honest);
        envelope::seal(
            &self.channel,
            &secrets.signing,
            &position,
            &key,
            &change,
            Some(b"a text"),
            &mut self.rng,
        )
    }

    /// Gossips to the honest node and returns its verdict.
    fn gossip(&mut self, content: &Content) -> Verdict {
        let data = frame::seal_frame(&self.keys, content, &mut self.rng);
        self.gossip_raw(data)
    }

    fn gossip_raw(&mut self, data: Vec<u8>) -> Verdict {
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

    fn ask(&mut self, from: u8, request: &Request) -> Answer {
        let peer = if from == 1 {
            self.world.transport(1)
        } else {
            kith_crdt::ids::TransportKey([from; 32])
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
        Answer::parse(&answer.expect("every request is answered")).unwrap()
    }

    fn held(&self) -> u64 {
        let (counted, there) = self.world.sizes(0, &self.channel);
        assert_eq!(counted, there, "bytes of envelopes");
        self.world.messages(0, &self.channel)
    }
}

#[test]
fn an_honest_envelope_is_taken_so_the_others_fail_for_their_own_reason() {
    let mut attack = Attack::new();
    let envelope = attack.envelope(attack.world.now(), 1, [0; 32], None);
    assert_eq!(
        attack.gossip(&Content::Envelopes(vec![envelope.to_bytes()])),
        Verdict::Accept
    );
    assert_eq!(attack.held(), 1);
}

#[test]
fn a_replay_after_the_duplicate_cache_has_forgotten_adds_nothing() {
    let mut attack = Attack::new();
    let envelope = attack.envelope(attack.world.now(), 1, [0; 32], None);
    let content = Content::Envelopes(vec![envelope.to_bytes()]);
    attack.gossip(&content);
    attack.world.pass(61_000);
    assert_eq!(attack.gossip(&content), Verdict::Ignore);
    assert_eq!(attack.held(), 1);
}

#[test]
fn a_broken_signature_is_its_bringers_fault() {
    let mut attack = Attack::new();
    let mut envelope = attack.envelope(attack.world.now(), 1, [0; 32], None);
    envelope.signature[5] ^= 1;
    assert_eq!(
        attack.gossip(&Content::Envelopes(vec![envelope.to_bytes()])),
        Verdict::Reject
    );
    assert_eq!(attack.held(), 0);
}

#[test]
fn an_envelope_of_another_channel_is_refused() {
    let mut attack = Attack::new();
    let other = attack.world.make(0, "elsewhere");
    let mine = attack.channel;
    attack.channel = other;
    let envelope = attack.envelope(attack.world.now(), 1, [0; 32], None);
    attack.channel = mine;
    assert_eq!(
        attack.gossip(&Content::Envelopes(vec![envelope.to_bytes()])),
        Verdict::Reject
    );
    assert_eq!(attack.held(), 0);
}

#[test]
fn a_frame_that_no_member_sealed_is_not_passed_on() {
    let mut attack = Attack::new();
    assert_eq!(attack.gossip_raw(vec![1; 200]), Verdict::Reject);
    assert_eq!(attack.gossip_raw(Vec::new()), Verdict::Reject);
    assert_eq!(attack.gossip_raw(vec![7; 100_000]), Verdict::Reject);
}

#[test]
fn a_change_that_does_anything_but_its_entry_is_kept_and_not_shown() {
    let mut attack = Attack::new();
    let envelope = attack.envelope(
        attack.world.now(),
        1,
        [0; 32],
        Some(vec![0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 2, 1, 0]),
    );
    assert_eq!(
        attack.gossip(&Content::Envelopes(vec![envelope.to_bytes()])),
        Verdict::Accept
    );
    let next = attack.envelope(attack.world.now(), 2, envelope.link(), None);
    attack.gossip(&Content::Envelopes(vec![next.to_bytes()]));
    assert_eq!(attack.held(), 1, "the next one of the same log counts");
}

#[test]
fn a_deletion_of_what_is_not_its_authors_erases_nothing() {
    let mut attack = Attack::new();
    let channel = attack.channel;
    let target = attack.world.say(0, channel, "not yours");
    let writer = attack.world.secrets(1).writer();
    let actor = Writer {
        incarnation: 0,
        ..writer
    }
    .actor(&channel);
    let change = Branch::new(actor).write(&Entry::Deletion { target });
    let forged = attack.envelope(attack.world.now(), 1, [0; 32], Some(change));
    let verdict = attack.gossip(&Content::Envelopes(vec![forged.to_bytes()]));
    assert_eq!(verdict, Verdict::Accept, "the log goes on");
    attack.world.pass(60_000);
    assert_eq!(attack.world.shown(0, &channel), ["not yours"]);
    assert_eq!(attack.world.texts_on_disk(0, &channel, 0), 1);
}

#[test]
fn a_new_text_of_what_is_deleted_is_erased_as_it_comes() {
    let mut attack = Attack::new();
    let channel = attack.channel;
    let message = attack.envelope(attack.world.now(), 1, [0; 32], None);
    let target = message.place().message_id(&channel);
    let writer = attack.world.secrets(1).writer();
    let say = |attack: &mut Attack, entry: Option<Entry>| {
        let writer = Writer {
            incarnation: attack.incarnation,
            ..writer
        };
        let change = entry.map(|entry| Branch::new(writer.actor(&channel)).write(&entry));
        let envelope = attack.envelope(attack.world.now(), 1, [0; 32], change);
        attack.gossip(&Content::Envelopes(vec![envelope.to_bytes()]));
        attack.world.pass(60_000);
        attack.incarnation += 1;
        attack.world.texts_on_disk(0, &channel, 1)
    };
    let kept = Entry::Message(Message::default());
    assert_eq!(say(&mut attack, Some(kept)), 1);
    let reason = Entry::Deletion { target };
    assert_eq!(say(&mut attack, Some(reason)), 1, "the reason stays");
    let late = Entry::Edit { target };
    assert_eq!(say(&mut attack, Some(late)), 1);
}

#[test]
fn an_entry_from_the_future_waits_until_its_time() {
    let mut attack = Attack::new();
    let future = attack.world.now().plus(20 * 60_000);
    let envelope = attack.envelope(future, 1, [0; 32], None);
    let content = Content::Envelopes(vec![envelope.to_bytes()]);
    attack.gossip(&content);
    assert_eq!(attack.held(), 0);
    attack.world.pass(16 * 60_000);
    attack.gossip(&content);
    assert_eq!(attack.held(), 1);
}

#[test]
fn of_many_incarnations_the_smallest_count_in_whatever_order_they_come() {
    let many = LOGS_PER_DEVICE as u32 + 20;
    let digests = [false, true].map(|backwards| {
        let mut attack = Attack::new();
        let now = attack.world.now();
        let mut incarnations: Vec<u32> = (0..many).map(|n| n * 7).collect();
        if backwards {
            incarnations.reverse();
        }
        for incarnation in incarnations {
            attack.incarnation = incarnation;
            attack.rng = ChaCha20Rng::seed_from_u64(incarnation.into());
            let envelope = attack.envelope(now, 1, [0; 32], None);
            let verdict = attack.gossip(&Content::Envelopes(vec![envelope.to_bytes()]));
            assert_ne!(verdict, Verdict::Reject, "who passes it on is not to blame");
        }
        assert_eq!(attack.held(), LOGS_PER_DEVICE as u64);
        let shown = attack.world.read(0, &attack.channel, 2 * LOGS_PER_DEVICE);
        assert_eq!(shown, LOGS_PER_DEVICE);
        attack.world.digest(0, &attack.channel)
    });
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn a_gap_that_never_fills_costs_nothing() {
    let mut attack = Attack::new();
    for seq in 5..60 {
        let orphan = attack.envelope(attack.world.now(), seq, [9; 32], None);
        attack.gossip(&Content::Envelopes(vec![orphan.to_bytes()]));
    }
    attack.world.pass(60_000);
    assert_eq!(attack.held(), 0);
}

#[test]
fn a_writer_who_contradicts_itself_ends_its_log() {
    let mut attack = Attack::new();
    let first = attack.envelope(attack.world.now(), 1, [0; 32], None);
    let one = attack.envelope(attack.world.now(), 2, first.link(), None);
    let other = attack.envelope(attack.world.now().plus(1), 2, first.link(), None);
    for envelope in [&first, &one] {
        attack.gossip(&Content::Envelopes(vec![envelope.to_bytes()]));
    }
    assert_eq!(attack.held(), 2);
    attack.gossip(&Content::Envelopes(vec![other.to_bytes()]));
    assert_eq!(attack.held(), 1);
    attack.gossip(&Content::Envelopes(vec![one.to_bytes()]));
    assert_eq!(attack.held(), 1, "the log stays ended");
}

#[test]
fn strangers_learn_nothing_by_asking() {
    let mut attack = Attack::new();
    let known = attack.channel.tag();
    let unknown = ChannelId([3; 32]).tag();
    for tag in [known, unknown] {
        let requests = [
            Request::Summary {
                tag,
                heads: Vec::new(),
                digest: [0; 32],
                below: None,
            },
            Request::Control {
                tag,
                have: Vec::new(),
            },
            Request::Vectors {
                tag,
                segments: Vec::new(),
            },
            Request::Pull {
                tag,
                logs: Vec::new(),
            },
            Request::Beacons {
                tag,
                have: Vec::new(),
            },
            Request::Offer {
                tag,
                ops: Vec::new(),
            },
        ];
        for request in requests {
            assert_eq!(
                attack.ask(200, &request),
                Answer::Refused(Refusal::NotForYou),
                "{request:?}"
            );
        }
    }
    let member = attack.ask(
        1,
        &Request::Control {
            tag: known,
            have: Vec::new(),
        },
    );
    assert!(
        matches!(member, Answer::Ops { .. }),
        "a member is answered: {member:?}"
    );
}

#[test]
fn malformed_requests_are_answered_and_counted() {
    let mut attack = Attack::new();
    let peer = attack.world.transport(1);
    for bytes in [
        Vec::new(),
        vec![0xff; 100],
        vec![0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ] {
        let commands = attack.world.observe(
            0,
            Event::Network(NetworkEvent::Request { id: 1, peer, bytes }),
        );
        assert!(
            commands
                .iter()
                .any(|command| matches!(command, Command::Penalise { .. })),
            "{commands:?}"
        );
        assert!(
            commands
                .iter()
                .any(|command| matches!(command, Command::Answer { id: 1, .. })),
            "{commands:?}"
        );
    }
}

#[test]
fn a_beacon_cannot_claim_what_nobody_wrote_or_speak_for_another() {
    let mut attack = Attack::new();
    let victim = attack.world.secrets(0).writer();
    let forged = Beacon {
        writer: victim,
        hlc: Hlc::at(attack.world.now()),
        addresses: Vec::new(),
        holds: Vec::new(),
        digest: [0; 32],
        erased: Vec::new(),
    };
    let signed: Signed = forged.sign(&attack.channel, &attack.world.secrets(1).signing.clone());
    assert_eq!(attack.gossip(&Content::Beacon(signed)), Verdict::Reject);
}

#[test]
fn kinds_of_a_later_version_are_passed_on() {
    let mut attack = Attack::new();
    assert_eq!(attack.gossip(&Content::Unknown(999)), Verdict::Accept);
    let refused = attack.ask(1, &Request::Unknown { kind: 77 });
    assert!(matches!(refused, Answer::Refused(_)), "{refused:?}");
}

/// The control log as the honest node has it.
fn control(attack: &Attack) -> ControlLog {
    let reader = attack.world.engine(0).reader();
    let mut ops: Vec<VerifiedOp> = reader
        .view()
        .ops(&attack.channel)
        .iter()
        .map(|(_, bytes)| VerifiedOp::from_stored(bytes).unwrap())
        .collect();
    ops.sort_by_key(|op| op.op().lamport);
    let mut log = ControlLog::new(attack.channel);
    for op in ops {
        log.insert(op);
    }
    log
}

#[test]
fn an_op_that_its_author_may_not_write_changes_nothing() {
    let mut attack = Attack::new();
    let own = attack.world.secrets(1).clone();
    let owner = attack.world.secrets(0).account;
    let nothing_seen = LastSeen::new([]);
    let acts = [
        Body::Remove {
            account: owner,
            last_seen: nothing_seen.clone(),
        },
        Body::Ban {
            account: owner,
            last_seen: nothing_seen,
            until: None,
        },
        Body::Mute {
            account: owner,
            until: attack.world.now().plus(3_600_000),
        },
        Body::SetRole {
            account: own.account,
            role: Role::Owner,
        },
        Body::Policy(Policy::Name("taken over".into())),
    ];
    for body in acts {
        let log = control(&attack);
        let highest = log.iter().map(|op| op.op().lamport).max().unwrap();
        let op = ControlOp {
            channel: Some(attack.channel),
            author: own.account,
            device: own.device(),
            parents: log.heads(),
            lamport: highest + 1,
            at: attack.world.now(),
            body,
        };
        let signed = op.sign(&own.signing).unwrap();
        attack.gossip(&Content::Ops(vec![signed.to_bytes()]));
        assert!(control(&attack).contains(&signed.id()), "kept as evidence");
        let forged = ControlOp {
            author: owner,
            ..op
        };
        let forged = forged.sign(&own.signing).unwrap();
        attack.gossip(&Content::Ops(vec![forged.to_bytes()]));
    }
    let view = attack
        .world
        .engine(0)
        .shared()
        .channel(&attack.channel)
        .unwrap();
    assert_eq!(view.name, "general");
    assert_eq!(view.roster.role(&owner), Some(Role::Owner));
    assert_eq!(view.roster.role(&own.account), Some(Role::Member));
    let now = attack.world.now();
    assert_eq!(
        view.roster.participation(&owner, now),
        Some(Participation::Active)
    );
    attack.world.say(0, attack.channel, "the owner goes on");
    assert_eq!(attack.held(), 1);
}

/// Whether the honest node takes what the attacker hands it as the keys of an epoch that it named.
fn takes(hand: impl FnOnce(EpochKeys) -> EpochKeys) -> bool {
    let mut attack = Attack::new();
    let (own, peer) = (attack.world.secrets(1).clone(), attack.world.transport(1));
    let (channel, now) = (attack.channel, attack.world.now());
    let connected = NetworkEvent::Connected {
        peer,
        address: "/ip4/192.0.2.1/tcp/4001".into(),
        outbound: false,
    };
    attack.world.observe(0, Event::Network(connected));
    let secret = EpochSecret::random(&mut attack.rng);
    let keys = secret.into_keys(
        &channel,
        Hlc::at(now).window(24),
        kith_crdt::term::Term::FOREVER,
    );
    let mut log = control(&attack);
    let body = Body::Epoch(log.roster().epoch_op(&keys));
    let op = log.author(&own, body, now).unwrap();
    let content = Content::Ops(vec![op.to_bytes()]);
    let frame = NetworkEvent::Frame {
        ticket: 9,
        peer,
        topic: attack.keys.topic(),
        data: frame::seal_frame(&attack.keys, &content, &mut attack.rng),
    };
    let commands = attack.world.observe(0, Event::Network(frame));
    let asked = commands.into_iter().find_map(|command| match command {
        Command::Request { id, bytes, .. } => match Request::parse(&bytes) {
            Ok(Request::Keys(request)) => Some((id, request)),
            _ => None,
        },
        _ => None,
    });
    let (id, request) = asked.expect("it asks for the keys");
    let request = KeyRequest::verify(&channel, &request).unwrap();
    let epoch = keys.epoch;
    let granted = request.answer([&hand(keys)], &mut attack.rng).unwrap();
    let answered = NetworkEvent::Answered {
        id,
        peer,
        bytes: Answer::Keys(kith_crdt::encoding::encode(&granted)).to_bytes(),
    };
    attack.world.observe(0, Event::Network(answered));
    let view = attack.world.engine(0).shared().channel(&channel).unwrap();
    view.keys.has(&epoch)
}

#[test]
fn keys_that_are_not_those_of_their_op_are_not_taken() {
    assert!(takes(|keys| keys));
    assert!(!takes(|keys| EpochKeys {
        chain: Secret::new([9; 32]),
        ..keys
    }));
    assert!(!takes(|keys| EpochKeys {
        topic_key: Secret::new([9; 32]),
        ..keys
    }));
}

#[test]
fn nobody_leaves_for_another_and_a_member_offers_nothing_else() {
    let mut attack = Attack::new();
    let channel = attack.channel;
    let log = control(&attack);
    let now = attack.world.now();
    let [owner, own] = [0, 1].map(|number| attack.world.secrets(number).clone());
    let op = |author, body| {
        let highest = log.iter().map(|op| op.op().lamport).max().unwrap();
        let op = ControlOp {
            channel: Some(channel),
            author,
            device: own.device(),
            parents: log.heads(),
            lamport: highest + 1,
            at: now,
            body,
        };
        op.sign(&own.signing).unwrap()
    };
    let offer = |op: &VerifiedOp| Request::Offer {
        tag: channel.tag(),
        ops: vec![op.to_bytes()],
    };
    let topic = op(own.account, Body::Policy(Policy::Topic("mine".into())));
    let of_another = op(owner.account, Body::Leave);
    for (other, answer) in [
        (topic, Answer::Taken { count: 0 }),
        (of_another, Answer::Refused(Refusal::NotForYou)),
    ] {
        assert_eq!(attack.ask(1, &offer(&other)), answer);
        assert!(!control(&attack).contains(&other.id()));
    }
    let leave = op(own.account, Body::Leave);
    assert!(attack.world.is_member(0, 1, &channel));
    // What else the one who leaves may have is asked for before it is known to be here.
    for _ in 0..2 {
        assert_eq!(attack.ask(1, &offer(&leave)), Answer::Taken { count: 0 });
    }
    assert!(!attack.world.is_member(0, 1, &channel));
}
