//! Messages that ask to end sooner than others: when is kept beside their logs, one by one, known
//! after a restart, and gone with them. Engines under virtual time.

use kith_crdt::encoding::{decode, encode};
use kith_crdt::ids::{ChannelId, LogId};
use kith_crdt::log::Log;
use kith_crdt::retention::Retention;
use kith_crdt::time::{HOUR_MS, Millis};
use kith_tests::world::{World, plain};

/// A channel of one that keeps everything, with a message to be kept and one for two and a half
/// hours; and the logs they are in.
fn scene(seed: u64) -> (World, ChannelId, Vec<LogId>) {
    let mut world = World::new(1, seed);
    let channel = world.make_keeping(0, "general", Retention::Forever);
    world.say(0, channel, "to be kept");
    let send = plain(channel, "for a while", Some(HOUR_MS * 5 / 2));
    world.ask(0, send).expect("anybody may");
    let reader = world.engine(0).reader();
    let logs = reader.view().logs(&channel).into_iter();
    let logs = logs.filter_map(|(_, bytes)| decode::<Log>(&bytes, bytes.len()).ok());
    let logs: Vec<LogId> = logs.map(|log| log.id).collect();
    assert_eq!(kept(&world, &channel, &logs), 1);
    (world, channel, logs)
}

/// Of how many messages of these logs it is kept when they end.
fn kept(world: &World, channel: &ChannelId, logs: &[LogId]) -> usize {
    let reader = world.engine(0).reader();
    let ends = reader.view().ends(channel, logs.iter());
    ends.values().map(|of_log| of_log.len()).sum()
}

#[test]
fn when_a_message_ends_is_known_after_a_restart_and_forgotten_once_it_has() {
    let (mut world, channel, logs) = scene(61);
    world.jump(HOUR_MS);
    world.crash(0);
    world.start(0);
    world.pass(60_000);
    assert_eq!(world.texts_on_disk(0, &channel, 0), 2);
    // Over, and its window is not.
    world.jump(HOUR_MS * 8 / 5);
    world.pass(60_000);
    assert_eq!(world.texts_on_disk(0, &channel, 0), 1);
    assert_eq!(world.messages(0, &channel), 1);
    assert_eq!(kept(&world, &channel, &logs), 0);
}

#[test]
fn what_an_earlier_version_kept_in_the_log_s_record_is_known_as_well() {
    let (mut world, channel, logs) = scene(63);
    world.crash(0);
    world.tamper(0, |reader, batch| {
        let view = reader.view();
        let ends = view.ends(&channel, logs.iter());
        for (_, bytes) in view.logs(&channel) {
            let mut log: Log = decode(&bytes, bytes.len()).expect("a log");
            for (seq, at) in ends.get(&log.id).into_iter().flatten() {
                log.ends_before.insert(*seq, Millis(*at));
                batch.delete_end(&channel, &log.id.place(*seq));
            }
            batch.put_log(&channel, &log.id, encode(&log));
        }
    });
    world.start(0);
    world.jump(HOUR_MS * 13 / 5);
    world.pass(60_000);
    assert_eq!(world.texts_on_disk(0, &channel, 0), 1);
    let reader = world.engine(0).reader();
    for (_, bytes) in reader.view().logs(&channel) {
        let log: Log = decode(&bytes, bytes.len()).expect("a log");
        assert!(log.ends_before.is_empty());
    }
}

#[test]
fn it_goes_with_a_window_that_ended_while_the_node_was_off() {
    let (mut world, channel, logs) = scene(62);
    world.crash(0);
    world.jump(6 * HOUR_MS);
    world.start(0);
    world.pass(120_000);
    assert_eq!(world.entries_on_disk(0, &channel).len(), 1);
    assert_eq!(kept(&world, &channel, &logs), 0);
}
