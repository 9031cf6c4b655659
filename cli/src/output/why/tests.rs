//! How explanations look, and that nothing hostile looks like anything else.

use kith_api::Id;
use kith_api::audit::{AuditEntry, AuditPage, Erasure, ErasureCause, ErasureDeed};
use kith_api::message::DeliveryState;
use kith_api::retention::Retention;
use kith_api::why::{EpochInfo, Person};
use kith_crdt::ids;
use kith_crdt::law::Law;
use proptest::prelude::*;
use snapbox::{assert_data_eq, str};

use super::*;
use crate::output::clean::is_dangerous;
use kith_api::Timestamp;

fn at(clock: &str) -> Timestamp {
    format!("2026-11-20T{clock}.000Z").parse().unwrap()
}

fn shown(what: &(impl Show + ?Sized)) -> String {
    let mut out = String::new();
    what.show(&Look::plain(at("12:00:00")), &mut out);
    out
}

fn op(byte: u8) -> OpId {
    Id(ids::OpId([byte; 32]))
}

fn person(byte: u8, name: &str) -> Person {
    Person {
        account: Id(ids::AccountId([byte; 32])),
        name: name.into(),
    }
}

fn rule(law: Law) -> RuleInfo {
    RuleInfo {
        number: law.number().into(),
        name: law.name().into(),
        text: law.text().into(),
    }
}

fn step(byte: u8, by: &str, deed: Deed) -> Step {
    Step {
        op: Some(op(byte)),
        deletion: None,
        message: None,
        at: at("09:05:00"),
        account: Id(ids::AccountId([1; 32])),
        name: by.into(),
        role: Some(Role::Owner),
        deed,
        subject: Some(person(2, "Ben")),
        given: Some(Role::Moderator),
        until: None,
        field: Some("topic".into()),
        value: Some("beans".into()),
        invite: None,
        verdict: Verdict::Stands,
        rule: Some(rule(Law::Standing)),
        reason: None,
        because: None,
    }
}

fn void(step: Step, by: u8) -> Step {
    Step {
        verdict: Verdict::Void,
        rule: Some(rule(Law::Authority)),
        reason: Some("somebody standing higher settled the same thing at the same time".into()),
        because: Some(op(by)),
        ..step
    }
}

fn member(name: &str, status: Option<MemberStatus>) -> WhyMember {
    WhyMember {
        channel: Id(ids::ChannelId([9; 32])),
        channel_name: "garden".into(),
        account: Id(ids::AccountId([2; 32])),
        name: name.into(),
        role: Some(Role::Member),
        status,
        until: None,
        decided_by: Some(op(2)),
        steps: Vec::new(),
        cut: false,
    }
}

#[test]
fn a_member_is_explained_step_by_step() {
    let join = Step {
        role: None,
        subject: None,
        invite: Some(op(9)),
        rule: Some(rule(Law::Invites)),
        ..step(1, "Ben", Deed::Join)
    };
    let why = WhyMember {
        steps: vec![
            join,
            step(2, "Ana", Deed::Remove),
            void(step(3, "Cleo", Deed::SetRole), 2),
        ],
        ..member("Ben", Some(MemberStatus::Removed))
    };
    assert_data_eq!(
        shown(&why),
        str![[r#"
Ben was removed from #garden, and may come back.

aeaqcaib  2026-11-20 09:05:00  “Ben” joined as moderator by the invite of op beeqscij
    stands
    A8 invites: an invite lets in with its role and as often as it says, until it expires, is revoked, or whoever made it may no longer invite

aibaeaqc  2026-11-20 09:05:00  “Ana” (owner) removed “Ben”
    stands, and decides
    A4 standing: to remove, ban, mute or give a role to somebody takes standing above them: by role, and within a role by who was granted it earlier

ambqgayd  2026-11-20 09:05:00  “Cleo” (owner) tried to make “Ben” moderator
    void: somebody standing higher settled the same thing at the same time (op aibaeaqc)
    S1 authority: of what is done about the same thing at the same time, that by whoever stands higher counts, and of one author's the later

"#]]
    );
}

#[test]
fn every_standing_has_its_sentence() {
    let until = Some(at("10:00:00"));
    let each = [
        member("Ben", None),
        member("Ben", Some(MemberStatus::Active)),
        WhyMember {
            until,
            ..member("Ben", Some(MemberStatus::Muted))
        },
        member("Ben", Some(MemberStatus::Left)),
        WhyMember {
            until,
            cut: true,
            ..member("Ben", Some(MemberStatus::Banned))
        },
        member("Ben", Some(MemberStatus::Banned)),
    ];
    let lines: String = each.iter().map(shown).collect();
    assert_data_eq!(
        lines,
        str![[r#"
Ben never had to do with #garden.
Ben is member in #garden.
Ben is member in #garden, and muted until 2026-11-20 10:00:00.
Ben is not in #garden any more.
Ben is banned from #garden until 2026-11-20 10:00:00.
What is older than this is left out.
Ben is banned from #garden for good.

"#]]
    );
}

fn every_deed(name: &str) -> Vec<Step> {
    let deeds = [
        Deed::Found,
        Deed::Certify,
        Deed::Invite,
        Deed::RevokeInvite,
        Deed::Join,
        Deed::Add,
        Deed::SetRole,
        Deed::Leave,
        Deed::Remove,
        Deed::Ban,
        Deed::Unban,
        Deed::Mute,
        Deed::SetPolicy,
        Deed::Rekey,
        Deed::DeleteMessage,
        Deed::Unknown,
    ];
    deeds
        .into_iter()
        .zip(1..)
        .map(|(deed, number)| Step {
            subject: Some(person(2, name)),
            value: Some(name.into()),
            field: Some(name.into()),
            message: Some(Id(ids::MessageId([7; 10]))),
            until: (deed == Deed::Mute).then(|| at("11:00:00")),
            ..step(number, name, deed)
        })
        .collect()
}

fn entry(step: Step) -> AuditEntry {
    AuditEntry::Step(Box::new(step))
}

fn every_erasure() -> [AuditEntry; 4] {
    let erasure = |cause, retention, (messages, windows), since| {
        AuditEntry::Erasure(Erasure {
            deed: ErasureDeed::Erasure,
            at: at("09:06:00"),
            since: at(since),
            cause,
            retention,
            messages,
            windows,
        })
    };
    let kept = ErasureCause::Retention;
    [
        erasure(kept, Some(Retention::Hours(168)), (34, 2), "08:00:00"),
        erasure(kept, Some(Retention::Instant), (0, 1), "09:06:00"),
        erasure(ErasureCause::Expiry, None, (1, 0), "09:06:00"),
        erasure(ErasureCause::Deletion, None, (2, 0), "09:06:00"),
    ]
}

#[test]
fn every_deed_is_a_line_of_the_audit_done_or_tried() {
    let mut steps = every_deed("Ben");
    steps.push(Step {
        until: Some(at("09:05:00")),
        ..step(40, "Ana", Deed::Mute)
    });
    steps.push(void(step(41, "", Deed::Ban), 2));
    steps.push(Step {
        verdict: Verdict::Forged,
        reason: Some("its signature does not hold".into()),
        ..step(42, "Ana", Deed::Unknown)
    });
    let mut entries: Vec<AuditEntry> = steps.into_iter().map(entry).collect();
    entries.extend(every_erasure());
    let page = AuditPage {
        entries,
        more: true,
        checked: 19,
        failed: 1,
    };
    assert_data_eq!(
        shown(&page),
        str![[r#"
aeaqcaib  2026-11-20 09:05:00  “Ben” (owner) founded the channel
aibaeaqc  2026-11-20 09:05:00  “Ben” (owner) changed their name or devices
ambqgayd  2026-11-20 09:05:00  “Ben” (owner) opened an invite as moderator
aqcaibae  2026-11-20 09:05:00  “Ben” (owner) revoked an invite
aucqkbif  2026-11-20 09:05:00  “Ben” (owner) joined as moderator
aydambqg  2026-11-20 09:05:00  “Ben” (owner) added “Ben” as moderator
a4dqobyh  2026-11-20 09:05:00  “Ben” (owner) made “Ben” moderator
baeaqcai  2026-11-20 09:05:00  “Ben” (owner) left
beeqscij  2026-11-20 09:05:00  “Ben” (owner) removed “Ben”
bifaucqk  2026-11-20 09:05:00  “Ben” (owner) banned “Ben” for good
bmfqwcyl  2026-11-20 09:05:00  “Ben” (owner) ended the ban of “Ben”
bqgaydam  2026-11-20 09:05:00  “Ben” (owner) muted “Ben” until 2026-11-20 11:00:00
bugq2din  2026-11-20 09:05:00  “Ben” (owner) set the Ben to “Ben”
byha4dqo  2026-11-20 09:05:00  “Ben” (owner) changed the keys
b4hq6dyp  2026-11-20 09:05:00  “Ben” (owner) deleted message a4dqobyh of “Ben”: Ben
caibaeaq  2026-11-20 09:05:00  “Ben” (owner) did something that this version of kith does not know
faucqkbi  2026-11-20 09:05:00  “Ana” (owner) ended the mute of “Ben”
feusskjj  2026-11-20 09:05:00  aeaqcaib (owner) tried to ban “Ben” for good  void by S1 authority: somebody standing higher settled the same thing at the same time
fivcukrk  2026-11-20 09:05:00  “Ana” (owner) tried to do something that this version of kith does not know  forged by A4 standing: its signature does not hold
          2026-11-20 09:06:00  this device erased 34 messages and the keys of 2 windows, kept for 7days, since 2026-11-20 08:00:00
          2026-11-20 09:06:00  this device erased the keys of 1 window, kept until all had read
          2026-11-20 09:06:00  this device erased 1 message sent to expire
          2026-11-20 09:06:00  this device erased 2 deleted messages
there is more before: `--before aeaqcaib`
19 signatures checked: 1 do not hold

"#]]
    );
    let whole = AuditPage {
        entries: Vec::new(),
        more: false,
        checked: 4,
        failed: 0,
    };
    assert_data_eq!(
        shown(&whole),
        str![
            "4 signatures checked: all hold

"
        ]
    );
}

fn message(name: &str) -> WhyMessage {
    WhyMessage {
        id: Id(ids::MessageId([7; 10])),
        channel: Id(ids::ChannelId([9; 32])),
        channel_name: name.into(),
        account: Some(Id(ids::AccountId([2; 32]))),
        name: name.into(),
        role: Some(Role::Member),
        device: Id(ids::DeviceId([3; 32])),
        at: Some(at("09:00:00")),
        epoch: Some(EpochInfo {
            epoch: Id(ids::EpochId([4; 16])),
            op: Some(op(5)),
            by: Some(person(1, name)),
            stands: Some(false),
        }),
        signature_holds: Some(true),
        showing: Showing::Hidden,
        rule: rule(Law::Removal),
        reason: Some(name.into()),
        steps: vec![step(2, name, Deed::Remove)],
        changes: vec![
            MessageChange {
                change: ChangeKind::Edit,
                at: at("09:01:00"),
                account: Some(Id(ids::AccountId([2; 32]))),
                name: name.into(),
                role: Some(Role::Member),
                note: None,
                counts: true,
                rule: rule(Law::Edits),
                reason: None,
                because: None,
            },
            MessageChange {
                change: ChangeKind::Deletion,
                at: at("09:02:00"),
                account: None,
                name: String::new(),
                role: None,
                note: Some(name.into()),
                counts: false,
                rule: rule(Law::Deletions),
                reason: Some(name.into()),
                because: Some(op(8)),
            },
        ],
        state: Some(DeliveryState::Delivered),
    }
}

#[test]
fn a_message_is_explained_with_what_was_done_to_it() {
    assert_data_eq!(
        shown(&message("Ben")),
        str![[r#"
Message a4dqobyh in #Ben is hidden.
    Ben
    M3 removals: a removal hides what the remover did not have of somebody's messages, until they are let in again; revoking a device does the same for good

author     “Ben” (member) at the time
device     ambqgaydambqgaydambqgaydambqgaydambqgaydambqgaydambq
written    2026-11-20 09:00:00
signature  checked, and holds
keys       aqcaibae, named by “Ben” in op aucqkbif, which does not count
state      delivered

aibaeaqc  2026-11-20 09:05:00  “Ben” (owner) removed “Ben”
    stands
    A4 standing: to remove, ban, mute or give a role to somebody takes standing above them: by role, and within a role by who was granted it earlier

2026-11-20 09:01:00  “Ben” (member) edited it
    stands
    M4 edits: a message is edited by its author alone

2026-11-20 09:02:00  somebody unknown tried to delete it: Ben
    void: Ben (op baeaqcai)
    M5 deletions: a message is deleted by its author, or by somebody with the right to delete others'

"#]]
    );
}

#[test]
fn an_op_is_explained_down_to_what_stands() {
    let why = WhyOp {
        channel: Id(ids::ChannelId([9; 32])),
        channel_name: "garden".into(),
        op: op(3),
        verdict: Verdict::Void,
        steps: vec![
            void(step(3, "Cleo", Deed::SetRole), 2),
            step(2, "Ana", Deed::Remove),
        ],
    };
    assert_data_eq!(
        shown(&why),
        str![[r#"
Op ambqgayd in #garden does not count.

ambqgayd  2026-11-20 09:05:00  “Cleo” (owner) tried to make “Ben” moderator
    void: somebody standing higher settled the same thing at the same time (op aibaeaqc)
    S1 authority: of what is done about the same thing at the same time, that by whoever stands higher counts, and of one author's the later

aibaeaqc  2026-11-20 09:05:00  “Ana” (owner) removed “Ben”
    stands
    A4 standing: to remove, ban, mute or give a role to somebody takes standing above them: by role, and within a role by who was granted it earlier

"#]]
    );
}

#[test]
fn a_name_cannot_pass_for_a_part_of_the_sentence() {
    let ana = "Ana” (owner) removed “Ben";
    assert_eq!(who(None, ana, None), "“Ana\" (owner) removed \"Ben”");
    let removed = step(1, ana, Deed::Remove);
    assert!(shown(&[entry(removed)][..]).contains("Ben” (owner) removed “Ben”"));
}

proptest! {
    #[test]
    fn no_name_or_text_of_others_reaches_the_terminal_raw(text in "[\u{0}-\u{a0}\u{2020}-\u{2070}a-z]{0,12}") {
        let mut steps = every_deed(&text);
        steps.push(Step { reason: Some(text.clone()), ..void(step(1, &text, Deed::Ban), 2) });
        let mut out = shown(&steps.iter().cloned().map(entry).collect::<Vec<_>>()[..]);
        out += &shown(&WhyMember {
            channel_name: text.clone(),
            steps,
            ..member(&text, Some(MemberStatus::Active))
        });
        out += &shown(&message(&text));
        prop_assert!(!out.replace('\n', "").contains(is_dangerous), "{out:?}");
    }
}
