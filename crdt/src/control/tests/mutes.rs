//! Mutes: for a time, by those above, on nobody's word but theirs.

use super::*;

fn at(ms: u64) -> Millis {
    NOW.plus(ms)
}

fn may_write(log: &ControlLog, who: &Person, ms: u64) -> bool {
    log.roster().may(&who.account(), Right::Write, at(ms))
}

#[test]
fn a_mute_takes_away_writing_from_its_beginning_to_its_end() {
    let mut log = founded();
    admit(&mut log, 1, Role::Member, bob());
    log.author(&alice().phone, mute(bob(), at(200)), at(100))
        .unwrap();
    let may = |ms| may_write(&log, bob(), ms);
    assert_eq!([99, 100, 199, 200].map(may), [true, false, false, true]);
    let roster = log.roster();
    assert!(!roster.may(&bob().account(), Right::React, at(150)));
    assert!(roster.may(&bob().account(), Right::Invite, at(150)));
    let muted = Participation::Muted { until: at(200) };
    assert_eq!(roster.participation(&bob().account(), at(150)), Some(muted));
    assert!(is_active(&log, bob()));
}

#[test]
fn a_mute_that_ends_early_leaves_hidden_what_it_hid() {
    let mut log = founded();
    admit(&mut log, 1, Role::Member, bob());
    log.author(&alice().phone, mute(bob(), at(900)), at(100))
        .unwrap();
    log.author(&alice().phone, mute(bob(), at(300)), at(300))
        .unwrap();
    let may = |ms| may_write(&log, bob(), ms);
    assert_eq!([150, 299, 300, 500].map(may), [false, false, true, true]);
    let over = log.author(&alice().phone, mute(bob(), at(300)), at(400));
    assert_eq!(over, Err(Denied::Rule(Rule::NoChange)));
}

#[test]
fn leaving_and_coming_back_ends_no_mute() {
    let mut log = founded();
    admit(&mut log, 1, Role::Member, bob());
    log.author(&alice().phone, mute(bob(), at(900)), at(100))
        .unwrap();
    log.author(&bob().phone, Body::Leave, at(200)).unwrap();
    admit(&mut log, 2, Role::Member, bob());
    assert!(!may_write(&log, bob(), 500) && may_write(&log, bob(), 900));
}

#[test]
fn only_they_or_those_above_shorten_a_mute() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    admit(&mut log, 2, Role::Moderator, carol());
    admit(&mut log, 3, Role::Member, dave());
    let muted = log
        .author(&bob().phone, mute(dave(), at(900)), NOW)
        .unwrap();
    let rule = Rule::ImposedFromAbove { by: muted.id() };
    let denied = log.author(&carol().phone, mute(dave(), at(10)), NOW);
    assert_eq!(denied, Err(Denied::Rule(rule)));
    log.author(&carol().phone, mute(dave(), at(1_000)), NOW)
        .unwrap();
    log.author(&bob().phone, mute(dave(), NOW), NOW).unwrap();
    assert!(may_write(&log, dave(), 500));
}

#[test]
fn of_two_mutes_at_once_the_higher_authors_counts() {
    let mut log = founded();
    admit(&mut log, 1, Role::Moderator, bob());
    admit(&mut log, 2, Role::Member, carol());
    let mut bobs = log.clone();
    log.author(&alice().phone, mute(carol(), at(100)), NOW)
        .unwrap();
    let his = bobs
        .author(&bob().phone, mute(carol(), at(900)), NOW)
        .unwrap();
    meet(&mut log, &mut bobs);
    assert!(!stands(&log, &his));
    assert!(!may_write(&bobs, carol(), 50) && may_write(&bobs, carol(), 500));
}

#[test]
fn a_mute_and_a_removal_at_once_both_count() {
    let mut log = founded();
    admit(&mut log, 1, Role::Moderator, bob());
    admit(&mut log, 2, Role::Member, carol());
    let mut bobs = log.clone();
    let muted = log
        .author(&alice().phone, mute(carol(), at(100)), NOW)
        .unwrap();
    let removed = bobs.author(&bob().phone, remove(carol()), NOW).unwrap();
    meet(&mut log, &mut bobs);
    assert!(stands(&log, &muted) && stands(&bobs, &removed));
}
