//! What a later version may add, and the bounds; the bytes of every message are golden vectors
//! (`crdt/tests/vectors/sync.rs`).

use super::*;
use crate::encoding::DecodeError;
use crate::ids::{ChannelTag, DeviceId, OpId, Window};
use crate::limits::{SYNC_MESSAGE_MAX, VECTOR_SEGMENTS};
use crate::sync::digest::SegmentDigest;
use crate::time::Hlc;

const TAG: ChannelTag = ChannelTag([1; 8]);
const SEGMENT: SegmentId = SegmentId {
    window: Window(480_000),
    index: 3,
};

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
        index: u32::MAX,
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
        device: DeviceId([2; 32]),
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
