use proptest::prelude::*;

use super::*;
use crate::ids::TransportKey;

fn device(number: u8) -> DeviceId {
    DeviceId([number; 32])
}

/// A certificate of an account epoch and version that lists and revokes some of sixty-four devices,
/// by the bits of two masks; of the names there are three.
fn says((epoch, version, listed, revoked, named): (u32, u32, u64, u64, u8)) -> Certified {
    with_records((epoch, version, listed, revoked, named), named)
}

/// As [`says`], with records that are not those of the list's time.
fn with_records(
    (epoch, version, listed, revoked, named): (u32, u32, u64, u64, u8),
    recorded: u8,
) -> Certified {
    let of = |mask: u64| (0..64_u8).filter(move |bit| mask & (1 << bit) != 0);
    let devices: Vec<u8> = of(listed & !revoked).take(DEVICES_PER_ACCOUNT).collect();
    let record = |number: &u8| DeviceRecord {
        device: device(*number),
        account: AccountId([9; 32]),
        transport: TransportKey([recorded; 32]),
        name: format!("{number} of {recorded}"),
        incarnation: 0,
    };
    let list = DeviceList {
        account: AccountId([9; 32]),
        epoch,
        version,
        name: named.to_string(),
        devices: devices.iter().copied().map(device).collect(),
        revoked: of(revoked).map(device).collect(),
        managing: devices.first().copied().map(device).into_iter().collect(),
        maker: devices.last().copied().map(device),
    };
    // Lists that say the same have the same hash, whatever the records say.
    let mut hash = [named; 32];
    for device in &devices {
        hash[usize::from(device / 8)] ^= 1 << (device % 8);
    }
    hash[8..16].copy_from_slice(&revoked.to_be_bytes());
    let records = devices.iter().map(|n| (device(*n), record(n)));
    Certified::of(&list, hash, records.collect())
}

fn certified() -> impl Strategy<Value = Certified> {
    let few = (0..8_u64, 0..3_u64);
    let many = (
        any::<u64>(),
        any::<u64>().prop_map(|mask| mask & mask.rotate_left(7)),
    );
    let lists = prop_oneof![few, many];
    let list = (1..3_u32, 1..3_u32, lists, 0..2_u8);
    let list = list.prop_map(|(epoch, version, (listed, revoked), named)| {
        (epoch, version, listed, revoked, named)
    });
    (list, 0..3_u8).prop_map(|(list, recorded)| with_records(list, recorded))
}

fn numbers(certified: &Certified) -> Vec<u8> {
    certified.devices.keys().map(|id| id.0[0]).collect()
}

#[test]
fn lists_made_at_the_same_time_lose_nothing() {
    let known = says((1, 1, 0b011, 0, 0));
    let added = says((1, 2, 0b111, 0, 0));
    let revoked = says((1, 2, 0b001, 0b010, 0));
    let both = added.merge(&revoked);
    assert_eq!(numbers(&both), [0, 2]);
    let cut = known.cut_by(&revoked).unwrap();
    assert_eq!((cut.devices, cut.raises), ([device(1)].into(), false));
    assert_eq!(known.cut_by(&added), None);
    assert_eq!(both.cut_by(&revoked), None);
}

#[test]
fn what_a_list_leaves_out_without_revoking_it_stays() {
    let both = says((1, 1, 0b11, 0, 0)).merge(&says((1, 2, 0b01, 0, 0)));
    assert_eq!(numbers(&both), [0, 1]);
}

#[test]
fn a_new_account_epoch_cuts_off_whatever_it_does_not_list() {
    let known = says((1, 3, 0b0111, 0b1000, 0));
    let recovered = says((2, 1, 0b1_0001, 0, 0));
    let cut = known.cut_by(&recovered).unwrap();
    assert_eq!(cut.devices, [device(1), device(2)].into());
    assert!(cut.raises);
    assert_eq!(known.merge(&recovered), recovered);
    assert_eq!(recovered.cut_by(&known), None);
    assert!(!known.adds_to(&recovered) && recovered.adds_to(&known));
}

#[test]
fn a_device_goes_by_its_latest_list() {
    let both = says((1, 2, 0b01, 0, 2)).merge(&says((1, 1, 0b11, 0, 1)));
    assert_eq!(both.devices[&device(0)].name, "0 of 2");
    assert_eq!(both.devices[&device(1)].name, "1 of 1");
    assert_eq!((both.name.as_str(), both.version), ("2", 2));
}

#[test]
fn of_too_many_devices_those_of_the_latest_list_count() {
    let many = |version, numbers: std::ops::Range<u8>| {
        let record = |n: u8| DeviceRecord {
            device: device(n),
            account: AccountId([9; 32]),
            transport: TransportKey([n; 32]),
            name: String::new(),
            incarnation: 0,
        };
        let list = DeviceList {
            account: AccountId([9; 32]),
            epoch: 1,
            version,
            name: String::new(),
            devices: numbers.clone().map(device).collect(),
            revoked: if version == 3 {
                vec![device(0)]
            } else {
                vec![]
            },
            managing: Vec::new(),
            maker: None,
        };
        let records = numbers.map(|n| (device(n), record(n)));
        Certified::of(&list, [version as u8; 32], records.collect())
    };
    let both = many(1, 0..20).merge(&many(2, 20..40));
    let expected = (0..12).chain(20..40);
    assert_eq!(numbers(&both), expected.collect::<Vec<u8>>());
    // One of those left out comes in where one is revoked.
    let three = both.merge(&many(3, 1..2));
    let expected = (1..13).chain(20..40);
    assert_eq!(numbers(&three), expected.collect::<Vec<u8>>());
}

#[test]
fn an_account_that_floods_others_has_no_devices_until_its_phrase_begins_anew() {
    let revoking = |first: u32| {
        let ids = (first..first + 512).map(|number| {
            let mut id = [0; 32];
            id[..4].copy_from_slice(&number.to_be_bytes());
            DeviceId(id)
        });
        Certified {
            revoked: ids.collect(),
            ..says((1, 2, 0, 0, 0))
        }
    };
    let honest = says((1, 1, 0b11, 0, 0));
    let (one, other) = (revoking(1_000), revoking(2_000));
    assert!(!honest.merge(&one).flooded);
    let flooded = honest.merge(&one).merge(&other);
    assert!(flooded.flooded && flooded.devices.is_empty() && flooded.revoked.is_empty());
    assert_eq!(flooded, one.merge(&honest.merge(&other)));
    assert_eq!(flooded, one.merge(&other).merge(&honest));
    assert_eq!(flooded.merge(&honest), flooded);
    let cut = honest.merge(&one).cut_by(&other).unwrap();
    assert!(cut.devices.contains(&device(0)) && cut.devices.contains(&device(1)));
    let recovered = says((2, 1, 0b100, 0, 0));
    assert_eq!(flooded.merge(&recovered), recovered);
}

#[test]
fn what_a_new_account_epoch_has_revoked_already_is_cut_off_as_well() {
    let cut = says((1, 1, 0b1, 0, 0)).cut_by(&says((2, 3, 0b10, 0b100, 0)));
    assert_eq!(cut.unwrap().devices, [device(0), device(2)].into());
}

proptest! {
    #[test]
    fn merging_is_the_same_in_every_order(a in certified(), b in certified(), c in certified()) {
        prop_assert_eq!(a.merge(&b), b.merge(&a));
        prop_assert_eq!(a.merge(&b).merge(&c), a.merge(&b.merge(&c)));
        prop_assert_eq!(a.merge(&a), a);
    }

    #[test]
    fn what_is_cut_off_is_no_device_afterwards(a in certified(), b in certified(), c in certified()) {
        let known = a.merge(&b);
        let then = known.merge(&c);
        if let Some(cut) = known.cut_by(&c) {
            prop_assert!(cut.devices.iter().all(|id| !then.devices.contains_key(id)));
        }
        if c.epoch >= known.epoch {
            let cut = known.cut_by(&c).unwrap_or_default();
            let is_told = |id: &DeviceId| known.revoked.contains(id) || cut.devices.contains(id);
            prop_assert!(then.revoked.iter().all(is_told));
        }
        let is_gone = |id: &&DeviceId| {
            !then.devices.contains_key(*id) && !then.surplus.contains_key(*id)
        };
        let gone = known.devices.keys().filter(is_gone);
        let cut = known.cut_by(&c).unwrap_or_default();
        for id in gone {
            prop_assert!(cut.devices.contains(id), "{:?} went without being cut off", id);
        }
    }
}
