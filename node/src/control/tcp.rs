//! The loopback port: for programs that cannot speak over a Unix socket, and pages in a browser.
//!
//! Every user of the machine and every web page can connect to a loopback port, so a request
//! counts only with the token that the home's owner can read.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use getrandom::SysRng;
use kith_crdt::crypto::secret::Secret;
use kith_crdt::ids::{base32, from_base32};
use rand_core::UnwrapErr;
use tokio::net::{TcpListener, TcpStream};

use super::ControlError;
use super::guard::Guard;

/// The file in the home that holds the token.
const TOKEN_FILE: &str = "api-token";

/// A loopback port with its token.
#[derive(Debug)]
pub(super) struct LoopbackDoor {
    listener: TcpListener,
    address: SocketAddr,
    guard: Arc<Guard>,
}

impl LoopbackDoor {
    /// Listens on a loopback address.
    pub(super) fn open(home: &Path, address: SocketAddr) -> Result<Self, ControlError> {
        if !address.ip().is_loopback() {
            return Err(ControlError::NotLoopback(address));
        }
        let path = home.join(TOKEN_FILE);
        let token = token(&path).map_err(|source| ControlError::Token { path, source })?;
        let port = |source| ControlError::Port { address, source };
        let listener = listen(address).map_err(port)?;
        let address = listener.local_addr().map_err(port)?;
        Ok(Self {
            listener,
            address,
            guard: Arc::new(Guard::new(token, address.port())),
        })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same routes, behind the port's checks.
    pub(super) fn guard(&self, router: Router) -> Router {
        Guard::protect(&self.guard, router)
    }
}

/// The next connection to the port; never, if there is none.
pub(super) async fn accept(door: Option<&LoopbackDoor>) -> io::Result<TcpStream> {
    match door {
        Some(door) => door.listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Reads the token, or makes one if there is none that can be read.
fn token(path: &Path) -> io::Result<Secret> {
    let kept = match fs::read_to_string(path) {
        Ok(text) => parse_token(text.trim()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if let Some(token) = kept {
        return Ok(token);
    }
    let token = Secret::random(&mut UnwrapErr(SysRng));
    let beside = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    writeln!(file, "{}", base32(token.expose()))?;
    fs::rename(&beside, path)?;
    Ok(token)
}

/// Reads a token as it is kept and as clients send it.
pub(super) fn parse_token(text: &str) -> Option<Secret> {
    let bytes: [u8; 32] = from_base32(text)?.try_into().ok()?;
    Some(Secret::new(bytes))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn the_token_is_its_owner_s_and_stays_the_same() {
        let home = tempfile::tempdir().unwrap();
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        LoopbackDoor::open(home.path(), any_port).unwrap();
        let path = home.path().join(TOKEN_FILE);
        let first = fs::read_to_string(&path).unwrap();

        LoopbackDoor::open(home.path(), any_port).unwrap();

        assert_eq!(fs::read_to_string(&path).unwrap(), first);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn other_machines_are_not_served() {
        let home = tempfile::tempdir().unwrap();
        let refused = LoopbackDoor::open(home.path(), SocketAddr::from(([0, 0, 0, 0], 0)));
        assert!(matches!(refused, Err(ControlError::NotLoopback(_))));
    }
}
