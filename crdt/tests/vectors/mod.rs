//! Golden vectors: a name and hex on a line, `#` before what is said to people.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;

/// Holds what is made now against what was made when the vectors were written.
///
/// # Panics
/// If a byte moved, or a vector is missing or left over.
pub(crate) fn assert_unmoved(golden: &str, made: &[(&str, Vec<u8>)]) {
    let golden: BTreeMap<&str, &str> = golden
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once(' ').expect("a name and hex"))
        .collect();
    let made: BTreeMap<&str, String> = made
        .iter()
        .map(|(name, bytes)| (*name, HEXLOWER.encode(bytes)))
        .collect();
    let moved: Vec<String> = made
        .iter()
        .filter(|(name, hex)| golden.get(*name) != Some(&hex.as_str()))
        .map(|(name, hex)| format!("{name} {hex}"))
        .collect();
    assert!(
        moved.is_empty(),
        "these bytes moved, and are now:\n{}",
        moved.join("\n")
    );
    assert_eq!(golden.len(), made.len(), "a vector that nothing makes");
}

/// The bytes of one vector.
pub(crate) fn vector(golden: &str, name: &str) -> Vec<u8> {
    let line = golden
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        .expect("a vector of that name");
    HEXLOWER.decode(line.as_bytes()).expect("hex")
}
