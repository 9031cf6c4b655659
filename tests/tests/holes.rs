//! What mending makes of a channel whose records are gone: many engines in one thread, under
//! virtual time.

use kith_crdt::ids::{ChannelId, MessageId, Place};
use kith_node::engine::{Command, MendState};
use kith_store::{Batch, Reader};
use kith_tests::world::World;

fn place(reader: &Reader, message: &MessageId) -> Place {
    let found = reader.view().message(message);
    found.expect("a message that is here").1
}

/// Has a node mend everything, and returns how that ended.
fn mend(world: &mut World, number: usize, channel: &ChannelId) -> MendState {
    let done = world.ask(number, Command::Mend { channel: None });
    done.expect("it can be mended");
    let state = world.mending(number, channel);
    state.expect("a mended channel tells of it")
}

/// Two people who have written five messages each, both of whom have all of them; the first does
/// not run.
fn crashed() -> (World, ChannelId, Vec<MessageId>) {
    let mut world = World::new(2, 11);
    let channel = world.channel("garden");
    let mut messages = Vec::new();
    for number in 0..5 {
        for who in 0..2 {
            messages.push(world.say(who, channel, &format!("{who} says {number}")));
        }
    }
    world.until_agreed(&[0, 1], &channel);
    world.crash(0);
    (world, channel, messages)
}

fn until_alike(world: &mut World, channel: &ChannelId) {
    world.until_agreed(&[0, 1], channel);
    assert_eq!(world.shown(0, channel), world.shown(1, channel));
    assert_eq!(world.shown(0, channel).len(), 10);
}

#[test]
fn envelopes_that_are_gone_come_back_from_another_member() {
    let (mut world, channel, messages) = crashed();
    world.tamper(0, |reader, batch| {
        for message in &messages[4..6] {
            batch.delete_envelope(&channel, &place(reader, message));
        }
    });
    world.start(0);
    assert_eq!(world.shown(0, &channel).len(), 8);
    let state = mend(&mut world, 0, &channel);
    assert_eq!((state.fetched, state.lost, state.done), (2, 0, true));
    until_alike(&mut world, &channel);
    assert_eq!(world.unread(0, &channel), 5);
}

#[test]
fn everything_that_follows_from_envelopes_is_made_anew() {
    let (mut world, channel, messages) = crashed();
    // Nobody is there to help.
    world.crash(1);
    world.tamper(0, |reader, batch| {
        for message in &messages {
            let place = place(reader, message);
            batch.delete_message_id(message);
            batch.delete_log(&channel, &place.log);
        }
        batch.delete_channel(&channel);
    });
    world.start(0);
    world.start(1);
    world.link(0, 1, false);
    let state_of = |world: &mut World| {
        let token = world.begin(0, Command::Mend { channel: None });
        world.pass(10_000);
        assert!(world.answer(token).is_some());
        world.mending(0, &channel).expect("it was begun")
    };
    let state = state_of(&mut world);
    assert_eq!((state.logs, state.awaited, state.lost), (2, 0, 0));
    assert_eq!(world.shown(0, &channel).len(), 10);
    world.link(0, 1, true);
    until_alike(&mut world, &channel);
}

#[test]
fn a_channel_whose_ops_are_all_gone_finds_them_at_another_member() {
    let (mut world, channel, _) = crashed();
    world.tamper(0, |reader, batch| delete_ops(reader, batch, &channel));
    world.start(0);
    mend(&mut world, 0, &channel);
    until_alike(&mut world, &channel);
    world.say(0, channel, "I am still in");
    world.until_agreed(&[0, 1], &channel);
    assert_eq!(world.shown(1, &channel).len(), 11);
}

fn delete_ops(reader: &Reader, batch: &mut Batch, channel: &ChannelId) {
    for (op, _) in reader.view().ops(channel) {
        batch.delete_op(channel, &op);
    }
}

#[test]
fn what_nobody_has_is_lost_and_what_came_after_it_stays() {
    let (mut world, channel, _) = crashed();
    world.start(0);
    world.link(0, 1, false);
    let own: Vec<MessageId> = (0..3)
        .map(|number| world.say(0, channel, &format!("alone {number}")))
        .collect();
    world.crash(0);
    world.tamper(0, |reader, batch| {
        batch.delete_envelope(&channel, &place(reader, &own[1]));
    });
    world.start(0);
    let token = world.begin(0, Command::Mend { channel: None });
    world.pass(60_000);
    // As long as somebody may have it, it is awaited.
    assert!(world.answer(token).is_none());
    let state = world.mending(0, &channel).expect("it was begun");
    assert_eq!((state.awaited, state.lost, state.done), (1, 0, false));
    assert_eq!(world.shown(0, &channel).len(), 12);

    world.link(0, 1, true);
    world.until_of_one_digest(&[0, 1], &channel);
    world.pass(10_000);
    let state = world.mending(0, &channel).expect("it was begun");
    assert_eq!((state.awaited, state.lost, state.done), (0, 1, true));
    assert_eq!(world.shown(0, &channel).len(), 12, "what came after stays");
    assert_eq!(world.shown(1, &channel).len(), 11);
    // Writing goes on elsewhere than behind the hole.
    world.say(0, channel, "go on");
    world.until_agreed(&[0, 1], &channel);
    assert_eq!(world.shown(1, &channel).len(), 12);
}

#[test]
fn a_hole_that_is_filled_joins_what_came_after_to_its_log_again() {
    let (mut world, channel, _) = crashed();
    world.start(0);
    let own: Vec<MessageId> = (0..2)
        .map(|number| world.say(0, channel, &format!("heard {number}")))
        .collect();
    world.until_agreed(&[0, 1], &channel);
    world.link(0, 1, false);
    world.say(0, channel, "not heard");
    world.crash(0);
    world.tamper(0, |reader, batch| {
        batch.delete_envelope(&channel, &place(reader, &own[1]));
    });
    world.start(0);
    let _token = world.begin(0, Command::Mend { channel: None });
    world.pass(10_000);
    world.link(0, 1, true);
    world.until("the other has it", |world| {
        world.shown(1, &channel).len() == 13
    });
    world.until_agreed(&[0, 1], &channel);
    assert_eq!(world.shown(0, &channel), world.shown(1, &channel));
}

#[test]
fn a_mending_that_a_crash_cut_off_goes_on_at_the_next_start() {
    let (mut world, channel, messages) = crashed();
    world.tamper(0, |reader, batch| {
        batch.delete_envelope(&channel, &place(reader, &messages[5]));
    });
    world.start(0);
    let _token = world.begin(0, Command::Mend { channel: None });
    world.crash(0);
    world.start(0);
    world.until("it is over", |world| {
        world.mending(0, &channel).is_some_and(|state| state.done)
    });
    until_alike(&mut world, &channel);
}
