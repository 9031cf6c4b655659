//! Why somebody is what they are, why a message is shown or not, and who did what: explained by
//! real daemons to people and to scripts.

use kith_tests::{
    Daemon, Home, PATIENCE, Transcript, befriend, texts, until, until_agreed, until_seen,
};
use serde_json::Value;

const USAGE: i32 = 2;
const NOT_FOUND: i32 = 4;
const DENIED: i32 = 5;

/// Ana, Ben and Cleo in a garden, Ben as an admin, and what was done apart from each other: Ben,
/// with Cleo, wrote something and made her a moderator, while Ana, alone, removed him.
struct Apart {
    homes: [Home; 3],
    daemons: Vec<Daemon>,
    /// What Ben wrote before.
    early: String,
    /// What Ben wrote that Ana did not have when she removed him.
    late: String,
    promoted: String,
    removed: String,
}

fn newest_op(home: &Home, deed: &str) -> String {
    let audit = home.lines(&["audit", "garden"]);
    let op = audit.iter().rfind(|entry| entry["deed"] == deed);
    let op = op.unwrap_or_else(|| panic!("no {deed} in {audit:?}"));
    op["op"].as_str().expect("an op").to_owned()
}

fn apart() -> Apart {
    let homes = ["Ana", "Ben", "Cleo"].map(Home::init);
    let [ana, ben, cleo] = &homes;
    let a = Daemon::start(ana);
    let b = Daemon::start_towards(ben, &a.addresses());
    let c = Daemon::start_towards(cleo, &a.addresses());
    ana.json(&["channel", "create", "garden"]);
    befriend(ana, ben, "garden");
    befriend(ana, cleo, "garden");
    let early = ben.field(&["send", "garden", "early"], "id");
    until_seen(ana, &early);
    ana.json(&["role", "garden", "Ben", "admin"]);
    until_agreed(&homes.each_ref(), "garden");

    a.stop();
    b.stop();
    c.stop();
    let c = Daemon::start(cleo);
    let b = Daemon::start_towards(ben, &c.addresses());
    let late = ben.field(&["send", "garden", "late"], "id");
    ben.json(&["role", "garden", "Cleo", "moderator"]);
    let promoted = newest_op(ben, "set_role");
    until_agreed(&[ben, cleo], "garden");
    until_seen(cleo, &late);
    b.stop();
    c.stop();

    let a = Daemon::start(ana);
    ana.json(&["channel", "topic", "garden", "what grows where"]);
    ana.json(&["member", "remove", "garden", "Ben"]);
    let removed = newest_op(ana, "remove");
    let c = Daemon::start_towards(cleo, &a.addresses());
    until_agreed(&[ana, cleo], "garden");
    Apart {
        daemons: vec![a, c],
        homes,
        early,
        late,
        promoted,
        removed,
    }
}

fn step<'a>(why: &'a Value, op: &str) -> &'a Value {
    let steps = why["steps"].as_array().expect("a list");
    let step = steps.iter().find(|step| step["op"] == op);
    step.unwrap_or_else(|| panic!("no op {op} in {why}"))
}

/// One field of each object of a list.
fn each<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    let list = list.as_array().expect("a list").iter();
    list.map(|one| one[field].as_str().unwrap_or_default())
        .collect()
}

#[test]
fn who_was_removed_meanwhile_and_what_of_it_counts_is_told_alike_everywhere() {
    let apart = apart();
    let [ana, _, cleo] = &apart.homes;
    for home in [ana, cleo] {
        let why = home.json(&["why", "member", "garden", "Ben"]);
        assert_eq!(why["status"], "removed");
        assert_eq!(why["decided_by"], apart.removed.as_str());
        let removal = step(&why, &apart.removed);
        assert_eq!(removal["name"], "Ana");
        assert_eq!(removal["role"], "owner");
        assert_eq!(removal["rule"]["number"], "A4");
        assert_eq!(
            each(&why["steps"], "deed"),
            ["invite", "join", "set_role", "remove"]
        );

        // What Ben did as he was removed does not count, and Cleo is told so.
        let why = home.json(&["why", "member", "garden", "Cleo"]);
        assert_eq!(why["role"], "member");
        let promotion = step(&why, &apart.promoted);
        assert_eq!(
            (&promotion["verdict"], &promotion["rule"]["number"]),
            (&"void".into(), &"S2".into())
        );
        assert_eq!(promotion["because"], apart.removed.as_str());
        step(&why, &apart.removed);

        let denied = home.json(&["why", "denied", &apart.promoted[..8]]);
        assert_eq!(denied["verdict"], "void");
        let chain = [&*apart.promoted, &*apart.removed];
        assert_eq!(each(&denied["steps"], "op"), chain);
        let counts = home.json(&["why", "denied", &apart.removed]);
        assert_eq!(counts["verdict"], "stands");

        // What Ana did not have of Ben's messages is hidden, and what she had is not.
        assert_eq!(texts(&home.lines(&["read", "garden"])), ["early"]);
        let why = home.json(&["why", "message", &apart.late[..10]]);
        assert_eq!(
            (&why["showing"], &why["rule"]["number"], &why["role"]),
            (&"hidden".into(), &"M3".into(), &"admin".into())
        );
        assert_eq!(why["steps"][0]["op"], apart.removed.as_str());
        assert_eq!(why["signature_holds"], true);
        let refused = home.fails(&["show", &apart.late], NOT_FOUND);
        let command = format!("`kith why message {}`", &apart.late[..8]);
        for told in ["is hidden: whoever removed its author", "rule M3", &command] {
            assert!(refused.message.contains(told), "{}", refused.message);
        }
        home.fails(&["react", &apart.late, "👍"], NOT_FOUND);
        assert_eq!(home.json(&["channel", "show", "garden"])["messages"], 1);
        let why = home.json(&["why", "message", &apart.early]);
        assert_eq!(
            (&why["showing"], &why["role"]),
            (&"shown".into(), &"member".into())
        );
        assert!(why["state"].is_string());
    }
    let told = ana.plain(&["why", "denied", &apart.promoted]);
    assert!(told.contains("does not count"), "{told}");
    assert!(told.contains("“Ben” (admin) tried to make “Cleo” moderator"));
    assert!(told.contains(&format!("(op {})", &apart.removed[..8])));
    let told = cleo.plain(&["why", "member", "garden", "Ben"]);
    assert!(told.contains("Ben was removed from #garden"), "{told}");
    assert!(told.contains("“Ana” (owner) removed “Ben”"), "{told}");
    assert!(told.contains("stands, and decides"), "{told}");
    drop(apart.daemons);
}

#[test]
fn the_audit_has_everything_and_pages_like_reading() {
    let apart = apart();
    let [ana, _, cleo] = &apart.homes;
    let spam = cleo.field(&["send", "garden", "buy seeds"], "id");
    until_seen(ana, &spam);
    ana.json(&["delete", &spam, "--reason", "spam"]);
    until("the deletion at Cleo's", PATIENCE, || {
        (cleo.json(&["show", &spam])["deleted"] == true).then_some(())
    });
    until_agreed(&[ana, cleo], "garden");
    // What was erased each device notes by itself.
    let erased = |entry: &Value| entry["deed"] == "erasure";
    let steps = |home: &Home| {
        let mut all = home.lines(&["audit", "garden", "--limit", "500"]);
        all.retain(|entry| !erased(entry));
        all
    };
    let all = steps(ana);
    assert_eq!(all, steps(cleo));
    let list = Value::from(all.clone());
    let deeds = each(&list, "deed");
    assert_eq!(deeds[0], "found");
    for deed in [
        "rekey",
        "invite",
        "join",
        "set_role",
        "set_policy",
        "remove",
    ] {
        assert!(deeds.contains(&deed), "no {deed} in {deeds:?}");
    }
    let deletion = all.last().unwrap();
    assert_eq!(
        (&deletion["deed"], &deletion["value"], &deletion["message"]),
        (
            &"delete_message".into(),
            &"spam".into(),
            &spam.as_str().into()
        )
    );
    let void = all.iter().filter(|entry| entry["verdict"] == "void");
    assert_eq!(void.count(), 1);

    // In pages of three the same is told.
    let mut paged = Vec::new();
    let mut before: Option<String> = None;
    loop {
        let mut verb = vec!["audit", "garden", "--limit", "3"];
        if let Some(cursor) = &before {
            verb.extend(["--before", &cursor[..8]]);
        }
        let page = ana.lines(&verb);
        let Some(first) = page.first() else {
            break;
        };
        let cursor = first.get("deletion").unwrap_or(&first["op"]);
        before = cursor.as_str().map(str::to_owned);
        paged.splice(0..0, page);
    }
    let noted: Vec<&Value> = paged.iter().filter(|entry| erased(entry)).collect();
    assert_eq!(noted.len(), 1, "on one page: {noted:?}");
    assert_eq!(
        (&noted[0]["cause"], &noted[0]["messages"]),
        (&"deletion".into(), &1.into())
    );
    paged.retain(|entry| !erased(entry));
    assert_eq!(paged, all);

    let about_ben = ana.lines(&["audit", "garden", "--account", "Ben"]);
    let named = |person: &Value| person == "Ben";
    assert!(
        about_ben
            .iter()
            .all(|entry| named(&entry["name"]) || named(&entry["subject"]["name"]))
    );
    assert_eq!(about_ben.len(), 4, "{about_ben:?}");
    let told = ana.plain(&["audit", "garden"]);
    assert!(told.ends_with("signatures checked: all hold\n"), "{told}");
    assert!(told.contains("deleted message"), "{told}");
}

#[test]
fn what_people_are_told_is_as_the_transcript_has_it() {
    let (ana, ben) = (Home::init("Ana"), Home::init("Ben"));
    let (_a, _b) = (Daemon::start(&ana), Daemon::start(&ben));
    let mut story = Transcript::new();
    story.know(&ana);
    story.know(&ben);
    let channel = ana.field(&["channel", "create", "garden"], "channel");
    story.call(&channel, "garden");
    befriend(&ana, &ben, "garden");
    until_agreed(&[&ana, &ben], "garden");
    let bean = ben.field(&["send", "garden", "The bean is up."], "id");
    story.call(&bean, "bean");
    until_seen(&ana, &bean);
    ben.json(&["edit", &bean, "The beans are up."]);
    ana.json(&["member", "mute", "garden", "Ben", "--for", "1h"]);
    until_agreed(&[&ana, &ben], "garden");
    for (number, entry) in ana.lines(&["audit", "garden"]).iter().enumerate() {
        story.call(entry["op"].as_str().unwrap(), &format!("op {}", number + 1));
    }
    let epoch = ana.json(&["why", "message", &bean])["epoch"]["epoch"].clone();
    story.call(epoch.as_str().unwrap(), "epoch");

    story.heading("Why Ben may not write");
    let refused = ben.fails(&["send", "garden", "hm"], DENIED);
    assert!(refused.message.contains("rule M2"), "{}", refused.message);
    story.run(&ben, &["why", "member", "garden", "Ben"]);

    story.heading("A message, and what was done to it");
    until("the message to be delivered", PATIENCE, || {
        (ana.json(&["why", "message", &bean])["state"] == "delivered").then_some(())
    });
    story.run(&ana, &["why", "message", &bean]);

    story.heading("Who did what");
    story.run(&ben, &["audit", "garden"]);

    snapbox::assert_data_eq!(story.into_text(), snapbox::file!["why.transcript"]);
}

#[test]
fn who_was_away_when_they_were_removed_finds_out_why() {
    let apart = apart();
    let [ana, ben, _] = &apart.homes;
    let _b = Daemon::start_towards(ben, &apart.daemons[0].addresses());
    until("Ben to know that he is out", PATIENCE, || {
        (ben.json(&["channel", "show", "garden"])["state"] == "removed").then_some(())
    });
    let why = ben.json(&["why", "member", "garden", "Ben"]);
    assert_eq!(why["status"], "removed");
    assert_eq!(why["decided_by"], apart.removed.as_str());
    let told = ben.plain(&["why", "member", "garden", "Ben"]);
    assert!(told.contains("“Ana” (owner) removed “Ben”"), "{told}");
    let told = ben.plain(&["channel", "list"]);
    assert!(told.contains("removed"), "{told}");
    // What came after is not for him.
    ana.json(&["channel", "topic", "garden", "without Ben"]);
    let topic = ana.json(&["channel", "show", "garden"])["topic"].clone();
    assert_eq!(topic, "without Ben");
    ben.fails(&["send", "garden", "still here?"], DENIED);
    assert_eq!(
        ben.json(&["channel", "show", "garden"])["topic"],
        "what grows where"
    );
    // He sees that nobody heard him.
    let read = ben.lines(&["read", "garden"]);
    assert_eq!(texts(&read), ["early", "late"]);
    assert_eq!(read[0].get("hidden"), None);
    assert_eq!(read[1]["hidden"]["rule"]["number"], "M3");
    assert_eq!(read[1]["hidden"]["because"], apart.removed.as_str());
    let told = ben.plain(&["read", "garden"]);
    assert!(
        told.contains("hidden from the others: whoever removed"),
        "{told}"
    );
    let told = ben.plain(&["show", &apart.late]);
    assert!(told.contains("`kith why message"), "{told}");
    // What he did meanwhile does not count for him either.
    let why = ben.json(&["why", "denied", &apart.promoted]);
    assert_eq!(why["verdict"], "void");
}

#[test]
fn members_who_come_and_go_are_explained_and_so_is_who_never_was() {
    let homes = ["Ana", "Ben"].map(Home::init);
    let [ana, ben] = &homes;
    let (_a, _b) = (Daemon::start(ana), Daemon::start(ben));
    ana.json(&["channel", "create", "garden"]);
    ana.json(&["channel", "create", "cellar"]);
    befriend(ana, ben, "garden");
    until_agreed(&[ana, ben], "garden");
    let why = |home: &Home| home.json(&["why", "member", "garden", "Ben"]);
    let decides = |why: &Value| step(why, why["decided_by"].as_str().unwrap())["deed"].clone();

    assert_eq!(why(ben)["status"], "active");
    assert_eq!(decides(&why(ben)), "join");
    let founder = ana.json(&["why", "member", "garden", "Ana"]);
    assert_eq!(
        (founder["role"].as_str(), decides(&founder)),
        (Some("owner"), "found".into())
    );

    let stranger = ana.json(&["why", "member", "cellar", "Ben"]);
    assert_eq!(stranger["status"], Value::Null);
    assert_eq!(stranger["steps"], Value::Array(Vec::new()));
    assert_eq!(
        ana.plain(&["why", "member", "cellar", "Ben"]),
        "Ben never had to do with #cellar.\n"
    );

    ben.json(&["channel", "leave", "garden"]);
    until("Ana to see that Ben left", PATIENCE, || {
        (why(ana)["status"] == "left").then_some(())
    });
    assert_eq!(decides(&why(ana)), "leave");
    assert_eq!(decides(&why(ben)), "leave");
    ana.json(&["member", "ban", "garden", "Ben"]);
    assert_eq!(
        (why(ana)["status"].as_str(), decides(&why(ana))),
        (Some("banned"), "ban".into())
    );
    ana.json(&["member", "unban", "garden", "Ben"]);
    ana.json(&["member", "add", "garden", "Ben", "--role", "reader"]);
    assert_eq!(
        (why(ana)["role"].as_str(), decides(&why(ana))),
        (Some("reader"), "add".into())
    );
}

#[test]
fn what_means_nothing_or_too_much_is_told_apart() {
    let ana = Home::init("Ana");
    let _daemon = Daemon::start(&ana);
    ana.json(&["channel", "create", "garden"]);
    // So many ops that two of them begin with the same letter.
    for number in 0..40 {
        ana.json(&["channel", "topic", "garden", &number.to_string()]);
    }
    let ops = ana.lines(&["audit", "garden", "--limit", "500"]);
    let first = |entry: &Value| entry["op"].as_str().unwrap()[..1].to_owned();
    let twice = (b'a'..=b'z')
        .map(|letter| char::from(letter).to_string())
        .find(|letter| ops.iter().filter(|op| first(op) == *letter).count() > 1)
        .expect("41 ops do not begin with 32 different letters");
    let ambiguous = ana.fails(&["why", "denied", &twice], USAGE);
    assert_eq!(ambiguous.code, "ambiguous");
    assert!(
        ambiguous.message.contains("(#garden)"),
        "{}",
        ambiguous.message
    );
    let ambiguous = ana.fails(&["audit", "garden", "--before", &twice], USAGE);
    assert_eq!(ambiguous.code, "ambiguous");

    for (verb, code) in [
        (&["why", "denied", "zzzzzzzz"][..], NOT_FOUND),
        (&["why", "denied", ""], USAGE),
        (&["why", "denied", "../../etc"], NOT_FOUND),
        (&["why", "message", "zzzzzzzzzz"], NOT_FOUND),
        (&["why", "message", ""], USAGE),
        (&["why", "member", "garden", "Nobody"], NOT_FOUND),
        (&["why", "member", "garden", ""], USAGE),
        (&["why", "member", "cellar", "Ana"], NOT_FOUND),
        (&["why", "member", "", "Ana"], USAGE),
        (&["audit", "cellar"], NOT_FOUND),
        (&["audit", ""], USAGE),
        (&["audit", "garden", "--before", "zzzzzzzz"], NOT_FOUND),
        (&["audit", "garden", "--before", ""], USAGE),
        (&["audit", "garden", "--account", "Nobody"], NOT_FOUND),
        (&["audit", "garden", "--limit", "0"], USAGE),
        (&["audit", "garden", "--limit", "501"], USAGE),
    ] {
        let outcome = ana.kith(verb);
        assert_eq!(outcome.code, code, "kith {verb:?}: {outcome}");
    }
}
