//! Every message of the sync protocol, and the digests that it compares.

use kith_crdt::crypto::sign::Signed;
use kith_crdt::ids::{ChannelTag, DeviceId, InviteId, LogId, OpId, SegmentId, Window, Writer};
use kith_crdt::sync::{
    Answer, BeaconTime, Head, LogHead, LogWant, Refusal, Request, SegmentDigest, SegmentDigests,
    SegmentVector, VectorWant,
};
use kith_crdt::time::Hlc;

use super::{CHANNEL, assert_recorded, recorded};

pub(super) const RECORDS: &str = include_str!("sync.txt");

const TAG: ChannelTag = ChannelTag([1; 8]);
const SEGMENT: SegmentId = SegmentId {
    window: Window(480_000),
    index: 3,
};
const WRITER: Writer = Writer {
    device: DeviceId([2; 32]),
    incarnation: 1,
};
const LOG: LogId = LogId {
    segment: SEGMENT,
    writer: WRITER,
};

fn requests() -> Vec<(&'static str, Request)> {
    let signed = Signed {
        payload: vec![0x82, 0x48, 1, 1, 1, 1, 1, 1, 1, 1, 0],
        signature: [3; 64],
    };
    let (heads, have) = (vec![OpId([4; 32])], vec![OpId([4; 32]), OpId([5; 32])]);
    let whole = VectorWant {
        segment: SEGMENT,
        after: None,
    };
    let rest = VectorWant {
        segment: SEGMENT,
        after: Some(WRITER),
    };
    let (digest, signature) = ([6; 32], [3; 64]);
    let time = BeaconTime {
        device: WRITER.device,
        hlc: Hlc(7),
    };
    let older = Request::Summary {
        tag: TAG,
        heads: vec![],
        digest,
        below: Some(SEGMENT),
    };
    let invite = InviteId([8; 32]);
    vec![
        (
            "summary",
            Request::Summary {
                tag: TAG,
                heads,
                digest,
                below: None,
            },
        ),
        ("summary-below", older),
        (
            "control",
            Request::Control {
                tag: TAG,
                have: have.clone(),
            },
        ),
        (
            "vectors",
            Request::Vectors {
                tag: TAG,
                segments: vec![whole, rest],
            },
        ),
        (
            "pull",
            Request::Pull {
                tag: TAG,
                logs: vec![LogWant { log: LOG, from: 9 }],
            },
        ),
        ("keys", Request::Keys(signed)),
        (
            "prove",
            Request::Prove {
                tag: TAG,
                invite,
                signature,
                have,
            },
        ),
        (
            "offer",
            Request::Offer {
                tag: TAG,
                ops: vec![vec![1, 2], vec![3]],
            },
        ),
        (
            "beacons",
            Request::Beacons {
                tag: TAG,
                have: vec![time],
            },
        ),
        ("unknown", Request::Unknown { kind: 99 }),
    ]
}

fn answers() -> Vec<(&'static str, Answer)> {
    let head = Head {
        seq: 300,
        link: [5; 32],
        fork: None,
    };
    let forked = Head {
        seq: 0,
        link: [0; 32],
        fork: Some(1),
    };
    let other = Writer {
        incarnation: 2,
        ..WRITER
    };
    let logs = vec![
        LogHead {
            writer: WRITER,
            head,
        },
        LogHead {
            writer: other,
            head: forked,
        },
    ];
    let segments = vec![SegmentDigest {
        segment: SEGMENT,
        digest: [6; 32],
    }];
    let beacons = vec![Signed {
        payload: vec![1],
        signature: [3; 64],
    }];
    let vector = vec![SegmentVector {
        segment: SEGMENT,
        logs,
    }];
    vec![
        ("same", Answer::Same),
        (
            "differs",
            Answer::Differs {
                heads: vec![OpId([4; 32])],
                segments,
                more: true,
            },
        ),
        (
            "ops",
            Answer::Ops {
                ops: vec![vec![1, 2]],
                more: false,
            },
        ),
        (
            "vectors-answer",
            Answer::Vectors {
                segments: vector,
                more: true,
            },
        ),
        (
            "page",
            Answer::Page {
                envelopes: vec![vec![1], vec![2]],
                forks: vec![vec![3]],
            },
        ),
        ("key-answer", Answer::Keys(vec![1, 2, 3])),
        ("taken", Answer::Taken { count: 2 }),
        (
            "beacons-answer",
            Answer::Beacons {
                beacons,
                more: false,
            },
        ),
        ("refused", Answer::Refused(Refusal::InviteExpired)),
        ("refused-otherwise", Answer::Refused(Refusal::Other(200))),
        ("unknown-answer", Answer::Unknown { kind: 250 }),
    ]
}

/// Digests of two segments with a log each.
fn digests() -> SegmentDigests {
    let mut digests = SegmentDigests::new();
    for (window, seq, link) in [(24, 1, [7; 32]), (48, 2, [8; 32])] {
        let segment = SegmentId {
            window: Window(window),
            index: 0,
        };
        let writer = Writer {
            device: DeviceId([1; 32]),
            incarnation: 1,
        };
        let fork = None;
        digests.set(&LogId { segment, writer }, Head { seq, link, fork });
    }
    digests
}

#[test]
fn sync_is_as_recorded() {
    let mut made: Vec<_> = requests()
        .iter()
        .map(|(name, request)| (*name, request.to_bytes()))
        .collect();
    made.extend(
        answers()
            .iter()
            .map(|(name, answer)| (*name, answer.to_bytes())),
    );
    let older = SegmentId {
        window: Window(24),
        index: 0,
    };
    made.push((
        "segment-digest",
        digests().segment(&older).unwrap().to_vec(),
    ));
    made.push((
        "channel-digest",
        digests().channel(&CHANNEL, &[OpId([4; 32])]).to_vec(),
    ));
    assert_recorded(RECORDS, &made);
}

#[test]
fn recorded_messages_are_read() {
    for (name, request) in requests() {
        assert_eq!(Request::parse(&recorded(RECORDS, name)), Ok(request));
    }
    for (name, answer) in answers() {
        assert_eq!(Answer::parse(&recorded(RECORDS, name)), Ok(answer));
    }
}

#[test]
fn a_request_names_its_channel_wherever_it_has_it() {
    let tags: Vec<_> = requests()
        .iter()
        .map(|(_, request)| request.tag())
        .collect();
    let (unknown, known) = tags.split_last().unwrap();
    assert!(known.iter().all(|tag| *tag == Some(TAG)));
    assert_eq!(*unknown, None);
    assert_eq!(
        Request::Keys(Signed {
            payload: vec![0x9f],
            signature: [0; 64]
        })
        .tag(),
        None
    );
}
