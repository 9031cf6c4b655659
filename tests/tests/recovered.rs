//! Accounts that are brought back with their phrase: the channels come back, every earlier device
//! is cut off, and a thief who manages is, too. Engines under virtual time.

use kith_crdt::ids::ChannelId;
use kith_node::engine::{Command, Recovery, Refusal};
use kith_tests::world::World;

const PHONE: usize = 0;
const BEN: usize = 1;
const CEM: usize = 2;

const STOLEN: Recovery = Recovery {
    hides_unseen: true,
    takes_name: false,
};

fn sorted(world: &World, number: usize, channel: &ChannelId) -> Vec<String> {
    let mut shown = world.shown(number, channel);
    shown.sort_unstable();
    shown
}

fn is_revoked(world: &World, number: usize) -> bool {
    let account = world.reading(number, |reading| reading.account());
    account.is_some_and(|account| account.revoked_at.is_some())
}

fn until_shown(world: &mut World, numbers: &[usize], channel: &ChannelId, expected: &[&str]) {
    world.until("all to show the same", |world| {
        numbers
            .iter()
            .all(|number| sorted(world, *number, channel) == expected)
    });
}

#[test]
fn channels_and_history_come_back_from_members() {
    for seed in 0..6 {
        let mut world = World::new(3, seed);
        let channel = world.channel("general");
        let bens = world.make(BEN, "second");
        world.join(BEN, PHONE, bens).expect("an open invite");
        world.say(PHONE, channel, "mine");
        world.say(CEM, channel, "theirs");
        world.say(PHONE, bens, "there");
        world.until_agreed(&[PHONE, BEN, CEM], &channel);
        world.until_agreed(&[PHONE, BEN], &bens);
        world.crash(PHONE);
        // Long after, on a new device, which meets one of them or both.
        world.pass(60_000);
        let apart = if seed % 2 == 0 { &[CEM][..] } else { &[] };
        let new = world.recover(PHONE, apart, Recovery::default());
        world.until("the channels to be back", |world| {
            world.digest(new, &channel).is_some() && world.digest(new, &bens).is_some()
        });
        until_shown(&mut world, &[new], &channel, &["mine", "theirs"]);
        world.say(new, channel, "back");
        world.heal_but(&[PHONE]);
        let expected = ["back", "mine", "theirs"];
        until_shown(&mut world, &[new, BEN, CEM], &channel, &expected);
        world.until_agreed(&[new, BEN, CEM], &channel);
        until_shown(&mut world, &[new, BEN], &bens, &["there"]);

        // The old one comes up again, and is out.
        world.start(PHONE);
        world.until("the old phone to know", |world| is_revoked(world, PHONE));
        let denied = world.try_say(PHONE, channel, "still here");
        assert!(matches!(denied, Err(Refusal::Denied(_))));
        world.say(BEN, channel, "among us");
        let expected = ["among us", "back", "mine", "theirs"];
        until_shown(&mut world, &[new, BEN, CEM], &channel, &expected);
        assert!(!world.shown(PHONE, &channel).contains(&"among us".into()));
        assert_eq!(world.charges(), 0);
    }
}

#[test]
fn what_nobody_else_has_comes_back_from_a_device_that_one_still_has() {
    let mut world = World::new(1, 50);
    let channel = world.make(PHONE, "diary");
    for number in 0..10 {
        world.say(PHONE, channel, &number.to_string());
    }
    let new = world.recover(PHONE, &[], Recovery::default());
    world.until("the diary to be back", |world| {
        world.shown(new, &channel).len() == 10
    });
    world.until("the phone to know", |world| is_revoked(world, PHONE));
    world.say(new, channel, "on");
    // It is linked anew, as a device like any other.
    let again = world.link_device(new, false);
    world.until("all of it", |world| {
        world.shown(again, &channel).len() == 11
    });
}

#[test]
fn a_thief_who_manages_loses_against_the_phrase_in_every_order() {
    for seed in 0..12 {
        let mut world = World::new(3, 100 + seed);
        let channel = world.channel("general");
        let stolen = world.link_device(PHONE, true);
        world.until("the laptop to have the channel", |world| {
            world.digest(stolen, &channel).is_some()
        });
        world.say(PHONE, channel, "mine");
        world.until_agreed(&[PHONE, BEN, CEM, stolen], &channel);
        // The thief takes in a device of their own and revokes the phone, among those who hear of
        // nobody else, before the owner brings the account back or after it.
        for a in [PHONE, BEN] {
            for b in [CEM, stolen] {
                world.link(a, b, false);
            }
        }
        let thief = |world: &mut World, apart: &[usize]| {
            let theirs = world.link_device_apart(stolen, true, apart);
            world.pass(5_000);
            let device = world.secrets(PHONE).device();
            let revoke = Command::RevokeDevice { device };
            world.ask(stolen, revoke).expect("it manages");
            world.pass(5_000);
            drop(world.try_say(theirs, channel, "a lie"));
            drop(world.try_say(stolen, channel, "another"));
            theirs
        };
        let owner = |world: &mut World, apart: &[usize]| {
            world.pass(5_000);
            let new = world.recover(PHONE, apart, STOLEN);
            world.until("the channel to be back", |world| {
                world.digest(new, &channel).is_some()
            });
            world.pass(10_000);
            new
        };
        let (theirs, new) = if seed % 2 == 0 {
            let theirs = thief(&mut world, &[PHONE, BEN]);
            (theirs, owner(&mut world, &[CEM, stolen, theirs]))
        } else {
            let new = owner(&mut world, &[CEM, stolen]);
            (thief(&mut world, &[PHONE, BEN, new]), new)
        };
        // One line first, then all.
        let first = [(BEN, CEM), (new, CEM), (BEN, theirs), (new, stolen)];
        let (a, b) = first[seed as usize % 4];
        world.link(a, b, true);
        world.pass(20_000);
        world.heal();
        world.until_agreed(&[new, BEN, CEM], &channel);
        world.until("all of the others to be out", |world| {
            [PHONE, stolen, theirs]
                .iter()
                .all(|number| is_revoked(world, *number))
        });
        until_shown(&mut world, &[new, BEN, CEM], &channel, &["mine"]);
        world.say(new, channel, "mine again");
        let expected = ["mine", "mine again"];
        until_shown(&mut world, &[new, BEN, CEM], &channel, &expected);
        for number in [BEN, CEM] {
            let log = world.control(number, &channel);
            let account = world.secrets(PHONE).account;
            let certified = &log.roster().members[&account].certified;
            let devices: Vec<_> = certified.devices.keys().copied().collect();
            assert_eq!(devices, [world.secrets(new).device()]);
        }
    }
}
