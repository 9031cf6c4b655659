//! What newcomers may read, and how keys are replaced, with engines under virtual time.

use kith_crdt::control::{History, Policy, Right, Role};
use kith_crdt::envelope::Envelope;
use kith_crdt::ids::{ChannelId, EpochId};
use kith_crdt::sync::Request;
use kith_crdt::time::DAY_MS;
use kith_node::engine::{Command, Event, MemberAct};
use kith_node::network::Command as NetworkCommand;
use kith_store::Line;
use kith_tests::world::World;

fn set(world: &mut World, channel: ChannelId, policy: Policy) {
    let command = Command::SetPolicy {
        channel,
        policy,
        dry_run: false,
    };
    world.ask(0, command).expect("the founder may");
}

/// The epochs that the newest messages of a node's main timeline are sealed in, oldest first.
fn sealed_in(world: &World, number: usize, channel: &ChannelId, newest: usize) -> Vec<EpochId> {
    let reader = world.engine(number).reader();
    let view = reader.view();
    let epoch = |place| {
        let stored = view.envelope(channel, &place)?;
        let envelope = Envelope::from_stored(&stored, channel, place).ok()?;
        Some(envelope.header.epoch)
    };
    let page = view.page(Line::main(channel), None, newest);
    page.iter().filter_map(|entry| epoch(entry.place)).collect()
}

/// How often a node asks for keys within so many seconds, with nobody answering.
fn requests_for_keys(world: &mut World, number: usize, seconds: u64) -> usize {
    let mut requests = 0;
    for _ in 0..seconds {
        world.jump(1_000);
        let asked = world.observe(number, Event::Tick);
        requests += asked
            .iter()
            .filter(|command| match command {
                NetworkCommand::Request { bytes, .. } => {
                    matches!(Request::parse(bytes), Ok(Request::Keys(_)))
                }
                _ => false,
            })
            .count();
    }
    requests
}

/// A channel of the first node's with a message on each of so many days, today's last.
fn old_channel(world: &mut World, days: u32) -> ChannelId {
    let channel = world.make(0, "general");
    for day in 0..days {
        if day > 0 {
            world.jump(DAY_MS);
        }
        world.say(0, channel, &format!("day {day}"));
    }
    channel
}

#[test]
fn a_newcomer_opens_the_days_that_the_policy_gives_and_no_earlier_one() {
    let mut world = World::new(3, 61);
    let channel = old_channel(&mut world, 12);
    set(&mut world, channel, Policy::History(History::Days(3)));
    world.join(0, 1, channel).unwrap();
    world.until("the newcomer has the last days", |world| {
        world.messages(1, &channel) == 4
    });
    world.until_agreed(&[0, 1], &channel);
    let view = world.engine(1).shared().channel(&channel).unwrap();
    assert_eq!((view.missing, view.messages), (0, 4));
    assert!(view.history_begins.is_some());
    let windows: Vec<_> = {
        let reader = world.engine(0).reader();
        let page = reader.view().page(Line::main(&channel), None, 12);
        page.iter()
            .map(|entry| entry.place.log.segment.window)
            .collect()
    };
    let epochs = sealed_in(&world, 0, &channel, 12);
    let opens: Vec<bool> = epochs
        .iter()
        .zip(windows)
        .map(|(epoch, window)| view.keys.window_key(epoch, window).is_some())
        .collect();
    let expected: Vec<bool> = (0..12).map(|day| day >= 8).collect();
    assert_eq!(opens, expected, "the keys in its store");

    // A restart brings no more, and nobody is asked again for what is not to be had.
    world.crash(1);
    world.start(1);
    world.until_agreed(&[0, 1], &channel);
    assert_eq!(world.messages(1, &channel), 4);
    assert_eq!(requests_for_keys(&mut world, 1, 60), 0);

    // It goes on as everybody, and passes on what it cannot read.
    world.say(1, channel, "hello");
    world.until("the founder has it", |world| {
        world.messages(0, &channel) == 13
    });
    set(&mut world, channel, Policy::History(History::Everything));
    world.until_agreed(&[0, 1], &channel);
    world.link(0, 2, false);
    world.join(1, 2, channel).unwrap();
    world.until("the third has what its host can read", |world| {
        world.messages(2, &channel) == 5
    });
    world.until_agreed(&[1, 2], &channel);
    world.link(0, 2, true);
    world.until("the third has everything", |world| {
        world.messages(2, &channel) == 13
    });
}

#[test]
fn from_joining_on_means_not_even_what_was_written_the_minute_before() {
    let mut world = World::new(3, 62);
    let channel = world.make(0, "general");
    world.say(0, channel, "before");
    set(&mut world, channel, Policy::History(History::FromJoining));
    world.join(0, 1, channel).unwrap();
    world.until_agreed(&[0, 1], &channel);
    let before = sealed_in(&world, 0, &channel, 1)[0];
    let view = world.engine(1).shared().channel(&channel).unwrap();
    assert!(!view.keys.has(&before), "the key of what was before");
    assert_eq!(view.messages, 0);
    let joined_at = view.history_begins.unwrap();
    assert!(joined_at <= world.now());

    world.say(0, channel, "welcome");
    world.say(1, channel, "hello");
    world.until("both read both", |world| {
        world.messages(0, &channel) == 3 && world.messages(1, &channel) == 2
    });
    world.crash(1);
    world.start(1);
    world.until_agreed(&[0, 1], &channel);
    assert_eq!(world.messages(1, &channel), 2);
    assert_eq!(requests_for_keys(&mut world, 1, 60), 0);

    // The next one reads neither.
    world.join(1, 2, channel).unwrap();
    world.until_agreed(&[0, 1, 2], &channel);
    world.say(2, channel, "and me");
    world.until("all read it", |world| {
        [0, 1, 2].map(|n| world.messages(n, &channel)) == [4, 3, 1]
    });
}

#[test]
fn who_comes_back_keeps_what_they_had_and_misses_the_time_between() {
    let mut world = World::new(2, 63);
    let channel = world.channel("general");
    world.say(0, channel, "together");
    world.until("both have it", |world| world.messages(1, &channel) == 1);
    set(&mut world, channel, Policy::History(History::FromJoining));
    world.act(0, 1, channel, MemberAct::Remove).unwrap();
    world.say(0, channel, "among us");
    let again = MemberAct::Add(Role::Member);
    world.act(0, 1, channel, again).unwrap();
    world.say(0, channel, "together again");
    world.until("it has what was said since", |world| {
        world.messages(1, &channel) == 2
    });
    world.until_agreed(&[0, 1], &channel);
    assert_eq!(world.messages(1, &channel), 2);
    let view = world.engine(1).shared().channel(&channel).unwrap();
    assert_eq!(view.history_begins, None);
}

#[test]
fn a_reader_joins_a_channel_of_which_nothing_is_to_be_had_yet() {
    let mut world = World::new(3, 64);
    let channel = world.channel("general");
    world.until_agreed(&[0, 1, 2], &channel);
    world
        .act(0, 1, channel, MemberAct::SetRole(Role::Reader))
        .unwrap();
    let right = Policy::Right {
        right: Right::Invite,
        least: Role::Reader,
    };
    set(&mut world, channel, right);
    set(&mut world, channel, Policy::History(History::FromJoining));
    world.until_agreed(&[0, 1, 2], &channel);
    world.ask(2, Command::Leave { channel }).unwrap();
    world.until_agreed(&[0, 1], &channel);
    world.crash(0);
    // Neither host nor guest may make a key, and the guest is let in all the same.
    let link = {
        let expires_at = world.now().plus(DAY_MS);
        let command = Command::Invite {
            channel,
            role: Role::Reader,
            uses: 1,
            expires_at,
        };
        match world.ask(1, command) {
            Ok(kith_node::engine::Outcome::Invited { link, .. }) => link.parse().unwrap(),
            other => panic!("{other:?}"),
        }
    };
    world.ask(2, Command::Join { link }).unwrap();
    world.start(0);
    world.say(0, channel, "welcome");
    world.until("the guest reads it", |world| {
        world.messages(2, &channel) >= 1
    });
}

#[test]
fn whoever_writes_first_after_a_week_makes_a_new_key() {
    let mut world = World::new(2, 65);
    let channel = world.channel("general");
    world.say(0, channel, "the first week");
    world.jump(6 * DAY_MS);
    world.say(1, channel, "still the first week");
    world.until_agreed(&[0, 1], &channel);
    world.jump(2 * DAY_MS);
    world.say(1, channel, "the second week");
    world.until("the other has it", |world| world.messages(0, &channel) == 3);
    world.say(0, channel, "so it is");
    world.until_agreed(&[0, 1], &channel);
    let epochs = sealed_in(&world, 0, &channel, 4);
    assert_eq!((epochs[0], epochs[2]), (epochs[1], epochs[3]));
    assert_ne!(epochs[1], epochs[2]);
}

#[test]
fn keys_that_are_replaced_on_both_sides_of_a_cut_become_one() {
    let mut world = World::new(3, 66);
    let channel = world.channel("general");
    world.say(0, channel, "the first week");
    world.until_agreed(&[0, 1, 2], &channel);
    world.link(0, 1, false);
    world.link(0, 2, false);
    world.jump(8 * DAY_MS);
    world.say(0, channel, "here");
    world.say(1, channel, "there");
    world.until_agreed(&[1, 2], &channel);
    let apart = [0, 1].map(|number| sealed_in(&world, number, &channel, 1)[0]);
    assert_ne!(apart[0], apart[1]);

    world.heal();
    world.until_agreed(&[0, 1, 2], &channel);
    world.until("all read everything", |world| {
        (0..3).all(|number| world.messages(number, &channel) == 3)
    });
    for number in 0..3 {
        world.say(number, channel, "together");
    }
    world.until_agreed(&[0, 1, 2], &channel);
    for number in 0..3 {
        let epochs = sealed_in(&world, number, &channel, 3);
        assert!(epochs.iter().all(|epoch| *epoch == epochs[0]), "one key");
        assert!(apart.contains(&epochs[0]), "one of the two");
    }
}

#[test]
fn who_may_make_no_key_goes_on_under_an_old_one() {
    let mut world = World::new(2, 67);
    let channel = world.channel("general");
    world.say(0, channel, "read me");
    world.until_agreed(&[0, 1], &channel);
    world
        .act(0, 1, channel, MemberAct::SetRole(Role::Reader))
        .unwrap();
    world.until_agreed(&[0, 1], &channel);
    world.jump(30 * DAY_MS);
    let messages = None;
    let marked = world.ask(1, Command::Mark { channel, messages });
    assert_eq!(marked, Ok(kith_node::engine::Outcome::Marked(1)));
    world.until_agreed(&[0, 1], &channel);
}

#[test]
fn replies_in_a_thread_that_began_before_are_read_counted_and_marked() {
    let mut world = World::new(2, 68);
    let channel = world.make(0, "general");
    let root = world.say(0, channel, "before");
    set(&mut world, channel, Policy::History(History::FromJoining));
    world.join(0, 1, channel).unwrap();
    world.until_agreed(&[0, 1], &channel);
    let reply = |text: &str| Command::Send {
        channel,
        text: text.into(),
        reply_to: None,
        thread: Some(root),
        announce: false,
        expire_ms: None,
    };
    world.ask(0, reply("and now")).unwrap();
    world.until("the reply is there", |world| {
        world.unread_replies(1, &channel) == 1
    });
    assert_eq!(world.page(1, &channel, None), []);
    let thread = world.page(1, &channel, Some(&root));
    assert_eq!(thread[0].text.as_deref(), Some("and now"));
    world.ask(1, reply("so it is")).unwrap();
    let messages = Some(vec![thread[0].id.0]);
    let marked = world.ask(1, Command::Mark { channel, messages });
    assert_eq!(marked, Ok(kith_node::engine::Outcome::Marked(1)));
    assert_eq!(world.unread_replies(1, &channel), 0);
    world.until_agreed(&[0, 1], &channel);
    assert_eq!(world.page(0, &channel, Some(&root)).len(), 2);
    assert!(world.ask(1, reply("")).is_err());
}
