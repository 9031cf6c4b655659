//! What two people do by hand, verb by verb, as a golden transcript.

use kith_tests::{
    Daemon, Home, PATIENCE, Tail, Transcript, befriend, texts, until, until_agreed, until_seen,
};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

/// Waits until a message has reached a state at its author.
fn until_state(home: &Home, id: &str, state: &str) {
    until(&format!("{id} to be {state}"), PATIENCE, || {
        (home.json(&["show", id])["state"] == state).then_some(())
    });
}

/// How many messages and how many replies in threads are unread.
fn unread(home: &Home, channel: &str) -> (u64, u64) {
    let shown = home.json(&["channel", "show", channel]);
    let number = |field: &str| shown[field].as_u64().expect("a number");
    (number("unread"), number("unread_replies"))
}

/// Waits until a field of a message is as wanted.
fn until_message(home: &Home, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) {
    until(what, PATIENCE, || {
        wanted(&home.json(&["show", id])).then_some(())
    });
}

#[test]
fn everything_two_people_do_is_as_the_contract_says() {
    let (ana, ben) = (Home::init("Ana"), Home::init("Ben"));
    let mut story = Transcript::new();
    story.know(&ana);
    story.know(&ben);
    let (_a, _b) = (Daemon::start(&ana), Daemon::start(&ben));

    story.heading("A channel and an invite");
    story.run(&ana, &["status"]);
    story.run_naming(
        &ana,
        &["channel", "create", "garden", "--topic", "what grows where"],
        "channel",
        "garden",
    );
    let invite = "invite garden --role member --uses 1 --expires 7d";
    let invite: Vec<&str> = invite.split(' ').collect();
    let names = [("link", "link"), ("invite", "invite")];
    let [link, _] = story.run_naming_each(&ana, &invite, names);
    story.run(&ben, &["join", &link]);
    until_agreed(&[&ana, &ben], "garden");
    until("both to be up to date", PATIENCE, || {
        let current =
            |home: &Home| home.json(&["channel", "show", "garden"])["sync"]["up_to_date"] == true;
        (current(&ana) && current(&ben)).then_some(())
    });
    story.run(&ana, &["channel", "list"]);
    story.run(&ben, &["channel", "show", "#garden"]);

    story.heading("A message, delivered and read");
    let bean = story.run_naming(&ana, &["send", "garden", "The beans are up."], "id", "bean");
    until_seen(&ben, &bean);
    until_state(&ana, &bean, "delivered");
    story.run(&ana, &["show", &bean]);
    story.run(&ben, &["read", "garden", "--mark"]);
    until_state(&ana, &bean, "read");
    story.call(&bean[..8], "beginning of bean");
    story.run(&ana, &["show", &bean[..8]]);

    story.heading("A reply, a thread, a reaction");
    let reply = story.run_naming(
        &ben,
        &["send", "garden", "All of them?", "--reply-to", &bean],
        "id",
        "reply",
    );
    let thread = story.run_naming(
        &ben,
        &["send", "garden", "I count eleven.", "--thread", &bean],
        "id",
        "threaded",
    );
    until_seen(&ana, &reply);
    until_seen(&ana, &thread);
    until_state(&ben, &reply, "delivered");
    until_state(&ben, &thread, "delivered");
    story.run(&ana, &["read", "garden", "--thread", &bean]);
    story.run(&ana, &["react", &reply, "🌱"]);
    until_message(&ben, &reply, "the reaction at Ben's", |m| {
        m["reactions"]["🌱"]["count"] == 1
    });
    story.run(&ben, &["react", &reply, "🌱"]);
    until_message(&ana, &reply, "both reactions at Ana's", |m| {
        m["reactions"]["🌱"]["count"] == 2
    });
    story.run(&ana, &["react", &reply, "🌱", "--remove"]);

    assert_eq!(unread(&ana, "garden"), (1, 1));

    story.heading("Edited, with its history; deleted");
    story.run(&ben, &["edit", &reply, "All twelve of them?"]);
    until_message(&ana, &reply, "the edit at Ana's", |m| m["edited"] == true);
    story.run(&ana, &["history", &reply]);
    story.run(&ben, &["delete", &reply, "--reason", "asked too soon"]);
    until_message(&ana, &reply, "the deletion at Ana's", |m| {
        m["deleted"] == true
    });
    story.run(&ana, &["history", &reply]);
    story.run(&ana, &["read", "garden"]);
    let deleted = "deleted by Ben: asked too soon";
    for verb in ["show", "history"] {
        assert!(ana.plain(&[verb, &reply]).contains(deleted));
    }
    assert!(ana.plain(&["read", "garden"]).contains(deleted));
    story.run(&ana, &["invite", "list", "garden"]);

    story.heading("Marked, and counted alike");
    until_agreed(&[&ana, &ben], "garden");
    story.run(&ana, &["mark", "garden"]);
    story.run(&ana, &["channel", "list"]);
    story.run(&ana, &["status"]);

    snapbox::assert_data_eq!(story.into_text(), snapbox::file!["by_hand.transcript"]);
}

#[test]
fn a_retry_with_the_same_key_is_harmless() {
    let ana = Home::init("Ana");
    let _daemon = Daemon::start(&ana);
    ana.json(&["channel", "create", "garden"]);

    let first = ana.field(&["send", "garden", "once", "--key", "k1"], "id");
    let again = ana.field(&["send", "garden", "once", "--key", "k1"], "id");

    assert_eq!(first, again);
    assert_eq!(texts(&ana.lines(&["read", "garden"])), ["once"]);
}

#[test]
fn a_dash_reads_the_text_from_stdin() {
    let ana = Home::init("Ana");
    let _daemon = Daemon::start(&ana);
    ana.json(&["channel", "create", "garden"]);

    let mut send = ana.command();
    let mut send = send
        .stdout(Stdio::null())
        .args(["send", "garden", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    send.stdin
        .take()
        .unwrap()
        .write_all("two\nlines".as_bytes())
        .unwrap();

    assert!(send.wait().unwrap().success());
    assert_eq!(texts(&ana.lines(&["read", "garden"])), ["two\nlines"]);
}

#[test]
fn pages_are_newest_first_and_oldest_first_within() {
    let ana = Home::init("Ana");
    let _daemon = Daemon::start(&ana);
    ana.json(&["channel", "create", "garden"]);
    for number in 1..=7 {
        ana.json(&["send", "garden", &format!("{number}")]);
    }

    let newest = ana.lines(&["read", "garden", "--limit", "3"]);
    let cursor = newest[0]["id"].as_str().unwrap();
    let before = ana.lines(&["read", "garden", "--limit", "3", "--before", cursor]);
    let cursor = before[0]["id"].as_str().unwrap();
    let oldest = ana.lines(&["read", "garden", "--limit", "3", "--before", cursor]);

    assert_eq!(texts(&newest), ["5", "6", "7"]);
    assert_eq!(texts(&before), ["2", "3", "4"]);
    assert_eq!(texts(&oldest), ["1"]);
}

#[test]
fn events_are_missed_neither_over_a_reconnect_nor_over_a_restart() {
    let (ana, ben) = (Home::init("Ana"), Home::init("Ben"));
    let a = Daemon::start(&ana);
    let b = Daemon::start(&ben);
    ana.json(&["channel", "create", "garden"]);
    befriend(&ana, &ben, "garden");

    let is_message = |text: &'static str| {
        move |event: &Value| event["event"] == "message" && event.to_string().contains(text)
    };
    let mut tail = Tail::start(&ben, &["garden", "--since", "0"]);
    ana.json(&["send", "garden", "the first"]);
    let cursor = tail.next("for the first", is_message("the first"))["cursor"].clone();
    drop(tail);
    ana.json(&["send", "garden", "the second"]);
    until_agreed(&[&ana, &ben], "garden");
    b.stop();
    let _b = Daemon::start_towards(&ben, &a.addresses());

    let cursor = cursor
        .as_str()
        .map_or_else(|| cursor.to_string(), str::to_owned);
    let mut tail = Tail::start(&ben, &["garden", "--since", &cursor]);
    tail.next("for the second", is_message("the second"));
    assert!(
        tail.seen()
            .iter()
            .all(|event| !is_message("the first")(event))
    );
}

#[test]
fn what_is_written_offline_arrives_when_they_meet() {
    let (ana, ben) = (Home::init("Ana"), Home::init("Ben"));
    let a = Daemon::start(&ana);
    let b = Daemon::start(&ben);
    ana.json(&["channel", "create", "garden"]);
    befriend(&ana, &ben, "garden");
    a.stop();

    let lonely = ben.field(&["send", "garden", "Anyone?"], "id");
    assert_eq!(ben.json(&["show", &lonely])["state"], "pending");
    let _a = Daemon::start_towards(&ana, &b.addresses());

    until_seen(&ana, &lonely);
    until_state(&ben, &lonely, "delivered");
}

#[test]
fn an_invite_is_listed_and_revoked_by_the_beginning_of_its_id() {
    let ana = Home::init("Ana");
    let _daemon = Daemon::start(&ana);
    ana.json(&["channel", "create", "garden"]);
    let id = ana.field(&["invite", "garden", "--uses", "3"], "invite");
    let listed = || ana.json(&["invite", "list", "garden"]);
    assert_eq!(listed()["invite"], id.as_str());
    assert_eq!(
        (&listed()["left"], &listed()["state"]),
        (&3.into(), &"open".into())
    );
    assert!(ana.plain(&["invite", "list", "garden"]).contains(&id[..8]));

    ana.json(&["invite", "revoke", "garden", &id[..8]]);

    assert_eq!(listed()["state"], "revoked");
    assert!(
        ana.plain(&["invite", "garden"])
            .contains("kith invite revoke")
    );
}

#[test]
fn who_follows_several_channels_sees_each_line_s() {
    let ana = Home::init("Ana");
    let _daemon = Daemon::start(&ana);
    for channel in ["garden", "cellar"] {
        ana.json(&["channel", "create", channel]);
        ana.json(&["send", channel, "hello"]);
    }
    let mut tail = ana.command();
    let mut tail = tail
        .args(["tail", "--since", "0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();

    let lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let said: Vec<String> = lines
        .map(Result::unwrap)
        .filter(|line| line.ends_with("hello"))
        .take(2)
        .collect();

    tail.kill().unwrap();
    tail.wait().unwrap();
    assert!(
        said[0].starts_with("#garden ") && said[1].starts_with("#cellar "),
        "{said:?}"
    );
}
