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
        revoked: Vec::new(),
        managing: Vec::new(),
        maker: None,
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
    let with = |change: fn(&mut DeviceList)| {
        let mut list = list(&[3, 4]);
        change(&mut list);
        certificate(&list, &[3, 4]).verify()
    };
    assert!(with(|list| list.revoked = (0..128).map(|n| DeviceId([n; 32])).collect()).is_ok());
    assert_eq!(
        with(|list| list.revoked = (0..129).map(|n| DeviceId([n; 32])).collect()),
        Err(CertificateError::TooManyRevoked(129))
    );
    for change in [
        |list: &mut DeviceList| list.revoked = vec![list.devices[0]],
        |list: &mut DeviceList| list.revoked = vec![DeviceId([2; 32]), DeviceId([1; 32])],
        |list: &mut DeviceList| list.managing = vec![DeviceId([1; 32])],
        |list: &mut DeviceList| list.managing = vec![list.devices[0]; 2],
    ] {
        assert!(matches!(with(change), Err(CertificateError::Part(_))));
    }
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
fn a_list_of_an_earlier_version_revokes_nobody() {
    let mut bytes = crate::encoding::encode(&list(&[3, 4]));
    // An array of five, and nothing where the two empty ones were.
    assert_eq!(bytes[0], 0x87);
    bytes[0] = 0x85;
    bytes.truncate(bytes.len() - 2);
    let signed = Signed::new(&key(2), DEVICE_LIST, &[], bytes);
    let certificate = Certificate {
        device_list: signed,
        ..good()
    };
    let certified = certificate.verify().unwrap();
    assert_eq!((certified.devices.len(), certified.version), (2, 1));
    assert!(certified.revoked.is_empty() && certified.managing.is_empty());
}
