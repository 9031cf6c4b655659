//! What holds in a channel, who may change it, and what it means for newcomers, with real daemons.

use kith_crdt::limits::PINS_PER_CHANNEL;
use kith_tests::{
    Daemon, Home, PATIENCE, Tail, befriend, ids, texts, until, until_agreed, until_seen,
};
use serde_json::Value;

/// Ana, who made the channel, and Ben; Cleo is not in it.
struct Garden {
    homes: [Home; 3],
    _daemons: [Daemon; 3],
}

fn garden() -> Garden {
    let homes = ["Ana", "Ben", "Cleo"].map(Home::init);
    let a = Daemon::start(&homes[0]);
    let b = Daemon::start_towards(&homes[1], &a.addresses());
    let c = Daemon::start_towards(&homes[2], &a.addresses());
    homes[0].json(&["channel", "create", "garden", "--topic", "what grows"]);
    befriend(&homes[0], &homes[1], "garden");
    until_agreed(&[&homes[0], &homes[1]], "garden");
    Garden {
        homes,
        _daemons: [a, b, c],
    }
}

fn setting(home: &Home, name: &str) -> Value {
    let settings = home.lines(&["policy", "garden"]);
    let is_asked = |setting: &&Value| setting["setting"] == name || setting["right"] == name;
    settings.iter().find(is_asked).cloned().unwrap_or_default()
}

fn until_set(home: &Home, name: &str, value: &str) {
    until(&format!("{name} to be {value}"), PATIENCE, || {
        (setting(home, name)["value"] == value).then_some(())
    });
}

#[test]
fn who_may_sets_what_holds_and_everybody_sees_who_did() {
    let Garden { homes, _daemons } = garden();
    let [ana, ben, _] = &homes;
    let all = ben.lines(&["policy", "garden"]);
    assert_eq!(
        all.len(),
        22,
        "name, topic, history, retention, its limits and seventeen rights"
    );
    let founder = setting(ben, "topic");
    assert_eq!([&founder["value"], &founder["name"]], ["what grows", "Ana"]);
    let untouched = setting(ben, "write");
    assert_eq!([&untouched["value"], &untouched["default"]], ["member"; 2]);
    assert!(untouched["account"].is_null() && untouched["at"].is_null());

    let would = ana.json(&["policy", "garden", "right", "invite", "admin", "--dry-run"]);
    assert_eq!(would["value"], "admin");
    assert_eq!(would["dry_run"], true);
    assert_eq!(
        setting(ana, "invite")["value"],
        "member",
        "nothing was done"
    );
    let done = ana.json(&["policy", "garden", "right", "invite", "admin"]);
    assert_eq!([&done["value"], &done["name"]], ["admin", "Ana"]);
    until_set(ben, "invite", "admin");
    assert_eq!(setting(ben, "invite")["account"], ana.account());
    let refused = ben.fails(&["invite", "garden"], 5);
    assert!(refused.message.contains("invite"), "{}", refused.message);
    ana.json(&["policy", "garden", "right", "invite", "default"]);
    until_set(ben, "invite", "member");
    ben.json(&["invite", "garden"]);

    ana.json(&["policy", "garden", "history", "30"]);
    until_set(ben, "history", "30days");
    let told = ben.plain(&["policy", "garden"]);
    assert!(told.contains("30days") && told.contains("Ana"), "{told}");
}

#[test]
fn who_may_not_is_told_the_rule_and_nothing_is_signed() {
    let Garden { homes, _daemons } = garden();
    let [ana, ben, _] = &homes;
    let before = until_agreed(&[ana, ben], "garden");
    for change in [
        &["history", "joining"][..],
        &["right", "write", "reader"],
        &["right", "write", "reader", "--dry-run"],
    ] {
        let typed: Vec<&str> = ["policy", "garden"].iter().chain(change).copied().collect();
        let denied = ben.fails(&typed, 5);
        assert!(
            denied.message.contains("set the policy"),
            "{}",
            denied.message
        );
    }
    ana.json(&["role", "garden", "Ben", "admin"]);
    until("Ben to be an admin at home", PATIENCE, || {
        let channel = ben.json(&["channel", "show", "garden"]);
        (channel["role"] == "admin").then_some(())
    });
    // Nobody disposes of a role above their own.
    let denied = ben.fails(&["policy", "garden", "right", "ban", "owner"], 5);
    assert!(
        denied.message.contains("above their own"),
        "{}",
        denied.message
    );
    assert_ne!(until_agreed(&[ana, ben], "garden"), before);
    assert_eq!(setting(ana, "history")["value"], "everything");
    assert_eq!(setting(ana, "write")["value"], "member");
}

#[test]
fn whoever_may_not_is_told_which_role_the_channel_asks_for() {
    let Garden { homes, _daemons } = garden();
    let [ana, ben, _] = &homes;
    let hers = ana.field(&["send", "garden", "mine"], "id");
    until_seen(ben, &hers);
    let role_named = || ben.fails(&["delete", &hers], 5).message;
    let told = role_named();
    assert!(told.contains("the role moderator or above"), "{told}");
    ana.json(&["policy", "garden", "right", "delete-others", "owner"]);
    until_set(ben, "delete-others", "owner");
    let told = role_named();
    assert!(told.contains("the role owner or above"), "{told}");
}

#[test]
fn what_there_is_not_is_named_with_what_there_is() {
    let ana = Home::init("Ana");
    let _daemon = Daemon::start(&ana);
    ana.json(&["channel", "create", "garden"]);
    for (typed, named) in [
        (&["right", "sing", "member"][..], "mention-all"),
        (&["right", "write", "emperor"], "moderator"),
        (&["right", "write"], "ROLE"),
        (&["history", "0"], "1 to 3650"),
        (&["history", "3651"], "1 to 3650"),
        (&["history", "yesterday"], "joining"),
        (&["colour", "green"], "colour"),
    ] {
        let typed: Vec<&str> = ["policy", "garden"].iter().chain(typed).copied().collect();
        let wrong = ana.fails(&typed, 2);
        assert!(
            wrong.message.contains(named),
            "{typed:?}: {}",
            wrong.message
        );
    }
    ana.fails(&["policy", "nowhere"], 4);
    ana.fails(&["policy", "nowhere", "history", "joining"], 4);
}

#[test]
fn a_newcomer_reads_from_joining_on() {
    let Garden { homes, _daemons } = garden();
    let [ana, ben, cleo] = &homes;
    let before = ana.field(&["send", "garden", "among us"], "id");
    until_seen(ben, &before);
    ana.json(&["policy", "garden", "history", "joining"]);
    until_set(ben, "history", "joining");

    befriend(ben, cleo, "garden");
    until_agreed(&[ana, ben, cleo], "garden");
    assert_eq!(cleo.kith(&["show", &before]).code, 4);
    let welcome = ana.field(&["send", "garden", "welcome"], "id");
    until_seen(cleo, &welcome);
    let hello = cleo.field(&["send", "garden", "hello"], "id");
    until_seen(ana, &hello);
    until_seen(ben, &hello);
    until_agreed(&[ana, ben, cleo], "garden");

    assert_eq!(
        texts(&cleo.lines(&["read", "garden"])),
        ["welcome", "hello"]
    );
    let all = ["among us", "welcome", "hello"];
    assert_eq!(texts(&ben.lines(&["read", "garden"])), all);
    let hers = cleo.json(&["channel", "show", "garden"]);
    assert!(hers["history_begins"].is_string(), "{hers}");
    assert_eq!(hers["sync"]["missing"], 0);
    assert_eq!(hers["messages"], 2);
    let page = cleo.plain(&["read", "garden"]);
    assert!(page.starts_with("history begins at "), "{page}");
    let his = ben.json(&["channel", "show", "garden"]);
    assert!(his["history_begins"].is_null());
    assert!(!ben.plain(&["read", "garden"]).contains("history begins"));

    // What she came too late for does not wait for her.
    ben.json(&["mark", "garden"]);
    until(
        "the first message to be read by all it was for",
        PATIENCE,
        || (ana.json(&["show", &before])["state"] == "read").then_some(()),
    );
}

#[test]
fn in_a_channel_for_announcements_the_rest_reads_and_reacts() {
    let Garden { homes, _daemons } = garden();
    let [ana, ben, cleo] = &homes;
    ana.json(&["policy", "garden", "right", "write", "moderator"]);
    ana.json(&["policy", "garden", "right", "mention-all", "moderator"]);
    ana.json(&["policy", "garden", "right", "react", "reader"]);
    until_set(ben, "react", "reader");
    let link = ana.field(&["invite", "garden", "--role", "reader"], "link");
    cleo.json(&["join", &link]);

    let news = ana.field(&["send", "garden", "Closed on Monday", "--announce"], "id");
    let seen = until_seen(ben, &news);
    assert_eq!(seen["kind"], "announcement");
    until_seen(cleo, &news);
    let page = ben.plain(&["read", "garden"]);
    assert!(page.contains("announcement"), "{page}");
    for home in [ben, cleo] {
        let refused = home.fails(&["send", "garden", "why?"], 5);
        assert!(refused.message.contains("write"), "{}", refused.message);
        home.json(&["react", &news, "👍"]);
    }
    until("both reactions", PATIENCE, || {
        let message = ana.json(&["show", &news]);
        (message["reactions"]["👍"]["count"] == 2).then_some(())
    });

    // Whoever may write and not mention everybody does not announce.
    ana.json(&["policy", "garden", "right", "write", "default"]);
    until_set(ben, "write", "member");
    let refused = ben.fails(&["send", "garden", "Me too", "--announce"], 5);
    assert!(
        refused.message.contains("mention everybody"),
        "{}",
        refused.message
    );
    let plain = ben.field(&["send", "garden", "Me too"], "id");
    assert_eq!(until_seen(ana, &plain)["kind"], "text");
    until_agreed(&[ana, ben, cleo], "garden");
}

#[test]
fn who_may_pins_and_everybody_sees_what_is_pinned() {
    let Garden { homes, _daemons } = garden();
    let [ana, ben, _] = &homes;
    let mut events = Tail::start(ben, &["garden", "--since", "0"]);
    let first = ana.field(&["send", "garden", "the rules"], "id");
    let second = ben.field(&["send", "garden", "the rota"], "id");
    until_seen(ben, &first);
    until_seen(ana, &second);
    assert!(ben.lines(&["pins", "garden"]).is_empty());

    let pinned = ben.json(&["pin", &second]);
    assert_eq!(pinned["pinned"], true);
    assert_eq!(pinned["pinned_by"]["name"], "Ben");
    until("Ana to see it", PATIENCE, || {
        (ana.json(&["show", &second])["pinned"] == true).then_some(())
    });
    ana.json(&["pin", &first]);
    until("both to be pinned", PATIENCE, || {
        (ids(&ben.lines(&["pins", "garden"])) == [&*second, &first]).then_some(())
    });
    let told = events.next("of the pin", |event| {
        event["event"] == "pin" && event["id"] == *first
    });
    assert_eq!([&told["name"], &told["account"]], ["Ana", ana.account()]);
    assert!(ben.plain(&["read", "garden"]).contains("pinned"));

    // Anybody who may pin may unpin; what is deleted is not pinned.
    assert_eq!(ana.json(&["pin", &second, "--remove"])["pinned"], false);
    ana.json(&["delete", &first]);
    until("nothing to be pinned", PATIENCE, || {
        ben.lines(&["pins", "garden"]).is_empty().then_some(())
    });
    ana.fails(&["pin", &first], 5);
    ana.fails(&["pin", "zzzzzz"], 4);

    ana.json(&["policy", "garden", "right", "pin", "moderator"]);
    until_set(ben, "pin", "moderator");
    let refused = ben.fails(&["pin", &second], 5);
    assert!(
        refused.message.contains("pin messages"),
        "{}",
        refused.message
    );
    until_agreed(&[ana, ben], "garden");
}

#[test]
fn so_many_messages_are_pinned_and_no_more() {
    let ana = Home::init("Ana");
    let daemon = Daemon::start(&ana);
    ana.json(&["channel", "create", "garden"]);
    let mut sent = Vec::new();
    for number in 0..=PINS_PER_CHANNEL {
        sent.push(ana.field(&["send", "garden", &format!("number {number}")], "id"));
    }
    let (last, rest) = sent.split_last().unwrap();
    for id in rest {
        ana.json(&["pin", id]);
    }
    let full = ana.fails(&["pin", last], 8);
    assert!(full.message.contains("unpin one"), "{}", full.message);
    ana.json(&["pin", &rest[0], "--remove"]);
    ana.json(&["pin", last]);
    daemon.stop();
    let _daemon = Daemon::start(&ana);
    let pinned = ana.lines(&["pins", "garden"]);
    assert_eq!(pinned.len(), PINS_PER_CHANNEL);
    assert_eq!(ids(&pinned).last(), Some(&&**last));
}
