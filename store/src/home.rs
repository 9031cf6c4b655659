//! The directory that holds everything a node keeps, and the lock that gives it to one process.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::{IoMeaning, StoreError};

/// The name of the lock file in a home.
const LOCK_FILE: &str = "lock";
/// What else there may be in a home, beside the vault and the databases.
const OTHER_FILES: [&str; 5] = ["salvage", "stopped", "daemon.sock", DESTROYING, LOCK_FILE];
/// There while a home is being destroyed, so that what was cut off goes on, and while it is being
/// made of a backup, so that what was cut off is removed.
const DESTROYING: &str = "destroying";
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

/// The files of a directory whose names are wanted.
pub(crate) fn files(directory: &Path, wanted: impl Fn(&str) -> bool) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(&wanted) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Overwrites a file with zeros, unless it has another name by which somebody still uses it, and
/// removes this name.
pub(crate) fn overwrite(path: &Path) -> io::Result<()> {
    let meta = fs::metadata(path)?;
    if meta.nlink() == 1 {
        let mut file = OpenOptions::new().write(true).open(path)?;
        io::copy(&mut io::repeat(0).take(meta.len()), &mut file)?;
        file.flush()?;
        file.sync_all()?;
    }
    fs::remove_file(path)
}

/// Destroys a home: what opens it is overwritten first, the vault and then the keys, so that what
/// is left by a crash in between cannot be read by anybody. Files that are not a home's stay, and
/// so does the directory then. The home must not be open.
///
/// # Errors
/// [`StoreError::ReadOnly`] or [`StoreError::Io`]; it can be called again.
pub fn destroy(home: &Path, lock: HomeLock) -> Result<(), StoreError> {
    let failed = |error| StoreError::io("destroying the home", error);
    write_synced(&home.join(DESTROYING), &[]).map_err(failed)?;
    sync_dir(home).map_err(failed)?;
    for file in ["vault", "vault.new"] {
        gone(overwrite(&home.join(file))).map_err(failed)?;
    }
    sync_dir(home).map_err(failed)?;
    let keys = home.join("keys");
    for file in fs::read_dir(&keys).into_iter().flatten().flatten() {
        if file.file_type().is_ok_and(|kind| kind.is_file()) {
            // Of a file with two names the second is overwritten.
            gone(overwrite(&file.path())).map_err(failed)?;
        }
    }
    for directory in [keys, home.join("data")] {
        gone(fs::remove_dir_all(directory)).map_err(failed)?;
    }
    for file in OTHER_FILES {
        gone(fs::remove_file(home.join(file))).map_err(failed)?;
    }
    drop(lock);
    // It stays if somebody keeps something else in it.
    drop(fs::remove_dir(home));
    Ok(())
}

/// Notes that a home is in the making. Until [`complete_home`] a crash leaves what the next command
/// destroys.
///
/// # Errors
/// [`StoreError::ReadOnly`], [`StoreError::DiskFull`] or [`StoreError::Io`].
pub fn begin_home(home: &Path) -> Result<(), StoreError> {
    let written = write_synced(&home.join(DESTROYING), &[]).and_then(|()| sync_dir(home));
    written.map_err(|error| StoreError::io("making the home", error))
}

/// Notes that a home is whole.
///
/// # Errors
/// [`StoreError::ReadOnly`] or [`StoreError::Io`].
pub fn complete_home(home: &Path) -> Result<(), StoreError> {
    let removed = fs::remove_file(home.join(DESTROYING)).and_then(|()| sync_dir(home));
    removed.map_err(|error| StoreError::io("making the home", error))
}

/// Whether the destruction of a home was cut off, or its making: it is to be destroyed.
pub fn is_being_destroyed(home: &Path) -> bool {
    home.join(DESTROYING).exists()
}

/// Takes what is not there any more for removed.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
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

    #[test]
    fn a_home_is_destroyed_and_what_is_not_of_it_stays() {
        let parent = tempfile::tempdir().unwrap();
        let home = parent.path().join("home");
        for directory in ["keys", "data"] {
            fs::create_dir_all(home.join(directory)).unwrap();
        }
        for file in ["vault", "keys/1.sst", "data/2.sst", "stopped", "mine.txt"] {
            fs::write(home.join(file), "secret").unwrap();
        }
        let elsewhere = parent.path().join("elsewhere");
        fs::hard_link(home.join("keys/1.sst"), &elsewhere).unwrap();
        let open = File::open(home.join("vault")).unwrap();

        destroy(&home, HomeLock::acquire(&home).unwrap()).unwrap();

        let mut left = String::new();
        (&open).read_to_string(&mut left).unwrap();
        assert_eq!(left, "\0".repeat(6), "it was overwritten");
        assert_eq!(fs::read(&elsewhere).unwrap(), b"secret", "a backup is not");
        let names: Vec<_> = fs::read_dir(&home).unwrap().flatten().collect();
        assert_eq!(names.len(), 1, "{names:?}");
        fs::remove_file(home.join("mine.txt")).unwrap();
        destroy(&home, HomeLock::acquire(&home).unwrap()).unwrap();
        assert!(!home.exists());
    }
}
