//! Several engines in one thread under virtual time: what must hold whatever the network does.

use kith_crdt::time::Millis;
use kith_node::engine::{Command, Refusal};
use kith_tests::world::World;

#[test]
fn what_one_writes_the_other_gets() {
    let mut world = World::new(2, 1);
    let channel = world.channel("general");
    world.say(0, channel, "hello");
    world.say(1, channel, "hello yourself");
    world.until("both have both", |world| world.messages(0, &channel) == 2 && world.messages(1, &channel) == 2);
    world.until("both agree", |world| world.digest(0, &channel) == world.digest(1, &channel));
}

#[test]
fn what_was_written_while_one_was_off_comes_through_a_third() {
    let mut world = World::new(3, 2);
    let channel = world.channel("general");
    world.until("all agree", |world| (1..3).all(|n| world.digest(0, &channel) == world.digest(n, &channel)));
    world.crash(1);
    for number in 0..50 {
        world.say(0, channel, &format!("message {number}"));
    }
    world.until("the third has them", |world| world.messages(2, &channel) == 50);
    world.crash(0);
    world.start(1);
    world.until("the second has them", |world| world.messages(1, &channel) == 50);
    world.until("they agree", |world| world.digest(1, &channel) == world.digest(2, &channel));
}

#[test]
fn sync_brings_what_gossip_loses() {
    let mut world = World::new(3, 3);
    world.lose_gossip(1_000);
    let channel = world.channel("general");
    for number in 0..30 {
        world.say(number % 3, channel, "lost on the way");
    }
    world.until("all have all", |world| (0..3).all(|n| world.messages(n, &channel) == 30));
    world.until("all agree", |world| (1..3).all(|n| world.digest(0, &channel) == world.digest(n, &channel)));
}

#[test]
fn a_join_that_finds_nobody_completes_when_somebody_appears() {
    let mut world = World::new(3, 4);
    let channel = world.channel("general");
    let link = world.invite(0, channel, 1, world.now().plus(86_400_000)).unwrap();
    let other = world.channel("another");
    assert_ne!(channel, other);
    world.link(0, 2, false);
    world.link(1, 2, false);
    drop(link);
    world.say(0, channel, "while the third was away");
    world.link(0, 2, true);
    world.until("the third has it", |world| world.messages(2, &channel) == 1);
}

#[test]
fn an_invite_says_why_it_lets_nobody_in() {
    let mut world = World::new(2, 5);
    let channel = world.channel("general");
    let expired = world.invite(0, channel, 1, world.now().plus(1_000)).unwrap();
    world.pass(2_000);
    let refusal = world.ask(1, Command::Join { link: expired });
    assert!(refusal.is_ok(), "who is a member already need not join: {refusal:?}");
    let elsewhere = world.ask(0, Command::Rename { channel, name: String::new() });
    assert!(matches!(elsewhere, Err(Refusal::Usage(_))), "{elsewhere:?}");
    let _ = Millis(0);
}
