//! What a peer shows of its account: whom it makes a node serve, and what it costs. Engines under
//! virtual time, and a peer whose messages are made here.

use kith_crdt::crypto::phrase::Phrase;
use kith_crdt::identity::{Certificate, DeviceSecrets, NewDevice, create_account};
use kith_crdt::ids::{ChannelId, TransportKey};
use kith_crdt::sync::{Answer, Refusal, Request};
use kith_node::engine::{Event, Recovery};
use kith_node::network::{Command, NetworkEvent};
use kith_tests::world::World;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// Has a peer ask the first node, and returns the answer and whether the peer was charged.
fn ask(world: &mut World, peer: TransportKey, request: &Request) -> (Answer, bool) {
    let bytes = request.to_bytes();
    let event = NetworkEvent::Request { id: 7, peer, bytes };
    let commands = world.observe(0, Event::Network(event));
    let charged = commands
        .iter()
        .any(|command| matches!(command, Command::Penalise { .. }));
    let mut answers = commands.iter().filter_map(|command| match command {
        Command::Answer { id: 7, bytes } => Answer::parse(bytes).ok(),
        _ => None,
    });
    (answers.next().expect("an answer"), charged)
}

fn show(world: &mut World, peer: TransportKey, certificate: &Certificate) -> (Answer, bool) {
    let request = Request::Account(Box::new(certificate.clone()));
    ask(world, peer, &request)
}

fn channels(answer: &Answer) -> &[ChannelId] {
    match answer {
        Answer::Account { channels, .. } => channels,
        other => panic!("not what is known of an account: {other:?}"),
    }
}

/// A new device of an account, with the certificate that lists it.
fn device_of(owner: &DeviceSecrets, seed: u64) -> DeviceSecrets {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let new = NewDevice::generate(owner.account, "new", &mut rng).expect("a name");
    let certificate = owner.admit(&new.record, true).expect("it manages");
    let management = owner.management.clone();
    new.certified(certificate, management)
        .expect("it is listed")
}

fn stranger(seed: u64) -> DeviceSecrets {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let phrase = Phrase::random(&mut rng);
    create_account(&phrase, "Eve", "laptop", &mut rng).expect("a name")
}

#[test]
fn a_members_device_is_served_by_what_it_shows_and_a_revoked_one_is_not() {
    let mut world = World::new(2, 1);
    let channel = world.channel("general");
    let have = Vec::new();
    let control = Request::Control {
        tag: channel.tag(),
        have,
    };
    let new = device_of(world.secrets(1), 5);
    let peer = new.transport_key();
    let refused = Answer::Refused(Refusal::NotForYou);
    assert_eq!(ask(&mut world, peer, &control).0, refused);
    let (answer, charged) = show(&mut world, peer, &new.certificate);
    assert_eq!((channels(&answer), charged), (&[channel][..], false));
    assert!(matches!(
        ask(&mut world, peer, &control).0,
        Answer::Ops { .. }
    ));

    // Of this account, and revoked by this node, with the certificate that it still has.
    let lost = world.link_device(0, true);
    world.until("the node to know the device", |world| {
        let account = world.reading(0, |reading| reading.account());
        account.is_some_and(|account| account.devices.len() == 2)
    });
    let lost = world.secrets(lost).clone();
    let revoke = kith_node::engine::Command::RevokeDevice {
        device: lost.device(),
    };
    world.ask(0, revoke).expect("it manages");
    let peer = lost.transport_key();
    let (answer, _) = show(&mut world, peer, &lost.certificate);
    assert_eq!(channels(&answer), []);
    let summary = Request::Summary {
        tag: channel.tag(),
        heads: Vec::new(),
        digest: [0; 32],
        below: None,
    };
    assert_eq!(ask(&mut world, peer, &summary).0, refused);
}

#[test]
fn what_a_stranger_shows_gives_nothing_and_has_an_end() {
    let mut world = World::new(1, 2);
    world.make(0, "den");
    let eve = stranger(9);
    let peer = eve.transport_key();
    let (answer, charged) = show(&mut world, peer, &eve.certificate);
    assert_eq!((channels(&answer), charged), (&[][..], false));

    let malformed = Answer::Refused(Refusal::Malformed);
    let mut forged = eve.certificate.clone();
    forged.device_list.signature[3] ^= 1;
    let other = stranger(10).certificate;
    for certificate in [&forged, &other] {
        let told = show(&mut world, peer, certificate);
        assert_eq!(told, (malformed.clone(), true));
    }
    // The same again costs nothing; others have an end.
    for _ in 0..20 {
        let (answer, charged) = show(&mut world, peer, &eve.certificate);
        assert_eq!((channels(&answer), charged), (&[][..], false));
    }
    let mut renamed = eve.clone();
    for number in 0..7 {
        renamed.certificate = renamed.named(&format!("Eve {number}")).expect("a name");
        let (answer, _) = show(&mut world, peer, &renamed.certificate);
        assert_eq!(channels(&answer), []);
    }
    let ninth = renamed.named("Eve again").expect("a name");
    let (answer, _) = show(&mut world, peer, &ninth);
    assert_eq!(answer, Answer::Refused(Refusal::Busy));
}

#[test]
fn a_recovered_node_asks_whoever_names_channels_for_one_at_a_time() {
    let mut world = World::new(1, 3);
    world.stop(0);
    let new = world.recover(0, &[], Recovery::default());
    let peer = stranger(11).transport_key();
    let connected = NetworkEvent::Connected {
        peer,
        address: "/ip4/192.0.2.7/tcp/4001".into(),
        outbound: true,
    };
    let sent = |commands: Vec<Command>| -> Vec<(u64, Request)> {
        let requests = commands.into_iter().filter_map(|command| match command {
            Command::Request { id, bytes, .. } => Some((id, Request::parse(&bytes).ok()?)),
            _ => None,
        });
        requests.collect()
    };
    let asked = sent(world.observe(new, Event::Network(connected)));
    let [(id, Request::Account(_))] = asked.as_slice() else {
        panic!("it shows its certificate, and {asked:?}");
    };
    let named = (0..2_000_u16).map(|number| {
        let mut id = [9; 32];
        id[..2].copy_from_slice(&number.to_be_bytes());
        ChannelId(id)
    });
    let answer = Answer::Account {
        certificate: None,
        channels: named.collect(),
    };
    let answered = |id, answer: &Answer| {
        let bytes = answer.to_bytes();
        Event::Network(NetworkEvent::Answered { id, peer, bytes })
    };
    let mut asked = sent(world.observe(new, answered(*id, &answer)));
    for _ in 0..5 {
        let [(id, Request::Control { .. })] = asked.as_slice() else {
            panic!("one channel, not {} of them", asked.len());
        };
        let nothing = Answer::Refused(Refusal::NotForYou);
        asked = sent(world.observe(new, answered(*id, &nothing)));
    }
}
