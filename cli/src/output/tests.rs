//! How things look to people, line by line; and that nothing hostile looks like anything else.

use kith_api::channel::{
    ChannelDetail, ChannelFacts, ChannelKind, ChannelState, ChannelSummary, MemberInfo,
    MemberStatus, SyncState,
};
use kith_api::event::{Event, Happened};
use kith_api::evidence::{ErasingDevice, Holder, RetentionStatus};
use kith_api::id::{AccountId, ChannelId, DeviceId, MessageId};
use kith_api::invite::{InviteInfo, InviteStanding};
use kith_api::message::{
    DeletedBy, Delivery, DeliveryState, Message, MessageDetail, MessageKind, ReadBy, Sent, Version,
};
use kith_api::policy::{PolicyOutcome, PolicySetting, SetBy, Setting};
use kith_api::reaction::{Reaction, Reactions};
use kith_api::retention::{Retention, RetentionInfo};
use kith_api::right::Right;
use kith_api::role::Role;
use kith_api::status::{PeerStatus, Status};
use kith_api::{Id, Timestamp};
use kith_crdt::ids;
use proptest::prelude::*;
use snapbox::{assert_data_eq, str};

use super::Show;
use super::clean::is_dangerous;
use super::look::Look;

fn at(clock: &str) -> Timestamp {
    format!("2026-11-20T{clock}.000Z").parse().unwrap()
}

fn look() -> Look {
    Look::plain(at("12:00:00"))
}

fn shown(what: &(impl Show + ?Sized)) -> String {
    let mut out = String::new();
    what.show(&look(), &mut out);
    out
}

fn account(byte: u8) -> AccountId {
    Id(ids::AccountId([byte; 32]))
}

fn device(byte: u8) -> DeviceId {
    Id(ids::DeviceId([byte; 32]))
}

fn channel() -> ChannelId {
    Id(ids::ChannelId([9; 32]))
}

fn id(byte: u8) -> MessageId {
    Id(ids::MessageId([byte; 10]))
}

fn message(byte: u8, name: &str, text: &str) -> Message {
    Message {
        id: id(byte),
        channel: channel(),
        account: account(byte),
        name: name.into(),
        device: device(byte),
        at: at("09:05:00"),
        kind: MessageKind::Text,
        text: Some(text.into()),
        edited: false,
        deleted: false,
        deleted_by: None,
        hidden: None,
        pinned: false,
        pinned_by: None,
        reason: None,
        reply_to: None,
        thread: None,
        replies: 0,
        unread_replies: 0,
        reactions: Reactions::default(),
        state: DeliveryState::Delivered,
        read_by: Vec::new(),
        expires_at: None,
        instant: false,
        mentions: Vec::new(),
    }
}

fn busy_message() -> Message {
    let reaction = |count, mine| Reaction { count, mine };
    Message {
        edited: true,
        reply_to: Some(id(1)),
        replies: 2,
        unread_replies: 1,
        reactions: [
            ("👍".to_owned(), reaction(2, true)),
            ("🎉".to_owned(), reaction(1, false)),
        ]
        .into_iter()
        .collect(),
        state: DeliveryState::Pending,
        read_by: vec![ReadBy {
            account: account(1),
            at: at("09:06:00"),
        }],
        ..message(2, "Benedikt", "two\nlines")
    }
}

fn deleted_by(name: &str) -> DeletedBy {
    DeletedBy {
        account: account(2),
        name: name.into(),
        at: at("09:07:00"),
    }
}

fn facts(name: &str, topic: &str) -> ChannelFacts {
    ChannelFacts {
        channel: channel(),
        name: name.into(),
        topic: topic.into(),
        kind: ChannelKind::Group,
        role: Some(Role::Owner),
        added_by: None,
        retention: Retention::Forever,
        unread: 3,
        unread_replies: 0,
        messages: 1_204,
        last_activity: Some(at("09:05:00")),
        state: ChannelState::Active,
        quota: None,
        full: false,
    }
}

fn detail(name: &str) -> ChannelDetail {
    ChannelDetail {
        facts: facts(name, "who brings what"),
        members: vec![MemberInfo {
            account: account(1),
            name: name.into(),
            role: Role::Owner,
            status: MemberStatus::Active,
            until: None,
            devices: 2,
        }],
        history_begins: Some(at("08:00:00")),
        begun_before: Vec::new(),
        sync: SyncState {
            up_to_date: Some(true),
            as_of: Some(at("11:00:00")),
            with: vec![device(2)],
            missing: 0,
            refused: Vec::new(),
        },
        digest: "q7x2".into(),
        damaged: 0,
    }
}

fn status(name: &str) -> Status {
    Status {
        account: account(1),
        device: device(1),
        version: "0.1.0".into(),
        uptime_s: 3_720,
        addresses: vec![format!("/ip4/192.0.2.1/tcp/{}", 4_100)],
        peers: vec![PeerStatus {
            device: Some(device(2)),
            account: Some(account(2)),
            name: Some(name.into()),
            address: "/ip4/192.0.2.7/tcp/4100".into(),
            since: at("08:00:00"),
        }],
        channels: 1,
        declined: 0,
        clock_ahead_ms: None,
        pending: 0,
        damaged: 0,
        quotas: Vec::new(),
    }
}

#[test]
fn a_page_of_messages() {
    let gone = Message {
        text: None,
        deleted: true,
        deleted_by: Some(deleted_by("Benedikt")),
        reason: Some("off topic".into()),
        ..message(3, "Ada", "")
    };
    let page = [message(1, "Ada", "hello"), busy_message(), gone];
    assert_data_eq!(
        shown(&page[..]),
        str![[r#"
aeaqcaib  09:05  Ada       hello
aibaeaqc  09:05  Benedikt  two
                           lines
                           answers aeaqcaib · 2 in its thread, 1 unread · edited · 👍 2* · 🎉 1 · not on any other device yet · read by 1
ambqgayd  09:05  Ada       (deleted by Benedikt: off topic)

"#]]
    );
}

#[test]
fn one_message_with_where_it_has_arrived() {
    let delivery = |state, at| Delivery {
        account: account(2),
        name: "Ben".into(),
        device: device(2),
        state,
        at,
    };
    let detail = MessageDetail {
        message: message(1, "Ada", "hello"),
        delivery: vec![
            delivery(DeliveryState::Read, Some(at("09:06:00"))),
            delivery(DeliveryState::Pending, None),
        ],
        erased: None,
    };
    assert_data_eq!(
        shown(&detail),
        str![[r#"
aeaqcaib  09:05  Ada  hello

id       aeaqcaibaeaqcaib
channel  beeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeq
author   Ada
account  aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaq
device   aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaq
written  2026-11-20 09:05:00
state    delivered

MEMBER  DEVICE    STATE    SINCE
Ben     aibaeaqc  read     2026-11-20 09:06:00
Ben     aibaeaqc  pending  -

"#]]
    );
}

#[test]
fn a_message_that_goes_by_being_read_says_so() {
    let end = Some(at("10:05:00"));
    let message = Message {
        expires_at: end,
        instant: true,
        ..message(1, "Ada", "for your eyes")
    };
    let sent = Sent {
        id: id(1),
        state: DeliveryState::Pending,
        at: at("09:05:00"),
        expires_at: end,
        instant: true,
        quotas: Vec::new(),
    };
    assert_data_eq!(
        shown(&message) + &shown(&sent),
        str![[r#"
aeaqcaib  09:05  Ada  for your eyes
                      gone once all have read it, or by 10:05
aeaqcaib  pending  gone once all have read it, or by 10:05

"#]]
    );
}

#[test]
fn how_long_messages_are_kept() {
    let by = |byte, name: &str| {
        Some(SetBy {
            account: account(byte),
            name: name.into(),
            at: at("09:00:00"),
        })
    };
    let week = Retention::Hours(168);
    let open = RetentionInfo {
        channel: channel(),
        name: "kitchen".into(),
        retention: week,
        set: week,
        set_by: by(1, "Ada"),
        shortest: None,
        longest: None,
        limits_set_by: None,
    };
    let limited = RetentionInfo {
        set: Retention::Forever,
        longest: Some(week),
        limits_set_by: by(2, "Ben"),
        ..open.clone()
    };
    let unset = RetentionInfo {
        set_by: None,
        ..limited.clone()
    };
    assert_data_eq!(
        shown(&open) + &shown(&limited) + &shown(&unset),
        str![[r#"
#kitchen  messages are kept for 7days, as Ada set it on 2026-11-20 09:00:00
limits: any other time may be set
#kitchen  messages are kept for 7days, as the limits have it
set: forever, as Ada set it on 2026-11-20 09:00:00
limits: 7days or shorter may be set, as Ben set it on 2026-11-20 09:00:00
#kitchen  messages are kept for 7days, as the limits have it
set: forever, as nobody has set anything else
limits: 7days or shorter may be set, as Ben set it on 2026-11-20 09:00:00

"#]]
    );
}

#[test]
fn who_has_erased_what_is_over() {
    let there = |byte, name: &str, (erased, of), heard| ErasingDevice {
        device: Holder {
            account: account(byte),
            name: name.into(),
            device: device(byte),
            heard,
        },
        this: byte == 1,
        erased,
        of,
    };
    let status = RetentionStatus {
        channel: channel(),
        name: "kitchen".into(),
        retention: Retention::Hours(168),
        messages: 12,
        next_destroyed: Some(at("09:00:00")),
        devices: vec![
            there(1, "Ada", (12, 12), Some(at("09:05:00"))),
            there(2, "Ben", (3, 12), Some(at("09:04:00"))),
            there(3, "Cleo", (0, 7), None),
        ],
    };
    let nothing = RetentionStatus {
        messages: 0,
        next_destroyed: None,
        ..status.clone()
    };
    assert_data_eq!(
        shown(&status) + &shown(&nothing),
        str![[r#"
#kitchen  messages are kept for 7days
the next keys are destroyed on 2026-11-20 09:00:00
12 messages are over or deleted:

MEMBER  DEVICE    ERASED    LAST HEARD
Ada     aeaqcaib  12 of 12  this device
Ben     aibaeaqc  3 of 12   2026-11-20 09:04:00
Cleo    ambqgayd  0 of 7    never
#kitchen  messages are kept for 7days
no message is over or deleted that is not destroyed

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
sync       the same as on one other device
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
    let told = |as_of| super::channel::sync(&alone(as_of), &look());
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
fn whoever_follows_several_channels_sees_which() {
    let events = every_event("two\nlines");
    let located = super::event::Located {
        event: &events[0],
        channel: "#kitchen",
    };
    assert_data_eq!(
        shown(&located),
        str![[r#"
#kitchen  aeaqcaib  09:05  two␊lines  two
                                      lines

"#]]
    );
    assert_eq!(
        serde_json::to_value(&located).unwrap(),
        serde_json::to_value(&events[0]).unwrap()
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

#[test]
fn a_receipt_in_colour() {
    let sent = Sent {
        id: id(1),
        state: DeliveryState::Delivered,
        at: at("09:05:00"),
        expires_at: None,
        instant: false,
        quotas: Vec::new(),
    };
    let mut out = String::new();
    sent.show(&look().in_colour(), &mut out);
    assert_eq!(
        out,
        "\u{1b}[33maeaqcaib\u{1b}[0m  \u{1b}[32mdelivered\u{1b}[0m\n"
    );
}

#[test]
fn the_versions_of_a_message() {
    let version = |version, text: Option<&str>| Version {
        version,
        at: at("09:05:00"),
        account: account(1),
        name: "Ada".into(),
        text: text.map(str::to_owned),
        deleted_by: None,
        reason: None,
    };
    let versions = [version(1, None), version(2, Some("now"))];
    let gone = [Version {
        deleted_by: Some(deleted_by("Ben")),
        reason: Some("off topic".into()),
        ..version(1, None)
    }];
    assert_data_eq!(
        shown(&gone[..]),
        str![[r#"
1  2026-11-20 09:05:00  Ada
   (deleted)
2026-11-20 09:07:00  deleted by Ben: off topic

"#]]
    );
    assert_data_eq!(
        shown(&versions[..]),
        str![[r#"
1  2026-11-20 09:05:00  Ada
   (cannot be read here)
2  2026-11-20 09:05:00  Ada
   now

"#]]
    );
}

fn every_event(text: &str) -> Vec<Event> {
    let (account, name) = (account(2), text.to_owned());
    let message = Box::new(message(1, text, text));
    let channel = channel();
    let all = [
        Happened::Message {
            channel,
            message: message.clone(),
        },
        Happened::MessageEdited {
            channel,
            message: message.clone(),
        },
        Happened::MessageDeleted { channel, message },
        Happened::MessageExpired { channel, id: id(1) },
        Happened::Reaction {
            channel,
            id: id(1),
            account,
            name: name.clone(),
            emoji: text.to_owned(),
            added: true,
            at: at("09:05:00"),
        },
        Happened::Read {
            channel,
            account,
            name: name.clone(),
            ids: vec![id(1), id(2)],
            at: at("09:05:00"),
        },
        Happened::State {
            channel,
            id: id(1),
            state: DeliveryState::Read,
            at: at("09:05:00"),
        },
        Happened::Member {
            channel,
            account,
            name: name.clone(),
            role: Role::Member,
            status: MemberStatus::Left,
        },
        Happened::Policy {
            channel,
            name: name.clone(),
            topic: name.clone(),
            retention: Retention::Forever,
            setting: None,
        },
        Happened::Policy {
            channel,
            name: name.clone(),
            topic: name.clone(),
            retention: Retention::Forever,
            setting: Some(Box::new(setting(&name))),
        },
        Happened::Typing {
            channel,
            account,
            name: name.clone(),
        },
        Happened::Presence {
            account,
            name: name.clone(),
            device: device(2),
            online: false,
        },
        Happened::Peer {
            device: None,
            account: None,
            name: Some(name.clone()),
            address: name,
            connected: true,
        },
        Happened::Sync {
            channel,
            sync: SyncState {
                up_to_date: Some(false),
                as_of: None,
                with: Vec::new(),
                missing: 7,
                refused: Vec::new(),
            },
        },
    ];
    all.into_iter()
        .map(|what| Event { cursor: None, what })
        .collect()
}

#[test]
fn every_event_is_a_line() {
    let lines: String = every_event("Ben").iter().map(shown).collect();
    assert_data_eq!(
        lines,
        str![[r#"
aeaqcaib  09:05  Ben  Ben
· Ben changed aeaqcaib: Ben
· aeaqcaib by Ben was deleted
· aeaqcaib has expired
· Ben gave Ben on aeaqcaib
· Ben has read aeaqcaib aibaeaqc
· aeaqcaib is read
· Ben is member, left
· #Ben: topic “Ben”, messages are kept forever
· #Ben: write takes the role moderator or above, set by Ben
· Ben is typing
· Ben is offline
· connected to Ben at Ben
· beeqscij: 7 entries are missing

"#]]
    );
}

proptest! {
    #[test]
    fn nothing_that_others_wrote_reaches_the_terminal_raw(text in "[\u{0}-\u{a0}\u{2020}-\u{2070}a-z]{0,12}") {
        let mut out: String = every_event(&text).iter().map(shown).collect();
        out += &shown(&detail(&text));
        out += &shown(&status(&text));
        out += &shown(&[ChannelSummary { facts: facts(&text, &text), members: 1 }][..]);
        let reactions = [(text.clone(), Reaction { count: 1, mine: false })];
        let reactions = reactions.into_iter().collect();
        out += &shown(&Message { reactions, ..message(1, &text, &text) });
        let gone = Message {
            text: None,
            deleted: true,
            deleted_by: Some(deleted_by(&text)),
            reason: Some(text.clone()),
            ..message(1, &text, "")
        };
        let event = Happened::MessageDeleted { channel: channel(), message: Box::new(gone.clone()) };
        out += &shown(&gone);
        out += &shown(&super::event::Located {
            event: &Event { cursor: None, what: event },
            channel: &text,
        });
        prop_assert!(!out.replace('\n', "").contains(is_dangerous), "{out:?}");
    }
}

fn setting(name: &str) -> PolicySetting {
    PolicySetting {
        setting: Setting::Right,
        right: Some(Right::Write),
        value: "moderator".into(),
        default: Some("member".into()),
        account: Some(account(1)),
        name: Some(name.into()),
        at: Some(at("09:00:00")),
    }
}
