//! Which epoch may be written in.

use super::*;

fn usable(log: &ControlLog) -> Option<u8> {
    log.roster().usable_epoch().map(|epoch| epoch.0[0])
}

#[test]
fn joining_needs_no_new_epoch_and_leaving_does() {
    let mut log = founded();
    assert_eq!(usable(&log), None);
    log.author(&alice().phone, epoch(&log, 1), NOW).unwrap();
    admit(&mut log, 1, Role::Member, bob());
    assert_eq!(usable(&log), Some(1));
    log.author(&bob().phone, Body::Leave, NOW).unwrap();
    assert_eq!(usable(&log), None);
    log.author(&alice().phone, epoch(&log, 2), NOW).unwrap();
    assert_eq!(usable(&log), Some(2));
    assert!(log.roster().epochs[&EpochId([1; 16])].authorised);
}

#[test]
fn of_the_usable_epochs_the_latest_is_written_in() {
    let mut log = founded();
    admit(&mut log, 1, Role::Member, bob());
    let mut bobs = log.clone();
    let by_alice = log.author(&alice().phone, epoch(&log, 1), NOW).unwrap();
    let by_bob = bobs.author(&bob().phone, epoch(&bobs, 2), NOW).unwrap();
    meet(&mut log, &mut bobs);
    let latest = if by_alice.id() > by_bob.id() { 1 } else { 2 };
    assert_eq!((usable(&log), usable(&bobs)), (Some(latest), Some(latest)));
}

#[test]
fn an_epoch_made_without_knowing_of_a_leaving_is_not_written_in() {
    let mut log = founded();
    admit(&mut log, 1, Role::Member, bob());
    let mut bobs = log.clone();
    bobs.author(&bob().phone, Body::Leave, NOW).unwrap();
    log.author(&alice().phone, epoch(&log, 1), NOW).unwrap();
    log.author(&alice().phone, epoch(&log, 2), NOW).unwrap();
    meet(&mut log, &mut bobs);
    assert_eq!((usable(&log), usable(&bobs)), (None, None));
    assert!(log.roster().epochs[&EpochId([2; 16])].authorised);
}

#[test]
fn an_epoch_by_someone_who_left_meanwhile_stays_readable() {
    let mut log = founded();
    admit(&mut log, 1, Role::Member, bob());
    let mut laptop = log.clone();
    log.author(&bob().phone, Body::Leave, NOW).unwrap();
    laptop
        .author(&bob().laptop, epoch(&laptop, 1), NOW)
        .unwrap();
    meet(&mut log, &mut laptop);
    let state = &log.roster().epochs[&EpochId([1; 16])];
    assert!(!state.usable && !state.authorised);
}

#[test]
fn after_a_device_is_dismissed_a_new_epoch_is_needed() {
    let mut log = founded();
    log.author(&alice().phone, epoch(&log, 1), NOW).unwrap();
    let certificate = alice().phone.revoke(&alice().laptop.device()).unwrap();
    log.author(&alice().phone, devices(certificate), NOW)
        .unwrap();
    assert_eq!(usable(&log), None);
    log.author(&alice().phone, epoch(&log, 2), NOW).unwrap();
    assert_eq!(usable(&log), Some(2));
}

#[test]
fn an_epoch_made_without_knowing_of_a_dismissal_is_not_written_in() {
    let mut log = founded();
    let mut laptop = log.clone();
    let certificate = alice().phone.revoke(&alice().laptop.device()).unwrap();
    log.author(&alice().phone, devices(certificate), NOW)
        .unwrap();
    admit(&mut laptop, 1, Role::Member, bob());
    laptop.author(&bob().phone, epoch(&laptop, 1), NOW).unwrap();
    meet(&mut log, &mut laptop);
    assert_eq!(usable(&log), None);
}

#[test]
fn after_an_expulsion_a_new_epoch_is_needed() {
    let mut log = founded();
    log.author(&alice().phone, epoch(&log, 1), NOW).unwrap();
    let link = invite(&mut log, &alice().phone, 1, Role::Member, 1);
    let mut bobs = log.clone();
    let mut carols = log.clone();
    let joins = [
        join(&mut bobs, &bob().phone, &link),
        join(&mut carols, &carol().phone, &link),
    ];
    // Each of the two may have been given the keys by somebody who knew of no other.
    bobs.author(&bob().phone, epoch(&bobs, 2), NOW).unwrap();
    carols
        .author(&carol().phone, epoch(&carols, 3), NOW)
        .unwrap();
    meet(&mut bobs, &mut carols);
    pull(&mut log, &bobs);
    assert_eq!(joins.iter().filter(|join| stands(&log, join)).count(), 1);
    assert_eq!(usable(&log), None);
    log.author(&alice().phone, epoch(&log, 4), NOW).unwrap();
    assert_eq!(usable(&log), Some(4));
    let mut fresh = ControlLog::new(log.channel());
    pull(&mut fresh, &log);
    assert_eq!(usable(&fresh), Some(4));
}

#[test]
fn an_epoch_is_named_once() {
    let mut log = founded();
    admit(&mut log, 1, Role::Member, bob());
    let before = head(&log);
    let made = log.author(&alice().phone, epoch(&log, 1), NOW).unwrap();
    let denied = log.author(&bob().phone, epoch(&log, 1), NOW);
    assert_eq!(denied, Err(Denied::Rule(Rule::MadeBefore)));
    // Bob claims to have named it first, with another beginning.
    let Body::Epoch(mut copy) = epoch(&log, 1) else {
        panic!("an epoch")
    };
    copy.first_window = Window(0);
    let copied = forge(&log, &bob().phone, &[&before], NOW, Body::Epoch(copy));
    log.insert(copied.clone());
    assert_eq!(
        verdict(&log, &copied),
        Verdict::Void(Rule::Outranked { by: made.id() })
    );
    assert_eq!(
        log.roster().epochs[&EpochId([1; 16])].first_window,
        Window(2_400)
    );
}

#[test]
fn an_epoch_says_what_it_replaces_and_for_whom_it_is() {
    let mut log = founded();
    log.author(&alice().phone, epoch(&log, 1), NOW).unwrap();
    let hash = log.roster().hash();
    admit(&mut log, 1, Role::Member, bob());
    let Body::Epoch(op) = epoch(&log, 2) else {
        panic!("an epoch")
    };
    assert_eq!(op.replaces, [EpochId([1; 16])]);
    assert_ne!(op.roster_hash, hash);
}
