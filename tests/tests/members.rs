//! Taking people out, silencing them, and letting them back in, with real daemons.

use kith_tests::{Daemon, Home, PATIENCE, befriend, texts, until, until_agreed, until_seen};

struct Three {
    homes: [Home; 3],
    _daemons: [Daemon; 3],
}

/// Ana, who made the channel, and Ben and Cleo.
fn three() -> Three {
    let homes = ["Ana", "Ben", "Cleo"].map(Home::init);
    let a = Daemon::start(&homes[0]);
    let b = Daemon::start_towards(&homes[1], &a.addresses());
    let c = Daemon::start_towards(&homes[2], &a.addresses());
    homes[0].json(&["channel", "create", "garden"]);
    befriend(&homes[0], &homes[1], "garden");
    befriend(&homes[0], &homes[2], "garden");
    until_agreed(&homes.each_ref(), "garden");
    Three {
        homes,
        _daemons: [a, b, c],
    }
}

fn status_at(home: &Home, name: &str) -> String {
    let members = home.lines(&["member", "list", "garden"]);
    let member = members.iter().find(|member| member["name"] == name);
    member.map_or_else(String::new, |member| {
        member["status"].as_str().unwrap_or_default().to_owned()
    })
}

fn until_status(home: &Home, name: &str, status: &str) {
    until(&format!("{name} to be {status}"), PATIENCE, || {
        (status_at(home, name) == status).then_some(())
    });
}

#[test]
fn who_is_removed_reads_and_writes_no_more() {
    let Three { homes, _daemons } = three();
    let [ana, ben, cleo] = &homes;
    let before = ben.field(&["send", "garden", "before"], "id");
    until_seen(cleo, &before);
    until_seen(ana, &before);

    let would = ana.json(&["member", "remove", "garden", "Ben", "--dry-run"]);
    assert_eq!(
        (would["status"].as_str(), would["dry_run"].as_bool()),
        (Some("removed"), Some(true))
    );
    assert_eq!(status_at(ana, "Ben"), "active", "nothing was done");

    let denied = cleo.fails(&["member", "remove", "garden", "Ben"], 5);
    assert!(
        denied.message.contains("remove people"),
        "{}",
        denied.message
    );
    assert_eq!(
        ana.json(&["member", "remove", "garden", "Ben"])["status"],
        "removed"
    );
    until_status(cleo, "Ben", "removed");

    let secret = ana.field(&["send", "garden", "without Ben"], "id");
    until_seen(cleo, &secret);
    until_status(ben, "Ben", "removed");
    let refused = ben.fails(&["send", "garden", "still here?"], 5);
    assert!(
        refused.message.contains("not a member"),
        "{}",
        refused.message
    );
    assert_eq!(ben.kith(&["show", &secret]).code, 4);
    for home in [ana, cleo] {
        let messages = home.lines(&["read", "garden"]);
        assert_eq!(
            texts(&messages),
            ["before", "without Ben"],
            "at {}",
            home.name()
        );
    }

    // By an invite he comes back.
    befriend(ana, ben, "garden");
    until_status(cleo, "Ben", "active");
    let back = ben.field(&["send", "garden", "back"], "id");
    until_seen(cleo, &back);
    until_agreed(&[ana, ben, cleo], "garden");
}

#[test]
fn roles_mutes_and_bans_are_the_same_for_everybody() {
    let Three { homes, _daemons } = three();
    let [ana, ben, cleo] = &homes;
    assert_eq!(
        ana.json(&["role", "garden", "Ben", "moderator"])["role"],
        "moderator"
    );
    until("Ben to be a moderator at home", PATIENCE, || {
        let members = ben.lines(&["member", "list", "garden"]);
        let me = members.iter().find(|member| member["name"] == "Ben")?;
        (me["role"] == "moderator").then_some(())
    });

    let muted = ben.json(&["member", "mute", "garden", "Cleo", "--for", "1h"]);
    assert_eq!(muted["status"], "muted");
    assert!(muted["until"].is_string());
    until_status(cleo, "Cleo", "muted");
    let refused = cleo.fails(&["send", "garden", "hm"], 5);
    assert!(refused.message.contains("muted"), "{}", refused.message);
    ben.json(&["member", "unmute", "garden", "Cleo"]);
    until_status(cleo, "Cleo", "active");
    let heard = cleo.field(&["send", "garden", "thanks"], "id");
    until_seen(ana, &heard);

    // A moderator stands below the owner.
    let denied = ben.fails(&["member", "ban", "garden", "Ana"], 5);
    assert!(
        denied
            .message
            .contains("do not stand above “Ana”, who is owner here"),
        "{}",
        denied.message
    );
    ben.json(&["member", "ban", "garden", "Cleo"]);
    until_status(ana, "Cleo", "banned");
    let denied = ana.fails(&["member", "add", "garden", "Cleo", "--dry-run"], 5);
    assert!(
        denied.message.contains("“Cleo” was banned by “Ben”"),
        "{}",
        denied.message
    );
    let link = ana.field(&["invite", "garden"], "link");
    assert_ne!(cleo.kith(&["join", &link, "--wait", "2s"]).code, 0);
    ana.json(&["member", "unban", "garden", "Cleo"]);
    until_status(ben, "Cleo", "removed");
    ana.json(&["member", "add", "garden", "Cleo"]);
    until_status(ben, "Cleo", "active");
    let again = cleo.fails(&["member", "remove", "garden", "Nobody"], 4);
    assert!(again.message.contains("Nobody"));
    until_agreed(&[ana, ben], "garden");
}

#[test]
fn an_invite_waits_while_its_maker_may_not_invite() {
    let Three { homes, _daemons } = three();
    let [ana, ben, _] = &homes;
    let invite = ben.field(&["invite", "garden"], "invite");
    let state_at = |home: &Home| {
        let invites = home.lines(&["invite", "list", "garden"]);
        let found = invites.iter().find(|listed| listed["invite"] == *invite);
        found.map_or_else(String::new, |listed| {
            listed["state"].as_str().unwrap_or_default().to_owned()
        })
    };
    let until_state = |state: &str| {
        until(&format!("the invite to be {state}"), PATIENCE, || {
            [ana, ben]
                .iter()
                .all(|home| state_at(home) == state)
                .then_some(())
        });
    };
    until_state("open");
    ana.json(&["role", "garden", "Ben", "reader"]);
    until_state("suspended");
    assert!(
        ana.plain(&["invite", "list", "garden"])
            .contains("suspended")
    );
    ana.json(&["role", "garden", "Ben", "member"]);
    until_state("open");
}

#[test]
fn the_last_owner_stays() {
    let ana = Home::init("Ana");
    let _daemon = Daemon::start(&ana);
    ana.json(&["channel", "create", "garden"]);
    ana.fails(&["role", "garden", "Ana", "member"], 5);
    ana.fails(&["member", "remove", "garden", "Ana"], 5);
    ana.fails(&["role", "garden", "Ana", "emperor"], 2);
}
