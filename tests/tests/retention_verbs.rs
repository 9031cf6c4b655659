//! Saying how long messages are kept, with real daemons: what is answered, and how it ends where it
//! makes no sense or may not be.

use kith_tests::{Daemon, Home, PATIENCE, befriend, until, until_agreed, until_seen};

#[test]
fn a_channel_says_how_long_it_keeps_its_messages_and_who_said_so() {
    let [ana, ben] = ["Ana", "Ben"].map(Home::init);
    let a = Daemon::start(&ana);
    let _b = Daemon::start_towards(&ben, &a.addresses());
    ana.json(&["channel", "create", "garden", "--retention", "7days"]);
    befriend(&ana, &ben, "garden");
    until_agreed(&[&ana, &ben], "garden");
    assert_eq!(
        ben.json(&["channel", "show", "garden"])["retention"],
        "7days"
    );
    let week = ana.json(&["send", "garden", "for a week"]);
    assert!(week["expires_at"].is_string(), "{week}");
    let hour = ana.json(&["send", "garden", "for an hour", "--expire", "1h"]);
    let id = hour["id"].as_str().unwrap();
    until_seen(&ben, id);
    let shown = ben.json(&["show", id]);
    assert_eq!(shown["expires_at"], hour["expires_at"]);
    assert!(ben.plain(&["show", id]).contains("gone by"));

    let would = ana.json(&[
        "retention",
        "set",
        "garden",
        "1h",
        "--existing",
        "--dry-run",
    ]);
    assert_eq!(
        (&would["value"], &would["gone_at_once"]),
        (&"1h".into(), &0.into())
    );
    ana.json(&["retention", "set", "garden", "instant"]);
    ana.json(&["retention", "limit", "garden", "--longest", "30days"]);
    until("Ben to know", PATIENCE, || {
        let told = ben.json(&["retention", "show", "garden"]);
        (told["longest"] == "30days").then_some(())
    });
    let told = ben.json(&["retention", "show", "garden"]);
    assert_eq!(
        (&told["retention"], &told["shortest"]),
        (&"instant".into(), &().into())
    );
    assert_eq!(told["set_by"]["name"], "Ana");
    assert_eq!(told["limits_set_by"]["account"], ana.account());
    let plain = ben.plain(&["policy", "garden"]);
    assert!(
        plain.contains("retention-limits") && plain.contains("kith retention"),
        "{plain}"
    );
    let last = ben.json(&["send", "garden", "for your eyes"]);
    assert_eq!(last["instant"], true);
    let id = last["id"].as_str().unwrap();
    let shown = ben.plain(&["show", id]);
    assert!(
        shown.contains("gone once all have read it, or by"),
        "{shown}"
    );
    until_seen(&ana, id);
    ana.json(&["mark", "garden", id]);
    for home in [&ana, &ben] {
        until("it to be gone", PATIENCE, || {
            (home.kith(&["show", id]).code == 4).then_some(())
        });
        let refused = home.fails(&["react", id, "👍"], 4).message;
        assert!(
            refused.contains("is over") || refused.contains("no message"),
            "{refused}"
        );
        home.json(&["verify", "garden"]);
    }
    until("both to have erased it from their files", PATIENCE, || {
        let status = ben.json(&["retention", "status", "garden"]);
        let devices = status["devices"].as_array().unwrap();
        let is_done =
            |there: &serde_json::Value| (&there["erased"], &there["of"]) == (&1.into(), &1.into());
        (status["messages"] == 1 && devices.len() == 2 && devices.iter().all(is_done)).then_some(())
    });
    let refused = ben.fails(&["show", id], 4).message;
    assert!(refused.contains("erased on all 2 devices"), "{refused}");
    let plain = ana.plain(&["retention", "status", "garden"]);
    assert!(
        plain.contains("1 of 1") && plain.contains("this device"),
        "{plain}"
    );
    assert_eq!(ana.kith(&["retention", "status", "nowhere"]).code, 4);
}

#[test]
fn a_limit_says_what_it_makes_of_what_was_set_and_leaves_the_other_alone() {
    let ana = Home::init("Ana");
    let _daemon = Daemon::start(&ana);
    ana.json(&["channel", "create", "garden"]);
    ana.json(&["retention", "set", "garden", "forever"]);
    let limit = |flags: &[&str]| {
        let typed = ["retention", "limit", "garden"];
        let typed: Vec<&str> = typed.iter().chain(flags).copied().collect();
        ana.json(&typed)
    };
    let would = limit(&["--longest", "7days", "--dry-run"]);
    assert_eq!(
        (&would["value"], &would["retention"]),
        (&"7days at most".into(), &"7days".into())
    );
    let done = ana.plain(&["retention", "limit", "garden", "--longest", "7days"]);
    assert!(
        done.contains("so from now on messages are kept for 7days"),
        "{done}"
    );
    let told = ana.json(&["retention", "show", "garden"]);
    assert_eq!(
        [&told["retention"], &told["set"], &told["set_by"]["name"]],
        ["7days", "forever", "Ana"]
    );
    let policy = ana.lines(&["policy", "garden"]);
    let holds = policy.iter().find(|it| it["setting"] == "retention");
    let holds = holds.expect("it is a setting");
    assert_eq!(
        [&holds["value"], &holds["at"]],
        [&"7days".into(), &told["limits_set_by"]["at"]]
    );
    let told = ana.plain(&["retention", "show", "garden"]);
    assert!(
        told.contains("messages are kept for 7days, as the limits have it")
            && told.contains("set: forever, as Ana set it on"),
        "{told}"
    );

    let both = limit(&["--shortest", "2days"]);
    assert_eq!(both["value"], "2days to 7days");
    assert!(both.get("retention").is_none(), "{both}");
    let typed = ["retention", "limit", "garden", "--longest", "1day"];
    let refused = ana.fails(&typed, 2).message;
    assert!(
        refused.contains("2days") && refused.contains("1day"),
        "{refused}"
    );
    assert_eq!(
        limit(&["--none", "--shortest", "1day"])["value"],
        "1day at least"
    );
    let none = limit(&["--none"]);
    assert_eq!(none["value"], "none");

    let set = ana.json(&["retention", "set", "garden", "7days", "--existing"]);
    assert_eq!(set["existing"], true);
    let set = ana.plain(&["retention", "set", "garden", "2days", "--existing"]);
    assert!(set.contains("what is there as well"), "{set}");
}

#[test]
fn what_makes_no_sense_or_may_not_be_is_refused_and_says_what_may() {
    let [ana, ben] = ["Ana", "Ben"].map(Home::init);
    let a = Daemon::start(&ana);
    let _b = Daemon::start_towards(&ben, &a.addresses());
    ana.json(&["channel", "create", "garden", "--retention", "1day"]);
    befriend(&ana, &ben, "garden");
    until_agreed(&[&ana, &ben], "garden");
    ana.json(&[
        "retention",
        "limit",
        "garden",
        "--shortest",
        "2h",
        "--longest",
        "7days",
    ]);
    for (typed, code, named) in [
        (
            &["send", "garden", "hi", "--expire", "59m"][..],
            2,
            "at least 1h",
        ),
        (
            &["send", "garden", "hi", "--expire", "-2h"],
            2,
            "at least 1h",
        ),
        (
            &["send", "garden", "hi", "--expire", "99999999999days"],
            2,
            "7days",
        ),
        (
            &["send", "garden", "hi", "--expire", "200000days"],
            2,
            "ten years",
        ),
        (&["send", "garden", "hi", "--expire", "2days"], 8, "1day"),
        (&["retention", "set", "garden", "59m"], 2, "1h"),
        (&["retention", "set", "garden", "90m"], 2, "whole hours"),
        (&["retention", "set", "garden", "9999years"], 2, "forever"),
        (&["retention", "set", "garden", "forever"], 5, "A12"),
        (&["retention", "set", "garden", "1h"], 5, "2h to 7days"),
        (
            &["retention", "set", "garden", "forever"],
            5,
            "kith retention limit",
        ),
        (
            &["retention", "set", "garden", "instant", "--dry-run"],
            5,
            "A12",
        ),
        (&["retention", "set", "nowhere", "1h"], 4, "nowhere"),
        (&["retention", "limit", "garden"], 2, "--none"),
        (
            &["retention", "limit", "garden", "--longest", "forever"],
            2,
            "stretch of time",
        ),
        (
            &[
                "retention",
                "limit",
                "garden",
                "--shortest",
                "3h",
                "--longest",
                "2h",
            ],
            2,
            "longer",
        ),
        (&["channel", "create", "shed", "--retention", "0h"], 2, "1h"),
    ] {
        let refused = ana.fails(typed, code);
        assert!(
            refused.message.contains(named),
            "{typed:?}: {}",
            refused.message
        );
    }
    for typed in [
        &["retention", "set", "garden", "2h"][..],
        &["retention", "limit", "garden", "--none"],
    ] {
        let refused = ben.fails(typed, 5);
        assert!(refused.message.contains("rule A"), "{}", refused.message);
    }
    assert_eq!(
        ana.json(&["channel", "show", "garden"])["retention"],
        "1day"
    );
}
