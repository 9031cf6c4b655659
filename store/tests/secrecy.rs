//! What a thief of the disk finds: no name, no text, no id of anyone; and after shredding not
//! even the key, whoever has the passphrase.

#![expect(
    clippy::unwrap_used,
    reason = "a test that lacks what it needs has failed"
)]

mod home;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use home::{CHANNEL, Home, hlc, place, span};
use kith_crdt::ids::{AccountId, DeviceId, EpochId, MessageId, OpId, TransportKey};
use kith_store::{KdfCost, Line, Medium, Store, StoreError, Vault};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

const DAY: u32 = 480_000;

/// Bytes that no file has by chance.
fn distinct(number: u8) -> [u8; 32] {
    let mut bytes = [number; 32];
    bytes[..16].copy_from_slice(b"find me on disk!");
    bytes
}

#[test]
fn nothing_written_is_found_in_any_file() {
    let home = Home::new();
    let rng = &mut ChaCha20Rng::from_seed([8; 32]);
    let opened = Vault::create(
        home.path(),
        b"find me on disk!",
        b"find me on disk! key",
        rng,
        KdfCost::LEAST,
    )
    .unwrap();
    for _ in 0..2 {
        let mut store = Store::open(home.path(), &opened.master, Medium::Disk).unwrap();
        let channel = kith_crdt::ids::ChannelId(distinct(1));
        let mut here = place(DAY, 1, 1);
        here.log.writer.device = DeviceId(distinct(2));
        let text = b"find me on disk! text";
        let mut batch = store.batch();
        batch.put_meta("clock", *text);
        batch.put_channel(&channel, *text);
        batch.put_op(&channel, &OpId([3; 32]), *text);
        batch.put_envelope(&channel, &here, *text);
        batch.put_log(&channel, &here.log, *text);
        batch.put_fork(&channel, &here.log, *text);
        batch.put_claim(&channel, &MessageId([4; 10]), 1, &here, *text);
        batch.put_seen(&channel, &here.log.segment, &AccountId(distinct(5)), *text);
        batch.put_message_id(&channel, &MessageId([4; 10]), &here);
        batch.insert_timeline(Line::main(&channel), hlc(DAY, 5), here);
        batch.insert_timeline(
            Line::thread(&channel, &MessageId([4; 10])),
            hlc(DAY, 5),
            here,
        );
        batch.put_beacon(&channel, &DeviceId(distinct(6)), *text);
        batch.put_erasures(&channel, 7, *text);
        batch.put_end(&channel, &here, u64::from_be_bytes(*b"find me "));
        batch.put_peer(&TransportKey(distinct(7)), *text);
        batch.put_idempotency("find me on disk! request", *text);
        batch.append_event(*text);
        store.commit(batch).unwrap();
        store.put_epoch(&channel, &EpochId([9; 16]), text).unwrap();
        assert!(!home.contains(b"find me "));
    }
    let master = opened.master.expose();
    assert!(!home.contains(&master[..16]));
    assert!(home.files().len() > 8);
}

#[test]
fn rocksdb_keeps_no_log_of_its_own_and_the_databases_are_closed_to_others() {
    let home = Home::new();
    drop(home.open());
    drop(home.open());
    let is_log = |path: &std::path::PathBuf| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("LOG")
    };
    assert!(!home.files().iter().any(is_log), "{:?}", home.files());
    for directory in ["data", "keys", "."] {
        let mode = std::fs::metadata(home.path().join(directory))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700, "{directory}");
    }
}

/// The sealed records of keys, as they are on the disk.
fn records_of_keys(home: &Home, table: &str) -> Vec<Vec<u8>> {
    let (path, options) = (home.path().join("keys"), rocksdb::Options::default());
    let all = rocksdb::DB::list_cf(&options, &path).unwrap();
    let db = rocksdb::DB::open_cf_for_read_only(&options, &path, &all, false).unwrap();
    let rows = db.iterator_cf(db.cf_handle(table).unwrap(), rocksdb::IteratorMode::Start);
    rows.map(|row| row.unwrap())
        .filter(|(key, _)| **key != [0; 4])
        .map(|(_, record)| record.to_vec())
        .collect()
}

/// Deletes the key of a window and leaves the mark of it, as a crash does that comes before the
/// erasing.
fn delete_key_and_crash(home: &Home, window: u32) {
    let open = |name: &str| {
        let (path, options) = (home.path().join(name), rocksdb::Options::default());
        let all = rocksdb::DB::list_cf(&options, &path).unwrap();
        rocksdb::DB::open_cf(&options, &path, all).unwrap()
    };
    let (data, keys) = (open("data"), open("keys"));
    let channels = data.cf_handle("channels").unwrap();
    let (chan, _) = data
        .iterator_cf(channels, rocksdb::IteratorMode::Start)
        .next()
        .unwrap()
        .unwrap();
    let mark = [b"\0shredding", &*chan, &window.to_be_bytes()].concat();
    data.put_cf(data.cf_handle("meta").unwrap(), mark, b"mark")
        .unwrap();
    keys.delete_cf(keys.cf_handle("window_keys").unwrap(), 1_u32.to_be_bytes())
        .unwrap();
}

#[test]
fn a_start_erases_the_key_that_a_crash_left_deleted() {
    let home = Home::new();
    let mut store = home.open();
    let mut batch = store.batch();
    batch.put_channel(&CHANNEL, *b"channel");
    batch.put_envelope(&CHANNEL, &place(DAY, 1, 1), *b"envelope");
    store.commit(batch).unwrap();
    drop(store);
    let window_keys = records_of_keys(&home, "window_keys");
    delete_key_and_crash(&home, DAY);
    assert!(home.contains(&window_keys[0]));
    let store = home.open();
    assert!(!home.contains(&window_keys[0]) && store.spans(&CHANNEL).is_empty());
}

#[test]
fn a_deleted_key_is_in_no_file_any_more() {
    let home = Home::new();
    let mut store = home.open();
    let mut batch = store.batch();
    batch.put_envelope(&CHANNEL, &place(DAY, 1, 1), *b"envelope");
    store.commit(batch).unwrap();
    store
        .put_epoch(&CHANNEL, &EpochId([1; 16]), b"chain at the first window")
        .unwrap();
    drop(store);
    let mut store = home.open();
    let (window_keys, epochs) = (
        records_of_keys(&home, "window_keys"),
        records_of_keys(&home, "epochs"),
    );
    assert!(home.contains(&window_keys[0]) && home.contains(&epochs[0]));

    store.shred(&CHANNEL, &span(DAY)).unwrap();
    store
        .put_epoch(&CHANNEL, &EpochId([1; 16]), b"chain at a later window")
        .unwrap();
    assert!(!home.contains(&window_keys[0]) && !home.contains(&epochs[0]));
    assert!(
        !home
            .files()
            .iter()
            .any(|path| path.to_string_lossy().contains("held-"))
    );
    assert_eq!(
        store.epochs(&CHANNEL)[0].as_slice(),
        b"chain at a later window"
    );
}

#[test]
fn what_rocksdb_could_not_finish_or_remove_does_not_count_as_erased() {
    let home = Home::new();
    let mut store = home.open();
    let spans = [(CHANNEL, span(DAY))];
    let mut batch = store.batch();
    batch.put_envelope(&CHANNEL, &place(DAY, 1, 1), b"said".to_vec());
    store.commit(batch).unwrap();
    store.reader().erase_replaced(&spans).unwrap();

    // Tables that are in no list, as a full disk leaves them, older than any that is begun now.
    let unfinished = home.path().join("data/000001.sst");
    fs::write(&unfinished, b"find me on disk!").unwrap();
    store.reader().erase_replaced(&spans).unwrap();
    assert!(!unfinished.exists());

    let stays = home.path().join("data/000002.sst");
    fs::create_dir(&stays).unwrap();
    fs::write(stays.join("within"), b"find me on disk!").unwrap();
    let failed = store.reader().erase_replaced(&spans);
    assert!(
        matches!(failed, Err(StoreError::NotRewritten { files: 1 })),
        "{failed:?}"
    );
    fs::remove_dir_all(&stays).unwrap();
    store.reader().erase_replaced(&spans).unwrap();
}
