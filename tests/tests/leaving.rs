//! Leaving a channel, with engines under virtual time: the members hear of it, also where the word
//! of it is lost, and nobody leaves for another.

use kith_crdt::ids::ChannelId;
use kith_node::engine::Command;
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
}
