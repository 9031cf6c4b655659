//! `kill -9` in the middle of a stream of sends: what was acknowledged is there,
//! once, at both; and a retry of what was not doubles nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use kith_tests::{Daemon, Home, PATIENCE, befriend, until, until_agreed};

/// How many people type at once at the node that is killed.
const TYPISTS: usize = 3;

/// How many rounds there are; `make soak` asks for more.
fn rounds() -> usize {
    let asked = std::env::var("KITH_KILLS").ok();
    asked.map_or(5, |kills| kills.parse().expect("KITH_KILLS is a number"))
}

/// One run of a daemon that ends after `acknowledgements` sends have returned.
/// Returns the texts that were acknowledged, and those of which nobody knows.
fn until_killed(
    home: &Home,
    daemon: Daemon,
    next: &AtomicUsize,
    acknowledgements: usize,
) -> (Vec<String>, Vec<String>) {
    let (sender, returned) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..TYPISTS {
            let sender = sender.clone();
            scope.spawn(move || {
                loop {
                    let text = format!("m{}", next.fetch_add(1, Ordering::Relaxed));
                    let done = home.kith(&["send", "garden", &text, "--key", &text]).code == 0;
                    let _ = sender.send((text, done));
                    if !done {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut outcomes: Vec<(String, bool)> = returned.iter().take(acknowledgements).collect();
        daemon.kill();
        outcomes.extend(returned);
        let (done, unknown): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|(_, done)| *done);
        let texts =
            |outcomes: Vec<(String, bool)>| outcomes.into_iter().map(|(text, _)| text).collect();
        (texts(done), texts(unknown))
    })
}

/// How often each text is in the channel, over all its pages.
fn counted(home: &Home) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    let mut page = home.lines(&["read", "garden", "--limit", "200"]);
    while let Some(oldest) = page.first() {
        let cursor = oldest["id"].as_str().expect("an id").to_owned();
        for message in &page {
            let text = message["text"].as_str().expect("a text");
            *counted.entry(text.to_owned()).or_default() += 1;
        }
        page = home.lines(&["read", "garden", "--limit", "200", "--before", &cursor]);
    }
    counted
}

#[test]
fn killed_while_sending_it_loses_nothing_and_doubles_nothing() {
    let (ana, ben) = (Home::init("Ana"), Home::init("Ben"));
    let b = Daemon::start(&ben);
    let mut a = Daemon::start_towards(&ana, &b.addresses());
    ana.json(&["channel", "create", "garden"]);
    befriend(&ana, &ben, "garden");

    let next = AtomicUsize::new(0);
    let mut expected: BTreeMap<String, usize> = BTreeMap::new();
    for round in 0..rounds() {
        // Another moment of the stream in every round.
        let (done, unknown) = until_killed(&ana, a, &next, 5 + 7 * round % 23);
        a = Daemon::start_towards(&ana, &b.addresses());
        for text in &unknown {
            ana.json(&["send", "garden", text, "--key", text]);
        }
        expected.extend(done.into_iter().chain(unknown).map(|text| (text, 1)));
    }

    assert_eq!(counted(&ana), expected);
    until("everything at Ben's", PATIENCE, || {
        (counted(&ben) == expected).then_some(())
    });
    until_agreed(&[&ana, &ben], "garden");
}

#[test]
fn killed_while_receiving_it_catches_up() {
    let (ana, ben) = (Home::init("Ana"), Home::init("Ben"));
    let a = Daemon::start(&ana);
    let b = Daemon::start_towards(&ben, &a.addresses());
    ana.json(&["channel", "create", "garden"]);
    befriend(&ana, &ben, "garden");

    let send = |range: std::ops::Range<usize>| {
        for number in range {
            ana.json(&["send", "garden", &format!("m{number}")]);
        }
    };
    send(0..30);
    b.kill();
    send(30..40);
    let _b = Daemon::start_towards(&ben, &a.addresses());

    until_agreed(&[&ana, &ben], "garden");
    assert_eq!(counted(&ben), counted(&ana));
    assert_eq!(counted(&ben).len(), 40);
}
