//! Several engines in one thread under virtual time: what must hold whatever the network does.

use kith_api::message::DeliveryState::{self, Delivered, Pending, Read};
use kith_crdt::ids::{ChannelId, MessageId};
use kith_crdt::time::DAY_MS;
use kith_node::engine::{Command, Outcome, Refusal};
use kith_tests::world::World;

#[test]
fn what_one_writes_the_other_gets() {
    let mut world = World::new(2, 1);
    let channel = world.channel("general");
    world.say(0, channel, "hello");
    world.say(1, channel, "hello yourself");
    world.until("both have both", |world| {
        (0..2).all(|n| world.messages(n, &channel) == 2)
    });
    world.until_agreed(&[0, 1], &channel);
}

#[test]
fn what_was_written_while_one_was_off_comes_through_a_third() {
    let mut world = World::new(3, 2);
    let channel = world.channel("general");
    world.until_agreed(&[0, 1, 2], &channel);
    world.crash(1);
    for number in 0..50 {
        world.say(0, channel, &format!("message {number}"));
    }
    world.until("the third has them", |world| {
        world.messages(2, &channel) == 50
    });
    world.crash(0);
    world.start(1);
    world.until("the second has them", |world| {
        world.messages(1, &channel) == 50
    });
    world.until_agreed(&[1, 2], &channel);
}

#[test]
fn sync_brings_what_gossip_loses() {
    let mut world = World::new(3, 3);
    world.lose_gossip(1_000);
    let channel = world.channel("general");
    for number in 0..30 {
        world.say(number % 3, channel, "lost on the way");
    }
    world.until("all have all", |world| {
        (0..3).all(|n| world.messages(n, &channel) == 30)
    });
    world.until_agreed(&[0, 1, 2], &channel);
}

#[test]
fn a_join_that_finds_nobody_completes_when_somebody_appears() {
    let mut world = World::new(2, 4);
    let channel = world.make(0, "general");
    let link = world
        .invite(0, channel, 1, world.now().plus(DAY_MS))
        .unwrap();
    world.link(0, 1, false);
    let token = world.begin(1, Command::Join { link });
    world.pass(60_000);
    assert!(
        world.answer(token).is_none(),
        "there is nobody to let it in"
    );
    world.link(0, 1, true);
    world.until("it is in", |world| world.is_member(0, 1, &channel));
    world.pass(5_000);
    assert!(matches!(
        world.answer(token),
        Some(Ok(Outcome::Channel { .. }))
    ));
}

#[test]
fn a_join_survives_a_restart() {
    let mut world = World::new(2, 5);
    let channel = world.make(0, "general");
    let link = world
        .invite(0, channel, 1, world.now().plus(DAY_MS))
        .unwrap();
    world.link(0, 1, false);
    world.begin(1, Command::Join { link });
    world.crash(1);
    world.start(1);
    world.link(0, 1, true);
    world.until("it is in", |world| world.is_member(0, 1, &channel));
}

#[test]
fn an_invite_that_does_not_hold_says_why() {
    let mut world = World::new(3, 6);
    let channel = world.make(0, "general");
    let refused = |world: &mut World, guest, link, why: &str| match world
        .ask(guest, Command::Join { link })
    {
        Err(Refusal::Denied(said)) => assert!(said.contains(why), "{said:?} does not say {why:?}"),
        other => panic!("{why}: {other:?}"),
    };
    let expired = world
        .invite(0, channel, 1, world.now().plus(1_000))
        .unwrap();
    world.pass(2_000);
    refused(&mut world, 1, expired, "expired");
    let revoked = world
        .invite(0, channel, 1, world.now().plus(DAY_MS))
        .unwrap();
    world
        .ask(
            0,
            Command::RevokeInvite {
                channel,
                invite: revoked.invite(),
            },
        )
        .unwrap();
    refused(&mut world, 1, revoked, "revoked");
    let single = world
        .invite(0, channel, 1, world.now().plus(DAY_MS))
        .unwrap();
    world
        .ask(
            1,
            Command::Join {
                link: single.clone(),
            },
        )
        .unwrap();
    refused(&mut world, 2, single, "used up");
}

#[test]
fn who_left_reads_no_more_and_the_rest_goes_on_under_a_new_epoch() {
    let mut world = World::new(3, 7);
    let channel = world.channel("general");
    world.say(0, channel, "with everybody");
    world.until("all have it", |world| {
        (0..3).all(|n| world.messages(n, &channel) == 1)
    });
    world.ask(2, Command::Leave { channel }).unwrap();
    world.until("all know", |world| {
        (0..3).all(|n| !world.is_member(n, 2, &channel))
    });
    world.say(1, channel, "without the one who left");
    world.until("the other has it", |world| world.messages(0, &channel) == 2);
    world.pass(120_000);
    assert_eq!(world.messages(2, &channel), 1);
    assert!(matches!(
        world.try_say(2, channel, "still here?"),
        Err(Refusal::Denied(_))
    ));
}

#[test]
fn who_left_may_come_back_by_a_new_invite() {
    let mut world = World::new(2, 8);
    let channel = world.channel("general");
    world.ask(1, Command::Leave { channel }).unwrap();
    world.until("both know", |world| !world.is_member(0, 1, &channel));
    world.say(0, channel, "alone");
    world.join(0, 1, channel).unwrap();
    world.until("it has what was said meanwhile", |world| {
        world.messages(1, &channel) == 1
    });
    world.say(1, channel, "back");
    world.until("the other has it", |world| world.messages(0, &channel) == 2);
}

#[test]
fn receipts_reach_the_author() {
    let mut world = World::new(3, 9);
    let channel = world.channel("general");
    world.say(0, channel, "read me");
    world.until("all have it", |world| {
        (0..3).all(|n| world.messages(n, &channel) == 1)
    });
    assert_eq!(world.unread(1, &channel), 1);
    let marked = world.ask(
        1,
        Command::Mark {
            channel,
            messages: None,
        },
    );
    assert_eq!(marked, Ok(Outcome::Marked(1)));
    assert_eq!(
        (world.unread(1, &channel), world.unread(2, &channel)),
        (0, 1)
    );
    world.until_agreed(&[0, 1, 2], &channel);
}

#[test]
fn a_clock_set_back_loses_nothing_and_stops_nothing() {
    let mut world = World::new(2, 10);
    let channel = world.channel("general");
    world.say(0, channel, "before");
    world.until("both have it", |world| {
        (0..2).all(|n| world.messages(n, &channel) == 1)
    });
    world.set_back(3 * DAY_MS);
    world.say(0, channel, "after");
    world.say(1, channel, "me too");
    world.until("both have all", |world| {
        (0..2).all(|n| world.messages(n, &channel) == 3)
    });
    world.until_agreed(&[0, 1], &channel);
}

#[test]
fn the_same_key_sends_once() {
    let mut world = World::new(1, 11);
    let channel = world.make(0, "general");
    let send = Command::Send {
        channel,
        text: "once".into(),
        reply_to: None,
        thread: None,
        announce: false,
        expire_ms: None,
    };
    let first = world.ask_with_key(0, "retry-1", send.clone());
    let second = world.ask_with_key(0, "retry-1", send);
    assert_eq!(first, second);
    let other = Command::Send {
        channel,
        text: "another".into(),
        reply_to: None,
        thread: None,
        announce: false,
        expire_ms: None,
    };
    assert!(matches!(
        world.ask_with_key(0, "retry-1", other),
        Err(Refusal::Usage(_))
    ));
    assert_eq!(world.messages(0, &channel), 1);
}

#[test]
fn any_seed_ends_with_everybody_agreed() {
    let seeds = std::env::var("KITH_SEEDS")
        .ok()
        .and_then(|seeds| seeds.parse().ok())
        .unwrap_or(24);
    for seed in 0..seeds {
        let mut world = World::new(4, 1_000 + seed);
        world.lose_gossip(100);
        let channel = world.channel("general");
        let written = world.live(&channel, 120);
        world.heal();
        world.until("everybody has everything that was acknowledged", |world| {
            (0..4).all(|n| world.messages(n, &channel) == written)
        });
        world.until_agreed(&[0, 1, 2, 3], &channel);
    }
}

#[test]
fn after_a_crash_a_node_writes_as_another_and_nothing_forks() {
    let mut world = World::new(2, 31);
    let channel = world.channel("general");
    world.say(0, channel, "before");
    world.until_agreed(&[0, 1], &channel);
    assert_eq!(world.engine(0).shared().continuation().anew, None);
    for copies in 1..=3 {
        world.crash(0);
        world.start(0);
        let continuation = world.engine(0).shared().continuation();
        assert!(continuation.anew.is_some());
        assert_eq!(continuation.doubled, None, "its own past is no double");
        world.say(0, channel, "after");
        world.until_agreed(&[0, 1], &channel);
        assert_eq!(world.messages(1, &channel), 1 + copies);
    }
    let reader = world.engine(1).reader();
    let logs = reader.view().logs(&channel).len();
    assert_eq!(logs, 4, "the first and one for each copy");
}

#[test]
fn word_of_a_delivery_comes_by_whoever_heard_it() {
    let mut world = World::new(3, 41);
    let channel = world.channel("general");
    world.until_agreed(&[0, 1, 2], &channel);
    world.crash(1);
    world.say(0, channel, "for everybody");
    world.until_agreed(&[0, 2], &channel);
    world.crash(0);
    // Node 1 gets it from node 2, and says so while the author is away.
    world.start(1);
    world.until_agreed(&[1, 2], &channel);
    world.pass(5_000);
    world.crash(1);
    // Author and keeper of the word hold the same when they meet.
    world.start(0);
    let other = world.secrets(1).device();
    world.until("the author hears of the delivery", |world| {
        let view = world.engine(0).shared().channel(&channel).unwrap();
        let reader = world.engine(0).reader();
        let logs = reader
            .view()
            .page(kith_store::Line::main(&channel), None, 1);
        let written = logs.last().unwrap().place;
        view.holds.of(&other, &written.log) >= written.seq
    });
}

/// Where a message of the first node's has arrived, as that knows, which is for one account: the
/// account's state, how many devices of it hold the message, and the state of each, in order.
fn arrived(world: &World, message: MessageId) -> (DeliveryState, u64, Vec<DeliveryState>) {
    let found = world.reading(0, |reading| {
        let (_, channel, place) = reading
            .find_message(&message.to_string())
            .expect("it is here");
        reading.message_detail(&channel, place)
    });
    let detail = found.expect("it is shown");
    let [there] = detail.recipients.as_slice() else {
        panic!("{:?}", detail.recipients)
    };
    let devices = detail.delivery.iter();
    let mut states: Vec<_> = devices.map(|device| device.state).collect();
    states.sort_unstable();
    assert_eq!(there.devices, states.len() as u64);
    (there.state, there.holding, states)
}

#[test]
fn what_one_device_of_an_account_has_read_another_may_not_have_yet() {
    let mut world = World::new(2, 42);
    let channel = world.channel("general");
    let before = world.say(0, channel, "before there were two");
    let laptop = world.link_device(1, false);
    world.until("both devices to have it", |world| {
        arrived(world, before) == (Delivered, 2, vec![Delivered, Delivered])
    });
    world.crash(laptop);
    let message = world.say(0, channel, "read on the phone");
    world.until("the phone to have it", |world| {
        arrived(world, message) == (Delivered, 1, vec![Pending, Delivered])
    });
    assert_eq!(marked(&mut world, 1, channel), 2);
    world.until("it to be read", |world| arrived(world, message).0 == Read);
    assert_eq!(arrived(&world, message), (Read, 1, vec![Pending, Read]));
    assert_eq!(arrived(&world, before), (Read, 2, vec![Read, Read]));
    world.start(laptop);
    world.until("the laptop to have it as well", |world| {
        arrived(world, message) == (Read, 2, vec![Read, Read])
    });
}

fn marked(world: &mut World, number: usize, channel: ChannelId) -> u64 {
    let messages = None;
    match world.ask(number, Command::Mark { channel, messages }) {
        Ok(Outcome::Marked(marked)) => marked,
        other => panic!("{other:?}"),
    }
}

fn threaded(channel: ChannelId, root: MessageId, text: &str) -> Command {
    Command::Send {
        channel,
        text: text.into(),
        reply_to: None,
        thread: Some(root),
        announce: false,
        expire_ms: None,
    }
}

#[test]
fn what_is_unread_counts_once_and_where_it_can_be_seen() {
    let mut world = World::new(2, 21);
    let channel = world.channel("general");
    let root = world.say(0, channel, "a question");
    world.say(0, channel, "something else");
    for text in ["an answer", "and another"] {
        let answered = world.ask(0, threaded(channel, root, text));
        assert!(answered.is_ok(), "{answered:?}");
    }
    world.until("all have it", |world| world.messages(1, &channel) == 4);
    world.until_agreed(&[0, 1], &channel);

    assert_eq!(
        (world.unread(1, &channel), world.unread_replies(1, &channel)),
        (2, 2)
    );
    assert_eq!(
        (world.unread(0, &channel), world.unread_replies(0, &channel)),
        (0, 0)
    );
    world.crash(1);
    world.start(1);
    assert_eq!(
        (world.unread(1, &channel), world.unread_replies(1, &channel)),
        (2, 2)
    );
    assert_eq!(marked(&mut world, 1, channel), 4);
    assert_eq!(
        (world.unread(1, &channel), world.unread_replies(1, &channel)),
        (0, 0)
    );
    assert_eq!(marked(&mut world, 1, channel), 0);
}

#[test]
fn what_is_deleted_is_not_unread() {
    let mut world = World::new(3, 22);
    let channel = world.channel("general");
    let kept = world.say(1, channel, "stays");
    let gone = world.say(1, channel, "goes");
    world.until("all have it", |world| {
        (0..3).all(|n| world.messages(n, &channel) == 2)
    });
    assert_eq!(
        (world.unread(0, &channel), world.unread(2, &channel)),
        (2, 2)
    );
    // Who is away gets the message and its deletion at once, from somebody else.
    world.crash(2);
    let late = world.say(1, channel, "goes, too");
    world.until("who deletes has it", |world| {
        world.messages(0, &channel) == 3
    });
    for target in [gone, late] {
        let reason = None;
        let deleted = world.ask(0, Command::Delete { target, reason });
        assert!(deleted.is_ok(), "{deleted:?}");
    }
    world.start(2);
    world.until_agreed(&[0, 1, 2], &channel);
    assert_eq!(
        (world.unread(0, &channel), world.unread(2, &channel)),
        (1, 1)
    );
    world.crash(2);
    world.start(2);
    assert_eq!(world.unread(2, &channel), 1);

    // A member may not delete what others wrote.
    let refused = world.ask(
        2,
        Command::Delete {
            target: kept,
            reason: None,
        },
    );
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(marked(&mut world, 2, channel), 1);
}

#[test]
fn who_goes_without_a_word_is_told_of_once() {
    let mut world = World::new(2, 23);
    let channel = world.channel("general");
    world.until_agreed(&[0, 1], &channel);
    world.pass(3 * 60_000);
    let before = world.told_of(0, 1);
    assert!(
        !before.is_empty() && before.iter().all(|present| *present),
        "{before:?}"
    );

    world.crash(1);
    world.pass(10 * 60_000);

    assert_eq!(world.told_of(0, 1), [false]);

    // Coming back takes no word of its own: whoever says what they hold is there.
    world.start(1);
    world.pass(10_000);
    assert_eq!(world.told_of(0, 1), [true]);
}

#[test]
fn the_first_incarnation_is_drawn_like_any_other() {
    let mut world = World::new(2, 43);
    let channel = world.channel("general");
    world.say(0, channel, "hello");
    let reader = world.engine(0).reader();
    let logs = reader.view().logs(&channel);
    let log: kith_crdt::log::Log = kith_crdt::encoding::decode(&logs[0].1, 1 << 16).unwrap();
    assert_ne!(log.id.writer, world.secrets(0).writer());
    assert_eq!(world.engine(0).shared().continuation().anew, None);
}
