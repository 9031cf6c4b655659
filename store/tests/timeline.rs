//! The timeline index against a sorted set: whatever is put in and taken out, in whatever order
//! and however it is spread over commits, every page is the set's.

#![expect(
    clippy::unwrap_used,
    reason = "a test that lacks what it needs has failed"
)]

mod home;

use std::collections::BTreeSet;

use home::{CHANNEL, Home, hlc, master, span};
use kith_crdt::ids::{DeviceId, LogId, MessageId, Place, SegmentId, Window, Writer};
use kith_crdt::time::Hlc;
use kith_store::{Line, Medium, MemoryEnv, Store, TimelineEntry};
use proptest::prelude::*;

const DAY: u32 = 480_000;

fn entry(window: u32, hlc: Hlc, device: u8, seq: u32) -> TimelineEntry {
    let writer = Writer {
        device: DeviceId([device; 32]),
        incarnation: 0,
    };
    let segment = SegmentId {
        window: Window(window),
        index: 0,
    };
    TimelineEntry {
        hlc,
        place: LogId { segment, writer }.place(seq),
    }
}

fn in_memory() -> Store {
    Store::open(
        std::path::Path::new("/home"),
        &master(),
        Medium::Memory(MemoryEnv::new().unwrap()),
    )
    .unwrap()
}

fn commit(store: &mut Store, line: Line, changes: &[(TimelineEntry, bool)]) {
    let mut batch = store.batch();
    for &(TimelineEntry { hlc, place }, wanted) in changes {
        if wanted {
            batch.insert_timeline(line, hlc, place);
        } else {
            batch.remove_timeline(line, hlc, place);
        }
    }
    store.commit(batch).unwrap();
}

/// Reads a line page by page, from the newest to the oldest.
fn read_all(store: &Store, line: Line, limit: usize) -> Vec<TimelineEntry> {
    let reader = store.reader();
    let view = reader.view();
    let mut all: Vec<TimelineEntry> = Vec::new();
    loop {
        let before: Option<(Hlc, Place)> = all.first().map(|first| (first.hlc, first.place));
        let mut page = view.page(line, before, limit);
        if page.is_empty() {
            return all;
        }
        assert!(page.len() <= limit);
        page.append(&mut all);
        all = page;
    }
}

/// Entries of three days, of hours among them, and some whose time is not of their window; often
/// at the same time as others.
fn any_entry() -> impl Strategy<Value = TimelineEntry> {
    let window = prop_oneof![
        6 => (0_u32..3).prop_map(|day| DAY + 24 * day),
        3 => (0_u32..72).prop_map(|hour| DAY + hour),
    ];
    let ms = prop_oneof![Just(5_u64), 0_u64..30, 0_u64..3_600_000, 0_u64..200_000_000];
    (window, ms, 0_u8..4, 1_u32..400)
        .prop_map(|(window, ms, device, seq)| entry(window, hlc(window, ms), device, seq))
}

/// Bulk, as a peer's history comes, and one message at a time, as people write.
fn any_commits() -> impl Strategy<Value = Vec<Vec<(TimelineEntry, bool)>>> {
    let changes = |size| prop::collection::vec((any_entry(), prop::bool::weighted(0.8)), size);
    prop_oneof![
        prop::collection::vec(changes(1..300), 1..8),
        (
            changes(200..400),
            prop::collection::vec(changes(1..4), 1..60)
        )
            .prop_map(|(first, rest)| [vec![first], rest].concat()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn pages_are_those_of_a_sorted_set(
        commits in any_commits(),
        limit in 1_usize..200,
        cursor in any_entry(),
    ) {
        let (mut store, line) = (in_memory(), Line::main(&CHANNEL));
        let mut model = BTreeSet::new();
        for changes in &commits {
            commit(&mut store, line, changes);
            for (entry, wanted) in changes {
                if *wanted { model.insert(*entry); } else { model.remove(entry); }
            }
        }
        let expected: Vec<TimelineEntry> = model.iter().copied().collect();
        prop_assert_eq!(read_all(&store, line, limit), expected);
        let reader = store.reader();
        let view = reader.view();
        let mut before: Vec<TimelineEntry> = model.range(..cursor).rev().take(limit).copied().collect();
        before.reverse();
        let at = Some((cursor.hlc, cursor.place));
        prop_assert_eq!(view.page(line, at, limit), before);
        let newer = model.range(cursor..).filter(|entry| **entry != cursor).count() as u64;
        prop_assert_eq!((view.count(line, None), view.count(line, at)), (model.len() as u64, newer));
        prop_assert_eq!(store.damage_count(), 0);
    }
}

#[test]
fn thousands_of_entries_of_one_instant_are_split_and_paged() {
    let (mut store, line) = (in_memory(), Line::main(&CHANNEL));
    let entries: Vec<_> = (1..=2_000)
        .map(|seq| (entry(DAY, hlc(DAY, 7), (seq % 7) as u8, seq), true))
        .collect();
    for changes in entries.chunks(90) {
        commit(&mut store, line, changes);
    }
    for changes in entries.rchunks(90) {
        commit(&mut store, line, changes);
    }
    let mut expected: Vec<_> = entries.iter().map(|(entry, _)| *entry).collect();
    expected.sort();
    assert_eq!(read_all(&store, line, 100), expected);
}

#[test]
fn history_that_arrives_newest_first_is_in_order() {
    let (mut store, line) = (in_memory(), Line::main(&CHANNEL));
    let entries: Vec<_> = (1..=3_000)
        .map(|seq| (entry(DAY, hlc(DAY, u64::from(seq) * 20_000), 1, seq), true))
        .collect();
    for changes in entries.rchunks(256) {
        commit(&mut store, line, changes);
    }
    let expected: Vec<_> = entries.iter().map(|(entry, _)| *entry).collect();
    assert_eq!(read_all(&store, line, 50), expected);
}

#[test]
fn lines_do_not_mix_and_survive_a_restart() {
    let home = Home::new();
    let (main, thread) = (
        Line::main(&CHANNEL),
        Line::thread(&CHANNEL, &MessageId([1; 10])),
    );
    let (one, two) = (entry(DAY, hlc(DAY, 1), 1, 1), entry(DAY, hlc(DAY, 2), 1, 2));
    let mut store = home.open();
    commit(&mut store, main, &[(one, true)]);
    commit(&mut store, thread, &[(two, true)]);
    drop(store);
    let store = home.open();
    assert_eq!(
        (read_all(&store, main, 9), read_all(&store, thread, 9)),
        (vec![one], vec![two])
    );
}

#[test]
fn the_lengths_of_many_lines_are_those_of_each() {
    let mut store = in_memory();
    let roots = [1, 2, 3].map(|n| MessageId([n; 10]));
    let lines = roots.map(|root| Line::thread(&CHANNEL, &root));
    let entries = |window: u32, count| -> Vec<_> {
        (1..=count)
            .map(|seq| (entry(window, hlc(window, u64::from(seq)), 1, seq), true))
            .collect()
    };
    commit(&mut store, lines[0], &entries(DAY, 300));
    commit(&mut store, lines[2], &entries(DAY, 2));
    commit(&mut store, lines[2], &entries(DAY + 1, 3));
    let reader = store.reader();
    let view = reader.view();
    assert_eq!(view.lengths(&lines), [300, 0, 5]);
    assert_eq!(
        view.lengths(&lines),
        lines.map(|line| view.count(line, None))
    );
}

#[test]
fn what_is_written_after_a_shredding_does_not_bring_back_what_was_there() {
    let mut store = in_memory();
    let lines = [
        Line::main(&CHANNEL),
        Line::thread(&CHANNEL, &MessageId([1; 10])),
    ];
    let (old, new) = (entry(DAY, hlc(DAY, 1), 1, 1), entry(DAY, hlc(DAY, 2), 1, 2));
    for line in lines {
        commit(&mut store, line, &[(old, true)]);
    }
    store.shred(&CHANNEL, &span(DAY)).unwrap();
    for line in lines {
        commit(&mut store, line, &[(new, true)]);
        assert_eq!(read_all(&store, line, 9), [new]);
    }
}
