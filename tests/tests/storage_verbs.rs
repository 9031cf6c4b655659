//! What takes up space and quotas, with real daemons: what is answered, and how it ends where it
//! makes no sense or is full.

use kith_tests::{Daemon, Home, PATIENCE, befriend, until, until_agreed, until_seen};
use serde_json::Value;

fn number(value: &Value, field: &str) -> u64 {
    let number = value[field].as_u64();
    number.unwrap_or_else(|| panic!("no number {field} in {value}"))
}

#[test]
fn a_home_tells_what_takes_up_space_and_what_a_shorter_retention_would_free() {
    let ana = Home::init("Ana");
    let _daemon = Daemon::start(&ana);
    let empty = ana.json(&["storage"]);
    assert_eq!(empty["channels"], Value::Array(Vec::new()));
    assert!(number(&empty, "files") > 0);
    assert!(ana.plain(&["storage"]).contains("no channels yet"));

    for channel in ["small", "large"] {
        ana.json(&["channel", "create", channel]);
    }
    let long = "long ".repeat(1_000);
    for _ in 0..5 {
        ana.json(&["send", "large", &long]);
    }
    ana.json(&["send", "small", "one"]);
    let told = ana.json(&["storage"]);
    let [large, small] = [&told["channels"][0], &told["channels"][1]];
    assert_eq!([&large["name"], &small["name"]], ["large", "small"]);
    assert_eq!(
        (number(large, "messages"), number(small, "messages")),
        (5, 1)
    );
    assert!(number(large, "entries") > 5 * 5_000 && number(small, "entries") < 2_000);
    let parts = ["entries", "index", "receipts", "control"];
    let sum: u64 = parts.iter().map(|part| number(large, part)).sum();
    assert_eq!(sum, number(large, "total"));
    assert!(large["oldest"].is_string() && large["quota"].is_null());
    let shown = ana.plain(&["storage"]);
    assert!(
        shown.contains("CHANNEL") && shown.contains("#large"),
        "{shown}"
    );

    let detail = ana.json(&["storage", "large"]);
    assert_eq!(number(&detail, "total"), number(large, "total"));
    let frees = detail["frees"].as_array().expect("a list");
    let tried: Vec<&Value> = frees.iter().map(|freed| &freed["retention"]).collect();
    assert_eq!(tried, ["1day", "3days", "7days", "30days"]);
    assert_eq!(number(&frees[0], "messages"), 0);
    let shown = ana.plain(&["storage", "large"]);
    assert!(shown.contains("would free nothing now"), "{shown}");
    ana.json(&["retention", "set", "large", "7days"]);
    let detail = ana.json(&["storage", "large"]);
    assert_eq!(detail["frees"].as_array().map(Vec::len), Some(2));
    ana.fails(&["storage", "nowhere"], 4);
}

#[test]
fn a_quota_warns_refuses_and_lets_go_on_with_everything() {
    let [ana, ben] = ["Ana", "Ben"].map(Home::init);
    let a = Daemon::start(&ana);
    let b = Daemon::start_towards(&ben, &a.addresses());
    ana.json(&["channel", "create", "garden"]);
    befriend(&ana, &ben, "garden");
    let first = ben.json(&["send", "garden", "the first"]);
    let first = first["id"].as_str().expect("an id");
    until_seen(&ana, first);
    until_agreed(&[&ana, &ben], "garden");

    // What makes no sense.
    for quota in ["0", "0MB", "-5MB", "lots", "500", "99999999999TB"] {
        let said = ben.fails(&["storage", "quota", "garden", quota], 2).message;
        assert!(said.contains("500MB"), "{said}");
    }
    ben.fails(&["storage", "quota", "nowhere", "1GB"], 4);
    let said = ben.fails(&["storage", "quota", "nowhere"], 4).message;
    assert!(said.contains("500MB"), "{said}");

    // More than the disk is fine; what runs low warns, and goes.
    let set = ben.json(&["storage", "quota", "garden", "9000TB"]);
    assert_eq!(set["quota"]["level"], "enough");
    assert!(
        ben.json(&["send", "garden", &"plenty ".repeat(1_000)])
            .get("quotas")
            .is_none()
    );
    let used = number(&ben.json(&["storage", "quota", "garden"]), "used");
    let close = format!("{}B", used + 1_500);
    assert_eq!(
        ben.json(&["storage", "quota", "garden", &close])["quota"]["level"],
        "low"
    );
    let sent = ben.kith(&["send", "garden", "getting close"]);
    assert_eq!(sent.code, 0, "{sent}");
    assert!(sent.stderr.contains("\"code\":\"quota\""), "{sent}");
    let sent = &sent.lines[0];
    assert_eq!(sent["quotas"][0]["name"], "garden");
    let status = ben.json(&["status"]);
    assert_eq!(status["quotas"][0]["name"], "garden");
    assert!(ben.plain(&["status"]).contains("kith storage garden"));

    // Less than there is: it is full already. What adds is refused, what takes away goes.
    let set = ben.plain(&["storage", "quota", "garden", "1KB"]);
    assert!(set.contains("full: nothing more is written"), "{set}");
    for typed in [
        &["send", "garden", "more"][..],
        &["edit", first, "changed"],
        &["react", first, "👍"],
        &["pin", first],
    ] {
        let said = ben.fails(typed, 8).message;
        assert!(
            said.contains("#garden is full") && said.contains("kith storage garden"),
            "{said}"
        );
    }
    assert_eq!(ben.json(&["channel", "show", "garden"])["full"], true);
    assert!(ben.plain(&["channel", "list"]).contains("full"));
    assert!(
        ben.plain(&["channel", "show", "garden"])
            .contains("nothing is lost by it")
    );
    ben.json(&["delete", first]);
    ben.json(&["mark", "garden"]);
    ben.json(&["retention", "sweep"]);

    // Nothing is taken from others, also after a start, until there is room.
    let last = ana.json(&["send", "garden", "are you there?"]);
    let last = last["id"].as_str().expect("an id");
    until("Ben to know that something is missing", PATIENCE, || {
        let shown = ben.json(&["channel", "show", "garden"]);
        (shown["sync"]["up_to_date"] == false).then_some(())
    });
    b.stop();
    let _b = Daemon::start_towards(&ben, &a.addresses());
    let quotas = ben.lines(&["storage", "quota"]);
    assert_eq!(
        (quotas.len(), &quotas[1]["quota"]["bytes"]),
        (2, &1_000.into())
    );
    ben.fails(&["show", last], 4);
    ben.json(&["storage", "quota", "garden", "none"]);
    until_seen(&ben, last);
    until_agreed(&[&ana, &ben], "garden");

    // All channels together.
    ana.json(&["storage", "quota", "1KB"]);
    let said = ana.fails(&["send", "garden", "more"], 8).message;
    assert!(said.contains("this home is full"), "{said}");
    ana.json(&["storage", "quota", "none"]);
    ana.json(&["send", "garden", "more"]);
}
