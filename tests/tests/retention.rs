//! What is over is nowhere to be seen, and what is not is everywhere: engines under virtual time.

#![expect(clippy::unwrap_used, reason = "a test says by failing what went wrong")]

use kith_api::event::{Event, Happened};
use kith_api::message::{DeliveryState, PageQuery};
use kith_crdt::control::{Policy, Right, Role};
use kith_crdt::ids::{ChannelId, MessageId};
use kith_crdt::limits::PINS_PER_CHANNEL;
use kith_crdt::retention::{Retention, RetentionLimits};
use kith_crdt::time::{DAY_MS, HOUR_MS};
use kith_node::engine::{Command, MemberAct, Outcome, Refusal};
use kith_tests::world::World;

const MINUTE_MS: u64 = 60_000;

fn keep(retention: Retention) -> Policy {
    Policy::Retention {
        retention,
        existing: false,
    }
}

fn shorten(retention: Retention) -> Policy {
    Policy::Retention {
        retention,
        existing: true,
    }
}

fn try_set(
    world: &mut World,
    number: usize,
    channel: ChannelId,
    policy: Policy,
) -> Result<Outcome, Refusal> {
    let dry_run = false;
    let command = Command::SetPolicy {
        channel,
        policy,
        dry_run,
    };
    world.ask(number, command)
}

fn set(world: &mut World, channel: ChannelId, policy: Policy) {
    try_set(world, 0, channel, policy).expect("the founder may");
}

/// A message to a channel, about another or in its thread, or neither, with a life or none.
fn sending(
    channel: ChannelId,
    (reply_to, thread): (Option<MessageId>, Option<MessageId>),
    expire_ms: Option<u64>,
) -> Command {
    Command::Send {
        channel,
        text: "a text".into(),
        reply_to,
        thread,
        announce: false,
        expire_ms,
    }
}

/// Sends a message that is to be gone after an hour, to a thread or to none.
fn say_for_an_hour(
    world: &mut World,
    number: usize,
    channel: ChannelId,
    in_thread: Option<MessageId>,
) -> MessageId {
    let command = sending(channel, (None, in_thread), Some(HOUR_MS));
    match world.ask(number, command) {
        Ok(Outcome::Sent { message, .. }) => message,
        other => panic!("a message was sent, {other:?} came"),
    }
}

fn mark(world: &mut World, number: usize, channel: ChannelId, message: MessageId) {
    let messages = Some(vec![message]);
    let marked = world.ask(number, Command::Mark { channel, messages });
    assert_eq!(marked, Ok(Outcome::Marked(1)));
}

fn react(world: &mut World, number: usize, target: MessageId) -> Result<Outcome, Refusal> {
    let emoji = "👍".into();
    let command = Command::React {
        target,
        emoji,
        on: true,
    };
    world.ask(number, command)
}

/// The ways to read that show something of a message at a node.
fn traces(
    world: &World,
    number: usize,
    channel: &ChannelId,
    message: MessageId,
) -> Vec<&'static str> {
    let view = world.engine(number).shared().channel(channel).unwrap();
    let id = message.to_string();
    world.reading(number, |reading| {
        let mut seen = Vec::new();
        let mut note = |way, found: bool| seen.extend(found.then_some(way));
        let page = |thread: Option<String>| {
            let query = PageQuery {
                thread,
                ..PageQuery::default()
            };
            reading.page(&view, &query).unwrap_or_default()
        };
        let main = page(None);
        let is_it = |other: &kith_api::message::Message| other.id == message.into();
        note("page", main.iter().any(is_it));
        let threads = main.iter().map(|root| page(Some(root.id.to_string())));
        note("thread", threads.flatten().any(|reply| is_it(&reply)));
        note("pins", reading.pins(&view).iter().any(is_it));
        note("why", reading.why_message(&id).is_ok());
        if let Ok((_, _, place)) = reading.find_message(&id) {
            note("found", true);
            note("show", reading.message_detail(&view, place).is_some());
            note("history", reading.history(&view, place).is_some());
        }
        let (events, _) = reading.events(0, u64::MAX, 10_000, Some(channel));
        // That a message is over, or has failed, is told of it when it is gone.
        let of_the_end = |event: &&Event| match &event.what {
            Happened::MessageExpired { .. } => true,
            Happened::State { state, .. } => *state == DeliveryState::Failed,
            _ => false,
        };
        let events: Vec<&Event> = events.iter().filter(|event| !of_the_end(event)).collect();
        let told = serde_json::to_string(&events).unwrap();
        // That a reply is in its thread says nothing of it.
        let told = told.replace(&format!("\"thread\":\"{id}\""), "");
        note("events", told.contains(&id));
        seen
    })
}

/// A field of a message as a node shows it, which it does.
fn shown<T>(
    world: &World,
    number: usize,
    channel: &ChannelId,
    message: MessageId,
    field: impl FnOnce(kith_api::message::Message) -> T,
) -> T {
    let view = world.engine(number).shared().channel(channel).unwrap();
    world.reading(number, |reading| {
        let (_, _, place) = reading.find_message(&message.to_string()).unwrap();
        field(reading.message_detail(&view, place).unwrap().message)
    })
}

fn is_there(world: &World, number: usize, channel: &ChannelId, message: MessageId) -> bool {
    let traces = traces(world, number, channel, message);
    assert!(
        traces.is_empty() || traces.contains(&"page") && traces.contains(&"show"),
        "half there: {traces:?}"
    );
    !traces.is_empty()
}

/// A channel of two with a message and a reply that both live for an hour, and much done to the
/// message; and the root of the reply, which stays.
fn done_to(world: &mut World) -> (ChannelId, MessageId, [MessageId; 2]) {
    let channel = world.channel("general");
    let root = world.say(0, channel, "stays");
    let brief = say_for_an_hour(world, 0, channel, None);
    world.until_agreed(&[0, 1], &channel);
    let reply = say_for_an_hour(world, 1, channel, Some(root));
    let text = "for an hour, and edited".into();
    let target = brief;
    world.ask(0, Command::Edit { target, text }).unwrap();
    world.ask(0, Command::Pin { target, on: true }).unwrap();
    react(world, 1, brief).unwrap();
    mark(world, 1, channel, brief);
    world.until_agreed(&[0, 1], &channel);
    (channel, root, [brief, reply])
}

#[test]
fn what_is_over_is_shown_by_nothing_neither_after_a_restart_nor_by_a_clock_set_back() {
    let mut world = World::new(2, 141);
    let (channel, root, [brief, reply]) = done_to(&mut world);
    let everywhere = ["page", "pins", "why", "found", "show", "history", "events"];
    for number in [0, 1] {
        assert_eq!(traces(&world, number, &channel, brief), everywhere);
        let replies = |message: kith_api::message::Message| message.replies;
        assert_eq!(shown(&world, number, &channel, root, replies), 1);
        assert!(traces(&world, number, &channel, reply).contains(&"thread"));
    }
    let unread = |message: kith_api::message::Message| message.unread_replies;
    assert_eq!(shown(&world, 0, &channel, root, unread), 1);

    world.jump(HOUR_MS);
    let nowhere = |world: &World, when: &str| {
        for (number, message) in [(0, brief), (1, brief), (0, reply), (1, reply)] {
            let traces = traces(world, number, &channel, message);
            assert!(traces.is_empty(), "{when}, at {number}: {traces:?}");
        }
        let replies =
            |message: kith_api::message::Message| (message.replies, message.unread_replies);
        assert_eq!(shown(world, 0, &channel, root, replies), (0, 0), "{when}");
    };
    nowhere(&world, "as it ends");
    for number in [0, 1] {
        world.crash(number);
        world.start(number);
    }
    nowhere(&world, "after a restart");
    world.set_back(30 * MINUTE_MS);
    nowhere(&world, "by a clock set back");
}

#[test]
fn nothing_can_be_done_to_what_is_over() {
    let mut world = World::new(2, 142);
    let (channel, _, [brief, _]) = done_to(&mut world);
    world.jump(HOUR_MS);
    world.set_back(30 * MINUTE_MS);
    let (target, about) = (brief, Some(brief));
    let to = |about| sending(channel, about, None);
    let commands = [
        Command::Edit {
            target,
            text: "more".into(),
        },
        Command::Delete {
            target,
            reason: None,
        },
        Command::React {
            target,
            emoji: "👍".into(),
            on: true,
        },
        Command::Pin { target, on: false },
        Command::Mark {
            channel,
            messages: Some(vec![brief]),
        },
        to((about, None)),
        to((None, about)),
    ];
    for command in commands {
        match world.ask(0, command.clone()) {
            // Before it is purged it is said to be over; afterwards nobody knows of it.
            Err(Refusal::NotFound(_)) => {}
            other => panic!("{command:?} came to {other:?}"),
        }
    }
}

#[test]
fn a_thread_outlives_the_message_that_it_began_with() {
    let mut world = World::new(2, 143);
    let channel = world.channel("general");
    let root = say_for_an_hour(&mut world, 0, channel, None);
    let answer = sending(channel, (None, Some(root)), None);
    world.ask(0, answer).unwrap();
    world.until_agreed(&[0, 1], &channel);
    world.jump(HOUR_MS);
    assert!(traces(&world, 1, &channel, root).is_empty());
    let view = world.engine(1).shared().channel(&channel).unwrap();
    let query = PageQuery {
        thread: Some(root.to_string()),
        ..PageQuery::default()
    };
    let thread = world.reading(1, |reading| reading.page(&view, &query).unwrap());
    assert_eq!(thread.len(), 1);
}

#[test]
fn a_policy_is_for_what_is_written_after_it() {
    let mut world = World::new(3, 144);
    let channel = world.channel("general");
    let old = world.say(1, channel, "kept for ever");
    world.until_agreed(&[0, 1, 2], &channel);
    set(&mut world, channel, keep(Retention::Hours(1)));
    world.until_agreed(&[0, 1, 2], &channel);
    let new = world.say(1, channel, "kept for an hour");
    world.until("all can read it", |world| {
        (0..3).all(|number| traces(world, number, &channel, new).contains(&"show"))
    });
    let ends = |message: kith_api::message::Message| message.expires_at.map(|end| end.0);
    let at = shown(&world, 2, &channel, new, |message| message.at.0);
    assert_eq!(shown(&world, 2, &channel, new, ends), Some(at + HOUR_MS));
    assert_eq!(shown(&world, 2, &channel, old, ends), None);
    world.jump(HOUR_MS);
    for number in 0..3 {
        assert!(is_there(&world, number, &channel, old), "at {number}");
        assert!(!is_there(&world, number, &channel, new), "at {number}");
    }
}

#[test]
fn a_policy_for_what_is_there_ends_it_everywhere_and_says_before_how_much() {
    let mut world = World::new(3, 145);
    let channel = world.channel("general");
    let old = [0, 1, 1].map(|number| world.say(number, channel, "old"));
    let brief = say_for_an_hour(&mut world, 1, channel, None);
    world.until_agreed(&[0, 1, 2], &channel);
    world.jump(2 * DAY_MS);
    let young = world.say(2, channel, "young");
    world.until_agreed(&[0, 1, 2], &channel);
    let view = world.engine(0).shared().channel(&channel).unwrap();
    let day = Retention::Hours(24);
    let gone = |world: &World| world.reading(0, |reading| reading.gone_at_once(&view, day));
    assert_eq!(gone(&world), 3, "what is over already is not counted");
    set(&mut world, channel, shorten(day));
    world.until_agreed(&[0, 1, 2], &channel);
    for number in 0..3 {
        for message in old.into_iter().chain([brief]) {
            assert!(!is_there(&world, number, &channel, message), "at {number}");
        }
        assert!(is_there(&world, number, &channel, young), "at {number}");
    }
    world.jump(DAY_MS);
    for number in 0..3 {
        assert!(!is_there(&world, number, &channel, young), "at {number}");
    }
}

#[test]
fn what_is_said_about_an_old_message_lasts_as_long_as_the_message() {
    let mut world = World::new(4, 146);
    let channel = world.make(0, "general");
    for number in [1, 2] {
        world.join(0, number, channel).unwrap();
    }
    let [liked, changed, deleted] =
        ["liked", "changed", "deleted"].map(|text| world.say(0, channel, text));
    world.until_agreed(&[0, 1, 2], &channel);
    set(&mut world, channel, keep(Retention::Hours(1)));
    world.until_agreed(&[0, 1, 2], &channel);
    world.say(0, channel, "an hour's");
    react(&mut world, 1, liked).unwrap();
    let (target, text) = (changed, "otherwise".to_owned());
    world.ask(0, Command::Edit { target, text }).unwrap();
    let (target, reason) = (deleted, None);
    world.ask(0, Command::Delete { target, reason }).unwrap();
    world.until_agreed(&[0, 1, 2], &channel);
    for _ in 0..3 {
        world.jump(HOUR_MS);
        world.pass(MINUTE_MS);
    }
    for number in 0..3 {
        world.crash(number);
        world.start(number);
    }
    world.join(1, 3, channel).unwrap();
    world.until("the newcomer has all of it", |world| {
        let there = |id| is_there(world, 3, &channel, id);
        let last = |message: kith_api::message::Message| message.deleted;
        there(liked) && there(deleted) && shown(world, 3, &channel, deleted, last)
    });
    for number in 0..4 {
        let count = |message: kith_api::message::Message| message.reactions.0[0].1.count;
        assert_eq!(shown(&world, number, &channel, liked, count), 1);
        let text = |message: kith_api::message::Message| message.text;
        let told = shown(&world, number, &channel, changed, text);
        assert_eq!(told.as_deref(), Some("otherwise"), "at {number}");
        let is_deleted = |message: kith_api::message::Message| message.deleted;
        assert!(shown(&world, number, &channel, deleted, is_deleted));
    }
}

/// A channel of the first three that lets messages go once they are read.
fn instant(world: &mut World) -> ChannelId {
    let channel = world.make_keeping(0, "general", Retention::Instant);
    for number in [1, 2] {
        world.join(0, number, channel).unwrap();
    }
    world.until_agreed(&[0, 1, 2], &channel);
    channel
}

fn cut(world: &mut World, number: usize, open: bool) {
    for other in (0..4).filter(|other| *other != number) {
        world.link(number, other, open);
    }
}

#[test]
fn what_ends_by_being_read_waits_for_everybody_it_was_written_for_and_for_nobody_else() {
    let mut world = World::new(4, 147);
    let channel = instant(&mut world);
    cut(&mut world, 2, false);
    let message = world.say(0, channel, "for your eyes");
    world.until_agreed(&[0, 1], &channel);
    mark(&mut world, 1, channel, message);
    world.join(0, 3, channel).unwrap();
    world.until_agreed(&[0, 1, 3], &channel);
    for number in [0, 1, 3] {
        assert!(is_there(&world, number, &channel, message), "at {number}");
    }
    world.jump(3 * DAY_MS);
    world.pass(MINUTE_MS);
    assert!(is_there(&world, 1, &channel, message));

    cut(&mut world, 2, true);
    world.until_agreed(&[0, 1, 2, 3], &channel);
    for number in 0..4 {
        assert!(is_there(&world, number, &channel, message), "at {number}");
    }
    mark(&mut world, 2, channel, message);
    assert!(
        !is_there(&world, 2, &channel, message),
        "at the last reader"
    );
    world.until_agreed(&[0, 1, 2, 3], &channel);
    for number in 0..4 {
        assert!(!is_there(&world, number, &channel, message), "at {number}");
    }
}

#[test]
fn what_ends_by_being_read_ends_after_thirty_days_without_its_last_reader() {
    let mut world = World::new(4, 148);
    let channel = instant(&mut world);
    cut(&mut world, 2, false);
    let message = world.say(0, channel, "for your eyes");
    world.until_agreed(&[0, 1], &channel);
    mark(&mut world, 1, channel, message);
    world.until_agreed(&[0, 1], &channel);
    world.jump(29 * DAY_MS);
    assert!(is_there(&world, 0, &channel, message) && is_there(&world, 1, &channel, message));
    world.jump(DAY_MS);
    assert!(!is_there(&world, 0, &channel, message) && !is_there(&world, 1, &channel, message));
    cut(&mut world, 2, true);
    world.pass(2 * MINUTE_MS);
    assert!(world.shown(2, &channel).is_empty(), "nor is it shown late");
}

#[test]
fn who_is_out_is_not_waited_for() {
    let mut world = World::new(3, 149);
    let channel = instant(&mut world);
    let message = world.say(0, channel, "for your eyes");
    world.until_agreed(&[0, 1, 2], &channel);
    mark(&mut world, 1, channel, message);
    world.until_agreed(&[0, 1, 2], &channel);
    assert!(is_there(&world, 0, &channel, message) && is_there(&world, 1, &channel, message));
    world.act(0, 2, channel, MemberAct::Remove).unwrap();
    world.until("it is gone at both", |world| {
        [0, 1]
            .iter()
            .all(|number| !is_there(world, *number, &channel, message))
    });
}

#[test]
fn owners_say_within_which_limits_it_may_be_set() {
    let mut world = World::new(2, 150);
    let channel = world.channel("general");
    let account = world.secrets(1).account;
    let admin = Command::Member {
        channel,
        account,
        act: MemberAct::SetRole(Role::Admin),
        dry_run: false,
    };
    world.ask(0, admin).unwrap();
    set(
        &mut world,
        channel,
        Policy::RetentionLimits(RetentionLimits {
            shortest: Some(24),
            longest: Some(168),
        }),
    );
    world.until_agreed(&[0, 1], &channel);
    let holds = |world: &World| {
        let view = world.engine(1).shared().channel(&channel).unwrap();
        view.roster.retention()
    };
    assert_eq!(
        holds(&world),
        Retention::Hours(168),
        "not for ever any more"
    );
    for beyond in [Retention::Forever, Retention::Hours(1), Retention::Instant] {
        match try_set(&mut world, 1, channel, keep(beyond)) {
            Err(Refusal::Denied(why)) => assert!(why.contains("A12"), "{why}"),
            other => panic!("{beyond} was {other:?}"),
        }
    }
    try_set(&mut world, 1, channel, keep(Retention::Hours(48))).unwrap();
    assert_eq!(holds(&world), Retention::Hours(48));
    let own = Policy::RetentionLimits(RetentionLimits::default());
    assert_eq!(own.takes(), Right::LimitRetention);
    let refused = try_set(&mut world, 1, channel, own);
    assert!(matches!(refused, Err(Refusal::Denied(_))), "{refused:?}");
}

#[test]
fn a_channel_of_an_hour_keeps_what_it_says_and_goes_on() {
    let mut world = World::new(2, 151);
    let channel = world.make_keeping(0, "general", Retention::Hours(1));
    let view = world.engine(0).shared().channel(&channel).unwrap();
    let first = view.roster.usable_epoch();
    assert!(first.is_some(), "it begins with an epoch of an hour");
    world.join(0, 1, channel).unwrap();
    for round in 0..4 {
        let told = [0, 1].map(|number| {
            let text = format!("round {round} of {number}");
            world.say(number, channel, &text)
        });
        world.until_agreed(&[0, 1], &channel);
        for number in [0, 1] {
            assert!(
                told.iter()
                    .all(|id| is_there(&world, number, &channel, *id))
            );
            assert_eq!(world.shown(number, &channel).len(), 2, "round {round}");
        }
        world.pass(HOUR_MS);
        for number in [0, 1] {
            assert!(world.shown(number, &channel).is_empty(), "round {round}");
        }
    }
    let reader = world.engine(1).reader();
    let page = reader
        .view()
        .page(kith_store::Line::main(&channel), None, 10);
    let terms = page.iter().map(|entry| entry.place.log.segment.term());
    assert!(terms.into_iter().all(|term| term.as_hours() == Some(1)));
}

#[test]
fn one_message_may_ask_for_less_and_not_for_more() {
    let mut world = World::new(1, 152);
    let day = world.make_keeping(0, "a day", Retention::Hours(24));
    let ever = world.make(0, "for ever");
    let once = world.make_keeping(0, "once", Retention::Instant);
    let ask = |world: &mut World, channel, ms| {
        let command = sending(channel, (None, None), Some(ms));
        match world.ask(0, command) {
            Ok(Outcome::Sent { at, expires_at, .. }) => Ok(expires_at.map(|end| end.since(at))),
            Ok(other) => panic!("a message was sent, {other:?} came"),
            Err(refusal) => Err(refusal),
        }
    };
    assert_eq!(ask(&mut world, day, HOUR_MS), Ok(Some(HOUR_MS)));
    assert_eq!(ask(&mut world, day, DAY_MS), Ok(Some(DAY_MS)));
    assert_eq!(ask(&mut world, ever, 400 * DAY_MS), Ok(Some(400 * DAY_MS)));
    for channel in [day, ever, once] {
        for ms in [0, HOUR_MS - 1, u64::MAX] {
            let refused = ask(&mut world, channel, ms);
            assert!(
                matches!(refused, Err(Refusal::Usage(_))),
                "{ms}: {refused:?}"
            );
        }
    }
    for (channel, ms, named) in [(day, DAY_MS + 1, "1day"), (once, 31 * DAY_MS, "30days")] {
        match ask(&mut world, channel, ms) {
            Err(Refusal::Limit(why)) => assert!(why.contains(named), "{why}"),
            other => panic!("{named}: {other:?}"),
        }
    }
}

#[test]
fn a_repetition_that_asks_for_another_life_is_another_message() {
    let mut world = World::new(1, 153);
    let channel = world.make(0, "general");
    let with = |expire_ms| sending(channel, (None, None), expire_ms);
    let hour = Some(HOUR_MS);
    let first = world.ask_with_key(0, "key", with(hour));
    assert!(first.is_ok());
    world.pass(MINUTE_MS);
    assert_eq!(world.ask_with_key(0, "key", with(hour)), first);
    let other = world.ask_with_key(0, "key", with(None));
    assert!(matches!(other, Err(Refusal::Usage(_))), "{other:?}");
}

#[test]
fn a_policy_that_keeps_for_as_long_is_for_what_is_written_after_it_as_well() {
    let mut world = World::new(2, 154);
    let channel = world.make_keeping(0, "general", Retention::Instant);
    world.join(0, 1, channel).unwrap();
    let once = world.say(0, channel, "until you have read it");
    set(&mut world, channel, keep(Retention::Hours(30 * 24)));
    let month = world.say(0, channel, "for a month");
    world.until("the other can read both", |world| {
        let there = |id| traces(world, 1, &channel, id).contains(&"show");
        there(once) && there(month)
    });
    mark(&mut world, 1, channel, once);
    mark(&mut world, 1, channel, month);
    world.until("it is known that both are read", |world| {
        !is_there(world, 0, &channel, once)
    });
    world.until_agreed(&[0, 1], &channel);
    assert!(
        [0, 1]
            .iter()
            .all(|number| is_there(&world, *number, &channel, month))
    );
}

#[test]
fn what_is_over_takes_no_place_among_what_is_pinned() {
    let mut world = World::new(1, 155);
    let channel = world.make(0, "general");
    for _ in 0..PINS_PER_CHANNEL {
        let target = say_for_an_hour(&mut world, 0, channel, None);
        world.ask(0, Command::Pin { target, on: true }).unwrap();
    }
    let target = world.say(0, channel, "stays");
    let pin = Command::Pin { target, on: true };
    let full = world.ask(0, pin.clone());
    assert!(matches!(full, Err(Refusal::Limit(_))), "{full:?}");
    world.jump(HOUR_MS);
    world.ask(0, pin).unwrap();
    assert!(traces(&world, 0, &channel, target).contains(&"pins"));
}
