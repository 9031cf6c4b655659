//! A running `kith tail`: events as they arrive.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Instant;

use serde_json::Value;

use crate::home::Home;
use crate::wait::PATIENCE;

/// A listener to one node's events. Dropping it ends it.
pub struct Tail {
    child: Child,
    events: Receiver<Value>,
    seen: Vec<Value>,
}

impl Tail {
    /// Listens with the arguments of `kith tail`.
    pub fn start(home: &Home, arguments: &[&str]) -> Self {
        let mut child = home
            .command()
            .args(["--json", "tail"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        let stdout = child.stdout.take().expect("stdout is piped");
        let (sender, events) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line)
                    .unwrap_or_else(|_| panic!("tail printed what is not JSON: {line}"));
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            events,
            seen: Vec::new(),
        }
    }

    /// Returns the next event of which `wanted` holds; those before it are kept
    /// in [`seen`](Self::seen).
    ///
    /// # Panics
    ///
    /// If none comes in time.
    pub fn next(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(event) = self.events.recv_timeout(left) else {
                panic!("no event {what}, only {:?}", self.seen);
            };
            self.seen.push(event.clone());
            if wanted(&event) {
                return event;
            }
        }
    }

    /// Returns every event taken so far, in order.
    pub fn seen(&self) -> &[Value] {
        &self.seen
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
