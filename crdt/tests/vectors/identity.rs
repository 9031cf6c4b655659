//! The bytes of identity and invite links (`docs/protocol.md` sections 3 and 10).

use kith_crdt::crypto::phrase::Phrase;
use kith_crdt::crypto::secret::Secret;
use kith_crdt::crypto::sign::SecretKey;
use kith_crdt::encoding;
use kith_crdt::identity::{
    AccountEpoch, Certificate, DeviceList, DeviceRecord, DeviceSecrets, SafetyNumber,
};
use kith_crdt::ids::{AccountId, ChannelId, DeviceId, TransportKey};
use kith_crdt::link::{InviteLink, verify_proof};
use kith_crdt::time::Millis;

use super::{assert_recorded, recorded};

pub(super) const RECORDS: &str = include_str!("identity.txt");

/// The phrase of 32 zero bytes of entropy.
fn phrase() -> Phrase {
    Phrase::parse(&format!("{}art", "abandon ".repeat(23))).unwrap()
}

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&Secret::new([number; 32]))
}

fn account_epoch() -> AccountEpoch {
    let account = AccountId(phrase().recovery_key().public());
    AccountEpoch {
        account,
        n: 1,
        management: key(2).public(),
    }
}

fn device_list() -> DeviceList {
    DeviceList {
        account: account_epoch().account,
        epoch: 1,
        version: 3,
        name: "Ada".to_owned(),
        devices: vec![DeviceId(key(3).public())],
        revoked: vec![DeviceId([7; 32])],
        managing: vec![DeviceId(key(3).public())],
        maker: Some(DeviceId(key(3).public())),
    }
}

fn device_record() -> DeviceRecord {
    DeviceRecord {
        device: DeviceId(key(3).public()),
        account: account_epoch().account,
        transport: TransportKey(key(4).public()),
        name: "Ada's phone 📱".to_owned(),
        incarnation: 1,
    }
}

fn certificate() -> Certificate {
    Certificate {
        account_epoch: account_epoch().sign(&phrase().recovery_key()),
        device_list: device_list().sign(&key(2)),
        records: vec![device_record().sign(&key(3))],
    }
}

fn secrets() -> DeviceSecrets {
    DeviceSecrets {
        account: account_epoch().account,
        signing: key(3),
        transport: Secret::new([4; 32]),
        management: Some(key(2)),
        certificate: certificate(),
        incarnation: 1,
    }
}

fn link() -> InviteLink {
    InviteLink {
        channel: ChannelId([5; 32]),
        name: "tea".to_owned(),
        secret: Secret::new([6; 32]),
        expires_at: Millis(1_800_000_000_000),
        hosts: vec![(
            TransportKey([7; 32]),
            vec!["/ip4/192.0.2.1/tcp/4001".to_owned()],
        )],
    }
}

#[test]
fn identity_is_as_recorded() {
    let (asker, answerer) = (TransportKey([8; 32]), TransportKey([9; 32]));
    let certified = certificate().verify().unwrap();
    let made = [
        ("account", account_epoch().account.0.to_vec()),
        (
            "account-epoch",
            encoding::encode(&certificate().account_epoch),
        ),
        ("device-list", encoding::encode(&certificate().device_list)),
        ("device-record", encoding::encode(&certificate().records[0])),
        ("certificate", encoding::encode(&certificate())),
        ("device-list-hash", certified.list_hash.to_vec()),
        ("device-secrets", encoding::encode(&secrets())),
        (
            "safety-number",
            SafetyNumber::of(&account_epoch().account)
                .to_string()
                .into_bytes(),
        ),
        ("invite", link().invite().0.to_vec()),
        ("invite-link", link().to_string().into_bytes()),
        ("proof", link().prove(&asker, &answerer).to_vec()),
        ("countersignature", link().countersign(&certified).to_vec()),
    ];
    assert_recorded(RECORDS, &made);
}

#[test]
fn what_was_recorded_is_read() {
    let read: Certificate = encoding::decode(&recorded(RECORDS, "certificate"), 10_000).unwrap();
    assert_eq!(read.verify(), certificate().verify());
    let kept: DeviceSecrets =
        encoding::decode(&recorded(RECORDS, "device-secrets"), 10_000).unwrap();
    assert_eq!(kept.device(), secrets().device());
    assert_eq!(kept.transport_key(), device_record().transport);
    let pasted = String::from_utf8(recorded(RECORDS, "invite-link")).unwrap();
    assert_eq!(pasted.parse(), Ok(link()));
    let proof = recorded(RECORDS, "proof").try_into().unwrap();
    let (asker, answerer) = (TransportKey([8; 32]), TransportKey([9; 32]));
    verify_proof(&link().channel, &link().invite(), &asker, &answerer, &proof).unwrap();
}

#[test]
fn a_field_from_the_future_is_passed_over() {
    let mut bytes = encoding::encode(&device_list());
    bytes[0] += 2;
    bytes.extend_from_slice(&[0x82, 0x01, 0x60, 0x07]);
    let read: DeviceList = encoding::decode(&bytes, 10_000).unwrap();
    assert_eq!(read, device_list());
}
