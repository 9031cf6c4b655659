//! `kith verify`: what is shown is what the signed entries make, and where it is not, that is
//! found, named, and an error.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use kith_tests::{Daemon, Home, PATIENCE, befriend, copy_tree, until, until_agreed, until_seen};
use serde_json::Value;

fn equal(home: &Home) -> Value {
    let report = home.json(&["verify", "garden"]);
    assert_eq!(report["equal"], true, "{report}");
    assert_eq!(report["difference"], Value::Null);
    report
}

/// Two people who have done everything that leaves a trace.
fn lively() -> ([Home; 2], Vec<Daemon>) {
    let homes = ["Ana", "Ben"].map(Home::init);
    let [ana, ben] = &homes;
    let a = Daemon::start(ana);
    let b = Daemon::start_towards(ben, &a.addresses());
    ana.json(&["channel", "create", "garden", "--topic", "what grows"]);
    befriend(ana, ben, "garden");
    let root = ana.field(&["send", "garden", "The bean is up."], "id");
    until_seen(ben, &root);
    for number in 0..4 {
        let text = format!("I count {number}.");
        ben.json(&["send", "garden", &text, "--thread", &root]);
    }
    let reply = ben.field(&["send", "garden", "Which?", "--reply-to", &root], "id");
    ben.json(&["edit", &reply, "Which one?"]);
    ana.json(&["edit", &root, "The beans are up."]);
    until_seen(ana, &reply);
    ana.json(&["react", &reply, "🌱"]);
    ben.json(&["react", &reply, "🌱"]);
    ana.json(&["react", &reply, "🌱", "--remove"]);
    let spam = ben.field(&["send", "garden", "buy seeds"], "id");
    until_seen(ana, &spam);
    ana.json(&["delete", &spam, "--reason", "spam"]);
    let own = ben.field(&["send", "garden", "oops"], "id");
    ben.json(&["delete", &own]);
    ana.json(&["mark", "garden"]);
    ben.json(&["mark", "garden"]);
    ana.json(&["role", "garden", "Ben", "moderator"]);
    ana.json(&["member", "mute", "garden", "Ben"]);
    ana.json(&["member", "unmute", "garden", "Ben"]);
    until_agreed(&[ana, ben], "garden");
    (homes, vec![a, b])
}

#[test]
fn what_is_shown_is_what_the_entries_make_on_every_node_and_after_a_restart() {
    let (homes, daemons) = lively();
    let [ana, ben] = &homes;
    let report = equal(ana);
    assert_eq!(report["settled"], true);
    assert_eq!(report["messages"], 8);
    let number = |field: &str| report[field].as_u64().expect("a number");
    assert_eq!(number("signatures"), number("ops") + number("entries"));
    assert_eq!(equal(ben)["entries"], report["entries"]);
    let told = ana.plain(&["verify", "garden"]);
    assert!(told.contains("8 messages"), "{told}");
    assert!(told.ends_with("everything shown is what the signed entries make\n"));
    daemons.into_iter().for_each(Daemon::stop);
    let _a = Daemon::start(ana);
    equal(ana);
    assert_eq!(ana.kith(&["verify", "cellar"]).code, 4);
    assert_eq!(ana.kith(&["verify", ""]).code, 2);
}

#[test]
fn who_was_hidden_or_has_gone_changes_nothing_about_it() {
    let (homes, _daemons) = lively();
    let [ana, ben] = &homes;
    ana.json(&["member", "ban", "garden", "Ben"]);
    ana.json(&["send", "garden", "alone"]);
    equal(ana);
    until("Ben to be out", PATIENCE, || {
        (ben.json(&["channel", "show", "garden"])["role"] == Value::Null).then_some(())
    });
    equal(ben);
}

#[test]
fn sending_goes_on_while_a_channel_is_verified() {
    let (homes, _daemons) = lively();
    let [ana, ben] = &homes;
    let done = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut sent = 0;
            while !done.load(Ordering::Relaxed) || sent < 20 {
                ben.json(&["send", "garden", &format!("and {sent}")]);
                sent += 1;
            }
            sent
        });
        for _ in 0..5 {
            equal(ben);
            equal(ana);
        }
        done.store(true, Ordering::Relaxed);
        sender.join().expect("the sender is no test")
    });
    until_agreed(&[ana, ben], "garden");
    assert_eq!(equal(ana)["messages"], 8 + sent);
}

fn tables(home: &Home, directory: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(home.path().join(directory)).expect("a directory");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "sst"))
        .collect();
    paths.sort();
    paths
}

fn flip(path: &PathBuf, at: usize) {
    let mut bytes = fs::read(path).expect("a table");
    bytes[at] ^= 0x10;
    fs::write(path, bytes).expect("a table");
}

#[test]
fn a_flipped_bit_in_any_table_is_found_by_a_running_daemon() {
    let (homes, daemons) = lively();
    let ana = &homes[0];
    daemons.into_iter().for_each(Daemon::stop);
    // What was written is in tables after a start.
    Daemon::start(ana).stop();
    let whole = ana.beside("whole");
    copy_tree(ana.path(), &whole).expect("a home can be copied");
    let count = tables(ana, "data").len() + tables(ana, "keys").len();
    for number in 0..count {
        fs::remove_dir_all(ana.path()).expect("a home can be removed");
        copy_tree(&whole, ana.path()).expect("a home can be copied");
        let daemon = Daemon::start(ana);
        equal(ana);
        let both = [tables(ana, "data"), tables(ana, "keys")].concat();
        let Some(path) = both.get(number) else {
            break;
        };
        // The first block of a table is its first records.
        flip(path, 40);
        let outcome = ana.kith(&["verify", "garden"]);
        // A table that was replaced just then is in nobody's way.
        let is_found = outcome.code == 1 && outcome.stderr.contains("check the disk");
        assert!(is_found || !path.exists(), "{}: {outcome}", path.display());
        daemon.kill();
    }
}

#[test]
fn damage_is_told_where_something_may_be_missing_and_counts_do_not_fall_to_nothing() {
    let (homes, daemons) = lively();
    let ana = &homes[0];
    daemons.into_iter().for_each(Daemon::stop);
    Daemon::start(ana).stop();
    let whole = ana.beside("whole");
    copy_tree(ana.path(), &whole).expect("a home can be copied");
    let count = tables(ana, "data").len() + tables(ana, "keys").len();
    for number in 0..count {
        fs::remove_dir_all(ana.path()).expect("a home can be removed");
        copy_tree(&whole, ana.path()).expect("a home can be copied");
        let both = [tables(ana, "data"), tables(ana, "keys")].concat();
        flip(&both[number], 40);
        let name = both[number].display();
        let daemon = Daemon::start(ana);
        let read = ana.kith(&["read", "garden"]);
        // The channel itself may be what is lost; then nothing can be read of it.
        if read.code == 0 {
            let shown = ana.json(&["channel", "show", "garden"]);
            assert!(
                shown["messages"].as_u64() >= Some(read.lines.len() as u64),
                "{name}"
            );
            let read = ana.kith(&["read", "garden"]);
            let damaged = ana.json(&["status"])["damaged"].as_u64();
            let is_told = read.stderr.contains("check the disk");
            assert_eq!(is_told, damaged > Some(0), "{name}: {read}");
            assert!(is_told || read.lines.len() == 4, "{name}: {read}");
        }
        daemon.kill();
    }
}
