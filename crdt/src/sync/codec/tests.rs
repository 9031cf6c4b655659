//! Golden vectors of every message, and what happens to bytes that are none.

use proptest::prelude::*;

use super::*;
use crate::crypto::sign::Signed;
use crate::encoding::DecodeError;
use crate::ids::{ChannelTag, DeviceId, InviteId, OpId, Window};
use crate::limits::{SYNC_MESSAGE_MAX, VECTOR_SEGMENTS};
use crate::sync::digest::{Head, LogHead, SegmentDigest};
use crate::time::Hlc;

const VECTORS: &str = include_str!("../../../tests/vectors/sync.txt");

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

fn vector(name: &str) -> Vec<u8> {
    let line = VECTORS
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let hex = line.unwrap_or_else(|| panic!("there is no vector {name}"));
    data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

#[test]
fn every_message_is_written_and_read_as_its_vector_says() {
    for (name, request) in requests() {
        assert_eq!(hex(&request.to_bytes()), hex(&vector(name)), "{name}");
        assert_eq!(Request::parse(&vector(name)), Ok(request));
    }
    for (name, answer) in answers() {
        assert_eq!(hex(&answer.to_bytes()), hex(&vector(name)), "{name}");
        assert_eq!(Answer::parse(&vector(name)), Ok(answer));
    }
}

#[test]
fn a_later_version_may_add_positions() {
    let known = Request::Control {
        tag: TAG,
        have: vec![OpId([4; 32])],
    };
    let mut longer = known.to_bytes();
    longer[0] += 2;
    longer.extend([0xf6, 0x82, 0x01, 0x41, 0x00]);
    assert_eq!(Request::parse(&longer), Ok(known));
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

#[test]
fn counts_and_sizes_are_held_against_their_bounds() {
    let want = VectorWant {
        segment: SEGMENT,
        after: None,
    };
    let request = |count| Request::Vectors {
        tag: TAG,
        segments: vec![want; count],
    };
    assert!(Request::parse(&request(VECTOR_SEGMENTS).to_bytes()).is_ok());
    assert!(Request::parse(&request(VECTOR_SEGMENTS + 1).to_bytes()).is_err());
    let too_large = Answer::Keys(vec![0; SYNC_MESSAGE_MAX]).to_bytes();
    assert!(matches!(
        Answer::parse(&too_large),
        Err(DecodeError::TooLarge { .. })
    ));
}

#[test]
fn the_largest_lists_fit_a_message() {
    let far = SegmentId {
        window: Window(u32::MAX),
        index: u16::MAX,
    };
    let segment = SegmentDigest {
        segment: far,
        digest: [9; 32],
    };
    let (heads, segments) = (
        vec![OpId([4; 32]); SYNC_HEADS],
        vec![segment; SYNC_SEGMENTS],
    );
    let differs = Answer::Differs {
        heads,
        segments,
        more: true,
    }
    .to_bytes();
    let time = BeaconTime {
        device: WRITER.device,
        hlc: Hlc(u64::MAX),
    };
    let beacons = Request::Beacons {
        tag: TAG,
        have: vec![time; SYNC_BEACONS],
    }
    .to_bytes();
    assert!(differs.len() <= SYNC_MESSAGE_MAX && beacons.len() <= SYNC_MESSAGE_MAX);
    assert!(Answer::parse(&differs).is_ok() && Request::parse(&beacons).is_ok());
}

proptest! {
    #[test]
    fn bytes_that_are_no_message_are_an_error_and_nothing_worse(
        which in 0_usize..21,
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let names = requests().into_iter().map(|(name, _)| name);
        let name = names.chain(answers().into_iter().map(|(name, _)| name)).nth(which).unwrap();
        let mut bytes = vector(name);
        let at = at.index(bytes.len());
        prop_assert!(Request::parse(&bytes[..at]).is_err() && Answer::parse(&bytes[..at]).is_err());
        bytes[at] = byte;
        let _ = (Request::parse(&bytes), Answer::parse(&bytes));
    }
}
