//! Invites, joins, revocations.

use super::*;
use crate::limits::ACCOUNTS_PER_CHANNEL;

#[test]
fn a_joiner_needs_nobody_online() {
    let mut log = founded();
    let link = invite(&mut log, &alice().phone, 1, Role::Member, 1);
    let mut bobs = ControlLog::new(log.channel());
    pull(&mut bobs, &log);
    join(&mut bobs, &bob().phone, &link);
    pull(&mut log, &bobs);
    assert_eq!(log.roster().role(&bob().account()), Some(Role::Member));
    assert_eq!(log.roster().members[&bob().account()].name, "person 1");
}

#[test]
fn an_invite_tells_how_it_stands() {
    let mut log = founded();
    let standing = |log: &ControlLog, link: &InviteLink, now| {
        log.roster().invite_standing(&link.invite(), now)
    };
    let link = invite(&mut log, &alice().phone, 1, Role::Member, 1);
    assert_eq!(standing(&log, &link, NOW), InviteStanding::Open);
    assert_eq!(
        standing(&log, &link, NOW.plus(MONTH_MS + 1)),
        InviteStanding::Expired
    );
    assert_eq!(
        log.roster().invite_standing(&InviteId([0; 32]), NOW),
        InviteStanding::Unknown
    );
    join(&mut log, &bob().phone, &link);
    assert_eq!(standing(&log, &link, NOW), InviteStanding::UsedUp);

    let revoked = invite(&mut log, &alice().phone, 2, Role::Member, 1);
    log.author(
        &alice().laptop,
        Body::RevokeInvite {
            invite: revoked.invite(),
        },
        NOW,
    )
    .unwrap();
    assert_eq!(standing(&log, &revoked, NOW), InviteStanding::Revoked);
    let orphaned = invite(&mut log, &bob().phone, 3, Role::Member, 1);
    log.author(&bob().phone, Body::Leave, NOW).unwrap();
    assert_eq!(standing(&log, &orphaned, NOW), InviteStanding::Suspended);
}

#[test]
fn an_invite_is_suspended_while_its_maker_may_not_invite() {
    let mut log = founded();
    let link = invite(&mut log, &alice().phone, 1, Role::Member, 1);
    join(&mut log, &bob().phone, &link);
    let of_bob = invite(&mut log, &bob().phone, 2, Role::Member, 1);
    let give = |log: &mut ControlLog, role| {
        let account = bob().account();
        let body = Body::SetRole { account, role };
        log.author(&alice().phone, body, NOW).unwrap();
        log.roster().invite_standing(&of_bob.invite(), NOW)
    };
    assert_eq!(give(&mut log, Role::Reader), InviteStanding::Suspended);
    assert_eq!(give(&mut log, Role::Member), InviteStanding::Open);
    assert_eq!(give(&mut log, Role::Reader), InviteStanding::Suspended);
    // What is over for good is told before what is over for now.
    let later = NOW.plus(MONTH_MS + 1);
    let roster = log.roster();
    assert_eq!(
        roster.invite_standing(&of_bob.invite(), later),
        InviteStanding::Expired
    );
}

#[test]
fn every_reason_not_to_be_let_in_has_its_name() {
    let mut log = founded();
    let used = invite(&mut log, &alice().phone, 1, Role::Member, 1);
    join(&mut log, &bob().phone, &used);
    let revoked = invite(&mut log, &alice().phone, 2, Role::Member, 1);
    log.author(
        &alice().phone,
        Body::RevokeInvite {
            invite: revoked.invite(),
        },
        NOW,
    )
    .unwrap();
    let orphaned = invite(&mut log, &bob().phone, 3, Role::Member, 1);
    log.author(&bob().phone, Body::Leave, NOW).unwrap();
    let open = invite(&mut log, &alice().phone, 4, Role::Member, 5);
    let unknown = link(&log, 5);

    let try_join = |who: &Person, link: &InviteLink, at: Millis| {
        let body = link.joining(&who.phone.certificate).unwrap();
        log.clone().author(&who.phone, body, at).map(|_| ())
    };
    let denied = |rule| Err(Denied::Rule(rule));
    assert_eq!(try_join(carol(), &used, NOW), denied(Rule::InviteUsedUp));
    assert_eq!(
        try_join(carol(), &revoked, NOW),
        denied(Rule::InviteRevoked)
    );
    assert_eq!(try_join(carol(), &orphaned, NOW), denied(Rule::InviterGone));
    assert_eq!(try_join(carol(), &unknown, NOW), denied(Rule::NoSuchInvite));
    assert_eq!(
        try_join(carol(), &open, NOW.plus(MONTH_MS + 1)),
        denied(Rule::InviteExpired)
    );
    assert_eq!(try_join(alice(), &open, NOW), denied(Rule::AlreadyAMember));
    assert_eq!(try_join(carol(), &open, NOW.plus(MONTH_MS)), Ok(()));
}

#[test]
fn a_countersignature_is_good_for_one_account_with_its_devices() {
    let mut log = founded();
    let open = invite(&mut log, &alice().phone, 1, Role::Member, 5);
    let Body::Join {
        invite,
        countersignature,
        ..
    } = open.joining(&bob().phone.certificate).unwrap()
    else {
        panic!("a join");
    };
    // Carol saw Bob's Join and uses its countersignature.
    let certificate = carol().phone.certificate.clone();
    let stolen = Body::Join {
        invite,
        certificate,
        countersignature,
    };
    let denied = log.author(&carol().phone, stolen, NOW);
    assert_eq!(denied, Err(Denied::Rule(Rule::BadCountersignature)));
    // Bob himself, with a device more than the countersignature was for.
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    let tablet = NewDevice::generate(bob().account(), "tablet", &mut rng).unwrap();
    let certificate = bob().phone.admit(&tablet.record, false).unwrap();
    let grown = Body::Join {
        invite,
        certificate,
        countersignature,
    };
    let denied = log.author(&bob().phone, grown, NOW);
    assert_eq!(denied, Err(Denied::Rule(Rule::BadCountersignature)));
}

#[test]
fn a_join_speaks_for_its_own_account_only() {
    let mut log = founded();
    let open = invite(&mut log, &alice().phone, 1, Role::Member, 5);
    let body = open.joining(&bob().phone.certificate).unwrap();
    let forged = forge(&log, &carol().phone, &[&head(&log)], NOW, body);
    log.insert(forged.clone());
    assert_eq!(verdict(&log, &forged), Verdict::Void(Rule::BadCertificate));
}

#[test]
fn of_concurrent_joins_beyond_the_uses_the_first_stand() {
    let mut log = founded();
    let link = invite(&mut log, &alice().phone, 1, Role::Member, 2);
    let joiners = [bob(), carol(), dave()];
    let mut copies: Vec<ControlLog> = joiners.iter().map(|_| log.clone()).collect();
    let mut joins: Vec<VerifiedOp> = joiners
        .iter()
        .zip(&mut copies)
        .map(|(who, copy)| join(copy, &who.phone, &link))
        .collect();
    for copy in &copies {
        pull(&mut log, copy);
    }
    joins.sort_by_key(|op| (op.op().lamport, op.id()));
    assert!(stands(&log, &joins[0]) && stands(&log, &joins[1]));
    assert_eq!(verdict(&log, &joins[2]), Verdict::Void(Rule::InviteUsedUp));
    assert_eq!(
        log.roster().members[&joins[2].op().author].status,
        Status::Expelled
    );
    assert_eq!(log.roster().invites[&link.invite()].used, 2);
}

#[test]
fn a_second_join_at_the_same_time_takes_no_second_use() {
    let mut log = founded();
    let link = invite(&mut log, &alice().phone, 1, Role::Member, 2);
    let mut laptop = log.clone();
    join(&mut log, &bob().phone, &link);
    join(&mut laptop, &bob().laptop, &link);
    meet(&mut log, &mut laptop);
    assert!(is_active(&log, bob()));
    assert_eq!(log.roster().invites[&link.invite()].used, 1);
}

#[test]
fn a_revocation_that_a_join_did_not_see_voids_it() {
    let mut log = founded();
    let link = invite(&mut log, &alice().phone, 1, Role::Member, 5);
    let mut bobs = log.clone();
    let revoked = log
        .author(
            &alice().phone,
            Body::RevokeInvite {
                invite: link.invite(),
            },
            NOW,
        )
        .unwrap();
    let joined = join(&mut bobs, &bob().phone, &link);
    let renamed = forge(&bobs, &bob().phone, &[&joined], NOW, epoch(&bobs, 1));
    bobs.insert(renamed.clone());
    meet(&mut log, &mut bobs);
    for copy in [&log, &bobs] {
        let rule = Rule::Withdrawn { by: revoked.id() };
        assert_eq!(verdict(copy, &joined), Verdict::Void(rule));
        let rule = Rule::Unfounded { on: joined.id() };
        assert_eq!(verdict(copy, &renamed), Verdict::Void(rule));
        assert!(!is_active(copy, bob()));
    }
}

#[test]
fn a_revocation_in_full_knowledge_leaves_those_who_joined() {
    let mut log = founded();
    let link = invite(&mut log, &alice().phone, 1, Role::Member, 5);
    join(&mut log, &bob().phone, &link);
    log.author(
        &alice().phone,
        Body::RevokeInvite {
            invite: link.invite(),
        },
        NOW,
    )
    .unwrap();
    assert!(is_active(&log, bob()));
}

#[test]
fn a_leaked_link_is_worthless_after_its_revocation_even_backdated() {
    let mut log = founded();
    let link = invite(&mut log, &alice().phone, 1, Role::Admin, 5);
    let opened = head(&log);
    log.author(
        &alice().phone,
        Body::RevokeInvite {
            invite: link.invite(),
        },
        NOW,
    )
    .unwrap();
    log.author(&alice().phone, name("years later"), NOW)
        .unwrap();
    let body = link.joining(&carol().phone.certificate).unwrap();
    let backdated = forge(&log, &carol().phone, &[&opened], NOW, body);
    assert!(matches!(
        log.preview(&backdated),
        Some(Verdict::Void(Rule::Withdrawn { .. }))
    ));
    assert!(!log.contains(&backdated.id()));
    log.insert(backdated);
    assert!(!is_active(&log, carol()));
}

#[test]
fn an_invite_is_opened_once() {
    let mut log = founded();
    let link = invite(&mut log, &alice().phone, 1, Role::Reader, 1);
    let again = link.opening(Role::Owner, 9);
    let denied = log.author(&alice().phone, again, NOW);
    assert_eq!(denied, Err(Denied::Rule(Rule::MadeBefore)));
}

#[test]
fn ones_own_invite_may_be_revoked_anothers_only_from_above() {
    let mut log = founded();
    admit(&mut log, 1, Role::Moderator, bob());
    admit(&mut log, 2, Role::Moderator, carol());
    let bobs = invite(&mut log, &bob().phone, 3, Role::Member, 1);
    let carols = invite(&mut log, &carol().phone, 4, Role::Member, 1);
    let revoke = |link: &InviteLink| Body::RevokeInvite {
        invite: link.invite(),
    };
    let denied = log.author(&carol().phone, revoke(&bobs), NOW);
    assert_eq!(denied, Err(Denied::Rule(Rule::InviteOfAnother)));
    log.author(&bob().phone, revoke(&carols), NOW).unwrap();
    log.author(&bob().laptop, revoke(&bobs), NOW).unwrap();
}

#[test]
fn whom_an_expelled_joiner_let_in_is_out_as_well() {
    let mut log = founded();
    let link = invite(&mut log, &alice().phone, 1, Role::Member, 5);
    let mut bobs = log.clone();
    log.author(
        &alice().phone,
        Body::RevokeInvite {
            invite: link.invite(),
        },
        NOW,
    )
    .unwrap();
    join(&mut bobs, &bob().phone, &link);
    let bobs_link = invite(&mut bobs, &bob().phone, 2, Role::Member, 1);
    join(&mut bobs, &carol().phone, &bobs_link);
    meet(&mut log, &mut bobs);
    assert_eq!(active(&log), [alice().account()]);
    assert_eq!(log.roster().role(&carol().account()), Some(Role::Member));
    assert_eq!(
        log.roster().account_of(&carol().phone.device()),
        Some(carol().account())
    );
}

#[test]
fn a_join_stands_when_its_inviter_leaves_meanwhile() {
    let mut log = founded();
    admit(&mut log, 1, Role::Member, bob());
    let link = invite(&mut log, &bob().phone, 2, Role::Member, 1);
    let mut carols = log.clone();
    log.author(&bob().phone, Body::Leave, NOW).unwrap();
    join(&mut carols, &carol().phone, &link);
    meet(&mut log, &mut carols);
    assert!(is_active(&log, carol()) && !is_active(&log, bob()));
}

#[test]
fn what_a_leavers_other_device_revoked_meanwhile_stays_open() {
    let mut log = founded();
    admit(&mut log, 1, Role::Member, bob());
    let link = invite(&mut log, &bob().phone, 2, Role::Member, 1);
    let (mut laptop, mut carols) = (log.clone(), log.clone());
    log.author(&bob().phone, Body::Leave, NOW).unwrap();
    // The later of Bob's two ops: leaving comes first all the same.
    self::invite(&mut laptop, &bob().laptop, 3, Role::Reader, 1);
    let invite = link.invite();
    laptop
        .author(&bob().laptop, Body::RevokeInvite { invite }, NOW)
        .unwrap();
    join(&mut carols, &carol().phone, &link);
    meet(&mut log, &mut laptop);
    meet(&mut log, &mut carols);
    assert!(is_active(&log, carol()));
}

/// Joins of the laptop's that pretend to know of nothing since an op, with every sort of id.
fn backdated(
    log: &ControlLog,
    who: &Person,
    link: &InviteLink,
    on: &VerifiedOp,
) -> Vec<VerifiedOp> {
    let body = link.joining(&who.laptop.certificate).unwrap();
    let at = |moment| NOW.plus(moment);
    (0..16)
        .map(|moment| forge(log, &who.laptop, &[on], at(moment), body.clone()))
        .collect()
}

#[test]
fn someone_who_was_taken_out_cannot_backdate_a_return() {
    for uses in [1, 5] {
        let mut log = founded();
        let link = invite(&mut log, &alice().phone, 1, Role::Member, uses);
        let opened = head(&log);
        join(&mut log, &bob().phone, &link);
        let joined = log;
        for (by, body) in [
            (alice(), remove(bob())),
            (alice(), ban(bob())),
            (bob(), Body::Leave),
        ] {
            let mut log = joined.clone();
            let taken_out = log.author(&by.phone, body, NOW).unwrap();
            for again in backdated(&log, bob(), &link, &opened) {
                let mut log = log.clone();
                log.insert(again);
                assert!(stands(&log, &taken_out));
                assert!(!is_active(&log, bob()));
            }
        }
    }
}

#[test]
fn someone_who_was_lowered_or_muted_cannot_backdate_another_beginning() {
    let mut log = founded();
    let link = invite(&mut log, &alice().phone, 1, Role::Admin, 5);
    let opened = head(&log);
    join(&mut log, &bob().phone, &link);
    let (account, role) = (bob().account(), Role::Reader);
    let lowering = Body::SetRole { account, role };
    log.author(&alice().phone, lowering, NOW).unwrap();
    let until = NOW.plus(MONTH_MS);
    let muting = Body::Mute { account, until };
    log.author(&alice().phone, muting, NOW).unwrap();
    for again in backdated(&log, bob(), &link, &opened) {
        let mut log = log.clone();
        log.insert(again);
        assert_eq!(log.roster().role(&account), Some(Role::Reader));
        assert!(log.roster().mute(&account, NOW).is_some());
    }
}

#[test]
fn someone_who_left_cannot_backdate_a_return() {
    let mut log = founded();
    let link = invite(&mut log, &alice().phone, 1, Role::Member, 5);
    let opened = head(&log);
    join(&mut log, &bob().phone, &link);
    let leaving = log.author(&bob().phone, Body::Leave, NOW).unwrap();
    let body = link.joining(&bob().laptop.certificate).unwrap();
    let backdated = forge(&log, &bob().laptop, &[&opened], NOW, body);
    log.insert(backdated.clone());
    assert_eq!(
        verdict(&log, &backdated),
        Verdict::Void(Rule::Withdrawn { by: leaving.id() })
    );
    assert!(!is_active(&log, bob()));
}

#[test]
fn a_copied_invite_id_cannot_change_what_the_invite_grants() {
    let mut log = founded();
    admit(&mut log, 1, Role::Member, bob());
    let before = head(&log);
    let link = invite(&mut log, &alice().phone, 2, Role::Reader, 1);
    let copied = forge(
        &log,
        &bob().phone,
        &[&before],
        NOW,
        link.opening(Role::Member, 500),
    );
    let opened = head(&log);
    log.insert(copied.clone());
    let body = link.joining(&carol().phone.certificate).unwrap();
    let by_copy = forge(&log, &carol().phone, &[&copied], NOW, body);
    log.insert(by_copy.clone());
    let leaving = forge(&log, &carol().phone, &[&by_copy], NOW, Body::Leave);
    log.insert(leaving.clone());
    assert_eq!(
        verdict(&log, &copied),
        Verdict::Void(Rule::Outranked { by: opened.id() })
    );
    assert_eq!(
        verdict(&log, &by_copy),
        Verdict::Void(Rule::Unfounded { on: copied.id() })
    );
    // Whoever was not in may leave all the same.
    assert!(stands(&log, &leaving) && !is_active(&log, carol()));
    assert_eq!(log.roster().invites[&link.invite()].role, Role::Reader);
}

#[test]
fn a_channel_has_a_thousand_accounts() {
    let mut log = founded();
    // One invite lets in a thousand; there are more who want to come.
    let links = [1, 2].map(|n| invite(&mut log, &alice().phone, n, Role::Reader, 1_000));
    let join_new = |log: &mut ControlLog, number: u64| {
        let link = &links[usize::from(number >= 5_000)];
        let mut rng = ChaCha20Rng::seed_from_u64(1_000 + number);
        let phrase = Phrase::random(&mut rng);
        let device = create_account(&phrase, "x", "x", &mut rng).unwrap();
        log.author(&device, link.joining(&device.certificate).unwrap(), NOW)
    };
    for number in 1..ACCOUNTS_PER_CHANNEL as u64 - 1 {
        join_new(&mut log, number).unwrap();
    }
    let mut other = log.clone();
    let mut last = [
        join_new(&mut log, 5_000).unwrap(),
        join_new(&mut other, 5_001).unwrap(),
    ];
    meet(&mut log, &mut other);
    last.sort_by_key(VerifiedOp::id);
    assert_eq!(verdict(&log, &last[1]), Verdict::Void(Rule::ChannelFull));
    assert_eq!(active(&log).len(), ACCOUNTS_PER_CHANNEL);
    let denied = join_new(&mut log, 5_002);
    assert_eq!(denied, Err(Denied::Rule(Rule::ChannelFull)));
}

#[test]
fn nobody_is_let_into_the_channel_that_somebody_keeps_their_settings_in() {
    let mut rng = ChaCha20Rng::seed_from_u64(98);
    let own = ControlLog::create_own(&alice().phone, NOW, &mut rng);
    let (mut log, create) = own.unwrap();
    assert_eq!(log.roster().kind, CHANNEL_SELF);
    // The kind is part of what the channel is called by.
    assert_eq!(create.channel(), log.channel());
    let link = invite(&mut log, &alice().phone, 1, Role::Reader, 5);
    let joining = link.joining(&bob().phone.certificate).unwrap();
    let denied = Err(Denied::Rule(Rule::OwnChannel));
    assert_eq!(log.author(&bob().phone, joining, NOW), denied);
    let added = Body::Add {
        role: Role::Reader,
        certificate: bob().phone.certificate.clone(),
    };
    assert_eq!(log.author(&alice().phone, added, NOW), denied);
    assert_eq!(active(&log), [alice().account()]);
}
