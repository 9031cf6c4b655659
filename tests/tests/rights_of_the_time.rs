//! What somebody wrote counts by the rights they had then, and alike wherever it is asked: when a
//! message is shown, when it is counted, and when something is done to it. Engines under virtual
//! time.

use kith_crdt::control::Role;
use kith_crdt::ids::{ChannelId, MessageId};
use kith_node::engine::{Command, MemberAct, Outcome, Refusal};
use kith_tests::world::World;

const HOUR_MS: u64 = 3_600_000;

fn act(world: &mut World, channel: ChannelId, on: usize, act: MemberAct) {
    let account = world.secrets(on).account;
    let command = Command::Member {
        channel,
        account,
        act,
        dry_run: false,
    };
    world.ask(0, command).expect("the founder may");
}

fn delete(world: &mut World, number: usize, target: MessageId) -> Result<Outcome, Refusal> {
    let reason = None;
    world.ask(number, Command::Delete { target, reason })
}

fn edit(world: &mut World, number: usize, target: MessageId) -> Result<Outcome, Refusal> {
    let text = "otherwise".into();
    world.ask(number, Command::Edit { target, text })
}

#[test]
fn what_a_moderator_deleted_stays_deleted_when_they_are_one_no_more() {
    let mut world = World::new(3, 71);
    let channel = world.channel("general");
    act(&mut world, channel, 1, MemberAct::SetRole(Role::Moderator));
    let gone = world.say(2, channel, "off topic");
    world.until_agreed(&[0, 1, 2], &channel);
    delete(&mut world, 1, gone).expect("a moderator may");
    world.until_agreed(&[0, 1, 2], &channel);
    world.pass(1_000);
    act(&mut world, channel, 1, MemberAct::SetRole(Role::Member));
    let late = world.say(2, channel, "off topic again");
    world.until_agreed(&[0, 1, 2], &channel);
    assert!(
        delete(&mut world, 1, late).is_err(),
        "no moderator any more"
    );

    match edit(&mut world, 2, gone) {
        Err(Refusal::Denied(why)) => assert!(why.contains("was deleted"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert!(edit(&mut world, 2, late).is_ok());
    assert_eq!(world.unread(0, &channel), 1);
    world.crash(0);
    world.start(0);
    assert_eq!(world.unread(0, &channel), 1);
}

#[test]
fn what_a_removal_hides_is_not_unread() {
    let mut world = World::new(3, 72);
    let channel = world.channel("general");
    world.say(2, channel, "seen by the one who removes");
    world.until_agreed(&[0, 1, 2], &channel);
    world.link(0, 1, false);
    world.link(0, 2, false);
    world.say(2, channel, "not seen");
    world.until("the other has it", |world| world.messages(1, &channel) == 2);
    assert_eq!(world.unread(1, &channel), 2);
    act(&mut world, channel, 2, MemberAct::Remove);
    world.link(0, 1, true);
    world.until_agreed(&[0, 1], &channel);
    for number in [0, 1] {
        assert_eq!(world.unread(number, &channel), 1, "at {number}");
        world.crash(number);
        world.start(number);
        assert_eq!(world.unread(number, &channel), 1, "at {number}, again");
    }
}

#[test]
fn what_somebody_muted_wrote_meanwhile_is_not_unread() {
    let mut world = World::new(3, 73);
    let channel = world.channel("general");
    world.until_agreed(&[0, 1, 2], &channel);
    world.link(0, 2, false);
    world.link(1, 2, false);
    let until = world.now().plus(HOUR_MS);
    act(&mut world, channel, 2, MemberAct::Mute(until));
    world.pass(1_000);
    world.say(2, channel, "they have not heard");
    world.link(0, 2, true);
    world.link(1, 2, true);
    world.until_agreed(&[0, 1, 2], &channel);
    assert_eq!(world.unread(1, &channel), 0);
    world.pass(2 * HOUR_MS);
    world.say(2, channel, "at last");
    world.until_agreed(&[0, 1, 2], &channel);
    assert_eq!(world.unread(1, &channel), 1);
}

#[test]
fn who_may_not_write_any_more_still_takes_back_what_they_wrote() {
    let mut world = World::new(2, 74);
    let channel = world.channel("general");
    let said = ["one", "two", "three"].map(|text| world.say(1, channel, text));
    world.until_agreed(&[0, 1], &channel);
    let until = world.now().plus(HOUR_MS);
    act(&mut world, channel, 1, MemberAct::Mute(until));
    world.until_agreed(&[0, 1], &channel);
    assert!(edit(&mut world, 1, said[0]).is_err(), "it adds something");
    delete(&mut world, 1, said[0]).expect("it takes away");
    act(&mut world, channel, 1, MemberAct::SetRole(Role::Reader));
    world.until_agreed(&[0, 1], &channel);
    world.pass(2 * HOUR_MS);
    delete(&mut world, 1, said[1]).expect("it takes away");
    world.until_agreed(&[0, 1], &channel);
    assert_eq!(
        [0, 1].map(|n| world.shown(n, &channel)),
        [["three"], ["three"]]
    );
    act(&mut world, channel, 1, MemberAct::Remove);
    world.until("it is out", |world| !world.is_member(1, 1, &channel));
    assert!(delete(&mut world, 1, said[2]).is_err(), "an outsider");
}

#[test]
fn what_somebody_removed_takes_back_meanwhile_is_so_at_nobody() {
    let mut world = World::new(3, 75);
    let channel = world.channel("general");
    let said = world.say(2, channel, "on the record");
    world.until_agreed(&[0, 1, 2], &channel);
    world.link(0, 1, false);
    world.link(0, 2, false);
    // A new day, and so a log of which the one who removes knows nothing.
    world.jump(24 * HOUR_MS);
    delete(&mut world, 2, said).expect("it knows of nothing");
    world.until("the other has it", |world| {
        world.shown(1, &channel).is_empty()
    });
    act(&mut world, channel, 2, MemberAct::Remove);
    world.link(0, 1, true);
    world.until_agreed(&[0, 1], &channel);
    for number in [0, 1] {
        // The other had erased the text, and gets it from the one who never knew of a deletion.
        world.until("the text to be back", |world| {
            world.shown(number, &channel) == ["on the record"]
        });
        world.crash(number);
        world.start(number);
        assert_eq!(world.shown(number, &channel), ["on the record"]);
    }
}

#[test]
fn what_is_hidden_its_author_sees_marked_and_nobody_counts() {
    let mut world = World::new(3, 76);
    let channel = world.channel("general");
    let root = world.say(0, channel, "listen");
    world.until_agreed(&[0, 1, 2], &channel);
    world.link(0, 2, false);
    world.link(1, 2, false);
    let until = world.now().plus(HOUR_MS);
    act(&mut world, channel, 2, MemberAct::Mute(until));
    world.pass(1_000);
    let muted = world.say(2, channel, "they have not heard");
    let reply = Command::Send {
        channel,
        text: "nor this".into(),
        reply_to: None,
        thread: Some(root),
        announce: false,
        expire_ms: None,
    };
    world.ask(2, reply).expect("it knows of nothing");
    assert_eq!(world.page(2, &channel, None)[1].hidden, None);
    world.heal();
    world.until_agreed(&[0, 1, 2], &channel);

    let own = world.page(2, &channel, None);
    let hidden = own[1].hidden.as_ref().expect("a mark");
    assert_eq!(hidden.rule.number, "M2");
    assert_eq!(own[1].text.as_deref(), Some("they have not heard"));
    assert!(world.page(2, &channel, Some(&root))[0].hidden.is_some());
    let counted = |world: &World, number: usize| {
        let view = world.engine(number).shared().channel(&channel).unwrap();
        let replies = world.page(number, &channel, None)[0].replies;
        (view.messages, view.hidden, replies)
    };
    for again in [false, true] {
        for number in [0, 1] {
            assert_eq!(world.page(number, &channel, None).len(), 1);
            assert_eq!(counted(&world, number), (1, 2, 0), "at {number}, {again}");
        }
        assert_eq!(counted(&world, 2), (3, 0, 1), "at its author's, {again}");
        for number in 0..3 {
            world.crash(number);
        }
        for number in 0..3 {
            world.start(number);
        }
    }
    let pin = Command::Pin {
        target: muted,
        on: true,
    };
    match world.ask(1, pin) {
        Err(Refusal::NotFound(why)) => assert!(why.contains("muted"), "{why}"),
        other => panic!("{other:?}"),
    }
}
