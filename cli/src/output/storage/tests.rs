//! How it is told what takes up space.

use kith_api::Timestamp;
use kith_api::id::Id;
use kith_api::retention::Retention;
use kith_api::storage::Freed;
use kith_crdt::ids;
use snapbox::{assert_data_eq, str};

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn shown<T: Show + ?Sized>(what: &T) -> String {
    let mut out = String::new();
    what.show(&Look::plain(at("2026-11-20T12:00:00.000Z")), &mut out);
    out
}

fn channel(name: &str, entries: u64, quota: Option<u64>) -> ChannelStorage {
    let quota = quota.map(|bytes| Quota::new(bytes, entries));
    ChannelStorage {
        channel: Id(ids::ChannelId([9; 32])),
        name: name.into(),
        total: entries + 1_212_000,
        entries,
        index: 1_100_000,
        receipts: 100_000,
        control: 12_000,
        messages: entries / 700,
        oldest: Some(at("2026-11-03T12:30:00.000Z")),
        retention: Retention::Forever,
        quota,
        full: quota.is_some_and(|quota| quota.level == QuotaLevel::Full),
        over: Extent::default(),
    }
}

#[test]
fn what_takes_up_space_in_a_home() {
    let over = Extent {
        messages: 300,
        bytes: 123_456,
    };
    let channels = vec![
        ChannelStorage {
            over,
            ..channel("garden", 8_400_000, Some(10_000_000))
        },
        channel("kitchen", 2_000_000, Some(1_500_000)),
        ChannelStorage {
            oldest: None,
            ..channel("new\u{1b}", 0, None)
        },
    ];
    let home = StorageInfo {
        files: 22_400_000,
        data: 22_000_000,
        keys: 390_000,
        node: 56_000,
        ended: 7_300,
        quota: Some(Quota::new(50_000_000, 10_400_000)),
        channels,
    };
    let fresh = StorageInfo {
        channels: Vec::new(),
        ended: 0,
        quota: None,
        ..home.clone()
    };
    assert_data_eq!(shown(&home) + "\n" + &shown(&fresh), str![[r#""#]]);
}

#[test]
fn what_a_channel_takes_up_and_what_would_free_some() {
    let freed = |days: u32, messages| Freed {
        retention: Retention::Hours(days * 24),
        messages,
        bytes: messages * 700,
    };
    let long = ChannelStorageDetail {
        storage: channel("garden", 8_400_000, Some(8_400_000)),
        frees: vec![freed(1, 11_200), freed(7, 9_000), freed(30, 0)],
    };
    let short = ChannelStorageDetail {
        storage: channel("kitchen", 700, None),
        frees: vec![freed(1, 0)],
    };
    assert_data_eq!(shown(&long) + "\n" + &shown(&short), str![[r#""#]]);
}

#[test]
fn a_quota_is_told_with_what_is_used_and_warns_from_four_fifths() {
    let of = |name: Option<&str>, quota: Option<u64>| QuotaInfo {
        channel: None,
        name: name.map(str::to_owned),
        used: 8_000_000,
        quota: quota.map(|bytes| Quota::new(bytes, 8_000_000)),
    };
    let all = [
        of(None, None),
        of(Some("garden"), Some(10_000_000)),
        of(Some("kitchen"), Some(1_000_000)),
        of(None, Some(64_000_000)),
    ];
    let one_by_one: String = all.iter().map(shown).collect();
    let warnings: Vec<String> = all.iter().filter_map(short_of_room).collect();
    let told = shown(&all[..]) + "\n" + &one_by_one + "\n" + &warnings.join("\n");
    assert_data_eq!(told, str![[r#""#]]);
}
