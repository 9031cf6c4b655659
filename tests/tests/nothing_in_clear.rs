//! Neither a thief of the disk, nor a reader of the log, nor a listener on the
//! wire sees a name, a text, an emoji or a secret.

use kith_crdt::ids::AccountId;
use kith_tests::{
    Daemon, Home, Needle, PASSPHRASE, PATIENCE, Relay, find_in, find_in_bytes, until, until_agreed,
    until_seen,
};

const TEXT: &str = "The gooseberries by the north wall are ripe.";
const EDITED: &str = "The redcurrants by the south wall are ripe.";
const REASON: &str = "birds were quicker than us";
const CHANNEL: &str = "kitchen-garden-plans";
const TOPIC: &str = "everything that can be eaten";
/// A sequence of 11 bytes, so that chance does not find it in ciphertext.
const EMOJI: &str = "👩‍🌾";

/// The bytes that records and packets would hold of an id of 52 characters.
fn raw(id: &str) -> [u8; 32] {
    let id: AccountId = id.parse().expect("an id of 32 bytes");
    *id.as_bytes()
}

fn needles(homes: &[&Home], channel: &str, message: &str, link: &str) -> Vec<Needle> {
    let mut needles = vec![
        Needle::new("the text", TEXT),
        Needle::new("part of the text", "gooseberries"),
        Needle::new("the edited text", EDITED),
        Needle::new("the reason", REASON),
        Needle::new("the channel's name", CHANNEL),
        Needle::new("the channel's topic", TOPIC),
        Needle::new("the emoji", EMOJI),
        Needle::new("the passphrase", PASSPHRASE),
        Needle::new("the message's id", message),
        Needle::new("the channel's id", channel),
        Needle::new("the channel's raw id", raw(channel)),
        Needle::new("the invite link", &link["kith:".len()..][..32]),
    ];
    for home in homes {
        let whose = home.name();
        needles.extend([
            Needle::new(&format!("the name {whose}"), whose),
            Needle::new(&format!("the phrase of {whose}"), home.phrase()),
            Needle::new(&format!("the account of {whose}"), home.account()),
            Needle::new(&format!("the raw account of {whose}"), raw(home.account())),
            Needle::new(&format!("the device of {whose}"), home.device()),
            Needle::new(&format!("the raw device of {whose}"), raw(home.device())),
        ]);
    }
    needles
}

#[test]
fn neither_disk_nor_log_nor_wire_has_anything_to_read() {
    let (ana, ben) = (Home::init("Anastasia-Maria"), Home::init("Benedikt-Paul"));
    let a = Daemon::start(&ana);
    let relay = Relay::to(&a.address());
    let b = Daemon::start_towards(&ben, &[relay.address().to_owned()]);
    until("Ben to be connected", PATIENCE, || {
        let peers = ben.json(&["status"])["peers"]
            .as_array()
            .map_or(0, Vec::len);
        (peers == 1).then_some(())
    });

    let channel = ana.field(&["channel", "create", CHANNEL, "--topic", TOPIC], "channel");
    let link = ana.field(&["invite", CHANNEL], "link");
    ben.json(&["join", &link]);
    let before = relay.passed().iter().sum::<usize>();
    let message = ana.field(&["send", CHANNEL, TEXT], "id");
    until_seen(&ben, &message);
    ben.json(&["react", &message, EMOJI]);
    ana.json(&["edit", &message, EDITED]);
    ben.lines(&["read", CHANNEL, "--mark"]);
    let second = ben.field(&["send", CHANNEL, TEXT, "--thread", &message], "id");
    ben.json(&["delete", &second, "--reason", REASON]);
    until_agreed(&[&ana, &ben], CHANNEL);

    // Once while it runs, and once after all is flushed.
    let needles = needles(&[&ana, &ben], &channel, &message, &link);
    assert!(
        relay.passed().iter().sum::<usize>() > before + 2_000,
        "the relay heard the conversation"
    );
    for way in relay.recorded() {
        assert_eq!(find_in_bytes(&way, &needles), [""; 0]);
    }
    for home in [&ana, &ben] {
        assert_eq!(find_in(home.path(), &needles), []);
    }
    for log in [a.log(), b.log()] {
        assert_eq!(find_in_bytes(log.as_bytes(), &needles), [""; 0]);
    }
    a.stop();
    b.stop();
    for home in [&ana, &ben] {
        assert_eq!(find_in(home.path(), &needles), []);
    }
}

#[test]
fn the_home_and_its_socket_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let ana = Home::init("Ana");
    let daemon = Daemon::start(&ana);
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;

    let socket = daemon.ready()["socket"].as_str().unwrap();

    assert_eq!(mode(ana.path()), 0o700);
    assert_eq!(mode(std::path::Path::new(socket)), 0o600);
    assert_eq!(mode(&ana.path().join("vault")), 0o600);
}
