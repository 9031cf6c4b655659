//! What a person may get wrong, or find broken: each has its message, its exit
//! code, and leaves everything as it was.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use kith_crdt::crypto::hash;
use kith_tests::{Daemon, Failure, Home, PATIENCE, befriend, until, until_agreed, until_seen};

const USAGE: i32 = 2;
const NO_DAEMON: i32 = 3;
const NOT_FOUND: i32 = 4;
const DENIED: i32 = 5;
const UNREACHABLE: i32 = 6;
const LOCKED: i32 = 7;
const LIMIT: i32 = 8;

/// Every file of a home with what is in it.
fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("readable").path();
        match path.is_dir() {
            true => files.extend(contents(&path)),
            false => drop(files.insert(path.clone(), fs::read(&path).unwrap_or_default())),
        }
    }
    files
}

/// A home with one channel, whose daemon has run and stopped.
fn used(name: &str) -> Home {
    let home = Home::init(name);
    let daemon = Daemon::start(&home);
    home.json(&["channel", "create", "garden"]);
    home.json(&["send", "garden", "still here"]);
    daemon.stop();
    home
}

/// A daemon that must refuse to start says why, and changes nothing.
fn refuses(home: &Home, code: i32, says: &str) -> Failure {
    let before = contents(home.path());
    let outcome = Daemon::refused(home, &[]);
    assert_eq!(outcome.code, code, "{outcome}");
    let failure = outcome.failure().expect("an error object");
    assert_says(&failure, &[says]);
    assert!(contents(home.path()) == before, "the home was changed");
    failure
}

fn assert_says(failure: &Failure, words: &[&str]) {
    for word in words {
        let message = failure.message.to_lowercase();
        assert!(
            message.contains(word),
            "{word:?} is not in: {}",
            failure.message
        );
    }
}

#[test]
fn a_wrong_passphrase_is_told_at_once_and_touches_nothing() {
    let home = used("Ana");
    fs::write(home.passphrase_file(), "another one\n").unwrap();
    let asked = Instant::now();
    refuses(&home, LOCKED, "passphrase");
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "{:?}",
        asked.elapsed()
    );

    fs::write(home.passphrase_file(), kith_tests::PASSPHRASE).unwrap();
    let _daemon = Daemon::start(&home);
    assert_eq!(home.lines(&["read", "garden"])[0]["text"], "still here");
}

#[test]
fn a_second_init_keeps_the_first() {
    let home = used("Ana");
    let before = contents(home.path());
    let failure = home.fails(&["init", "--name", "Someone"], 1);
    assert_says(&failure, &["already"]);
    assert!(contents(home.path()) == before);
}

#[test]
fn a_second_daemon_is_refused_and_the_first_goes_on() {
    let home = Home::init("Ana");
    let _daemon = Daemon::start(&home);
    let outcome = Daemon::refused(&home, &[]);
    assert_eq!(outcome.code, LOCKED, "{outcome}");
    assert_says(
        &outcome.failure().expect("an error object"),
        &["another kith daemon"],
    );
    home.json(&["status"]);
}

#[test]
fn without_a_daemon_every_verb_says_how_to_start_one() {
    let home = Home::init("Ana");
    for verb in [
        &["status"][..],
        &["channel", "list"],
        &["read", "garden"],
        &["send", "garden", "text"],
    ] {
        assert_says(&home.fails(verb, NO_DAEMON), &["kith daemon"]);
    }
}

#[test]
fn without_a_home_there_is_a_word_about_init() {
    let home = Home::vacant("Ana");
    let outcome = Daemon::refused(&home, &[]);
    assert_ne!(outcome.code, 0);
    assert_says(&outcome.failure().expect("an error object"), &["kith init"]);
    assert!(!home.path().exists());
}

#[test]
fn what_is_not_there_is_not_found() {
    let home = Home::init("Ana");
    let _daemon = Daemon::start(&home);
    home.json(&["channel", "create", "garden"]);
    let id = "aaaaaaaaaaaaaaaa";
    for verb in [
        &["read", "cellar"][..],
        &["send", "#cellar", "text"],
        &["channel", "show", "cellar"],
        &["invite", "cellar"],
        &["mark", "cellar"],
        &["show", id],
        &["edit", id, "text"],
        &["delete", id],
        &["history", id],
        &["react", id, "🌱"],
        &["read", "garden", "--before", id],
        &["read", "garden", "--thread", id],
        &["send", "garden", "text", "--reply-to", id],
    ] {
        home.fails(verb, NOT_FOUND);
    }
    assert!(home.lines(&["read", "garden"]).is_empty());
}

#[test]
fn what_could_be_several_things_lists_them() {
    let home = Home::init("Ana");
    let _daemon = Daemon::start(&home);
    let first = home.field(&["channel", "create", "garden"], "channel");
    let second = home.field(&["channel", "create", "garden"], "channel");
    let failure = home.fails(&["read", "garden"], USAGE);
    assert_says(&failure, &[&first[..8], &second[..8], "by its id"]);
    // Ids are drawn by lot: these two differ within the first eight characters.
    let named = &first[..8];
    for verb in [
        &["channel", "show", named][..],
        &["channel", "topic", named, "the first one"],
        &["invite", named],
        &["invite", "list", named],
        &["send", named, "text"],
        &["read", named],
        &["mark", named],
    ] {
        home.lines(verb);
    }
    assert_says(
        &home.fails(&["read", "garden"], USAGE),
        &["the first one", "with ana"],
    );

    // Of 33 ids, two begin alike: base32 has 32 characters.
    let mut by_start: BTreeMap<char, Vec<String>> = BTreeMap::new();
    for number in 0..33 {
        let id = home.field(&["send", &first, &format!("{number}")], "id");
        by_start
            .entry(id.chars().next().unwrap())
            .or_default()
            .push(id);
    }
    let (start, alike) = by_start.iter().find(|(_, ids)| ids.len() > 1).unwrap();
    let failure = home.fails(&["show", &start.to_string()], USAGE);
    assert_says(&failure, &[&alike[0], &alike[1]]);
}

#[test]
fn who_has_left_a_channel_means_the_one_of_that_name_they_are_in() {
    let (ana, ben) = (Home::init("Ana"), Home::init("Ben"));
    let _a = Daemon::start(&ana);
    let _b = Daemon::start(&ben);
    ana.json(&["channel", "create", "garden"]);
    befriend(&ana, &ben, "garden");
    let last = ben.field(&["send", "garden", "I must go"], "id");
    until_seen(&ana, &last);
    let left = ben.json(&["channel", "leave", "garden"]);
    assert_eq!(left["heard"], true);
    let again = ben.fails(&["channel", "leave", "garden"], DENIED);
    assert_says(&again, &["you left #garden already"]);
    let own = ben.field(&["channel", "create", "garden"], "channel");

    assert_eq!(ben.field(&["channel", "show", "garden"], "channel"), own);
}

#[test]
fn who_leaves_while_nobody_is_there_is_told_so() {
    let (ana, ben) = (Home::init("Ana"), Home::init("Ben"));
    let a = Daemon::start(&ana);
    let _b = Daemon::start_towards(&ben, &a.addresses());
    ana.json(&["channel", "create", "garden"]);
    befriend(&ana, &ben, "garden");
    a.stop();
    let id = ben.field(&["send", "garden", "is anybody there?"], "id");
    let left = ben.json(&["channel", "leave", "garden"]);
    assert_eq!(left["heard"], false);
    assert_eq!(
        ben.json(&["show", &id])["state"],
        "pending",
        "it may be heard"
    );
}

#[test]
fn a_text_has_a_least_and_a_greatest_length() {
    let home = Home::init("Ana");
    let _daemon = Daemon::start(&home);
    home.json(&["channel", "create", "garden"]);
    let longest = "🌱".repeat(10_000);

    assert_says(
        &home.fails(&["send", "garden", &"x".repeat(10_001)], LIMIT),
        &["10000"],
    );
    home.fails(&["send", "garden", ""], USAGE);
    home.fails(&["send", "garden", "\u{200b}\u{2060} \u{feff}"], USAGE);
    let id = home.field(&["send", "garden", &longest], "id");

    assert_eq!(home.json(&["show", &id])["text"], longest.as_str());
    assert_eq!(home.fails(&["edit", &id, ""], USAGE).code, "usage");
    assert_eq!(
        home.fails(&["edit", &id, &"x".repeat(10_001)], LIMIT).code,
        "limit"
    );
    assert_eq!(home.lines(&["read", "garden"]).len(), 1);
}

#[test]
fn a_reaction_is_one_emoji() {
    let home = Home::init("Ana");
    let _daemon = Daemon::start(&home);
    home.json(&["channel", "create", "garden"]);
    let id = home.field(&["send", "garden", "text"], "id");
    for wrong in ["🌱🌱", "a", "", "🌱 🌱", "<3"] {
        assert_says(&home.fails(&["react", &id, wrong], USAGE), &["emoji"]);
    }
    for right in ["🌱", "👩‍🌾", "👍🏽", "🇪🇺", "❤️"] {
        home.json(&["react", &id, right]);
    }
    let reactions = home.json(&["show", &id])["reactions"].clone();
    assert_eq!(reactions.as_object().map(serde_json::Map::len), Some(5));
}

#[test]
fn names_and_numbers_have_bounds() {
    let home = Home::init("Ana");
    let _daemon = Daemon::start(&home);
    home.fails(&["channel", "create", ""], USAGE);
    home.fails(&["channel", "create", "#"], USAGE);
    home.fails(&["channel", "create", "\u{200b}"], USAGE);
    for nameless in [
        &["show", ""][..],
        &["read", ""],
        &["read", "garden", "--thread", ""],
        &["read", "garden", "--before", ""],
        &["history", ""],
        &["mark", "garden", ""],
        &["send", "garden", "yes", "--reply-to", ""],
        &["pin", ""],
        &["pins", ""],
        &["policy", ""],
        &["invite", ""],
        &["invite", "revoke", "garden", ""],
        &["tail", ""],
    ] {
        home.fails(nameless, USAGE);
    }
    home.fails(&["channel", "show", ""], USAGE);
    home.fails(&["daemon", "--api", "0.0.0.0:0"], USAGE);
    home.fails(&["channel", "create", &"x".repeat(65)], LIMIT);
    home.fails(
        &["channel", "create", "x", "--topic", &"x".repeat(257)],
        LIMIT,
    );
    home.fails(&["channel", "create", "a\u{1b}[2Jb"], USAGE);
    assert!(home.lines(&["channel", "list"]).is_empty());
    let shown_with = home.json(&["channel", "create", "#garden"]);
    assert_eq!(shown_with["name"], "garden");
    home.fails(&["invite", "garden", "--expires", "999999d"], LIMIT);
    home.fails(&["invite", "garden", "--uses", "1001"], LIMIT);
    for wrong in ["0", "501", "-1", "many"] {
        let outcome = home.kith(&["read", "garden", "--limit", wrong]);
        assert!(
            [USAGE, LIMIT].contains(&outcome.code),
            "--limit {wrong}: {outcome}"
        );
    }
    assert_eq!(home.kith(&["plant"]).code, USAGE);
    assert_eq!(home.kith(&["send", "garden"]).code, USAGE);
}

#[test]
fn only_the_author_edits_and_deletes() {
    let (ana, ben) = (Home::init("Ana"), Home::init("Ben"));
    let a = Daemon::start(&ana);
    let _b = Daemon::start_towards(&ben, &a.addresses());
    ana.json(&["channel", "create", "garden"]);
    let link = ana.field(&["invite", "garden", "--role", "reader"], "link");
    ben.json(&["join", &link]);
    let id = ana.field(&["send", "garden", "mine"], "id");
    until_seen(&ben, &id);

    ben.fails(&["edit", &id, "yours"], DENIED);
    ben.fails(&["delete", &id], DENIED);
    let gone = ana.field(&["send", "garden", "gone"], "id");
    ana.json(&["delete", &gone]);
    until_agreed(&[&ana, &ben], "garden");
    ben.fails(&["delete", &gone], DENIED);
    ana.json(&["delete", &gone]);
    ben.fails(&["send", "garden", "a reader writes"], DENIED);
    ben.fails(&["invite", "garden"], DENIED);
    until_agreed(&[&ana, &ben], "garden");
    assert_eq!(ana.json(&["show", &id])["text"], "mine");
}

#[test]
fn an_invite_that_is_broken_or_over_says_which() {
    let home = Home::init("Ana");
    let [ben, cleo] = ["Ben", "Cleo"].map(Home::init);
    let a = Daemon::start(&home);
    let _b = Daemon::start(&ben);
    let _c = Daemon::start_towards(&cleo, &a.addresses());
    home.json(&["channel", "create", "garden"]);
    let link = home.field(&["invite", "garden", "--uses", "1"], "link");

    let short = &link[..link.len() - 9];
    assert_says(&cleo.fails(&["join", short], DENIED), &["cut short"]);
    let mut altered = link.clone().into_bytes();
    altered[40] = if altered[40] == b'a' { b'b' } else { b'a' };
    let altered = String::from_utf8(altered).unwrap();
    assert_says(&cleo.fails(&["join", &altered], DENIED), &["altered"]);
    assert_says(
        &cleo.fails(&["join", "https://example.org/"], DENIED),
        &["not an invite link"],
    );

    ben.json(&["join", &link]);
    assert_says(&cleo.fails(&["join", &link], DENIED), &["used"]);

    let revoked = home.field(&["invite", "garden"], "link");
    home.json(&["invite", "revoke", "garden", &revoked]);
    home.fails(&["invite", "revoke", "garden", "kith:abc"], USAGE);
    home.fails(&["invite", "revoke", "garden", "aaaa"], NOT_FOUND);
    assert_says(&cleo.fails(&["join", &revoked], DENIED), &["revoked"]);

    let over = home.json(&["invite", "garden", "--expires", "1s"]);
    let expires: jiff::Timestamp = over["expires_at"].as_str().unwrap().parse().unwrap();
    until("the invite to expire", PATIENCE, || {
        (SystemTime::now() > expires.into()).then_some(())
    });
    let link = over["link"].as_str().unwrap();
    assert_says(&cleo.fails(&["join", link], DENIED), &["expired"]);
    assert!(cleo.lines(&["channel", "list"]).is_empty());
}

#[test]
fn a_join_with_nobody_up_waits_and_completes_by_itself() {
    let (ana, ben) = (Home::init("Ana"), Home::init("Ben"));
    let a = Daemon::start(&ana);
    let address = a.address();
    ana.json(&["channel", "create", "garden"]);
    let link = ana.field(&["invite", "garden"], "link");
    let id = ana.field(&["send", "garden", "welcome"], "id");
    a.stop();

    let _b = Daemon::start(&ben);
    ben.fails(&["join", &link, "--wait", "1s"], UNREACHABLE);
    let _a = Daemon::start_at(&ana, &address);

    until_agreed(&[&ana, &ben], "garden");
    until_seen(&ben, &id);
}

#[test]
fn what_a_peer_writes_cannot_steer_the_terminal() {
    let ana = Home::init("Ana");
    let _daemon = Daemon::start(&ana);
    ana.json(&["channel", "create", "garden"]);
    let text = "red \u{1b}[31m, title \u{1b}]0;x\u{7}, c1 \u{9b}2J, over\u{8}";
    let sent = ana.kith(&["send", "garden", text]);
    let plain = ana.plain(&["read", "garden"]);
    assert!(
        !plain.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{8}']),
        "{plain:?}"
    );
    if sent.code == 0 {
        assert_eq!(ana.lines(&["read", "garden"])[0]["text"], text);
    }
}

#[test]
fn a_home_nobody_may_write_is_an_error_with_a_remedy() {
    let home = Home::vacant("Ana");
    // A file where the directory should be stops root, too.
    fs::write(home.path(), "").unwrap();
    let failure = home.fails(&["init", "--name", "Ana"], 1);
    assert_says(
        &failure,
        &[&home.path().display().to_string().to_lowercase()],
    );
    assert_eq!(fs::read(home.path()).unwrap(), b"");
}

#[test]
fn a_vault_cut_short_or_altered_is_named_and_kept() {
    let home = used("Ana");
    let vault = home.path().join("vault");
    let whole = fs::read(&vault).unwrap();

    fs::write(&vault, &whole[..whole.len() / 2]).unwrap();
    refuses(&home, 1, "vault");
    let mut altered = whole.clone();
    altered[whole.len() / 2] ^= 1;
    fs::write(&vault, &altered).unwrap();
    refuses(&home, 1, "vault");
    fs::write(&vault, &whole).unwrap();

    let _daemon = Daemon::start(&home);
    assert_eq!(home.lines(&["read", "garden"])[0]["text"], "still here");
}

#[test]
fn damage_on_the_disk_is_counted_and_told_with_a_remedy() {
    let home = used("Ana");
    let data = fs::read_dir(home.path().join("data")).unwrap();
    let logs = data.map(|entry| entry.unwrap().path());
    let logs = logs.filter(|path| path.extension().is_some_and(|found| found == "log"));
    let log = logs.max_by_key(|path| fs::metadata(path).unwrap().len());
    let log = log.expect("what was written last is in the log");
    let mut altered = fs::read(&log).unwrap();
    let middle = altered.len() / 2;
    altered[middle] ^= 0x10;
    fs::write(&log, altered).unwrap();

    let _daemon = Daemon::start(&home);

    assert!(home.json(&["status"])["damaged"].as_u64() > Some(0));
    assert!(home.plain(&["status"]).contains("check the disk"));
}

#[test]
fn a_home_of_another_version_is_left_alone() {
    let home = used("Ana");
    let vault = home.path().join("vault");
    let mut newer = fs::read(&vault).unwrap();
    // docs/storage.md: the format follows the magic, the length and the CBOR
    // array's first byte; the last eight bytes are a check over all others.
    assert_eq!(newer[13], 2, "the format is where it is looked for");
    for (format, told) in [(3, "use a newer"), (1, "the kith that made it")] {
        newer[13] = format;
        let content = newer.len() - 8;
        let (content, check) = newer.split_at_mut(content);
        check.copy_from_slice(&hash::derive("vault-check", &[content])[..8]);
        fs::write(&vault, &newer).unwrap();
        refuses(&home, 1, told);
    }
}

#[test]
fn a_passphrase_file_that_is_not_there_is_named() {
    let home = used("Ana");
    fs::remove_file(home.passphrase_file()).unwrap();
    let outcome = Daemon::refused(&home, &[]);
    assert_ne!(outcome.code, 0);
    assert_says(
        &outcome.failure().expect("an error object"),
        &["passphrase"],
    );
}

#[test]
fn a_port_that_is_taken_is_told_and_another_is_found_where_none_was_named() {
    let (ana, ben) = (Home::init("Ana"), Home::init("Ben"));
    let a = Daemon::start(&ana);
    let address = a.address();
    let taken = address.split("/p2p/").next().unwrap();

    let outcome = Daemon::refused(&ben, &["--listen", taken]);

    assert_eq!(outcome.code, 1, "{outcome}");
    let failure = outcome.failure().expect("an error object");
    assert_says(&failure, &[taken, "choose another"]);
    let b = Daemon::start(&ben);
    assert_ne!(b.address(), address);
    let listening = |home: &Home| home.json(&["status"])["addresses"].clone();
    assert_eq!(listening(&ben), b.ready()["addresses"]);
}

#[test]
fn a_bootstrap_address_may_name_its_host_and_must_be_one() {
    let (ana, ben) = (Home::init("Ana"), Home::init("Ben"));
    let a = Daemon::start(&ana);
    for wrong in ["garden", "/dnsaddr/localhost", "/ip4/127.0.0.1/udp/4001"] {
        let outcome = Daemon::refused(&ben, &["--bootstrap", wrong]);
        assert_eq!(outcome.code, USAGE, "{outcome}");
        let failure = outcome.failure().expect("an error object");
        assert_says(&failure, &[wrong, "/dns4/"]);
    }
    let outcome = Daemon::refused(&ben, &["--listen", "/dns4/localhost/tcp/0"]);
    assert_eq!(outcome.code, USAGE, "{outcome}");

    let named = a.address().replace("/ip4/127.0.0.1/", "/dns4/localhost/");
    let _b = Daemon::start_towards(&ben, &[named]);

    until("the two to be connected", PATIENCE, || {
        let peers = ben.json(&["status"])["peers"].as_array().map(Vec::len);
        (peers == Some(1)).then_some(())
    });
}

#[test]
fn connections_that_somebody_forgot_keep_nobody_out() {
    let home = Home::init("Ana");
    let daemon = Daemon::start(&home);
    let socket = daemon.ready()["socket"].as_str().unwrap();
    let forgotten: Vec<UnixStream> = (0..300)
        .map(|_| {
            let mut stream = UnixStream::connect(socket).expect("the daemon listens");
            stream
                .write_all(b"GET /v1/status HTTP/1.1\r\nhost: x\r\n\r\n")
                .expect("it reads");
            stream
        })
        .collect();

    let asked = Instant::now();
    home.json(&["status"]);

    assert!(asked.elapsed() < Duration::from_secs(5));
    drop(forgotten);
}

#[test]
fn how_a_channel_stands_is_unknown_while_nobody_is_there() {
    let (ana, ben) = (Home::init("Ana"), Home::init("Ben"));
    let _a = Daemon::start(&ana);
    let b = Daemon::start(&ben);
    ana.json(&["channel", "create", "garden"]);
    let sync = || ana.json(&["channel", "show", "garden"])["sync"].clone();
    assert_eq!(sync()["up_to_date"], true, "who is alone has everything");
    befriend(&ana, &ben, "garden");
    until("both to be up to date", PATIENCE, || {
        (sync()["up_to_date"] == true).then_some(())
    });

    b.stop();

    until("Ben to be gone", PATIENCE, || {
        sync()["up_to_date"].is_null().then_some(())
    });
    assert!(sync()["as_of"].is_string());
    assert!(ana.plain(&["channel", "show", "garden"]).contains("as of"));
}

#[test]
fn who_goes_by_anothers_id_is_not_taken_for_them() {
    let (ana, ben) = (Home::init("Ana"), Home::init("Ben"));
    let a = Daemon::start(&ana);
    let _b = Daemon::start_towards(&ben, &a.addresses());
    let channel = ana.field(&["channel", "create", "garden"], "channel");
    befriend(&ana, &ben, "garden");
    let imposter = Home::init(&ben.account()[..8]);
    let _c = Daemon::start_towards(&imposter, &a.addresses());
    befriend(&ana, &imposter, "garden");
    until_agreed(&[&ana, &ben, &imposter], "garden");

    let who = &ben.account()[..8];
    assert_says(
        &ana.fails(&["role", "garden", who, "admin"], USAGE),
        &["could be any of", "(ben)"],
    );
    assert_eq!(
        ana.json(&["role", "garden", "Ben", "admin"])["role"],
        "admin"
    );
    ana.json(&["channel", "create", &channel[..8]]);
    ana.fails(&["send", &channel[..8], "to whom?"], USAGE);
    ana.json(&["send", &format!("#{}", &channel[..8]), "by its name"]);
}
