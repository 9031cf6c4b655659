//! Frames, beacons and moments.

use kith_crdt::beacon::{Beacon, InSegment};
use kith_crdt::crypto::secret::Secret;
use kith_crdt::crypto::sign::Signed;
use kith_crdt::encoding::{decode, encode};
use kith_crdt::frame::{Content, open_frame, seal_frame};
use kith_crdt::keys::{EpochKeys, EpochSecret};
use kith_crdt::moment::{Moment, MomentKind};
use kith_crdt::ranges::Ranges;
use kith_crdt::term::Term;

use super::{CHANNEL, NOON, WINDOW, assert_recorded, log_id, recorded, rng, signing, writer};

pub(super) const RECORDS: &str = include_str!("gossip.txt");

fn keys() -> EpochKeys {
    EpochSecret::new(Secret::new([1; 32])).into_keys(&CHANNEL, WINDOW, Term::FOREVER)
}

fn beacon() -> Beacon {
    let mut erased = Ranges::new();
    erased.insert_range(1, 7);
    erased.insert(12);
    Beacon {
        writer: writer(),
        hlc: NOON,
        addresses: vec!["/ip4/192.0.2.1/tcp/4001".into()],
        holds: vec![InSegment {
            segment: log_id().segment,
            logs: vec![(writer(), 40)],
        }],
        digest: [6; 32],
        erased: vec![InSegment {
            segment: log_id().segment,
            logs: vec![(writer(), erased)],
        }],
    }
}

fn moment() -> Moment {
    Moment {
        writer: writer(),
        hlc: NOON,
        kind: MomentKind::Typing,
    }
}

fn contents() -> [(&'static str, Content); 4] {
    [
        (
            "frame-envelopes",
            Content::Envelopes(vec![vec![1, 2, 3], vec![4]]),
        ),
        ("frame-ops", Content::Ops(vec![vec![5, 6]])),
        (
            "frame-beacon",
            Content::Beacon(beacon().sign(&CHANNEL, &signing())),
        ),
        (
            "frame-moment",
            Content::Moment(moment().sign(&CHANNEL, &signing())),
        ),
    ]
}

#[test]
fn gossip_is_as_recorded() {
    let mut made = vec![
        ("beacon", encode(&beacon().sign(&CHANNEL, &signing()))),
        ("moment", encode(&moment().sign(&CHANNEL, &signing()))),
    ];
    made.extend(
        contents().map(|(name, content)| (name, seal_frame(&keys(), &content, &mut rng()))),
    );
    assert_recorded(RECORDS, &made);
}

#[test]
fn recorded_gossip_is_read() {
    let signed: Signed = decode(&recorded(RECORDS, "beacon"), 4096).unwrap();
    assert_eq!(Beacon::verify(&CHANNEL, &signed), Ok(beacon()));
    let signed: Signed = decode(&recorded(RECORDS, "moment"), 4096).unwrap();
    assert_eq!(
        Moment::verify(&CHANNEL, &signed, NOON.millis()),
        Ok(moment())
    );
    for (name, content) in contents() {
        let frame = recorded(RECORDS, name);
        assert_eq!(
            open_frame(&keys().frame_key, &keys().topic(), &frame),
            Ok(content)
        );
    }
}
