//! Who may do what, and who prevails.

use super::*;

#[test]
fn the_founder_owns_the_channel() {
    let log = founded();
    let roster = log.roster();
    assert_eq!(roster.name, "tea");
    assert_eq!(roster.role(&alice().account()), Some(Role::Owner));
    assert_eq!(
        roster.account_of(&alice().laptop.device()),
        Some(alice().account())
    );
    assert_eq!(log.channel().0, head(&log).id().0);
}

#[test]
fn every_right_takes_its_role() {
    for role in Role::ALL {
        let mut log = founded();
        admit(&mut log, 1, role, bob());
        let tries = [
            (Right::Invite, link(&log, 2).opening(Role::Reader, 1)),
            (Right::SetTopic, topic("leaves")),
            (Right::Rename, name("coffee")),
            (Right::Rekey, epoch(&log, 1)),
        ];
        for (right, body) in tries {
            let outcome = log.author(&bob().phone, body, NOW);
            if role.has(right) {
                assert!(outcome.is_ok(), "{role} {right}");
            } else {
                let rule = Rule::RoleTooLow {
                    right,
                    least: right.least_role(),
                    role,
                };
                assert_eq!(outcome.unwrap_err(), Denied::Rule(rule), "{role} {right}");
            }
        }
    }
}

#[test]
fn nobody_invites_above_their_own_role() {
    let mut log = founded();
    admit(&mut log, 1, Role::Moderator, bob());
    let rule = Rule::RoleAboveOwn {
        granted: Role::Admin,
        own: Role::Moderator,
    };
    let body = link(&log, 2).opening(Role::Admin, 1);
    assert_eq!(log.author(&bob().phone, body, NOW), Err(Denied::Rule(rule)));
    invite(&mut log, &bob().phone, 2, Role::Moderator, 1);
}

#[test]
fn a_stranger_does_nothing() {
    let mut log = founded();
    let forged = forge(&log, &bob().phone, &[&head(&log)], NOW, name("mine"));
    log.insert(forged.clone());
    assert_eq!(verdict(&log, &forged), Verdict::Void(Rule::NotAMember));
    assert_eq!(log.roster().name, "tea");
}

#[test]
fn of_two_names_at_once_the_higher_authors_counts() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    let mut bobs = log.clone();
    let alices_name = log.author(&alice().phone, name("green tea"), NOW).unwrap();
    bobs.author(
        &bob().phone,
        topic("padding, so that Bob's is the later"),
        NOW,
    )
    .unwrap();
    let bobs_name = bobs.author(&bob().phone, name("coffee"), NOW).unwrap();
    meet(&mut log, &mut bobs);
    for copy in [&log, &bobs] {
        assert_eq!(copy.roster().name, "green tea");
        let rule = Rule::Outranked {
            by: alices_name.id(),
        };
        assert_eq!(verdict(copy, &bobs_name), Verdict::Void(rule));
    }
}

#[test]
fn within_a_role_the_earlier_grant_prevails() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    admit(&mut log, 2, Role::Admin, carol());
    let mut carols = log.clone();
    log.author(&bob().phone, name("bob's"), NOW).unwrap();
    carols.author(&carol().phone, name("carol's"), NOW).unwrap();
    meet(&mut log, &mut carols);
    assert_eq!(log.roster().name, "bob's");
    assert_eq!(carols.roster().name, "bob's");
}

#[test]
fn of_one_authors_names_at_once_the_later_counts() {
    let mut log = founded();
    let mut other = log.clone();
    log.author(&alice().phone, name("first"), NOW).unwrap();
    other
        .author(&alice().laptop, topic("one op more"), NOW)
        .unwrap();
    other.author(&alice().laptop, name("second"), NOW).unwrap();
    meet(&mut log, &mut other);
    assert_eq!(log.roster().name, "second");
}

#[test]
fn a_name_set_in_full_knowledge_replaces_a_higher_authors() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    log.author(&alice().phone, name("green tea"), NOW).unwrap();
    log.author(&bob().phone, name("coffee"), NOW).unwrap();
    assert_eq!(log.roster().name, "coffee");
}

#[test]
fn what_was_outranked_stays_void_under_later_names() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    let mut bobs = log.clone();
    let alices_name = log.author(&alice().phone, name("green tea"), NOW).unwrap();
    let bobs_name = bobs.author(&bob().phone, name("coffee"), NOW).unwrap();
    meet(&mut log, &mut bobs);
    log.author(&alice().phone, name("black tea"), NOW).unwrap();
    let rule = Rule::Outranked {
        by: alices_name.id(),
    };
    assert_eq!(verdict(&log, &bobs_name), Verdict::Void(rule));
    let mut fresh = ControlLog::new(log.channel());
    pull(&mut fresh, &log);
    assert_eq!(verdict(&fresh, &bobs_name), Verdict::Void(rule));
}

#[test]
fn what_is_void_prevails_over_nothing() {
    // Alice's name makes Bob's void. Carol, who stands below Bob, saw Alice's and replaced it:
    // Bob's, concurrent with hers and higher, must not come back to life.
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    admit(&mut log, 2, Role::Admin, carol());
    let mut bobs = log.clone();
    log.author(&alice().phone, name("alice's"), NOW).unwrap();
    let carols_name = log.author(&carol().phone, name("carol's"), NOW).unwrap();
    bobs.author(&bob().phone, name("bob's"), NOW).unwrap();
    meet(&mut log, &mut bobs);
    assert_eq!(log.roster().name, "carol's");
    assert!(stands(&bobs, &carols_name));
}

#[test]
fn the_last_owner_cannot_leave_before_naming_another() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    let denied = log.author(&alice().phone, Body::Leave, NOW);
    assert_eq!(denied, Err(Denied::Rule(Rule::LastOwner)));
    admit(&mut log, 2, Role::Owner, carol());
    log.author(&alice().phone, Body::Leave, NOW).unwrap();
    assert_eq!(
        log.roster().members[&alice().account()].status,
        Status::Left
    );
}

#[test]
fn when_all_owners_leave_at_once_the_one_standing_lowest_stays() {
    let mut log = founded();
    admit(&mut log, 1, Role::Owner, bob());
    let mut bobs = log.clone();
    log.author(&alice().phone, Body::Leave, NOW).unwrap();
    let bob_leaves = bobs.author(&bob().phone, Body::Leave, NOW).unwrap();
    meet(&mut log, &mut bobs);
    for copy in [&log, &bobs] {
        assert_eq!(active(copy), [bob().account()]);
        assert_eq!(verdict(copy, &bob_leaves), Verdict::Void(Rule::LastOwner));
    }
}

#[test]
fn the_last_owner_who_leaves_twice_at_once_stays() {
    let mut log = founded();
    admit(&mut log, 1, Role::Owner, bob());
    let (mut bobs, mut laptops) = (log.clone(), log.clone());
    log.author(&alice().phone, Body::Leave, NOW).unwrap();
    let leavings = [
        bobs.author(&bob().phone, Body::Leave, NOW).unwrap(),
        laptops.author(&bob().laptop, Body::Leave, NOW).unwrap(),
    ];
    meet(&mut log, &mut bobs);
    meet(&mut log, &mut laptops);
    assert!(leavings.iter().all(|leaving| !stands(&log, leaving)));
    assert_eq!(active(&laptops), [bob().account()]);
}

#[test]
fn an_owner_stays_whose_only_heir_turns_out_to_be_none() {
    // Bob leaves while Alice makes him an owner, so that she can leave.
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    let mut bobs = log.clone();
    let promoted = log
        .author(&alice().phone, role(bob(), Role::Owner), NOW)
        .unwrap();
    let leaving = log.author(&alice().phone, Body::Leave, NOW).unwrap();
    let bob_leaves = bobs.author(&bob().phone, Body::Leave, NOW).unwrap();
    meet(&mut log, &mut bobs);
    let rule = Rule::SubjectLeft {
        by: bob_leaves.id(),
    };
    assert_eq!(verdict(&log, &promoted), Verdict::Void(rule));
    assert_eq!(verdict(&log, &leaving), Verdict::Void(Rule::LastOwner));
    assert_eq!(active(&bobs), [alice().account()]);
}

#[test]
fn an_owner_stays_whose_heirs_leave_meanwhile() {
    // Alice knows that Carol leaves and relies on Bob, who leaves meanwhile and relies on either.
    let mut log = founded();
    admit(&mut log, 1, Role::Owner, bob());
    admit(&mut log, 2, Role::Owner, carol());
    let mut bobs = log.clone();
    let carols = log.author(&carol().phone, Body::Leave, NOW).unwrap();
    log.author(&alice().phone, Body::Leave, NOW).unwrap();
    let bob_leaves = bobs.author(&bob().phone, Body::Leave, NOW).unwrap();
    meet(&mut log, &mut bobs);
    assert_eq!(verdict(&log, &bob_leaves), Verdict::Void(Rule::LastOwner));
    assert!(stands(&log, &carols));
    assert_eq!(active(&bobs), [bob().account()]);
}

#[test]
fn owners_who_leave_one_after_another_have_left_whatever_else_goes_on() {
    let mut log = founded();
    admit(&mut log, 1, Role::Owner, bob());
    let mut laptop = log.clone();
    log.author(&bob().phone, Body::Leave, NOW).unwrap();
    admit(&mut log, 2, Role::Owner, carol());
    log.author(&alice().phone, Body::Leave, NOW).unwrap();
    laptop
        .author(&bob().laptop, name("meanwhile"), NOW)
        .unwrap();
    meet(&mut log, &mut laptop);
    assert_eq!(active(&log), [carol().account()]);
}

#[test]
fn an_owner_who_could_not_leave_does_not_come_back_as_less() {
    let mut log = founded();
    admit(&mut log, 1, Role::Owner, bob());
    let link = invite(&mut log, &alice().phone, 2, Role::Reader, 1);
    let mut bobs = log.clone();
    log.author(&alice().phone, Body::Leave, NOW).unwrap();
    bobs.author(&bob().phone, Body::Leave, NOW).unwrap();
    let back = join(&mut bobs, &bob().laptop, &link);
    meet(&mut log, &mut bobs);
    assert_eq!(verdict(&log, &back), Verdict::Void(Rule::AlreadyAMember));
    assert_eq!(log.roster().role(&bob().account()), Some(Role::Owner));
}

#[test]
fn a_void_name_outranks_nobodys() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    admit(&mut log, 2, Role::Admin, carol());
    let (mut laptop, mut carols) = (log.clone(), log.clone());
    log.author(&bob().phone, Body::Leave, NOW).unwrap();
    laptop.author(&bob().laptop, name("bob's"), NOW).unwrap();
    carols.author(&carol().phone, name("carol's"), NOW).unwrap();
    meet(&mut log, &mut laptop);
    meet(&mut log, &mut carols);
    assert_eq!(log.roster().name, "carol's");
}

#[test]
fn what_a_leavers_other_device_did_meanwhile_is_void() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    let mut laptop = log.clone();
    let leaving = log.author(&bob().phone, Body::Leave, NOW).unwrap();
    let renamed = laptop
        .author(&bob().laptop, name("still mine"), NOW)
        .unwrap();
    let invited = laptop
        .author(&bob().laptop, link(&log, 7).opening(Role::Admin, 9), NOW)
        .unwrap();
    meet(&mut log, &mut laptop);
    let rule = Rule::Withdrawn { by: leaving.id() };
    assert_eq!(verdict(&log, &renamed), Verdict::Void(rule));
    assert_eq!(verdict(&laptop, &invited), Verdict::Void(rule));
    assert_eq!(laptop.roster().name, "tea");
}

#[test]
fn someone_who_left_does_nothing_more_and_may_come_back() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    log.author(&bob().phone, Body::Leave, NOW).unwrap();
    assert_eq!(
        log.author(&bob().phone, name("x"), NOW),
        Err(Denied::Rule(Rule::NotAMember))
    );
    assert!(
        log.roster()
            .by_transport(&bob().phone.transport_key())
            .is_none()
    );
    assert_eq!(
        log.roster().account_of(&bob().phone.device()),
        Some(bob().account())
    );

    admit(&mut log, 2, Role::Member, bob());
    assert_eq!(log.roster().members[&bob().account()].role, Role::Member);
    assert!(
        log.roster()
            .by_transport(&bob().phone.transport_key())
            .is_some()
    );
    log.author(&bob().laptop, Body::Leave, NOW).unwrap();
}

#[test]
fn ops_of_kinds_from_the_future_are_kept_and_passed_on_without_effect() {
    let mut log = founded();
    let strange = Body::Unknown {
        kind: 77,
        body: vec![0x81, 0x01],
    };
    let denied = log.author(&alice().phone, strange.clone(), NOW);
    assert_eq!(denied, Err(Denied::NotUnderstood));
    let op = forge(&log, &alice().phone, &[&head(&log)], NOW, strange);
    log.insert(op.clone());
    let after = log.author(&alice().phone, name("goes on"), NOW).unwrap();
    let mut other = ControlLog::new(log.channel());
    pull(&mut other, &log);
    assert_eq!(verdict(&other, &op), Verdict::NotUnderstood);
    assert!(stands(&other, &after));
}

#[test]
fn an_unknown_role_or_policy_field_is_not_understood_rather_than_refused() {
    let log = founded();
    let invite = crate::encoding::encode(&(InviteId([1; 32]), 9u8, 1u32, 0u64));
    assert_eq!(
        Body::read(3, &invite),
        Body::Unknown {
            kind: 3,
            body: invite.clone()
        }
    );
    let policy = crate::encoding::encode(&(9u8, minicbor::bytes::ByteVec::from(vec![0x60])));
    assert_eq!(
        Body::read(7, &policy),
        Body::Unknown {
            kind: 7,
            body: policy.clone()
        }
    );
    let op = forge(
        &log,
        &alice().phone,
        &[&head(&log)],
        NOW,
        Body::read(7, &policy),
    );
    assert_eq!(op.op().body.kind(), 7);
}
