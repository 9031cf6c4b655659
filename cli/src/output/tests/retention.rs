//! How it looks how long messages are kept, and where they are gone.

use kith_api::evidence::{ErasingDevice, Holder, RetentionStatus};
use kith_api::policy::SetBy;
use kith_api::retention::{Retention, RetentionInfo};
use snapbox::{assert_data_eq, str};

use super::sample::{account, at, channel, device, shown};
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
    let fixed = RetentionInfo {
        shortest: Some(week),
        ..limited.clone()
    };
    assert_data_eq!(
        shown(&open) + &shown(&limited) + &shown(&unset) + &shown(&fixed),
        str![[r#"
#kitchen  messages are kept for 7days, as Ada set it on 2026-11-20 09:00:00
limits: any other time may be set
#kitchen  messages are kept for 7days, as the limits have it
set: forever, as Ada set it on 2026-11-20 09:00:00
limits: 7days or shorter may be set, as Ben set it on 2026-11-20 09:00:00
#kitchen  messages are kept for 7days, as the limits have it
set: forever, as nobody has set anything else
limits: 7days or shorter may be set, as Ben set it on 2026-11-20 09:00:00
#kitchen  messages are kept for 7days, as the limits have it
set: forever, as Ada set it on 2026-11-20 09:00:00
limits: only 7days may be set, as Ben set it on 2026-11-20 09:00:00

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
