//! Forgetting, with engines under virtual time: what is over leaves no record and no key, on no
//! node, whoever was away; and nothing that lives is lost by it.

use kith_crdt::control::Policy;
use kith_crdt::encoding::decode;
use kith_crdt::envelope::Envelope;
use kith_crdt::ids::ChannelId;
use kith_crdt::log::Log;
use kith_crdt::retention::Retention;
use kith_crdt::time::{DAY_MS, HOUR_MS};
use kith_node::engine::Command;
use kith_node::record::{Arrival, Happening, What};
use kith_tests::world::{World, plain};

fn keep(world: &mut World, channel: ChannelId, retention: Retention, existing: bool) {
    let command = Command::SetPolicy {
        channel,
        policy: Policy::Retention {
            retention,
            existing,
        },
        dry_run: false,
    };
    world.ask(0, command).expect("the founder may");
}

/// A channel of so many people that keeps its messages for so many hours.
fn short(people: usize, seed: u64, hours: u32) -> (World, ChannelId) {
    let mut world = World::new(people, seed);
    let channel = world.make(0, "general");
    keep(&mut world, channel, Retention::Hours(hours), false);
    for other in 1..people {
        world.join(0, other, channel).expect("a link lets in");
    }
    (world, channel)
}

/// Has the founder say something that asks to live for so long.
fn say_for(world: &mut World, channel: ChannelId, ms: u64) {
    let short = plain(channel, "for a while", Some(ms));
    world.ask(0, short).expect("anybody may");
}

/// Lets hours go by, one after the other, as they do for a node that is up.
fn hours(world: &mut World, hours: u64) {
    for _ in 0..hours {
        world.jump(HOUR_MS);
        world.pass(1_000);
    }
}

/// Envelopes of a channel that a node has on its disk, and those of them that have a body.
fn on_disk(world: &World, number: usize, channel: &ChannelId) -> (usize, usize) {
    let entries = world.entries_on_disk(number, channel);
    let has_body = |entry: &&Envelope| entry.header.body_hash.is_some() && !entry.body_erased();
    (entries.len(), entries.iter().filter(has_body).count())
}

/// What a node was told of a channel's messages that are over, and of those that failed.
fn told(world: &World, number: usize) -> (usize, usize) {
    let reader = world.engine(number).reader();
    let events = reader.view().events_since(0, 10_000);
    let mut told = (0, 0);
    for (_, bytes) in events {
        match Happening::from_bytes(&bytes).map(|happening| happening.what) {
            Ok(What::Expired(_)) => told.0 += 1,
            Ok(What::Arrived(_, Arrival::Failed)) => told.1 += 1,
            _ => {}
        }
    }
    told
}

#[test]
fn a_message_leaves_an_envelope_and_then_nothing() {
    let (mut world, channel) = short(2, 1, 48);
    for number in 0..5 {
        world.say(0, channel, &format!("message {number}"));
    }
    world.until_agreed(&[0, 1], &channel);
    hours(&mut world, 47);
    assert_eq!([0, 1].map(|node| world.messages(node, &channel)), [5, 5]);
    hours(&mut world, 1);
    for node in [0, 1] {
        assert_eq!(world.messages(node, &channel), 0);
        assert_eq!(world.read(node, &channel, 50), 0);
        assert_eq!(on_disk(&world, node, &channel), (5, 0), "texts are gone");
        assert_eq!(told(&world, node), (5, 0));
    }
    world.until_agreed(&[0, 1], &channel);
    // Written at noon: the window is over twelve hours later.
    hours(&mut world, 13);
    for node in [0, 1] {
        assert_eq!(on_disk(&world, node, &channel), (0, 0));
        let view = world.engine(node).shared().channel(&channel).unwrap();
        let ending = view
            .keys
            .iter()
            .filter(|keys| keys.term.as_hours().is_some());
        let open = ending.map(|keys| keys.window).min().unwrap();
        assert!(open.starts_at().plus(3 * DAY_MS) > world.now(), "{open:?}");
    }
    world.until_agreed(&[0, 1], &channel);
    world.say(1, channel, "and on");
    world.until_agreed(&[0, 1], &channel);
    assert_eq!(world.messages(0, &channel), 1);
}

/// Somebody who was away came back with nothing but a reaction to what was over already. Where
/// nothing else of the channel was to end, its window was never shredded.
#[test]
fn a_window_is_shredded_whatever_came_of_it_and_when() {
    let (mut world, channel) = short(3, 13, 48);
    let target = world.say(0, channel, "over in two days");
    world.until_agreed(&[0, 1, 2], &channel);
    for other in [0, 1] {
        world.link(2, other, false);
    }
    hours(&mut world, 47);
    let emoji = "👍".into();
    let react = Command::React {
        target,
        emoji,
        on: true,
    };
    world.ask(2, react).expect("it is there still");
    hours(&mut world, 16);
    assert_eq!(on_disk(&world, 0, &channel), (0, 0), "nothing is left");
    for other in [0, 1] {
        world.link(2, other, true);
    }
    world.until_agreed(&[0, 1, 2], &channel);
    assert_eq!(on_disk(&world, 0, &channel), (1, 0), "but the reaction");
    hours(&mut world, 48);
    for node in [0, 1, 2] {
        assert_eq!(on_disk(&world, node, &channel), (0, 0), "node {node}");
    }
    world.until_agreed(&[0, 1, 2], &channel);
}

/// A message was to be there for three days, and an hour later the channel kept nothing for more
/// than an hour: its text stayed on the disk for three days, and it was counted.
#[test]
fn what_asks_to_end_later_than_it_may_is_gone_with_the_rest() {
    let (mut world, channel) = short(2, 12, 168);
    let say = |world: &mut World, expire_ms| {
        let command = Command::Send {
            channel,
            text: "a text".into(),
            reply_to: None,
            thread: None,
            announce: false,
            expire_ms,
        };
        world.ask(0, command).expect("a member may");
    };
    say(&mut world, Some(3 * DAY_MS));
    say(&mut world, None);
    say(&mut world, Some(2 * DAY_MS));
    world.until_agreed(&[0, 1], &channel);
    keep(&mut world, channel, Retention::Hours(1), true);
    world.until_agreed(&[0, 1], &channel);
    hours(&mut world, 1);
    for node in [0, 1] {
        assert_eq!(world.messages(node, &channel), 0);
        assert_eq!(on_disk(&world, node, &channel), (3, 0), "texts are gone");
    }
    world.until_agreed(&[0, 1], &channel);
}

#[test]
fn who_was_away_brings_nothing_back_and_learns_what_failed() {
    let (mut world, channel) = short(3, 2, 24);
    world.say(0, channel, "for all");
    world.until_agreed(&[0, 1, 2], &channel);
    world.crash(2);
    hours(&mut world, 2);
    world.say(1, channel, "while you are away");
    // It writes alone, and nobody hears of it in time.
    for other in [0, 1] {
        world.link(2, other, false);
    }
    world.start(2);
    world.say(2, channel, "to nobody");
    world.crash(2);
    hours(&mut world, 60);
    assert_eq!(on_disk(&world, 0, &channel), (0, 0));
    world.start(2);
    for other in [0, 1] {
        world.link(2, other, true);
    }
    world.until_agreed(&[0, 1, 2], &channel);
    hours(&mut world, 1);
    for node in [0, 1, 2] {
        assert_eq!(on_disk(&world, node, &channel), (0, 0), "node {node}");
        assert_eq!(world.messages(node, &channel), 0);
    }
    assert_eq!(told(&world, 2), (2, 1), "what it wrote itself has failed");
    world.say(2, channel, "back again");
    world.until_agreed(&[0, 1, 2], &channel);
    assert_eq!(world.messages(1, &channel), 1);
}

#[test]
fn what_lives_longer_stays_beside_what_is_over() {
    let mut world = World::new(2, 3);
    let channel = world.make(0, "general");
    world.join(0, 1, channel).unwrap();
    let old = world.say(0, channel, "for ever");
    keep(&mut world, channel, Retention::Hours(1), false);
    world.until_agreed(&[0, 1], &channel);
    world.say(1, channel, "for an hour");
    let react = Command::React {
        target: old,
        emoji: "🌱".into(),
        on: true,
    };
    world.until("it is there", |world| world.messages(1, &channel) == 2);
    world.ask(1, react).unwrap();
    world.until_agreed(&[0, 1], &channel);
    hours(&mut world, 30);
    for node in [0, 1] {
        let page = world.page(node, &channel, None);
        assert_eq!(page.len(), 1);
        assert_eq!(page[0].text.as_deref(), Some("for ever"));
        assert_eq!(page[0].reactions.0.len(), 1, "a reaction lives as long");
    }
    world.until_agreed(&[0, 1], &channel);
}

#[test]
fn a_policy_for_what_is_there_ends_it_everywhere() {
    let mut world = World::new(3, 4);
    let channel = world.make(0, "general");
    for other in [1, 2] {
        world.join(0, other, channel).unwrap();
    }
    world.say(1, channel, "old");
    world.until_agreed(&[0, 1, 2], &channel);
    world.link(2, 0, false);
    world.link(2, 1, false);
    hours(&mut world, 20);
    keep(&mut world, channel, Retention::Hours(24), true);
    world.say(0, channel, "new");
    hours(&mut world, 10);
    assert_eq!([0, 1].map(|node| world.messages(node, &channel)), [1, 1]);
    assert_eq!(world.messages(2, &channel), 1, "it has not heard of it");
    world.link(2, 0, true);
    world.link(2, 1, true);
    world.until_agreed(&[0, 1, 2], &channel);
    world.pass(5_000);
    assert_eq!(world.shown(2, &channel), ["new"]);
    hours(&mut world, 60);
    world.until_agreed(&[0, 1, 2], &channel);
    for node in [0, 1, 2] {
        assert_eq!(on_disk(&world, node, &channel), (0, 0), "node {node}");
    }
}

#[test]
fn what_everybody_has_read_is_gone_and_not_before() {
    let mut world = World::new(4, 5);
    let channel = world.make(0, "general");
    keep(&mut world, channel, Retention::Instant, false);
    for other in [1, 2] {
        world.join(0, other, channel).unwrap();
    }
    world.until_agreed(&[0, 1, 2], &channel);
    world.say(0, channel, "read and forget");
    world.until_agreed(&[0, 1, 2], &channel);
    let read = |world: &mut World, node| {
        let mark = Command::Mark {
            channel,
            messages: None,
        };
        world.ask(node, mark).unwrap();
    };
    world.link(1, 2, false);
    world.link(0, 2, false);
    read(&mut world, 1);
    world.join(0, 3, channel).unwrap();
    hours(&mut world, 5);
    let count = |world: &World| [0, 1, 2, 3].map(|node| world.messages(node, &channel));
    assert_eq!(count(&world), [1, 1, 1, 1], "one has not read it");
    read(&mut world, 2);
    world.pass(5_000);
    assert_eq!(
        world.messages(2, &channel),
        1,
        "it does not know of the other"
    );
    world.link(1, 2, true);
    world.link(0, 2, true);
    world.until("it is gone everywhere", |world| count(world) == [0; 4]);
    world.until_agreed(&[0, 1, 2, 3], &channel);
    assert_eq!(on_disk(&world, 3, &channel).1, 0);
}

#[test]
fn without_its_last_reader_a_message_goes_after_thirty_days() {
    let (mut world, channel) = short(2, 6, 1);
    keep(&mut world, channel, Retention::Instant, false);
    world.say(0, channel, "whenever you like");
    world.until_agreed(&[0, 1], &channel);
    world.crash(1);
    hours(&mut world, 24 * 30 - 1);
    assert_eq!(world.messages(0, &channel), 1);
    hours(&mut world, 2);
    assert_eq!(world.messages(0, &channel), 0);
}

#[test]
fn a_clock_that_leaps_destroys_nothing_on_its_own_word() {
    let (mut world, channel) = short(2, 7, 24);
    world.say(0, channel, "still there");
    world.until_agreed(&[0, 1], &channel);
    world.crash(1);
    world.skew(0, 40 * DAY_MS as i64);
    world.pass(120_000);
    assert_eq!(on_disk(&world, 0, &channel), (1, 1), "nothing is destroyed");
    world.skew(0, 0);
    world.start(1);
    world.until_agreed(&[0, 1], &channel);
    assert_eq!(world.shown(0, &channel), ["still there"]);
    // When it is really so late, another member's clock says the same.
    world.jump(40 * DAY_MS);
    world.say(1, channel, "long ago");
    world.until("both have it", |world| {
        world.shown(0, &channel) == ["long ago"]
    });
    hours(&mut world, 1);
    assert_eq!(on_disk(&world, 0, &channel).1, 1);
}

#[test]
fn a_deleted_message_has_no_text_on_any_disk() {
    let mut world = World::new(3, 8);
    let channel = world.make(0, "general");
    for other in [1, 2] {
        world.join(0, other, channel).unwrap();
    }
    let message = world.say(0, channel, "regret");
    let edit = Command::Edit {
        target: message,
        text: "much regret".into(),
    };
    world.ask(0, edit).unwrap();
    world.until_agreed(&[0, 1, 2], &channel);
    world.crash(2);
    let delete = Command::Delete {
        target: message,
        reason: None,
    };
    world.ask(0, delete).unwrap();
    world.until_agreed(&[0, 1], &channel);
    world.pass(5_000);
    world.start(2);
    world.until_agreed(&[0, 1, 2], &channel);
    world.pass(5_000);
    for node in [0, 1, 2] {
        assert_eq!(on_disk(&world, node, &channel).1, 0, "node {node}");
        assert!(world.page(node, &channel, None)[0].deleted);
    }
}

#[test]
fn a_message_that_asks_for_less_is_destroyed_where_everything_else_is_kept() {
    for keeps in [Retention::Forever, Retention::Hours(24 * 365)] {
        let mut world = World::new(2, 12);
        let channel = world.make_keeping(0, "general", keeps);
        world.join(0, 1, channel).expect("a link lets in");
        world.say(0, channel, "to be kept");
        say_for(&mut world, channel, 2 * HOUR_MS);
        world.until_agreed(&[0, 1], &channel);
        assert_eq!([0, 1].map(|node| world.messages(node, &channel)), [2, 2]);
        // Three hours is the term that is long enough, it was written within an hour, and a minute
        // later it is destroyed.
        hours(&mut world, 4);
        world.pass(60_000);
        world.until_agreed(&[0, 1], &channel);
        for node in [0, 1] {
            assert_eq!(on_disk(&world, node, &channel), (1, 1), "{keeps:?}");
            assert_eq!(world.shown(node, &channel), ["to be kept"]);
            let view = world.engine(node).shared().channel(&channel).unwrap();
            let short = view.keys.iter().filter(|keys| keys.term < keeps.term());
            let open: Vec<_> = short.map(|keys| keys.window.starts_at()).collect();
            assert!(!open.is_empty());
            assert!(open.iter().all(|open| open.plus(4 * HOUR_MS) > world.now()));
        }
        // It costs the others no key of their own: the channel goes on as before.
        world.say(1, channel, "and on");
        world.until_agreed(&[0, 1], &channel);
        assert_eq!(on_disk(&world, 0, &channel), (2, 2));
    }
}

#[test]
fn what_was_over_is_so_again_after_the_record_of_its_log_was_lost() {
    let mut world = World::new(2, 13);
    let channel = world.make_keeping(0, "general", Retention::Instant);
    world.join(0, 1, channel).expect("a link lets in");
    world.say(0, channel, "read and gone");
    world.until_agreed(&[0, 1], &channel);
    let mark = Command::Mark {
        channel,
        messages: None,
    };
    world.ask(1, mark).expect("anybody may");
    world.until("both have erased it", |world| {
        [0, 1].map(|node| on_disk(world, node, &channel).1) == [0, 0]
    });
    world.crash(0);
    world.tamper(0, |reader, batch| {
        for (_, bytes) in reader.view().logs(&channel) {
            let log: Log = decode(&bytes, bytes.len()).expect("it is sound");
            batch.delete_log(&channel, &log.id);
        }
    });
    world.start(0);
    let mend = Command::Mend { channel: None };
    world.ask(0, mend).expect("it can be mended");
    world.pass(5_000);
    assert_eq!(
        (world.messages(0, &channel), world.read(0, &channel, 50)),
        (0, 0)
    );
    world.until_agreed(&[0, 1], &channel);
}

#[test]
fn a_key_stays_as_long_as_anything_of_its_segment() {
    let mut world = World::new(2, 14);
    let channel = world.make(0, "general");
    world.join(0, 1, channel).expect("a link lets in");
    world.say(0, channel, "for a day, as it turns out");
    world.say(1, channel, "the same");
    world.until_agreed(&[0, 1], &channel);
    keep(&mut world, channel, Retention::Hours(24), true);
    keep(&mut world, channel, Retention::Forever, false);
    world.say(0, channel, "for ever, and on the same day");
    // What ends in between has keys moved on.
    say_for(&mut world, channel, 60 * HOUR_MS);
    world.until_agreed(&[0, 1], &channel);
    hours(&mut world, 24 * 7);
    for node in [0, 1] {
        assert_eq!(
            world.shown(node, &channel),
            ["for ever, and on the same day"]
        );
        assert_eq!(on_disk(&world, node, &channel), (3, 1));
    }
    world.until_agreed(&[0, 1], &channel);
}

#[test]
fn what_is_said_about_what_was_shortened_is_destroyed_with_it() {
    let mut world = World::new(3, 15);
    let channel = world.channel("general");
    let target = world.say(0, channel, "for an hour, as it turns out");
    world.until_agreed(&[0, 1], &channel);
    keep(&mut world, channel, Retention::Hours(1), true);
    // What is said from now on takes keys that whoever left does not have.
    world
        .ask(2, Command::Leave { channel })
        .expect("anybody may");
    world.until_agreed(&[0, 1], &channel);
    let react = Command::React {
        target,
        emoji: "🌱".into(),
        on: true,
    };
    world.ask(1, react).expect("anybody may");
    world.until_agreed(&[0, 1], &channel);
    assert!(on_disk(&world, 0, &channel).0 > 1);
    hours(&mut world, 26);
    for node in [0, 1] {
        assert_eq!(on_disk(&world, node, &channel), (0, 0), "node {node}");
    }
}

/// Talk of a day with everything that can be said: threads, edits, reactions, pins, read marks and
/// a deletion.
fn talk(world: &mut World, channel: ChannelId, round: usize) {
    let speaker = round % 2;
    let root = world.say(speaker, channel, &format!("round {round}"));
    let regret = world.say(speaker, channel, "regret");
    world.until_agreed(&[0, 1], &channel);
    let reply = Command::Send {
        channel,
        text: "an answer".into(),
        reply_to: None,
        thread: Some(root),
        announce: false,
        expire_ms: None,
    };
    let other = 1 - speaker;
    world.ask(other, reply).expect("anybody may");
    let about = [
        Command::React {
            target: root,
            emoji: "🌱".into(),
            on: true,
        },
        Command::Mark {
            channel,
            messages: None,
        },
    ];
    for command in about {
        world.ask(other, command).expect("anybody may");
    }
    let own = [
        Command::Edit {
            target: root,
            text: format!("round {round}, put better"),
        },
        Command::Delete {
            target: regret,
            reason: None,
        },
        Command::Pin {
            target: root,
            on: true,
        },
    ];
    for command in own {
        world.ask(0, command).ok();
    }
    world.until_agreed(&[0, 1], &channel);
}

#[test]
fn what_is_left_is_what_the_entries_make_at_any_hour_and_after_a_restart() {
    for (seed, retention) in [
        (9, Retention::Hours(30)),
        (10, Retention::Hours(3)),
        (11, Retention::Instant),
    ] {
        let mut world = World::new(2, seed);
        let channel = world.make_keeping(0, "general", retention);
        world.join(0, 1, channel).expect("a link lets in");
        for round in 0..20 {
            if round < 10 {
                talk(&mut world, channel, round);
            } else {
                let mark = Command::Mark {
                    channel,
                    messages: None,
                };
                world.ask(round % 2, mark).expect("anybody may");
            }
            hours(&mut world, 5);
            let number = round % 2;
            if round % 3 == 2 {
                let mend = Command::Mend { channel: None };
                let expired = told(&world, number);
                world.ask(number, mend).expect("it can be mended");
                world.pass(5_000);
                assert_eq!(told(&world, number), expired, "nothing is told of twice");
            }
            let told = |world: &World| {
                let view = world.engine(number).shared().channel(&channel).unwrap();
                (view.messages, view.last_activity, view.pending)
            };
            world.verify(number, &channel);
            let before = told(&world);
            world.crash(number);
            world.start(number);
            world.verify(number, &channel);
            assert_eq!(told(&world), before, "{retention:?}, round {round}");
        }
        for number in [0, 1] {
            assert_eq!(world.verify(number, &channel).messages, 0, "{retention:?}");
        }
    }
}

#[test]
fn what_is_over_and_was_lost_has_no_text_when_it_comes_back() {
    let (mut world, channel) = short(2, 14, 1);
    world.say(0, channel, "for an hour");
    world.until_agreed(&[0, 1], &channel);
    // To one it is over, the other still has it.
    world.skew(1, 30 * 60_000);
    world.jump(31 * 60_000);
    world.pass(1_000);
    assert_eq!([0, 1].map(|node| on_disk(&world, node, &channel).1), [1, 0]);
    let entries = world.entries_on_disk(1, &channel);
    let said = entries
        .iter()
        .find(|entry| entry.header.body_hash.is_some());
    let place = said.expect("its envelope is left").place();
    world.crash(1);
    world.tamper(1, |_, batch| batch.delete_envelope(&channel, &place));
    world.start(1);
    let _token = world.begin(1, Command::Mend { channel: None });
    world.pass(10_000);
    assert_eq!(on_disk(&world, 1, &channel), (entries.len(), 0));
}
