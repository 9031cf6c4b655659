//! Where a home is, so that a copy of it is told from itself.
//!
//! A directory that is copied, unpacked or restored is another inode made at another time, and on
//! another machine it is another machine's. One that is moved within its file system, or merely
//! started again, is the same. What this does not see, a disk set back as a whole or files copied
//! over those that are there, the other members' nodes tell (see `engine::incarnation`).

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::UNIX_EPOCH;

use kith_crdt::crypto::hash;

use crate::engine::Residence;

/// Names this installation of the operating system (machine-id(5)); it stays on this machine, and
/// only its hash is kept.
const MACHINE_ID: &str = "/etc/machine-id";

/// Where a home is, judged by its directory and that of its store.
pub(crate) fn residence(home: &Path) -> Residence {
    let machine = std::fs::read(MACHINE_ID).unwrap_or_default();
    let [here, store] = [home.to_owned(), home.join("data")].map(|path| {
        let facts = std::fs::metadata(path).ok();
        facts.as_ref().map_or([0; 24], birth)
    });
    Residence(hash::derive("residence", &[&machine, &here, &store]))
}

/// Inode and time of birth, where the file system keeps one.
fn birth(facts: &Metadata) -> [u8; 24] {
    let born = facts.created().ok();
    let born = born.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let nanos = born.map_or(0, |born| born.as_nanos());
    let mut bytes = [0; 24];
    bytes[..8].copy_from_slice(&facts.ino().to_be_bytes());
    bytes[8..].copy_from_slice(&nanos.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(at: &Path) {
        std::fs::create_dir_all(at.join("data")).unwrap();
    }

    #[test]
    fn a_home_that_is_moved_is_the_same_and_a_copy_is_not() {
        let place = tempfile::tempdir().unwrap();
        let (first, moved, copy) = (
            place.path().join("first"),
            place.path().join("moved"),
            place.path().join("copy"),
        );
        home(&first);
        let before = residence(&first);
        assert_eq!(residence(&first), before);
        std::fs::rename(&first, &moved).unwrap();
        assert_eq!(residence(&moved), before);
        home(&copy);
        assert_ne!(residence(&copy), before);
        std::fs::remove_dir_all(&moved).unwrap();
        home(&moved);
        assert_ne!(residence(&moved), before, "made anew where it was");
    }
}
