//! Where a home's daemon listens, and how both sides name it.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// The file in the home on which the local API is served.
pub const SOCKET_FILE: &str = "daemon.sock";

/// Bytes of a path in a Unix socket address on Linux, its closing zero counted.
const ADDRESS_BYTES: usize = 108;

/// The path of the socket of a home.
pub fn socket_path(home: &Path) -> PathBuf {
    home.join(SOCKET_FILE)
}

/// A path that fits into a socket address and leads to a socket file.
///
/// A socket address holds a short path only. For a longer one the directory is held open and
/// named by its descriptor, so that a home may lie as deep as any other directory.
#[derive(Debug)]
pub struct SocketAddress {
    path: PathBuf,
    _directory: Option<File>,
}

impl SocketAddress {
    /// The address of the socket file at `path`; valid while the value lives.
    ///
    /// # Errors
    ///
    /// If the path is too long and its directory cannot be opened.
    pub fn of(path: &Path) -> io::Result<Self> {
        if path.as_os_str().len() < ADDRESS_BYTES {
            return Ok(Self {
                path: path.to_owned(),
                _directory: None,
            });
        }
        let (Some(parent), Some(file)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let directory = File::open(parent)?;
        let held = format!("/proc/self/fd/{}", directory.as_raw_fd());
        Ok(Self {
            path: Path::new(&held).join(file),
            _directory: Some(directory),
        })
    }

    /// The path to bind or to connect to.
    pub fn as_path(&self) -> &Path {
        &self.path
    }
}
