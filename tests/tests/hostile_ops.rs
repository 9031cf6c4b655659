//! A member who writes control ops that they may not write, or hands out what is not what it should
//! be, against an engine: nothing comes of it.

#![expect(
    clippy::unwrap_used,
    reason = "a test that lacks what it needs has failed"
)]

use kith_crdt::control::{Body, ControlOp, LastSeen, Participation, Policy, Role, VerifiedOp};
use kith_crdt::crypto::secret::Secret;
use kith_crdt::frame::{self, Content};
use kith_crdt::grant::KeyRequest;
use kith_crdt::keys::{EpochKeys, EpochSecret};
use kith_crdt::sync::{Answer, Refusal, Request};
use kith_crdt::time::Hlc;
use kith_node::engine::Event;
use kith_node::network::{Command, NetworkEvent};
use kith_tests::Attack;

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
        let log = attack.control();
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
        assert!(attack.control().contains(&signed.id()), "kept as evidence");
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
    let mut log = attack.control();
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
    let log = attack.control();
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
        assert!(!attack.control().contains(&other.id()));
    }
    let leave = op(own.account, Body::Leave);
    assert!(attack.world.is_member(0, 1, &channel));
    // What else the one who leaves may have is asked for before it is known to be here.
    for _ in 0..2 {
        assert_eq!(attack.ask(1, &offer(&leave)), Answer::Taken { count: 0 });
    }
    assert!(!attack.world.is_member(0, 1, &channel));
}
