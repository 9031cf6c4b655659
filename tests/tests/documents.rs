//! The documents, held against the code: what they print runs, what they name
//! is there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kith_tests::{kith, workspace};

/// Every file below a directory of the workspace that ends in `.ending`.
fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory").flatten() {
        let path = entry.path();
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if path.is_dir() && !hidden && entry.file_name() != "target" {
            found.extend(files(&path, ending));
        } else if path
            .extension()
            .is_some_and(|extension| extension == ending)
        {
            found.push(path);
        }
    }
    found
}

/// The targets of a document's links.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let ends = text.split("](").skip(1);
    ends.filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
}

/// What is set as code in a line.
fn code(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

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
    let typed = format!("trap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n{typed}");
    let output = Command::new("timeout")
        .args(["60", "bash", "-euo", "pipefail", "-c", &typed])
        .env("PATH", format!("{directory}:{path}"))
        .env("TMPDIR", place.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();

    let said = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{stderr}");
    for expected in [
        "The beans are up.",
        "🌱",
        "All twelve of them?",
        "garden",
        "has read",
    ] {
        assert!(
            said.contains(expected),
            "{expected} is not in:\n{said}\n{stderr}"
        );
    }
}

#[test]
fn every_link_leads_somewhere() {
    for document in files(workspace(), "md") {
        let text = fs::read_to_string(&document).unwrap();
        for target in links(&text) {
            let file = target.split('#').next().unwrap();
            let local = !file.is_empty() && !target.contains("://");
            let here = document.parent().unwrap().join(file);
            assert!(!local || here.exists(), "{}: {target}", document.display());
        }
    }
}

#[test]
fn every_invariant_names_a_test_that_is_there() {
    let architecture = fs::read_to_string(workspace().join("ARCHITECTURE.md")).unwrap();
    let sources: String = files(workspace(), "rs")
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let invariants = architecture
        .lines()
        .filter(|line| line.starts_with("**Invariant:"));

    for invariant in invariants {
        let mut holders = 0;
        for name in code(invariant) {
            let is_file = name.contains('/') && !name.contains('*');
            let is_test = name.matches('_').count() > 2 && !is_file;
            assert!(
                !is_file || workspace().join(name).exists(),
                "{name} is not there"
            );
            assert!(
                !is_test || sources.contains(&format!("fn {name}(")),
                "no test {name}"
            );
            holders += usize::from(is_test || name.contains("test"));
        }
        assert!(holders > 0, "nothing holds: {invariant}");
    }
}
