//! Envelopes on the wire and on disk, the head of their log, and a fork.

use kith_crdt::crypto::secret::Secret;
use kith_crdt::encoding::{decode, encode};
use kith_crdt::envelope::{Envelope, Opened, Position, seal};
use kith_crdt::ids::EpochId;
use kith_crdt::log::{Fork, Log};
use kith_crdt::time::Hlc;

use super::{CHANNEL, NOON, assert_recorded, log_id, recorded, rng, signing};

pub(super) const RECORDS: &str = include_str!("envelope.txt");
const WINDOW_KEY: Secret = Secret::new([5; 32]);

fn envelope(seq: u32, prev: [u8; 32], body: Option<&[u8]>) -> Envelope {
    let position = Position {
        place: log_id().place(seq),
        prev,
        hlc: Hlc(NOON.0 + u64::from(seq)),
        epoch: EpochId([4; 16]),
    };
    seal(
        &CHANNEL,
        &signing(),
        &position,
        &WINDOW_KEY,
        b"change",
        body,
        &mut rng(),
    )
}

fn log(envelopes: &[&Envelope]) -> Log {
    let mut log = Log::new(log_id());
    envelopes.iter().for_each(|envelope| log.append(envelope));
    log.messages.insert_range(1, 2);
    log.unopened.insert(2);
    log
}

#[test]
fn envelopes_are_as_recorded() {
    let first = envelope(1, [0; 32], Some(b"hello"));
    let second = envelope(2, first.link(), None);
    let other = envelope(2, first.link(), Some(b"other"));
    let mut erased = first.clone();
    erased.erase_body();
    assert_recorded(
        RECORDS,
        &[
            ("header", first.header_bytes.clone()),
            ("link", first.link().to_vec()),
            ("envelope", first.to_bytes()),
            ("envelope-erased", erased.to_bytes()),
            ("envelope-without-body", second.to_bytes()),
            ("stored", first.to_stored()),
            ("stored-erased", erased.to_stored()),
            ("stored-without-body", second.to_stored()),
            ("log", encode(&log(&[&first, &second]))),
            (
                "fork",
                Fork::prove(&CHANNEL, &second, &other).unwrap().to_bytes(),
            ),
        ],
    );
}

#[test]
fn recorded_envelopes_open_from_the_wire_and_from_the_disk() {
    for (suffix, seq, body) in [
        ("", 1, Some(b"hello".to_vec())),
        ("-erased", 1, None),
        ("-without-body", 2, None),
    ] {
        let wire = recorded(RECORDS, &format!("envelope{suffix}"));
        let stored = recorded(RECORDS, &format!("stored{suffix}"));
        let envelope = Envelope::parse(&wire, &CHANNEL).unwrap();
        let from_disk = Envelope::from_stored(&stored, &CHANNEL, log_id().place(seq));
        let opened = Opened {
            change: b"change".to_vec(),
            body,
        };
        assert_eq!(
            (
                envelope.verify(&CHANNEL),
                envelope.open(&CHANNEL, &WINDOW_KEY)
            ),
            (Ok(()), Ok(opened))
        );
        assert_eq!(from_disk, Ok(envelope));
    }
}

#[test]
fn the_recorded_log_and_fork_hold() {
    let log: Log = decode(&recorded(RECORDS, "log"), 1024).unwrap();
    let head = Envelope::parse(&recorded(RECORDS, "envelope-without-body"), &CHANNEL).unwrap();
    assert_eq!((log.id, log.head, log.link), (log_id(), 2, head.link()));
    assert_eq!(
        (log.messages.len(), log.unopened.len(), log.fork),
        (2, 1, None)
    );
    let fork = Fork::parse(&recorded(RECORDS, "fork")).unwrap();
    assert_eq!(fork.verify(&CHANNEL), Ok(log_id().place(2)));
}
