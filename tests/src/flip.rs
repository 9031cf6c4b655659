//! Flipped bits in the files of a home.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Home;

/// The files of a home's directory whose names are wanted, in order.
///
/// # Panics
/// If the directory cannot be read.
pub fn files(home: &Home, directory: &str, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(home.path().join(directory)).expect("a directory");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("readable").path())
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(&wanted)
        })
        .collect();
    paths.sort();
    paths
}

/// The table files of one of a home's databases.
///
/// # Panics
/// If its directory cannot be read.
pub fn tables(home: &Home, directory: &str) -> Vec<PathBuf> {
    files(home, directory, |name| name.ends_with(".sst"))
}

/// Flips a bit of a file.
///
/// # Panics
/// If it cannot be read or written, or has no such byte.
pub fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("a file");
    bytes[at] ^= 0x10;
    fs::write(path, bytes).expect("a file");
}
