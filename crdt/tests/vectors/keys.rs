//! The key schedule and a grant.

use kith_crdt::crypto::secret::Secret;
use kith_crdt::crypto::sign::Signed;
use kith_crdt::encoding::{decode, encode};
use kith_crdt::grant::{KeyAnswer, KeyRequest, request};
use kith_crdt::ids::Window;
use kith_crdt::keyring::Keyring;
use kith_crdt::keys::{EpochKeys, EpochSecret, KeyHashes};
use kith_crdt::term::Term;

use super::{CHANNEL, WINDOW, assert_recorded, recorded, rng, signing};

pub(super) const RECORDS: &str = include_str!("keys.txt");

fn keys() -> EpochKeys {
    EpochSecret::new(Secret::new([1; 32])).into_keys(&CHANNEL, WINDOW, Term::FOREVER)
}

#[test]
fn the_key_schedule_is_as_recorded() {
    let (keys, mut ring) = (keys(), Keyring::new());
    ring.insert(keys.clone());
    let window_key = |days: u32| {
        let key = ring.window_key(&keys.epoch, Window(WINDOW.0 + days * 24));
        key.unwrap().expose().to_vec()
    };
    assert_recorded(
        RECORDS,
        &[
            ("epoch", keys.epoch.0.to_vec()),
            ("chain", keys.chain.expose().to_vec()),
            ("topic-key", keys.topic_key.expose().to_vec()),
            ("frame-key", keys.frame_key.expose().to_vec()),
            ("topic", keys.topic().into_bytes()),
            ("window-key", window_key(0)),
            ("window-key-3-days-on", window_key(3)),
            ("seal", keys.hashes().chain.to_vec()),
            ("gossip-hash", keys.hashes().gossip.to_vec()),
            ("grant", encode(&keys)),
            ("grant-3-days-on", encode(&three_days_on())),
            ("request", exchange().0),
            ("answer", exchange().1),
        ],
    );
}

/// What is given to somebody who came three days later.
fn three_days_on() -> EpochKeys {
    let mut keys = keys();
    assert!(keys.advance(Window(WINDOW.0 + 3 * 24)));
    keys
}

#[test]
fn a_grant_from_a_later_day_on_is_told_by_the_recorded_seal() {
    let grant: EpochKeys = decode(&recorded(RECORDS, "grant-3-days-on"), 256).unwrap();
    let hashes = KeyHashes {
        chain: recorded(RECORDS, "seal").try_into().unwrap(),
        gossip: recorded(RECORDS, "gossip-hash").try_into().unwrap(),
    };
    assert!(grant.are_of(WINDOW, &hashes));
}

/// A request and its answer, alike on every run.
fn exchange() -> (Vec<u8>, Vec<u8>) {
    let mut rng = rng();
    let (_, signed) = request(&CHANNEL, &signing(), &[keys().epoch], &mut rng);
    let asked = KeyRequest::verify(&CHANNEL, &signed).unwrap();
    (
        encode(&signed),
        encode(&asked.answer([&keys()], &mut rng).unwrap()),
    )
}

#[test]
fn the_recorded_answer_opens_to_the_recorded_grant() {
    let signed: Signed = decode(&recorded(RECORDS, "request"), 4096).unwrap();
    let answer: KeyAnswer = decode(&recorded(RECORDS, "answer"), 4096).unwrap();
    let grant: EpochKeys = decode(&recorded(RECORDS, "grant"), 256).unwrap();
    let (pending, again) = request(&CHANNEL, &signing(), &[grant.epoch], &mut rng());
    assert_eq!((again, pending.open(&answer)), (signed, Ok(vec![grant])));
}
