//! Golden transcripts: what the command prints, and how it ends, without a daemon.
//!
//! Each file in `transcripts/` is a session: lines that begin with `$ ` are typed, what follows
//! each is what comes back. After a change, `SNAPSHOTS=overwrite cargo test -p kith-cli` writes
//! them anew; read the difference before you commit it.

#![expect(clippy::unwrap_used, reason = "a test says by failing what went wrong")]

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use snapbox::{Assert, Data, Redactions};

/// Types every `$ ` line of a transcript into a fresh directory and compares what comes back.
fn play(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/transcripts")
        .join(name);
    let script = std::fs::read_to_string(&path).unwrap();
    let place = tempfile::tempdir().unwrap();
    let place = place.path().canonicalize().unwrap();
    let mut played = String::new();
    for typed in script.lines().filter_map(|line| line.strip_prefix("$ ")) {
        writeln!(played, "$ {typed}").unwrap();
        played += &answer(typed, &place);
        played.push('\n');
    }
    let mut redactions = Redactions::new();
    redactions.insert("[PLACE]", place).unwrap();
    redactions
        .insert("[VERSION]", env!("CARGO_PKG_VERSION"))
        .unwrap();
    Assert::new()
        .action_env("SNAPSHOTS")
        .normalize_paths(false)
        .redact_with(redactions)
        .eq(played, Data::read_from(&path, None));
}

/// What a shell in `place` would print: both outputs, then how it ended.
fn answer(typed: &str, place: &Path) -> String {
    let mut shell = Command::new("sh");
    let kith = Path::new(env!("CARGO_BIN_EXE_kith")).parent().unwrap();
    let search = std::env::var("PATH").unwrap_or_default();
    let output = shell
        .args(["-c", typed])
        .current_dir(place)
        .env_clear()
        .env("PATH", format!("{}:{search}", kith.display()))
        .env("HOME", place)
        .env("USER", "ada")
        .env("COLUMNS", "96")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let mut answer = String::from_utf8(output.stdout).unwrap();
    answer += &String::from_utf8(output.stderr).unwrap();
    match output.status.code() {
        Some(0) => {}
        code => writeln!(answer, "(exit {})", code.unwrap_or(-1)).unwrap(),
    }
    answer
}

#[test]
fn help() {
    play("help.txt");
}

#[test]
fn without_a_daemon() {
    play("no-daemon.txt");
}

#[test]
fn wrong_usage() {
    play("usage.txt");
}

#[test]
fn making_a_home() {
    play("init.txt");
}

#[test]
fn generated_pages() {
    play("generated.txt");
}
