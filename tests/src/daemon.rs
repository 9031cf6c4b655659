//! A running `kith daemon`, which ends with the value that stands for it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::home::Home;
use crate::wait::{PATIENCE, until};

/// Where a node listens that does not care at which port.
const ANY_PORT: &str = "/ip4/127.0.0.1/tcp/0";

/// What nodes write down: all that is Kith's own, and what worries its parts.
const LOG: &str = "warn,kith_node=trace,kith_store=trace,kith_crdt=trace,kith=trace";

/// A node that serves. Dropping it kills it.
pub struct Daemon {
    child: Child,
    ready: Value,
    log: PathBuf,
}

impl Daemon {
    /// Starts a node on loopback that knows nobody.
    pub fn start(home: &Home) -> Self {
        Self::start_with(home, &[])
    }

    /// Starts a node on loopback that dials `addresses` to begin with.
    pub fn start_towards(home: &Home, addresses: &[String]) -> Self {
        let bootstrap: Vec<&str> = addresses
            .iter()
            .flat_map(|address| ["--bootstrap", address])
            .collect();
        Self::start_with(home, &bootstrap)
    }

    /// Starts a node at an address where one was reached before.
    pub fn start_at(home: &Home, address: &str) -> Self {
        let listen = address.split("/p2p/").next().expect("the part before it");
        Self::started(home, Self::spawn(home, listen, &[]))
    }

    /// Starts a node on loopback with further arguments, and waits until it serves.
    ///
    /// # Panics
    ///
    /// If it does not; the message has what it said.
    pub fn start_with(home: &Home, arguments: &[&str]) -> Self {
        Self::started(home, Self::spawn(home, ANY_PORT, arguments))
    }

    fn started(home: &Home, (mut child, log): (Child, PathBuf)) -> Self {
        let stdout = child.stdout.take().expect("stdout is piped");
        let (sender, lines) = mpsc::channel();
        // Reads on after the first line, so that the pipe never fills.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let ready = lines
            .recv_timeout(PATIENCE)
            .ok()
            .and_then(|line| serde_json::from_str::<Value>(&line).ok())
            .filter(|line| line["event"] == "ready");
        let Some(ready) = ready else {
            let _ = child.kill();
            let _ = child.wait();
            panic!(
                "the daemon of {} did not start: {}",
                home.name(),
                read(&log)
            );
        };
        Self { child, ready, log }
    }

    /// Starts a daemon that is not expected to serve, and waits for its end.
    ///
    /// # Panics
    ///
    /// If it has not ended in time.
    pub fn refused(home: &Home, arguments: &[&str]) -> crate::Outcome {
        let (mut child, log) = Self::spawn(home, ANY_PORT, arguments);
        let status = until("the daemon to refuse", PATIENCE, || {
            child.try_wait().expect("our own child")
        });
        crate::Outcome {
            code: status.code().unwrap_or(-1),
            lines: Vec::new(),
            stderr: read(&log),
        }
    }

    fn spawn(home: &Home, listen: &str, arguments: &[&str]) -> (Child, PathBuf) {
        static STARTED: AtomicU32 = AtomicU32::new(1);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let log = home.beside(&format!("daemon-{number}.log"));
        let stderr = File::create(&log).expect("the temporary directory is writable");
        let child = home
            .command()
            .env("KITH_LOG", LOG)
            .args(["--json", "daemon", "--no-mdns", "--until-eof"])
            .args(["--listen", listen])
            .args(arguments)
            // Held open by us alone: if the test dies, however it dies, so do its nodes.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("the binary runs");
        (child, log)
    }

    /// Returns the line with which it said that it serves.
    pub fn ready(&self) -> &Value {
        &self.ready
    }

    /// Returns the addresses at which other nodes reach it.
    pub fn addresses(&self) -> Vec<String> {
        let addresses = self.ready["addresses"].as_array();
        addresses
            .expect("ready names addresses")
            .iter()
            .filter_map(|address| address.as_str().map(str::to_owned))
            .collect()
    }

    /// Returns its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns what it has written to stderr so far.
    pub fn log(&self) -> String {
        read(&self.log)
    }

    /// Returns the first address at which other nodes reach it.
    ///
    /// # Panics
    ///
    /// If it has none.
    pub fn address(&self) -> String {
        let mut addresses = self.addresses();
        assert!(!addresses.is_empty(), "the daemon listens nowhere");
        addresses.remove(0)
    }

    /// Asks it to stop and waits until it has.
    ///
    /// # Panics
    ///
    /// If it does not stop in time or does not call that a success.
    pub fn stop(mut self) {
        let pid = self.pid().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(asked.is_ok_and(|status| status.success()), "kill -TERM");
        self.expect_end();
    }

    /// Waits until it has stopped by itself.
    ///
    /// # Panics
    ///
    /// If it does not stop in time or does not call that a success.
    pub fn wait(mut self) {
        self.expect_end();
    }

    /// Ends it as a power cut would, with nothing written in farewell.
    pub fn kill(mut self) {
        self.child.kill().expect("our own child");
        self.ended(PATIENCE);
    }

    fn expect_end(&mut self) {
        let status = self.ended(PATIENCE);
        assert!(status.success(), "{status}: {}", self.log());
    }

    fn ended(&mut self, within: Duration) -> ExitStatus {
        until("the daemon to end", within, || {
            self.child.try_wait().expect("our own child")
        })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let log = self.log();
            let tail = log.lines().rev().take(30).collect::<Vec<_>>();
            for line in tail.iter().rev() {
                report(line);
            }
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a failing test shows what the daemon said"
)]
fn report(line: &str) {
    eprintln!("daemon: {line}");
}

fn read(log: &Path) -> String {
    std::fs::read_to_string(log).unwrap_or_default()
}
