//! Erasing what one said, with real daemons: what is answered, what is asked first, and how it ends
//! where it makes no sense or may not be.

use serde_json::json;

use kith_tests::{Daemon, Home, PATIENCE, befriend, until, until_agreed, until_seen};

#[test]
fn everything_that_somebody_said_in_a_channel_is_erased_everywhere() {
    let [ana, ben] = ["Ana", "Ben"].map(Home::init);
    let a = Daemon::start(&ana);
    let _b = Daemon::start_towards(&ben, &a.addresses());
    ana.json(&["channel", "create", "garden"]);
    befriend(&ana, &ben, "garden");
    until_agreed(&[&ana, &ben], "garden");
    let hers = ana.field(&["send", "garden", "hers"], "id");
    until_seen(&ben, &hers);
    let his = ben.field(&["send", "garden", "his"], "id");
    let reply = ben.field(&["send", "garden", "his too", "--thread", &hers], "id");
    ben.json(&["react", &hers, "🌱"]);
    for id in [&his, &reply] {
        until_seen(&ana, id);
    }
    until_agreed(&[&ana, &ben], "garden");

    let would = ben.json(&["erase", "--mine", "garden", "--dry-run"]);
    let channel = ana.json(&["channel", "show", "garden"])["channel"].clone();
    let of = |messages: u64, reactions: u64, dry_run: bool| {
        json!({
            "channel": channel, "name": "garden",
            "messages": messages, "reactions": reactions, "dry_run": dry_run,
        })
    };
    assert_eq!(would, of(2, 1, true));
    let told = ben.plain(&["erase", "--mine", "garden", "--dry-run"]);
    assert!(
        told.contains("2 messages and 1 reaction of yours in #garden would be erased"),
        "{told}"
    );
    let refused = ben.fails(&["erase", "--mine", "garden"], 2).message;
    assert!(
        refused.contains("--yes") && refused.contains("--dry-run"),
        "{refused}"
    );
    assert_eq!(ana.json(&["show", &his])["text"], "his", "nothing was done");

    let erased = ben.json(&["erase", "--mine", "#garden", "--yes"]);
    assert_eq!(erased, of(2, 1, false));
    for id in [&his, &reply] {
        until("Ana to hear of it", PATIENCE, || {
            (ana.json(&["show", id])["deleted"] == true).then_some(())
        });
    }
    until_agreed(&[&ana, &ben], "garden");
    let left = ana.json(&["show", &hers]);
    assert_eq!(
        [&left["text"], &left["reactions"]],
        [&json!("hers"), &json!({})]
    );
    let again = ben.plain(&["erase", "--mine", "garden", "--yes"]);
    assert!(
        again.contains("nothing of yours is left in #garden"),
        "{again}"
    );
    for home in [&ana, &ben] {
        home.json(&["verify", "garden"]);
    }
}

#[test]
fn what_makes_no_sense_or_may_not_be_erases_nothing() {
    let [ana, ben] = ["Ana", "Ben"].map(Home::init);
    let a = Daemon::start(&ana);
    let _b = Daemon::start_towards(&ben, &a.addresses());
    ana.json(&["channel", "create", "garden"]);
    befriend(&ana, &ben, "garden");
    let id = ben.field(&["send", "garden", "to stay"], "id");
    until_seen(&ana, &id);
    for (typed, code, named) in [
        (&["erase", "--mine", "nowhere", "--yes"][..], 4, "nowhere"),
        (&["erase", "--mine", "nowhere", "--dry-run"], 4, "nowhere"),
        (
            &["erase", "--mine", "garden", "--yes", "--dry-run"],
            2,
            "--dry-run",
        ),
        (&["erase", "--mine", ""], 2, "--mine"),
        (&["erase", "--yes"], 2, "--mine"),
    ] {
        let refused = ben.fails(typed, code).message;
        assert!(refused.contains(named), "{typed:?}: {refused}");
    }
    ben.json(&["channel", "leave", "garden"]);
    for how in ["--yes", "--dry-run"] {
        let refused = ben.fails(&["erase", "--mine", "garden", how], 5).message;
        assert!(
            refused.contains("not a member") && refused.contains("rule A1"),
            "{refused}"
        );
    }
    assert_eq!(ana.json(&["show", &id])["text"], "to stay");
}
