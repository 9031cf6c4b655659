//! The account and its devices, as their owner sees them and as others do.

use std::io::Write as _;
use std::process::Stdio;

use kith_store::{Medium, Store, Vault};
use kith_tests::{Daemon, Home, PASSPHRASE, PATIENCE, befriend, until, until_agreed, until_seen};
use serde_json::Value;

/// What `kith account phrase verify` says of words from a pipe: its exit code and output.
fn verified(home: &Home, words: &str) -> (i32, String) {
    piped(home, &["account", "phrase", "verify"], words)
}

/// What a verb says that reads words from a pipe: its exit code and output.
fn piped(home: &Home, verb: &[&str], words: &str) -> (i32, String) {
    let mut command = home.command();
    command.arg("--json").args(verb);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(words.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    let code = output.status.code().expect("an exit code");
    (code, String::from_utf8(said).expect("text"))
}

#[test]
fn the_words_on_the_paper_are_checked_and_the_wrong_one_is_named() {
    let (ana, ben) = (Home::init("Ana"), Home::init("Ben"));
    let _a = Daemon::start(&ana);
    let words = ana.phrase();
    let (code, said) = verified(&ana, &words.to_uppercase().replace(' ', "\n "));
    assert_eq!(code, 0, "{said}");
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(said["verified"], true);
    assert_eq!(said["account"], ana.account());

    let mut list: Vec<&str> = words.split(' ').collect();
    list[6] = if list[6] == "zoo" { "zone" } else { "zoo" };
    let (code, said) = verified(&ana, &list.join(" "));
    assert_eq!(code, 5);
    assert!(said.contains("word 7 is not"), "{said}");
    // Not the next one: many words of the list are words of any sentence.
    assert!(!said.contains("zo"), "no word is repeated");
    let (code, said) = verified(&ana, ben.phrase());
    assert_eq!(code, 5);
    assert!(said.contains("another account"), "{said}");
    let (code, said) = verified(&ana, "zoo zoo zoo");
    assert_eq!(code, 2);
    assert!(said.contains("24 words, this has 3"), "{said}");
}

#[test]
fn a_device_has_the_name_that_its_owner_gives_it_everywhere_and_after_a_restart() {
    let (ana, ben) = (Home::init("Ana"), Home::init("Ben"));
    let a = Daemon::start(&ana);
    let _b = Daemon::start_towards(&ben, &a.addresses());
    ana.json(&["channel", "create", "garden"]);
    befriend(&ana, &ben, "garden");
    let id = ben.field(&["send", "garden", "hello"], "id");

    let named = ana.json(&["device", "rename", "kitchen table"]);
    assert_eq!(named["name"], "kitchen table");
    assert_eq!(
        (&named["this"], &named["manages"]),
        (&true.into(), &true.into())
    );
    let seen = |home: &Home| {
        let deliveries = home.json(&["show", &id])["delivery"].clone();
        let of_ana = |delivery: &&Value| delivery["device"] == ana.device();
        let delivery = deliveries
            .as_array()
            .and_then(|all| all.iter().find(of_ana).cloned());
        delivery.map(|delivery| delivery["device_name"].clone())
    };
    until("Ben to see the name", PATIENCE, || {
        (seen(&ben)? == "kitchen table").then_some(())
    });
    // What is so already is not said again.
    let version = ana.json(&["account", "show"])["version"].clone();
    assert_eq!(version, 2);
    ana.json(&["device", "rename", "kitchen table"]);
    assert_eq!(ana.json(&["account", "show"])["version"], version);

    a.stop();
    let _a = Daemon::start(&ana);
    let devices = ana.lines(&["device", "list"]);
    let [device] = devices.as_slice() else {
        panic!("{devices:?}")
    };
    assert_eq!(device["name"], "kitchen table");
    // A channel made afterwards has it from the beginning, and one joined.
    ben.json(&["channel", "create", "shed"]);
    befriend(&ben, &ana, "shed");
    let id = ben.field(&["send", "shed", "hello"], "id");
    let name = || ben.json(&["show", &id])["delivery"][0]["device_name"].clone();
    assert_eq!(name(), "kitchen table");

    ana.fails(&["device", "rename", ""], 2);
    ana.fails(&["device", "rename", &"long ".repeat(20)], 8);
    assert_eq!(ana.json(&["account", "show"])["version"], version);
}

#[test]
fn a_certificate_that_the_disk_lost_is_found_in_a_channel() {
    let ana = Home::init("Ana");
    let daemon = Daemon::start(&ana);
    ana.json(&["channel", "create", "garden"]);
    ana.json(&["device", "rename", "kitchen table"]);
    daemon.stop();
    let opened = Vault::open(ana.path(), PASSPHRASE.as_bytes()).expect("the passphrase");
    let mut store = Store::open(ana.path(), &opened.master, Medium::Disk).expect("a store");
    let mut batch = store.batch();
    batch.delete_meta("certificate");
    store.commit(batch).expect("there is room");
    drop(store);

    let _daemon = Daemon::start(&ana);
    let account = ana.json(&["account", "show"]);
    assert_eq!(account["version"], 2);
    assert_eq!(account["devices"][0]["name"], "kitchen table");
    ana.json(&["device", "rename", "shelf"]);
    assert_eq!(ana.json(&["account", "show"])["version"], 3);
}

#[test]
fn an_account_is_brought_back_with_its_words_and_whoever_has_the_old_device_is_out() {
    let (ana, ben) = (Home::init("Ana"), Home::init("Ben"));
    let b = Daemon::start(&ben);
    let a = Daemon::start_towards(&ana, &b.addresses());
    ben.json(&["channel", "create", "garden"]);
    befriend(&ben, &ana, "garden");
    let said = ana.field(&["send", "garden", "mine"], "id");
    until_seen(&ben, &said);
    a.stop();

    let new = Home::vacant("new phone");
    let recover =
        |home: &Home, words: &str| piped(home, &["account", "recover", "--name", "Ana"], words);
    let (code, told) = recover(&new, "zoo zoo zoo");
    assert!(code == 2 && told.contains("24 words, this has 3"), "{told}");
    let mut list: Vec<&str> = ana.phrase().split(' ').collect();
    list[6] = "zooo";
    let (code, told) = recover(&new, &list.join(" "));
    assert!(code == 5 && told.contains("word 7"), "{told}");
    list[6] = list[7];
    let (code, told) = recover(&new, &list.join(" "));
    assert!(code == 5 && told.contains("belong together"), "{told}");
    assert_eq!(recover(&ana, ana.phrase()).0, 1, "a home that is one");
    assert!(
        !new.path().exists(),
        "nothing is left of what came to nothing"
    );
    let (code, told) = recover(&new, ana.phrase());
    assert_eq!(code, 0, "{told}");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["account"], ana.account());
    assert_ne!(told["device"], ana.device());

    let _n = Daemon::start_towards(&new, &b.addresses());
    until("the channel and its history", PATIENCE, || {
        (new.kith(&["show", &said]).lines.first()?["text"] == "mine").then_some(())
    });
    let back = new.field(&["send", "garden", "it is me"], "id");
    until_seen(&ben, &back);
    assert_eq!(ben.json(&["show", &back])["account"], ana.account());
    until_agreed(&[&new, &ben], "garden");

    let _a = Daemon::start_towards(&ana, &b.addresses());
    until("the old device to know", PATIENCE, || {
        ana.json(&["status"])["revoked_at"]
            .is_string()
            .then_some(())
    });
    assert_eq!(ana.kith(&["send", "garden", "and I?"]).code, 5);
    assert_eq!(new.kith(&["device", "list"]).lines.len(), 1);
}
