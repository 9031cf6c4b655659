//! Digests tell everything that counts apart, and the holder never serves a stale one.

use proptest::prelude::*;

use super::*;
use crate::ids::{DeviceId, Window};

const CHANNEL: ChannelId = ChannelId([9; 32]);

fn log(window: u32, device: u8) -> LogId {
    let segment = SegmentId {
        window: Window(window),
        index: 0,
    };
    LogId {
        segment,
        writer: Writer {
            device: DeviceId([device; 32]),
            incarnation: 1,
        },
    }
}

fn head(seq: u32, link: u8) -> Head {
    Head {
        seq,
        link: [link; 32],
        fork: None,
    }
}

fn holder(logs: &[(LogId, Head)]) -> SegmentDigests {
    let mut digests = SegmentDigests::new();
    logs.iter().for_each(|(log, head)| digests.set(log, *head));
    digests
}

#[test]
fn whatever_counts_changes_the_digest_of_the_channel() {
    let base = [(log(24, 1), head(1, 7)), (log(48, 2), head(2, 8))];
    let forked = Head {
        fork: Some(2),
        ..head(1, 7)
    };
    let digests = [
        holder(&base).channel(&CHANNEL, &[]),
        holder(&base).channel(&CHANNEL, &[OpId([4; 32])]),
        holder(&base).channel(&ChannelId([8; 32]), &[]),
        holder(&base[..1]).channel(&CHANNEL, &[]),
        holder(&[(log(24, 1), head(2, 7)), base[1]]).channel(&CHANNEL, &[]),
        holder(&[(log(24, 1), head(1, 6)), base[1]]).channel(&CHANNEL, &[]),
        holder(&[(log(24, 1), forked), base[1]]).channel(&CHANNEL, &[]),
        holder(&[(log(24, 2), head(1, 7)), base[1]]).channel(&CHANNEL, &[]),
        holder(&[(log(25, 1), head(1, 7)), base[1]]).channel(&CHANNEL, &[]),
    ];
    let different: std::collections::BTreeSet<_> = digests.iter().collect();
    assert_eq!(different.len(), digests.len());
}

#[test]
fn control_heads_count_in_any_order() {
    let heads = [OpId([1; 32]), OpId([2; 32])];
    let digests = SegmentDigests::new();
    let reversed = [heads[1], heads[0]];
    assert_eq!(
        digests.channel(&CHANNEL, &heads),
        digests.channel(&CHANNEL, &reversed)
    );
}

proptest! {
    #[test]
    fn the_holder_agrees_with_one_made_anew(
        steps in prop::collection::vec((0_u32..4, 0_u8..4, 0_u32..3, any::<bool>()), 0..40),
    ) {
        let mut digests = SegmentDigests::new();
        for (window, device, seq, settle) in steps {
            digests.set(&log(window, device), Head { fork: None, ..head(seq, 7) });
            if settle {
                digests.settle();
            }
            let vectors = digests.newest_first().flat_map(|listed| {
                let logs = digests.vector(&listed.segment).into_iter();
                logs.map(move |log| (LogId { segment: listed.segment, writer: log.writer }, log.head))
            });
            let anew = holder(&vectors.collect::<Vec<_>>());
            prop_assert_eq!(digests.logs(), anew.logs());
            prop_assert_eq!(digests.channel(&CHANNEL, &[]), anew.channel(&CHANNEL, &[]));
        }
    }
}
