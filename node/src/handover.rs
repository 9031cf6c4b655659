//! The mark that a daemon leaves when it has stopped in order, and the next one takes away.
//!
//! It says which run it was, and which file it is itself: inode and time of birth. So it is there
//! only if nothing has happened to the home since: not after a crash, and not in a copy or a
//! backup that was put back, whatever tool did it, because that makes another file or leaves the
//! words of an older one in this. What goes back without a trace, a disk set back as a whole, the
//! other members' nodes tell (see `engine::incarnation`).
//!
//! On the disk: run (32 bytes) ‖ inode (u64) ‖ birth in nanoseconds since 1970 (u128), big-endian.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::engine::{Run, Runs};

/// Its name in the home.
const NAME: &str = "stopped";
/// Bytes of inode and birth.
const SELF_LEN: usize = 24;

/// What the mark says of the run before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// It stopped in order, and nothing has happened to the home since.
    Stopped(Run),
    /// It stopped in order, and this is a copy of the home that it left.
    Copied,
    /// There is no mark, or a torn one.
    Unknown,
}

impl Before {
    /// The runs of a home, of which `this` begins.
    pub(crate) const fn followed_by(self, this: Run) -> Runs {
        Runs {
            this,
            before: match self {
                Self::Stopped(run) => Some(run),
                Self::Copied | Self::Unknown => None,
            },
            copied: matches!(self, Self::Copied),
        }
    }
}

/// Takes the mark away, and says what it tells.
///
/// # Errors
/// What keeps it from being removed: going on would leave it for a later start to believe.
pub(crate) fn take(home: &Path) -> io::Result<Before> {
    let path = home.join(NAME);
    let read = || {
        let bytes = fs::read(&path).ok()?;
        let (run, itself) = bytes.split_first_chunk::<32>()?;
        let file = fs::metadata(&path).ok()?;
        let itself: &[u8; SELF_LEN] = itself.try_into().ok()?;
        Some(match *itself == identity(&file) {
            true => Before::Stopped(Run(*run)),
            false => Before::Copied,
        })
    };
    let before = read();
    match fs::remove_file(&path) {
        Ok(()) => File::open(home)?.sync_all()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(before.unwrap_or(Before::Unknown))
}

/// Leaves the mark of a run.
///
/// # Errors
/// What keeps it from being written; the next start then takes the home for crashed.
pub(crate) fn leave(home: &Path, run: &Run) -> io::Result<()> {
    let path = home.join(NAME);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let itself = identity(&file.metadata()?);
    file.write_all(&[&run.0[..], &itself].concat())?;
    file.sync_all()?;
    File::open(home)?.sync_all()
}

fn identity(file: &Metadata) -> [u8; SELF_LEN] {
    let born = file.created().ok();
    let born = born.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let nanos = born.map_or(0, |born| born.as_nanos());
    let mut bytes = [0; SELF_LEN];
    bytes[..8].copy_from_slice(&file.ino().to_be_bytes());
    bytes[8..].copy_from_slice(&nanos.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: Run = Run([7; 32]);

    #[test]
    fn it_is_taken_once() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(take(home.path()).unwrap(), Before::Unknown);
        leave(home.path(), &RUN).unwrap();
        assert_eq!(take(home.path()).unwrap(), Before::Stopped(RUN));
        assert_eq!(take(home.path()).unwrap(), Before::Unknown);
    }

    #[test]
    fn it_moves_with_its_home_and_is_nothing_in_a_copy() {
        let place = tempfile::tempdir().unwrap();
        let [here, there, copy] = ["here", "there", "copy"].map(|name| place.path().join(name));
        fs::create_dir(&here).unwrap();
        leave(&here, &RUN).unwrap();
        fs::create_dir(&copy).unwrap();
        fs::copy(here.join(NAME), copy.join(NAME)).unwrap();
        fs::rename(&here, &there).unwrap();
        assert_eq!(take(&there).unwrap(), Before::Stopped(RUN));
        assert_eq!(take(&copy).unwrap(), Before::Copied);
    }

    #[test]
    fn the_words_of_an_older_one_written_over_it_are_not_believed() {
        let home = tempfile::tempdir().unwrap();
        leave(home.path(), &RUN).unwrap();
        let older = fs::read(home.path().join(NAME)).unwrap();
        take(home.path()).unwrap();
        // So that the next one is another file even where inodes are used again at once.
        fs::write(home.path().join("other"), b"").unwrap();
        leave(home.path(), &Run([8; 32])).unwrap();
        fs::write(home.path().join(NAME), older).unwrap();
        assert_eq!(take(home.path()).unwrap(), Before::Copied);
    }

    #[test]
    fn a_torn_one_is_not_believed() {
        let home = tempfile::tempdir().unwrap();
        leave(home.path(), &RUN).unwrap();
        let bytes = fs::read(home.path().join(NAME)).unwrap();
        let file = OpenOptions::new()
            .write(true)
            .open(home.path().join(NAME))
            .unwrap();
        file.set_len(bytes.len() as u64 - 1).unwrap();
        assert_eq!(take(home.path()).unwrap(), Before::Unknown);
    }
}
