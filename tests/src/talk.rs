//! Commands that go on for a while and are answered meanwhile: `kith device link` and `join`.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};

use serde_json::Value;

use crate::home::Home;
use crate::wait::PATIENCE;

/// A `kith --json` that runs. Dropping it kills it.
pub struct Talk {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    stderr: Option<JoinHandle<String>>,
}

impl Talk {
    /// Begins a verb.
    ///
    /// # Panics
    ///
    /// If the binary does not run.
    pub fn begin(home: &Home, arguments: &[&str]) -> Self {
        let mut child = home
            .command()
            .arg("--json")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut stderr = child.stderr.take().expect("stderr is piped");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            for line in lines.filter_map(|line| serde_json::from_str(&line).ok()) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let stderr = thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        Self {
            stdin: child.stdin.take(),
            child,
            lines,
            stderr: Some(stderr),
        }
    }

    /// The next line that it prints.
    ///
    /// # Panics
    ///
    /// If none comes.
    pub fn line(&mut self) -> Value {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(_) => panic!("nothing more was said"),
        }
    }

    /// Types a line.
    ///
    /// # Panics
    ///
    /// If nobody reads it.
    pub fn answer(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("it was not closed");
        writeln!(stdin, "{line}").expect("it reads");
    }

    /// Says nothing more.
    pub fn hang_up(&mut self) {
        self.stdin = None;
    }

    /// Waits for its end, and returns its exit code, the rest of what it printed, and its errors.
    ///
    /// # Panics
    ///
    /// If it does not end.
    pub fn end(mut self) -> (i32, Vec<Value>, String) {
        let status = self.child.wait().expect("our own child");
        let stderr = self.stderr.take().expect("it is joined once");
        let stderr = stderr.join().expect("the reader does not panic");
        let rest = self.lines.iter().collect();
        (status.code().unwrap_or(-1), rest, stderr)
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Another device of somebody whose daemon runs, linked and not started yet.
///
/// # Panics
///
/// If it cannot be linked.
pub fn link(home: &Home, name: &str, arguments: &[&str]) -> Home {
    let mut showing = Talk::begin(home, &[&["device", "link"], arguments].concat());
    let shown = showing.line();
    let other = Home::vacant(name);
    let link = shown["link"].as_str().expect("a link");
    let mut joining = Talk::begin(
        &other,
        &["device", "join", link, "--name", name, "--no-mdns"],
    );
    let compared = joining.line();
    let asked = showing.line();
    assert_eq!(asked["pictures"], compared["pictures"]);
    joining.answer("yes");
    let code = joining.line();
    showing.answer(code["code"].as_str().expect("digits"));
    assert_eq!(showing.line()["stage"], "linked");
    let (ended, lines, stderr) = joining.end();
    assert_eq!(ended, 0, "{stderr}");
    assert_eq!(lines[0]["account"], home.account());
    other
}
