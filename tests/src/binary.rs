//! Which `kith` the tests run: the one built from this checkout after its last
//! change, or none.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

/// What to do about any of the complaints below.
const REMEDY: &str = "run `make test`, or build it first with \
    `cargo build --workspace --bins`";

/// Returns the path of the `kith` command under test.
///
/// It is `KITH_BIN` where that is set, and otherwise the binary beside the test
/// executables, which has to be newer than every source it was built from.
///
/// # Panics
///
/// If there is no such binary, or it is another checkout's, or it is stale.
pub fn kith() -> &'static Path {
    static KITH: OnceLock<PathBuf> = OnceLock::new();
    KITH.get_or_init(|| match std::env::var_os("KITH_BIN") {
        Some(path) => named(PathBuf::from(path)),
        None => built(),
    })
}

/// Returns the root of the checkout the tests were compiled from.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate is a directory of the workspace")
}

fn named(path: PathBuf) -> PathBuf {
    assert!(
        path.is_file(),
        "KITH_BIN names {}, which is no file",
        path.display()
    );
    path
}

fn built() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    let directory = test
        .ancestors()
        .find(|directory| directory.file_name().is_some_and(|name| name == "debug"))
        .expect("cargo puts tests below a directory named debug");
    let kith = directory.join("kith");
    if let Err(complaint) = check(&kith, workspace()) {
        panic!("{complaint}; {REMEDY}");
    }
    kith
}

/// Compares the binary with the sources that cargo's `.d` file names.
fn check(kith: &Path, workspace: &Path) -> Result<(), String> {
    let built = modified(kith).ok_or_else(|| format!("there is no {}", kith.display()))?;
    let Ok(rule) = fs::read_to_string(kith.with_extension("d")) else {
        return Ok(());
    };
    for source in sources(&rule) {
        if !source.starts_with(workspace) {
            return Err(format!(
                "{} was built from another checkout ({})",
                kith.display(),
                source.display()
            ));
        }
        if modified(&source).is_none_or(|changed| changed > built) {
            return Err(format!(
                "{} is older than {}",
                kith.display(),
                source.display()
            ));
        }
    }
    Ok(())
}

/// Splits a make rule `target: source source`, where spaces are escaped.
fn sources(rule: &str) -> Vec<PathBuf> {
    let sources = rule.split_once(": ").map_or("", |(_, sources)| sources);
    sources
        .trim_end()
        .replace("\\ ", "\0")
        .split(' ')
        .filter(|source| !source.is_empty())
        .map(|source| PathBuf::from(source.replace('\0', " ")))
        .collect()
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|file| file.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A build of `src/main.rs`, and the file it was built from.
    fn build() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let checkout = tempfile::tempdir().expect("a temporary directory");
        let source = checkout.path().join("my main.rs");
        let kith = checkout.path().join("kith");
        fs::write(&source, "").expect("writable");
        fs::write(&kith, "").expect("writable");
        let escaped = source.display().to_string().replace(' ', "\\ ");
        let rule = format!("{}: {escaped}\n", kith.display());
        fs::write(kith.with_extension("d"), rule).expect("writable");
        (checkout, kith, source)
    }

    #[test]
    fn a_binary_newer_than_its_sources_is_taken() {
        let (checkout, kith, _) = build();
        assert_eq!(check(&kith, checkout.path()), Ok(()));
    }

    #[test]
    fn a_missing_binary_is_named() {
        let (checkout, kith, _) = build();
        fs::remove_file(&kith).expect("it was there");
        assert!(check(&kith, checkout.path()).is_err_and(|why| why.starts_with("there is no")));
    }

    #[test]
    fn a_stale_binary_is_refused() {
        let (checkout, kith, source) = build();
        let later = SystemTime::now() + std::time::Duration::from_secs(5);
        let file = fs::File::options().write(true).open(&source);
        file.and_then(|file| file.set_modified(later))
            .expect("its own file");
        assert!(check(&kith, checkout.path()).is_err_and(|why| why.contains("is older than")));
    }

    #[test]
    fn another_checkouts_binary_is_refused() {
        let (_checkout, kith, _) = build();
        let complaint = check(&kith, Path::new("/elsewhere"));
        assert!(complaint.is_err_and(|why| why.contains("another checkout")));
    }
}
