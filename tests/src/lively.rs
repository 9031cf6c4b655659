//! A channel with something of everything in it, for tests of what is kept and shown.

use crate::{Daemon, Home, befriend, until_agreed, until_seen};

/// Two people in a garden who have done everything that leaves a trace, and their daemons.
///
/// # Panics
/// If something of it cannot be done.
pub fn lively() -> ([Home; 2], Vec<Daemon>) {
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
