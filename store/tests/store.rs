//! What is committed is there: for readers, after a restart, and on either medium.

#![expect(
    clippy::unwrap_used,
    reason = "a test that lacks what it needs has failed"
)]

mod home;

use std::path::Path;

use home::{CHANNEL, Home, OTHER, hlc, log, master, place, span, writer};
use std::collections::BTreeMap;

use kith_crdt::crypto::secret::Secret;
use kith_crdt::ids::{AccountId, DeviceId, EpochId, MessageId, OpId, TransportKey};
use kith_store::{
    Batch, EVENTS_KEPT, Line, Medium, MemoryEnv, Store, StoreError, View, envelope_bytes,
};

const DAY: u32 = 480_000;

/// Writes one record of every kind.
fn write_everything(batch: &mut Batch) {
    let (here, message) = (place(DAY, 1, 1), MessageId([9; 10]));
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
}

fn check_everything(view: &View<'_>) {
    let (here, message) = (place(DAY, 1, 1), MessageId([9; 10]));
    let segment = here.log.segment;
    assert_eq!(view.meta("clock").unwrap().unwrap(), b"meta");
    assert_eq!(view.channels(), [(CHANNEL, b"channel".to_vec())]);
    assert_eq!(view.channel(&CHANNEL).unwrap().unwrap(), b"channel");
    assert_eq!(view.ops(&CHANNEL), [(OpId([3; 32]), b"op".to_vec())]);
    assert_eq!(view.envelope(&CHANNEL, &here).unwrap(), b"envelope");
    assert_eq!(
        view.envelopes(&CHANNEL, &here.log, 1, 9, 99),
        [(1, b"envelope".to_vec())]
    );
    assert_eq!(
        view.multi_envelopes(&CHANNEL, &[place(DAY, 1, 2), here]),
        [None, Some(b"envelope".to_vec())]
    );
    assert_eq!(view.logs(&CHANNEL), [(segment, b"log".to_vec())]);
    assert_eq!(view.log(&CHANNEL, &here.log).unwrap().unwrap(), b"log");
    assert_eq!(view.forks(&CHANNEL), [(segment, b"fork".to_vec())]);
    assert_eq!(view.claims(&CHANNEL, &message), [b"claim"]);
    assert_eq!(
        view.seen(&CHANNEL, &segment),
        [(AccountId([4; 32]), b"seen".to_vec())]
    );
    assert_eq!(
        view.seen_by(&CHANNEL, &segment, &AccountId([4; 32]))
            .unwrap(),
        b"seen"
    );
    assert_eq!(view.message(&message), Some((CHANNEL, here)));
    assert_eq!(view.page(Line::main(&CHANNEL), None, 9)[0].place, here);
    assert_eq!(view.count(Line::main(&CHANNEL), None), 1);
    assert_eq!(
        view.beacons(&CHANNEL),
        [(DeviceId([5; 32]), b"beacon".to_vec())]
    );
    assert_eq!(view.erasures(&CHANNEL), [(7, b"erasures".to_vec())]);
    assert_eq!(view.erasures_of(&CHANNEL, 7).unwrap(), b"erasures");
    let ends = BTreeMap::from([(1, 1_795_176_000_000)]);
    let other = place(DAY, 2, 1).log;
    assert_eq!(
        view.ends(&CHANNEL, [&other, &here.log].into_iter()),
        BTreeMap::from([(here.log, ends)])
    );
    assert_eq!(view.peers(), [(TransportKey([6; 32]), b"peer".to_vec())]);
    assert_eq!(view.idempotency("request").unwrap(), b"answer");
    assert_eq!(view.events_since(0, 9), [(1, b"event".to_vec())]);
}

/// Removes one record of every kind.
fn delete_everything(batch: &mut Batch, view: &View<'_>) {
    let (here, message) = (place(DAY, 1, 1), MessageId([9; 10]));
    batch.delete_meta("clock");
    batch.delete_channel(&CHANNEL);
    batch.delete_op(&CHANNEL, &OpId([3; 32]));
    batch.delete_envelope(&CHANNEL, &here);
    batch.delete_log(&CHANNEL, &here.log);
    batch.delete_fork(&CHANNEL, &here.log);
    batch.delete_claim(&CHANNEL, &message, 1, &here);
    batch.delete_seen(&CHANNEL, &here.log.segment, &AccountId([4; 32]));
    batch.delete_message_id(&message);
    batch.remove_timeline(Line::main(&CHANNEL), hlc(DAY, 5), here);
    batch.delete_beacon(&CHANNEL, &DeviceId([5; 32]));
    batch.delete_erasures_before(&CHANNEL, 8);
    batch.delete_peer(&TransportKey([6; 32]));
    for (handle, _) in view.all_idempotency() {
        batch.delete_idempotency(handle);
    }
}

fn check_nothing(view: &View<'_>) {
    let (here, message) = (place(DAY, 1, 1), MessageId([9; 10]));
    assert_eq!(view.meta("clock").unwrap(), None);
    assert!(view.channels().is_empty() && view.ops(&CHANNEL).is_empty());
    assert!(view.envelope(&CHANNEL, &here).is_none() && view.logs(&CHANNEL).is_empty());
    assert!(view.forks(&CHANNEL).is_empty() && view.claims(&CHANNEL, &message).is_empty());
    assert!(view.seen(&CHANNEL, &here.log.segment).is_empty() && view.message(&message).is_none());
    assert!(view.page(Line::main(&CHANNEL), None, 9).is_empty());
    assert!(view.beacons(&CHANNEL).is_empty() && view.erasures(&CHANNEL).is_empty());
    assert!(view.ends(&CHANNEL, std::iter::once(&here.log)).is_empty());
    assert!(view.peers().is_empty() && view.idempotency("request").is_none());
}

#[test]
fn every_kind_of_record_survives_a_restart_and_can_be_removed() {
    let home = Home::new();
    let mut store = home.open();
    let mut batch = store.batch();
    write_everything(&mut batch);
    store.commit(batch).unwrap();
    check_everything(&store.reader().view());
    drop(store);

    let mut store = home.open();
    check_everything(&store.reader().view());
    let (reader, mut batch) = (store.reader(), store.batch());
    delete_everything(&mut batch, &reader.view());
    store.commit(batch).unwrap();
    check_nothing(&reader.view());
    assert_eq!(store.damage_count(), 0);
}

#[test]
fn a_home_in_memory_can_be_opened_again_and_needs_no_disk() {
    let (memory, nowhere) = (MemoryEnv::new().unwrap(), Path::new("/nonexistent/home"));
    let open = || Store::open(nowhere, &master(), Medium::Memory(memory.clone())).unwrap();
    let mut store = open();
    let mut batch = store.batch();
    write_everything(&mut batch);
    store.commit(batch).unwrap();
    store
        .put_epoch(&CHANNEL, &EpochId([1; 16]), b"epoch")
        .unwrap();
    drop(store);
    check_everything(&open().reader().view());
    assert_eq!(open().epochs(&CHANNEL)[0].as_slice(), b"epoch");
    let empty = Store::open(
        nowhere,
        &master(),
        Medium::Memory(MemoryEnv::new().unwrap()),
    )
    .unwrap();
    assert!(empty.reader().view().channels().is_empty());
}

#[test]
fn a_view_does_not_change_while_the_writer_goes_on() {
    let home = Home::new();
    let mut store = home.open();
    let reader = store.reader();
    let before = reader.view();
    let mut batch = store.batch();
    write_everything(&mut batch);
    store.commit(batch).unwrap();
    check_nothing(&before);
    check_everything(&reader.view());
}

#[test]
fn a_store_is_open_once() {
    let home = Home::new();
    let store = home.open();
    assert!(matches!(home.try_open(), Err(StoreError::Locked)));
    drop(store);
    home.open();
}

#[test]
fn another_master_reads_nothing() {
    let home = Home::new();
    let mut store = home.open();
    let mut batch = store.batch();
    batch.put_meta("clock", *b"meta");
    batch.put_channel(&CHANNEL, *b"channel");
    store.commit(batch).unwrap();
    drop(store);
    let store = Store::open(home.path(), &Secret::new([43; 32]), Medium::Disk).unwrap();
    assert!(matches!(
        store.reader().view().meta("clock"),
        Err(StoreError::Damaged { .. })
    ));
    assert!(store.reader().view().channels().is_empty());
}

#[test]
fn a_log_is_read_in_pages_and_cut_short() {
    let home = Home::new();
    let mut store = home.open();
    let mut batch = store.batch();
    for seq in 1..=300 {
        batch.put_envelope(&CHANNEL, &place(DAY, 1, seq), seq.to_be_bytes());
    }
    batch.put_envelope(&CHANNEL, &place(DAY, 2, 1), *b"another log's");
    store.commit(batch).unwrap();
    let read = |store: &Store, from, items, bytes| {
        let found = store
            .reader()
            .view()
            .envelopes(&CHANNEL, &log(DAY, 1), from, items, bytes);
        found.into_iter().map(|(seq, _)| seq).collect::<Vec<_>>()
    };
    assert_eq!(read(&store, 299, 9, 99), [299, 300]);
    assert_eq!(read(&store, 1, 3, 99), [1, 2, 3]);
    assert_eq!(read(&store, 7, 9, 11), [7, 8]);
    assert_eq!(read(&store, 7, 9, 1), [7]);
    assert!(read(&store, 7, 0, 99).is_empty());
    let mut batch = store.batch();
    batch.truncate_log(&CHANNEL, &log(DAY, 1), 10);
    store.commit(batch).unwrap();
    assert_eq!(read(&store, 8, 9, 99), [8, 9]);
    assert!(
        store
            .reader()
            .view()
            .envelope(&CHANNEL, &place(DAY, 2, 1))
            .is_some()
    );
}

#[test]
fn claims_are_of_their_own_message() {
    let home = Home::new();
    let mut store = home.open();
    let (one, two, none) = (MessageId([1; 10]), MessageId([2; 10]), MessageId([3; 10]));
    let mut batch = store.batch();
    batch.put_claim(&CHANNEL, &one, 1, &place(DAY, 1, 1), *b"a");
    batch.put_claim(&CHANNEL, &one, 2, &place(DAY, 1, 2), *b"b");
    batch.put_claim(&CHANNEL, &two, 1, &place(DAY, 1, 3), *b"c");
    store.commit(batch).unwrap();
    let reader = store.reader();
    let claims = reader.view().multi_claims(&CHANNEL, &[two, none, one]);
    assert_eq!(
        claims,
        [
            vec![b"c".to_vec()],
            vec![],
            vec![b"a".to_vec(), b"b".to_vec()]
        ]
    );
}

#[test]
fn messages_are_found_by_the_start_of_their_id() {
    let home = Home::new();
    let mut store = home.open();
    let mut batch = store.batch();
    let id = |last| MessageId([0xaa, 0xbb, 0xcc, 0, 0, 0, 0, 0, 0, last]);
    batch.put_message_id(&CHANNEL, &id(1), &place(DAY, 1, 1));
    batch.put_message_id(&OTHER, &id(2), &place(DAY + 24, 1, 2));
    batch.put_message_id(&CHANNEL, &MessageId([0xab; 10]), &place(DAY, 1, 3));
    store.commit(batch).unwrap();
    let reader = store.reader();
    let view = reader.view();
    let both = [
        (id(1), CHANNEL, place(DAY, 1, 1)),
        (id(2), OTHER, place(DAY + 24, 1, 2)),
    ];
    assert_eq!(view.messages_with_prefix(&id(1).to_string()[..6], 9), both);
    assert_eq!(
        view.messages_with_prefix(&id(1).to_string()[..6], 1),
        both[..1]
    );
    assert_eq!(view.messages_with_prefix(&id(2).to_string(), 9), both[1..]);
    assert!(view.messages_with_prefix("nope!", 9).is_empty());
    assert_eq!(view.messages_with_prefix("", 9).len(), 3);
}

#[test]
fn events_keep_their_cursors_and_their_number_is_bounded() {
    let home = Home::new();
    let mut store = home.open();
    let commit = |store: &mut Store, count: u64| {
        let mut batch = store.batch();
        (0..count).for_each(|_| batch.append_event(*b"something happened"));
        store.commit(batch).unwrap()
    };
    assert_eq!(commit(&mut store, 3).cursor, 3);
    drop(store);
    let mut store = home.open();
    let info = commit(&mut store, 2);
    assert_eq!((info.first, info.cursor), (4, 5));
    let reader = store.reader();
    let cursors = |since, limit| {
        reader
            .view()
            .events_since(since, limit)
            .into_iter()
            .map(|(cursor, _)| cursor)
            .collect::<Vec<_>>()
    };
    assert_eq!(cursors(0, 9), [1, 2, 3, 4, 5]);
    assert_eq!(cursors(2, 2), [3, 4]);
    assert!(cursors(5, 9).is_empty() && cursors(99, 9).is_empty());

    let newest = (0..80)
        .map(|_| commit(&mut store, 1_000).cursor)
        .last()
        .unwrap();
    assert_eq!(reader.view().newest_cursor(), Some(newest));
    assert_eq!(
        reader.view().oldest_cursor(),
        Some(newest - EVENTS_KEPT + 1)
    );
    assert_eq!(cursors(0, 1), [newest - EVENTS_KEPT + 1]);
    assert_eq!(cursors(0, usize::MAX).len() as u64, EVENTS_KEPT);
}

#[test]
fn an_empty_batch_writes_nothing() {
    let home = Home::new();
    let mut store = home.open();
    let before = home.contents();
    let info = store.commit(store.batch()).unwrap();
    assert_eq!((info.first, info.cursor), (1, 0));
    assert!(home.contents() == before);
}

#[test]
fn a_shredded_window_is_gone_for_everyone_and_the_sweep_removes_the_rest() {
    let home = Home::new();
    let mut store = home.open();
    let mut batch = store.batch();
    write_everything(&mut batch);
    let later = place(DAY + 24, 1, 1);
    batch.put_envelope(&CHANNEL, &later, *b"later");
    batch.insert_timeline(
        Line::thread(&CHANNEL, &MessageId([9; 10])),
        hlc(DAY, 9),
        place(DAY, 1, 2),
    );
    store.commit(batch).unwrap();
    let reader = store.reader();
    let held = reader.view();

    store.shred(&CHANNEL, &span(DAY)).unwrap();
    // A view made before sees what it saw, but without the key there is nothing to read.
    assert!(held.envelope(&CHANNEL, &place(DAY, 1, 1)).is_none());
    drop(held);
    let view = reader.view();
    assert!(
        view.message(&MessageId([9; 10])).is_none()
            && view.claims(&CHANNEL, &MessageId([9; 10])).is_empty()
    );
    assert!(view.logs(&CHANNEL).is_empty() && view.page(Line::main(&CHANNEL), None, 9).is_empty());
    assert_eq!(view.envelope(&CHANNEL, &later).unwrap(), b"later");
    assert_eq!(store.spans(&CHANNEL), [span(DAY + 24)]);

    let mut removed = 0;
    while !{
        let swept = store.sweep(2).unwrap();
        removed += swept.removed;
        swept.finished
    } {}
    assert_eq!(removed, 3, "a claim, a message id and a block of a thread");
    assert_eq!(store.sweep(99).unwrap().removed, 0);
    assert_eq!(store.damage_count(), 0);
    drop(view);
    drop((reader, store));
    assert_eq!(home.open().spans(&CHANNEL), [span(DAY + 24)]);
}

#[test]
fn the_number_of_a_shredded_key_is_not_given_out_again() {
    let home = Home::new();
    let mut store = home.open();
    let put = |store: &mut Store, message: u8, window| {
        let mut batch = store.batch();
        batch.put_message_id(&CHANNEL, &MessageId([message; 10]), &place(window, 1, 1));
        store.commit(batch).unwrap();
    };
    put(&mut store, 1, DAY);
    store.shred(&CHANNEL, &span(DAY)).unwrap();
    drop(store);
    let mut store = home.open();
    put(&mut store, 2, DAY + 24);
    assert!(store.reader().view().message(&MessageId([1; 10])).is_none());
    assert!(store.reader().view().message(&MessageId([2; 10])).is_some());
    assert_eq!(store.damage_count(), 0);
}

#[test]
fn epochs_are_of_their_channel_and_can_be_replaced_and_deleted() {
    let home = Home::new();
    let mut store = home.open();
    let (one, two) = (EpochId([1; 16]), EpochId([2; 16]));
    store.put_epoch(&CHANNEL, &one, b"first").unwrap();
    store.put_epoch(&CHANNEL, &two, b"second").unwrap();
    store.put_epoch(&OTHER, &one, b"other").unwrap();
    store.put_epoch(&CHANNEL, &one, b"moved on").unwrap();
    drop(store);
    let mut store = home.open();
    let epochs: Vec<_> = store
        .epochs(&CHANNEL)
        .iter()
        .map(|epoch| epoch.to_vec())
        .collect();
    assert_eq!(epochs, [b"moved on".to_vec(), b"second".to_vec()]);
    store.delete_epoch(&CHANNEL, &two).unwrap();
    assert_eq!(
        (store.epochs(&CHANNEL).len(), store.epochs(&OTHER).len()),
        (1, 1)
    );
}

#[test]
fn a_reader_works_from_any_thread() {
    let home = Home::new();
    let mut store = home.open();
    let mut batch = store.batch();
    write_everything(&mut batch);
    store.commit(batch).unwrap();
    let reader = store.reader();
    let check = || check_everything(&reader.clone().view());
    std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(check))));
    assert_eq!(writer(1).incarnation, 0);
}

#[test]
fn what_takes_up_how_much_is_counted_to_the_byte_and_by_whose_it_is() {
    let home = Home::new();
    let mut store = home.open();
    let here = place(DAY, 1, 1);
    let elsewhere = place(DAY, 2, 1);
    let mut batch = store.batch();
    batch.put_envelope(&CHANNEL, &here, vec![7; 100]);
    batch.put_envelope(&CHANNEL, &place(DAY, 1, 2), vec![7; 50]);
    batch.put_envelope(&OTHER, &elsewhere, vec![7; 10]);
    batch.put_message_id(&CHANNEL, &MessageId([9; 10]), &here);
    batch.put_op(&CHANNEL, &OpId([3; 32]), *b"op");
    batch.put_seen(&CHANNEL, &here.log.segment, &AccountId([4; 32]), *b"seen");
    batch.append_event(*b"event");
    store.commit(batch).unwrap();

    let reader = store.reader();
    let counted = reader.view().footprint(&[CHANNEL]);
    let channel = counted.channels[&CHANNEL];
    assert_eq!(channel.envelopes, envelope_bytes(100) + envelope_bytes(50));
    let sizes = [(1, envelope_bytes(100)), (2, envelope_bytes(50))];
    assert_eq!(reader.view().envelope_sizes(&CHANNEL, &here.log), sizes);
    assert!(channel.index > 0 && channel.receipts > 0 && channel.control > 0);
    assert!(counted.node > 0);
    assert_eq!(
        counted.ended,
        envelope_bytes(10),
        "that of a channel nobody knows"
    );
    assert!(reader.files().unwrap().data > channel.total());

    store.shred(&CHANNEL, &span(DAY)).unwrap();
    let left = store.reader().view().footprint(&[CHANNEL, OTHER]);
    assert_eq!(left.channels[&CHANNEL].envelopes, 0);
    assert_eq!(left.channels[&CHANNEL].index, 0);
    assert_eq!(left.ended, channel.index, "until a sweep comes by");
}
