//! Pinning with engines under virtual time: concurrent pins, rights, restarts.

use kith_crdt::control::{Policy, Right, Role};
use kith_crdt::ids::{ChannelId, MessageId};
use kith_crdt::limits::PINS_PER_CHANNEL;
use kith_crdt::projection::Claim;
use kith_node::engine::{Command, Outcome, Refusal};
use kith_tests::world::World;

fn pin(world: &mut World, number: usize, target: MessageId, on: bool) -> Result<Outcome, Refusal> {
    world.ask(number, Command::Pin { target, on })
}

/// How many entries about pins a node knows of.
fn entries(world: &World, number: usize, channel: &ChannelId) -> u64 {
    let view = world.engine(number).shared().channel(channel);
    let view = view.expect("the node is in the channel");
    view.pins.values().map(kith_crdt::ranges::Ranges::len).sum()
}

/// The latest claims about a message as a node has them.
fn claims(world: &World, number: usize, channel: &ChannelId, target: &MessageId) -> Vec<Claim> {
    let reader = world.engine(number).reader();
    let stored = reader.view().claims(channel, target);
    let claims = stored.iter();
    claims
        .map(|bytes| kith_crdt::encoding::decode(bytes, 1_024).expect("as it was stored"))
        .collect()
}

#[test]
fn what_is_so_already_is_not_written_again() {
    let mut world = World::new(2, 81);
    let channel = world.channel("general");
    let target = world.say(0, channel, "the rules");
    world.until_agreed(&[0, 1], &channel);
    for number in [0, 1] {
        pin(&mut world, number, target, true).expect("members may");
        world.until_agreed(&[0, 1], &channel);
    }
    assert_eq!([0, 1].map(|n| entries(&world, n, &channel)), [1, 1]);
    pin(&mut world, 1, target, false).expect("members may");
    world.until_agreed(&[0, 1], &channel);
    world.crash(0);
    world.start(0);
    assert_eq!(entries(&world, 0, &channel), 2);
    assert_eq!(claims(&world, 0, &channel, &target).len(), 2);
}

#[test]
fn of_a_pin_and_an_unpin_apart_from_each_other_the_later_holds() {
    let mut world = World::new(2, 82);
    let channel = world.channel("general");
    let target = world.say(0, channel, "the rules");
    pin(&mut world, 0, target, true).unwrap();
    world.until_agreed(&[0, 1], &channel);
    world.link(0, 1, false);
    pin(&mut world, 1, target, false).unwrap();
    world.pass(1_000);
    pin(&mut world, 0, target, false).unwrap();
    world.pass(1_000);
    pin(&mut world, 0, target, true).unwrap();
    world.link(0, 1, true);
    world.until_agreed(&[0, 1], &channel);
    let before = entries(&world, 1, &channel);
    pin(&mut world, 1, target, true).unwrap();
    assert_eq!(entries(&world, 1, &channel), before, "it is pinned already");
}

#[test]
fn a_pin_counts_by_the_right_of_its_time() {
    let mut world = World::new(2, 83);
    let channel = world.channel("general");
    let target = world.say(0, channel, "the rules");
    world.until_agreed(&[0, 1], &channel);
    world.link(0, 1, false);
    let policy = Policy::Right {
        right: Right::Pin,
        least: Role::Moderator,
    };
    let set = Command::SetPolicy {
        channel,
        policy,
        dry_run: false,
    };
    world.ask(0, set).unwrap();
    world.pass(1_000);
    pin(&mut world, 1, target, true).expect("they have not heard");
    world.link(0, 1, true);
    world.until_agreed(&[0, 1], &channel);
    assert_eq!(entries(&world, 0, &channel), 1);
    // It does not count: pinning it is news, and unpinning it is not.
    pin(&mut world, 0, target, false).unwrap();
    assert_eq!(entries(&world, 0, &channel), 1);
    pin(&mut world, 0, target, true).unwrap();
    assert_eq!(entries(&world, 0, &channel), 2);
    assert!(matches!(
        pin(&mut world, 1, target, false),
        Err(Refusal::Denied(_))
    ));
}

#[test]
fn of_too_many_pins_those_first_pinned_are_listed_everywhere_alike() {
    let mut world = World::new(2, 84);
    let channel = world.channel("general");
    let said: Vec<MessageId> = (0..PINS_PER_CHANNEL + 2)
        .map(|number| world.say(0, channel, &format!("rule {number}")))
        .collect();
    world.until_agreed(&[0, 1], &channel);
    world.link(0, 1, false);
    for target in &said[..PINS_PER_CHANNEL] {
        pin(&mut world, 0, *target, true).unwrap();
    }
    let one_more = pin(&mut world, 0, said[PINS_PER_CHANNEL], true);
    assert!(matches!(one_more, Err(Refusal::Limit(_))));
    world.pass(1_000);
    for target in &said[PINS_PER_CHANNEL..] {
        pin(&mut world, 1, *target, true).expect("they know of no others");
    }
    world.link(0, 1, true);
    world.until_agreed(&[0, 1], &channel);
    for number in [0, 1] {
        let listed = world.pinned(number, &channel);
        let listed: Vec<MessageId> = listed.iter().map(|message| message.id.0).collect();
        assert_eq!(listed, said[..PINS_PER_CHANNEL], "at {number}");
    }
}
