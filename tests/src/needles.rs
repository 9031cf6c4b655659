//! Looking for what must not be there: plaintext in files and in traffic.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Something that must not be found, and what to call it where it is.
#[derive(Debug, Clone)]
pub struct Needle {
    /// What it is, for the message of the failing test.
    pub what: String,
    /// Its bytes; at least eight, or chance finds them in ciphertext.
    pub bytes: Vec<u8>,
}

/// Where a needle was found.
#[derive(Debug, PartialEq, Eq)]
pub struct Find {
    /// What was found.
    pub what: String,
    /// The file it is in, or whose name has it.
    pub path: PathBuf,
}

impl Needle {
    /// Names bytes to look for.
    ///
    /// # Panics
    ///
    /// If they are so short that chance would find them.
    pub fn new(what: &str, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref().to_vec();
        assert!(bytes.len() >= 8, "{what} is too short to look for");
        Self {
            what: what.to_owned(),
            bytes,
        }
    }
}

/// Searches the content and the name of every file below `directory`.
///
/// # Panics
///
/// If a directory cannot be read. A file that vanishes meanwhile is passed over.
pub fn find_in(directory: &Path, needles: &[Needle]) -> Vec<Find> {
    let mut finds = Vec::new();
    let entries =
        fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    for entry in entries {
        let entry = entry.expect("a readable directory");
        let path = entry.path();
        let mut content = path.as_os_str().as_encoded_bytes().to_vec();
        let kind = entry.file_type().expect("known without a look at it");
        if kind.is_dir() {
            finds.extend(find_in(&path, needles));
        } else if kind.is_file() {
            content.push(0);
            let _ = fs::File::open(&path).and_then(|mut file| file.read_to_end(&mut content));
        }
        finds.extend(
            find_in_bytes(&content, needles)
                .into_iter()
                .map(|what| Find {
                    what,
                    path: path.clone(),
                }),
        );
    }
    finds
}

/// Searches bytes, and returns what was found in them.
pub fn find_in_bytes(hay: &[u8], needles: &[Needle]) -> Vec<String> {
    needles
        .iter()
        .filter(|needle| contains(hay, &needle.bytes))
        .map(|needle| needle.what.clone())
        .collect()
}

/// Looks for the first byte before it compares the rest; homes have megabytes.
fn contains(hay: &[u8], needle: &[u8]) -> bool {
    let Some((first, rest)) = needle.split_first() else {
        return true;
    };
    let mut from = 0;
    while let Some(found) = hay[from..].iter().position(|byte| byte == first) {
        from += found + 1;
        if hay[from..].starts_with(rest) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_in_content_and_in_names() {
        let place = tempfile::tempdir().unwrap();
        let inner = place.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("a"), b"ssssecret words").unwrap();
        fs::write(inner.join("secret words"), b"nothing").unwrap();
        let mut finds = find_in(place.path(), &[Needle::new("it", "secret words")]);
        finds.sort_by(|a, b| a.path.cmp(&b.path));
        assert_eq!(finds.len(), 2);
        assert!(finds[0].path.ends_with("inner/a"));
    }

    #[test]
    fn finds_nothing_where_nothing_is() {
        assert!(!contains(b"secret word", b"secret words"));
        assert!(contains(b"a secret words", b"secret words"));
    }
}
