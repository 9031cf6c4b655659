//! Why: the ops behind a state, and the rules.

use super::*;

#[test]
fn a_removal_is_explained_by_who_removed_whom_and_what_did_not_count() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    let joined = admit(&mut log, 2, Role::Member, carol());
    let invited = log.roster().invites[&link(&log, 2).invite()].op;
    let mut bobs = log.clone();
    let removed = log.author(&alice().phone, remove(carol()), NOW).unwrap();
    let promoted = bobs
        .author(&bob().phone, role(carol(), Role::Moderator), NOW)
        .unwrap();
    meet(&mut log, &mut bobs);
    let explanation = log.why_account(&carol().account());
    assert!(!explanation.cut);
    let told: Vec<_> = explanation
        .steps
        .into_iter()
        .map(|step| (step.op, step.role, step.deed, step.verdict))
        .collect();
    let by = removed.id();
    let owner = Some(Role::Owner);
    let mut expected = vec![
        (by, owner, Deed::Remove, Verdict::Stands),
        (
            promoted.id(),
            Some(Role::Admin),
            Deed::SetRole(Role::Moderator),
            Verdict::Void(Rule::Outranked { by }),
        ),
    ];
    expected.sort_by_key(|(op, ..)| *op);
    let invite = (invited, owner, Deed::Invite(Role::Member), Verdict::Stands);
    let join = (
        joined.id(),
        None,
        Deed::Join(Some(Role::Member)),
        Verdict::Stands,
    );
    expected.splice(0..0, [invite, join]);
    assert_eq!(told, expected);
    let decided = |who: &Person| log.roster().decided_by(&who.account(), NOW);
    assert_eq!(decided(carol()), Some(by));
    assert_eq!(decided(alice()), Some(OpId(log.channel().0)));
    assert_eq!(decided(dave()), None);
}

#[test]
fn whoever_was_banned_muted_and_let_in_again_is_explained_by_what_holds_now() {
    let mut log = founded();
    admit(&mut log, 1, Role::Member, bob());
    let by = |log: &mut ControlLog, body| log.author(&alice().phone, body, NOW).unwrap().id();
    let now = |log: &ControlLog| log.roster().decided_by(&bob().account(), NOW).unwrap();
    let muted = by(&mut log, mute(bob(), NOW.plus(1_000)));
    assert_eq!(now(&log), muted);
    let banned = by(&mut log, ban(bob()));
    assert_eq!(now(&log), banned);
    by(&mut log, unban(bob()));
    assert_eq!(now(&log), banned, "the ban is over, and what took them out");
    let added = by(&mut log, add(bob(), Role::Reader));
    assert_eq!(now(&log), muted, "coming back ends no mute");
    let later = log.roster().decided_by(&bob().account(), NOW.plus(1_000));
    assert_eq!(later, Some(added));
    let laws: Vec<_> = log.why_account(&bob().account()).steps;
    let laws: Vec<_> = laws.iter().filter_map(Step::law).collect();
    use crate::law::Law::*;
    assert_eq!(laws, [Rights, Invites, Standing, Standing, Imposed, Rights]);
}

#[test]
fn of_a_long_story_the_end_is_told() {
    let mut log = founded();
    admit(&mut log, 1, Role::Member, bob());
    let mut last = None;
    for round in 0..40 {
        let role = [role(bob(), Role::Admin), role(bob(), Role::Member)][round % 2].clone();
        last = log.author(&alice().phone, role, NOW).ok();
    }
    let told = log.why_account(&bob().account());
    assert!(!told.cut);
    for round in 0..40 {
        let role = [role(bob(), Role::Admin), role(bob(), Role::Member)][round % 2].clone();
        last = log.author(&alice().phone, role, NOW).ok();
    }
    let told = log.why_account(&bob().account());
    assert!(told.cut);
    assert_eq!(told.steps.len(), crate::limits::EXPLANATION_STEPS);
    let newest = told.steps.last().map(|step| step.op);
    assert_eq!(newest, last.map(|op| op.id()));
}

#[test]
fn every_op_has_its_author_s_role_wherever_the_log_parted() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    let mut bobs = log.clone();
    let lowered = log
        .author(&alice().phone, role(bob(), Role::Member), NOW)
        .unwrap();
    let meanwhile = bobs.author(&bob().phone, topic("bob's"), NOW).unwrap();
    meet(&mut log, &mut bobs);
    let after = log.author(&bob().phone, epoch(&log, 1), NOW).unwrap();
    let role_in = |op: &VerifiedOp| {
        let step = log.steps().find(|step| step.op == op.id()).unwrap();
        step.role
    };
    assert_eq!(role_in(&lowered), Some(Role::Owner));
    assert_eq!(role_in(&meanwhile), Some(Role::Admin));
    assert_eq!(role_in(&after), Some(Role::Member));
    assert_eq!(log.steps().count(), log.len());
}

#[test]
fn a_void_op_is_explained_down_to_what_stands() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    admit(&mut log, 2, Role::Member, carol());
    let mut carols = log.clone();
    let promoted = carols
        .author(&bob().phone, role(carol(), Role::Admin), NOW)
        .unwrap();
    let renamed = carols.author(&carol().phone, name("carol's"), NOW).unwrap();
    let removed = log.author(&alice().phone, remove(bob()), NOW).unwrap();
    meet(&mut log, &mut carols);
    let steps = log.why_op(&renamed.id());
    let ops: Vec<_> = steps.iter().map(|step| step.op).collect();
    assert_eq!(ops, [renamed.id(), promoted.id(), removed.id()]);
    assert_eq!(steps[1].subject, Some(carol().account()));
    assert!(steps[2].verdict.stands() && steps[2].rule().is_none());
    let text = steps[0].rule().unwrap().to_string();
    assert_eq!(text, "it rests on an op that is void itself");
    assert_eq!(steps[0].law(), Some(crate::law::Law::Foundations));
    assert_eq!(log.why_op(&OpId([1; 32])), []);
}

#[test]
fn whoever_was_taken_out_is_given_what_led_to_it_and_nothing_after() {
    let mut log = founded();
    admit(&mut log, 1, Role::Member, bob());
    let mut bobs = log.clone();
    let key = bob().phone.transport_key();
    let by_alice = |log: &mut ControlLog, body| log.author(&alice().phone, body, NOW).unwrap();
    let before = by_alice(&mut log, topic("before"));
    let removed = by_alice(&mut log, remove(bob()));
    let after = by_alice(&mut log, topic("after"));
    assert_eq!(log.roster().dismissal(&key), Some(removed.id()));
    assert_eq!(bobs.roster().dismissal(&key), None, "he belongs");
    let stranger = dave().phone.transport_key();
    assert_eq!(log.roster().dismissal(&stranger), None);

    let (page, more) = log.missing_up_to(&removed.id(), &bobs.heads(), 1);
    assert_eq!((page.len(), more), (1, true));
    let (ops, more) = log.missing_up_to(&removed.id(), &bobs.heads(), usize::MAX);
    assert_eq!((ops.len(), more), (2, false));
    for bytes in ops {
        bobs.insert(VerifiedOp::verify(&bytes).unwrap());
    }
    assert!(bobs.contains(&before.id()) && !bobs.contains(&after.id()));
    assert!(!is_active(&bobs, bob()));
    assert_eq!(
        bobs.roster().decided_by(&bob().account(), NOW),
        Some(removed.id())
    );
    by_alice(&mut log, add(bob(), Role::Member));
    assert_eq!(log.roster().dismissal(&key), None, "he is back");
}

#[test]
fn of_a_long_chain_of_void_ops_the_beginning_is_told() {
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let mut log = founded();
    admit(&mut log, 1, Role::Moderator, bob());
    let mut bobs = log.clone();
    let mut friends = Vec::new();
    let mut last = None;
    for _ in 0..=crate::limits::EXPLANATION_STEPS {
        let phrase = Phrase::random(&mut rng);
        let friend = create_account(&phrase, "friend", "phone", &mut rng).unwrap();
        let add = Body::Add {
            role: Role::Moderator,
            certificate: friend.certificate.clone(),
        };
        let by = friends.last().unwrap_or(&bob().phone);
        last = bobs.author(by, add, NOW).ok();
        friends.push(friend);
    }
    log.author(&alice().phone, remove(bob()), NOW).unwrap();
    meet(&mut log, &mut bobs);
    let steps = log.why_op(&last.unwrap().id());
    assert_eq!(steps.len(), crate::limits::EXPLANATION_STEPS);
    assert!(steps.iter().all(|step| !step.verdict.stands()));
}

#[test]
fn a_new_device_is_no_part_of_why_somebody_is_what_they_are() {
    let mut rng = ChaCha20Rng::seed_from_u64(8);
    let mut log = founded();
    admit(&mut log, 1, Role::Member, bob());
    let before = log.why_account(&bob().account());
    let tablet = NewDevice::generate(bob().account(), "tablet", &mut rng).unwrap();
    let certificate = bob().phone.admit(&tablet.record, false).unwrap();
    let body = devices(certificate);
    log.author(&bob().phone, body, NOW).unwrap();
    assert_eq!(log.why_account(&bob().account()), before);
}

#[test]
fn a_device_that_was_revoked_is_told_that_and_not_what_came_after() {
    let mut log = founded();
    admit(&mut log, 1, Role::Member, bob());
    let certificate = bob().phone.revoke(&bob().laptop.device()).unwrap();
    let body = devices(certificate);
    let revoked = log.author(&bob().phone, body, NOW).unwrap();
    let removed = log.author(&alice().phone, remove(bob()), NOW).unwrap();
    let dismissal = |device: &DeviceSecrets| log.roster().dismissal(&device.transport_key());
    assert_eq!(dismissal(&bob().phone), Some(removed.id()));
    assert_eq!(dismissal(&bob().laptop), Some(revoked.id()));
}
