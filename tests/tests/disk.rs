//! A disk that is full or cannot be written to: what is refused says why, what was acknowledged
//! stays, and it goes on by itself once there is space.
//!
//! It takes the right to mount a file system; without it these tests say so and check nothing.

#![expect(clippy::print_stderr, reason = "a skipped test has to say so")]

use std::time::Duration;

use kith_tests::{Daemon, Home, SmallDisk, texts, until};

/// RocksDB looks for space every few seconds; much more than that is a failure.
const RECOVERY: Duration = Duration::from_secs(60);

/// A home on a small disk of its own.
fn home_on_disk() -> Option<(Home, SmallDisk)> {
    let home = Home::vacant("Ana");
    let Some(disk) = SmallDisk::under(&home) else {
        eprintln!("skipped: no right to mount a file system");
        return None;
    };
    home.json(&["init", "--name", "Ana"]);
    Some((home, disk))
}

#[test]
fn a_full_disk_refuses_and_goes_on_when_there_is_space() {
    let Some((ana, disk)) = home_on_disk() else {
        return;
    };
    let daemon = Daemon::start(&ana);
    ana.json(&["channel", "create", "garden"]);
    ana.json(&["send", "garden", "before"]);
    let mut acknowledged = vec!["before".to_owned()];

    disk.fill();
    let long = "seed ".repeat(1_900);
    let refusal = (0..2_000).find_map(|number| {
        let text = format!("{number} {long}");
        let sent = ana.kith(&["send", "garden", &text]);
        if sent.code != 0 {
            return sent.failure();
        }
        acknowledged.push(number.to_string());
        None
    });
    let refusal = refusal.expect("a full disk refuses sooner or later");
    assert!(refusal.message.contains("space"), "{}", refusal.message);
    assert_eq!(newest(&ana), tail(&acknowledged), "reading goes on");
    ana.json(&["status"]);

    disk.free();
    until("a send after the disk has space", RECOVERY, || {
        (ana.kith(&["send", "garden", "after"]).code == 0).then_some(())
    });
    acknowledged.push("after".to_owned());
    assert_eq!(newest(&ana), tail(&acknowledged));
    daemon.stop();
    let _again = Daemon::start(&ana);
    assert_eq!(newest(&ana), tail(&acknowledged));
}

#[test]
fn a_home_that_cannot_be_written_to_is_refused_and_not_changed() {
    let Some((ana, disk)) = home_on_disk() else {
        return;
    };
    let daemon = Daemon::start(&ana);
    ana.json(&["channel", "create", "garden"]);
    ana.json(&["send", "garden", "before"]);
    daemon.stop();

    disk.read_only(true);
    let refused = Daemon::refused(&ana, &[]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("cannot be written to"),
        "{}",
        refused.stderr
    );
    disk.read_only(false);
    let _daemon = Daemon::start(&ana);
    assert_eq!(newest(&ana), ["before"]);
}

/// The first words of the newest messages.
fn newest(home: &Home) -> Vec<String> {
    let messages = home.lines(&["read", "garden", "--limit", "500"]);
    let first = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
    texts(&messages).into_iter().map(first).collect()
}

/// As many of the last as one page has.
fn tail(words: &[String]) -> Vec<String> {
    words[words.len().saturating_sub(500)..].to_vec()
}
