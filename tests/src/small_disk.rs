//! A file system of its own, small and in memory, on which a home lies.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::home::Home;

/// A mounted file system. Dropping it unmounts it.
#[derive(Debug)]
pub struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// Mounts 48 MiB where a home is to be made. None without the right to mount.
    ///
    /// # Panics
    ///
    /// If the directory cannot be made.
    pub fn under(home: &Home) -> Option<Self> {
        fs::create_dir(home.path()).expect("the temporary directory is writable");
        Self::at(home.path())
    }

    /// Mounts 48 MiB at a directory. None without the right to mount.
    pub fn at(path: &Path) -> Option<Self> {
        let path = path.to_owned();
        let mounted = mount(&["-t", "tmpfs", "-o", "size=48m,mode=700", "tmpfs"], &path);
        mounted.then_some(Self { path })
    }

    /// Makes everything on it read-only, or writable again. What is open for writing keeps it
    /// from becoming read-only.
    ///
    /// # Panics
    ///
    /// If the system does not let us.
    pub fn read_only(&self, read_only: bool) {
        let option = if read_only {
            "remount,ro"
        } else {
            "remount,rw"
        };
        assert!(mount(&["-o", option], &self.path), "mount -o {option}");
    }

    /// Leaves no space at all, also where it was filled before.
    ///
    /// # Panics
    ///
    /// If something else than space runs out.
    pub fn fill(&self) {
        let ballast = File::options()
            .append(true)
            .create(true)
            .open(self.ballast());
        let mut ballast = ballast.expect("the disk is writable");
        for size in [1 << 20, 4 << 10, 1] {
            let error = loop {
                if let Err(error) = ballast.write_all(&vec![1; size]) {
                    break error;
                }
            };
            assert_eq!(error.kind(), ErrorKind::StorageFull);
        }
    }

    /// Takes out again what filled it.
    ///
    /// # Panics
    ///
    /// If it was not filled.
    pub fn free(&self) {
        fs::remove_file(self.ballast()).expect("the disk was filled");
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.path).status());
    }
}

fn mount(arguments: &[&str], path: &Path) -> bool {
    let output = Command::new("mount").args(arguments).arg(path).output();
    output.is_ok_and(|output| output.status.success())
}
