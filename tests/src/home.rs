//! A throw-away home, and the `kith` command pointed at it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::binary::kith;

/// The passphrase of every home the tests make.
pub const PASSPHRASE: &str = "fourteen quiet hedgehogs";

/// One device's home in a temporary directory, and whose it is.
///
/// The passphrase file lies beside the home, so that a search of the home finds
/// only what Kith wrote.
pub struct Home {
    place: TempDir,
    path: PathBuf,
    name: String,
    identity: Value,
}

/// What a run of `kith --json` came to.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code; `-1` where a signal ended it.
    pub code: i32,
    /// The JSON objects of stdout, one for each line.
    pub lines: Vec<Value>,
    /// All of stderr.
    pub stderr: String,
}

/// The error that `kith --json` printed.
#[derive(Debug)]
pub struct Failure {
    /// The stable name of the error.
    pub code: String,
    /// The message for people.
    pub message: String,
}

impl Home {
    /// Makes a home for `name` by `kith init`.
    pub fn init(name: &str) -> Self {
        let mut home = Self::vacant(name);
        home.identity = home.json(&["init", "--name", name]);
        home
    }

    /// Names a home that does not exist yet.
    pub fn vacant(name: &str) -> Self {
        let place = tempfile::Builder::new()
            .prefix("kith-")
            .tempdir()
            .expect("the temporary directory is writable");
        fs::write(place.path().join("passphrase"), format!("{PASSPHRASE}\n"))
            .expect("the temporary directory is writable");
        Self {
            path: place.path().join("home"),
            place,
            name: name.to_owned(),
            identity: Value::Null,
        }
    }

    /// Copies this home, whose daemon is stopped, as a backup does: into another directory, with
    /// the same person in it.
    ///
    /// # Panics
    ///
    /// If a file cannot be copied.
    pub fn copy(&self) -> Self {
        let mut copy = Self::vacant(&self.name);
        copy.identity = self.identity.clone();
        copy_tree(&self.path, &copy.path).expect("a home can be copied");
        copy
    }

    /// Puts a copy where this home was, as restoring a backup does: the directory is made anew.
    ///
    /// # Panics
    ///
    /// If a file cannot be removed or copied.
    pub fn restore(&self, copy: &Self) {
        fs::remove_dir_all(&self.path).expect("a home can be removed");
        copy_tree(&copy.path, &self.path).expect("a home can be copied");
    }

    /// Returns the directory that `--home` names.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns a path beside the home, for what a test itself needs.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// Returns the file that `--passphrase-file` names.
    pub fn passphrase_file(&self) -> PathBuf {
        self.beside("passphrase")
    }

    /// Returns the name that `init` was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the account id that `init` printed.
    pub fn account(&self) -> &str {
        text(&self.identity, "account")
    }

    /// Returns the device id that `init` printed.
    pub fn device(&self) -> &str {
        text(&self.identity, "device")
    }

    /// Returns the recovery phrase that `init` printed.
    pub fn phrase(&self) -> &str {
        text(&self.identity, "phrase")
    }

    /// Returns a `kith` command for this home, without `--json` and without verb.
    pub fn command(&self) -> Command {
        let mut command = Command::new(kith());
        command
            .env_remove("KITH_HOME")
            .env_remove("KITH_PASSPHRASE_FILE")
            .arg("--home")
            .arg(&self.path)
            .arg("--passphrase-file")
            .arg(self.passphrase_file())
            .stdin(Stdio::null());
        command
    }

    /// Runs a verb with `--json` and returns whatever came of it.
    pub fn kith(&self, arguments: &[&str]) -> Outcome {
        let output = self
            .command()
            .arg("--json")
            .args(arguments)
            .output()
            .expect("the binary runs");
        Outcome::of(&output)
    }

    /// Runs a verb for people, without `--json`, and returns stdout.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn plain(&self, arguments: &[&str]) -> String {
        let output = self.command().args(arguments).output();
        let output = output.expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{}: kith {arguments:?}: {stderr}",
            self.name
        );
        String::from_utf8(output.stdout).expect("output is UTF-8")
    }

    /// Runs a verb that prints any number of objects.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn lines(&self, arguments: &[&str]) -> Vec<Value> {
        let outcome = self.kith(arguments);
        assert_eq!(
            outcome.code, 0,
            "{}: kith {arguments:?}: {outcome}",
            self.name
        );
        outcome.lines
    }

    /// Runs a verb that prints one object.
    ///
    /// # Panics
    ///
    /// If it fails or prints anything else.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let mut lines = self.lines(arguments);
        assert_eq!(lines.len(), 1, "{}: kith {arguments:?}", self.name);
        lines.remove(0)
    }

    /// Runs a verb that prints one object, and returns one of its texts.
    ///
    /// # Panics
    ///
    /// If it fails, or has no such field.
    pub fn field(&self, arguments: &[&str], field: &str) -> String {
        text(&self.json(arguments), field).to_owned()
    }

    /// Runs a verb that has to fail with the exit code `code`.
    ///
    /// # Panics
    ///
    /// If it ends otherwise, prints a result, or prints no error object.
    pub fn fails(&self, arguments: &[&str], code: i32) -> Failure {
        let outcome = self.kith(arguments);
        assert_eq!(
            outcome.code, code,
            "{}: kith {arguments:?}: {outcome}",
            self.name
        );
        assert!(outcome.lines.is_empty(), "kith {arguments:?}: {outcome}");
        outcome
            .failure()
            .unwrap_or_else(|| panic!("kith {arguments:?} printed no error: {outcome}"))
    }
}

impl Outcome {
    /// Reads what a finished `kith --json` printed.
    ///
    /// # Panics
    ///
    /// If stdout is not one JSON object a line.
    pub fn of(output: &Output) -> Self {
        let stdout = String::from_utf8_lossy(&output.stdout);
        let lines = stdout
            .lines()
            .map(|line| {
                serde_json::from_str::<Value>(line)
                    .ok()
                    .filter(Value::is_object)
                    .unwrap_or_else(|| panic!("not a JSON object: {line}"))
            })
            .collect();
        Self {
            code: output.status.code().unwrap_or(-1),
            lines,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Returns the error object on stderr, if there is one.
    pub fn failure(&self) -> Option<Failure> {
        let printed = self
            .stderr
            .lines()
            .rev()
            .find_map(|line| serde_json::from_str::<Value>(line).ok())?;
        let error = printed.get("error")?;
        Some(Failure {
            code: error.get("code")?.as_str()?.to_owned(),
            message: error.get("message")?.as_str()?.to_owned(),
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {}", self.code)?;
        for line in &self.lines {
            write!(f, "\n{line}")?;
        }
        write!(f, "\n{}", self.stderr)
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("no text {field:?} in {value}"))
}

/// Copies a directory and what is in it.
///
/// # Errors
///
/// What keeps a file from being read or written.
pub fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
