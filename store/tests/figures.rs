//! What the store costs: time, bytes and memory for so many messages. A measurement, not a test:
//!
//! ```text
//! cargo test --workspace --test figures -- --ignored --nocapture
//! ```

#![expect(
    clippy::unwrap_used,
    reason = "a measurement that lacks what it needs has failed"
)]
#![expect(clippy::print_stdout, reason = "printing is what a measurement is for")]

mod home;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use home::{CHANNEL, Home, hlc, place};
use kith_crdt::ids::{MessageId, Place};
use kith_crdt::time::Hlc;
use kith_store::{Batch, Line, Store};
use rocksdb::{DB, Env, Options, properties};

const DAY: u32 = 480_000;
/// Bytes of the envelope of a message of 120 characters.
const ENVELOPE: usize = 520;
const EVENT: usize = 48;
const LOG: usize = 120;
const WRITERS: u8 = 10;
/// Messages of one day: one every forty seconds.
const PER_DAY: u32 = 2_160;
const BATCH: u32 = 256;

fn position(number: u32) -> (Hlc, Place) {
    let window = DAY + 24 * (number / PER_DAY);
    let time = hlc(window, u64::from(number % PER_DAY) * 40_000);
    let writer = (number % u32::from(WRITERS)) as u8;
    let seq = number % PER_DAY / u32::from(WRITERS) + 1;
    (time, place(window, writer, seq))
}

fn message_id(number: u32) -> MessageId {
    let mut id = [0; 10];
    id.copy_from_slice(&kith_crdt::crypto::hash::derive("figures", &[&number.to_be_bytes()])[..10]);
    MessageId(id)
}

/// What a message is to the store, without the state of its log.
fn put_message(batch: &mut Batch, number: u32) {
    let (time, here) = position(number);
    batch.put_envelope(&CHANNEL, &here, vec![number as u8; ENVELOPE]);
    batch.put_message_id(&CHANNEL, &message_id(number), &here);
    batch.insert_timeline(Line::main(&CHANNEL), time, here);
    batch.append_event([number as u8; EVENT]);
}

fn put_log(batch: &mut Batch, number: u32) {
    batch.put_log(&CHANNEL, &position(number).1.log, [1; LOG]);
}

/// Messages from `from` to before `to`, as a backfill writes them.
fn write(store: &mut Store, from: u32, to: u32) {
    for first in (from..to).step_by(BATCH as usize) {
        let last = (first + BATCH).min(to);
        let mut batch = store.batch();
        (first..last).for_each(|number| put_message(&mut batch, number));
        (last.saturating_sub(u32::from(WRITERS)).max(first)..last)
            .for_each(|number| put_log(&mut batch, number));
        batch.put_meta("clock", [0; 8]);
        store.commit(batch).unwrap();
    }
}

/// How long the processor worked for this process.
fn processor_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks: u64 = fields[11..13]
        .iter()
        .map(|field| field.parse::<u64>().unwrap())
        .sum();
    Duration::from_millis(ticks * 10)
}

fn resident_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// The middle and the 99th percentile of so many runs.
fn times(runs: usize, mut run: impl FnMut()) -> String {
    let mut times: Vec<Duration> = (0..runs)
        .map(|_| {
            let started = Instant::now();
            run();
            started.elapsed()
        })
        .collect();
    times.sort();
    format!(
        "p50 {:?}, p99 {:?}",
        times[runs / 2],
        times[runs * 99 / 100]
    )
}

/// Compacts a closed database as it was configured and prints what each table takes.
fn print_sizes(path: &Path, messages: u32) {
    let env = Env::new().unwrap();
    let cache = rocksdb::Cache::new_lru_cache(1 << 20);
    let (options, tables) = Options::load_latest(path, env, true, cache).unwrap();
    let names: Vec<String> = tables.iter().map(|table| table.name().to_owned()).collect();
    let db = DB::open_cf_descriptors(&options, path, tables).unwrap();
    let mut whole = 0;
    for name in names {
        let table = db.cf_handle(&name).unwrap();
        db.flush_cf(table).unwrap();
        let mut forced = rocksdb::CompactOptions::default();
        forced.set_bottommost_level_compaction(rocksdb::BottommostLevelCompaction::Force);
        db.compact_range_cf_opt(table, None::<&[u8]>, None::<&[u8]>, &forced);
        let number = |property| db.property_int_value_cf(table, property).unwrap().unwrap();
        let bytes = number(properties::TOTAL_SST_FILES_SIZE);
        whole += bytes;
        if bytes > 2_048 {
            let rows = number(properties::ESTIMATE_NUM_KEYS);
            let each = bytes as f64 / f64::from(messages);
            println!("  {name}: {rows} records, {bytes} bytes, {each:.1} a message");
        }
    }
    let each = whole as f64 / f64::from(messages);
    println!("  in all {each:.1} bytes a message, of which {ENVELOPE} are its envelope");
}

#[test]
#[ignore = "a measurement"]
fn figures() {
    let home = Home::new();
    let mut store = home.open();
    println!("resident when opened: {} MiB", resident_mib());
    let mut raw = File::create(home.path().join("raw")).unwrap();
    let raw_times = times(300, || {
        raw.write_all(&[0; 1_024]).unwrap();
        raw.sync_data().unwrap();
    });
    println!("one KiB and a sync: {raw_times}");
    let mut number = 0;
    let single = times(300, || {
        let mut batch = store.batch();
        put_message(&mut batch, number);
        put_log(&mut batch, number);
        batch.put_meta("clock", [0; 8]);
        store.commit(batch).unwrap();
        number += 1;
    });
    println!("a commit of one message: {single}");
    drop(store);

    let home = Home::new();
    let mut store = home.open();
    let (started, before) = (Instant::now(), processor_time());
    write(&mut store, 0, 100_000);
    let (wall, work) = (started.elapsed(), processor_time() - before);
    println!("100,000 messages in batches of {BATCH}: {wall:?}, processor {work:?}");
    println!("resident after them: {} MiB", resident_mib());
    print_reads(&store, 100_000);
    write(&mut store, 100_000, 200_000);
    println!("resident after 200,000: {} MiB", resident_mib());
    print_reads(&store, 200_000);
    drop(store);
    println!("on the disk after compaction:");
    print_sizes(&home.path().join("data"), 200_000);
}

fn print_reads(store: &Store, messages: u32) {
    let reader = store.reader();
    let line = Line::main(&CHANNEL);
    for depth in [0, messages / 2, messages - 100] {
        let before = (depth > 0).then(|| position(messages - depth));
        let page = times(200, || {
            assert_eq!(reader.view().page(line, before, 50).len(), 50);
        });
        println!("a page of 50 at depth {depth}: {page}");
        let places: Vec<Place> = reader
            .view()
            .page(line, before, 50)
            .iter()
            .map(|entry| entry.place)
            .collect();
        let envelopes = times(200, || {
            let found = reader.view().multi_envelopes(&CHANNEL, &places);
            assert!(found.iter().all(Option::is_some));
        });
        println!("its 50 envelopes: {envelopes}");
    }
}
