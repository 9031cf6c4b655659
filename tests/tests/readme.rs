//! The README's *By hand*, as it is printed.

use std::fs;
use std::process::{Command, Stdio};

use kith_tests::{kith, workspace};

/// The first shell block after a heading.
fn block<'a>(readme: &'a str, heading: &str) -> &'a str {
    let (_, section) = readme.split_once(heading).expect("the heading is there");
    let (_, block) = section.split_once("```sh\n").expect("it has a shell block");
    block.split("```").next().expect("the part before the end")
}

#[test]
fn by_hand_runs_as_printed() {
    let readme = fs::read_to_string(workspace().join("README.md")).unwrap();
    let place = tempfile::tempdir().unwrap();
    let path = std::env::var("PATH").unwrap();
    let directory = kith().parent().unwrap().display().to_string();

    // The README starts daemons the way a person does; a test must not reach
    // for the network, nor for nodes of the people around it.
    let typed = block(&readme, "## By hand").replace(
        " daemon >",
        " daemon --no-mdns --listen /ip4/127.0.0.1/tcp/0 >",
    );
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &typed])
        .env("PATH", format!("{directory}:{path}"))
        .env("TMPDIR", place.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();

    let said = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{stderr}");
    for expected in ["The beans are up.", "🌱", "All twelve of them?", "garden"] {
        assert!(
            said.contains(expected),
            "{expected} is not in:\n{said}\n{stderr}"
        );
    }
}
