//! Being let in without a link, and that nobody fills another's node by it. Engines under virtual
//! time.

use kith_crdt::control::Role;
use kith_crdt::ids::ChannelId;
use kith_crdt::limits::{ADDED_BY_ALL, ADDED_BY_ONE};
use kith_node::engine::{Command, MemberAct};
use kith_tests::world::World;

#[test]
fn who_is_added_without_a_link_hears_of_it_and_so_does_who_is_let_in_again() {
    let mut world = World::new(3, 41);
    let known = world.channel("general");
    world.until_agreed(&[0, 1, 2], &known);

    let other = world.make(0, "other");
    world
        .act(0, 1, other, MemberAct::Add(Role::Member))
        .unwrap();
    world.until("it belongs", |world| world.is_member(1, 1, &other));
    world.say(0, other, "welcome");
    world.until_agreed(&[0, 1], &other);
    world.until("it reads", |world| world.shown(1, &other) == ["welcome"]);
    world.say(1, other, "thanks");
    world.until_agreed(&[0, 1], &other);
    assert_eq!(world.shown(0, &other), ["welcome", "thanks"]);
    assert!(!world.is_member(2, 1, &other), "nobody else hears of it");

    world.act(0, 1, known, MemberAct::Remove).unwrap();
    world.until("it knows", |world| !world.is_member(1, 1, &known));
    world
        .act(0, 1, known, MemberAct::Add(Role::Member))
        .unwrap();
    world.until("it belongs again", |world| world.is_member(1, 1, &known));
    world.say(1, known, "back");
    world.until_agreed(&[0, 1, 2], &known);
    assert_eq!(world.shown(2, &known), ["back"]);
}

#[test]
fn nobody_fills_another_s_node_with_channels_by_adding_them() {
    let mut world = World::new(2, 44);
    let known = world.channel("general");
    world.until_agreed(&[0, 1], &known);
    let add = |world: &mut World, number: usize| {
        let channel = world.make(0, &format!("{number}"));
        let act = MemberAct::Add(Role::Member);
        world.act(0, 1, channel, act).unwrap();
        channel
    };
    let taken_in = |world: &World| world.engine(1).shared().channels().len() - 1;
    let mut added: Vec<ChannelId> = (0..ADDED_BY_ONE).map(|n| add(&mut world, n)).collect();
    world.until("all are taken in", |world| taken_in(world) == ADDED_BY_ONE);
    let view = world.engine(1).shared().channel(&added[0]).unwrap();
    assert_eq!(view.added_by, Some(world.secrets(0).account));

    added.extend([100, 101].map(|n| add(&mut world, n)));
    world.until("both are declined", |world| {
        world.engine(1).shared().declined() == 2
    });
    world.pass(60_000);
    assert_eq!(taken_in(&world), ADDED_BY_ONE);

    // An answer, if only that something was read, makes room for one, and leaving for another.
    let said = world.say(0, added[0], "are you there?");
    world.until("it reads", |world| world.messages(1, &added[0]) == 1);
    let (channel, messages) = (added[0], Some(vec![said]));
    world.ask(1, Command::Mark { channel, messages }).unwrap();
    let view = world.engine(1).shared().channel(&channel).unwrap();
    assert_eq!(view.added_by, None);
    world.until("another is taken in", |world| {
        taken_in(world) == ADDED_BY_ONE + 1
    });
    let channel = added[1];
    world.ask(1, Command::Leave { channel }).unwrap();
    world.until("and the last", |world| taken_in(world) == ADDED_BY_ONE + 2);
    assert_eq!(world.engine(1).shared().declined(), 0);
}

#[test]
fn many_who_add_somebody_together_fill_no_node_either() {
    const FRIENDS: usize = ADDED_BY_ALL / ADDED_BY_ONE + 1;
    let mut world = World::new(FRIENDS + 1, 45);
    let known = world.channel("general");
    let all: Vec<usize> = (0..=FRIENDS).collect();
    world.until_agreed(&all, &known);
    for friend in 0..FRIENDS {
        for number in 0..ADDED_BY_ONE {
            let channel = world.make(friend, &format!("{friend}/{number}"));
            let act = MemberAct::Add(Role::Member);
            world
                .act(friend, FRIENDS, channel, act)
                .expect("its owner may");
        }
    }
    let taken_in = |world: &World| world.engine(FRIENDS).shared().channels().len() - 1;
    world.until("as many as may be are taken in", |world| {
        taken_in(world) == ADDED_BY_ALL && world.engine(FRIENDS).shared().declined() > 0
    });
    world.pass(120_000);
    assert_eq!(taken_in(&world), ADDED_BY_ALL);
}
