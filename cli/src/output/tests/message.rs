//! How messages look.

use kith_api::message::{
    Delivery, DeliveryState, Message, MessageDetail, Recipient, Sent, Version,
};
use snapbox::{assert_data_eq, str};

use super::sample::{account, at, busy_message, deleted_by, device, id, look, message, shown};
use crate::output::Show;
use crate::output::message::ByDevice;

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
        device_name: "phone".into(),
        state,
        at,
    };
    let recipient = |number, name: &str, state, at| Recipient {
        account: account(number),
        name: name.into(),
        state,
        at,
        devices: 1,
        holding: 1,
        own: false,
    };
    let detail = MessageDetail {
        message: message(1, "Ada", "hello"),
        recipients: vec![
            Recipient {
                devices: 2,
                ..recipient(2, "Ben", DeliveryState::Read, Some(at("09:06:00")))
            },
            Recipient {
                holding: 0,
                ..recipient(3, "Cem", DeliveryState::Pending, None)
            },
            Recipient {
                devices: 3,
                holding: 2,
                own: true,
                ..recipient(1, "Ada", DeliveryState::Delivered, Some(at("09:05:30")))
            },
        ],
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

MEMBER        STATE      SINCE
Ben           read       2026-11-20 09:06:00  on 1 of 2 devices
Cem           pending    -
Ada (author)  delivered  2026-11-20 09:05:30  on 2 of 3 other devices

"#]]
    );
    let by_device = shown(&ByDevice(&detail));
    let (_, devices) = by_device.rsplit_once("\n\n").unwrap();
    assert_data_eq!(
        devices,
        str![[r#"
MEMBER  DEVICE            STATE    SINCE
Ben     phone (aibaeaqc)  read     2026-11-20 09:06:00
Ben     phone (aibaeaqc)  pending  -

"#]]
    );
    assert_eq!(
        serde_json::to_value(ByDevice(&detail)).unwrap(),
        serde_json::to_value(&detail).unwrap(),
        "programs are told the same"
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
