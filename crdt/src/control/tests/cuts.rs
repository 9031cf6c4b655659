//! Devices that were cut off: what of their messages is shown.

use super::*;
use crate::identity::{Certificate, recover_account};
use crate::ids::{LogId, Place, SegmentId, Writer};

const DAY: u32 = 20_000;

fn segment(day: u32) -> SegmentId {
    SegmentId {
        window: Window(24 * day),
        index: 0,
    }
}

fn place(device: &DeviceSecrets, day: u32, seq: u32) -> Place {
    let writer = Writer {
        device: device.device(),
        incarnation: 0,
    };
    let segment = segment(day);
    LogId { segment, writer }.place(seq)
}

fn saw(device: &DeviceSecrets, seq: u32) -> LastSeen {
    LastSeen::new([(place(device, DAY, 1).log, seq)])
}

fn revoking(by: &DeviceSecrets, device: &DeviceSecrets, last_seen: LastSeen) -> Body {
    Body::Devices {
        certificate: by.revoke(&device.device()).unwrap(),
        last_seen: Some(last_seen),
    }
}

/// How many of the messages that a device wrote on a day are shown, of a hundred.
fn shown(log: &ControlLog, device: &DeviceSecrets, day: u32) -> usize {
    let (roster, sealed) = (log.roster(), EpochId([0; 16]));
    let account = device.account;
    let place = |seq| place(device, day, seq);
    let is_shown = |seq: &u32| roster.hidden_by(&account, &place(*seq), &sealed).is_none();
    let shown = (1..=100).filter(is_shown).count();
    let last = place(100);
    assert_eq!(roster.counts(&last.log), shown > 0);
    let all = roster.counts_up_to(&account, Right::Write, &last);
    assert!(!all || shown == 100);
    shown
}

#[test]
fn what_nobody_had_of_a_revoked_device_is_not_shown() {
    let mut log = founded();
    let phone = &alice().phone;
    assert_eq!(shown(&log, &alice().laptop, DAY), 100);
    let body = revoking(phone, &alice().laptop, saw(&alice().laptop, 7));
    let revoked = log.author(phone, body, NOW).unwrap();
    assert_eq!(shown(&log, &alice().laptop, DAY), 7);
    assert_eq!(shown(&log, &alice().laptop, DAY + 1), 0);
    assert_eq!(shown(&log, phone, DAY + 1), 100);
    let hidden = place(&alice().laptop, DAY, 8);
    let by = log
        .roster()
        .hidden_by(&alice().account(), &hidden, &EpochId([0; 16]));
    assert_eq!(by, Some(revoked.id()));
    let laptop = alice().laptop.device();
    assert_eq!(log.roster().cut_off_by(&laptop), Some(revoked.id()));
}

#[test]
fn of_what_is_said_at_the_same_time_that_of_the_maker_counts() {
    let (tablet, listed) = tablet();
    let mut phone = alice().phone.clone();
    phone.certificate = listed.clone();
    // The two ops come in either order. Each has a list of its own making, or the laptop brings the
    // phone's.
    let moments = (0..4).flat_map(|moment| [(3, 5, moment), (5, 3, moment)]);
    for (by_phone, by_laptop, moment) in moments {
        for is_phones in [false, true] {
            let mut log = founded();
            let body = devices(listed.clone());
            log.author(&phone, body, NOW).unwrap();
            let mut other = log.clone();
            let mut laptop = alice().laptop.clone();
            laptop.certificate = listed.clone();
            let body = revoking(&phone, &tablet, saw(&tablet, by_phone));
            log.author(&phone, body, NOW).unwrap();
            let maker = if is_phones { &phone } else { &laptop };
            let body = revoking(maker, &tablet, saw(&tablet, by_laptop));
            other.author(&laptop, body, NOW.plus(moment)).unwrap();
            assert_eq!(shown(&log, &tablet, DAY), by_phone as usize);
            assert_eq!(shown(&other, &tablet, DAY), by_laptop as usize);
            meet(&mut log, &mut other);
            let expected = if is_phones { by_phone as usize } else { 5 };
            assert_eq!(shown(&log, &tablet, DAY), expected);
            assert_eq!(shown(&other, &tablet, DAY), expected);
        }
    }
}

#[test]
fn the_word_of_a_device_that_is_cut_off_itself_does_not_count() {
    // Whoever found the laptop revokes the phone, and says that nobody had anything of it.
    let mut log = founded();
    let mut thief = log.clone();
    let (phone, laptop) = (&alice().phone, &alice().laptop);
    log.author(phone, revoking(phone, laptop, saw(laptop, 9)), NOW)
        .unwrap();
    let body = revoking(laptop, phone, LastSeen::new([]));
    let forged = thief.author(laptop, body, NOW).unwrap();
    meet(&mut log, &mut thief);
    // Each cut the other off, so neither's word counts, and both are out: the phrase decides.
    assert!(matches!(
        verdict(&log, &forged),
        Verdict::Void(Rule::DeviceRevoked { .. })
    ));
    for device in [phone, laptop] {
        assert!(log.roster().is_cut_off(&device.device()));
        assert_eq!(shown(&log, device, DAY), 100);
    }
    let mut rng = ChaCha20Rng::seed_from_u64(8);
    let new = recover_account(&alice().phrase, 2, ("alice", "new phone"), &mut rng).unwrap();
    let body = Body::Devices {
        certificate: new.certificate.clone(),
        last_seen: Some(saw(phone, 20)),
    };
    log.author(&new, body, NOW).unwrap();
    log.author(&new, name("mine again"), NOW).unwrap();
    assert_eq!(log.roster().name, "mine again");
    // Whoever brings the account back says what was had of both.
    assert_eq!((shown(&log, phone, DAY), shown(&log, laptop, DAY)), (20, 0));
}

#[test]
fn the_phrase_hides_what_devices_wrote_that_nobody_had_heard_of() {
    // Whoever has the laptop takes in a device of their own while the account is recovered; of the
    // two ops either may come first in the order.
    for ops_before in [0, 5] {
        let mut log = founded();
        let mut thief = log.clone();
        let (phone, laptop) = (&alice().phone, &alice().laptop);
        for number in 0..ops_before {
            log.author(phone, topic(&number.to_string()), NOW).unwrap();
        }
        let mut rng = ChaCha20Rng::seed_from_u64(8);
        let new = recover_account(&alice().phrase, 2, ("alice", "new phone"), &mut rng).unwrap();
        let body = Body::Devices {
            certificate: new.certificate.clone(),
            last_seen: Some(saw(phone, 20)),
        };
        let recovered = log.author(&new, body, NOW).unwrap();
        let (theirs, certificate) = tablet();
        let body = devices(certificate);
        thief.author(laptop, body, NOW).unwrap();
        let renamed = thief.author(&theirs, name("thief's"), NOW).unwrap();
        meet(&mut log, &mut thief);
        let mut late = log.clone();
        late.author(&new, topic("later"), NOW).unwrap();
        for log in [&log, &thief, &late] {
            let rule = Rule::DeviceRevoked { by: recovered.id() };
            assert_eq!(verdict(log, &renamed), Verdict::Void(rule));
            assert_eq!(shown(log, phone, DAY), 20);
            assert_eq!((shown(log, laptop, DAY), shown(log, &theirs, DAY)), (0, 0));
            assert!(!log.roster().devices[&theirs.device()].active);
            assert_eq!(log.roster().name, "tea");
        }
    }
}

#[test]
fn a_device_does_not_bring_the_certificate_that_cuts_it_off() {
    let mut log = founded();
    let (phone, laptop) = (&alice().phone, &alice().laptop);
    let everything = LastSeen::new([(place(laptop, DAY + 1_000, 1).log, 1)]);
    let body = revoking(phone, laptop, everything);
    let denied = log.author(laptop, body.clone(), NOW);
    assert_eq!(denied, Err(Denied::Rule(Rule::NotTheirDevice)));
    let first = head(&log);
    let forged = forge(&log, laptop, &[&first], NOW, body);
    log.insert(forged.clone());
    assert!(!stands(&log, &forged));
    assert!(!log.roster().is_cut_off(&laptop.device()));
}

fn tablet() -> (DeviceSecrets, Certificate) {
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    let new = NewDevice::generate(alice().account(), "tablet", &mut rng).unwrap();
    let certificate = alice().phone.admit(&new.record, true).unwrap();
    let management = alice().phone.management.clone();
    (
        new.certified(certificate.clone(), management).unwrap(),
        certificate,
    )
}
