//! Erasing what one said, with real daemons: what is answered, what is asked first, and how it ends
//! where it makes no sense or may not be.

use std::process::{Child, Stdio};

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

#[test]
fn an_account_is_erased_everywhere_and_then_its_home() {
    let [ana, ben, cleo] = ["Ana", "Ben", "Cleo"].map(Home::init);
    let a = Daemon::start(&ana);
    let b = Daemon::start_towards(&ben, &a.addresses());
    ana.json(&["channel", "create", "garden"]);
    befriend(&ana, &ben, "garden");
    ben.json(&["channel", "create", "kitchen"]);
    befriend(&ben, &ana, "kitchen");
    ben.json(&["channel", "create", "diary"]);
    let mut said = Vec::new();
    for channel in ["garden", "kitchen", "diary"] {
        said.push(ben.field(&["send", channel, "his"], "id"));
    }
    for id in &said[..2] {
        until_seen(&ana, id);
    }

    let state = |told: &serde_json::Value, name: &str| {
        let channels = told["channels"].as_array().unwrap();
        let channel = channels.iter().find(|channel| channel["name"] == name);
        channel.unwrap()["state"].as_str().unwrap().to_owned()
    };
    let would = ben.json(&["erase", "--account", "--dry-run"]);
    assert_eq!(
        ["garden", "kitchen", "diary"].map(|name| state(&would, name)),
        ["here", "last_owner", "alone"]
    );
    assert_eq!(
        (&would["dry_run"], &would["destroyed"]),
        (&json!(true), &json!(false))
    );
    let told = ben.plain(&["erase", "--account", "--dry-run"]);
    assert!(told.contains("make somebody else one first"), "{told}");
    for typed in [
        &["erase", "--account"][..],
        &["erase", "--account", "--mine", "garden", "--yes"],
        &["erase", "--mine", "garden", "--at-once", "--yes"],
        &["erase", "--account", "--at-once", "--wait", "1s", "--yes"],
    ] {
        ben.fails(typed, 2);
    }
    let refused = ben.fails(&["erase", "--account", "--yes"], 5).message;
    assert!(
        refused.contains("#kitchen") && refused.contains("nothing was erased"),
        "{refused}"
    );
    assert_eq!(ana.json(&["show", &said[0]])["text"], "his");
    ben.json(&["role", "kitchen", "Ana", "owner"]);

    // Cleo goes, and nobody else is in what she and Ben share.
    let c = Daemon::start_towards(&cleo, &a.addresses());
    ben.json(&["channel", "create", "attic"]);
    befriend(&ben, &cleo, "attic");
    ben.json(&["role", "attic", "Cleo", "owner"]);
    until_agreed(&[&ben, &cleo], "attic");
    drop(c);
    ben.json(&["send", "attic", "his"]);
    let outcome = ben.kith(&["erase", "--account", "--yes", "--wait", "8s"]);
    let refused = outcome.failure().expect("somebody is not there");
    assert_eq!(outcome.code, 6);
    assert!(refused.message.contains("--at-once"), "{}", refused.message);
    let states = ["garden", "kitchen", "diary", "attic"];
    assert_eq!(
        states.map(|name| state(&outcome.lines[0], name)),
        ["done", "done", "alone", "unheard"]
    );
    let attic = ben.json(&["channel", "show", "attic"]);
    assert_eq!(attic["state"], "active", "whoever has left erases nothing");
    for id in &said[..2] {
        until("Ana to hear of it", PATIENCE, || {
            (ana.json(&["show", id])["deleted"] == true).then_some(())
        });
    }
    for channel in ["garden", "kitchen"] {
        let members = ana.lines(&["member", "list", channel]);
        let his = members.iter().find(|member| member["name"] == "Ben");
        assert_eq!(his.unwrap()["status"], "left", "{channel}");
    }
    assert!(ben.path().join("vault").exists(), "it is kept until then");

    let done = ben.json(&["erase", "--account", "--yes", "--at-once"]);
    assert_eq!(done["destroyed"], true);
    b.wait();
    assert!(!ben.path().exists());
}

#[test]
fn a_destruction_that_was_cut_off_goes_on() {
    let ana = Home::init("Ana");
    std::fs::remove_file(ana.path().join("vault")).expect("it was the first to go");
    std::fs::write(ana.path().join("destroying"), "").expect("its home is there still");
    let refused = Daemon::refused(&ana, &[])
        .failure()
        .expect("there is nothing to serve");
    assert!(
        refused.message.contains("it is destroyed now"),
        "{}",
        refused.message
    );
    assert!(!ana.path().exists());
}

/// Erases an account, and waits for others so long.
fn erase(home: &Home, wait: &str) -> Child {
    let mut command = home.command();
    command.args(["--json", "erase", "--account", "--yes", "--wait", wait]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("the binary runs")
}

fn until_deleted(home: &Home, ids: &[String]) {
    until("everything to be deleted", PATIENCE, || {
        let is_deleted = |id: &String| home.json(&["show", id])["deleted"] == true;
        ids.iter().all(is_deleted).then_some(())
    });
}

#[test]
fn what_is_said_while_it_waits_is_erased_as_well() {
    let [ana, ben] = ["Ana", "Ben"].map(Home::init);
    let a = Daemon::start(&ana);
    let address = a.address();
    let b = Daemon::start_towards(&ben, &a.addresses());
    ana.json(&["channel", "create", "garden"]);
    befriend(&ana, &ben, "garden");
    let first = ben.field(&["send", "garden", "his"], "id");
    until_seen(&ana, &first);
    a.stop();
    let mut erasing = erase(&ben, "2m");
    until_deleted(&ben, std::slice::from_ref(&first));
    let second = ben.field(&["send", "garden", "meanwhile"], "id");
    let _a = Daemon::start_at(&ana, &address);
    let status = erasing.wait().expect("our own child");
    assert!(status.success(), "{status}");
    b.wait();
    until_deleted(&ana, &[first, second]);
}

#[test]
fn of_two_who_erase_at_once_nothing_is_left() {
    let [ana, ben, cleo] = ["Ana", "Ben", "Cleo"].map(Home::init);
    let a = Daemon::start(&ana);
    let address = a.address();
    let b = Daemon::start_towards(&ben, &a.addresses());
    let c = Daemon::start_towards(&cleo, &b.addresses());
    ana.json(&["channel", "create", "garden"]);
    for guest in [&ben, &cleo] {
        befriend(&ana, guest, "garden");
    }
    let mut said = Vec::new();
    for home in [&ben, &cleo] {
        said.push(home.field(&["send", "garden", "mine"], "id"));
    }
    for id in &said {
        until_seen(&ana, id);
    }
    until_agreed(&[&ana, &ben, &cleo], "garden");
    a.stop();
    let erasing = [&ben, &cleo].map(|home| erase(home, "4s"));
    let [ben_is_gone, cleo_is_gone] = erasing.map(|mut child| {
        let status = child.wait().expect("our own child");
        status.success()
    });
    assert!(!(ben_is_gone && cleo_is_gone), "nobody is left to tell Ana");
    let _a = Daemon::start_at(&ana, &address);
    for (home, is_gone) in [(&ben, ben_is_gone), (&cleo, cleo_is_gone)] {
        let mut again = (!is_gone).then(|| erase(home, "2m"));
        let status = again
            .as_mut()
            .map(|child| child.wait().expect("our own child"));
        assert!(status.is_none_or(|status| status.success()));
    }
    until_deleted(&ana, &said);
    let members = ana.lines(&["member", "list", "garden"]);
    let left = members.iter().filter(|member| member["status"] == "left");
    assert_eq!(left.count(), 2);
    drop((b, c));
}
