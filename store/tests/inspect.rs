//! Inspecting a home beside the store that writes to it: one moment, from the disk itself.

#![expect(
    clippy::unwrap_used,
    reason = "a test that lacks what it needs has failed"
)]

mod home;

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use home::{CHANNEL, Home, hlc, place};
use kith_crdt::ids::EpochId;
use kith_store::{Line, Store};

const DAY: u32 = 480_000;
/// How long a table may take to be replaced.
const PATIENCE: Duration = Duration::from_secs(30);

fn write(store: &mut Store, seqs: std::ops::Range<u32>) {
    let mut batch = store.batch();
    for seq in seqs {
        let place = place(DAY, 1, seq);
        batch.put_envelope(&CHANNEL, &place, vec![7; 500]);
        batch.insert_timeline(Line::main(&CHANNEL), hlc(DAY, u64::from(seq)), place);
    }
    store.commit(batch).unwrap();
}

fn files(home: &Home, directory: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(home.path().join(directory)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|kind| kind == "sst"))
        .collect()
}

/// Flips a bit in the largest table.
fn flip_in_largest(home: &Home, at: usize) {
    let size = |path: &PathBuf| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let largest = files(home, "data").into_iter().max_by_key(size).unwrap();
    let mut bytes = fs::read(&largest).unwrap();
    bytes[at] ^= 1;
    fs::write(&largest, bytes).unwrap();
}

#[test]
fn an_inspection_sees_what_was_committed_and_nothing_after() {
    let home = Home::new();
    let mut store = home.open();
    write(&mut store, 1..10);
    let before = home.contents();
    let inspection = store.reader().inspect().unwrap();
    assert!(home.contents() == before, "an inspection wrote something");
    write(&mut store, 10..20);
    let page = inspection.view().page(Line::main(&CHANNEL), None, 100);
    assert_eq!(page.len(), 9);
    let again = store.reader().inspect().unwrap();
    assert_eq!(again.view().page(Line::main(&CHANNEL), None, 100).len(), 19);
    assert!(again.damage_of(&CHANNEL).is_empty());
}

#[test]
fn a_bit_that_flips_under_a_running_store_is_found() {
    let home = Home::new();
    let mut store = home.open();
    write(&mut store, 1..400);
    store
        .put_epoch(&CHANNEL, &EpochId([3; 16]), &[5; 100])
        .unwrap();
    drop(store);
    // What was in the logs is in tables now.
    let store = home.open();
    let reader = store.reader();
    let all = |page: Vec<_>| page.len();
    assert_eq!(
        all(reader.view().page(Line::main(&CHANNEL), None, 500)),
        399
    );
    let log = place(DAY, 1, 1).log;
    // A table that is being replaced just now is read by nobody, so one bit after the other.
    let deadline = Instant::now() + PATIENCE;
    let mut offsets = 5_000..;
    let found = loop {
        flip_in_largest(&home, offsets.next().unwrap());
        let inspection = reader.inspect().unwrap();
        let view = inspection.view();
        let read = view.envelopes(&CHANNEL, &log, 1, 1_000, usize::MAX).len();
        drop(view);
        if read < 399 {
            break Some(inspection);
        }
        if Instant::now() > deadline {
            break None;
        }
        thread::yield_now();
    };
    let inspection = found.expect("a damaged record is not read");
    assert_eq!(inspection.damage_of(&CHANNEL).len(), 1);
    assert_eq!(inspection.epochs(&CHANNEL).len(), 1);

    for path in files(&home, "keys") {
        let mut bytes = fs::read(&path).unwrap();
        bytes[20] ^= 1;
        fs::write(&path, bytes).unwrap();
    }
    let inspection = reader.inspect().unwrap();
    let _epochs = inspection.epochs(&CHANNEL);
    let tables: Vec<_> = inspection.damage_of(&CHANNEL);
    let tables: Vec<&str> = tables.iter().map(|damage| damage.table).collect();
    assert!(
        tables.contains(&"epochs") && tables.contains(&"window_keys"),
        "{tables:?}"
    );
    assert_eq!(reader.damage_count(), 0, "the running store has its keys");
}
