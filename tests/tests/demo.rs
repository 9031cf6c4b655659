//! The demo, ended before its time: nothing of it stays, neither a directory nor a daemon.

#![expect(
    clippy::unwrap_used,
    reason = "a test that lacks what it needs has failed"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use kith_tests::{PATIENCE, kith, until};
use tempfile::TempDir;

/// A demo with a temporary directory of its own, so that what it leaves behind can be seen.
struct Demo {
    place: TempDir,
    child: Child,
}

impl Demo {
    fn start() -> Self {
        let place = tempfile::tempdir().unwrap();
        let child = Command::new(kith())
            .args(["--json", "demo"])
            .env("TMPDIR", place.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { place, child }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill {name}");
    }

    /// Waits for its end and returns its exit code. Nothing may be left then.
    fn end(mut self) -> Option<i32> {
        let status = until("the demo to end", PATIENCE, || {
            self.child.try_wait().expect("our own child")
        });
        let left = fs::read_dir(self.place.path()).unwrap().count();
        assert_eq!(left, 0, "directories are left behind");
        let homes = self.place.path().display().to_string();
        let daemons = || {
            let processes = fs::read_dir("/proc").unwrap().flatten();
            let lines =
                processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
            lines
                .filter(|line| String::from_utf8_lossy(line).contains(&homes))
                .count()
        };
        until("the daemons to end", Duration::from_secs(10), || {
            (daemons() == 0).then_some(())
        });
        status.code()
    }
}

#[test]
fn a_signal_ends_the_demo_at_any_time_and_leaves_nothing() {
    for name in ["-TERM", "-INT", "-HUP"] {
        let mut demo = Demo::start();
        let mut lines = BufReader::new(demo.child.stdout.take().unwrap()).lines();
        lines.next().expect("its first line").unwrap();
        demo.signal(name);
        assert_eq!(demo.end(), Some(1), "{name}");
    }
    let demo = Demo::start();
    until("the first home to be made", PATIENCE, || {
        let mut homes = fs::read_dir(demo.place.path()).unwrap();
        homes.next().is_some().then_some(())
    });
    demo.signal("-TERM");
    assert_eq!(demo.end(), Some(1));
}

#[test]
fn a_reader_who_leaves_ends_the_demo_and_nothing_is_left() {
    let mut demo = Demo::start();
    let mut lines = BufReader::new(demo.child.stdout.take().unwrap()).lines();
    lines.next().expect("its first line").unwrap();
    drop(lines);
    assert_eq!(demo.end(), Some(0));
}
