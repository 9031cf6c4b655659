//! Linking a device: the link, what the two say, and the code that comes of it.

use kith_crdt::crypto::secret::Secret;
use kith_crdt::crypto::sign::SecretKey;
use kith_crdt::device_link::{Ask, DeviceLink, Linked};
use kith_crdt::identity::{DeviceRecord, create_account};
use kith_crdt::ids::{AccountId, ChannelId, DeviceId, TransportKey};
use kith_crdt::sync::{Answer, Refusal, Request};
use kith_crdt::time::Millis;

use super::{assert_recorded, recorded, rng, signing};

pub(super) const RECORDS: &str = include_str!("linking.txt");

const OLD: TransportKey = TransportKey([3; 32]);
const NEW: TransportKey = TransportKey([4; 32]);
const THEIRS: [u8; 32] = [6; 32];

fn link() -> DeviceLink {
    DeviceLink {
        account: AccountId([1; 32]),
        name: "Ada".to_owned(),
        secret: Secret::new([2; 32]),
        expires_at: Millis(1_800_000_000_000),
        host: OLD,
        addresses: vec!["/ip4/192.0.2.1/tcp/4001".to_owned()],
    }
}

fn ask() -> (Ask, [u8; 32]) {
    let record = DeviceRecord {
        device: DeviceId(signing().public()),
        account: link().account,
        transport: NEW,
        name: "laptop".to_owned(),
        incarnation: 0,
    };
    Ask::new(&link(), (&OLD, &NEW), record.sign(&signing()), &mut rng())
}

fn linked() -> Linked {
    let phrase = kith_crdt::crypto::phrase::Phrase::random(&mut rng());
    let secrets = create_account(&phrase, "Ada", "phone", &mut rng()).unwrap();
    Linked {
        certificate: secrets.certificate,
        management: Some(SecretKey::from_seed(&Secret::new([5; 32])).seed()),
    }
}

fn known() -> Answer {
    Answer::Account {
        certificate: Some(Box::new(linked().certificate)),
        channels: vec![ChannelId([5; 32]), ChannelId([6; 32])],
    }
}

#[test]
fn linking_is_as_recorded() {
    let (ask, nonce) = ask();
    let code = link().code((&OLD, &NEW), &ask.record, (&THEIRS, &nonce));
    let pictures = code.pictures().map(|(picture, _)| picture).concat();
    let made = [
        ("link", link().to_string().into_bytes()),
        ("ask", Request::Link(Box::new(ask)).to_bytes()),
        ("nonce", Answer::LinkNonce { nonce: THEIRS }.to_bytes()),
        ("open", Request::LinkOpen { nonce }.to_bytes()),
        ("digits", code.digits().into_bytes()),
        ("pictures", pictures.into_bytes()),
        ("awaited", Answer::LinkAwaited.to_bytes()),
        ("linked", Answer::Linked(Box::new(linked())).to_bytes()),
        ("expired", Answer::Refused(Refusal::LinkExpired).to_bytes()),
        ("over", Answer::Refused(Refusal::LinkOver).to_bytes()),
        (
            "account",
            Request::Account(Box::new(linked().certificate)).to_bytes(),
        ),
        ("account-known", known().to_bytes()),
    ];
    assert_recorded(RECORDS, &made);
}

#[test]
fn what_was_recorded_of_linking_is_read() {
    let text = String::from_utf8(recorded(RECORDS, "link")).unwrap();
    assert_eq!(text.parse(), Ok(link()));
    let (ask, nonce) = ask();
    let request = |name| Request::parse(&recorded(RECORDS, name)).unwrap();
    let answer = |name| Answer::parse(&recorded(RECORDS, name)).unwrap();
    assert_eq!(ask.verify(&link(), (&OLD, &NEW)), Ok(()));
    assert_eq!(request("ask"), Request::Link(Box::new(ask)));
    assert_eq!(request("open"), Request::LinkOpen { nonce });
    assert_eq!((request("ask").tag(), request("open").tag()), (None, None));
    assert_eq!(answer("nonce"), Answer::LinkNonce { nonce: THEIRS });
    assert_eq!(answer("awaited"), Answer::LinkAwaited);
    assert_eq!(answer("linked"), Answer::Linked(Box::new(linked())));
    assert_eq!(answer("expired"), Answer::Refused(Refusal::LinkExpired));
    assert_eq!(answer("over"), Answer::Refused(Refusal::LinkOver));
    let certificate = Box::new(linked().certificate);
    assert_eq!(request("account"), Request::Account(certificate));
    assert_eq!(answer("account-known"), known());
}
