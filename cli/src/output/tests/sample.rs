//! What the tests show: one of everything, with names to put what is hostile in.

use kith_api::channel::{
    ChannelDetail, ChannelFacts, ChannelKind, ChannelState, MemberInfo, MemberStatus, Notify,
    SyncState,
};
use kith_api::id::{AccountId, ChannelId, DeviceId, MessageId};
use kith_api::message::{DeletedBy, DeliveryState, Message, MessageKind, ReadBy};
use kith_api::policy::{PolicySetting, Setting};
use kith_api::reaction::{Reaction, Reactions};
use kith_api::retention::Retention;
use kith_api::right::Right;
use kith_api::role::Role;
use kith_api::status::{PeerStatus, Status};
use kith_api::{Id, Timestamp};
use kith_crdt::ids;

use crate::output::Show;
use crate::output::look::Look;
pub(super) fn at(clock: &str) -> Timestamp {
    format!("2026-11-20T{clock}.000Z").parse().unwrap()
}

pub(super) fn look() -> Look {
    Look::plain(at("12:00:00"))
}

pub(super) fn shown(what: &(impl Show + ?Sized)) -> String {
    let mut out = String::new();
    what.show(&look(), &mut out);
    out
}

pub(super) fn account(byte: u8) -> AccountId {
    Id(ids::AccountId([byte; 32]))
}

pub(super) fn device(byte: u8) -> DeviceId {
    Id(ids::DeviceId([byte; 32]))
}

pub(super) fn channel() -> ChannelId {
    Id(ids::ChannelId([9; 32]))
}

pub(super) fn id(byte: u8) -> MessageId {
    Id(ids::MessageId([byte; 10]))
}

pub(super) fn message(byte: u8, name: &str, text: &str) -> Message {
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

pub(super) fn busy_message() -> Message {
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

pub(super) fn deleted_by(name: &str) -> DeletedBy {
    DeletedBy {
        account: account(2),
        name: name.into(),
        at: at("09:07:00"),
    }
}

pub(super) fn facts(name: &str, topic: &str) -> ChannelFacts {
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
        muted_until: None,
        notify: Notify::All,
        archived: false,
        draft: false,
        quota: None,
        full: false,
    }
}

pub(super) fn detail(name: &str) -> ChannelDetail {
    ChannelDetail {
        facts: facts(name, "who brings what"),
        members: vec![MemberInfo {
            account: account(1),
            name: name.into(),
            own_name: Some(name.into()),
            verified: false,
            blocked: false,
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

pub(super) fn status(name: &str) -> Status {
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
        revoked_at: None,
        clock_ahead_ms: None,
        pending: 0,
        damaged: 0,
        began_anew: None,
        doubled_at: None,
        quotas: Vec::new(),
    }
}

pub(super) fn setting(name: &str) -> PolicySetting {
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
