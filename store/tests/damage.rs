//! Flipped bits, in records and in RocksDB's own files: noticed, named, skipped and counted,
//! while everything else stays readable.

#![expect(
    clippy::unwrap_used,
    reason = "a test that lacks what it needs has failed"
)]

mod home;

use std::fs;
use std::path::{Path, PathBuf};

use home::{CHANNEL, Home, hlc, log, place};
use kith_crdt::ids::{AccountId, DeviceId, EpochId, MessageId, OpId, TransportKey};
use kith_store::{CommitInfo, Damage, DamageKind, Line, Store, StoreError, View};
use rocksdb::{DB, IteratorMode, Options};

const DAY: u32 = 480_000;
const ENVELOPES: u32 = 3_000;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry
            .map(|entry| (entry.path(), entry.file_name()))
            .unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name))
        } else {
            let _ = fs::copy(path, to.join(name)).unwrap();
        }
    }
}

fn copy_of(home: &Home) -> Home {
    let copied = Home::new();
    copy(home.path(), copied.path());
    copied
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

fn largest(home: &Home, directory: &str, extension: &str) -> (PathBuf, usize) {
    let mut found: Vec<(usize, PathBuf)> = fs::read_dir(home.path().join(directory))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| (fs::metadata(&path).unwrap().len() as usize, path))
        .collect();
    found.sort();
    let (len, path) = found.pop().unwrap();
    (path, len)
}

fn value(seq: u32) -> Vec<u8> {
    format!("envelope number {seq} {}", "x".repeat(200)).into_bytes()
}

/// A home with many envelopes, each in its own commit or all in one.
fn write_envelopes(home: &Home, at_a_time: usize) {
    let mut store = home.open();
    let seqs: Vec<u32> = (1..=ENVELOPES).collect();
    for seqs in seqs.chunks(at_a_time) {
        let mut batch = store.batch();
        for &seq in seqs {
            batch.put_envelope(&CHANNEL, &place(DAY, 1, seq), value(seq));
            batch.insert_timeline(
                Line::main(&CHANNEL),
                hlc(DAY, u64::from(seq)),
                place(DAY, 1, seq),
            );
        }
        store.commit(batch).unwrap();
    }
}

/// How many envelopes a scan yields, and how many are found one by one; all of them as written.
fn readable(store: &Store) -> (usize, usize) {
    let reader = store.reader();
    let view = reader.view();
    let scanned = view.envelopes(&CHANNEL, &log(DAY, 1), 1, usize::MAX, usize::MAX);
    assert!(scanned.iter().all(|(seq, found)| *found == value(*seq)));
    let places: Vec<_> = (1..=ENVELOPES).map(|seq| place(DAY, 1, seq)).collect();
    let single = view.multi_envelopes(&CHANNEL, &places);
    assert!(
        single
            .iter()
            .zip(1..)
            .all(|(found, seq)| found.as_ref().is_none_or(|found| *found == value(seq)))
    );
    (scanned.len(), single.into_iter().flatten().count())
}

fn write_still(store: &mut Store) -> Result<CommitInfo, StoreError> {
    let mut batch = store.batch();
    batch.put_meta("still", *b"writable");
    store.commit(batch)
}

#[test]
fn a_flipped_bit_in_a_table_file_costs_one_block_and_the_next_start_sets_the_rest_apart() {
    let home = Home::new();
    write_envelopes(&home, 100);
    drop(home.open()); // A start writes what the log holds into tables.
    let (file, len) = largest(&home, "data", "sst");
    let file = file.strip_prefix(home.path()).unwrap().to_path_buf();
    for at in (0..len).step_by(len / 9).chain([len - 1, len - 30]) {
        let damaged = copy_of(&home);
        flip(&damaged.path().join(&file), at);
        let mut store = damaged.open();
        let was_salvaged = store.damage_count() > 0;
        let (scanned, single) = readable(&store);
        let lost = ENVELOPES as usize - scanned;
        assert!(
            single >= scanned,
            "at {at}: {single} one by one, {scanned} in a scan"
        );
        assert!(
            lost == 0 || store.damage_count() > 0,
            "at {at}: {lost} lost and not noticed"
        );
        // One block of the data; a flip in the index or the footer costs the file, which here
        // holds nearly everything.
        assert!(lost < 60 || at > len * 9 / 10, "at {at}: {lost} lost");
        // RocksDB's work in the background may have met the broken block first; the next start
        // then goes on.
        let written = write_still(&mut store);
        assert!(matches!(written, Ok(_) | Err(StoreError::Damaged { .. })));
        let is_marked = lost > 0 && !was_salvaged;
        drop(store);

        let mut store = damaged.open();
        if written.is_err() {
            write_still(&mut store).unwrap();
        }
        assert_eq!(
            store
                .damage()
                .iter()
                .any(|damage| damage.kind == DamageKind::Block),
            is_marked
        );
        assert!(readable(&store).0 >= scanned, "at {at}: salvage lost more");
        assert_eq!(
            store.reader().view().meta("still").unwrap().unwrap(),
            b"writable"
        );
        drop(store);
        let store = damaged.open();
        readable(&store);
        assert_eq!(
            store.damage(),
            [],
            "at {at}: what is damaged is gone after a salvage"
        );
    }
}

#[test]
fn a_flipped_bit_in_the_log_costs_the_commits_around_it() {
    let home = Home::new();
    write_envelopes(&home, 10);
    let (file, len) = largest(&home, "data", "log");
    let file = file.strip_prefix(home.path()).unwrap().to_path_buf();
    for at in (0..len).step_by(len / 10) {
        let damaged = copy_of(&home);
        flip(&damaged.path().join(&file), at);
        let store = damaged.open();
        let lost = ENVELOPES as usize - readable(&store).0;
        assert!(lost <= 150, "at {at}: {lost} lost");
        assert_eq!(
            store
                .damage()
                .iter()
                .any(|damage| damage.kind == DamageKind::Log),
            lost > 0,
            "at {at}"
        );
        drop(store);
        assert_eq!(damaged.open().damage(), []);
    }
}

#[test]
fn a_log_cut_off_by_a_crash_is_no_damage() {
    let home = Home::new();
    write_envelopes(&home, 100);
    let (file, len) = largest(&home, "data", "log");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..len - 700]).unwrap();
    let store = home.open();
    assert_eq!(readable(&store).0, ENVELOPES as usize - 100);
    assert_eq!(store.damage(), []);
}

#[test]
fn a_flipped_bit_in_the_list_of_files_is_repaired_or_named() {
    let home = Home::new();
    write_envelopes(&home, 100);
    drop(home.open());
    let manifest = home
        .files()
        .into_iter()
        .find(|path| path.to_string_lossy().contains("data/MANIFEST"))
        .unwrap();
    let manifest = manifest.strip_prefix(home.path()).unwrap().to_path_buf();
    let len = fs::metadata(home.path().join(&manifest)).unwrap().len() as usize;
    for (file, at) in [
        (manifest.clone(), len / 3),
        (manifest, len - 20),
        ("data/CURRENT".into(), 3),
    ] {
        let damaged = copy_of(&home);
        flip(&damaged.path().join(file), at);
        match damaged.try_open() {
            Ok(store) => assert_eq!(readable(&store).0, ENVELOPES as usize),
            Err(error) => assert!(matches!(error, StoreError::Damaged { .. }), "{error}"),
        }
    }
}

/// Opens one of a home's databases with nothing but RocksDB, and flips a bit in every value.
fn flip_every_value(home: &Home, directory: &str, tables: &[&str]) -> Vec<(String, Vec<u8>)> {
    let (path, options) = (home.path().join(directory), Options::default());
    let all = DB::list_cf(&options, &path).unwrap();
    let db = DB::open_cf(&options, &path, &all).unwrap();
    let mut flipped = Vec::new();
    for table in tables {
        let cf = db.cf_handle(table).unwrap();
        let rows: Vec<_> = db
            .iterator_cf(cf, IteratorMode::Start)
            .map(Result::unwrap)
            .collect();
        for (key, mut record) in rows {
            *record.last_mut().unwrap() ^= 1;
            db.put_cf(cf, &key, &record).unwrap();
            flipped.push((table.to_string(), key.to_vec()));
        }
    }
    flipped
}

fn write_everything(store: &mut Store) {
    let (here, message) = (place(DAY, 1, 1), MessageId([9; 10]));
    let mut batch = store.batch();
    batch.put_meta("clock", *b"meta");
    batch.put_channel(&CHANNEL, *b"channel");
    batch.put_op(&CHANNEL, &OpId([3; 32]), *b"op");
    batch.put_envelope(&CHANNEL, &here, *b"envelope");
    batch.put_log(&CHANNEL, &here.log, *b"log");
    batch.put_fork(&CHANNEL, &here.log, *b"fork");
    batch.put_claim(&CHANNEL, &message, 1, &here, *b"claim");
    batch.put_seen(&CHANNEL, &here.log.segment, &AccountId([4; 32]), *b"seen");
    batch.put_message_id(&CHANNEL, &message, &here);
    batch.insert_timeline(Line::main(&CHANNEL), hlc(DAY, 5), here);
    batch.put_beacon(&CHANNEL, &DeviceId([5; 32]), *b"beacon");
    batch.put_erasures(&CHANNEL, 7, *b"erasures");
    batch.put_end(&CHANNEL, &here, 1_795_176_000_000);
    batch.put_peer(&TransportKey([6; 32]), *b"peer");
    batch.put_idempotency("request", *b"answer");
    batch.append_event(*b"event");
    store.commit(batch).unwrap();
    store
        .put_epoch(&CHANNEL, &EpochId([1; 16]), b"epoch")
        .unwrap();
}

/// Reads everything that [`write_everything`] writes, and finds what is readable of it.
fn read_everything(store: &Store, view: &View<'_>) -> usize {
    let (here, message) = (place(DAY, 1, 1), MessageId([9; 10]));
    let segment = here.log.segment;
    usize::from(view.meta("clock").is_ok_and(|found| found.is_some()))
        + view.channels().len()
        + view.ops(&CHANNEL).len()
        + usize::from(view.envelope(&CHANNEL, &here).is_some())
        + view.logs(&CHANNEL).len()
        + view.forks(&CHANNEL).len()
        + view.claims(&CHANNEL, &message).len()
        + view.seen(&CHANNEL, &segment).len()
        + usize::from(view.message(&message).is_some())
        + view.page(Line::main(&CHANNEL), None, 9).len()
        + view.beacons(&CHANNEL).len()
        + view.erasures(&CHANNEL).len()
        + view.ends(&CHANNEL, std::iter::once(&here.log)).len()
        + view.peers().len()
        + usize::from(view.idempotency("request").is_some())
        + view.events_since(0, 9).len()
        + store.epochs(&CHANNEL).len()
}

const DATA_TABLES: [&str; 16] = [
    "meta",
    "channels",
    "control",
    "envelopes",
    "logs",
    "forks",
    "timeline",
    "claims",
    "seen",
    "message_ids",
    "beacons",
    "erasures",
    "ends",
    "peers",
    "events",
    "idempotency",
];

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

fn names(damage: &[Damage], kind: DamageKind) -> Vec<(String, Vec<u8>)> {
    let of_kind = damage.iter().filter(|damage| damage.kind == kind);
    of_kind
        .map(|damage| (damage.table.to_owned(), unhex(&damage.key)))
        .collect()
}

#[test]
fn a_broken_seal_in_any_table_is_named_and_skipped() {
    let home = Home::new();
    write_everything(&mut home.open());
    let store = home.open();
    assert_eq!(read_everything(&store, &store.reader().view()), 17);
    drop(store);
    let mut flipped = flip_every_value(&home, "data", &DATA_TABLES);
    flipped.extend(flip_every_value(&home, "keys", &["epochs"]));
    assert_eq!(flipped.len(), 17);

    let store = home.open();
    assert_eq!(read_everything(&store, &store.reader().view()), 0);
    let mut named = names(&store.damage(), DamageKind::Seal);
    named.sort();
    flipped.sort();
    assert_eq!(named, flipped);
    assert!(matches!(
        store.reader().view().log(&CHANNEL, &log(DAY, 1)),
        Err(StoreError::Damaged { .. })
    ));
    assert_eq!(store.damage_count(), 17);
}

#[test]
fn a_store_with_broken_seals_can_be_written_again() {
    let home = Home::new();
    write_everything(&mut home.open());
    flip_every_value(&home, "data", &DATA_TABLES);
    let mut store = home.open();
    let newest = store.reader().view().newest_cursor().unwrap();
    write_everything(&mut store);
    assert_eq!(read_everything(&store, &store.reader().view()), 17);
    let events = store.reader().view().events_since(0, 9);
    assert!(events[0].0 > newest, "no cursor is given out twice");
}

#[test]
fn a_lost_window_key_is_told_from_a_deleted_one() {
    let home = Home::new();
    write_everything(&mut home.open());
    let flipped = flip_every_value(&home, "keys", &["window_keys"]);
    assert_eq!(flipped.len(), 2, "the counter and one key");
    let mut store = home.open();
    assert!(
        store
            .reader()
            .view()
            .envelope(&CHANNEL, &place(DAY, 1, 1))
            .is_none()
    );
    assert_eq!(names(&store.damage(), DamageKind::Key)[0].0, "envelopes");
    assert_eq!(names(&store.damage(), DamageKind::Seal), flipped);
    // Writing goes on under a new key.
    write_everything(&mut store);
    assert!(
        store
            .reader()
            .view()
            .envelope(&CHANNEL, &place(DAY, 1, 1))
            .is_some()
    );
}

#[test]
fn a_database_without_its_table_of_contents_is_named_and_left_alone() {
    for directory in ["data", "keys"] {
        let home = Home::new();
        write_envelopes(&home, 16);
        let database = home.path().join(directory);
        fs::remove_file(database.join("CURRENT")).unwrap();
        let before = fs::read_dir(&database).unwrap().count();

        let refused = home.try_open();
        assert!(
            matches!(&refused, Err(StoreError::Damaged { what, .. }) if what.contains("CURRENT")),
            "{refused:?}"
        );
        assert_eq!(fs::read_dir(&database).unwrap().count(), before);
    }
}
