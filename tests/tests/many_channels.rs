//! More channels than a gossip peer takes subscriptions by default, all live.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kith_tests::{Daemon, Home, Tail, befriend};

/// The default of the gossip's subscription filter is 100 topics; one more, and
/// all of a peer's subscriptions are ignored.
const CHANNELS: usize = 150;

/// Live means by gossip. The sync that makes up for lost gossip runs every 30 s,
/// so what comes sooner than this for every channel came by gossip.
const LIVE: Duration = Duration::from_secs(10);

#[test]
fn a_message_in_each_of_150_channels_arrives_live() {
    let (ana, ben) = (Home::init("Ana"), Home::init("Ben"));
    let a = Daemon::start(&ana);
    let _b = Daemon::start_towards(&ben, &a.addresses());
    let names: Vec<String> = (0..CHANNELS)
        .map(|number| format!("channel-{number}"))
        .collect();
    for name in &names {
        ana.json(&["channel", "create", name]);
        befriend(&ana, &ben, name);
    }

    let mut tail = Tail::start(&ben, &["--since", "0"]);
    let mut awaited: BTreeSet<String> = names
        .iter()
        .map(|name| ana.field(&["send", name, &format!("into {name}")], "id"))
        .collect();
    let sent = Instant::now();
    while !awaited.is_empty() {
        let event = tail.next("for every channel", |event| event["event"] == "message");
        awaited.retain(|id| !event.to_string().contains(id.as_str()));
    }

    assert!(
        sent.elapsed() < LIVE,
        "the last came after {:?}",
        sent.elapsed()
    );
    assert_eq!(ben.lines(&["channel", "list"]).len(), CHANNELS);
}
