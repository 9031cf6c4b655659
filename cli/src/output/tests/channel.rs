//! How channels look, with who is in them and how they stand, and the daemon.

use kith_api::Id;
use kith_api::channel::{ChannelDetail, ChannelFacts, ChannelState, ChannelSummary, SyncState};
use kith_api::invite::{InviteInfo, InviteStanding};
use kith_api::policy::{PolicyOutcome, PolicySetting, Setting};
use kith_api::retention::Retention;
use kith_api::role::Role;
use kith_api::status::Status;
use kith_crdt::ids;
use snapbox::{assert_data_eq, str};

use super::sample::{account, at, detail, facts, look, setting, shown, status};
#[test]
fn a_list_of_channels() {
    let list = [
        ChannelSummary {
            facts: facts("kitchen", "who brings what"),
            members: 3,
        },
        ChannelSummary {
            facts: ChannelFacts {
                unread_replies: 2,
                role: None,
                last_activity: None,
                state: ChannelState::Joining,
                ..facts("日本語", "")
            },
            members: 12,
        },
    ];
    assert_data_eq!(
        shown(&list[..]),
        str![[r#"
CHANNEL   ID        UNREAD  MESSAGES  KEPT     MEMBERS  ROLE     LAST   TOPIC
#kitchen  beeqscij       3      1204  forever        3  owner    09:05  who brings what
#日本語   beeqscij     3+2      1204  forever       12  joining  -

"#]]
    );
}

#[test]
fn a_channel_with_its_members() {
    assert_data_eq!(
        shown(&detail("kitchen")),
        str![[r#"
#kitchen  who brings what
id         beeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeq
role       owner
state      active
retention  forever
messages   1204, 3 unread
history    begins at 2026-11-20 08:00:00: what is older was written before you came
sync       up to date with one other device
digest     q7x2

MEMBER   ACCOUNT   ROLE   DEVICES  STATUS
kitchen  aeaqcaib  owner        2  active

"#]]
    );
}

#[test]
fn how_a_channel_stands_is_not_claimed_without_anybody_to_compare_with() {
    let alone = |as_of| SyncState {
        up_to_date: None,
        as_of,
        with: Vec::new(),
        missing: 0,
        refused: Vec::new(),
    };
    let told = |as_of| crate::output::channel::sync(&alone(as_of), &look());
    assert_eq!(
        told(None),
        "unknown: nobody to compare with since the daemon started"
    );
    assert_eq!(
        told(Some(at("11:00:00"))),
        "unknown: nobody to compare with now; up to date as of 2026-11-20 11:00:00"
    );
}

#[test]
fn damage_is_one_line_with_its_remedy() {
    let daemon = Status {
        damaged: 2,
        ..status("Ben")
    };
    let channel = ChannelDetail {
        damaged: 1,
        ..detail("kitchen")
    };
    let lines = shown(&daemon) + &shown(&channel);
    let lines: Vec<&str> = lines
        .lines()
        .filter(|line| line.contains("cannot be read"))
        .collect();
    assert_eq!(
        lines,
        [
            "damage      2 records on this disk cannot be read and are passed over: check the disk; `kith verify --mend` brings back what other members have",
            "damage     one record on this disk cannot be read and is passed over: check the disk; `kith verify --mend` brings back what other members have",
        ]
    );
}

#[test]
fn a_list_of_invites() {
    let invite = |byte: u8, left, state| InviteInfo {
        invite: Id(ids::InviteId([byte; 32])),
        role: Role::Member,
        uses: 2,
        left,
        expires_at: at("13:00:00"),
        account: account(1),
        name: "Ada".into(),
        state,
    };
    let list = [
        invite(1, 1, InviteStanding::Open),
        invite(2, 0, InviteStanding::UsedUp),
        invite(3, 1, InviteStanding::Suspended),
    ];
    assert_data_eq!(
        shown(&list[..]),
        str![[r#"
INVITE    ROLE    LEFT  EXPIRES              BY   STATE
aeaqcaib  member  1/2   2026-11-20 13:00:00  Ada  open
aibaeaqc  member  0/2   2026-11-20 13:00:00  Ada  used up
ambqgayd  member  1/2   2026-11-20 13:00:00  Ada  suspended

"#]]
    );
}

#[test]
fn what_was_set_and_what_follows_from_it() {
    let set = |setting, value: &str| PolicyOutcome {
        setting: PolicySetting {
            setting,
            value: value.into(),
            right: None,
            ..self::setting("Ada")
        },
        dry_run: false,
        existing: None,
        retention: None,
        gone_at_once: None,
    };
    let limits = PolicyOutcome {
        retention: Some(Retention::Hours(168)),
        ..set(Setting::RetentionLimits, "7days at most")
    };
    let existing = |value: &str| PolicyOutcome {
        existing: Some(true),
        ..set(Setting::Retention, value)
    };
    let outcomes = [
        set(Setting::RetentionLimits, "7days at most"),
        PolicyOutcome {
            dry_run: true,
            ..limits.clone()
        },
        limits,
        PolicyOutcome {
            existing: Some(false),
            ..set(Setting::Retention, "7days")
        },
        existing("7days"),
        existing("instant"),
        existing("forever"),
        PolicyOutcome {
            dry_run: true,
            gone_at_once: Some(2),
            ..existing("7days")
        },
    ];
    assert_data_eq!(
        outcomes.iter().map(shown).collect::<String>(),
        str![[r#"
messages may be kept for 7days at most
it would be so that messages may be kept for 7days at most, so from then on messages are kept for 7days
messages may be kept for 7days at most, so from now on messages are kept for 7days
messages are kept for 7days
messages are kept for 7days; that holds for what is there as well, unless it goes sooner
messages go once everybody has read them, after 30days at the latest; that holds for what is there as well, unless it goes sooner
messages are kept until somebody deletes them; what is there keeps the time it has
it would be so that messages are kept for 7days
2 messages would be gone at once, everywhere

"#]]
    );
}

#[test]
fn the_daemon() {
    assert_data_eq!(
        shown(&status("Ben")),
        str![[r#"
account     aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaq
device      aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaq
version     0.1.0
up for      1h 2m
channels    1
pending     0
peers       1
listens on  /ip4/192.0.2.1/tcp/4100

PEER  DEVICE    ADDRESS                  SINCE
Ben   aibaeaqc  /ip4/192.0.2.7/tcp/4100  08:00

"#]]
    );
}
