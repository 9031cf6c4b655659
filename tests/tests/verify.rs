//! `kith verify`: what is shown is what the signed entries make, and where it is not, that is
//! found, named, and an error.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use kith_tests::{Daemon, Home, PATIENCE, copy_tree, flip, lively, tables, until, until_agreed};
use serde_json::Value;

fn equal(home: &Home) -> Value {
    let report = home.json(&["verify", "garden"]);
    assert_eq!(report["equal"], true, "{report}");
    assert_eq!(report["difference"], Value::Null);
    report
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

/// Flips a bit in each table of a home in turn, in a whole copy each time: before its daemon starts,
/// or while it runs. Its first block is its first records.
fn with_each_table_flipped(home: &Home, is_running: bool, mut check: impl FnMut(&Home, &PathBuf)) {
    // What was written is in tables after a start.
    Daemon::start(home).stop();
    let whole = home.beside("whole");
    copy_tree(home.path(), &whole).expect("a home can be copied");
    let both = |home: &Home| [tables(home, "data"), tables(home, "keys")].concat();
    for number in 0..both(home).len() {
        fs::remove_dir_all(home.path()).expect("a home can be removed");
        copy_tree(&whole, home.path()).expect("a home can be copied");
        let running = is_running.then(|| Daemon::start(home));
        if is_running {
            equal(home);
        }
        let Some(path) = both(home).get(number).cloned() else {
            break;
        };
        flip(&path, 40);
        let daemon = running.unwrap_or_else(|| Daemon::start(home));
        check(home, &path);
        daemon.kill();
    }
}

#[test]
fn a_flipped_bit_in_any_table_is_found_by_a_running_daemon() {
    let (homes, daemons) = lively();
    daemons.into_iter().for_each(Daemon::stop);
    with_each_table_flipped(&homes[0], true, |ana, path| {
        let outcome = ana.kith(&["verify", "garden"]);
        // A table that was replaced just then is in nobody's way.
        let is_found = outcome.code == 1 && outcome.stderr.contains("check the disk");
        assert!(is_found || !path.exists(), "{}: {outcome}", path.display());
    });
}

#[test]
fn damage_is_told_where_something_may_be_missing_and_counts_do_not_fall_to_nothing() {
    let (homes, daemons) = lively();
    daemons.into_iter().for_each(Daemon::stop);
    with_each_table_flipped(&homes[0], false, |ana, path| {
        let name = path.display();
        let read = ana.kith(&["read", "garden"]);
        // The channel itself may be what is lost; then nothing can be read of it.
        if read.code != 0 {
            return;
        }
        let shown = ana.json(&["channel", "show", "garden"]);
        let counted = shown["messages"].as_u64();
        assert!(counted >= Some(read.lines.len() as u64), "{name}");
        let read = ana.kith(&["read", "garden"]);
        let damaged = ana.json(&["status"])["damaged"].as_u64();
        let is_told = read.stderr.contains("check the disk");
        assert_eq!(is_told, damaged > Some(0), "{name}: {read}");
        assert!(is_told || read.lines.len() == 4, "{name}: {read}");
    });
}

#[test]
fn when_keys_or_entries_are_damaged_it_is_said_of_which_time_something_cannot_be_read() {
    for is_running in [true, false] {
        let (homes, daemons) = lively();
        let said = homes[0].lines(&["read", "garden"])[0]["at"].clone();
        daemons.into_iter().for_each(Daemon::stop);
        let mut told = 0;
        with_each_table_flipped(&homes[0], is_running, |ana, path| {
            let outcome = ana.kith(&["verify", "garden"]);
            let stretch = outcome.lines[0]["unreadable"][0].clone();
            // A table that was replaced just then is in nobody's way.
            let is_of_keys = path.parent().is_some_and(|parent| parent.ends_with("keys"));
            assert!(
                !is_of_keys || !path.exists() || stretch.is_object(),
                "{outcome}"
            );
            if !stretch.is_object() {
                return;
            }
            assert_eq!(stretch["entries"], 17, "{outcome}");
            assert!(stretch["from"].as_str() <= said.as_str(), "{outcome}");
            assert!(stretch["until"].as_str() > said.as_str(), "{outcome}");
            told += 1;
        });
        // Of the envelopes, and of the keys of windows and of epochs, if those were not replaced.
        assert!(told >= if is_running { 2 } else { 3 }, "{told}");
    }
}
