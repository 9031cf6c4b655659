//! Sessions between replicas: they bring two together, cheaply, from wherever each was.

use proptest::prelude::*;

use kith_crdt::control::{Body, LastSeen, Policy, VerifiedOp};
use kith_crdt::ids::{ChannelId, DeviceId, LogId, SegmentId, TransportKey, Window, Writer};
use kith_crdt::limits::SYNC_MESSAGE_MAX;
use kith_crdt::segment::Entry;
use kith_crdt::sync::{
    Answer, End, Head, Next, Outcome, Received, Refusal, Replica as _, Request, Session, serve,
};

use crate::orders::{all_of, assert_same};
use crate::replica::MemoryReplica;
use crate::world::{Act, Person, World, acts};

/// Runs a session against any peer for at most so many rounds, over the wire forms. None if it
/// was still going on.
pub(crate) fn pull_from(
    asker: &mut MemoryReplica,
    rounds: usize,
    mut peer: impl FnMut(Request) -> Option<Answer>,
    mut look: impl FnMut(&Received),
) -> Option<Outcome> {
    let (mut session, mut request) = Session::start(asker);
    for _ in 0..rounds {
        let bytes = request.to_bytes();
        assert!(bytes.len() <= SYNC_MESSAGE_MAX);
        let answer = peer(Request::parse(&bytes).unwrap())?.to_bytes();
        assert!(answer.len() <= SYNC_MESSAGE_MAX);
        let received = session.take(Answer::parse(&answer).unwrap());
        look(&received);
        asker.apply(received, &mut session);
        match session.next(asker) {
            Next::Ask(next) => request = next,
            Next::Done(outcome) => return Some(outcome),
        }
    }
    None
}

/// Pulls all that another replica has, as a device with this transport key.
pub(crate) fn pull(asker: &mut MemoryReplica, key: &TransportKey, peer: &MemoryReplica) -> Outcome {
    let honest = |request| Some(serve(peer, (key, None), &request).unwrap().answer);
    pull_from(asker, 10_000, honest, |_| ()).unwrap()
}

/// One pulls from the other, then the other from the one.
pub(crate) fn sync_both(one: &mut Person, other: &mut Person) {
    pull(
        &mut one.replica,
        &one.secrets.transport_key(),
        &other.replica,
    );
    pull(
        &mut other.replica,
        &other.secrets.transport_key(),
        &one.replica,
    );
}

/// Everybody meets everybody until nobody learns anything more.
fn settle(world: &mut World) {
    for _ in 0..2 * world.people.len() {
        let digests = |world: &World| -> Vec<_> {
            world
                .people
                .iter()
                .map(|person| person.replica.digest())
                .collect()
        };
        let before = digests(world);
        for who in 0..world.people.len() {
            (0..who).for_each(|whom| world.meet(who, whom));
        }
        if digests(world) == before {
            return;
        }
    }
    panic!("they go on learning from each other");
}

/// Two people of whom the second has said nothing yet, and whom the first has told nothing since.
fn two() -> World {
    World::new(2)
}

fn key(world: &World, who: usize) -> TransportKey {
    world.people[who].secrets.transport_key()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn sessions_that_break_off_anywhere_bring_everybody_together(
        acts in acts(5..50),
        broken in prop::collection::vec((0_usize..8, 0_usize..8, 1_usize..6), 0..20),
    ) {
        let mut world = World::lived(3, &acts);
        world.tell_time();
        for (who, whom, rounds) in broken {
            let (who, whom) = (who % world.people.len(), whom % world.people.len());
            let (asker, peer) = (key(&world, who), world.people[whom].replica.clone());
            let honest = |request| Some(serve(&peer, (&asker, None), &request).unwrap().answer);
            pull_from(&mut world.people[who].replica, rounds, honest, |_| ());
        }
        settle(&mut world);
        let everything = all_of(&world);
        for person in &world.people {
            let active = everything.control.roster().by_transport(&person.secrets.transport_key());
            if active.is_some() {
                assert_same(&person.replica, &everything);
            }
        }
    }
}

#[test]
fn equal_replicas_spend_one_small_message_each_way() {
    let mut world = two();
    (0..5).for_each(|_| world.say(0, Default::default()));
    world.meet(0, 1);
    let (asker, peer) = (key(&world, 1), world.people[0].replica.clone());
    let (mut requests, mut bytes) = (0, Vec::new());
    let honest = |request: Request| {
        let served = serve(&peer, (&asker, None), &request).unwrap();
        requests += 1;
        bytes.extend([request.to_bytes().len(), served.answer.to_bytes().len()]);
        assert!(!served.differs);
        Some(served.answer)
    };
    let outcome = pull_from(&mut world.people[1].replica, 9, honest, |_| ()).unwrap();
    assert_eq!((outcome.end, outcome.rounds, requests), (End::Same, 1, 1));
    assert!(bytes.iter().all(|bytes| *bytes < 1024));
}

#[test]
fn histories_that_went_apart_come_together_in_both_directions() {
    let mut world = two();
    for who in [0, 1] {
        world.say(who, Default::default());
        world.act(&Act::Rename { who: 0 });
        world.act(&Act::Wait { hours: 30 });
        world.say(who, Default::default());
    }
    world.meet(0, 1);
    assert_same(&world.people[0].replica, &world.people[1].replica);
    assert_eq!(world.people[0].replica.timeline().len(), 4);
}

#[test]
fn whoever_answers_a_differing_summary_learns_that_it_may_lack_something() {
    let mut world = two();
    world.say(1, Default::default());
    let (asker, peer) = (key(&world, 1), world.people[0].replica.clone());
    let (_, request) = Session::start(&world.people[1].replica);
    assert!(serve(&peer, (&asker, None), &request).unwrap().differs);
}

#[test]
fn the_newest_windows_come_first() {
    let mut world = two();
    let text = "long ".repeat(1_500);
    for _ in 0..3 {
        (0..80).for_each(|_| world.write(0, &Entry::Message(Default::default()), Some(&text)));
        world.act(&Act::Wait { hours: 24 });
    }
    world.tell_time();
    let (asker, peer) = (key(&world, 1), world.people[0].replica.clone());
    let mut windows = Vec::new();
    let honest = |request| Some(serve(&peer, (&asker, None), &request).unwrap().answer);
    let look = |received: &Received| {
        windows.extend(
            received
                .envelopes
                .iter()
                .map(|part| part.log.segment.window),
        );
    };
    let outcome = pull_from(&mut world.people[1].replica, 99, honest, look).unwrap();
    assert!(windows.len() > 3 && windows.is_sorted_by(|newer, older| newer >= older));
    assert_eq!((outcome.end, outcome.envelopes), (End::Complete, 240));
}

#[test]
fn a_page_that_is_full_leaves_no_log_out() {
    let mut world = World::new(3);
    let text = "long ".repeat(1_500);
    world.say(2, Default::default());
    (0..80).for_each(|_| world.write(0, &Entry::Message(Default::default()), Some(&text)));
    world.act(&Act::Wait { hours: 24 });
    (0..65).for_each(|_| world.write(0, &Entry::Message(Default::default()), Some(&text)));
    world.meet(0, 2);
    let (asker, peer) = (key(&world, 1), world.people[0].replica.clone());
    let outcome = pull(&mut world.people[1].replica, &asker, &peer);
    assert_eq!(
        (outcome.end, outcome.envelopes, outcome.given_up),
        (End::Complete, 146, 0)
    );
    assert_same(&world.people[1].replica, &peer);
}

#[test]
fn a_peer_that_holds_more_than_fits_an_answer_is_heard_out() {
    let mut world = two();
    let mut peer = world.people[0].replica.clone();
    let spread = (0..10_000).map(|number| (number, number));
    let crowded = (0..20_000).map(|number| (20_000, number));
    for (window, number) in spread.chain(crowded) {
        let mut device = [0; 32];
        device[..4].copy_from_slice(&u32::to_be_bytes(number));
        let segment = SegmentId {
            window: Window(24 * window),
            index: 0,
        };
        let writer = Writer {
            device: DeviceId(device),
            incarnation: 0,
        };
        let head = Head {
            seq: 1,
            link: [1; 32],
            fork: None,
        };
        peer.digests.set(&LogId { segment, writer }, head);
    }
    peer.digests.settle();
    let asker = key(&world, 1);
    let outcome = pull(&mut world.people[1].replica, &asker, &peer);
    assert_eq!((outcome.end, outcome.given_up), (End::Complete, 30_000));
}

#[test]
fn a_long_control_log_is_not_sent_again_for_the_little_that_is_new() {
    let mut world = two();
    for number in 0..2_500 {
        let topic = format!("{number} {}", "of many ".repeat(25));
        world.author(0, Body::Policy(Policy::Topic(topic)));
    }
    world.meet(0, 1);
    // Both go on, so that neither knows the other's heads.
    world.author(0, Body::Policy(Policy::Name("north".into())));
    let someone_new = Act::Join { from: 1 };
    world.act(&someone_new);
    let (asker, peer) = (key(&world, 1), world.people[0].replica.clone());
    let mut ops = 0;
    let honest = |request| Some(serve(&peer, (&asker, None), &request).unwrap().answer);
    let look = |received: &Received| ops += received.ops.len();
    pull_from(&mut world.people[1].replica, 99, honest, look).unwrap();
    assert!((1..5).contains(&ops), "{ops} ops");
}

#[test]
fn a_fork_that_one_knows_of_is_soon_known_to_all() {
    let mut world = World::new(3);
    world.say(0, Default::default());
    world.act(&Act::Copy { who: 0 });
    let copy = world.people.len() - 1;
    world.say(0, Default::default());
    world.say(copy, Default::default());
    world.say(copy, Default::default());
    world.meet(1, 0);
    world.meet(2, copy);
    world.meet(1, 2);
    assert_same(&world.people[1].replica, &world.people[2].replica);
    assert_eq!(world.people[1].replica.timeline().len(), 1);
    let outcome = {
        let (asker, peer) = (key(&world, 1), world.people[2].replica.clone());
        pull(&mut world.people[1].replica, &asker, &peer)
    };
    assert_eq!(outcome.end, End::Same);
}

#[test]
fn beacons_come_with_what_they_speak_of() {
    let mut world = two();
    world.say(0, Default::default());
    world.beacon(0);
    world.meet(0, 1);
    let heard = |world: &World, who: usize| world.people[who].replica.beacon_times();
    assert_eq!(heard(&world, 1), heard(&world, 0));
    assert_eq!(heard(&world, 1).len(), 1);
}

#[test]
fn an_envelope_whose_time_has_not_come_holds_up_only_its_log() {
    let mut world = two();
    world.say(0, Default::default());
    world.act(&Act::Wait { hours: 2 });
    world.say(0, Default::default());
    world.act(&Act::Join { from: 0 });
    world.say(2, Default::default());
    world.meet(2, 0);
    let (asker, peer) = (key(&world, 1), world.people[0].replica.clone());
    world.people[1].replica.now = kith_crdt::time::Millis(480_000 * kith_crdt::time::HOUR_MS);
    let outcome = pull(&mut world.people[1].replica, &asker, &peer);
    assert_eq!((outcome.end, outcome.given_up), (End::Complete, 2));
    assert_eq!(world.people[1].replica.timeline().len(), 1);
    world.meet(0, 1);
    assert_same(&world.people[0].replica, &world.people[1].replica);
}

#[test]
fn whoever_is_not_on_the_roster_learns_nothing() {
    let world = two();
    let stranger = TransportKey([1; 32]);
    let mut replica = world.newcomer();
    let outcome = pull(&mut replica, &stranger, &world.people[0].replica);
    assert!(matches!(outcome.end, End::Refused(_)));
    assert_eq!(replica.control.len(), 0);
}

#[test]
fn whoever_was_taken_out_is_told_by_what_and_served_nothing_else() {
    let mut world = two();
    world.meet(1, 0);
    let gone = key(&world, 1);
    let have = world.people[1].replica.control.heads();
    let account = world.people[1].secrets.account;
    let last_seen = LastSeen::new([]);
    world.author(0, Body::Remove { account, last_seen });
    let removal = world.ops.last().expect("the founder may").id();
    world.author(0, Body::Policy(Policy::Topic("among us".into())));

    let host = &world.people[0].replica;
    let tag = host.channel().tag();
    let ask = |request: Request| {
        serve(host, (&gone, None), &request)
            .expect("an answer")
            .answer
    };
    let Answer::Ops { ops, more } = ask(Request::Control { tag, have }) else {
        panic!("no ops");
    };
    let given = ops.iter().map(|op| VerifiedOp::verify(op).unwrap().id());
    assert_eq!((given.collect(), more), (vec![removal], false));

    let other = ChannelId([1; 32]).tag();
    let summary = Request::Summary {
        tag,
        heads: Vec::new(),
        digest: host.digest(),
        below: None,
    };
    let rest = [
        summary,
        Request::Control {
            tag: other,
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
    ];
    for request in rest {
        assert_eq!(ask(request), Answer::Refused(Refusal::NotForYou));
    }
}
