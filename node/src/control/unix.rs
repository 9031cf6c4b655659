//! The home's Unix socket: made so that only its owner can connect, and checked again on connect.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use kith_api::socket::{SocketAddress, socket_path};
use rustix::process::geteuid;
use tokio::net::{UnixListener, UnixStream};

use super::ControlError;

/// The socket; its file goes when this is dropped.
#[derive(Debug)]
pub(super) struct UnixDoor {
    listener: UnixListener,
    path: PathBuf,
}

impl UnixDoor {
    /// Makes the socket of a home.
    pub(super) fn open(home: &Path) -> Result<Self, ControlError> {
        let path = socket_path(home);
        match listen(&path) {
            Ok(listener) => Ok(Self { listener, path }),
            Err(source) => Err(ControlError::Socket { path, source }),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The next connection of this user. The file's mode keeps others out already; the kernel's
    /// word on who connected holds even where a mode does not.
    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            if stream.peer_cred()?.uid() == geteuid().as_raw() {
                return Ok(stream);
            }
            tracing::warn!("another user's connection to the API was refused");
        }
    }
}

impl Drop for UnixDoor {
    fn drop(&mut self) {
        // What cannot be removed is stale, and the next daemon replaces it.
        let _removed = fs::remove_file(&self.path);
    }
}

/// Binds beside the path, takes the rights away, and only then gives the socket its name: nobody
/// can connect before the mode is right, and no process-wide mask has to change for it.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let beside = path.with_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(SocketAddress::of(&beside)?.as_path())?;
    fs::set_permissions(&beside, Permissions::from_mode(0o600))?;
    fs::rename(&beside, path)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stale_socket_is_replaced_by_one_that_only_its_owner_may_use() {
        let home = tempfile::tempdir().unwrap();
        drop(listen(&socket_path(home.path())).unwrap());
        assert!(socket_path(home.path()).exists());

        let door = UnixDoor::open(home.path()).unwrap();

        let mode = fs::metadata(door.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let (accepted, connected) = tokio::join!(door.accept(), UnixStream::connect(door.path()));
        assert!(accepted.is_ok() && connected.is_ok());
    }

    #[tokio::test]
    async fn the_socket_goes_with_its_daemon() {
        let home = tempfile::tempdir().unwrap();
        drop(UnixDoor::open(home.path()).unwrap());
        assert!(!socket_path(home.path()).exists());
    }
}
