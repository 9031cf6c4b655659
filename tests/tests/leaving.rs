//! Leaving a channel, with engines under virtual time: the members hear of it, also where the word
//! of it is lost, and nobody leaves for another.

use kith_api::message::DeliveryState;
use kith_crdt::control::Status;
use kith_crdt::ids::ChannelId;
use kith_node::engine::{Command, MemberAct};
use kith_tests::world::World;

fn leave(world: &mut World, number: usize, channel: ChannelId) {
    let leave = Command::Leave { channel };
    world.ask(number, leave).expect("anybody may go");
}

/// Whether a node has left and does not know yet that anybody has heard of it.
fn is_leaving(world: &World, number: usize, channel: &ChannelId) -> bool {
    let view = world.engine(number).shared().channel(channel);
    view.expect("what was read stays").is_leaving
}

#[test]
fn who_leaves_is_heard_where_no_frame_arrives() {
    let mut world = World::new(3, 1);
    let channel = world.channel("general");
    world.until_agreed(&[0, 1, 2], &channel);
    world.lose_gossip(1_000);
    leave(&mut world, 2, channel);
    assert!(is_leaving(&world, 2, &channel));
    world.pass(1_000);
    for witness in [0, 1] {
        assert!(
            !world.is_member(witness, 2, &channel),
            "offered to {witness}"
        );
    }
    assert!(!is_leaving(&world, 2, &channel));
}

#[test]
fn who_leaves_while_nobody_is_there_is_heard_by_whoever_comes() {
    let mut world = World::new(3, 2);
    let channel = world.channel("general");
    world.until_agreed(&[0, 1, 2], &channel);
    for other in [0, 1] {
        world.link(2, other, false);
    }
    leave(&mut world, 2, channel);
    world.pass(60_000);
    assert!(is_leaving(&world, 2, &channel), "nobody can have heard");
    world.crash(2);
    world.start(2);
    assert!(is_leaving(&world, 2, &channel), "nor after a restart");
    assert!(world.is_member(0, 2, &channel));
    world.link(2, 1, true);
    world.until("both to know", |world| {
        [0, 1]
            .iter()
            .all(|node| !world.is_member(*node, 2, &channel))
    });
    world.until("the one who left to know that", |world| {
        !is_leaving(world, 2, &channel)
    });
    world.crash(2);
    world.start(2);
    assert!(!is_leaving(&world, 2, &channel), "it is known for good");
}

#[test]
fn what_was_said_last_is_heard_before_it_is_known_that_somebody_left() {
    let mut world = World::new(3, 3);
    let channel = world.channel("general");
    world.until_agreed(&[0, 1, 2], &channel);
    world.lose_gossip(1_000);
    world.say(2, channel, "farewell");
    leave(&mut world, 2, channel);
    world.until("somebody to have heard of it", |world| {
        !is_leaving(world, 2, &channel)
    });
    world.crash(2);
    world.until("both to have heard all", |world| {
        [0, 1].iter().all(|node| {
            world.shown(*node, &channel) == ["farewell"] && !world.is_member(*node, 2, &channel)
        })
    });
}

#[test]
fn whoever_hears_that_somebody_left_asks_them_at_once_what_they_said_last() {
    let mut world = World::new(3, 8);
    let channel = world.channel("general");
    world.until_agreed(&[0, 1, 2], &channel);
    world.lose_gossip(1_000);
    world.say(2, channel, "farewell");
    leave(&mut world, 2, channel);
    // Less than it takes to offer it again.
    world.pass(400);
    world.crash(2);
    for node in [0, 1] {
        assert!(!world.is_member(node, 2, &channel));
    }
    world.until("both to have heard all", |world| {
        [0, 1]
            .iter()
            .all(|node| world.shown(*node, &channel) == ["farewell"])
    });
}

#[test]
fn two_who_leave_at_once_do_not_rely_on_each_other() {
    let mut world = World::new(3, 4);
    let channel = world.channel("general");
    world.until_agreed(&[0, 1, 2], &channel);
    for leaver in [1, 2] {
        world.link(0, leaver, false);
    }
    for leaver in [1, 2] {
        world.say(leaver, channel, &format!("farewell of {leaver}"));
    }
    let leave = Command::Leave { channel };
    let tokens = [1, 2].map(|leaver| world.begin(leaver, leave.clone()));
    world.pass(60_000);
    for token in tokens {
        world
            .answer(token)
            .expect("it is durable")
            .expect("anybody may go");
    }
    assert!(
        [1, 2]
            .iter()
            .all(|leaver| is_leaving(&world, *leaver, &channel))
    );
    for leaver in [1, 2] {
        world.link(0, leaver, true);
        world.until("the one who stays to have heard of it", |world| {
            !is_leaving(world, leaver, &channel)
        });
        world.crash(leaver);
    }
    assert_eq!(world.shown(0, &channel).len(), 2);
}

#[test]
fn whoever_leaves_after_hearing_another_out_is_not_relied_on_either() {
    let mut world = World::new(3, 9);
    let channel = world.channel("general");
    world.until_agreed(&[0, 1, 2], &channel);
    for leaver in [1, 2] {
        world.link(0, leaver, false);
    }
    leave(&mut world, 2, channel);
    // Until it is heard out, and before it asks again.
    world.pass(400);
    assert!(!world.is_member(1, 2, &channel) && is_leaving(&world, 2, &channel));
    leave(&mut world, 1, channel);
    world.pass(60_000);
    assert!(is_leaving(&world, 2, &channel));
}

#[test]
fn who_was_taken_out_before_they_left_hears_of_it() {
    let mut world = World::new(3, 5);
    let channel = world.channel("general");
    world.until_agreed(&[0, 1, 2], &channel);
    for other in [0, 1] {
        world.link(2, other, false);
    }
    world
        .act(0, 2, channel, MemberAct::Remove)
        .expect("the founder may");
    world.say(2, channel, "is anybody there?");
    let state = |world: &World| world.page(2, &channel, None)[0].state;
    leave(&mut world, 2, channel);
    assert_eq!(state(&world), DeliveryState::Pending, "it may be heard");
    world.link(2, 0, true);
    world.until("the one who left to know that", |world| {
        let view = world.engine(2).shared().channel(&channel);
        let view = view.expect("what was read stays");
        let account = world.secrets(2).account;
        view.roster.members[&account].status == Status::Removed
    });
    world.until("nobody to be asked any more", |world| {
        !is_leaving(world, 2, &channel)
    });
    assert_eq!(state(&world), DeliveryState::Failed);
}
