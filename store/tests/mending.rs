//! Damage that is written down, and what a store does towards mending it.

#![expect(
    clippy::unwrap_used,
    reason = "a test that lacks what it needs has failed"
)]

mod home;

use home::{CHANNEL, Home, OTHER, hlc, log, place, span};
use kith_crdt::ids::{EpochId, MessageId, OpId};
use kith_store::{DamageKind, Line, Store};
use rocksdb::{DB, IteratorMode, Options};

const DAY: u32 = 480_000;

/// Opens one of a home's databases with nothing but RocksDB.
fn raw(home: &Home, directory: &str) -> DB {
    let (path, options) = (home.path().join(directory), Options::default());
    let all = DB::list_cf(&options, &path).unwrap();
    DB::open_cf(&options, &path, &all).unwrap()
}

/// Flips a bit in every value of a table.
fn flip_every_value(home: &Home, directory: &str, table: &str) {
    let db = raw(home, directory);
    let cf = db.cf_handle(table).unwrap();
    let rows: Vec<_> = db
        .iterator_cf(cf, IteratorMode::Start)
        .map(Result::unwrap)
        .collect();
    for (key, mut record) in rows {
        *record.last_mut().unwrap() ^= 1;
        db.put_cf(cf, &key, &record).unwrap();
    }
}

fn write(home: &Home) {
    let mut store = home.open();
    let mut batch = store.batch();
    for channel in [CHANNEL, OTHER] {
        let here = place(DAY, 1, 1);
        batch.put_channel(&channel, *b"channel");
        batch.put_op(&channel, &OpId([3; 32]), *b"an op");
        batch.put_op(&channel, &OpId([4; 32]), *b"an op");
        batch.put_log(&channel, &here.log, *b"log");
        batch.put_envelope(&channel, &here, *b"envelope");
        batch.insert_timeline(Line::main(&channel), hlc(DAY, 5), here);
        let message = MessageId([channel.0[0]; 10]);
        batch.put_message_id(&channel, &message, &place(DAY, 2, 7));
        batch.put_claim(&channel, &message, 1, &here, *b"claim");
    }
    batch.append_event(*b"first");
    batch.append_event(*b"second");
    store.commit(batch).unwrap();
    store
        .put_epoch(&CHANNEL, &EpochId([1; 16]), b"epoch")
        .unwrap();
}

/// How much of a channel can be read.
fn readable(store: &Store, channel: &kith_crdt::ids::ChannelId) -> usize {
    let reader = store.reader();
    let view = reader.view();
    let message = MessageId([channel.0[0]; 10]);
    view.ops(channel).len()
        + view.logs(channel).len()
        + view.page(Line::main(channel), None, 9).len()
        + usize::from(view.envelope(channel, &place(DAY, 1, 1)).is_some())
        + usize::from(view.message(&message).is_some())
        + view.claims(channel, &message).len()
}

#[test]
fn damage_that_one_run_met_is_known_to_every_later_one_until_it_is_mended() {
    let home = Home::new();
    write(&home);
    flip_every_value(&home, "data", "logs");
    let mut store = home.open();
    assert_eq!(readable(&store, &CHANNEL), 6);
    store.keep_damage().unwrap();
    drop(store);

    for _ in 0..2 {
        let store = home.open();
        let known = (store.damage_count(), store.reader().damage_known());
        assert_eq!(known, (0, 1), "it was not looked at");
        assert_eq!(store.reader().damage_in(&CHANNEL), 1);
        assert_eq!(store.reader().damage_in(&OTHER), 0);
    }
    let mut store = home.open();
    assert_eq!(store.drop_unreadable(&CHANNEL).unwrap(), 1);
    store.forget_damage(Some(&CHANNEL)).unwrap();
    assert_eq!((readable(&store, &CHANNEL), store.damage()), (6, vec![]));
    drop(store);
    assert!(!home.open().has_damage());
}

#[test]
fn a_commit_takes_the_record_of_damage_along() {
    let home = Home::new();
    write(&home);
    flip_every_value(&home, "data", "logs");
    let mut store = home.open();
    readable(&store, &CHANNEL);
    let mut batch = store.batch();
    batch.put_meta("clock", *b"later");
    store.commit(batch).unwrap();
    drop(store);
    assert!(home.open().has_damage());
}

#[test]
fn a_key_that_is_nowhere_is_lost_and_one_that_was_deleted_has_ended() {
    let home = Home::new();
    let (message, ended, lost) = (MessageId([9; 10]), place(DAY, 1, 1), place(DAY + 24, 1, 1));
    let mut store = home.open();
    let mut batch = store.batch();
    batch.put_claim(&CHANNEL, &message, 1, &ended, *b"claim");
    batch.put_envelope(&CHANNEL, &lost, *b"envelope");
    store.commit(batch).unwrap();
    store.shred(&CHANNEL, &span(DAY)).unwrap();
    drop(store);
    // As a salvage leaves it that could not read the record of the second key.
    let keys = raw(&home, "keys");
    let table = keys.cf_handle("window_keys").unwrap();
    keys.delete_cf(table, 2_u32.to_be_bytes()).unwrap();
    drop(keys);

    let mut store = home.open();
    let reader = store.reader();
    assert!(reader.view().claims(&CHANNEL, &message).is_empty());
    assert_eq!(store.damage(), [], "what was ended is no damage");
    assert!(reader.view().envelope(&CHANNEL, &lost).is_none());
    let kinds: Vec<DamageKind> = store.damage().iter().map(|damage| damage.kind).collect();
    assert_eq!(kinds, [DamageKind::Key]);
    // A window that was ended gets another number when it is written in again.
    let mut batch = store.batch();
    batch.put_envelope(&CHANNEL, &ended, *b"again");
    store.commit(batch).unwrap();
    drop((reader, store));
    let store = home.open();
    assert!(store.reader().view().envelope(&CHANNEL, &ended).is_some());
    assert!(store.reader().view().claims(&CHANNEL, &message).is_empty());
}

#[test]
fn what_follows_from_other_records_is_dropped_of_one_channel_alone() {
    let home = Home::new();
    write(&home);
    let mut store = home.open();
    assert_eq!(
        (readable(&store, &CHANNEL), readable(&store, &OTHER)),
        (7, 7)
    );
    let logs = store.logs_in_index(&CHANNEL);
    assert_eq!(
        logs.into_iter().collect::<Vec<_>>(),
        [log(DAY, 1), log(DAY, 2)]
    );
    let mut batch = store.batch();
    batch.insert_timeline(Line::main(&CHANNEL), hlc(DAY, 8), place(DAY, 1, 3));
    store.commit(batch).unwrap();
    assert_eq!(store.drop_derived(&CHANNEL).unwrap(), 0);
    assert_eq!(
        (readable(&store, &CHANNEL), readable(&store, &OTHER)),
        (4, 7)
    );
    // What is inserted afterwards is not taken for what was dropped.
    let mut batch = store.batch();
    batch.insert_timeline(Line::main(&CHANNEL), hlc(DAY, 9), place(DAY, 1, 2));
    store.commit(batch).unwrap();
    assert_eq!(
        store
            .reader()
            .view()
            .page(Line::main(&CHANNEL), None, 9)
            .len(),
        1
    );
}

#[test]
fn what_cannot_be_read_is_dropped_and_no_cursor_is_given_out_twice() {
    let home = Home::new();
    write(&home);
    for table in ["channels", "control", "events", "message_ids"] {
        flip_every_value(&home, "data", table);
    }
    flip_every_value(&home, "keys", "epochs");
    let mut store = home.open();
    let newest = store.reader().view().newest_cursor().unwrap();
    assert_eq!(store.drop_derived(&CHANNEL).unwrap(), 1);
    // The channels' own records are both of the node.
    assert_eq!(store.drop_unreadable(&CHANNEL).unwrap(), 2 + 2 + 1 + 1);
    store.forget_damage(None).unwrap();
    assert!(store.epochs(&CHANNEL).is_empty());
    drop(store);
    let mut store = home.open();
    readable(&store, &CHANNEL);
    assert_eq!(store.damage(), []);
    let mut batch = store.batch();
    batch.append_event(*b"third");
    assert!(store.commit(batch).unwrap().first > newest);
}

#[test]
fn records_of_keys_that_cannot_be_read_are_dropped_and_numbers_go_on() {
    let home = Home::new();
    write(&home);
    flip_every_value(&home, "keys", "window_keys");
    let mut store = home.open();
    let dropped = store.drop_unreadable(&CHANNEL).unwrap();
    assert_eq!(dropped, 1 + 3, "an envelope, the counter and two keys");
    let mut batch = store.batch();
    batch.put_envelope(&CHANNEL, &place(DAY, 1, 1), *b"again");
    store.commit(batch).unwrap();
    drop(store);
    let store = home.open();
    assert_eq!(
        store.damage(),
        [],
        "the records of the keys are sound again"
    );
    let reader = store.reader();
    assert!(
        reader
            .view()
            .envelope(&CHANNEL, &place(DAY, 1, 1))
            .is_some()
    );
    // What the other channel has lost is not taken for what was written since.
    assert!(reader.view().envelope(&OTHER, &place(DAY, 1, 1)).is_none());
    assert_eq!(store.damage()[0].kind, DamageKind::Key);
}

#[test]
fn ops_say_which_channels_there_are() {
    let home = Home::new();
    write(&home);
    flip_every_value(&home, "data", "channels");
    let store = home.open();
    assert!(store.reader().view().channels().is_empty());
    let ops = store.reader().view().an_op_of_each_channel();
    assert_eq!(ops, [b"an op".to_vec(), b"an op".to_vec()]);
    let mut channels = store.channels_with_keys();
    channels.sort();
    assert_eq!(channels, [CHANNEL, OTHER]);
}
