//! The bytes on the disk (`docs/storage.md`), read by a reader of their own: what the document
//! says is all it knows.

#![expect(
    clippy::unwrap_used,
    reason = "a test that lacks what it needs has failed"
)]

mod home;

use std::fs;
use std::path::Path;

use home::{CHANNEL, Home, hlc, master, place, writer};
use kith_crdt::crypto::kdf::expand_secret;
use kith_crdt::crypto::secret::Secret;
use kith_crdt::crypto::{aead, hash};
use kith_crdt::ids::{
    AccountId, DeviceId, EpochId, LogId, MessageId, OpId, SegmentId, TransportKey, Window,
};
use kith_crdt::term::{Span, Term};
use kith_store::{BackupReader, BackupWriter, Batch, KdfCost, Line, Vault};
use minicbor::Decoder;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rocksdb::{DB, IteratorMode, Options};

const GOLDEN: &str = include_str!("vectors/storage.txt");
const DAY: u32 = 480_000;
/// What is kept for an hour of one that is none's midnight.
const HOUR: Span = Span {
    window: Window(DAY + 1),
    term: Term::SHORTEST,
};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

/// What follows a word in the golden file.
fn golden(word: &str) -> Vec<u8> {
    let lines = &mut GOLDEN.lines();
    let line = lines.find_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
    bytes(line.expect("a vector of that name"))
}

/// The golden lines of the records.
fn golden_records() -> Vec<&'static str> {
    GOLDEN
        .lines()
        .filter(|line| !line.starts_with('#') && line.split(' ').count() == 3)
        .collect()
}

/// One record of every kind.
fn write_everything(batch: &mut Batch) {
    let (here, message, thread) = (place(DAY, 2, 1), MessageId([9; 10]), MessageId([10; 10]));
    let segment = here.log.segment;
    batch.put_meta("clock", *b"meta");
    batch.put_channel(&CHANNEL, *b"channel");
    batch.put_op(&CHANNEL, &OpId([3; 32]), *b"op");
    batch.put_envelope(&CHANNEL, &here, *b"envelope");
    batch.put_log(&CHANNEL, &here.log, *b"log");
    batch.put_fork(&CHANNEL, &here.log, *b"fork");
    batch.put_claim(&CHANNEL, &message, 1, &here, *b"claim");
    batch.put_seen(&CHANNEL, &segment, &AccountId([4; 32]), *b"seen");
    batch.put_message_id(&CHANNEL, &message, &here);
    batch.put_beacon(&CHANNEL, &DeviceId([5; 32]), *b"beacon");
    batch.put_erasures(&CHANNEL, 7, *b"erasures");
    batch.put_end(&CHANNEL, &here, 1_795_176_000_000);
    batch.put_holds(&CHANNEL, &segment, &DeviceId([5; 32]), *b"holds");
    batch.put_peer(&TransportKey([6; 32]), *b"peer");
    batch.put_idempotency("request", *b"answer");
    batch.append_event(*b"first");
    batch.append_event(*b"second");
    let elsewhere = LogId {
        segment: SegmentId {
            window: Window(DAY),
            index: 2,
        },
        writer: writer(5),
    };
    batch.insert_timeline(Line::main(&CHANNEL), hlc(DAY, 1), here);
    batch.insert_timeline(Line::main(&CHANNEL), hlc(DAY, 2), elsewhere.place(300));
    batch.insert_timeline(Line::main(&CHANNEL), hlc(DAY, 3), place(DAY, 2, 2));
    // Its time lies outside its window.
    batch.insert_timeline(Line::main(&CHANNEL), hlc(DAY, 4), place(DAY + 24, 2, 1));
    let short = LogId {
        segment: SegmentId::new(Window(DAY + 1), HOUR.term, 3),
        writer: writer(2),
    };
    batch.insert_timeline(Line::main(&CHANNEL), hlc(DAY + 1, 1), short.place(1));
    batch.insert_timeline(Line::thread(&CHANNEL, &thread), hlc(DAY, 5), here);
    // One block more than fits, at one time and so split into parts, in a thread of its own.
    let line = Line::thread(&CHANNEL, &message);
    (1..=129).for_each(|seq| batch.insert_timeline(line, hlc(DAY, 6), place(DAY, 2, seq)));
}

/// The parts of a sealed record: version, key number, nonce, ciphertext with tag.
fn split(record: &[u8]) -> (u32, &[u8; 24], &[u8]) {
    assert_eq!(record[0], 1);
    let number = u32::from_be_bytes(record[1..5].try_into().unwrap());
    (number, record[5..29].try_into().unwrap(), &record[29..])
}

fn open(key: &Secret, table: &str, at: &[u8], record: &[u8]) -> Vec<u8> {
    let (_, nonce, ciphertext) = split(record);
    let associated = [b"kith/record/v1\0", table.as_bytes(), b"\0", at].concat();
    aead::open(key, nonce, &associated, ciphertext).unwrap()
}

/// Every record of a database: table, key and sealed value.
fn records(path: &Path) -> Vec<(String, Vec<u8>, Vec<u8>)> {
    let tables = DB::list_cf(&Options::default(), path).unwrap();
    let db = DB::open_cf_for_read_only(&Options::default(), path, &tables, false).unwrap();
    let mut records = Vec::new();
    for table in tables {
        let rows = db.iterator_cf(db.cf_handle(&table).unwrap(), IteratorMode::Start);
        records.extend(rows.map(|row| {
            let (key, record) = row.unwrap();
            (table.clone(), key.to_vec(), record.to_vec())
        }));
    }
    records
}

/// The last 32 bytes of a window key's value.
fn window_key(plain: &[u8]) -> Secret {
    let mut d = Decoder::new(plain);
    assert_eq!(d.array().unwrap(), Some(4));
    assert_eq!(d.bytes().unwrap(), CHANNEL.0);
    d.u32().unwrap();
    d.u32().unwrap();
    Secret::new(d.bytes().unwrap().try_into().unwrap())
}

/// Every record of a home as the golden file has it.
fn opened(home: &Path) -> Vec<String> {
    let table_key = |table: &str| expand_secret(&master(), "table", &[table.as_bytes()]);
    let keys = records(&home.join("keys"));
    let key_plain: Vec<Vec<u8>> = keys
        .iter()
        .map(|(table, key, record)| open(&table_key(table), table, key, record))
        .collect();
    let window_keys: Vec<(&Vec<u8>, Secret)> = keys
        .iter()
        .zip(&key_plain)
        .filter(|((table, key, _), _)| table == "window_keys" && key != &[0; 4])
        .map(|((_, key, _), plain)| (key, window_key(plain)))
        .collect();
    let key_lines = keys.iter().zip(&key_plain).map(|((table, key, _), plain)| {
        let random = if plain.len() > 32 && table == "window_keys" {
            32
        } else {
            0
        };
        format!(
            "{table} {} {}",
            hex(key),
            hex(&plain[..plain.len() - random])
        )
    });
    let data = records(&home.join("data"));
    let data_lines = data.iter().map(|(table, key, record)| {
        let number = split(record).0.to_be_bytes();
        let of_window = window_keys.iter().find(|(known, _)| **known == number);
        let plain = match of_window {
            Some((_, secret)) => open(secret, table, key, record),
            None => open(&table_key(table), table, key, record),
        };
        format!("{table} {} {}", hex(key), hex(&plain))
    });
    key_lines.chain(data_lines).collect()
}

#[test]
fn every_record_is_where_and_what_the_document_says() {
    let home = Home::new();
    let mut store = home.open();
    let mut batch = store.batch();
    write_everything(&mut batch);
    store.commit(batch).unwrap();
    store
        .put_epoch(&CHANNEL, &EpochId([8; 16]), b"epoch")
        .unwrap();
    drop(store);
    let now = opened(home.path());
    let golden = golden_records();
    let moved: Vec<&String> = now
        .iter()
        .filter(|line| !golden.contains(&line.as_str()))
        .collect();
    assert!(moved.is_empty(), "these moved, and are now:\n{moved:#?}");
    assert_eq!(now.len(), golden.len(), "a vector that nothing makes");
}

#[test]
fn a_deleted_key_and_the_record_of_damage_are_what_the_document_says() {
    let home = Home::new();
    let mut store = home.open();
    let mut batch = store.batch();
    write_everything(&mut batch);
    store.commit(batch).unwrap();
    store.shred(&CHANNEL, &HOUR).unwrap();
    drop(store);
    flip_every_value(&home.path().join("data"), "logs");
    let mut store = home.open();
    assert!(store.reader().view().logs(&CHANNEL).is_empty());
    store.keep_damage().unwrap();
    drop(store);
    let plain = |database: &str, table: &str, at: &[u8]| {
        let records = records(&home.path().join(database));
        let found = records.iter().find(|(of, key, _)| of == table && key == at);
        let (_, key, record) = found.expect("a record there");
        let table_key = expand_secret(&master(), "table", &[table.as_bytes()]);
        hex(&open(&table_key, table, key, record))
    };
    let deleted = plain("keys", "window_keys", &2_u32.to_be_bytes());
    assert_eq!(deleted, hex(&golden("deleted-key")));
    let damage = plain("data", "meta", b"\0damage");
    assert_eq!(damage, hex(&golden("damage")));
}

/// Flips a bit in every value of a table.
fn flip_every_value(path: &Path, table: &str) {
    let all = DB::list_cf(&Options::default(), path).unwrap();
    let db = DB::open_cf(&Options::default(), path, &all).unwrap();
    let cf = db.cf_handle(table).unwrap();
    for row in db.iterator_cf(cf, IteratorMode::Start) {
        let (key, mut record) = row.unwrap();
        *record.last_mut().unwrap() ^= 1;
        db.put_cf(cf, key, record).unwrap();
    }
}

/// `T(what, data)` of section 3.
fn tag(what: &str, data: &[&[u8]]) -> String {
    let key = expand_secret(&master(), "record-key", &[]);
    let full = hash::keyed(key.expose(), &[what.as_bytes(), b"\0", &data.concat()]);
    hex(&full[..8])
}

#[test]
fn every_name_in_a_key_is_the_hash_that_the_document_says() {
    let channel = CHANNEL.0.as_slice();
    let (chan, device) = (tag("channel", &[channel]), tag("device", &[&[5; 32]]));
    let log = tag("writer", &[channel, &[2; 32], &[0; 4]]);
    let segment = format!("{chan}{}00000000", hex(&DAY.to_be_bytes()));
    let message = hex(&[9; 10]);
    let thread = tag("line", &[&[0; 4], channel, &[10; 10]]);
    for key in [
        format!("epochs {chan}{}", hex(&[8; 16])),
        format!("channels {chan}"),
        format!("control {chan}{}", tag("op", &[&[3; 32]])),
        format!("envelopes {segment}{log}00000001"),
        format!("logs {segment}{log}"),
        format!("forks {segment}{log}"),
        format!(
            "claims {message}{chan}01{}{log}00000001",
            &segment[chan.len()..]
        ),
        format!("message_ids {message}"),
        format!("seen {segment}{}", tag("account", &[&[4; 32]])),
        format!("beacons {chan}{device}"),
        format!("holds {segment}{device}"),
        format!("peers {}", tag("peer", &[&[6; 32]])),
        format!("idempotency {}", tag("idempotency", &[b"request"])),
        format!(
            "timeline {}{}{}",
            tag("line", &[&[0; 4], channel]),
            hex(&DAY.to_be_bytes()),
            hex(&[0; 12])
        ),
        format!(
            "timeline {}{}{}",
            tag("line", &[&1_u32.to_be_bytes(), channel]),
            hex(&(DAY + 1).to_be_bytes()),
            hex(&[0; 12])
        ),
        format!(
            "timeline {thread}{}{}",
            hex(&DAY.to_be_bytes()),
            hex(&[0; 12])
        ),
        "events 0000000000000001".to_owned(),
    ] {
        let found = golden_records()
            .iter()
            .any(|line| line.starts_with(&format!("{key} ")));
        assert!(found, "no record at {key}");
    }
}

#[test]
fn what_belongs_to_a_window_is_sealed_under_its_key() {
    let home = Home::new();
    let mut store = home.open();
    let mut batch = store.batch();
    write_everything(&mut batch);
    store.commit(batch).unwrap();
    drop(store);
    for (table, _, record) in records(&home.path().join("data")) {
        let windowed = ["envelopes", "timeline", "claims", "message_ids"];
        let is_windowed = windowed.contains(&table.as_str());
        assert_eq!(split(&record).0 > 0, is_windowed, "{table}");
    }
}

#[test]
fn a_vault_is_what_it_was_and_still_opens() {
    let home = Home::new();
    let mut rng = ChaCha20Rng::from_seed([8; 32]);
    let least = KdfCost::LEAST;
    let made = Vault::create(home.path(), b"passphrase", b"secrets", &mut rng, least).unwrap();
    let file = fs::read(home.path().join("vault")).unwrap();
    assert_eq!(hex(&file), hex(&golden("vault")), "the vault moved");
    assert_eq!(hex(made.master.expose()), hex(&golden("vault-master")));
    let opened = Vault::open(home.path(), b"passphrase").unwrap();
    assert_eq!(*opened.identity, b"secrets");
}

#[test]
fn a_sealed_record_opens_as_the_document_says() {
    let record = golden("sealed");
    let (number, nonce, _) = split(&record);
    assert_eq!((number, nonce), (3, &[12; 24]));
    let plain = open(&Secret::new([11; 32]), "channels", b"key", &record);
    assert_eq!(plain, b"value");
}

#[test]
fn a_backup_is_what_it_was_and_still_opens() {
    let mut rng = ChaCha20Rng::from_seed([9; 32]);
    let least = KdfCost::LEAST;
    let mut writer = BackupWriter::new(Vec::new(), b"passphrase", &mut rng, least).unwrap();
    writer.put(b"first").unwrap();
    writer.put(b"second").unwrap();
    let file = writer.finish().unwrap();
    assert_eq!(hex(&file), hex(&golden("backup")), "the backup moved");
    let golden = golden("backup");
    let mut reader = BackupReader::open(golden.as_slice(), b"passphrase").unwrap();
    for item in [b"first".as_slice(), b"second"] {
        assert_eq!(reader.next_item().unwrap().unwrap().as_slice(), item);
    }
    assert!(reader.next_item().unwrap().is_none());
}
