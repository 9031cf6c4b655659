//! Devices that are revoked: nobody shows what they write afterwards, they learn of it, and nothing
//! that was there before is lost. Engines under virtual time.

use kith_crdt::control::Body;
use kith_crdt::ids::{ChannelId, DeviceId};
use kith_crdt::limits::DEVICES_PER_ACCOUNT;
use kith_node::engine::{Command, Outcome, Refusal};
use kith_tests::world::World;

const PHONE: usize = 0;
const BEN: usize = 1;
const CEM: usize = 2;

fn device(world: &World, number: usize) -> DeviceId {
    world.secrets(number).device()
}

fn revoke(world: &mut World, on: usize, number: usize) -> Result<Outcome, Refusal> {
    let device = device(world, number);
    world.ask(on, Command::RevokeDevice { device })
}

fn is_revoked(world: &World, number: usize) -> bool {
    let account = world.reading(number, |reading| reading.account());
    account.is_some_and(|account| account.revoked_at.is_some())
}

/// The devices that a node knows its account to have.
fn devices(world: &World, number: usize) -> Vec<DeviceId> {
    let account = world.reading(number, |reading| reading.account());
    let account = account.expect("its own certificate");
    let mut devices: Vec<DeviceId> = account.devices.iter().map(|it| it.device.0).collect();
    devices.sort_unstable();
    devices
}

/// A phone and a laptop of one person, and two others, in one channel.
fn world(seed: u64) -> (World, ChannelId, usize) {
    let mut world = World::new(3, seed);
    let channel = world.channel("general");
    let laptop = world.link_device(PHONE, false);
    world.until("the laptop to have the channel", |world| {
        world.digest(laptop, &channel).is_some()
    });
    world.say(laptop, channel, "before");
    world.say(BEN, channel, "from Ben");
    world.until_agreed(&[PHONE, BEN, CEM, laptop], &channel);
    (world, channel, laptop)
}

#[test]
fn what_a_revoked_device_writes_apart_is_shown_nowhere() {
    for seed in 0..12 {
        let (mut world, channel, laptop) = world(seed);
        // The laptop and Cem hear of nobody else.
        for (a, b) in [(PHONE, laptop), (PHONE, CEM), (BEN, laptop), (BEN, CEM)] {
            world.link(a, b, false);
        }
        revoke(&mut world, PHONE, laptop).expect("the phone manages");
        world.say(PHONE, channel, "without the laptop");
        world.say(laptop, channel, "after");
        world.say(laptop, channel, "after that");
        world.until("Cem to have it", |world| {
            world.shown(CEM, &channel).contains(&"after that".into())
        });
        world.say(CEM, channel, "an answer");
        // Whoever of them hears of it first.
        let first = [(PHONE, CEM), (PHONE, laptop), (BEN, CEM), (BEN, laptop)];
        let (a, b) = first[seed as usize % 4];
        world.link(a, b, true);
        world.pass(30_000);
        world.heal();
        let others = [PHONE, BEN, CEM];
        world.until_agreed(&others, &channel);
        let mut expected = ["before", "from Ben", "without the laptop", "an answer"];
        expected.sort_unstable();
        let all_show = |world: &World| {
            others.iter().all(|number| {
                let mut shown = world.shown(*number, &channel);
                shown.sort_unstable();
                shown == expected
            })
        };
        world.until("all to show that and no more", all_show);
        world.pass(60_000);
        assert!(all_show(&world));
        world.until("the laptop to know", |world| is_revoked(world, laptop));
        world.say(BEN, channel, "among us");
        world.until_agreed(&others, &channel);
        world.pass(60_000);
        let shown = world.shown(laptop, &channel);
        assert!(!shown.contains(&"among us".to_owned()), "{shown:?}");
        let denied = world.try_say(laptop, channel, "more");
        assert!(matches!(denied, Err(Refusal::Denied(why)) if why.contains("revoked")));
        // It stays so.
        world.crash(laptop);
        world.start(laptop);
        assert!(is_revoked(&world, laptop));
        assert_eq!(world.charges(), 0);
    }
}

#[test]
fn a_device_learns_of_it_where_there_is_no_channel() {
    let mut world = World::new(1, 7);
    let laptop = world.link_device(PHONE, false);
    let tablet = world.link_device(PHONE, true);
    world.until("all to know all", |world| {
        [PHONE, laptop, tablet]
            .iter()
            .all(|number| devices(world, *number).len() == 3)
    });
    revoke(&mut world, PHONE, laptop).expect("the phone manages");
    world.until("all to know", |world| {
        is_revoked(world, laptop) && devices(world, tablet).len() == 2
    });
    // One that was away learns of it later.
    world.stop(tablet);
    revoke(&mut world, PHONE, tablet).expect("the phone manages");
    world.start(tablet);
    world.until("the tablet to know", |world| is_revoked(world, tablet));
    let channel = Command::CreateChannel {
        name: "den".into(),
        topic: String::new(),
        retention: kith_crdt::retention::Retention::Forever,
    };
    assert!(matches!(
        world.ask(tablet, channel),
        Err(Refusal::Denied(_))
    ));
    assert!(!is_revoked(&world, PHONE));
}

#[test]
fn what_two_devices_revoke_at_the_same_time_is_all_revoked() {
    for seed in 20..26 {
        let (mut world, channel, laptop) = world(seed);
        let tower = world.link_device(PHONE, true);
        let watch = world.link_device(PHONE, false);
        world.until("all to know all", |world| {
            [PHONE, laptop, tower, watch]
                .iter()
                .all(|number| devices(world, *number).len() == 4)
        });
        world.until_agreed(&[PHONE, BEN, CEM, laptop, tower, watch], &channel);
        for other in [PHONE, BEN, CEM, laptop, watch] {
            world.link(tower, other, false);
        }
        revoke(&mut world, PHONE, laptop).expect("the phone manages");
        revoke(&mut world, tower, watch).expect("the tower manages");
        let tablet = world.link_device(PHONE, false);
        world.link(tower, tablet, false);
        world.pass(60_000);
        world.heal();
        let left = [PHONE, tower, tablet];
        world.until("one list", |world| {
            let lists = left.map(|number| devices(world, number));
            lists[0].len() == 3 && lists.iter().all(|list| *list == lists[0])
        });
        world.until_agreed(&[PHONE, BEN, CEM, tower, tablet], &channel);
        world.until("both to know", |world| {
            is_revoked(world, laptop) && is_revoked(world, watch)
        });
        let out = [
            (PHONE, false),
            (tower, false),
            (laptop, true),
            (watch, true),
        ];
        world.until("Ben to know", |world| {
            let log = world.control(BEN, &channel);
            let is_cut_off = |number| log.roster().is_cut_off(&device(world, number));
            out.iter().all(|(number, out)| is_cut_off(*number) == *out)
        });
        world.say(tablet, channel, "we three");
        world.until("Ben to see it", |world| {
            world.shown(BEN, &channel).contains(&"we three".into())
        });
        world.until_agreed(&[PHONE, BEN, CEM, tower, tablet], &channel);
    }
}

#[test]
fn whoever_has_not_got_everything_yet_hides_nothing_by_revoking() {
    let mut world = World::new(2, 40);
    let channel = world.channel("general");
    let laptop = world.link_device(PHONE, false);
    world.until("the laptop to have the channel", |world| {
        world.digest(laptop, &channel).is_some()
    });
    for number in 0..400 {
        world.say(laptop, channel, &number.to_string());
    }
    world.until_agreed(&[PHONE, BEN, laptop], &channel);
    let tablet = world.link_device(PHONE, true);
    world.until("the tablet to know of the channel", |world| {
        world.digest(tablet, &channel).is_some()
    });
    assert!(world.messages(tablet, &channel) < 400, "too late to tell");
    revoke(&mut world, tablet, laptop).expect("the tablet manages");
    let is_told = |world: &World| {
        let log = world.control(tablet, &channel);
        log.roster().is_cut_off(&device(world, laptop))
    };
    assert!(!is_told(&world), "it does not know what there is");
    world.until("the channel to be told", is_told);
    world.until_agreed(&[PHONE, BEN, tablet], &channel);
    world.until("all to show all of it", |world| {
        let all = |number: &usize| world.shown(*number, &channel).len() == 400;
        [PHONE, BEN, tablet].iter().all(all)
    });
    world.until("the laptop to know", |world| is_revoked(world, laptop));
}

#[test]
fn who_may_revoke_what() {
    let (mut world, _, laptop) = world(60);
    let denied = |outcome: Result<Outcome, Refusal>| match outcome {
        Err(Refusal::Denied(why) | Refusal::NotFound(why)) => why,
        other => panic!("it is refused, but {other:?}"),
    };
    let by_laptop = revoke(&mut world, laptop, PHONE);
    assert!(denied(by_laptop).contains("may not manage"));
    let itself = revoke(&mut world, PHONE, PHONE);
    assert!(denied(itself).contains("another one"));
    let another = revoke(&mut world, PHONE, BEN);
    assert!(denied(another).contains("no such device"));
    revoke(&mut world, PHONE, laptop).expect("the phone manages");
    let again = revoke(&mut world, PHONE, laptop);
    assert!(matches!(again, Ok(Outcome::Done)));
}

#[test]
fn another_device_that_was_with_it_does_not_have_its_messages_shown() {
    for seed in 300..306 {
        let (mut world, channel, laptop) = world(seed);
        let tower = world.link_device(PHONE, true);
        world.until("the tower to have the channel", |world| {
            world.digest(tower, &channel).is_some()
        });
        world.until_agreed(&[PHONE, BEN, CEM, laptop, tower], &channel);
        // The phone and Ben hear of nobody else.
        for a in [PHONE, BEN] {
            for b in [CEM, laptop, tower] {
                world.link(a, b, false);
            }
        }
        revoke(&mut world, PHONE, laptop).expect("the phone manages");
        world.say(laptop, channel, "after");
        world.until("the tower to have it", |world| {
            world.shown(tower, &channel).contains(&"after".into())
        });
        let (a, b) = [(PHONE, tower), (BEN, CEM), (BEN, tower)][seed as usize % 3];
        world.link(a, b, true);
        world.pass(60_000);
        world.heal();
        let others = [PHONE, BEN, CEM, tower];
        world.until_agreed(&others, &channel);
        world.until("none to show it", |world| {
            others.iter().all(|number| {
                let mut shown = world.shown(*number, &channel);
                shown.sort_unstable();
                shown == ["before", "from Ben"]
            })
        });
        world.until("the laptop to know", |world| is_revoked(world, laptop));
    }
}

#[test]
fn two_that_revoke_each_other_are_both_out_and_all_agree() {
    for seed in 400..406 {
        let (mut world, channel, laptop) = world(seed);
        let tower = world.link_device(PHONE, true);
        world.until("all to know all", |world| {
            [PHONE, laptop, tower]
                .iter()
                .all(|number| devices(world, *number).len() == 3)
        });
        world.until_agreed(&[PHONE, BEN, CEM, laptop, tower], &channel);
        for other in [BEN, CEM, laptop, tower] {
            world.link(PHONE, other, false);
        }
        revoke(&mut world, PHONE, tower).expect("the phone manages");
        revoke(&mut world, tower, PHONE).expect("the tower manages");
        world.pass(30_000);
        let first = [BEN, tower, laptop][seed as usize % 3];
        world.link(PHONE, first, true);
        world.pass(30_000);
        world.heal();
        world.until("both to be out", |world| {
            is_revoked(world, PHONE) && is_revoked(world, tower)
        });
        assert!(!is_revoked(&world, laptop));
        world.until_agreed(&[BEN, CEM, laptop], &channel);
        let out = [PHONE, tower].map(|number| device(&world, number));
        for number in [BEN, CEM, laptop] {
            world.until("all to know that", |world| {
                let log = world.control(number, &channel);
                out.iter().all(|id| log.roster().is_cut_off(id))
            });
        }
        assert_eq!(devices(&world, laptop).len(), 1);
    }
}

/// Each word about the device is an op for good in every channel, so one is enough.
#[test]
fn one_device_tells_the_channels_where_it_can() {
    for seed in 60..66 {
        let mut world = World::new(2, seed);
        let laptop = world.link_device(PHONE, false);
        let siblings = [
            world.link_device(PHONE, true),
            world.link_device(PHONE, true),
        ];
        let channels: Vec<ChannelId> = (0..4)
            .map(|n| world.channel(&format!("channel {n}")))
            .collect();
        for channel in &channels {
            world.say(PHONE, *channel, "before");
            world.until_agreed(&[PHONE, BEN, laptop, siblings[0], siblings[1]], channel);
        }
        revoke(&mut world, PHONE, laptop).expect("the phone manages");
        world.pass(120_000);
        for channel in &channels {
            let control = world.control(BEN, channel);
            let cuts = control.iter().filter(|op| {
                let body = &op.op().body;
                matches!(body, Body::Devices { last_seen, .. } if last_seen.is_some())
            });
            assert_eq!(cuts.count(), 1, "seed {seed}");
        }
    }
}

#[test]
fn an_account_of_thirty_two_devices_has_room_once_one_is_revoked() {
    let mut world = World::new(1, 70);
    let last = (1..DEVICES_PER_ACCOUNT)
        .map(|_| world.link_device(PHONE, false))
        .last()
        .expect("31 of them");
    world.until("the phone to know all", |world| {
        devices(world, PHONE).len() == DEVICES_PER_ACCOUNT
    });
    let expires_at = world.clock(PHONE).plus(60_000);
    let link = Command::ShowLink {
        manages: false,
        expires_at,
    };
    let full = world.ask(PHONE, link.clone());
    assert!(matches!(full, Err(Refusal::Limit(_))), "{full:?}");
    revoke(&mut world, PHONE, last).expect("the phone manages");
    world.ask(PHONE, link).expect("there is room");
}
