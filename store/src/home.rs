//! The directory that holds everything a node keeps, and the lock that gives it to one process.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::error::{IoMeaning, StoreError};

/// The name of the lock file in a home.
const LOCK_FILE: &str = "lock";
/// Only the owner may look into a home.
const DIR_MODE: u32 = 0o700;
/// Only the owner may read a file of it.
const FILE_MODE: u32 = 0o600;

/// Makes a home that only its owner can look into. One that is there keeps its content and loses
/// the rights it gave to others.
///
/// # Errors
/// [`StoreError::ReadOnly`], [`StoreError::DiskFull`] or [`StoreError::Io`].
pub fn prepare(home: &Path) -> Result<(), StoreError> {
    make_private_dir(home).map_err(|error| StoreError::io("making the home", error))
}

/// Makes a directory, or takes an existing one, and closes it to everyone else.
pub(crate) fn make_private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(DIR_MODE)
        .create(path)?;
    if fs::metadata(path)?.permissions().mode() & 0o777 != DIR_MODE {
        fs::set_permissions(path, Permissions::from_mode(DIR_MODE))?;
    }
    Ok(())
}

/// Writes a file so that after a crash there is either the old or the new one, whole.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path
        .parent()
        .ok_or_else(|| io::Error::other("a file of a home has a parent"))?;
    let fresh = path.with_extension("new");
    let written = write_synced(&fresh, bytes).and_then(|()| fs::rename(&fresh, path));
    if written.is_err() {
        // Whatever is left of it is of no use; the error to tell is the first one.
        drop(fs::remove_file(&fresh));
    }
    written?;
    sync_dir(directory)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(FILE_MODE)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the entries of a directory durable.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Why a home is not ours to use.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("another kith daemon is using this home: talk to it, or stop it first")]
    Held,
    /// There is no such directory.
    #[error("there is no home here: make one with `kith init`")]
    Missing,
    /// The lock file cannot be written.
    #[error(
        "the home cannot be written to: mount it writable, or give this user the right to write in it"
    )]
    ReadOnly,
    /// No space is left for the lock file.
    #[error("the disk is full: free some space and try again")]
    DiskFull,
    /// Locking failed for a reason of the operating system's.
    #[error("the home cannot be locked: {0}; check the disk and the rights of the home")]
    Io(io::Error),
}

impl From<io::Error> for LockError {
    fn from(error: io::Error) -> Self {
        match (error.kind(), IoMeaning::of(&error)) {
            (io::ErrorKind::NotFound, _) => Self::Missing,
            (_, IoMeaning::ReadOnly) => Self::ReadOnly,
            (_, IoMeaning::DiskFull) => Self::DiskFull,
            (_, IoMeaning::Other) => Self::Io(error),
        }
    }
}

/// The right to use a home, held as long as this lives. The kernel takes it back when the
/// process ends, however it ends.
#[derive(Debug)]
pub struct HomeLock {
    _file: File,
}

impl HomeLock {
    /// Takes the home, without waiting.
    ///
    /// # Errors
    /// [`LockError`]; `Held` while another process, or another lock in this one, has it.
    pub fn acquire(home: &Path) -> Result<Self, LockError> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(home.join(LOCK_FILE))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_home_is_its_owners_alone() {
        let parent = tempfile::tempdir().unwrap();
        let home = parent.path().join("a/home");
        prepare(&home).unwrap();
        assert_eq!(mode(&home), 0o700);
        fs::set_permissions(&home, Permissions::from_mode(0o755)).unwrap();
        prepare(&home).unwrap();
        assert_eq!(mode(&home), 0o700);
        let _lock = HomeLock::acquire(&home).unwrap();
        assert_eq!(mode(&home.join("lock")), 0o600);
    }

    #[test]
    fn a_home_has_one_holder_at_a_time() {
        let home = tempfile::tempdir().unwrap();
        let first = HomeLock::acquire(home.path()).unwrap();
        assert!(matches!(
            HomeLock::acquire(home.path()),
            Err(LockError::Held)
        ));
        drop(first);
        assert!(HomeLock::acquire(home.path()).is_ok());
    }

    #[test]
    fn a_home_that_is_not_there_is_named() {
        let home = tempfile::tempdir().unwrap();
        assert!(matches!(
            HomeLock::acquire(&home.path().join("no")),
            Err(LockError::Missing)
        ));
    }

    #[test]
    fn a_file_is_replaced_whole_and_privately() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("vault");
        write_atomically(&path, b"old").unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(mode(&path), 0o600);
        assert!(!home.path().join("vault.new").exists());
    }
}
