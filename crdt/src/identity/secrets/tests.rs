use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::encoding;

fn created() -> (Phrase, DeviceSecrets, ChaCha20Rng) {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let phrase = Phrase::random(&mut rng);
    let secrets = create_account(&phrase, "Ada", "phone", &mut rng).unwrap();
    (phrase, secrets, rng)
}

fn linked(to: &DeviceSecrets, name: &str, rng: &mut ChaCha20Rng) -> DeviceSecrets {
    let new = NewDevice::generate(to.account, name, rng).unwrap();
    let certificate = to.admit(&new.record, false).unwrap();
    new.certified(certificate, None).unwrap()
}

#[test]
fn an_account_is_its_phrase() {
    let (phrase, secrets, _) = created();
    let certified = secrets.certificate.verify().unwrap();
    assert_eq!(secrets.account.0, phrase.recovery_key().public());
    assert_eq!(certified.account, secrets.account);
    let record = &certified.devices[&secrets.device()];
    assert_eq!(record.transport, secrets.transport_key());
    assert_eq!(
        (certified.name.as_str(), record.name.as_str()),
        ("Ada", "phone")
    );
}

#[test]
fn secrets_survive_the_vault_and_do_not_show_themselves() {
    let (_, secrets, _) = created();
    let bytes = encoding::encode(&secrets);
    let opened: DeviceSecrets = encoding::decode(&bytes, usize::MAX).unwrap();
    assert_eq!(opened.device(), secrets.device());
    assert_eq!(opened.transport, secrets.transport);
    assert_eq!(opened.certificate, secrets.certificate);
    assert_eq!(encoding::encode(&opened), bytes);
    let shown = format!("{secrets:?}");
    assert!(!shown.contains(&format!(
        "{:?}",
        secrets.signing.seed().expose()[0..4].to_vec()
    )));
    let mut newer = bytes.clone();
    newer[1] = 2;
    assert!(encoding::decode::<DeviceSecrets>(&newer, usize::MAX).is_err());
}

#[test]
fn a_device_is_admitted_and_revoked_by_one_that_may_manage() {
    let (_, mut phone, mut rng) = created();
    let laptop = linked(&phone, "laptop", &mut rng);
    assert_eq!(laptop.certificate.verify().unwrap().version, 2);
    assert_eq!(phone.adopt(laptop.certificate.clone()), Ok(true));
    assert_eq!(phone.adopt(laptop.certificate.clone()), Ok(false));
    assert_eq!(
        laptop.revoke(&phone.device()),
        Err(IdentityError::NoManagementKey)
    );
    let without = phone.revoke(&laptop.device()).unwrap();
    assert_eq!(without.verify().unwrap().devices.len(), 1);
    phone.adopt(without.clone()).unwrap();
    assert_eq!(
        phone.revoke(&laptop.device()),
        Err(IdentityError::NotListed)
    );
    assert_eq!(phone.revoke(&phone.device()), Err(IdentityError::Itself));
    // It does not come back, neither by its record nor by the certificate that listed it.
    let mut records = laptop.certificate.records.iter();
    let record = records.find(|record| {
        DeviceRecord::verify(record).is_ok_and(|record| record.device == laptop.device())
    });
    assert_eq!(
        phone.admit(record.unwrap(), true),
        Err(IdentityError::Revoked)
    );
    assert_eq!(phone.adopt(laptop.certificate.clone()), Ok(false));
    let mut told = laptop.clone();
    assert_eq!(told.adopt(without), Err(IdentityError::NotListed));
    assert_eq!(told.certificate, laptop.certificate);
}

#[test]
fn two_that_change_the_list_at_the_same_time_come_to_the_same_certificate() {
    let (_, mut phone, mut rng) = created();
    let old = linked(&phone, "old laptop", &mut rng);
    phone.adopt(old.certificate.clone()).unwrap();
    let new = NewDevice::generate(phone.account, "tower", &mut rng).unwrap();
    phone.certificate = phone.admit(&new.record, true).unwrap();
    let mut tower = new
        .certified(phone.certificate.clone(), phone.management.clone())
        .unwrap();
    let tablet = linked(&phone, "tablet", &mut rng);
    phone.certificate = tablet.certificate.clone();
    tower.certificate = tower.revoke(&old.device()).unwrap();
    let again = tower.certificate.records[0].clone();
    tower.certificate = tower.admit(&again, true).unwrap();
    let (from_phone, from_tower) = (phone.certificate.clone(), tower.certificate.clone());
    assert_eq!(phone.adopt(from_tower.clone()), Ok(true));
    assert_eq!(tower.adopt(from_phone.clone()), Ok(true));
    assert_eq!(phone.certificate, tower.certificate);
    let together = phone.certificate.verify().unwrap();
    let devices: Vec<DeviceId> = together.devices.keys().copied().collect();
    let mut expected = [phone.device(), tower.device(), tablet.device()];
    expected.sort_unstable();
    assert_eq!(devices, expected);
    assert_eq!(
        together.managing,
        [phone.device(), tower.device()].into_iter().collect()
    );
    assert_eq!(together.revoked, [old.device()].into_iter().collect());
    // One that does not manage keeps what lists it, and takes what says both.
    let mut by_tablet = tablet.clone();
    assert_eq!(by_tablet.adopt(from_tower), Ok(false));
    assert_eq!(by_tablet.certificate, tablet.certificate);
    assert_eq!(by_tablet.adopt(phone.certificate.clone()), Ok(true));
    assert_eq!(by_tablet.certificate, phone.certificate);
}

#[test]
fn two_that_are_recovered_at_the_same_time_go_on_together() {
    let (phrase, lost, mut rng) = created();
    let last = lost.certificate.verify().unwrap();
    let mut recover = || recover_account(&phrase, 2, (&last.name, "new"), &mut rng).unwrap();
    let (mut one, mut other) = (recover(), recover());
    let (first, second) = (one.certificate.clone(), other.certificate.clone());
    one.adopt(second).unwrap();
    other.adopt(first).unwrap();
    let (by_one, by_other) = (one.certificate.clone(), other.certificate.clone());
    one.adopt(by_other).unwrap();
    other.adopt(by_one).unwrap();
    let certified = [&one, &other].map(|secrets| secrets.certificate.verify().unwrap());
    assert!(certified[0].says_what(&certified[1]));
    assert_eq!(certified[0].devices.len(), 2);
}

#[test]
fn the_phrase_cuts_off_whoever_has_the_devices() {
    let (phrase, stolen, mut rng) = created();
    let last = stolen.certificate.verify().unwrap();
    let n = recovery_epoch(Millis(1_800_000_000_123));
    let recovered = recover_account(&phrase, n, ("Ada", "new phone"), &mut rng).unwrap();
    let certified = recovered.certificate.verify().unwrap();
    assert!(certified.supersedes(&last));
    assert_eq!((certified.epoch, certified.version), (1_800_000_000, 1));
    assert!(!certified.devices.contains_key(&stolen.device()));
    let thief = linked(&stolen, "thief", &mut rng);
    assert!(certified.supersedes(&thief.certificate.verify().unwrap()));
    // Of two recoveries the later one counts.
    let n = recovery_epoch(Millis(1_800_000_001_123));
    let again = recover_account(&phrase, n, ("Ada", "newer phone"), &mut rng).unwrap();
    assert!(again.certificate.verify().unwrap().supersedes(&certified));
    assert_eq!(recovery_epoch(Millis(0)), 2);
}

#[test]
fn records_and_certificates_of_others_are_not_taken() {
    let (_, phone, mut rng) = created();
    let other = Phrase::random(&mut rng);
    let mut stranger = create_account(&other, "Eve", "phone", &mut rng).unwrap();
    let record = stranger.certificate.records[0].clone();
    assert_eq!(
        phone.admit(&record, false),
        Err(IdentityError::OtherAccount)
    );
    assert_eq!(
        stranger.adopt(phone.certificate.clone()),
        Err(IdentityError::OtherAccount)
    );
    let new = NewDevice::generate(phone.account, "tablet", &mut rng).unwrap();
    let unlisted = new.certified(phone.certificate.clone(), None);
    assert_eq!(unlisted.unwrap_err(), IdentityError::NotListed);
}

#[test]
fn an_account_has_a_bounded_number_of_devices_with_bounded_names() {
    let (phrase, mut phone, mut rng) = created();
    for number in 1..DEVICES_PER_ACCOUNT {
        let new = NewDevice::generate(phone.account, &number.to_string(), &mut rng).unwrap();
        phone.certificate = phone.admit(&new.record, false).unwrap();
    }
    let last = NewDevice::generate(phone.account, "last", &mut rng).unwrap();
    assert_eq!(
        phone.admit(&last.record, false),
        Err(IdentityError::TooManyDevices)
    );
    let long = "x".repeat(NAME_MAX_CHARS + 1);
    assert_eq!(
        create_account(&phrase, &long, "a", &mut rng).unwrap_err(),
        IdentityError::Name
    );
    assert_eq!(
        create_account(&phrase, "a", "a\nb", &mut rng).unwrap_err(),
        IdentityError::Name
    );
}
