//! A home that goes on from an older state of itself, or twice at once, loses nothing and forks
//! nothing: it begins anew, as another writer.

use std::fs;

use kith_tests::{
    Daemon, Home, PATIENCE, befriend, copy_tree, texts, until, until_agreed, until_seen,
};

/// Ana and Ben in one channel that has a message of Ana's; Ana's node is stopped, Ben's runs.
fn one_message() -> (Home, Home, Daemon) {
    let [ana, ben] = ["Ana", "Ben"].map(Home::init);
    let a = Daemon::start(&ana);
    let b = Daemon::start_towards(&ben, &a.addresses());
    ana.json(&["channel", "create", "garden"]);
    befriend(&ana, &ben, "garden");
    let first = ana.field(&["send", "garden", "one"], "id");
    until_seen(&ben, &first);
    until_agreed(&[&ana, &ben], "garden");
    a.stop();
    (ana, ben, b)
}

/// Sends a message while its node runs alone or with others, and returns its id.
fn send(home: &Home, text: &str) -> String {
    home.field(&["send", "garden", text], "id")
}

/// Sends "two" and "three" with Ben there to take them, and stops.
fn go_on(ana: &Home, ben: &Home, b: &Daemon) {
    let a = Daemon::start_towards(ana, &b.addresses());
    send(ana, "two");
    until_seen(ben, &send(ana, "three"));
    until_agreed(&[ana, ben], "garden");
    a.stop();
}

fn check(homes: &[&Home], expected: &[&str]) {
    until_agreed(homes, "garden");
    for home in homes {
        let messages = home.lines(&["read", "garden"]);
        assert_eq!(texts(&messages), expected, "at {}", home.name());
    }
}

#[test]
fn a_restored_backup_goes_on_as_a_new_writer() {
    let (ana, ben, b) = one_message();
    let backup = ana.copy();
    go_on(&ana, &ben, &b);

    // The disk died. What is written before anybody is met must not take a number twice.
    ana.restore(&backup);
    let alone = Daemon::start(&ana);
    send(&ana, "four");
    assert!(
        alone.log().contains("goes on as a new writer"),
        "{}",
        alone.log()
    );
    alone.stop();
    let _a = Daemon::start_towards(&ana, &b.addresses());
    send(&ana, "five");
    check(&[&ana, &ben], &["one", "two", "three", "four", "five"]);
}

#[test]
fn files_set_back_in_place_are_noticed_before_anything_is_written() {
    let (ana, ben, b) = one_message();
    let backup = ana.copy();
    go_on(&ana, &ben, &b);

    // The same directories and, where a file of that name is there, the same files: what a tool
    // does that brings a tree to an earlier state.
    for directory in ["data", "keys"] {
        for entry in fs::read_dir(ana.path().join(directory)).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }
    copy_tree(backup.path(), ana.path()).unwrap();
    let alone = Daemon::start(&ana);
    send(&ana, "four");
    alone.stop();
    let _a = Daemon::start_towards(&ana, &b.addresses());
    check(&[&ana, &ben], &["one", "two", "three", "four"]);
}

#[test]
fn a_log_that_lost_its_end_forks_nothing() {
    let (ana, ben, b) = one_message();
    let a = Daemon::start_towards(&ana, &b.addresses());
    send(&ana, "two");
    until_seen(&ben, &send(&ana, "three"));
    until_agreed(&[&ana, &ben], "garden");
    a.kill();

    // The disk gives back less than it took.
    let logs: Vec<_> = fs::read_dir(ana.path().join("data"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    assert!(!logs.is_empty());
    for log in logs {
        let file = fs::OpenOptions::new().write(true).open(log).unwrap();
        let len = file.metadata().unwrap().len();
        file.set_len(len * 7 / 10).unwrap();
    }
    let alone = Daemon::start(&ana);
    send(&ana, "four");
    alone.stop();
    let _a = Daemon::start_towards(&ana, &b.addresses());
    check(&[&ana, &ben], &["one", "two", "three", "four"]);
}

/// Whether a home says that there is another one like it.
fn knows_of_its_double(home: &Home) -> Option<()> {
    home.json(&["status"])["doubled_at"]
        .is_string()
        .then_some(())
}

#[test]
fn two_copies_that_run_at_once_write_two_logs_and_their_owner_is_told() {
    let (ana, ben, b) = one_message();
    let twin = ana.copy();
    let _a = Daemon::start_towards(&ana, &b.addresses());
    let _t = Daemon::start_towards(&twin, &b.addresses());
    let told = twin.json(&["status"])["began_anew"]["cause"].clone();
    assert_eq!(told, "copy");
    assert!(ana.json(&["status"])["began_anew"].is_null());

    // Both have one transport key, and Ben's node talks to one of them at a time.
    let mut sent = vec!["one".to_owned()];
    for (home, name) in [
        (&ana, "the home"),
        (&twin, "its copy"),
        (&ana, "the home again"),
    ] {
        let text = format!("from {name}");
        let id = send(home, &text);
        sent.push(text);
        until_seen(&ben, &id);
    }
    for home in [&ana, &twin] {
        until("the double to be known", PATIENCE, || {
            knows_of_its_double(home)
        });
        let shown = home.kith(&["read", "garden"]);
        assert!(shown.stderr.contains("doubled"), "{}", shown.stderr);
    }
    assert!(ben.json(&["status"])["doubled_at"].is_null());
    let sent: Vec<&str> = sent.iter().map(String::as_str).collect();
    check(&[&ana, &twin, &ben], &sent);
}

#[test]
fn a_home_that_is_moved_or_started_again_goes_on_as_it_was() {
    let (ana, ben, b) = one_message();
    let elsewhere = ana.beside("elsewhere");
    fs::rename(ana.path(), &elsewhere).unwrap();
    fs::rename(&elsewhere, ana.path()).unwrap();
    let a = Daemon::start_towards(&ana, &b.addresses());
    until_seen(&ben, &send(&ana, "two"));
    assert!(!a.log().contains("new writer"), "{}", a.log());
}
