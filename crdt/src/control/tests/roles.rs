//! Giving and taking roles, and which role has which right.

use super::*;

fn right(right: Right, least: Role) -> Body {
    Body::Policy(Policy::Right { right, least })
}

#[test]
fn only_from_above_and_up_to_ones_own_role() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    admit(&mut log, 2, Role::Admin, carol());
    let above_own = Rule::RoleAboveOwn {
        granted: Role::Owner,
        own: Role::Admin,
    };
    let tries = [
        (role(bob(), Role::Member), Rule::NotAbove),
        (role(carol(), Role::Owner), above_own),
        (role(carol(), Role::Admin), Rule::NoChange),
        (role(dave(), Role::Reader), Rule::NoSuchMember),
    ];
    for (body, rule) in tries {
        let denied = log.author(&carol().phone, body, NOW);
        assert_eq!(denied, Err(Denied::Rule(rule)));
    }
    log.author(&bob().phone, role(carol(), Role::Member), NOW)
        .unwrap();
}

#[test]
fn a_new_role_is_granted_anew() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    admit(&mut log, 2, Role::Admin, carol());
    log.author(&alice().phone, role(bob(), Role::Member), NOW)
        .unwrap();
    log.author(&alice().phone, role(bob(), Role::Admin), NOW)
        .unwrap();
    log.author(&carol().phone, role(bob(), Role::Moderator), NOW)
        .unwrap();
    assert_eq!(log.roster().role(&bob().account()), Some(Role::Moderator));
}

#[test]
fn the_last_owner_does_not_step_down_before_naming_another() {
    let mut log = founded();
    admit(&mut log, 1, Role::Member, bob());
    let down = role(alice(), Role::Admin);
    let denied = log.author(&alice().phone, down.clone(), NOW);
    assert_eq!(denied, Err(Denied::Rule(Rule::LastOwner)));
    log.author(&alice().phone, role(bob(), Role::Owner), NOW)
        .unwrap();
    log.author(&alice().phone, down, NOW).unwrap();
    assert_eq!(log.roster().role(&alice().account()), Some(Role::Admin));
}

#[test]
fn when_all_owners_step_down_or_leave_at_once_one_stays() {
    let mut log = founded();
    admit(&mut log, 1, Role::Owner, bob());
    let mut bobs = log.clone();
    log.author(&alice().phone, Body::Leave, NOW).unwrap();
    let down = bobs
        .author(&bob().phone, role(bob(), Role::Reader), NOW)
        .unwrap();
    meet(&mut log, &mut bobs);
    assert_eq!(verdict(&log, &down), Verdict::Void(Rule::LastOwner));
    assert_eq!(bobs.roster().role(&bob().account()), Some(Role::Owner));
}

#[test]
fn of_a_promotion_and_a_lowering_at_once_the_higher_authors_stands() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    admit(&mut log, 2, Role::Moderator, carol());
    let mut bobs = log.clone();
    let up = log
        .author(&alice().phone, role(carol(), Role::Admin), NOW)
        .unwrap();
    let down = bobs
        .author(&bob().phone, role(carol(), Role::Reader), NOW)
        .unwrap();
    meet(&mut log, &mut bobs);
    assert_eq!(
        verdict(&bobs, &down),
        Verdict::Void(Rule::Outranked { by: up.id() })
    );
    assert_eq!(log.roster().role(&carol().account()), Some(Role::Admin));
}

#[test]
fn what_somebody_did_while_they_were_given_a_lower_role_is_void() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    let mut bobs = log.clone();
    let lowered = log
        .author(&alice().phone, role(bob(), Role::Member), NOW)
        .unwrap();
    let renamed = bobs.author(&bob().phone, name("bob's"), NOW).unwrap();
    meet(&mut log, &mut bobs);
    let rule = Rule::Lowered { by: lowered.id() };
    assert_eq!(verdict(&bobs, &renamed), Verdict::Void(rule));
    bobs.author(&bob().phone, Body::Leave, NOW).unwrap();
}

#[test]
fn who_was_given_a_lower_role_may_leave_meanwhile() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    let mut bobs = log.clone();
    log.author(&alice().phone, role(bob(), Role::Member), NOW)
        .unwrap();
    let left = bobs.author(&bob().phone, Body::Leave, NOW).unwrap();
    meet(&mut log, &mut bobs);
    assert!(stands(&log, &left));
    assert!(!is_active(&bobs, bob()));
}

#[test]
fn what_rests_on_a_promotion_that_is_void_is_void_and_leaving_is_not() {
    // Bob promotes Carol and is removed at the same time; Carol acts upon it, and leaves.
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    admit(&mut log, 2, Role::Member, carol());
    let mut carols = log.clone();
    let promoted = carols
        .author(&bob().phone, role(carol(), Role::Admin), NOW)
        .unwrap();
    let renamed = carols.author(&carol().phone, name("carol's"), NOW).unwrap();
    let left = carols.author(&carol().phone, Body::Leave, NOW).unwrap();
    log.author(&alice().phone, remove(bob()), NOW).unwrap();
    meet(&mut log, &mut carols);
    let rule = Rule::Unfounded { on: promoted.id() };
    assert_eq!(verdict(&log, &renamed), Verdict::Void(rule));
    assert!(stands(&log, &left));
}

#[test]
fn an_op_from_below_does_not_stand_on_a_lowering_that_is_void() {
    // Bob lowers Carol to member and is removed meanwhile; Dave, a moderator, thinks he stands
    // above her now.
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    admit(&mut log, 2, Role::Admin, carol());
    admit(&mut log, 3, Role::Moderator, dave());
    let mut daves = log.clone();
    let lowered = daves
        .author(&bob().phone, role(carol(), Role::Member), NOW)
        .unwrap();
    let removed = daves.author(&dave().phone, remove(carol()), NOW).unwrap();
    log.author(&alice().phone, remove(bob()), NOW).unwrap();
    meet(&mut log, &mut daves);
    let rule = Rule::Unfounded { on: lowered.id() };
    assert_eq!(verdict(&log, &removed), Verdict::Void(rule));
    assert_eq!(daves.roster().role(&carol().account()), Some(Role::Admin));
}

#[test]
fn a_promotion_of_somebody_who_left_and_came_back_does_not_follow_them() {
    let mut log = founded();
    admit(&mut log, 1, Role::Member, bob());
    let link = invite(&mut log, &alice().phone, 2, Role::Reader, 1);
    let mut bobs = log.clone();
    log.author(&alice().phone, topic("so that the promotion is later"), NOW)
        .unwrap();
    log.author(&alice().phone, topic("than the join"), NOW)
        .unwrap();
    let promoted = log
        .author(&alice().phone, role(bob(), Role::Admin), NOW)
        .unwrap();
    let left = bobs.author(&bob().phone, Body::Leave, NOW).unwrap();
    join(&mut bobs, &bob().phone, &link);
    meet(&mut log, &mut bobs);
    let rule = Rule::SubjectLeft { by: left.id() };
    assert_eq!(verdict(&log, &promoted), Verdict::Void(rule));
    assert_eq!(log.roster().role(&bob().account()), Some(Role::Reader));
}

#[test]
fn the_policy_changes_which_role_has_a_right() {
    let mut log = founded();
    admit(&mut log, 1, Role::Member, bob());
    assert!(!log.roster().can(&bob().account(), Right::SetTopic));
    log.author(&alice().phone, right(Right::SetTopic, Role::Member), NOW)
        .unwrap();
    log.author(&bob().phone, topic("by Bob"), NOW).unwrap();
    log.author(&alice().phone, right(Right::SetTopic, Role::Owner), NOW)
        .unwrap();
    let rule = Rule::RoleTooLow {
        right: Right::SetTopic,
        least: Role::Owner,
        role: Role::Member,
    };
    let denied = log.author(&bob().phone, topic("again"), NOW);
    assert_eq!(denied, Err(Denied::Rule(rule)));
    assert_eq!(log.roster().least_role(Right::SetTopic), Role::Owner);
}

#[test]
fn nobody_takes_a_right_to_or_from_a_role_above_their_own() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    log.author(&alice().phone, right(Right::Ban, Role::Owner), NOW)
        .unwrap();
    let rule = Rule::RoleAboveOwn {
        granted: Role::Owner,
        own: Role::Admin,
    };
    for body in [
        right(Right::Ban, Role::Member),
        right(Right::Pin, Role::Owner),
    ] {
        assert_eq!(log.author(&bob().phone, body, NOW), Err(Denied::Rule(rule)));
    }
    log.author(&bob().phone, right(Right::Pin, Role::Admin), NOW)
        .unwrap();
}

#[test]
fn of_two_changes_of_one_right_at_once_the_higher_authors_stands_and_other_rights_are_free() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    let mut bobs = log.clone();
    log.author(&alice().phone, right(Right::Pin, Role::Admin), NOW)
        .unwrap();
    let pin = bobs
        .author(&bob().phone, right(Right::Pin, Role::Member), NOW)
        .unwrap();
    bobs.author(&bob().phone, right(Right::React, Role::Reader), NOW)
        .unwrap();
    meet(&mut log, &mut bobs);
    assert!(!stands(&bobs, &pin));
    let roster = log.roster();
    assert_eq!(roster.least_role(Right::Pin), Role::Admin);
    assert_eq!(roster.least_role(Right::React), Role::Reader);
}

#[test]
fn what_newcomers_may_read_is_a_policy() {
    let mut log = founded();
    assert_eq!(log.roster().history, History::Everything);
    let policy = Policy::History(History::Days(30));
    log.author(&alice().phone, Body::Policy(policy), NOW)
        .unwrap();
    assert_eq!(log.roster().history, History::Days(30));
    let none = Body::Policy(Policy::History(History::Days(0)));
    assert!(matches!(
        log.author(&alice().phone, none, NOW),
        Err(Denied::OutOfBounds(_))
    ));
}

#[test]
fn a_right_counts_as_it_was_when_somebody_wrote() {
    let mut log = founded();
    admit(&mut log, 1, Role::Member, bob());
    let later = |ms| NOW.plus(ms);
    log.author(&alice().phone, right(Right::Write, Role::Admin), later(100))
        .unwrap();
    log.author(&alice().phone, role(bob(), Role::Admin), later(200))
        .unwrap();
    log.author(&alice().phone, role(bob(), Role::Reader), later(300))
        .unwrap();
    let may = |ms| log.roster().may(&bob().account(), Right::Write, later(ms));
    assert_eq!([50, 150, 250, 350].map(may), [true, false, true, false]);
    assert!(!log.roster().may(&carol().account(), Right::Write, NOW));
}

#[test]
fn leaving_brings_nothing_back_that_a_lower_role_made_void() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    admit(&mut log, 2, Role::Member, carol());
    let mut bobs = log.clone();
    let lowered = log
        .author(&alice().phone, role(bob(), Role::Reader), NOW)
        .unwrap();
    let removed = bobs.author(&bob().phone, remove(carol()), NOW).unwrap();
    bobs.author(&bob().phone, Body::Leave, NOW).unwrap();
    meet(&mut log, &mut bobs);
    let rule = Rule::Lowered { by: lowered.id() };
    assert_eq!(verdict(&log, &removed), Verdict::Void(rule));
    assert!(is_active(&bobs, carol()) && !is_active(&log, bob()));
}
