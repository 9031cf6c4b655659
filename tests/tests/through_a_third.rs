//! Members who are never up at the same time agree, through a third.

use kith_tests::{Daemon, Home, befriend, ids, until_agreed, until_seen};
use serde_json::Value;

/// Everything of a channel that all its members must see alike.
fn seen_alike(home: &Home, channel: &str) -> Vec<[Value; 7]> {
    let fields = ["id", "account", "at", "text", "edited", "deleted", "thread"];
    home.lines(&["read", channel, "--limit", "500"])
        .into_iter()
        .map(|message| fields.map(|field| message[field].clone()))
        .collect()
}

#[test]
fn two_who_never_meet_have_the_same_channel() {
    let [ana, ben, cleo] = ["Ana", "Ben", "Cleo"].map(Home::init);
    let a = Daemon::start(&ana);
    let c = Daemon::start(&cleo);
    ana.json(&["channel", "create", "garden"]);
    let link = ana.field(&["invite", "garden", "--role", "admin"], "link");
    cleo.json(&["join", &link]);

    // Ana writes, and is gone before Ben first starts.
    let written: Vec<String> = (1..=40)
        .map(|number| ana.field(&["send", "garden", &format!("bed {number}")], "id"))
        .collect();
    ana.json(&["edit", &written[3], "bed four"]);
    ana.json(&["delete", &written[5]]);
    ana.json(&["react", &written[7], "🌱"]);
    let agreed = until_agreed(&[&ana, &cleo], "garden");
    let at_anas = seen_alike(&ana, "garden");
    a.stop();

    // Ben knows Cleo alone.
    let b = Daemon::start(&ben);
    befriend(&cleo, &ben, "garden");
    let digest = until_agreed(&[&ben, &cleo], "garden");
    assert_ne!(digest, agreed, "Ben's joining is part of the channel");
    until_seen(&ben, &written[39]);
    assert_eq!(seen_alike(&ben, "garden"), at_anas);
    assert_eq!(ids(&ben.lines(&["read", "garden"])), written);

    // Ben answers and is gone before Ana is back.
    let answer = ben.field(&["send", "garden", "All of it by hand?"], "id");
    until_agreed(&[&ben, &cleo], "garden");
    let at_bens = seen_alike(&ben, "garden");
    b.stop();
    let _a = Daemon::start_towards(&ana, &c.addresses());
    until_seen(&ana, &answer);
    until_agreed(&[&ana, &cleo], "garden");
    assert_eq!(seen_alike(&ana, "garden"), at_bens);
}
