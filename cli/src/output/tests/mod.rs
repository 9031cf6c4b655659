//! How things look to people, line by line; and that nothing hostile looks like anything else.

mod channel;
mod message;
mod retention;
mod sample;

use kith_api::channel::{ChannelSummary, MemberStatus, SyncState};
use kith_api::contact::Contact;
use kith_api::draft::{Draft, OtherDraft};
use kith_api::event::{Event, Happened, OwnSetting};
use kith_api::message::{DeliveryState, Message};
use kith_api::reaction::Reaction;
use kith_api::retention::Retention;
use kith_api::role::Role;
use proptest::prelude::*;
use snapbox::{assert_data_eq, str};

use self::sample::{
    account, at, channel, deleted_by, detail, device, facts, id, message, setting, shown, status,
};
use super::clean::is_dangerous;
fn every_event(text: &str) -> Vec<Event> {
    let (account, name) = (account(2), text.to_owned());
    let message = Box::new(message(1, text, text));
    let channel = channel();
    let all = [
        Happened::Message {
            channel,
            message: message.clone(),
            notify: true,
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
        Happened::Setting {
            setting: OwnSetting::Name,
            account: Some(account),
            channel: None,
            at: at("09:00:00"),
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
· you have set something for yourself: name
· #Ben: topic “Ben”, messages are kept forever
· #Ben: write takes the role moderator or above, set by Ben
· Ben is typing
· Ben is offline
· connected to Ben at Ben
· beeqscij: 7 entries are missing

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

fn contact(name: &str) -> Contact {
    Contact {
        account: account(2),
        name: name.into(),
        own_name: format!("{name} "),
        safety_number: "12345 67890".into(),
        verified: true,
        blocked: true,
        channels: vec![name.into()],
    }
}

fn draft(text: &str) -> Draft {
    Draft {
        id: id(1),
        channel: channel(),
        name: text.into(),
        thread: Some(id(2)),
        at: at("09:00:00"),
        text: text.into(),
        others: vec![OtherDraft {
            at: at("08:00:00"),
            text: text.into(),
        }],
    }
}

proptest! {
    #[test]
    fn nothing_that_others_wrote_reaches_the_terminal_raw(text in "[\u{0}-\u{a0}\u{2020}-\u{2070}a-z]{0,12}") {
        let mut out: String = every_event(&text).iter().map(shown).collect();
        out += &shown(&detail(&text));
        out += &shown(&status(&text));
        out += &shown(&[ChannelSummary { facts: facts(&text, &text), members: 1 }][..]);
        out += &shown(&contact(&text));
        out += &shown(&draft(&text));
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
