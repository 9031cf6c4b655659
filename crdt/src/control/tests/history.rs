//! What a removal hides of the removed account's messages.

use super::*;
use crate::ids::{LogId, Place, SegmentId, Writer};

const FIRST: EpochId = EpochId([1; 16]);
const SECOND: EpochId = EpochId([2; 16]);

fn place(who: &Person, seq: u32) -> Place {
    let log = LogId {
        segment: SegmentId {
            window: Window(24 * 100),
            index: 0,
        },
        writer: Writer {
            device: who.phone.device(),
            incarnation: 0,
        },
    };
    log.place(seq)
}

/// A channel from which Bob, of whom three messages had been seen, was removed.
fn bob_removed(body: impl Fn(LastSeen) -> Body) -> (ControlLog, VerifiedOp) {
    let mut log = founded();
    admit(&mut log, 1, Role::Member, bob());
    log.author(&alice().phone, epoch(&log, 1), NOW).unwrap();
    let seen = LastSeen::new([(place(bob(), 1).log, 3)]);
    let removed = log.author(&alice().phone, body(seen), NOW).unwrap();
    log.author(&alice().phone, epoch(&log, 2), NOW).unwrap();
    (log, removed)
}

fn removal(last_seen: LastSeen) -> Body {
    Body::Remove {
        account: bob().account(),
        last_seen,
    }
}

fn hidden(log: &ControlLog, seq: u32, epoch: EpochId) -> Option<OpId> {
    let roster = log.roster();
    roster.hidden_by(&bob().account(), &place(bob(), seq), &epoch)
}

#[test]
fn what_the_remover_had_stays_and_the_rest_is_hidden() {
    let ban = |last_seen| Body::Ban {
        account: bob().account(),
        last_seen,
        until: None,
    };
    for (log, removed) in [bob_removed(removal), bob_removed(ban)] {
        assert_eq!(hidden(&log, 3, FIRST), None);
        assert_eq!(hidden(&log, 4, FIRST), Some(removed.id()));
        assert_eq!(
            hidden(&log, 4, SECOND),
            Some(removed.id()),
            "keys that leaked"
        );
        let alices = place(alice(), 9);
        let roster = log.roster();
        assert_eq!(roster.hidden_by(&alice().account(), &alices, &FIRST), None);
    }
}

#[test]
fn what_was_written_after_coming_back_is_shown_and_what_was_written_outside_is_not() {
    let (mut log, removed) = bob_removed(removal);
    log.author(&alice().phone, add(bob(), Role::Member), NOW)
        .unwrap();
    assert_eq!(hidden(&log, 4, FIRST), Some(removed.id()));
    assert_eq!(hidden(&log, 5, SECOND), None);
    log.author(&bob().phone, Body::Leave, NOW).unwrap();
    assert_eq!(hidden(&log, 5, SECOND), None);
}

#[test]
fn a_log_that_the_remover_had_nothing_of_is_no_part_of_the_channel_until_its_writer_comes_back() {
    let (mut log, _) = bob_removed(removal);
    let seen = place(bob(), 1).log;
    let unseen = LogId {
        writer: Writer {
            incarnation: 7,
            ..seen.writer
        },
        ..seen
    };
    let counts = |log: &ControlLog, id: &LogId| log.roster().counts(id);
    assert!(counts(&log, &seen));
    assert!(!counts(&log, &unseen));
    assert!(counts(&log, &place(alice(), 1).log));
    log.author(&alice().phone, add(bob(), Role::Member), NOW)
        .unwrap();
    assert!(counts(&log, &unseen));
    log.author(&alice().phone, removal(LastSeen::new([(unseen, 1)])), NOW)
        .unwrap();
    assert!(!counts(&log, &seen));
    assert!(counts(&log, &unseen));
}

#[test]
fn a_second_removal_hides_anew() {
    let (mut log, _) = bob_removed(removal);
    log.author(&alice().phone, add(bob(), Role::Member), NOW)
        .unwrap();
    let seen = LastSeen::new([(place(bob(), 1).log, 6)]);
    let again = log.author(&alice().phone, removal(seen), NOW).unwrap();
    assert_eq!(hidden(&log, 6, SECOND), None);
    assert_eq!(hidden(&log, 7, SECOND), Some(again.id()));
}

#[test]
fn a_removal_that_is_void_hides_nothing() {
    let mut log = founded();
    admit(&mut log, 1, Role::Moderator, carol());
    admit(&mut log, 2, Role::Member, bob());
    let mut carols = log.clone();
    log.author(&alice().phone, role(bob(), Role::Admin), NOW)
        .unwrap();
    let none = LastSeen::new([]);
    carols.author(&carol().phone, removal(none), NOW).unwrap();
    assert!(hidden(&carols, 1, FIRST).is_some());
    meet(&mut log, &mut carols);
    assert_eq!(hidden(&carols, 1, FIRST), None);
}
