//! Evidence that something was erased, with engines under virtual time: who erased it says so once
//! no file holds it, everybody hears it, and nobody says it for another.

use kith_api::audit::{AuditEntry, AuditQuery, ErasureCause};
use kith_api::evidence::ErasedOn;
use kith_api::retention::Retention as Kept;
use kith_crdt::control::{History, Policy};
use kith_crdt::ids::{ChannelId, MessageId};
use kith_crdt::retention::Retention;
use kith_crdt::time::{DAY_MS, HOUR_MS};
use kith_node::engine::{Command, Outcome};
use kith_tests::world::World;

/// Three people in a channel that keeps its messages for so long.
fn three(seed: u64, retention: Retention) -> (World, ChannelId) {
    let mut world = World::new(3, seed);
    let channel = world.make_keeping(0, "general", retention);
    for other in [1, 2] {
        world.join(0, other, channel).expect("a link lets in");
    }
    world.until_agreed(&[0, 1, 2], &channel);
    (world, channel)
}

fn delete(world: &mut World, number: usize, target: MessageId) {
    let delete = Command::Delete {
        target,
        reason: None,
    };
    world.ask(number, delete).expect("its author may");
}

/// On which devices a deleted message is erased, as a node knows.
fn erased(world: &World, number: usize, message: MessageId) -> ErasedOn {
    world.reading(number, |reading| {
        let (_, channel, place) = reading
            .find_message(&message.to_string())
            .expect("it is here");
        let detail = reading
            .message_detail(&channel, place)
            .expect("it is shown");
        detail.erased.expect("it is deleted")
    })
}

/// Of how many messages each device says that it has erased them, as a node knows.
fn status(world: &World, number: usize, channel: &ChannelId) -> Vec<(u64, u64)> {
    world.reading(number, |reading| {
        let view = world
            .engine(number)
            .shared()
            .channel(channel)
            .expect("it is here");
        let status = reading.retention_status(&view);
        let devices = status.devices.iter();
        devices.map(|there| (there.erased, there.of)).collect()
    })
}

#[test]
fn who_deletes_a_message_sees_on_which_devices_it_is_erased() {
    let (mut world, channel) = three(1, Retention::Forever);
    let message = world.say(0, channel, "regret");
    world.say(0, channel, "to be kept");
    world.until_agreed(&[0, 1, 2], &channel);
    world.crash(2);
    delete(&mut world, 0, message);
    assert_eq!(erased(&world, 0, message).devices, 0, "files hold it still");
    world.until("both have erased it", |world| {
        erased(world, 0, message).devices == 2
    });
    let told = erased(&world, 0, message);
    assert_eq!((told.of, told.not_heard_from.len()), (3, 1));
    assert_eq!(told.not_heard_from[0].name, "person 2");
    assert!(told.not_heard_from[0].heard.is_some());
    assert_eq!(erased(&world, 1, message).devices, 2, "and so does anybody");

    world.crash(0);
    world.start(0);
    assert_eq!(erased(&world, 0, message).devices, 2, "it is remembered");
    world.start(2);
    world.until("all have erased it", |world| {
        [0, 1, 2]
            .iter()
            .all(|node| erased(world, *node, message).devices == 3)
    });
    assert_eq!(status(&world, 0, &channel), [(1, 1); 3]);
}

#[test]
fn what_is_over_is_told_of_until_its_window_is_destroyed() {
    let (mut world, channel) = three(2, Retention::Hours(48));
    let messages: Vec<_> = (0..4)
        .map(|n| world.say(n % 3, channel, &format!("message {n}")))
        .collect();
    world.until_agreed(&[0, 1, 2], &channel);
    assert_eq!(status(&world, 0, &channel), [(0, 0); 3]);
    world.crash(2);
    world.jump(48 * HOUR_MS);
    world.until("two have erased everything", |world| {
        let mut told = status(world, 0, &channel);
        told.sort_unstable();
        told == [(0, 4), (4, 4), (4, 4)]
    });
    let refused = world.reading(0, |reading| reading.erasure_of(&messages[0].to_string()));
    let told = refused.expect("its envelope is here").to_string();
    assert!(
        told.contains("erased on 2 of 3 devices, not heard from: person 2"),
        "{told}"
    );
    world.start(2);
    world.until("all have", |world| {
        status(world, 1, &channel) == [(4, 4); 3]
    });
    world.jump(13 * HOUR_MS);
    world.pass(5_000);
    assert_eq!(status(&world, 0, &channel), [(0, 0); 3]);
    assert!(
        world
            .reading(0, |reading| reading.erasure_of(&messages[0].to_string()))
            .is_none()
    );
}

#[test]
fn a_newcomer_who_never_had_the_key_is_not_waited_for() {
    let mut world = World::new(4, 3);
    let channel = world.make(0, "general");
    for other in [1, 2] {
        world.join(0, other, channel).expect("a link lets in");
    }
    let from_joining = Command::SetPolicy {
        channel,
        policy: Policy::History(History::FromJoining),
        dry_run: false,
    };
    world.ask(0, from_joining).expect("the founder may");
    let message = world.say(0, channel, "before you came");
    world.until_agreed(&[0, 1, 2], &channel);
    delete(&mut world, 0, message);
    world.until("all three have erased it", |world| {
        erased(world, 0, message).devices == 3
    });
    world.join(0, 3, channel).expect("a link lets in");
    world.pass(10_000);
    assert_eq!(erased(&world, 0, message).of, 3);
    let mut told = status(&world, 0, &channel);
    told.sort_unstable();
    assert_eq!(told, [(0, 0), (1, 1), (1, 1), (1, 1)]);
}

#[test]
fn the_end_of_one_rewriting_says_nothing_about_another() {
    let (mut world, channel) = three(4, Retention::Forever);
    world.slow_files(0);
    let [first, second] = ["regret", "more regret"].map(|text| world.say(0, channel, text));
    world.until_agreed(&[0, 1, 2], &channel);
    delete(&mut world, 0, first);
    world.until("the files to be rewritten", |world| {
        world.rewritings(0) == 1
    });
    delete(&mut world, 0, second);
    let told = |world: &World| [first, second].map(|message| erased(world, 0, message).devices);
    world.until("the others to have erased both", |world| {
        told(world) == [2, 2]
    });
    world.pass(10 * 60_000);
    assert_eq!(world.rewritings(0), 1, "one at a time");
    world.end_rewriting(0);
    assert_eq!(told(&world), [3, 2]);
    world.until("the rest to be rewritten", |world| world.rewritings(0) == 1);
    world.end_rewriting(0);
    assert_eq!(told(&world), [3, 3]);
}

#[test]
fn a_sweep_ends_once_no_file_holds_what_it_is_about() {
    let (mut world, channel) = three(5, Retention::Forever);
    let nothing = Command::Sweep {
        confirm_clock: false,
    };
    let swept = |rewritten| Outcome::Swept {
        purged: 0,
        shredded: 0,
        rewritten,
    };
    assert_eq!(world.ask(0, nothing.clone()), Ok(swept(false)));
    world.slow_files(0);
    let message = world.say(0, channel, "regret");
    delete(&mut world, 0, message);
    let token = world.begin(0, nothing);
    world.pass(1_000);
    assert_eq!(world.rewritings(0), 1, "it waits for no minute");
    assert!(world.answer(token).is_none());
    world.end_rewriting(0);
    assert_eq!(world.answer(token), Some(Ok(swept(true))));
    assert_eq!(erased(&world, 0, message).devices, 1);
}

#[test]
fn what_was_erased_is_known_after_a_restart_whatever_else_is_still_to_be() {
    let (mut world, channel) = three(6, Retention::Forever);
    let [first, second] = ["regret", "more regret"].map(|text| world.say(0, channel, text));
    delete(&mut world, 0, first);
    world.until("all to have erased it", |world| {
        erased(world, 0, first).devices == 3
    });
    world.slow_files(0);
    delete(&mut world, 0, second);
    world.until("the files to be rewritten", |world| {
        world.rewritings(0) == 1
    });
    world.crash(0);
    world.start(0);
    let told = [first, second].map(|message| erased(&world, 0, message));
    assert_eq!(told[0].devices, 3);
    assert!(told[1].devices < told[1].of, "its files hold it still");
}

/// What a node noted of what it erased of a channel: why, messages and windows.
fn noted(world: &World, number: usize, channel: &ChannelId) -> Vec<Noted> {
    world.reading(number, |reading| {
        let view = world.engine(number).shared().channel(channel);
        let query = AuditQuery::default();
        let page = reading.audit(&view.expect("it is here"), &query);
        let entries = page.expect("the query is sound").entries.into_iter();
        let erasures = entries.filter_map(|entry| match entry {
            AuditEntry::Erasure(erasure) => Some(erasure),
            AuditEntry::Step(_) => None,
        });
        let noted = erasures.map(|erasure| {
            let amount = (erasure.messages, erasure.windows);
            (erasure.cause, erasure.retention, amount)
        });
        noted.collect()
    })
}

type Noted = (ErasureCause, Option<Kept>, (u64, u64));

#[test]
fn what_a_device_erased_is_in_its_audit_and_why() {
    let (mut world, channel) = three(7, Retention::Hours(48));
    let message = world.say(0, channel, "regret");
    for text in ["one", "two"] {
        world.say(0, channel, text);
    }
    let short = Command::Send {
        channel,
        text: "for an hour".into(),
        reply_to: None,
        thread: None,
        announce: false,
        expire_ms: Some(HOUR_MS),
    };
    world.ask(0, short).expect("anybody may");
    world.until_agreed(&[0, 1, 2], &channel);
    delete(&mut world, 0, message);
    world.pass(60_000);
    let deleted = (ErasureCause::Deletion, None, (1, 0));
    assert_eq!(noted(&world, 1, &channel), [deleted]);
    world.crash(1);
    world.start(1);
    assert_eq!(noted(&world, 1, &channel), [deleted]);
    world.jump(HOUR_MS);
    world.pass(5_000);
    let asked = (ErasureCause::Expiry, None, (1, 0));
    let told = noted(&world, 1, &channel);
    assert!(told.contains(&asked), "{told:?}");
    world.jump(48 * HOUR_MS);
    world.pass(5_000);
    world.jump(13 * HOUR_MS);
    world.pass(5_000);
    let kept = |hours, amount| (ErasureCause::Retention, Some(Kept::Hours(hours)), amount);
    let all = [kept(1, (0, 1)), kept(48, (2, 1)), asked, deleted];
    for node in 0..3 {
        let told = noted(&world, node, &channel);
        assert!(all.iter().all(|one| told.contains(one)), "{told:?}");
        assert_eq!(told.len(), 4, "{told:?}");
    }

    // For more than a year, and not for ever.
    world.jump(401 * DAY_MS);
    let message = world.say(0, channel, "more regret");
    world.until_agreed(&[0, 1, 2], &channel);
    delete(&mut world, 0, message);
    world.until("it to be erased", |world| {
        noted(world, 1, &channel) == [deleted]
    });
}
