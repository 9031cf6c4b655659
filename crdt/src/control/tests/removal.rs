//! Removing, banning, and coming back.

use super::*;

fn status(log: &ControlLog, who: &Person) -> Status {
    log.roster().members[&who.account()].status
}

#[test]
fn the_removed_are_out_and_do_nothing_more() {
    let mut log = founded();
    admit(&mut log, 1, Role::Moderator, bob());
    log.author(&alice().phone, remove(bob()), NOW).unwrap();
    assert_eq!(status(&log, bob()), Status::Removed);
    assert!(
        log.roster()
            .by_transport(&bob().phone.transport_key())
            .is_none()
    );
    let denied = log.author(&bob().phone, topic("still here"), NOW);
    assert_eq!(denied, Err(Denied::Rule(Rule::NotAMember)));
    let again = log.author(&alice().phone, remove(bob()), NOW);
    assert_eq!(again, Err(Denied::Rule(Rule::NoSuchMember)));
}

#[test]
fn nobody_removes_bans_or_mutes_their_equal_before_them_or_those_above() {
    let mut log = founded();
    admit(&mut log, 1, Role::Moderator, bob());
    admit(&mut log, 2, Role::Moderator, carol());
    for above in [alice(), bob(), carol()] {
        for body in [remove(above), ban(above), mute(above, NOW.plus(1))] {
            let denied = log.author(&carol().phone, body, NOW);
            assert_eq!(denied, Err(Denied::Rule(Rule::NotAbove)));
        }
    }
    log.author(&bob().phone, remove(carol()), NOW).unwrap();
}

#[test]
fn duelling_admins_the_one_granted_earlier_prevails() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    admit(&mut log, 2, Role::Admin, carol());
    let before = head(&log);
    let bobs = log.author(&bob().phone, remove(carol()), NOW).unwrap();
    let carols = forge(&log, &carol().phone, &[&before], NOW, remove(bob()));
    log.insert(carols.clone());
    assert_eq!(verdict(&log, &carols), Verdict::Void(Rule::NotAbove));
    assert!(stands(&log, &bobs) && is_active(&log, bob()) && !is_active(&log, carol()));
}

#[test]
fn of_duelling_admins_who_were_both_above_once_the_higher_at_the_time_prevails() {
    // Bob stood above Carol until Alice gave him the role anew. Each removes the other, Bob
    // without having seen that.
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    admit(&mut log, 2, Role::Admin, carol());
    let mut bobs = log.clone();
    log.author(&alice().phone, role(bob(), Role::Member), NOW)
        .unwrap();
    log.author(&alice().phone, role(bob(), Role::Admin), NOW)
        .unwrap();
    let by_carol = log.author(&carol().phone, remove(bob()), NOW).unwrap();
    let by_bob = bobs.author(&bob().phone, remove(carol()), NOW).unwrap();
    meet(&mut log, &mut bobs);
    assert!(stands(&log, &by_carol) && !stands(&bobs, &by_bob));
    assert!(is_active(&log, carol()) && !is_active(&bobs, bob()));
}

#[test]
fn owners_who_remove_each_other_leave_the_earlier_one() {
    let mut log = founded();
    admit(&mut log, 1, Role::Owner, bob());
    let before = head(&log);
    let by_bob = forge(&log, &bob().phone, &[&before], NOW, remove(alice()));
    log.author(&alice().phone, remove(bob()), NOW).unwrap();
    log.insert(by_bob.clone());
    assert_eq!(verdict(&log, &by_bob), Verdict::Void(Rule::NotAbove));
    assert_eq!(active(&log), [alice().account()]);
}

#[test]
fn of_a_promotion_and_a_removal_at_once_the_higher_authors_stands() {
    for alice_removes in [true, false] {
        let mut log = founded();
        admit(&mut log, 1, Role::Admin, bob());
        admit(&mut log, 2, Role::Member, carol());
        let mut bobs = log.clone();
        let (hers, his) = match alice_removes {
            true => (remove(carol()), role(carol(), Role::Moderator)),
            false => (role(carol(), Role::Moderator), remove(carol())),
        };
        let hers = log.author(&alice().phone, hers, NOW).unwrap();
        let his = bobs.author(&bob().phone, his, NOW).unwrap();
        meet(&mut log, &mut bobs);
        assert_eq!(
            verdict(&bobs, &his),
            Verdict::Void(Rule::Outranked { by: hers.id() })
        );
        assert_eq!(is_active(&log, carol()), !alice_removes);
    }
}

#[test]
fn what_the_removed_did_meanwhile_is_void_and_so_are_joins_by_their_links() {
    let mut log = founded();
    admit(&mut log, 1, Role::Moderator, bob());
    let link = invite(&mut log, &bob().phone, 2, Role::Member, 5);
    let mut bobs = log.clone();
    let removed = log.author(&alice().phone, remove(bob()), NOW).unwrap();
    let topic = bobs.author(&bob().phone, topic("still here"), NOW).unwrap();
    let joined = join(&mut bobs, &carol().phone, &link);
    let left = bobs.author(&bob().laptop, Body::Leave, NOW).unwrap();
    meet(&mut log, &mut bobs);
    let by = removed.id();
    assert_eq!(verdict(&log, &topic), Verdict::Void(Rule::Withdrawn { by }));
    assert!(stands(&log, &left), "nobody is kept");
    assert_eq!(
        verdict(&bobs, &joined),
        Verdict::Void(Rule::InviterWithdrawn { by })
    );
    assert_eq!(status(&log, bob()), Status::Removed);
}

#[test]
fn the_removed_may_join_again_and_be_added_again() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    log.author(&alice().phone, remove(bob()), NOW).unwrap();
    log.author(&alice().phone, add(bob(), Role::Reader), NOW)
        .unwrap();
    assert_eq!(log.roster().role(&bob().account()), Some(Role::Reader));
    log.author(&alice().phone, remove(bob()), NOW).unwrap();
    admit(&mut log, 2, Role::Member, bob());
    assert!(is_active(&log, bob()));
    log.author(&bob().laptop, Body::Leave, NOW).unwrap();
}

#[test]
fn of_removing_and_adding_again_at_once_the_higher_authors_stands() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    admit(&mut log, 2, Role::Member, carol());
    let mut bobs = log.clone();
    let by_alice = log.author(&alice().phone, remove(carol()), NOW).unwrap();
    let by_bob = bobs.author(&bob().phone, remove(carol()), NOW).unwrap();
    let again = bobs
        .author(&bob().phone, add(carol(), Role::Member), NOW)
        .unwrap();
    meet(&mut log, &mut bobs);
    let rule = Rule::Outranked { by: by_alice.id() };
    assert_eq!(verdict(&bobs, &by_bob), Verdict::Void(rule));
    assert_eq!(verdict(&bobs, &again), Verdict::Void(rule));
    assert!(!is_active(&log, carol()));
}

#[test]
fn an_addition_takes_its_right_a_role_and_a_certificate_that_holds() {
    let mut log = founded();
    admit(&mut log, 1, Role::Moderator, bob());
    admit(&mut log, 2, Role::Member, carol());
    let mut torn = dave().phone.certificate.clone();
    torn.records.pop();
    let torn = Body::Add {
        role: Role::Reader,
        certificate: torn,
    };
    assert!(
        log.author(&carol().phone, add(dave(), Role::Reader), NOW)
            .is_err()
    );
    assert!(
        log.author(&bob().phone, add(dave(), Role::Admin), NOW)
            .is_err()
    );
    assert_eq!(
        log.author(&bob().phone, torn, NOW),
        Err(Denied::Rule(Rule::BadCertificate))
    );
    let member = log.author(&bob().phone, add(carol(), Role::Reader), NOW);
    assert_eq!(member, Err(Denied::Rule(Rule::AlreadyAMember)));
    log.author(&bob().phone, add(dave(), Role::Moderator), NOW)
        .unwrap();
    log.author(&dave().laptop, topic("by Dave"), NOW).unwrap();
}

#[test]
fn who_joins_and_is_added_at_once_came_in_once() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    let link = invite(&mut log, &alice().phone, 2, Role::Member, 1);
    let mut bobs = log.clone();
    let joined = join(&mut log, &carol().phone, &link);
    let added = bobs
        .author(&bob().phone, add(carol(), Role::Reader), NOW)
        .unwrap();
    meet(&mut log, &mut bobs);
    let later = if joined.id() < added.id() {
        &added
    } else {
        &joined
    };
    assert_eq!(verdict(&log, later), Verdict::Void(Rule::AlreadyAMember));
    assert!(is_active(&bobs, carol()));
}

#[test]
fn a_ban_outlasts_joins_and_additions() {
    let mut log = founded();
    admit(&mut log, 1, Role::Member, bob());
    let link = invite(&mut log, &alice().phone, 2, Role::Member, 5);
    let banned = log.author(&alice().phone, ban(bob()), NOW).unwrap();
    let by = banned.id();
    let joining = link.joining(&bob().phone.certificate).unwrap();
    for (device, body) in [
        (&bob().phone, joining),
        (&alice().phone, add(bob(), Role::Reader)),
    ] {
        let denied = log.author(device, body, NOW);
        assert_eq!(denied, Err(Denied::Rule(Rule::Banned { by })));
    }
    log.author(&alice().phone, unban(bob()), NOW).unwrap();
    join(&mut log, &bob().phone, &link);
}

#[test]
fn a_ban_during_a_join_keeps_out_also_who_was_never_in() {
    let mut log = founded();
    let link = invite(&mut log, &alice().phone, 2, Role::Member, 5);
    let mut bobs = log.clone();
    let banned = log.author(&alice().phone, ban(bob()), NOW).unwrap();
    let joined = join(&mut bobs, &bob().phone, &link);
    meet(&mut log, &mut bobs);
    let rule = Rule::Withdrawn { by: banned.id() };
    assert_eq!(verdict(&log, &joined), Verdict::Void(rule));
    assert!(!is_active(&bobs, bob()));
    let banned = Some(Participation::Banned { until: None });
    assert_eq!(log.roster().participation(&bob().account(), NOW), banned);
}

#[test]
fn a_ban_ends_in_time() {
    let mut log = founded();
    admit(&mut log, 1, Role::Member, bob());
    let link = invite(&mut log, &alice().phone, 2, Role::Member, 5);
    let until = NOW.plus(1_000);
    log.author(&alice().phone, ban_until(bob(), Some(until)), NOW)
        .unwrap();
    let joining = || link.joining(&bob().phone.certificate).unwrap();
    assert!(log.author(&bob().phone, joining(), NOW.plus(999)).is_err());
    let state = |at| log.roster().participation(&bob().account(), at);
    assert_eq!(state(until), Some(Participation::Removed));
    log.author(&bob().phone, joining(), until).unwrap();
    assert!(is_active(&log, bob()));
}

#[test]
fn only_they_or_those_above_end_a_ban() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    admit(&mut log, 2, Role::Moderator, carol());
    admit(&mut log, 3, Role::Member, dave());
    let banned = log.author(&bob().phone, ban(dave()), NOW).unwrap();
    let rule = Rule::ImposedFromAbove { by: banned.id() };
    for body in [unban(dave()), ban_until(dave(), Some(NOW.plus(1)))] {
        assert_eq!(
            log.author(&carol().phone, body, NOW),
            Err(Denied::Rule(rule))
        );
    }
    log.author(&alice().phone, unban(dave()), NOW).unwrap();
    let over = log.author(&alice().phone, unban(dave()), NOW);
    assert_eq!(over, Err(Denied::Rule(Rule::NotBanned)));
}

#[test]
fn coming_back_rests_on_the_end_of_the_ban() {
    // Carol ends Dave's ban and is removed meanwhile: the ban holds, and Dave is not back.
    let mut log = founded();
    admit(&mut log, 1, Role::Moderator, carol());
    let link = invite(&mut log, &alice().phone, 2, Role::Member, 5);
    log.author(&carol().phone, ban(dave()), NOW).unwrap();
    let mut carols = log.clone();
    let ended = carols.author(&carol().phone, unban(dave()), NOW).unwrap();
    let joined = join(&mut carols, &dave().phone, &link);
    log.author(&alice().phone, remove(carol()), NOW).unwrap();
    meet(&mut log, &mut carols);
    let rule = Rule::Unfounded { on: ended.id() };
    assert_eq!(verdict(&log, &joined), Verdict::Void(rule));
    assert!(log.roster().ban(&dave().account(), NOW).is_some());
}

#[test]
fn a_ban_of_somebody_gone_does_not_reach_up_if_they_were_not_gone() {
    // Alice and Bob leave at once; Carol, who saw Bob leave, bans him. Bob has to stay.
    let mut log = founded();
    admit(&mut log, 1, Role::Owner, bob());
    admit(&mut log, 2, Role::Moderator, carol());
    let mut bobs = log.clone();
    log.author(&alice().phone, Body::Leave, NOW).unwrap();
    let left = bobs.author(&bob().phone, Body::Leave, NOW).unwrap();
    let banned = bobs.author(&carol().phone, ban(bob()), NOW).unwrap();
    meet(&mut log, &mut bobs);
    assert_eq!(verdict(&log, &left), Verdict::Void(Rule::LastOwner));
    assert_eq!(
        verdict(&log, &banned),
        Verdict::Void(Rule::Unfounded { on: left.id() })
    );
    assert!(is_active(&bobs, bob()));
}

#[test]
fn removals_and_bans_need_a_new_epoch() {
    let mut log = founded();
    admit(&mut log, 1, Role::Member, bob());
    admit(&mut log, 2, Role::Member, carol());
    for (number, body) in [(1, remove(bob())), (3, ban(carol()))] {
        log.author(&alice().phone, epoch(&log, number), NOW)
            .unwrap();
        let mut apart = log.clone();
        log.author(&alice().phone, body, NOW).unwrap();
        assert_eq!(log.roster().usable_epoch(), None);
        // One made without knowing does not do.
        apart
            .author(&alice().laptop, epoch(&apart, number + 1), NOW)
            .unwrap();
        meet(&mut log, &mut apart);
        assert_eq!(log.roster().usable_epoch(), None);
        assert_eq!(apart.roster().usable_epoch(), None);
    }
    log.author(&alice().phone, epoch(&log, 5), NOW).unwrap();
    assert_eq!(log.roster().usable_epoch(), Some(EpochId([5; 16])));
}

#[test]
fn an_addition_that_is_void_needs_a_new_epoch() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    let mut bobs = log.clone();
    log.author(&alice().phone, remove(bob()), NOW).unwrap();
    log.author(&alice().phone, epoch(&log, 1), NOW).unwrap();
    bobs.author(&bob().phone, add(dave(), Role::Member), NOW)
        .unwrap();
    meet(&mut log, &mut bobs);
    assert_eq!(status(&log, dave()), Status::Expelled);
    assert_eq!(log.roster().usable_epoch(), None);
}

#[test]
fn a_removal_that_counts_after_all_counts_against_whoever_took_it_to_be_void() {
    // Bob's laptop leaves, so his removal of Carol is void; but the laptop was dismissed.
    let mut log = founded();
    admit(&mut log, 1, Role::Moderator, bob());
    admit(&mut log, 2, Role::Member, carol());
    let mut laptop = log.clone();
    let removed = log.author(&bob().phone, remove(carol()), NOW).unwrap();
    laptop.author(&bob().laptop, Body::Leave, NOW).unwrap();
    let mut carols = log.clone();
    pull(&mut carols, &laptop);
    let body = link(&log, 7).opening(Role::Member, 1);
    let invited = carols.author(&carol().phone, body, NOW).unwrap();
    let certificate = bob().phone.revoke(&bob().laptop.device()).unwrap();
    log.author(&bob().phone, devices(certificate), NOW).unwrap();
    meet(&mut log, &mut carols);
    let rule = Rule::StoodLower { by: removed.id() };
    assert_eq!(verdict(&log, &invited), Verdict::Void(rule));
    assert!(stands(&carols, &removed) && !is_active(&carols, carol()));
}
