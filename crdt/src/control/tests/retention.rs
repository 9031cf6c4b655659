//! What messages live for: who says so, and what of it holds for what was written before.

use super::*;
use crate::ids::{Place, SegmentId};
use crate::projection::{End, Fate, Written, fate};
use crate::retention::{Life, Retention, RetentionLimits};
use crate::time::{HOUR_MS, Hlc};

const WEEK: Retention = Retention::Hours(168);
const DAY: Retention = Retention::Hours(24);

fn keep(retention: Retention) -> Body {
    Body::Policy(Policy::Retention {
        retention,
        existing: false,
    })
}

fn shorten(retention: Retention) -> Body {
    Body::Policy(Policy::Retention {
        retention,
        existing: true,
    })
}

fn limits(shortest: Option<u32>, longest: Option<u32>) -> Body {
    Body::Policy(Policy::RetentionLimits(RetentionLimits {
        shortest,
        longest,
    }))
}

/// An epoch of the term that the channel has now.
fn renewed(log: &mut ControlLog, by: &Person, number: u8) -> VerifiedOp {
    let body = epoch_for(log, number, log.roster().retention());
    log.author(&by.phone, body, NOW).unwrap()
}

fn epoch_for(log: &ControlLog, number: u8, retention: Retention) -> Body {
    let Body::Epoch(epoch) = epoch(log, number) else {
        unreachable!("an epoch is an epoch")
    };
    Body::Epoch(EpochOp {
        term: retention.term(),
        ..epoch
    })
}

fn usable(log: &ControlLog) -> Option<u8> {
    log.roster().usable_epoch().map(|epoch| epoch.0[0])
}

fn life(log: &ControlLog, number: u8) -> Life {
    log.roster().epochs[&EpochId([number; 16])].life
}

fn with_bob() -> ControlLog {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    log
}

#[test]
fn a_new_policy_is_for_what_is_written_after_it() {
    let mut log = with_bob();
    renewed(&mut log, alice(), 1);
    log.author(&bob().phone, keep(WEEK), NOW).unwrap();
    assert_eq!(usable(&log), None, "writing takes an epoch that knows it");
    renewed(&mut log, alice(), 2);
    assert_eq!(usable(&log), Some(2));
    assert_eq!(life(&log, 1), Life::from(Retention::Forever));
    assert_eq!(life(&log, 2), Life::from(WEEK));
}

#[test]
fn what_is_said_about_older_messages_is_sealed_as_long_as_they_are_kept() {
    let mut log = with_bob();
    renewed(&mut log, alice(), 1);
    log.author(&alice().phone, keep(WEEK), NOW).unwrap();
    let of_term = |log: &ControlLog, retention: Retention| {
        let mut usable = log.roster().usable_epochs(retention.term());
        usable.next().map(|(id, _)| id.0[0])
    };
    assert_eq!(of_term(&log, Retention::Forever), Some(1));
    assert_eq!(of_term(&log, WEEK), None);
    log.author(&bob().phone, Body::Leave, NOW).unwrap();
    assert_eq!(of_term(&log, Retention::Forever), None, "Bob has its keys");
    let body = epoch_for(&log, 2, Retention::Forever);
    log.author(&alice().phone, body, NOW).unwrap();
    assert_eq!(of_term(&log, Retention::Forever), Some(2));
    assert_eq!(life(&log, 2), Life::from(WEEK), "no way around the policy");
}

#[test]
fn a_policy_for_what_is_there_shortens_it_and_never_lengthens_it() {
    let mut log = with_bob();
    renewed(&mut log, alice(), 1);
    log.author(&alice().phone, shorten(WEEK), NOW).unwrap();
    renewed(&mut log, alice(), 2);
    log.author(&alice().phone, shorten(Retention::Forever), NOW)
        .unwrap();
    assert_eq!((life(&log, 1), life(&log, 2)), (WEEK.into(), WEEK.into()));
    log.author(&alice().phone, shorten(DAY), NOW).unwrap();
    assert_eq!((life(&log, 1), life(&log, 2)), (DAY.into(), DAY.into()));
}

#[test]
fn a_segment_ends_with_the_last_that_may_be_in_it() {
    let mut log = with_bob();
    renewed(&mut log, alice(), 1);
    let segment = |term: Retention| SegmentId::new(Window(24 * 100), term.term(), 0);
    let ends = |log: &ControlLog, term| log.roster().segment_ends_at(&segment(term));
    let days = |days: u64| Some(Millis((101 + days) * 24 * HOUR_MS));
    assert_eq!(
        (ends(&log, Retention::Forever), ends(&log, WEEK)),
        (None, days(7))
    );
    log.author(&alice().phone, keep(WEEK), NOW).unwrap();
    assert_eq!(ends(&log, Retention::Forever), None, "for what comes");
    log.author(&alice().phone, shorten(DAY), NOW).unwrap();
    assert_eq!(
        ends(&log, Retention::Forever),
        days(1),
        "and for what is there"
    );
    let body = epoch_for(&log, 2, Retention::Forever);
    log.author(&alice().phone, body, NOW).unwrap();
    assert_eq!(
        ends(&log, Retention::Forever),
        days(1),
        "what is said of older ones goes with them"
    );
    log.author(&alice().phone, keep(Retention::Forever), NOW)
        .unwrap();
    assert_eq!(ends(&log, Retention::Forever), days(1), "for what comes");
    renewed(&mut log, alice(), 3);
    assert_eq!(ends(&log, Retention::Forever), None, "and that comes");
}

#[test]
fn what_is_said_about_messages_goes_with_the_last_of_them() {
    let mut log = with_bob();
    renewed(&mut log, alice(), 1);
    let kept = |log: &ControlLog, n: u8| log.roster().epochs[&EpochId([n; 16])].kept;
    log.author(&alice().phone, keep(DAY), NOW).unwrap();
    let body = epoch_for(&log, 2, Retention::Forever);
    log.author(&alice().phone, body, NOW).unwrap();
    assert_eq!(
        kept(&log, 2),
        Retention::Forever.term(),
        "the first is there"
    );
    log.author(&alice().phone, shorten(WEEK), NOW).unwrap();
    let body = epoch_for(&log, 3, Retention::Forever);
    log.author(&alice().phone, body, NOW).unwrap();
    log.author(&alice().phone, keep(DAY), NOW).unwrap();
    let body = epoch_for(&log, 4, Retention::Forever);
    log.author(&alice().phone, body, NOW).unwrap();
    let all = [1, 2, 3, 4].map(|n| kept(&log, n));
    assert_eq!(all, [WEEK.term(); 4], "and they are there for a week");
}

#[test]
fn an_epoch_made_meanwhile_is_shortened_whatever_comes_first() {
    let mut log = with_bob();
    let mut bobs = log.clone();
    renewed(&mut bobs, bob(), 1);
    log.author(&alice().phone, shorten(WEEK), NOW).unwrap();
    renewed(&mut log, alice(), 2);
    meet(&mut log, &mut bobs);
    for log in [&log, &bobs] {
        assert_eq!((life(log, 1), life(log, 2)), (WEEK.into(), WEEK.into()));
        assert_eq!(usable(log), Some(2));
    }
    assert_eq!(log.roster(), bobs.roster());
}

#[test]
fn of_two_who_set_it_at_once_who_stands_higher_counts() {
    let mut log = with_bob();
    let mut bobs = log.clone();
    log.author(&alice().phone, keep(WEEK), NOW).unwrap();
    bobs.author(&bob().phone, keep(DAY), NOW).unwrap();
    renewed(&mut bobs, bob(), 1);
    meet(&mut log, &mut bobs);
    assert_eq!(
        (log.roster().retention(), bobs.roster().retention()),
        (WEEK, WEEK)
    );
    assert_eq!((usable(&log), usable(&bobs)), (None, None));
    assert_eq!(
        life(&log, 1),
        Life::from(DAY),
        "as was promised to who wrote in it"
    );
}

#[test]
fn what_was_set_for_existing_messages_shortens_them_whoever_set_another_meanwhile() {
    let mut log = with_bob();
    renewed(&mut log, alice(), 1);
    let mut bobs = log.clone();
    renewed(&mut log, alice(), 2);
    log.author(&alice().phone, keep(WEEK), NOW).unwrap();
    renewed(&mut log, alice(), 3);
    let set = bobs.author(&bob().phone, shorten(DAY), NOW).unwrap();
    assert_eq!(life(&bobs, 1), DAY.into(), "who hears of it first erases");
    meet(&mut log, &mut bobs);
    for log in [&log, &bobs] {
        assert!(!stands(log, &set));
        assert_eq!(log.roster().retention(), WEEK, "for what is written now");
        assert_eq!([1, 2, 3].map(|epoch| life(log, epoch)), [DAY.into(); 3]);
        assert_eq!(usable(log), None, "what is written now is kept for a week");
    }
    assert_eq!(log.roster(), bobs.roster());
}

#[test]
fn limits_set_meanwhile_bring_back_nothing_that_was_shortened() {
    let mut log = with_bob();
    renewed(&mut log, alice(), 1);
    let mut bobs = log.clone();
    log.author(&alice().phone, limits(Some(24), None), NOW)
        .unwrap();
    let hour = Retention::Hours(1);
    bobs.author(&bob().phone, shorten(hour), NOW).unwrap();
    assert_eq!(life(&bobs, 1), hour.into());
    meet(&mut log, &mut bobs);
    for log in [&log, &bobs] {
        assert_eq!(life(log, 1), hour.into());
        assert_eq!(log.roster().retention(), DAY, "for what is written now");
    }
    assert_eq!(log.roster(), bobs.roster());
}

#[test]
fn owners_limit_what_admins_may_set() {
    let mut log = with_bob();
    let denied = log.author(&bob().phone, limits(None, Some(720)), NOW);
    assert!(matches!(denied, Err(Denied::Rule(Rule::RoleTooLow { .. }))));
    log.author(&alice().phone, limits(Some(24), Some(720)), NOW)
        .unwrap();
    assert_eq!(
        log.roster().retention(),
        Retention::Hours(720),
        "forever is over"
    );
    for beyond in [Retention::Forever, Retention::Instant, Retention::Hours(23)] {
        let denied = log.author(&bob().phone, keep(beyond), NOW);
        assert_eq!(
            denied.err(),
            Some(Denied::Rule(Rule::BeyondLimits)),
            "{beyond:?}"
        );
    }
    log.author(&bob().phone, keep(WEEK), NOW).unwrap();
    assert_eq!(log.roster().retention(), WEEK);
}

#[test]
fn limits_set_meanwhile_hold_as_well() {
    let mut log = with_bob();
    let mut bobs = log.clone();
    log.author(&alice().phone, limits(Some(24), Some(168)), NOW)
        .unwrap();
    let mut set = bobs
        .author(&bob().phone, keep(Retention::Hours(1)), NOW)
        .unwrap();
    meet(&mut log, &mut bobs);
    assert!(stands(&log, &set) && stands(&bobs, &set));
    assert_eq!(
        (log.roster().retention(), bobs.roster().retention()),
        (DAY, DAY)
    );
    set = log.author(&bob().phone, keep(WEEK), NOW).unwrap();
    assert!(stands(&log, &set));
}

#[test]
fn an_epoch_keeps_nothing_longer_than_its_term() {
    let mut log = with_bob();
    let body = epoch_for(&log, 1, DAY);
    log.author(&bob().phone, body, NOW).unwrap();
    assert_eq!(life(&log, 1), Life::from(DAY));
    assert_eq!(usable(&log), None, "messages are not sealed in it");
}

fn instant(people: &[&'static Person]) -> ControlLog {
    let mut log = founded();
    for (person, number) in people.iter().zip(1..) {
        admit(&mut log, number, Role::Member, person);
    }
    log.author(&alice().phone, keep(Retention::Instant), NOW)
        .unwrap();
    log
}

fn by(author: &Person, number: u8) -> Written {
    Written {
        author: author.account(),
        hlc: Hlc::at(NOW),
        epoch: EpochId([number; 16]),
        expires_at: None,
    }
}

fn seen_by(log: &ControlLog, written: &Written, readers: &[&Person]) -> Fate {
    let read = |account: &AccountId| readers.iter().any(|person| person.account() == *account);
    fate(log.roster(), written, NOW.plus(HOUR_MS), read)
}

#[test]
fn an_instant_message_is_gone_when_everybody_but_its_author_has_read_it() {
    let mut log = instant(&[bob(), carol()]);
    renewed(&mut log, alice(), 1);
    let message = by(alice(), 1);
    let until = Some(NOW.plus(720 * HOUR_MS));
    assert_eq!(seen_by(&log, &message, &[bob()]), Fate::Lives { until });
    assert_eq!(
        seen_by(&log, &message, &[alice(), bob()]),
        Fate::Lives { until }
    );
    let over = Fate::Over(End::ReadByAll);
    assert_eq!(seen_by(&log, &message, &[bob(), carol()]), over);
}

#[test]
fn who_left_is_not_waited_for_when_they_come_back() {
    let mut log = instant(&[bob(), carol()]);
    renewed(&mut log, alice(), 1);
    let message = by(alice(), 1);
    assert!(!seen_by(&log, &message, &[carol()]).is_over());
    log.author(&bob().phone, Body::Leave, NOW).unwrap();
    let over = Fate::Over(End::ReadByAll);
    assert_eq!(seen_by(&log, &message, &[carol()]), over);
    admit(&mut log, 9, Role::Member, bob());
    assert!(is_active(&log, bob()));
    assert_eq!(seen_by(&log, &message, &[carol()]), over);
}

#[test]
fn who_left_while_an_epoch_was_made_is_not_waited_for_either() {
    let mut log = instant(&[bob(), carol()]);
    let before = head(&log);
    // Alice makes an epoch without knowing that Bob leaves.
    renewed(&mut log, alice(), 1);
    let left = forge(&log, &bob().phone, &[&before], NOW, Body::Leave);
    log.insert(left);
    let message = by(alice(), 1);
    let over = Fate::Over(End::ReadByAll);
    assert_eq!(seen_by(&log, &message, &[carol()]), over);
    admit(&mut log, 9, Role::Member, bob());
    assert!(is_active(&log, bob()));
    assert_eq!(seen_by(&log, &message, &[carol()]), over);
}

#[test]
fn what_is_there_and_becomes_instant_waits_for_those_who_belonged_then() {
    let mut log = founded();
    renewed(&mut log, alice(), 1);
    admit(&mut log, 1, Role::Member, bob());
    admit(&mut log, 2, Role::Member, carol());
    log.author(&alice().phone, shorten(Retention::Instant), NOW)
        .unwrap();
    admit(&mut log, 9, Role::Member, dave());
    let over = Fate::Over(End::ReadByAll);
    for (author, others) in [(alice(), [bob(), carol()]), (bob(), [alice(), carol()])] {
        let message = by(author, 1);
        assert!(!seen_by(&log, &message, &others[..1]).is_over());
        assert!(!seen_by(&log, &message, &others[1..]).is_over());
        assert_eq!(seen_by(&log, &message, &others), over);
    }
    assert_eq!(
        log.roster().shortened_to(Retention::Instant).epochs[&EpochId([1; 16])].audience,
        log.roster().epochs[&EpochId([1; 16])].audience,
        "who came later is not asked by what was promised before",
    );
}

#[test]
fn of_two_who_make_it_instant_at_once_neither_takes_back_what_the_other_ended() {
    let mut log = with_bob();
    renewed(&mut log, alice(), 1);
    let mut bobs = log.clone();
    admit(&mut log, 2, Role::Member, carol());
    log.author(&alice().phone, shorten(Retention::Instant), NOW)
        .unwrap();
    bobs.author(&bob().phone, shorten(Retention::Instant), NOW)
        .unwrap();
    let message = by(alice(), 1);
    assert!(
        !seen_by(&log, &message, &[bob()]).is_over(),
        "Carol belongs"
    );
    assert!(seen_by(&bobs, &message, &[bob()]).is_over());
    meet(&mut log, &mut bobs);
    for log in [&log, &bobs] {
        assert!(seen_by(log, &message, &[bob()]).is_over());
    }
    assert_eq!(log.roster(), bobs.roster());
}

#[test]
fn who_leaves_is_not_waited_for_and_who_came_later_is_not_asked() {
    let mut log = instant(&[bob(), carol()]);
    renewed(&mut log, alice(), 1);
    let message = by(alice(), 1);
    log.author(&carol().phone, Body::Leave, NOW).unwrap();
    admit(&mut log, 9, Role::Member, dave());
    assert_eq!(
        seen_by(&log, &message, &[bob()]),
        Fate::Over(End::ReadByAll)
    );
    assert_eq!(usable(&log), None, "what is written now waits for Dave too");
    renewed(&mut log, alice(), 2);
    assert!(!seen_by(&log, &by(alice(), 2), &[bob()]).is_over());
    assert!(seen_by(&log, &by(alice(), 2), &[bob(), dave()]).is_over());
}

#[test]
fn without_its_last_reader_it_is_gone_after_thirty_days() {
    let mut log = instant(&[bob()]);
    renewed(&mut log, alice(), 1);
    let at = |hours| {
        fate(
            log.roster(),
            &by(alice(), 1),
            NOW.plus(hours * HOUR_MS),
            |_| false,
        )
    };
    assert!(!at(719).is_over());
    let end = NOW.plus(720 * HOUR_MS);
    assert_eq!(at(720), Fate::Over(End::Expired(end)));
}

#[test]
fn what_somebody_wrote_alone_waits_for_its_term() {
    let mut log = instant(&[]);
    renewed(&mut log, alice(), 1);
    assert!(!seen_by(&log, &by(alice(), 1), &[]).is_over());
}

#[test]
fn somebody_let_in_meanwhile_is_not_waited_for_and_ends_the_epoch() {
    let mut log = instant(&[bob()]);
    let mut bobs = log.clone();
    admit(&mut log, 9, Role::Member, carol());
    renewed(&mut bobs, bob(), 1);
    meet(&mut log, &mut bobs);
    for log in [&log, &bobs] {
        assert_eq!(usable(log), None);
        assert!(seen_by(log, &by(bob(), 1), &[alice()]).is_over());
    }
    assert_eq!(log.roster(), bobs.roster());
}

#[test]
fn a_message_asks_for_less() {
    let mut log = with_bob();
    log.author(&alice().phone, keep(WEEK), NOW).unwrap();
    renewed(&mut log, alice(), 1);
    let soon = Written {
        expires_at: Some(NOW.plus(HOUR_MS)),
        ..by(alice(), 1)
    };
    let end = |written: &Written| match fate(log.roster(), written, NOW, |_| false) {
        Fate::Lives { until } => until,
        Fate::Over(_) => None,
    };
    assert_eq!(end(&soon), Some(NOW.plus(HOUR_MS)));
    let never = Written {
        expires_at: Some(Millis(u64::MAX)),
        ..soon
    };
    assert_eq!(end(&never), Some(NOW.plus(168 * HOUR_MS)));
}

#[test]
fn a_claim_that_is_kept_for_another_time_than_its_message_does_not_count() {
    use crate::ids::{LogId, SegmentId, Writer};
    use crate::projection::{Claim, ClaimKind, Original, whose};
    let log = with_bob();
    let place = |term: Retention| -> Place {
        let writer = Writer {
            device: alice().phone.device(),
            incarnation: 0,
        };
        let segment = SegmentId::new(Window(24 * 100), term.term(), 0);
        LogId { segment, writer }.place(1)
    };
    let original = Original {
        author: alice().account(),
        place: place(WEEK),
    };
    let counts = |term| {
        let claim = Claim {
            at: place(term),
            hlc: Hlc::at(NOW),
            kind: ClaimKind::Deletion,
        };
        whose(log.roster(), &original, &claim, |_| None).is_some()
    };
    assert!(counts(WEEK) && !counts(DAY) && !counts(Retention::Forever));
}
