//! Golden vectors: the bytes that version 1 of the protocol is made of. What is made here has to
//! be what was recorded, and what was recorded has to open. A byte that moves fails a test.
//!
//! Every structure of `docs/protocol.md` has its record here. A record is a line `name hex`. If a
//! format changes on purpose, the failing test shows the lines to record.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod control;
mod envelope;
mod gossip;
mod hostile;
mod identity;
mod keys;
mod linking;
mod segment;
mod sync;

use std::collections::BTreeMap;
use std::fmt::Write;

use kith_crdt::crypto::secret::Secret;
use kith_crdt::crypto::sign::SecretKey;
use kith_crdt::ids::{ChannelId, DeviceId, LogId, SegmentId, Window, Writer};
use kith_crdt::time::{HOUR_MS, Hlc, Millis};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

const CHANNEL: ChannelId = ChannelId([9; 32]);
const WINDOW: Window = Window(24 * 20_000);
const NOON: Hlc = Hlc::at(Millis((WINDOW.0 as u64 + 12) * HOUR_MS));

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(7)
}

fn signing() -> SecretKey {
    SecretKey::from_seed(&Secret::new([2; 32]))
}

fn writer() -> Writer {
    Writer {
        device: DeviceId(signing().public()),
        incarnation: 3,
    }
}

fn log_id() -> LogId {
    LogId {
        segment: SegmentId {
            window: WINDOW,
            index: 1,
        },
        writer: writer(),
    }
}

/// Holds what was made against what was recorded.
#[track_caller]
fn assert_recorded(records: &str, made: &[(&str, Vec<u8>)]) {
    let lines = made.iter().fold(String::new(), |mut lines, (name, bytes)| {
        writeln!(lines, "{name} {}", hex(bytes)).unwrap();
        lines
    });
    assert!(
        lines == records,
        "the recorded vectors do not match. Made now:\n{lines}"
    );
}

fn recorded(records: &str, name: &str) -> Vec<u8> {
    let lines: BTreeMap<_, _> = records
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    let hex = lines[name].as_bytes();
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    hex.chunks_exact(2).map(byte).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
