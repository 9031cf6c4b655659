//! Devices that are let manage the account. Engines under virtual time.

use kith_crdt::ids::DeviceId;
use kith_node::engine::{Command, Outcome, Refusal};
use kith_tests::world::World;

const PHONE: usize = 0;
const BEN: usize = 1;

fn device(world: &World, number: usize) -> DeviceId {
    world.secrets(number).device()
}

fn grant(world: &mut World, on: usize, number: usize) -> Result<Outcome, Refusal> {
    let device = device(world, number);
    world.ask(on, Command::GrantDevice { device })
}

/// Whether a node has the management key.
fn manages(world: &World, number: usize) -> bool {
    let devices = world.engine(number).shared().devices();
    devices.is_some_and(|devices| devices.manages)
}

/// Whether a node knows that another one is to have it.
fn is_to_manage(world: &World, at: usize, number: usize) -> bool {
    let devices = world.engine(at).shared().devices();
    let device = device(world, number);
    devices.is_some_and(|devices| devices.certified.managing.contains(&device))
}

#[test]
fn a_device_that_is_let_manage_does_so_for_good() {
    for away in [false, true] {
        let mut world = World::new(2, 1);
        let channel = world.channel("general");
        let laptop = world.link_device(PHONE, false);
        world.until_agreed(&[PHONE, BEN, laptop], &channel);
        for on in [laptop, BEN] {
            let denied = grant(&mut world, on, laptop);
            assert!(
                denied.is_err(),
                "only a device that manages lets others manage"
            );
        }
        let stranger = grant(&mut world, PHONE, BEN);
        assert!(matches!(stranger, Err(Refusal::NotFound(_))));
        if away {
            world.stop(laptop);
        }
        grant(&mut world, PHONE, laptop).expect("the phone manages");
        if away {
            world.pass(60_000);
            world.start(laptop);
        }
        world.until("the laptop to manage", |world| manages(world, laptop));
        assert_eq!(grant(&mut world, PHONE, laptop), Ok(Outcome::Done), "again");
        world.crash(laptop);
        world.start(laptop);
        assert!(manages(&world, laptop), "it has kept the key");
        // With the phone in the lake it does what only the phone could.
        world.stop(PHONE);
        let phone = device(&world, PHONE);
        let revoked = world.ask(laptop, Command::RevokeDevice { device: phone });
        revoked.expect("it manages");
        world.until("Ben to have heard", |world| {
            let control = world.control(BEN, &channel);
            !control
                .roster()
                .belongs_on(&world.secrets(PHONE).account, &phone)
        });
        assert_eq!(world.charges(), 0);
    }
}

#[test]
fn the_key_comes_from_whoever_has_it_and_knows_of_it() {
    let mut world = World::new(1, 3);
    let laptop = world.link_device(PHONE, false);
    let tablet = world.link_device(PHONE, true);
    let watch = world.link_device(PHONE, false);
    world.until("all to know all", |world| {
        [PHONE, laptop, tablet, watch].iter().all(|number| {
            let devices = world.engine(*number).shared().devices();
            devices.is_some_and(|devices| devices.certified.devices.len() == 4)
        })
    });
    // The laptop hears of it from the watch, which has no key, and the phone is gone.
    world.link(PHONE, laptop, false);
    world.link(tablet, laptop, false);
    grant(&mut world, PHONE, laptop).expect("the phone manages");
    world.until("the watch to know", |world| {
        is_to_manage(world, watch, laptop)
    });
    world.pass(60_000);
    world.stop(PHONE);
    assert!(!manages(&world, laptop));
    world.link(tablet, laptop, true);
    world.until("the laptop to manage", |world| manages(world, laptop));
    // Nobody hands it to a device that is not to have it.
    assert!(!manages(&world, watch));
}
