//! What somebody sets for themselves about people and channels, at the command line.

use kith_tests::{Daemon, Home, PATIENCE, befriend, until, until_seen};

/// Ana, who made the channel, and Ben.
fn two() -> ([Home; 2], [Daemon; 2]) {
    let homes = ["Ana", "Ben"].map(Home::init);
    let a = Daemon::start(&homes[0]);
    let b = Daemon::start_towards(&homes[1], &a.addresses());
    homes[0].json(&["channel", "create", "garden"]);
    befriend(&homes[0], &homes[1], "garden");
    (homes, [a, b])
}

#[test]
fn people_are_called_verified_and_blocked_as_one_likes() {
    let ([ana, ben], daemons) = two();
    let said = ben.field(&["send", "garden", "hello"], "id");
    until_seen(&ana, &said);

    let named = ana.json(&["contact", "name", "Ben", "Benjamin"]);
    assert_eq!(
        (&named["name"], &named["own_name"]),
        (&"Benjamin".into(), &"Ben".into())
    );
    assert_eq!(named["channels"][0], "garden");
    assert_eq!(ana.lines(&["read", "garden"])[0]["name"], "Benjamin");
    assert_eq!(
        ana.json(&["member", "remove", "garden", "Benjamin", "--dry-run"])["name"],
        "Benjamin"
    );
    assert!(
        ana.plain(&["member", "list", "garden"])
            .contains("Benjamin (Ben)")
    );
    assert_eq!(ben.lines(&["read", "garden"])[0]["name"], "Ben");

    // The number is the one that Ben's own node shows.
    let number = ben.json(&["account", "show"])["safety_number"].clone();
    let number = number.as_str().expect("a number");
    let other = ana.json(&["account", "show"])["safety_number"].clone();
    let wrong = ana.fails(
        &[
            "contact",
            "verify",
            "Benjamin",
            other.as_str().expect("a number"),
        ],
        5,
    );
    assert!(wrong.message.contains("somebody else"), "{}", wrong.message);
    ana.fails(&["contact", "verify", "Benjamin", "12345"], 2);
    ana.fails(&["contact", "verify", "Benjamin"], 2);
    assert_eq!(ana.lines(&["contact", "list"])[0]["verified"], false);
    let groups: Vec<&str> = number.split(' ').collect();
    let verified = ana.json(&[&["contact", "verify", "Benjamin"], &groups[..]].concat());
    assert_eq!(verified["verified"], true);
    assert_eq!(
        ana.json(&["contact", "verify", "Benjamin", "--undo"])["verified"],
        false
    );

    ana.json(&["contact", "block", "Ben"]);
    assert!(ana.lines(&["read", "garden"]).is_empty());
    let denied = ana.fails(&["show", &said], 4);
    assert!(
        denied.message.contains("whom you have blocked"),
        "{}",
        denied.message
    );
    // Nothing is done to what is not shown, but what a moderator does to it.
    ana.fails(&["react", &said, "👍"], 4);
    ana.fails(&["pin", &said], 4);
    let spam = ben.field(&["send", "garden", "spam"], "id");
    until("it to arrive", PATIENCE, || {
        (ana.kith(&["delete", &spam]).code == 0).then_some(())
    });
    let meanwhile = ben.field(&["send", "garden", "anybody?"], "id");
    let [a, _b] = daemons;
    a.kill();
    let _a = Daemon::start(&ana);
    assert!(ana.lines(&["read", "garden"]).is_empty());
    ana.json(&["contact", "unblock", "Benjamin"]);
    until_seen(&ana, &meanwhile);
    let read = ana.lines(&["read", "garden"]);
    let facts: Vec<_> = read
        .iter()
        .map(|it| (&it["text"], &it["deleted"], &it["reactions"]))
        .collect();
    let none = serde_json::json!({});
    let (hello, anybody) = ("hello".into(), "anybody?".into());
    assert_eq!(facts[0], (&hello, &false.into(), &none));
    assert_eq!(facts[1].1, &true);
    assert_eq!(facts[2], (&anybody, &false.into(), &none));
    assert_eq!(
        ana.json(&["contact", "name", "Benjamin", "--clear"])["name"],
        "Ben"
    );

    ana.fails(&["contact", "name", "Nobody", "x"], 4);
    ana.fails(&["contact", "name", "Ben", &"long ".repeat(20)], 8);
    ana.fails(&["contact", "name", "Ben", "a\u{1b}[31mb"], 2);
    ana.fails(&["contact", "block", "Ana"], 2);
    ana.fails(&["contact", "block", ""], 2);
}

#[test]
fn a_channel_is_silent_or_put_away_until_it_is_not() {
    let ([ana, ben], _daemons) = two();
    let tell = |text: &str| {
        let said = ben.field(&["send", "garden", text], "id");
        until_seen(&ana, &said);
        said
    };
    let shown = |field: &str| ana.json(&["channel", "show", "garden"])[field].clone();
    tell("one");
    ana.json(&["channel", "archive", "garden"]);
    assert_eq!(shown("archived"), true);
    assert!(ana.plain(&["channel", "list"]).contains("1 put away"));
    assert_eq!(
        ana.lines(&["channel", "list"]).len(),
        1,
        "for programs all are there"
    );
    tell("two");
    assert_eq!(shown("archived"), serde_json::Value::Null, "it is back");
    ana.json(&["channel", "mute", "garden", "--for", "8h"]);
    ana.json(&["channel", "archive", "garden"]);
    tell("three");
    assert_eq!(shown("archived"), true, "nobody wanted to be notified");
    assert!(shown("muted_until").is_string());
    ana.json(&["channel", "unmute", "garden"]);
    ana.json(&["channel", "unarchive", "garden"]);
    assert_eq!(
        (shown("muted_until"), shown("archived")),
        Default::default()
    );
    ana.json(&["channel", "notify", "garden", "mentions"]);
    assert_eq!(shown("notify"), "mentions");

    ana.fails(&["channel", "notify", "garden", "loud"], 2);
    ana.fails(&["channel", "mute", "garden", "--for", "-1h"], 2);
    ana.fails(&["channel", "mute", "nowhere"], 4);
    ana.fails(&["channel", "archive", "self"], 4);
}

#[test]
fn a_draft_is_kept_until_it_is_sent() {
    let ([ana, _ben], mut daemons) = two();
    ana.json(&["draft", "garden", "Dear all"]);
    let [a, b] = daemons;
    a.kill();
    daemons = [Daemon::start(&ana), b];
    let draft = ana.json(&["draft", "garden"]);
    assert_eq!(
        (&draft["text"], &draft["name"]),
        (&"Dear all".into(), &"garden".into())
    );
    ana.json(&["draft", "garden", "Dear both"]);
    assert_eq!(ana.lines(&["draft"]).len(), 1);
    let sent = ana.field(&["draft", "garden", "--send"], "id");
    assert_eq!(ana.json(&["show", &sent])["text"], "Dear both");
    assert!(ana.lines(&["draft"]).is_empty());
    ana.fails(&["draft", "garden", "--send"], 4);

    ana.json(&["draft", "garden", "an answer", "--thread", &sent]);
    assert_eq!(ana.lines(&["draft"])[0]["thread"], sent.as_str());
    ana.fails(&["draft", "garden"], 4);
    ana.kith(&["draft", "garden", "--thread", &sent, "--discard"]);
    assert!(ana.lines(&["draft"]).is_empty());

    let empty = ana.fails(&["draft", "garden", " "], 2);
    assert!(empty.message.contains("--discard"), "{}", empty.message);
    ana.fails(&["draft", "garden", &"x".repeat(10_001)], 8);
    ana.fails(&["draft", "nowhere", "x"], 4);
    ana.fails(&["draft", "--send"], 2);
    drop(daemons);
}
