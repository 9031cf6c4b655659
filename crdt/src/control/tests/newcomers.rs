//! Which keys newcomers may have.

use super::*;
use crate::ids::EpochId;
use crate::limits::EPOCH_WRITTEN_HOURS;
use crate::time::DAY_MS;

/// The day of [`NOW`].
const TODAY: Window = Window(500_000 - 500_000 % 24);

fn history(policy: History) -> Body {
    Body::Policy(Policy::History(policy))
}

/// An epoch whose chain begins so many days before [`NOW`].
fn epoch_of(log: &ControlLog, number: u8, days_ago: u32) -> Body {
    let Body::Epoch(mut op) = epoch(log, number) else {
        unreachable!("it is one")
    };
    op.first_window = Window(TODAY.0 - 24 * days_ago);
    Body::Epoch(op)
}

fn granted(log: &ControlLog, who: &Person, number: u8) -> Option<Window> {
    log.granted_from(&who.account(), &EpochId([number; 16]))
}

fn days_ago(days: u32) -> Option<Window> {
    Some(Window(TODAY.0 - 24 * days))
}

/// A channel with epochs that began 60, 9 and 2 days ago.
fn with_epochs(policy: History) -> ControlLog {
    let mut log = founded();
    for (number, days) in [(1, 60), (2, 9), (3, 2)] {
        let body = epoch_of(&log, number, days);
        log.author(&alice().phone, body, NOW).unwrap();
    }
    log.author(&alice().phone, history(policy), NOW).unwrap();
    log
}

#[test]
fn the_day_of_the_tests_is_what_they_say() {
    assert_eq!(crate::time::Hlc::at(NOW).window(24), TODAY);
}

#[test]
fn a_newcomer_gets_everything_the_last_days_or_nothing() {
    for (policy, due) in [
        (
            History::Everything,
            [days_ago(60), days_ago(9), days_ago(2)],
        ),
        (History::Days(5), [None, days_ago(5), days_ago(2)]),
        (History::Days(100), [days_ago(60), days_ago(9), days_ago(2)]),
        (History::FromJoining, [None, None, None]),
    ] {
        let mut log = with_epochs(policy);
        admit(&mut log, 1, Role::Member, bob());
        let given = [1, 2, 3].map(|number| granted(&log, bob(), number));
        assert_eq!(given, due, "{policy:?}");
        let founder = [1, 2, 3].map(|number| granted(&log, alice(), number));
        assert_eq!(founder, [days_ago(60), days_ago(9), days_ago(2)]);
        assert_eq!(granted(&log, carol(), 3), None, "she does not belong");
    }
}

#[test]
fn an_old_epoch_is_given_as_long_as_it_is_written_in() {
    let mut log = founded();
    let old = 5 + EPOCH_WRITTEN_HOURS / 24;
    let body = epoch_of(&log, 1, old);
    log.author(&alice().phone, body, NOW).unwrap();
    log.author(&alice().phone, history(History::Days(5)), NOW)
        .unwrap();
    admit(&mut log, 1, Role::Member, bob());
    assert_eq!(granted(&log, bob(), 1), days_ago(5));
    let body = epoch_of(&log, 2, 0);
    log.author(&alice().phone, body, NOW).unwrap();
    assert_eq!(granted(&log, bob(), 1), None);
    assert_eq!(granted(&log, alice(), 1), days_ago(old));
}

#[test]
fn what_was_sealed_without_knowing_of_the_newcomer_stays_closed() {
    let mut log = with_epochs(History::FromJoining);
    let mut apart = log.clone();
    admit(&mut log, 1, Role::Member, bob());
    assert_eq!(log.roster().usable_epoch(), None, "writing takes a new one");
    let body = epoch_of(&log, 4, 1);
    log.author(&bob().phone, body, NOW).unwrap();
    // Made later by its number, and without knowing of Bob.
    for number in 5..9 {
        let body = epoch_of(&apart, number, 1);
        apart.author(&alice().phone, body, NOW).unwrap();
    }
    meet(&mut log, &mut apart);
    assert_eq!(granted(&log, bob(), 4), days_ago(1));
    assert_eq!(granted(&log, bob(), 8), None);
    assert_eq!(log.roster().usable_epoch(), Some(EpochId([4; 16])));
    assert_eq!(log.roster(), apart.roster());
}

#[test]
fn the_policy_of_ones_admission_counts_and_no_later_one() {
    let mut log = with_epochs(History::Days(5));
    admit(&mut log, 1, Role::Member, bob());
    log.author(&alice().phone, history(History::Everything), NOW)
        .unwrap();
    admit(&mut log, 2, Role::Member, carol());
    log.author(&alice().phone, history(History::FromJoining), NOW)
        .unwrap();
    assert_eq!(granted(&log, bob(), 1), None);
    assert_eq!(granted(&log, carol(), 1), days_ago(60));
    assert_eq!(granted(&log, bob(), 3), days_ago(2));
}

#[test]
fn nobody_joins_under_an_older_policy_by_turning_the_parents_back() {
    let mut log = with_epochs(History::Everything);
    let link = invite(&mut log, &alice().phone, 1, Role::Member, 1);
    let mut before = log.clone();
    log.author(&alice().phone, history(History::FromJoining), NOW)
        .unwrap();
    let mut bobs = before.clone();
    join(&mut bobs, &bob().phone, &link);
    assert_eq!(granted(&bobs, bob(), 1), days_ago(60));
    meet(&mut log, &mut bobs);
    meet(&mut before, &mut log);
    for log in [&log, &bobs, &before] {
        assert_eq!([1, 2, 3].map(|n| granted(log, bob(), n)), [None; 3]);
        assert_eq!(log.roster().usable_epoch(), None);
    }
    assert_eq!(log.roster(), before.roster());
}

#[test]
fn a_false_time_in_a_join_goes_back_to_the_invite_at_most() {
    let mut log = with_epochs(History::Days(5));
    let link = link(&log, 1);
    let opening = link.opening(Role::Member, 1);
    let made_at = Millis(NOW.0 - DAY_MS);
    let opened = log.author(&alice().phone, opening, made_at).unwrap();
    let joining = link.joining(&bob().phone.certificate).unwrap();
    let false_time = forge(&log, &bob().phone, &[&opened], Millis(0), joining);
    log.insert(false_time);
    assert!(is_active(&log, bob()));
    assert_eq!(granted(&log, bob(), 2), days_ago(6));
    assert_eq!(granted(&log, bob(), 1), None);
}

#[test]
fn who_comes_back_may_read_what_they_could_and_nothing_of_the_time_between() {
    let mut log = founded();
    log.author(&alice().phone, epoch_of(&log, 1, 60), NOW)
        .unwrap();
    admit(&mut log, 1, Role::Member, bob());
    log.author(&alice().phone, history(History::FromJoining), NOW)
        .unwrap();
    log.author(&alice().phone, remove(bob()), NOW).unwrap();
    log.author(&alice().phone, epoch_of(&log, 2, 9), NOW)
        .unwrap();
    log.author(&alice().phone, add(bob(), Role::Member), NOW)
        .unwrap();
    log.author(&alice().phone, epoch_of(&log, 3, 1), NOW)
        .unwrap();
    let given = [1, 2, 3].map(|number| granted(&log, bob(), number));
    assert_eq!(given, [days_ago(60), None, days_ago(1)]);
    assert_eq!(log.roster().history_begins(&bob().account()), None);
}

#[test]
fn where_history_begins_is_told() {
    let founded_at = NOW;
    let joined_at = NOW.plus(40 * DAY_MS);
    let begins = |policy| {
        let mut log = founded();
        log.author(&alice().phone, history(policy), founded_at)
            .unwrap();
        let mut link = link(&log, 1);
        link.expires_at = NOW.plus(90 * DAY_MS);
        let opening = link.opening(Role::Member, 1);
        log.author(&alice().phone, opening, founded_at).unwrap();
        let joining = link.joining(&bob().phone.certificate).unwrap();
        log.author(&bob().phone, joining, joined_at).unwrap();
        let roster = log.roster();
        assert!(roster.reaches_back_to(&bob().account(), joined_at));
        let reaches = roster.reaches_back_to(&bob().account(), NOW.plus(20 * DAY_MS));
        (roster.history_begins(&bob().account()), reaches)
    };
    assert_eq!(begins(History::Everything), (None, true));
    assert_eq!(begins(History::Days(60)), (None, true));
    assert_eq!(begins(History::FromJoining), (Some(joined_at), false));
    let midnight = Window(TODAY.0 + 24 * 10).starts_at();
    assert_eq!(begins(History::Days(30)), (Some(midnight), true));
}
