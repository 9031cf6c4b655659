//! `kith backup`: one file out of a home that runs, and a home out of the file.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use kith_crdt::encoding::decode;
use kith_crdt::ids::LogId;
use kith_crdt::keys::EpochKeys;
use kith_crdt::term::Term;
use kith_store::BackupReader;
use kith_tests::{Daemon, Home, PATIENCE, befriend, ids, texts, until, until_agreed, until_seen};
use minicbor::Decoder;
use serde_json::Value;

const FOR_BACKUPS: &str = "--backup-passphrase-file";

/// A directory for backups, with the file of their passphrase.
struct Drawer {
    directory: tempfile::TempDir,
}

impl Drawer {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("passphrase"), "of the drawer\n").expect("a file");
        fs::write(directory.path().join("wrong"), "of another\n").expect("a file");
        Self { directory }
    }

    fn file(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    fn create(&self, home: &Home, name: &str) -> Value {
        let (file, passphrase) = (self.file(name), self.file("passphrase"));
        home.json(&["backup", "create", &file, FOR_BACKUPS, &passphrase])
    }

    /// What restoring a file into a home says; the exit code with it.
    fn restore(&self, home: &Home, name: &str) -> (i32, String) {
        let (file, passphrase) = (self.file(name), self.file("passphrase"));
        let ran = home.kith(&["backup", "restore", &file, FOR_BACKUPS, &passphrase]);
        (ran.code, ran.stderr)
    }
}

fn page(home: &Home, channel: &str) -> Vec<Value> {
    home.lines(&["read", channel])
}

fn names(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).map(|entries| entries.flatten().collect::<Vec<_>>());
    entries
        .unwrap_or_default()
        .iter()
        .map(fs::DirEntry::path)
        .collect()
}

#[test]
fn a_home_comes_back_and_goes_on_as_another_writer() {
    let [ana, ben] = ["Ana", "Ben"].map(Home::init);
    let a = Daemon::start(&ana);
    let b = Daemon::start_towards(&ben, &a.addresses());
    ana.json(&["channel", "create", "garden"]);
    ana.json(&["channel", "create", "brief", "--retention", "1h"]);
    ana.json(&["channel", "create", "alone"]);
    befriend(&ana, &ben, "garden");
    befriend(&ana, &ben, "brief");
    let root = ana.field(&["send", "alone", "first"], "id");
    ana.json(&["send", "alone", "an answer", "--thread", &root]);
    ana.json(&["edit", &root, "the first"]);
    ana.json(&["react", &root, "🌱"]);
    let said = ben.field(&["send", "garden", "what grows?"], "id");
    until_seen(&ana, &said);
    ana.json(&["mark", "garden"]);
    ana.json(&["send", "garden", "for two hours", "--expire", "2h"]);
    ana.json(&["contact", "name", "Ben", "Benjamin"]);
    ana.json(&["draft", "alone", "some time"]);
    let brief = ana.field(&["send", "brief", "for an hour"], "id");
    until_seen(&ben, &brief);
    let before = page(&ana, "alone");

    let drawer = Drawer::new();
    let created = drawer.create(&ana, "kith.backup");
    assert_eq!(created["channels"], 3);
    assert_eq!(created["left_out"], 2, "what ends is not in it");

    // What comes after the backup, and then the disk is gone.
    let lost = ana.field(&["send", "garden", "after the backup"], "id");
    until_seen(&ben, &lost);
    until_agreed(&[&ana, &ben], "garden");
    a.stop();
    let address = b.addresses()[0].clone();
    b.stop();
    let ana = Home::vacant("Ana");
    let (code, told) = drawer.restore(&ana, "kith.backup");
    assert_eq!(code, 0, "{told}");

    // Before anybody is met, everything of the backup is here.
    let alone = Daemon::start(&ana);
    assert_eq!(page(&ana, "alone"), before);
    let thread = ana.lines(&["read", "alone", "--thread", &root]);
    assert_eq!(texts(&thread).last(), Some(&"an answer"));
    assert_eq!(texts(&page(&ana, "garden")), ["what grows?"]);
    assert_eq!(page(&ana, "garden")[0]["name"], "Benjamin");
    assert_eq!(page(&ana, "brief").len(), 0);
    assert_eq!(ana.json(&["draft", "alone"])["text"], "some time");
    let anew = ana.json(&["status"])["began_anew"].clone();
    assert_eq!(anew["cause"], "backup");
    assert_eq!(anew["backup_of"], created["made_at"]);
    ana.json(&["send", "garden", "written before anybody was met"]);
    alone.stop();

    // Where others were is in the backup as well.
    let _b = Daemon::start_at(&ben, &address);
    let _a = Daemon::start(&ana);
    until_seen(&ana, &brief);
    until_agreed(&[&ana, &ben], "garden");
    until_agreed(&[&ana, &ben], "brief");
    for home in [&ana, &ben] {
        let expected = [
            "what grows?",
            "for two hours",
            "after the backup",
            "written before anybody was met",
        ];
        assert_eq!(texts(&page(home, "garden")), expected, "at {}", home.name());
    }
    assert_eq!(ids(&page(&ana, "brief")), ids(&page(&ben, "brief")));
    let more = ana.field(&["send", "brief", "and more"], "id");
    until_seen(&ben, &more);
    assert_eq!(ana.kith(&["verify"]).code, 0);
    // What came back was written as this device, before it began anew: that is no double.
    assert!(ana.json(&["status"])["doubled_at"].is_null());
    let shown = ana.json(&["channel", "show", "garden"]);
    assert_eq!(shown["unread"], 0);
}

#[test]
fn no_key_and_no_entry_of_what_ends_is_in_a_backup() {
    let ana = Home::init("Ana");
    let _a = Daemon::start(&ana);
    ana.json(&["channel", "create", "garden"]);
    ana.json(&["send", "garden", "one"]);
    ana.json(&["send", "garden", "for two hours", "--expire", "2h"]);
    ana.json(&["channel", "create", "read once", "--retention", "instant"]);
    ana.json(&["send", "read once", "two"]);
    // What was kept for ever until its owner said otherwise of it, too.
    ana.json(&["channel", "create", "shortened"]);
    ana.json(&["send", "shortened", "three"]);
    ana.json(&["retention", "set", "shortened", "7days", "--existing"]);
    let drawer = Drawer::new();
    assert_eq!(drawer.create(&ana, "kith.backup")["left_out"], 3);

    let file = fs::read(drawer.file("kith.backup")).expect("it was made");
    let mut items = BackupReader::open(file.as_slice(), b"of the drawer").expect("it opens");
    let (mut epochs, mut logs) = (0, 0);
    while let Some(item) = items.next_item().expect("it is whole") {
        let mut item = Decoder::new(&item);
        item.array().expect("an array");
        match item.u8().expect("a kind") {
            6 => {
                item.skip().expect("the epoch");
                let value = item.bytes().expect("its keys");
                let keys: EpochKeys = decode(value, value.len()).expect("keys");
                assert_eq!(keys.term, Term::FOREVER);
                epochs += 1;
            }
            7 => {
                let log: LogId = item.decode().expect("a log");
                assert_eq!(log.segment.term(), Term::FOREVER);
                logs += 1;
            }
            _ => {}
        }
    }
    assert_eq!((epochs, logs), (1, 1), "those of the garden");
}

#[test]
fn a_backup_is_of_one_moment_while_the_home_is_written_to() {
    let ana = Home::init("Ana");
    let _a = Daemon::start(&ana);
    ana.json(&["channel", "create", "garden"]);
    for number in 0..10 {
        ana.json(&["send", "garden", &format!("message {number}")]);
    }
    let drawer = Drawer::new();
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for number in 10..60 {
                ana.json(&["send", "garden", &format!("message {number}")]);
            }
        });
        let mut created = Vec::new();
        while !writer.is_finished() {
            let name = format!("{}.backup", created.len());
            drawer.create(&ana, &name);
            created.push(name);
        }
        created
    });
    let all = texts(&page(&ana, "garden")).len();
    assert!(all == 50, "a page");
    let copy = Home::vacant("copy");
    let (code, told) = drawer.restore(&copy, &written[written.len() / 2]);
    assert_eq!(code, 0, "{told}");
    let _c = Daemon::start(&copy);
    let page = copy.lines(&["read", "garden", "--limit", "500"]);
    let whole: Vec<String> = (0..page.len())
        .map(|number| format!("message {number}"))
        .collect();
    assert_eq!(texts(&page), whole, "no hole in it");
    assert!(page.len() >= 10);
    assert_eq!(copy.kith(&["verify"]).code, 0);
}

#[test]
fn the_owner_of_both_is_told_where_a_backup_runs_beside_its_home() {
    let [ana, ben] = ["Ana", "Ben"].map(Home::init);
    let a = Daemon::start(&ana);
    let b = Daemon::start_towards(&ben, &a.addresses());
    ana.json(&["channel", "create", "garden"]);
    befriend(&ana, &ben, "garden");
    until_seen(&ben, &ana.field(&["send", "garden", "one"], "id"));
    let drawer = Drawer::new();
    drawer.create(&ana, "kith.backup");
    let twin = Home::vacant("twin");
    assert_eq!(drawer.restore(&twin, "kith.backup").0, 0);
    let t = Daemon::start_towards(&twin, &b.addresses());
    let said = twin.field(&["send", "garden", "from the twin"], "id");
    until_seen(&ben, &said);
    t.stop();
    until_seen(&ana, &said);
    until("the double to be known", PATIENCE, || {
        ana.json(&["status"])["doubled_at"]
            .is_string()
            .then_some(())
    });
}

#[test]
fn what_is_no_good_is_refused_and_nothing_is_left_of_it() {
    let ana = Home::init("Ana");
    let _a = Daemon::start(&ana);
    ana.json(&["channel", "create", "garden"]);
    ana.json(&["send", "garden", "one"]);
    let drawer = Drawer::new();
    drawer.create(&ana, "good");
    let good = fs::read(drawer.file("good")).expect("it was made");
    let (wrong, passphrase) = (drawer.file("wrong"), drawer.file("passphrase"));
    let inside = ana.path().join("kith.backup").display().to_string();
    let nowhere = drawer.file("no/kith.backup");
    let (there, other) = (drawer.file("good"), drawer.file("passphrase"));

    let create = |arguments: &[&str]| {
        let fixed = [
            &["backup", "create"],
            arguments,
            &[FOR_BACKUPS, &passphrase],
        ]
        .concat();
        ana.kith(&fixed).code
    };
    assert_eq!(create(&[&there]), 1);
    assert_eq!(create(&[&other, "--replace"]), 1);
    assert_eq!(create(&[&inside]), 2);
    assert_eq!(create(&[&nowhere]), 2);
    let mine = fs::read(ana.passphrase_file()).expect("it has one");
    fs::write(ana.passphrase_file(), "of another\n").expect("a file");
    assert_eq!(create(&[&drawer.file("x")]), 7);
    fs::write(ana.passphrase_file(), mine).expect("a file");
    assert_eq!(fs::read(&there).expect("it stays"), good);
    assert_eq!(create(&[&there, "--replace"]), 0);

    // What is in the way under the name that it is written to first is somebody's, too.
    let (theirs, link) = (drawer.file("theirs"), drawer.file("x.new"));
    fs::write(&theirs, "theirs").expect("a file");
    symlink(&theirs, &link).expect("a link");
    assert_eq!(create(&[&drawer.file("x")]), 1);
    assert_eq!(fs::read(&theirs).expect("it stays"), b"theirs");

    let cut = &good[..good.len() - 40];
    let mut altered = good.clone();
    let middle = altered.len() - 60;
    altered[middle] ^= 1;
    let newer = newer(&good);
    let bad: [(&str, &[u8], &str); 4] = [
        ("cut", cut, "cut short"),
        ("altered", &altered, "damaged"),
        ("newer", &newer, "newer kith"),
        ("none", b"hello", "no backup"),
    ];
    let empty = Home::vacant("empty");
    for (name, bytes, told) in bad {
        fs::write(drawer.file(name), bytes).expect("a file");
        let (code, stderr) = drawer.restore(&empty, name);
        assert_eq!((code, stderr.contains(told)), (1, true), "{name}: {stderr}");
        assert!(names(empty.path()).is_empty(), "{name} left something");
        let check = [
            "backup",
            "check",
            &drawer.file(name),
            FOR_BACKUPS,
            &passphrase,
        ];
        assert_eq!(ana.kith(&check).code, 1, "{name}");
    }
    let with_wrong = ["backup", "restore", &there, FOR_BACKUPS, &wrong];
    assert_eq!(empty.kith(&with_wrong).code, 7);
    assert_eq!(drawer.restore(&empty, "missing").0, 4);
    assert_eq!(drawer.restore(&ana, "good").0, 1, "a living home");
    assert_eq!(drawer.restore(&empty, "good").0, 0);
}

#[test]
fn what_a_restore_that_was_killed_has_left_is_removed_by_the_next() {
    let ana = Home::init("Ana");
    let _a = Daemon::start(&ana);
    ana.json(&["channel", "create", "garden"]);
    ana.json(&["send", "garden", "one"]);
    let drawer = Drawer::new();
    drawer.create(&ana, "kith.backup");
    let copy = Home::vacant("copy");
    let (file, passphrase) = (drawer.file("kith.backup"), drawer.file("passphrase"));
    let mut restoring = copy.command();
    restoring.args(["backup", "restore", &file, FOR_BACKUPS, &passphrase]);
    let mut restoring = restoring.stdout(Stdio::null()).spawn().expect("it runs");
    // It has made no vault yet when its databases are there.
    until("the databases", PATIENCE, || {
        copy.path().join("keys").exists().then_some(())
    });
    restoring.kill().expect("it can be killed");
    restoring.wait().expect("it ends");
    assert!(
        !copy.path().join("vault").exists(),
        "it was killed too late"
    );

    assert_eq!(copy.kith(&["status"]).code, 3);
    let (code, told) = drawer.restore(&copy, "kith.backup");
    assert_eq!(code, 0, "{told}");
    let _c = Daemon::start(&copy);
    assert_eq!(texts(&page(&copy, "garden")), ["one"]);
}

/// The same backup with the next format in its head.
fn newer(good: &[u8]) -> Vec<u8> {
    let length = u32::from_be_bytes(good[8..12].try_into().expect("four bytes")) as usize;
    let mut newer = good.to_vec();
    // `[format, …]`: the head of the array, then the number.
    assert_eq!((newer[12], newer[13]), (0x85, 1));
    newer[13] = 2;
    let check = kith_crdt::crypto::hash::derive("backup-check", &[&newer[..12 + length]]);
    newer[12 + length..][..8].copy_from_slice(&check[..8]);
    newer
}
