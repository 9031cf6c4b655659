//! Entries, the Automerge changes that carry them, and what the store keeps of them.

use kith_crdt::encoding::{decode, encode};
use kith_crdt::ids::{Actor, MessageId};
use kith_crdt::projection::{Claim, ClaimKind, SeenBy};
use kith_crdt::segment::{
    ANNOUNCEMENT, Branch, Entry, Message, SeenRange, Setting, Subject, read_change,
};
use kith_crdt::time::{Hlc, Millis};

use super::{CHANNEL, NOON, assert_recorded, log_id, recorded, writer};

pub(super) const RECORDS: &str = include_str!("segment.txt");
const TARGET: MessageId = MessageId([7; 10]);

fn entries() -> Vec<(&'static str, Entry)> {
    let full = Message {
        form: 0,
        thread: Some(TARGET),
        reply_to: Some(MessageId([8; 10])),
        expires_at: Some(Millis(1_800_000_000_000)),
    };
    let reaction = |on| Entry::Reaction {
        target: TARGET,
        emoji: "👍".into(),
        on,
    };
    let announcement = Message {
        form: ANNOUNCEMENT,
        ..Message::default()
    };
    let pin = |on| Entry::Pin { target: TARGET, on };
    let setting = |about, value| {
        Entry::Setting(Setting {
            about,
            replaces: vec![TARGET],
            value,
        })
    };
    vec![
        ("message", Entry::Message(Message::default())),
        ("message-with-everything", Entry::Message(full)),
        ("edit", Entry::Edit { target: TARGET }),
        ("deletion", Entry::Deletion { target: TARGET }),
        ("reaction", reaction(true)),
        ("reaction-taken-back", reaction(false)),
        (
            "seen",
            Entry::Seen(vec![SeenRange {
                log: log_id(),
                first: 1,
                last: 40,
            }]),
        ),
        ("announcement", Entry::Message(announcement)),
        ("pin", pin(true)),
        ("pin-taken-back", pin(false)),
        (
            "setting",
            setting(Subject::Mute(CHANNEL), 1_800_000_000_000),
        ),
        (
            "setting-draft-in-thread",
            setting(Subject::Draft(CHANNEL, Some(TARGET)), 0),
        ),
    ]
}

fn actor() -> Actor {
    writer().actor(&CHANNEL)
}

#[test]
fn entries_and_changes_are_as_recorded() {
    let mut branch = Branch::new(actor());
    let changes: Vec<_> = (0..64).map(|n| branch.write(&entries()[n % 7].1)).collect();
    let mut made: Vec<_> = entries()
        .iter()
        .map(|(name, entry)| (*name, entry.to_bytes()))
        .collect();
    made.extend([
        (
            "message-id",
            log_id().place(9).message_id(&CHANNEL).0.to_vec(),
        ),
        ("actor", actor().0.to_vec()),
        ("channel-tag", CHANNEL.tag().0.to_vec()),
        ("change-1", changes[0].clone()),
        ("change-2", changes[1].clone()),
        ("change-64", changes[63].clone()),
        ("claim-edit", encode(&claim(ClaimKind::Edit))),
        (
            "claim-reaction",
            encode(&claim(ClaimKind::Reaction {
                emoji: "👍".into(),
                on: true,
            })),
        ),
        ("claim-pin", encode(&claim(ClaimKind::Pin { on: true }))),
        ("change-of-a-pin", change_of_a_pin()),
        ("seen-by", encode(&seen_by())),
    ]);
    assert_recorded(RECORDS, &made);
}

/// A writer's first change, which pins a message.
fn change_of_a_pin() -> Vec<u8> {
    let pin = Entry::Pin {
        target: TARGET,
        on: true,
    };
    Branch::new(actor()).write(&pin)
}

fn claim(kind: ClaimKind) -> Claim {
    Claim {
        at: log_id().place(9),
        hlc: NOON,
        kind,
    }
}

fn seen_by() -> SeenBy {
    let mut seen = SeenBy::new();
    seen.merge(writer(), 1, 9, Hlc(NOON.0 + 1));
    seen.merge(writer(), 3, 4, NOON);
    seen
}

#[test]
fn recorded_entries_and_changes_are_read() {
    for (name, entry) in entries() {
        assert_eq!(
            Entry::parse(entry.kind(), &recorded(RECORDS, name)),
            Ok(entry)
        );
    }
    for seq in [1, 2, 64] {
        let change = recorded(RECORDS, &format!("change-{seq}"));
        let entry = entries()[(seq - 1) % 7].1.clone();
        assert_eq!(
            read_change(&change, &actor(), u32::try_from(seq).unwrap()),
            Ok(entry)
        );
    }
    let pin = read_change(&recorded(RECORDS, "change-of-a-pin"), &actor(), 1);
    assert_eq!(pin.map(|entry| entry.kind()), Ok('p'));
    assert_eq!(
        decode(&recorded(RECORDS, "claim-pin"), 512),
        Ok(claim(ClaimKind::Pin { on: true }))
    );
    assert_eq!(
        decode(&recorded(RECORDS, "claim-edit"), 512),
        Ok(claim(ClaimKind::Edit))
    );
    assert_eq!(decode(&recorded(RECORDS, "seen-by"), 512), Ok(seen_by()));
}
