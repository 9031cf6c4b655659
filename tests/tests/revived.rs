//! What ended by a retention for existing messages that turns out not to count: whoever heard of it
//! first gets the messages back from those who did not, so that all have the same again.

use kith_crdt::control::{Policy, Role};
use kith_crdt::ids::{ChannelId, MessageId};
use kith_crdt::retention::Retention;
use kith_crdt::time::HOUR_MS;
use kith_node::engine::{Command, MemberAct};
use kith_tests::world::World;

/// Lets hours go by, one after the other, as they do for a node that is up.
fn hours(world: &mut World, hours: u64) {
    for _ in 0..hours {
        world.jump(HOUR_MS);
        world.pass(1_000);
    }
}

/// What a node shows of a channel: texts, who reacted how often, and whether it was edited.
fn shown(world: &World, number: usize, channel: &ChannelId) -> Vec<(Option<String>, u64, bool)> {
    let page = world.page(number, channel, None).into_iter();
    page.map(|message| {
        let reactions = message
            .reactions
            .0
            .iter()
            .map(|(_, given)| given.count)
            .sum();
        (message.text, reactions, message.edited)
    })
    .collect()
}

/// Three people, of whom the first founded and the second is an admin. The third and the second
/// hear for so many hours of nobody else, while the second sets that existing messages live for an
/// hour, and the first takes that right away from them.
fn parted(seed: u64, away: u64, act: MemberAct) -> (World, ChannelId, MessageId) {
    let mut world = World::new(3, seed);
    let channel = world.channel("general");
    let admin = MemberAct::SetRole(Role::Admin);
    world.act(0, 1, channel, admin).expect("the founder may");
    let said = world.say(2, channel, "beans");
    world.say(1, channel, "peas");
    world.say(0, channel, "weeds");
    world.until_agreed(&[0, 1, 2], &channel);
    let text = "beans and corn".to_owned();
    let edit = Command::Edit { target: said, text };
    world.ask(2, edit).expect("the author may");
    let react = Command::React {
        target: said,
        emoji: "🌱".into(),
        on: true,
    };
    world.ask(0, react).expect("a member may");
    let target = world.say(2, channel, "nonsense");
    let delete = Command::Delete {
        target,
        reason: None,
    };
    world.ask(2, delete).expect("the author may");
    world.until_agreed(&[0, 1, 2], &channel);
    hours(&mut world, 2);

    world.link(0, 1, false);
    world.link(0, 2, false);
    let hour = Command::SetPolicy {
        channel,
        policy: Policy::Retention {
            retention: Retention::Hours(1),
            existing: true,
        },
        dry_run: false,
    };
    world.ask(1, hour).expect("an admin may");
    world.act(0, 1, channel, act).expect("the founder may");
    hours(&mut world, away);
    (world, channel, said)
}

#[test]
fn what_a_removed_admin_ended_comes_back_from_those_who_kept_it() {
    for (seed, act) in [
        (91, MemberAct::Remove),
        (92, MemberAct::SetRole(Role::Member)),
    ] {
        let (mut world, channel, _) = parted(seed, 2, act);
        assert_eq!(shown(&world, 2, &channel), [], "it is over there");
        assert_eq!(world.texts_on_disk(2, &channel, 0), 0, "and erased");
        let kept = shown(&world, 0, &channel);
        assert_eq!(kept.len(), 4);
        world.link(0, 1, true);
        world.link(0, 2, true);
        world.until_of_one_digest(&[0, 2], &channel);
        world.until("the texts to be back", |world| {
            shown(world, 2, &channel) == kept
        });
        assert_eq!(world.messages(2, &channel), world.messages(0, &channel));
        assert!(world.verify(2, &channel).equal);
        world.crash(2);
        world.start(2);
        assert_eq!(shown(&world, 2, &channel), kept);
    }
}

#[test]
fn what_was_destroyed_with_its_window_comes_back_with_its_keys() {
    let (mut world, channel, _) = parted(93, 50, MemberAct::Remove);
    assert_eq!(world.entries_on_disk(2, &channel).len(), 0);
    let kept = shown(&world, 0, &channel);
    assert_eq!(kept.len(), 4);
    world.link(0, 2, true);
    world.until_of_one_digest(&[0, 2], &channel);
    world.until("everything to be back", |world| {
        shown(world, 2, &channel) == kept
    });
    assert_eq!(world.messages(2, &channel), world.messages(0, &channel));
    assert!(world.verify(2, &channel).equal);
}

#[test]
fn what_nobody_kept_stays_away() {
    let (mut world, channel, said) = parted(94, 2, MemberAct::Remove);
    // The one who kept it deletes one, and hears of the end of nothing else.
    let delete = Command::Delete {
        target: said,
        reason: None,
    };
    world.ask(0, delete).expect("an owner may");
    world.pass(10_000);
    world.link(0, 2, true);
    let kept = shown(&world, 0, &channel);
    world.until_of_one_digest(&[0, 2], &channel);
    world.until("the rest to be back", |world| {
        shown(world, 2, &channel) == kept
    });
    assert_eq!(world.texts_on_disk(2, &channel, 2), 0);
    assert!(world.verify(2, &channel).equal);
}

#[test]
fn a_message_waits_again_for_whom_a_void_removal_had_taken_out() {
    let mut world = World::new(4, 95);
    let channel = world.channel("general");
    let admin = MemberAct::SetRole(Role::Admin);
    world.act(0, 1, channel, admin).expect("the founder may");
    let instant = Command::SetPolicy {
        channel,
        policy: Policy::Retention {
            retention: Retention::Instant,
            existing: false,
        },
        dry_run: false,
    };
    world.ask(0, instant).expect("the founder may");
    world.until_agreed(&[0, 1, 2, 3], &channel);
    world.crash(2);
    world.say(0, channel, "for all of you");
    world.until_agreed(&[0, 1, 3], &channel);
    for reader in [1, 3] {
        let mark = Command::Mark {
            channel,
            messages: None,
        };
        world.ask(reader, mark).expect("a member may read");
    }
    world.until_agreed(&[0, 1, 3], &channel);
    world.link(0, 1, false);
    world.link(0, 3, false);
    world
        .act(1, 2, channel, MemberAct::Remove)
        .expect("an admin may");
    let member = MemberAct::SetRole(Role::Member);
    world.act(0, 1, channel, member).expect("the founder may");
    world.until("nobody to be waited for", |world| {
        world.shown(3, &channel).is_empty()
    });
    world.pass(60_000);
    assert_eq!(world.texts_on_disk(3, &channel, 0), 0);

    world.link(0, 1, true);
    world.link(0, 3, true);
    world.until_of_one_digest(&[0, 1, 3], &channel);
    world.until("the message to be back", |world| {
        world.shown(3, &channel) == ["for all of you"]
    });
    assert!(world.verify(3, &channel).equal);
    world.start(2);
    world.until_agreed(&[0, 1, 2, 3], &channel);
    assert_eq!(world.shown(2, &channel), ["for all of you"]);
    let mark = Command::Mark {
        channel,
        messages: None,
    };
    world.ask(2, mark).expect("a member may read");
    for node in [0, 1, 2, 3] {
        world.until("it to be gone", |world| {
            world.shown(node, &channel).is_empty()
        });
    }
}
