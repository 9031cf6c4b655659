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
    assert_data_eq!(
        shown(&home) + "\n" + &shown(&fresh),
        str![[r#"
22.4 MB on this disk  22 MB in records, 390 KB in keys

CHANNEL   TOTAL   CONTENT  INDEX   RECEIPTS  MEMBERS  MESSAGES  OLDEST       QUOTA
#garden   9.6 MB   8.4 MB  1.1 MB    100 KB    12 KB     12000  3 Nov 12:30  84 % of 10 MB
#kitchen  3.2 MB     2 MB  1.1 MB    100 KB    12 KB      2857  3 Nov 12:30  133 % of 1.5 MB, full
#new␛     1.2 MB      0 B  1.1 MB    100 KB    12 KB         0  -            -

quota      10.4 MB of 50 MB, 20 % over all channels
besides    56 KB of events, peers and settings
to go      123.5 KB left of 300 messages whose time is over, destroyed with all that was written in their hour or day
destroyed  7.3 KB of records that nothing opens any more; they go by themselves

22.4 MB on this disk  22 MB in records, 390 KB in keys

no channels yet: make one with `kith channel create NAME`

besides  56 KB of events, peers and settings

"#]]
    );
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
        home_quota: Some(Quota::new(20_000_000, 9_000_000)),
        frees: vec![freed(1, 11_200), freed(7, 9_000), freed(30, 0)],
    };
    let short = ChannelStorageDetail {
        storage: channel("kitchen", 700, None),
        home_quota: None,
        frees: vec![freed(1, 0)],
    };
    assert_data_eq!(
        shown(&long) + "\n" + &shown(&short),
        str![[r#"
#garden  9.6 MB
content   8.4 MB  12000 messages, and what was said about them
index     1.1 MB  what finds and orders them
receipts  100 KB  who has read and who has received what
members    12 KB  who belongs, with which role, and all settings

kept    forever
oldest  written 2026-11-03 12:30:00
quota   8.4 MB of 8.4 MB, 100 %
of all  9 MB of 20 MB, 45 %
full    nothing more is written or taken from others, deletions among it, until there is room; nothing is lost by it

IF KEPT FOR  MESSAGES THAT GO  FREES ABOUT
1day                    11200       7.8 MB
7days                    9000       6.3 MB
30days                      0          0 B
`kith retention set garden 7days --existing` does it, for everybody in the channel and for good

#kitchen  1.2 MB
content    700 B  one message, and what was said about them
index     1.1 MB  what finds and orders them
receipts  100 KB  who has read and who has received what
members    12 KB  who belongs, with which role, and all settings

kept    forever
oldest  written 2026-11-03 12:30:00
quota   none

nothing is older than 1day: keeping messages for a shorter time would free nothing now

"#]]
    );
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
    assert_data_eq!(
        told,
        str![[r#"
QUOTA OF      USED  QUOTA  SHARE
all channels  8 MB   none  -
#garden       8 MB  10 MB  80 %
#kitchen      8 MB   1 MB  800 %
all channels  8 MB  64 MB  12 %

all channels  no quota, 8 MB of messages
#garden  8 MB of 10 MB, 80 %
#kitchen  8 MB of 1 MB, 800 %
full: nothing more is written or taken from others, deletions among it, until there is room; nothing is lost by it
all channels  8 MB of 64 MB, 12 %

#garden: the quota is running out, 8 MB of 10 MB, 80 %: `kith storage garden` shows what makes room
#kitchen: the quota is used up, 8 MB of 1 MB, 800 %: nothing more is written or taken from others, deletions among it, until there is room; nothing is lost by it. `kith storage kitchen` shows what makes room, `kith storage quota kitchen SIZE` gives more
"#]]
    );
}
