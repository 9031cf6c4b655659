//! A channel over its quota stands still, loses nothing by it, and goes on by itself: engines under
//! virtual time.

#![expect(clippy::unwrap_used, reason = "a test says by failing what went wrong")]

use kith_crdt::control::Policy;
use kith_crdt::encoding;
use kith_crdt::ids::ChannelId;
use kith_crdt::log::Log;
use kith_crdt::retention::Retention;
use kith_crdt::sync::Request;
use kith_crdt::time::HOUR_MS;
use kith_node::engine::{Command, Outcome, Refusal};
use kith_node::network::NetworkEvent;
use kith_tests::world::World;

const MINUTE_MS: u64 = 60_000;
/// More than any one envelope of these tests takes up.
const ONE: u64 = 2_000;

fn set_quota(world: &mut World, number: usize, channel: Option<ChannelId>, quota: Option<u64>) {
    let command = Command::SetQuota { channel, quota };
    assert_eq!(world.ask(number, command), Ok(Outcome::Done));
}

fn used(world: &World, number: usize, channel: &ChannelId) -> u64 {
    world.sizes(number, channel).0
}

fn is_full(world: &World, number: usize, channel: &ChannelId) -> bool {
    world.engine(number).shared().channel(channel).unwrap().full
}

/// What a node asks others for in a quarter of an hour, in which others write so much.
fn asked(world: &mut World, number: usize, channel: ChannelId, messages: u32) -> Vec<Request> {
    let asker = world.transport(number);
    world.listen();
    for message in 0..messages {
        world.say(0, channel, &format!("meanwhile {message}"));
        world.pass(15 * MINUTE_MS / u64::from(messages));
    }
    if messages == 0 {
        world.pass(15 * MINUTE_MS);
    }
    let heard = world.heard().into_iter();
    let requests = heard.filter_map(|event| match event {
        NetworkEvent::Request { peer, bytes, .. } if peer == asker => Request::parse(&bytes).ok(),
        _ => None,
    });
    requests.collect()
}

fn pulls(requests: &[Request]) -> usize {
    let is_pull = |request: &&Request| matches!(request, Request::Pull { .. });
    requests.iter().filter(is_pull).count()
}

#[test]
fn a_full_channel_takes_nothing_more_and_all_of_it_once_there_is_room() {
    let mut world = World::new(3, 1);
    let garden = world.channel("garden");
    world.until_agreed(&[0, 1, 2], &garden);
    let quota = used(&world, 1, &garden) + 5 * ONE;
    set_quota(&mut world, 1, Some(garden), Some(quota));
    let before = asked(&mut world, 1, garden, 0).len();
    for number in 0..60 {
        world.say(number % 3 / 2 * 2, garden, &format!("message {number}"));
    }
    world.pass(5 * MINUTE_MS);
    let taken = world.messages(1, &garden);
    assert!(is_full(&world, 1, &garden) && taken < 60, "{taken}");
    assert!((quota..quota + ONE).contains(&used(&world, 1, &garden)));
    assert_ne!(world.digest(0, &garden), world.digest(1, &garden));
    // What it has is in order, and everybody else goes on.
    world.verify(1, &garden);
    world.until_agreed(&[0, 2], &garden);

    // Nobody asks much more often than before, and nobody is charged.
    let quiet = asked(&mut world, 1, garden, 0);
    assert!(quiet.len() <= 3 * before, "{} after {before}", quiet.len());
    let busy = asked(&mut world, 1, garden, 90);
    let most = quiet.len() + quiet.len() / 10;
    assert!(busy.len() <= most, "{} after {}", busy.len(), quiet.len());
    assert_eq!(pulls(&quiet) + pulls(&busy), 0);
    let policy = Policy::Name("orchard".into());
    let rename = Command::SetPolicy {
        channel: garden,
        policy,
        dry_run: false,
    };
    world.ask(0, rename).unwrap();
    world.until("the control op to be there all the same", |world| {
        let view = world.engine(1).shared().channel(&garden).unwrap();
        view.name == "orchard"
    });
    assert_eq!(world.messages(1, &garden), taken);
    assert_eq!(world.charges(), 0);

    // Also after a start.
    world.crash(1);
    world.start(1);
    world.pass(5 * MINUTE_MS);
    assert!(is_full(&world, 1, &garden));
    assert_eq!(world.messages(1, &garden), taken);

    set_quota(&mut world, 1, Some(garden), Some(quota + 100 * ONE));
    assert!(!is_full(&world, 1, &garden));
    // At once, not when they would be compared next.
    world.pass(3_000);
    assert_eq!(world.messages(1, &garden), 150);
    world.until_agreed(&[0, 1, 2], &garden);
}

#[test]
fn of_a_page_no_more_is_taken_than_there_is_room_for() {
    let mut world = World::new(2, 6);
    let garden = world.channel("garden");
    world.until_agreed(&[0, 1], &garden);
    world.link(0, 1, false);
    for number in 0..60 {
        world.say(0, garden, &format!("message {number}"));
    }
    let quota = used(&world, 1, &garden) + 5 * ONE;
    set_quota(&mut world, 1, Some(garden), Some(quota));
    world.link(0, 1, true);
    world.pass(5 * MINUTE_MS);
    assert!((quota..quota + ONE).contains(&used(&world, 1, &garden)));
    assert!(world.messages(1, &garden) < 60);
    set_quota(&mut world, 1, Some(garden), None);
    world.until_agreed(&[0, 1], &garden);
}

#[test]
fn what_is_deleted_and_over_in_one_turn_is_taken_off_once() {
    let mut world = World::new(1, 7);
    let garden = world.make(0, "garden");
    let send = Command::Send {
        channel: garden,
        text: "for an hour ".repeat(50),
        reply_to: None,
        thread: None,
        announce: false,
        expire_ms: Some(HOUR_MS),
    };
    let Ok(Outcome::Sent { message, .. }) = world.ask(0, send) else {
        panic!("a member can write");
    };
    world.pass(HOUR_MS - 100);
    let target = message;
    let reason = None;
    world.ask(0, Command::Delete { target, reason }).unwrap();
    world.jump(200);
    world.pass(MINUTE_MS);
    let (counted, there) = world.sizes(0, &garden);
    assert_eq!(counted, there);
}

#[test]
fn what_adds_is_refused_where_it_is_full_and_what_takes_away_is_not() {
    let mut world = World::new(2, 2);
    let garden = world.channel("garden");
    let own = world.say(1, garden, "mine");
    let other = world.say(0, garden, "theirs");
    world.until_agreed(&[0, 1], &garden);
    let react = |on| Command::React {
        target: other,
        emoji: "👍".into(),
        on,
    };
    let pin = |on| Command::Pin { target: own, on };
    let edit = || Command::Edit {
        target: own,
        text: "changed".into(),
    };
    world.ask(1, react(true)).unwrap();
    set_quota(&mut world, 1, Some(garden), Some(1));
    let refused = |outcome: Result<Outcome, Refusal>| match outcome {
        Err(Refusal::Limit(why)) => {
            for part in ["#garden is full", "kith storage garden", "SIZE"] {
                assert!(why.contains(part), "{why}");
            }
        }
        other => panic!("it is full, and {other:?} came"),
    };
    let sent = world.try_say(1, garden, "more");
    refused(sent.map(|_| Outcome::Done));
    let again = Command::React {
        target: own,
        emoji: "🎉".into(),
        on: true,
    };
    for command in [again, pin(true), edit()] {
        refused(world.ask(1, command));
    }
    let reason = None;
    for command in [
        react(false),
        Command::Mark {
            channel: garden,
            messages: None,
        },
        Command::Delete {
            target: own,
            reason,
        },
    ] {
        world.ask(1, command).unwrap();
    }
    // What is written all the same comes to the others.
    world.until_agreed(&[0, 1], &garden);
    world.ask(1, Command::Leave { channel: garden }).unwrap();

    let kitchen = world.make(1, "kitchen");
    set_quota(&mut world, 1, None, Some(1));
    match world.try_say(1, kitchen, "no") {
        Err(Refusal::Limit(why)) => assert!(why.starts_with("this home is full"), "{why}"),
        other => panic!("the home is full, and {other:?} came"),
    }
    set_quota(&mut world, 1, None, None);
    world.say(1, kitchen, "yes");
    let nothing = Command::SetQuota {
        channel: Some(kitchen),
        quota: Some(0),
    };
    assert!(matches!(world.ask(1, nothing), Err(Refusal::Usage(_))));
}

#[test]
fn what_a_shorter_retention_would_free_is_what_it_frees() {
    let mut world = World::new(1, 4);
    let garden = world.make(0, "garden");
    let say = |world: &mut World, count: u32| {
        for number in 0..count {
            world.say(0, garden, &format!("number {number} of {count}"));
        }
    };
    // A whole day that will be over, messages of a day that is not, and some that stay.
    say(&mut world, 10);
    world.pass(42 * HOUR_MS);
    say(&mut world, 4);
    world.pass(29 * HOUR_MS);
    say(&mut world, 3);
    let view = world.engine(0).shared().channel(&garden).unwrap();
    let told = world.reading(0, |reading| reading.storage_of(&view));
    let goes = told.frees.iter().map(|freed| freed.messages);
    assert_eq!(goes.collect::<Vec<_>>(), [14, 0, 0, 0]);
    assert_eq!(told.storage.entries, used(&world, 0, &garden));
    let at_once = world.reading(0, |reading| {
        reading.gone_at_once(&view, Retention::Hours(24))
    });
    assert_eq!(at_once, 14);

    let policy = Policy::Retention {
        retention: Retention::Hours(24),
        existing: true,
    };
    let shorten = Command::SetPolicy {
        channel: garden,
        policy,
        dry_run: false,
    };
    world.ask(0, shorten).unwrap();
    world.pass(5 * MINUTE_MS);
    assert_eq!(world.messages(0, &garden), 3);
    let left = used(&world, 0, &garden);
    assert_eq!(told.storage.entries - left, told.frees[0].bytes);
    let view = world.engine(0).shared().channel(&garden).unwrap();
    let told = world.reading(0, |reading| reading.storage_of(&view));
    assert_eq!((told.frees.len(), told.storage.over.messages), (0, 4));
}

#[test]
fn a_log_that_nobody_has_counted_is_counted_when_it_is_loaded() {
    let mut world = World::new(1, 5);
    let garden = world.make(0, "garden");
    world.say(0, garden, "before anybody counted");
    let (counted, _) = world.sizes(0, &garden);
    world.crash(0);
    world.tamper(0, |reader, batch| {
        for (_, bytes) in reader.view().logs(&garden) {
            let mut log: Log = encoding::decode(&bytes, bytes.len()).unwrap();
            log.bytes = None;
            batch.put_log(&garden, &log.id, encoding::encode(&log));
        }
    });
    world.start(0);
    assert_eq!(world.sizes(0, &garden), (counted, counted));
}

#[test]
fn what_is_over_makes_room_by_itself() {
    let mut world = World::new(2, 3);
    let [garden, kitchen] = ["garden", "kitchen"].map(|name| {
        let retention = Retention::Hours(2);
        let channel = world.make_keeping(0, name, retention);
        world.join(0, 1, channel).unwrap();
        channel
    });
    world.until_agreed(&[0, 1], &garden);
    world.until_agreed(&[0, 1], &kitchen);
    // All channels together: what goes in one makes room in the other.
    let before = used(&world, 1, &garden) + used(&world, 1, &kitchen);
    set_quota(&mut world, 1, None, Some(before + 4 * ONE));
    for number in 0..40 {
        world.say(0, garden, &format!("{number} {}", "long ".repeat(100)));
    }
    world.until("the home to be full", |world| is_full(world, 1, &kitchen));
    world.say(0, kitchen, "the last word");
    world.pass(10 * MINUTE_MS);
    assert_eq!(world.messages(1, &kitchen), 0);
    assert_eq!(world.messages(0, &kitchen), 1);
    for _ in 0..5 {
        world.pass(HOUR_MS);
    }
    assert!(!is_full(&world, 1, &garden) && used(&world, 1, &garden) < ONE);
    world.say(0, garden, "after that");
    world.until_agreed(&[0, 1], &garden);
    world.until_agreed(&[0, 1], &kitchen);
    assert_eq!(world.shown(1, &garden), ["after that"]);
}
