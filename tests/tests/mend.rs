//! Damage on the disk: whatever it hits is told at every start until `kith verify --mend` has made
//! it good, and what other members have comes back.

use std::fs;
use std::path::{Path, PathBuf};

use kith_tests::{
    Daemon, Home, PATIENCE, copy_tree, digest, files, flip, lively, tables, texts, until,
    until_seen,
};
use serde_json::Value;

/// What every verb that may show too little says on stderr.
const WARNING: &str = "check the disk";

/// A home as it was copied, to be damaged again and again.
struct Whole {
    copy: PathBuf,
}

impl Whole {
    /// Copies a home whose daemon does not run. What was written last is in tables after a start.
    fn of(home: &Home) -> Self {
        Daemon::start(home).stop();
        let copy = home.beside("whole");
        copy_tree(home.path(), &copy).expect("a home can be copied");
        Self { copy }
    }

    fn restore(&self, home: &Home) {
        fs::remove_dir_all(home.path()).expect("a home can be removed");
        copy_tree(&self.copy, home.path()).expect("a home can be copied");
    }

    /// The files of the copy, as paths within it.
    fn within(&self, paths: Vec<PathBuf>, home: &Home) -> Vec<PathBuf> {
        let within = |path: &PathBuf| path.strip_prefix(home.path()).map(Path::to_path_buf);
        paths.iter().filter_map(|path| within(path).ok()).collect()
    }
}

fn warns(home: &Home) -> bool {
    home.kith(&["read", "garden"]).stderr.contains(WARNING)
}

fn shown(home: &Home) -> Vec<Value> {
    home.lines(&["read", "garden"])
}

/// Mends while the other member can be reached, and checks that everything is as it was.
fn mends(home: &Home, other: &Home, name: &str) -> Vec<Value> {
    let daemon = Daemon::start(home);
    let _other = Daemon::start_towards(other, &daemon.addresses());
    let mended = home.kith(&["verify", "--mend"]);
    assert_eq!(mended.code, 0, "{name}: {mended}\n{}", daemon.log());
    assert!(!mended.stderr.contains(WARNING), "{name}: {mended}");
    assert!(!warns(home), "{name}: warned after mending");
    let report = home.kith(&["verify", "garden"]);
    assert_eq!(report.code, 0, "{name}: {report}");
    until("equal digests", PATIENCE, || {
        (digest(home, "garden") == digest(other, "garden")).then_some(())
    });
    assert_eq!(texts(&shown(home)), texts(&shown(other)), "{name}");
    mended.lines
}

#[test]
fn a_flipped_bit_in_any_table_is_told_at_every_start_until_it_is_mended() {
    let (homes, daemons) = lively();
    let [ana, ben] = &homes;
    daemons.into_iter().for_each(Daemon::stop);
    let whole = Whole::of(ana);
    let found = [tables(ana, "data"), tables(ana, "keys")].concat();
    for file in whole.within(found, ana) {
        let name = file.display().to_string();
        whole.restore(ana);
        flip(&ana.path().join(&file), 40);
        let daemon = Daemon::start(ana);
        let is_found = ana.kith(&["verify"]).code != 0 || warns(ana);
        daemon.stop();
        // What is not found by reading everything was replaced before.
        if !is_found {
            mends(ana, ben, &name);
            continue;
        }
        for start in 2..4 {
            let daemon = Daemon::start(ana);
            let listed = ana.kith(&["channel", "list"]);
            assert_eq!(listed.lines.len(), 1, "{name}, start {start}: {listed}");
            assert!(listed.stderr.contains(WARNING), "{name}, start {start}");
            assert!(warns(ana), "{name}, start {start}: not told");
            daemon.stop();
        }
        mends(ana, ben, &name);
    }
}

#[test]
fn a_flipped_bit_in_a_log_or_a_list_of_files_is_mended_or_named() {
    let (homes, daemons) = lively();
    let [ana, ben] = &homes;
    daemons.into_iter().for_each(Daemon::stop);
    let whole = Whole::of(ana);
    let of_database =
        |name: &str| name.ends_with(".log") || name.starts_with("MANIFEST") || name == "CURRENT";
    let found = [
        files(ana, "data", of_database),
        files(ana, "keys", of_database),
    ];
    for file in whole.within(found.concat(), ana) {
        let len = fs::metadata(whole.copy.join(&file)).expect("a file").len() as usize;
        for at in [3, len / 3, len / 2].into_iter().filter(|at| *at < len) {
            let name = format!("{} at {at}", file.display());
            whole.restore(ana);
            flip(&ana.path().join(&file), at);
            if starts(ana) {
                mends(ana, ben, &name);
            }
        }
    }
}

#[test]
fn what_nobody_else_has_is_named_as_lost_and_the_rest_stays() {
    let (homes, daemons) = lively();
    let [ana, ben] = &homes;
    daemons.into_iter().for_each(Daemon::stop);
    let before = tables(ana, "data");
    for text in ["first", "second"] {
        // Each in files of its own: a start writes what the log holds into tables.
        let daemon = Daemon::start(ana);
        ana.json(&["send", "garden", text]);
        daemon.stop();
    }
    let (whole, without) = (Whole::of(ana), Whole::of(ben));
    let mut found = tables(ana, "data");
    found.retain(|path| !before.contains(path));
    let mut stories = Vec::new();
    for file in whole.within(found, ana) {
        let name = file.display().to_string();
        whole.restore(ana);
        without.restore(ben);
        flip(&ana.path().join(&file), 40);
        let daemon = Daemon::start(ana);
        ana.kith(&["verify"]);
        daemon.stop();
        let daemon = Daemon::start(ana);
        let _other = Daemon::start_towards(ben, &daemon.addresses());
        let mended = ana.kith(&["verify", "garden", "--mend"]);
        assert_eq!(mended.code, 0, "{name}: {mended}\n{}", daemon.log());
        let report = ana.kith(&["verify", "garden"]);
        assert_eq!(report.code, 0, "{name}: {report}");
        assert!(!warns(ana), "{name}: warned after mending");
        let lost = mended.lines[0]["lost"].as_u64().expect("a number");
        let named = mended.lines[0]["lost_at"].as_array().map_or(0, Vec::len);
        assert_eq!(lost, named as u64, "{name}: {mended}");
        let messages = shown(ana);
        let texts = texts(&messages);
        let has = |text: &str| texts.contains(&text);
        stories.push((lost, has("first"), has("second")));
        // Writing goes on, and comes over.
        let after = ana.field(&["send", "garden", "after"], "id");
        until_seen(ben, &after);
        assert_eq!(ana.kith(&["verify", "garden"]).code, 0, "{name}");
    }
    let missing = |(_, first, second): &(u64, bool, bool)| u64::from(!first) + u64::from(!second);
    assert!(
        stories.iter().all(|story| story.0 == missing(story)),
        "{stories:?}"
    );
    // Some files had what nobody else has, and most had not.
    let lost = stories.iter().filter(|story| story.0 > 0).count();
    assert!(lost > 0 && lost < stories.len(), "{stories:?}");
}

/// Whether a daemon starts; if not, whether it says what is damaged and what to do.
fn starts(home: &Home) -> bool {
    let mut child = home
        .command()
        .args(["daemon", "--no-mdns", "--listen", "/ip4/127.0.0.1/tcp/0"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let ready = until("a start or an end", PATIENCE, || {
        if let Some(status) = child.try_wait().expect("our own child") {
            return Some(Err(status));
        }
        (home.kith(&["status"]).code == 0).then_some(Ok(()))
    });
    if ready.is_ok() {
        let pid = child.id().to_string();
        let asked = std::process::Command::new("kill")
            .args(["-TERM", &pid])
            .status();
        assert!(asked.is_ok_and(|asked| asked.success()));
        child.wait().expect("our own child");
        return true;
    }
    let output = child.wait_with_output().expect("our own child");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("damaged") && said.contains("backup"),
        "{said}"
    );
    false
}
