//! Certificates in the log: new devices, lost ones, recovered accounts.

use super::*;
use crate::identity::recover_account;

fn tablet(of: &Person) -> (DeviceSecrets, Certificate) {
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    let new = NewDevice::generate(of.account(), "tablet", &mut rng).unwrap();
    let certificate = of.phone.admit(&new.record, false).unwrap();
    (
        new.certified(certificate.clone(), None).unwrap(),
        certificate,
    )
}

#[test]
fn a_new_device_acts_once_its_certificate_is_in_the_log() {
    let mut log = founded();
    let (tablet, certificate) = tablet(alice());
    let denied = log.author(&tablet, name("too soon"), NOW);
    assert_eq!(denied, Err(Denied::Rule(Rule::NotTheirDevice)));
    log.author(&alice().phone, devices(certificate), NOW)
        .unwrap();
    log.author(&tablet, name("on the tablet"), NOW).unwrap();
    assert!(log.roster().devices[&tablet.device()].active);
}

#[test]
fn an_older_certificate_has_no_effect() {
    let mut log = founded();
    let old = alice().phone.certificate.clone();
    let denied = log.author(&alice().phone, devices(old.clone()), NOW);
    assert_eq!(denied, Err(Denied::Rule(Rule::OldCertificate)));
    let (tablet, newer) = tablet(alice());
    let first = head(&log);
    log.author(&alice().phone, devices(newer), NOW).unwrap();
    // Replayed as if its author had seen nothing of the newer one.
    let replayed = forge(&log, &alice().laptop, &[&first], NOW, devices(old));
    log.insert(replayed);
    assert!(log.roster().devices[&tablet.device()].active);
}

#[test]
fn a_certificate_of_another_account_is_void() {
    let mut log = founded();
    admit(&mut log, 1, Role::Member, bob());
    let (_, certificate) = tablet(bob());
    let denied = log.author(&alice().phone, devices(certificate), NOW);
    assert_eq!(denied, Err(Denied::Rule(Rule::BadCertificate)));
}

#[test]
fn a_dismissed_device_acts_no_more_and_is_not_forgotten() {
    let mut log = founded();
    let laptop = alice().laptop.device();
    let before = log
        .author(&alice().laptop, topic("while it could"), NOW)
        .unwrap();
    let certificate = alice().phone.revoke(&laptop).unwrap();
    log.author(&alice().phone, devices(certificate), NOW)
        .unwrap();
    let denied = log.author(&alice().laptop, name("stolen"), NOW);
    assert_eq!(denied, Err(Denied::Rule(Rule::NotTheirDevice)));
    assert!(stands(&log, &before));
    assert_eq!(log.roster().account_of(&laptop), Some(alice().account()));
    assert!(
        log.roster()
            .by_transport(&alice().laptop.transport_key())
            .is_none()
    );
}

#[test]
fn what_a_dismissed_device_did_meanwhile_is_void() {
    let mut log = founded();
    let first = head(&log);
    let certificate = alice().phone.revoke(&alice().laptop.device()).unwrap();
    let dismissed = log
        .author(&alice().phone, devices(certificate), NOW)
        .unwrap();
    let backdated = forge(&log, &alice().laptop, &[&first], NOW, name("stolen"));
    log.insert(backdated.clone());
    let rule = Rule::DeviceRevoked { by: dismissed.id() };
    assert_eq!(verdict(&log, &backdated), Verdict::Void(rule));
    assert_eq!(log.roster().name, "tea");
}

#[test]
fn what_two_certificates_say_at_once_counts_both() {
    let mut log = founded();
    let mut other = log.clone();
    let (tablet, certificate) = tablet(alice());
    log.author(&alice().phone, devices(certificate), NOW)
        .unwrap();
    let dismissing = alice().laptop.revoke(&alice().phone.device()).unwrap();
    other
        .author(&alice().laptop, devices(dismissing), NOW)
        .unwrap();
    meet(&mut log, &mut other);
    for copy in [&log, &other] {
        let active = |device: &DeviceSecrets| copy.roster().devices[&device.device()].active;
        assert!(active(&tablet) && active(&alice().laptop));
        assert!(!active(&alice().phone));
    }
}

#[test]
fn a_recovered_account_brings_its_own_news() {
    let mut log = founded();
    let mut rng = ChaCha20Rng::seed_from_u64(8);
    let new = recover_account(&alice().phrase, 2, ("alice", "new phone"), &mut rng).unwrap();
    log.author(&new, devices(new.certificate.clone()), NOW)
        .unwrap();
    log.author(&new, name("mine again"), NOW).unwrap();
    let denied = log.author(&alice().phone, name("thief's"), NOW);
    assert_eq!(denied, Err(Denied::Rule(Rule::NotTheirDevice)));
    assert_eq!(log.roster().role(&alice().account()), Some(Role::Owner));
}

#[test]
fn a_device_that_another_account_brought_first_stays_that_accounts() {
    let mut log = founded();
    // Mallory lists a device of his own in two accounts.
    let shared = bob().phone.signing.clone();
    let record = crate::identity::DeviceRecord {
        device: bob().phone.device(),
        account: carol().account(),
        transport: alice().phone.transport_key(),
        name: "two-faced".to_owned(),
        incarnation: 0,
    };
    let certificate = carol().phone.admit(&record.sign(&shared), false).unwrap();
    admit(&mut log, 1, Role::Member, bob());
    let link = invite(&mut log, &alice().phone, 2, Role::Member, 1);
    let two_faced = DeviceSecrets {
        account: carol().account(),
        ..bob().phone.clone()
    };
    let joining = link.joining(&certificate).unwrap();
    let denied = log.author(&two_faced, joining.clone(), NOW);
    assert_eq!(denied, Err(Denied::Rule(Rule::NotTheirDevice)));
    log.author(&carol().phone, joining, NOW).unwrap();
    let roster = log.roster();
    assert_eq!(
        roster.account_of(&bob().phone.device()),
        Some(bob().account())
    );
    assert_eq!(roster.devices[&bob().phone.device()].name, "phone");
    let (found, _) = roster.by_transport(&alice().phone.transport_key()).unwrap();
    assert_eq!(found, alice().phone.device());
    let denied = log.author(&two_faced, Body::Leave, NOW);
    assert_eq!(denied, Err(Denied::Rule(Rule::NotTheirDevice)));
}

#[test]
fn who_comes_back_may_not_bring_an_older_certificate() {
    let mut log = founded();
    admit(&mut log, 1, Role::Member, bob());
    let dismissing = bob().phone.revoke(&bob().laptop.device()).unwrap();
    log.author(&bob().phone, devices(dismissing), NOW).unwrap();
    log.author(&bob().phone, Body::Leave, NOW).unwrap();
    let link = invite(&mut log, &alice().phone, 2, Role::Member, 1);
    let body = link.joining(&bob().laptop.certificate).unwrap();
    let denied = log.author(&bob().laptop, body, NOW);
    assert_eq!(denied, Err(Denied::Rule(Rule::OldCertificate)));
}

#[test]
fn the_newest_certificate_counts_whatever_came_first_and_no_device_is_forgotten() {
    // The second version, with a tablet, comes behind the third, without.
    let mut log = founded();
    let mut other = log.clone();
    let (tablet, second) = tablet(alice());
    let mut phone = alice().phone.clone();
    phone.adopt(second.clone()).unwrap();
    let third = phone.revoke(&tablet.device()).unwrap();
    log.author(&alice().phone, devices(third), NOW).unwrap();
    other
        .author(&alice().phone, topic("a later op"), NOW)
        .unwrap();
    other.author(&alice().phone, devices(second), NOW).unwrap();
    meet(&mut log, &mut other);
    for copy in [&log, &other] {
        let known = &copy.roster().devices[&tablet.device()];
        assert_eq!((known.account, known.active), (alice().account(), false));
    }
}

#[test]
fn the_oldest_certificate_without_a_device_revokes_it() {
    // Alice dismisses the laptop and later gets a tablet. The certificate with the tablet comes
    // into the log first, from a copy that knew what the laptop had done; the other did not.
    let mut log = founded();
    let mut other = log.clone();
    let mut phone = alice().phone.clone();
    let second = phone.revoke(&alice().laptop.device()).unwrap();
    phone.adopt(second.clone()).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    let tablet = NewDevice::generate(alice().account(), "tablet", &mut rng).unwrap();
    let third = phone.admit(&tablet.record, false).unwrap();
    let by_laptop = log.author(&alice().laptop, name("laptop's"), NOW).unwrap();
    log.author(&alice().phone, devices(third), NOW).unwrap();
    for n in 0..5 {
        other
            .author(&alice().phone, topic(&n.to_string()), NOW)
            .unwrap();
    }
    let revoking = other.author(&alice().phone, devices(second), NOW).unwrap();
    meet(&mut log, &mut other);
    let rule = Rule::DeviceRevoked { by: revoking.id() };
    assert_eq!(verdict(&log, &by_laptop), Verdict::Void(rule));
}

#[test]
fn a_certificate_counts_even_if_its_account_left_meanwhile() {
    let mut log = founded();
    admit(&mut log, 1, Role::Member, bob());
    let mut laptop = log.clone();
    let (tablet, certificate) = tablet(bob());
    log.author(&bob().phone, Body::Leave, NOW).unwrap();
    let brought = laptop
        .author(&bob().laptop, devices(certificate), NOW)
        .unwrap();
    meet(&mut log, &mut laptop);
    assert!(stands(&log, &brought));
    assert_eq!(
        log.roster().account_of(&tablet.device()),
        Some(bob().account())
    );
    assert!(!log.roster().devices[&tablet.device()].active);
}
