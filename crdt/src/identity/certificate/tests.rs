use super::*;
use crate::crypto::secret::Secret;

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&Secret::new([number; 32]))
}

fn account() -> AccountId {
    AccountId(key(1).public())
}

fn record(number: u8) -> DeviceRecord {
    DeviceRecord {
        device: DeviceId(key(number).public()),
        account: account(),
        transport: TransportKey([number; 32]),
        name: format!("device {number}"),
        incarnation: 0,
    }
}

fn list(devices: &[u8]) -> DeviceList {
    let mut ids: Vec<DeviceId> = devices.iter().map(|n| DeviceId(key(*n).public())).collect();
    ids.sort_unstable();
    DeviceList {
        account: account(),
        epoch: 1,
        version: 1,
        name: "Ada".to_owned(),
        devices: ids,
    }
}

fn certificate(list: &DeviceList, devices: &[u8]) -> Certificate {
    Certificate {
        account_epoch: AccountEpoch {
            account: account(),
            n: 1,
            management: key(2).public(),
        }
        .sign(&key(1)),
        device_list: list.sign(&key(2)),
        records: devices.iter().map(|n| record(*n).sign(&key(*n))).collect(),
    }
}

fn good() -> Certificate {
    certificate(&list(&[3, 4]), &[3, 4])
}

#[test]
fn a_certificate_says_who_has_which_devices() {
    let certified = good().verify().unwrap();
    assert_eq!(
        (certified.account, certified.epoch, certified.version),
        (account(), 1, 1)
    );
    assert_eq!(certified.devices[&DeviceId(key(4).public())], record(4));
}

#[test]
fn every_signature_counts() {
    let break_it = |which: fn(&mut Certificate) -> &mut Signed, what| {
        let mut certificate = good();
        which(&mut certificate).signature[5] ^= 1;
        assert_eq!(
            certificate.verify(),
            Err(CertificateError::BadSignature(what))
        );
    };
    break_it(
        |certificate| &mut certificate.account_epoch,
        "account-epoch",
    );
    break_it(|certificate| &mut certificate.device_list, "device-list");
    break_it(|certificate| &mut certificate.records[1], "device-record");
}

#[test]
fn there_is_one_record_for_each_listed_device_and_no_other() {
    for records in [&[3][..], &[3, 4, 5], &[3, 3], &[3, 5], &[]] {
        let outcome = certificate(&list(&[3, 4]), records).verify();
        assert_eq!(outcome, Err(CertificateError::Mismatch), "{records:?}");
    }
}

#[test]
fn parts_of_other_accounts_and_epochs_do_not_fit() {
    let mut other_epoch = list(&[3, 4]);
    other_epoch.epoch = 2;
    let mut other_account = list(&[3, 4]);
    other_account.account = AccountId([9; 32]);
    for list in [other_epoch, other_account] {
        let outcome = certificate(&list, &[3, 4]).verify();
        assert_eq!(outcome, Err(CertificateError::Mismatch));
    }
    let mut foreign = good();
    foreign.records[0] = DeviceRecord {
        account: AccountId([9; 32]),
        ..record(3)
    }
    .sign(&key(3));
    assert_eq!(foreign.verify(), Err(CertificateError::Mismatch));
}

#[test]
fn a_list_signed_by_anyone_but_the_management_key_is_worth_nothing() {
    let mut certificate = good();
    certificate.device_list = list(&[3, 4]).sign(&key(1));
    assert_eq!(
        certificate.verify(),
        Err(CertificateError::BadSignature("device-list"))
    );
}

#[test]
fn bounds_are_checked() {
    let mut unsorted = list(&[3, 4]);
    unsorted.devices.reverse();
    assert!(matches!(
        certificate(&unsorted, &[3, 4]).verify(),
        Err(CertificateError::Part(_))
    ));
    let mut long = list(&[3, 4]);
    long.name = "x".repeat(NAME_MAX_CHARS + 1);
    assert!(matches!(
        certificate(&long, &[3, 4]).verify(),
        Err(CertificateError::Part(_))
    ));
    let many: Vec<u8> = (3..=35).collect();
    let outcome = certificate(&list(&many), &many).verify();
    assert_eq!(outcome, Err(CertificateError::TooManyDevices(33)));
    assert!(
        certificate(&list(&many[..32]), &many[..32])
            .verify()
            .is_ok()
    );
}

#[test]
fn the_newer_certificate_counts_and_at_a_tie_the_smaller_hash() {
    let base = good().verify().unwrap();
    let newer = Certified {
        version: 2,
        ..base.clone()
    };
    let recovered = Certified {
        epoch: 2,
        version: 1,
        ..base.clone()
    };
    let smaller = Certified {
        list_hash: [0; 32],
        ..base.clone()
    };
    assert!(newer.supersedes(&base) && !base.supersedes(&newer));
    assert!(recovered.supersedes(&newer) && smaller.supersedes(&base));
    assert!(!base.supersedes(&base));
}
