//! Several devices of one person: `kith device link` on one, `kith device join` on the other.

use std::time::Duration;

use kith_tests::{Daemon, Home, PATIENCE, Talk, befriend, link, until, until_agreed, until_seen};

/// The texts that a home shows of a channel.
fn texts(home: &Home, channel: &str) -> Vec<String> {
    let page = home.kith(&["read", channel]).lines;
    page.iter()
        .filter_map(|message| Some(message["text"].as_str()?.to_owned()))
        .collect()
}

fn unread(home: &Home, channel: &str) -> u64 {
    let shown = home.json(&["channel", "show", channel]);
    shown["unread"].as_u64().expect("a number")
}

/// Says that the pictures are the same, and returns the code.
fn code_of(joining: &mut Talk) -> String {
    joining.line();
    joining.answer("yes");
    joining.line()["code"].as_str().expect("digits").to_owned()
}

#[test]
fn a_linked_device_has_every_channel_and_is_the_same_person() {
    let (ana, ben) = (Home::init("Ana"), Home::init("Ben"));
    let a = Daemon::start(&ana);
    let _b = Daemon::start_towards(&ben, &a.addresses());
    ana.json(&["channel", "create", "garden"]);
    befriend(&ana, &ben, "garden");
    for channel in ["attic", "cellar", "kitchen"] {
        ana.json(&["channel", "create", channel]);
        ana.json(&["send", channel, "nobody else is here"]);
    }
    let first = ben.field(&["send", "garden", "what grows?"], "id");
    until_seen(&ana, &first);
    ana.json(&["mark", "garden"]);
    let second = ben.field(&["send", "garden", "and what does not?"], "id");
    until_seen(&ana, &second);

    ana.json(&["contact", "name", "Ben", "Benjamin"]);
    ana.json(&["draft", "attic", "to be said some time"]);

    let laptop = link(&ana, "laptop", &[]);
    let l = Daemon::start(&laptop);
    until("all channels", PATIENCE, || {
        (laptop.kith(&["channel", "list"]).lines.len() == 4).then_some(())
    });
    until_seen(&laptop, &second);
    until_agreed(&[&ana, &ben, &laptop], "garden");
    assert_eq!((unread(&ana, "garden"), unread(&laptop, "garden")), (1, 1));
    for channel in ["attic", "cellar", "kitchen"] {
        until("history", PATIENCE, || {
            (texts(&laptop, channel) == ["nobody else is here"]).then_some(())
        });
    }

    // What is read on one is read on the other, and what one writes is the person's.
    laptop.json(&["mark", "garden"]);
    until("it to be read", PATIENCE, || {
        (unread(&ana, "garden") == 0).then_some(())
    });
    let said = laptop.field(&["send", "garden", "beans"], "id");
    until_seen(&ben, &said);
    assert_eq!(ben.json(&["show", &said])["account"], ana.account());
    assert_eq!(laptop.kith(&["edit", &second, "no"]).code, 5);
    until_seen(&ana, &said);
    ana.json(&["edit", &said, "beans and peas"]);
    until("the edit", PATIENCE, || {
        texts(&laptop, "garden")
            .contains(&"beans and peas".to_owned())
            .then_some(())
    });

    // A channel that is made later, on either.
    laptop.json(&["channel", "create", "shed"]);
    ana.json(&["channel", "create", "roof"]);
    until("the later channels", PATIENCE, || {
        let all = |home: &Home| home.kith(&["channel", "list"]).lines.len();
        (all(&ana) == 6 && all(&laptop) == 6).then_some(())
    });

    // What the person has set for themselves, before and after.
    until("the name and the draft", PATIENCE, || {
        let name = laptop.lines(&["read", "garden", "--limit", "2"])[0]["name"].clone();
        (name == "Benjamin" && laptop.kith(&["draft", "attic"]).code == 0).then_some(())
    });
    laptop.kith(&["draft", "attic", "--send"]);
    laptop.json(&["channel", "mute", "cellar"]);
    until("it to be sent and muted on the first", PATIENCE, || {
        let muted = ana.json(&["channel", "show", "cellar"])["muted_until"].is_string();
        (muted && ana.lines(&["draft"]).is_empty()).then_some(())
    });

    // Both list both, and the one that was not let manage does not.
    let devices = |home: &Home| -> Vec<String> {
        let listed = home.lines(&["device", "list"]);
        let mut names: Vec<String> = listed
            .iter()
            .map(|device| device["device"].as_str().expect("an id").to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(devices(&ana), devices(&laptop));
    assert_eq!(laptop.kith(&["device", "link"]).code, 5);
    assert_eq!(laptop.kith(&["device", "rename", "lap"]).code, 5);
    assert_eq!(laptop.kith(&["device", "grant", "laptop"]).code, 5);
    ana.json(&["device", "grant", "laptop"]);
    until("the laptop to manage", PATIENCE, || {
        (laptop.kith(&["device", "rename", "lap"]).code == 0).then_some(())
    });

    let erased = laptop.json(&["erase", "--account", "--dry-run"]);
    assert_eq!(erased["other_devices"].as_array().map(Vec::len), Some(1));

    // Either may be away.
    a.stop();
    let later = ben.field(&["send", "garden", "are you there?"], "id");
    drop(l);
    let l = Daemon::start(&laptop);
    until_seen(&laptop, &later);
    assert!(laptop.json(&["verify", "garden"])["equal"] == true);
    l.stop();
}

#[test]
fn a_device_that_may_manage_links_the_next() {
    let phone = Home::init("Ana");
    let _p = Daemon::start(&phone);
    phone.json(&["channel", "create", "garden"]);
    let laptop = link(&phone, "laptop", &["--manage"]);
    let _l = Daemon::start(&laptop);
    until("the channel", PATIENCE, || {
        (laptop.kith(&["channel", "show", "garden"]).code == 0).then_some(())
    });
    let mut showing = Talk::begin(&laptop, &["device", "link"]);
    let link = showing.line()["link"].as_str().expect("a link").to_owned();
    let server = Home::vacant("server");
    let mut joining = Talk::begin(&server, &["device", "join", &link, "--no-mdns"]);
    let code = code_of(&mut joining);
    showing.line();
    showing.answer(&code);
    assert_eq!(joining.end().0, 0);
    assert_eq!(showing.end().0, 0);
    let _s = Daemon::start(&server);
    until("the channel", PATIENCE, || {
        (server.kith(&["channel", "show", "garden"]).code == 0).then_some(())
    });
    until("all to know all", PATIENCE, || {
        let all = |home: &Home| home.kith(&["device", "list"]).lines.len();
        [&phone, &laptop, &server]
            .iter()
            .all(|home| all(home) == 3)
            .then_some(())
    });
}

#[test]
fn without_the_code_nothing_is_handed_over() {
    let ana = Home::init("Ana");
    let _a = Daemon::start(&ana);
    let begin = |arguments: &[&str]| {
        let mut showing = Talk::begin(&ana, &[&["device", "link"], arguments].concat());
        let link = showing.line()["link"].as_str().expect("a link").to_owned();
        (showing, link)
    };
    let join = |link: &str| {
        let other = Home::vacant("laptop");
        let joining = Talk::begin(&other, &["device", "join", link, "--no-mdns"]);
        (other, joining)
    };

    // A code that is guessed three times.
    let (mut showing, link) = begin(&[]);
    let (other, mut joining) = join(&link);
    let code = code_of(&mut joining);
    showing.line();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    showing.answer("4711");
    (0..3).for_each(|_| showing.answer(wrong));
    let (ended, _, stderr) = showing.end();
    assert_eq!(
        (ended, stderr.matches("2 more tries").count()),
        (5, 1),
        "{stderr}"
    );
    assert!(stderr.contains("nothing was handed over"), "{stderr}");
    let (ended, _, stderr) = joining.end();
    assert_eq!(ended, 5, "{stderr}");
    assert!(!other.path().join("vault").exists());

    // Nobody who says yes, and a link that was taken back.
    let (mut showing, link) = begin(&[]);
    let (other, mut joining) = join(&link);
    code_of(&mut joining);
    showing.line();
    showing.hang_up();
    let (ended, _, stderr) = showing.end();
    assert!(ended == 5 && stderr.contains("not confirmed"), "{stderr}");
    assert_eq!(joining.end().0, 5);
    assert!(!other.path().join("vault").exists());
    assert_eq!(join(&link).1.end().0, 5);

    // Nobody who finds the pictures the same, on the new device.
    let (showing, link) = begin(&[]);
    let (other, mut joining) = join(&link);
    joining.line();
    joining.answer("no");
    let (ended, lines, stderr) = joining.end();
    assert!(ended == 5 && lines.is_empty(), "{stderr}");
    assert!(!other.path().join("vault").exists());

    // A link that another took the place of, watched by who showed it.
    let (second, _) = begin(&[]);
    drop(second);
    let (ended, _, stderr) = showing.end();
    assert!(ended == 5 && stderr.contains("taken the place"), "{stderr}");

    // A link that was used, with a copy of it.
    let (mut showing, link) = begin(&[]);
    let (_other, mut joining) = join(&link);
    let code = code_of(&mut joining);
    showing.line();
    showing.answer(&code);
    assert_eq!((showing.end().0, joining.end().0), (0, 0));
    let (_vacant, joining) = join(&link);
    let (ended, _, stderr) = joining.end();
    assert!(ended == 5 && stderr.contains("works once"), "{stderr}");

    // One whose time is over before anybody uses it, and before anybody agrees.
    let (showing, link) = begin(&["--expires", "1s"]);
    let (ended, _, stderr) = showing.end();
    assert_eq!(ended, 5, "{stderr}");
    let (_vacant, joining) = join(&link);
    let (ended, _, stderr) = joining.end();
    assert!(ended == 5 && stderr.contains("expired"), "{stderr}");
    assert_eq!(ana.lines(&["device", "list"]).len(), 2);
}

#[test]
fn a_link_that_is_none_or_a_home_that_is_one_changes_nothing() {
    let (ana, ben) = (Home::init("Ana"), Home::init("Ben"));
    let a = Daemon::start(&ana);
    ana.json(&["channel", "create", "garden"]);
    let invite = ana.field(&["invite", "garden"], "link");
    let mut showing = Talk::begin(&ana, &["device", "link"]);
    let link = showing.line()["link"].as_str().expect("a link").to_owned();
    let vacant = Home::vacant("laptop");
    let mut altered = link.clone();
    altered.replace_range(40..41, if &link[40..41] == "a" { "b" } else { "a" });
    for (wrong, told) in [
        (&link[..link.len() - 5], "cut short"),
        (altered.as_str(), "altered"),
        (invite.as_str(), "kith join"),
        ("hello", "kith-device:"),
    ] {
        let failure = vacant.fails(&["device", "join", wrong], 5);
        assert!(failure.message.contains(told), "{}", failure.message);
    }
    let failure = ana.fails(&["join", &link], 5);
    assert!(
        failure.message.contains("kith device join"),
        "{}",
        failure.message
    );
    let failure = ben.fails(&["device", "join", &link], 1);
    assert!(
        failure.message.contains("a home already"),
        "{}",
        failure.message
    );
    assert_eq!(
        vacant.kith(&["device", "join", &link, "--name", " "]).code,
        2
    );
    assert_eq!(ana.kith(&["device", "link", "--expires", "2days"]).code, 2);
    drop(showing);

    // The device that shows it is gone.
    a.stop();
    let begun = std::time::Instant::now();
    let wait = ["device", "join", &link, "--wait", "1s", "--no-mdns"];
    assert_eq!(vacant.kith(&wait).code, 6);
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert!(!vacant.path().join("vault").exists());
    assert_eq!(
        ben.kith(&["device", "link"]).code,
        3,
        "its daemon does not run"
    );
}

#[test]
fn a_device_that_is_revoked_is_told_and_shut_out() {
    let (ana, ben) = (Home::init("Ana"), Home::init("Ben"));
    let a = Daemon::start(&ana);
    let _b = Daemon::start_towards(&ben, &a.addresses());
    ana.json(&["channel", "create", "garden"]);
    befriend(&ana, &ben, "garden");
    let laptop = link(&ana, "laptop", &["--manage"]);
    let l = Daemon::start(&laptop);
    let tablet = link(&ana, "tablet", &[]);
    let _t = Daemon::start(&tablet);
    for home in [&laptop, &tablet] {
        until("the channel", PATIENCE, || {
            (home.kith(&["channel", "show", "garden"]).code == 0).then_some(())
        });
    }
    let said = laptop.field(&["send", "garden", "from the laptop"], "id");
    until_seen(&ben, &said);
    until_seen(&ana, &said);

    // What cannot be done, and nothing comes of it.
    let revoke = |home: &Home, device: &str, more: &[&str]| {
        home.kith(&[&["device", "revoke", device], more].concat())
    };
    assert_eq!(revoke(&ana, "laptop", &[]).code, 2, "nobody can be asked");
    assert_eq!(revoke(&ana, "sofa", &["--yes"]).code, 4);
    assert_eq!(revoke(&ana, "", &["--yes"]).code, 4);
    let own = ana.json(&["status"])["device"].as_str().map(str::to_owned);
    let itself = revoke(&ana, &own.expect("an id"), &["--yes"]);
    assert_eq!(itself.code, 5);
    assert_eq!(revoke(&tablet, "laptop", &["--yes"]).code, 5);
    let would = revoke(&ana, "laptop", &["--dry-run"]);
    assert_eq!(would.lines[0]["dry_run"], true);
    assert_eq!(ana.kith(&["device", "list"]).lines.len(), 3);

    l.stop();
    let revoked = ana.json(&["device", "revoke", "laptop", "--yes"]);
    assert_eq!(
        (&revoked["managed"], &revoked["channels"]),
        (&true.into(), &1.into())
    );
    until("the tablet to know", PATIENCE, || {
        let devices = tablet.lines(&["device", "list"]);
        let laptop = devices.iter().find(|device| device["name"] == "laptop");
        (laptop?["revoked"] == true).then_some(())
    });
    let _l = Daemon::start(&laptop);
    until("the laptop to know", PATIENCE, || {
        laptop.json(&["status"])["revoked_at"]
            .is_string()
            .then_some(())
    });
    let denied = laptop.kith(&["send", "garden", "still here"]);
    assert_eq!(denied.code, 5);
    assert_eq!(laptop.kith(&["device", "link"]).code, 5);
    assert!(texts(&laptop, "garden").contains(&"from the laptop".to_owned()));
    let among_us = ben.field(&["send", "garden", "among us"], "id");
    until_seen(&tablet, &among_us);
    until_agreed(&[&ana, &ben, &tablet], "garden");
    assert!(texts(&ana, "garden").contains(&"from the laptop".to_owned()));
    assert_eq!(laptop.kith(&["show", &among_us]).code, 4);
}
