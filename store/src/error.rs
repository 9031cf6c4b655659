//! What can go wrong in the store, told so that a person knows what to do next.
//!
//! A record that cannot be read is not an error but [`Damage`](crate::Damage): it is skipped and
//! counted, and the rest stays readable.

use std::io;

/// Why the store could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No space is left. Nothing of the commit was written.
    #[error("the disk is full: nothing was written; free some space and try again")]
    DiskFull,
    /// The home cannot be written to.
    #[error(
        "the home cannot be written to: mount it writable, or give this user the right to write in it"
    )]
    ReadOnly,
    /// Files that hold what was deleted are still there.
    #[error(
        "{files} files that hold what was deleted could not be rewritten: free some space, or look for errors of the disk"
    )]
    NotRewritten {
        /// How many.
        files: usize,
    },
    /// The home was made by a newer program. It was not touched.
    #[error(
        "this home has format {found}, and this program knows formats up to {known}: use a newer kith; nothing was touched"
    )]
    Newer {
        /// The home's format.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
    /// The home was made by an earlier program, whose records mean something else. It was not touched.
    #[error(
        "this home has format {found}, of an earlier kith, and this program reads format {known}: use the kith that made it, or make a new home and ask for an invite; nothing was touched"
    )]
    Older {
        /// The home's format.
        found: u32,
        /// The only format read here.
        known: u32,
    },
    /// Something that everything else depends on cannot be read.
    #[error("{what} is damaged: {remedy}")]
    Damaged {
        /// Which part.
        what: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// The databases are in use by another process or another [`Store`](crate::Store).
    #[error("the store is in use: stop the other kith daemon of this home first")]
    Locked,
    /// The operating system gives no random bytes.
    #[error(
        "the operating system gives no random bytes: without them nothing can be sealed; start again when it does"
    )]
    NoRandomness,
    /// Reading or writing failed for a reason of the operating system's.
    #[error("{what}: {source}; check the disk and the rights of the home")]
    Io {
        /// What was being done.
        what: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// RocksDB refused for a reason that none of the above covers.
    #[error("the database refused: {0}; stop the daemon and start it again")]
    Database(String),
}

/// What to do when the files of a database are damaged while it is open.
pub(crate) const RESTART: &str =
    "stop the daemon and start it again; what is still readable is then set apart and kept";
/// What to do when a database cannot be opened or salvaged at all.
pub(crate) const RESTORE: &str =
    "restore the home from a backup, or make a new home and ask for an invite";

/// What an error of the operating system means to a home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IoMeaning {
    DiskFull,
    ReadOnly,
    Other,
}

impl IoMeaning {
    pub(crate) fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly,
            _ => Self::Other,
        }
    }
}

impl StoreError {
    pub(crate) fn io(what: &'static str, source: io::Error) -> Self {
        match IoMeaning::of(&source) {
            IoMeaning::DiskFull => Self::DiskFull,
            IoMeaning::ReadOnly => Self::ReadOnly,
            IoMeaning::Other => Self::Io { what, source },
        }
    }
}

/// RocksDB reports through texts; these are the phrases of its own and of the C library's that
/// tell the cases apart.
impl From<rocksdb::Error> for StoreError {
    fn from(error: rocksdb::Error) -> Self {
        let text: &str = error.as_ref();
        let says = |phrases: &[&str]| phrases.iter().any(|phrase| text.contains(phrase));
        if says(&[
            "No space left",
            "NoSpace",
            "Disk quota exceeded",
            "StorageFull",
            "QuotaExceeded",
        ]) {
            Self::DiskFull
        } else if says(&[
            "Read-only file system",
            "Permission denied",
            "PermissionDenied",
            "ReadOnlyFilesystem",
        ]) {
            Self::ReadOnly
        } else if says(&[
            "lock hold by current process",
            "While lock file",
            "lock file",
        ]) {
            Self::Locked
        } else if error.kind() == rocksdb::ErrorKind::Corruption {
            Self::Damaged {
                what: "the database".to_owned(),
                remedy: RESTART,
            }
        } else {
            Self::Database(text.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_names_a_remedy() {
        let all = [
            StoreError::DiskFull,
            StoreError::ReadOnly,
            StoreError::Newer { found: 2, known: 1 },
            StoreError::Older { found: 1, known: 2 },
            StoreError::Damaged {
                what: "the key database".to_owned(),
                remedy: RESTORE,
            },
            StoreError::Locked,
            StoreError::NoRandomness,
            StoreError::io("writing the vault", io::Error::other("broken")),
            StoreError::Database("busy".to_owned()),
        ];
        for error in all {
            let text = error.to_string();
            assert!(
                [
                    "free some",
                    "mount",
                    "use a newer",
                    "use the kith that made it",
                    "restore",
                    "stop the",
                    "start again",
                    "check the disk"
                ]
                .iter()
                .any(|remedy| text.contains(remedy)),
                "no remedy in: {text}"
            );
        }
    }

    #[test]
    fn the_operating_systems_reasons_are_told_apart() {
        let full = StoreError::io("x", io::Error::from(io::ErrorKind::StorageFull));
        assert!(matches!(full, StoreError::DiskFull));
        let denied = StoreError::io("x", io::Error::from(io::ErrorKind::PermissionDenied));
        assert!(matches!(denied, StoreError::ReadOnly));
    }
}
