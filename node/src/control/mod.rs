//! The local API: HTTP over the home's Unix socket, and over a loopback port if asked for.
//!
//! It decides nothing about channels and messages: every request becomes one call of the
//! [`Node`] handle. It decides who may ask at all (the socket's owner; on the port, whoever holds
//! the token and is no other site's page) and how much of it (sizes, times, connections).

mod answer;
mod connection;
mod crowd;
mod guard;
mod idempotency;
mod openapi;
mod request;
mod routes;
mod sse;
mod tcp;
mod unix;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use self::connection::{Line, serve_connection};
use self::crowd::Crowd;
use self::tcp::LoopbackDoor;
use self::unix::UnixDoor;
use crate::handle::Node;

/// Connections served at once: every client keeps a few, and each costs two buffers.
const CONNECTIONS_MAX: usize = 256;
/// How long running requests may take to end when the daemon stops.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
/// How long to wait after the system had no descriptor left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where the local API is served.
#[derive(Debug, Clone)]
pub struct ControlConfig {
    /// The home, whose lock the caller holds.
    pub home: PathBuf,
    /// A loopback address to serve on as well; port 0 for any.
    pub tcp: Option<SocketAddr>,
}

/// Says why the local API cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The socket cannot be made.
    #[error(
        "cannot serve the local API on {}: {source}; see that the home can be written to",
        path.display()
    )]
    Socket {
        /// The socket's path.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The address is reachable from other machines.
    #[error("{0} is not a loopback address: the local API is served on 127.0.0.1 or [::1] only")]
    NotLoopback(SocketAddr),
    /// The port cannot be listened on.
    #[error("cannot serve the local API on {address}: {source}; choose another port")]
    Port {
        /// The address that was asked for.
        address: SocketAddr,
        /// The reason.
        source: io::Error,
    },
    /// The token for the port cannot be kept.
    #[error(
        "cannot keep the API's token in {}: {source}; see that the home can be written to",
        path.display()
    )]
    Token {
        /// The token's path.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

/// Somebody who has come through one of the doors.
enum Caller {
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// The doors of the local API, open but not yet served.
#[derive(Debug)]
pub struct Control {
    unix: UnixDoor,
    loopback: Option<LoopbackDoor>,
}

impl Control {
    /// Opens the home's socket and, if asked for, the loopback port.
    ///
    /// The caller holds the home's lock, so a socket that is already there is a dead daemon's and
    /// is replaced. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// If the socket, the port or the port's token cannot be made.
    pub fn bind(config: &ControlConfig) -> Result<Self, ControlError> {
        let loopback = config
            .tcp
            .map(|address| LoopbackDoor::open(&config.home, address));
        Ok(Self {
            loopback: loopback.transpose()?,
            unix: UnixDoor::open(&config.home)?,
        })
    }

    /// The path of the socket.
    pub fn socket(&self) -> &Path {
        self.unix.path()
    }

    /// The address of the loopback port, if it is served.
    pub fn tcp(&self) -> Option<SocketAddr> {
        self.loopback.as_ref().map(LoopbackDoor::address)
    }

    /// Serves until `stop` resolves. Then streams end, running requests get a few seconds to
    /// end, and the socket is removed.
    pub async fn serve(self, node: Node, stop: impl Future<Output = ()>) {
        let (stopping, stopped) = watch::channel(false);
        let mut connections = JoinSet::new();
        self.accept_until(stop, &routes::router(node), &stopped, &mut connections)
            .await;
        stopping.send_replace(true);
        let all_ended = async { while connections.join_next().await.is_some() {} };
        if timeout(LAST_ANSWERS, all_ended).await.is_err() {
            tracing::warn!("some API connections did not end in time and were cut");
        }
    }

    async fn accept_until(
        &self,
        stop: impl Future<Output = ()>,
        router: &Router,
        stopped: &watch::Receiver<bool>,
        connections: &mut JoinSet<()>,
    ) {
        let guarded = self
            .loopback
            .as_ref()
            .map(|door| door.guard(router.clone()));
        let crowd = Crowd::new(CONNECTIONS_MAX);
        let mut stop = pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => return,
                Some(_) = connections.join_next() => continue,
                stream = self.unix.accept() => stream.map(Caller::Unix),
                stream = tcp::accept(self.loopback.as_ref()) => stream.map(Caller::Tcp),
            };
            let caller = match accepted {
                Ok(caller) => caller,
                Err(error) => {
                    tracing::warn!(%error, "an API connection was not accepted");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            tokio::select! {
                () = &mut stop => return,
                () = crowd.room() => {}
            }
            let line = Line::new(stopped.clone());
            let place = crowd.admit(line.clone());
            match caller {
                Caller::Unix(stream) => {
                    connections.spawn(serve_connection(stream, router.clone(), line, place));
                }
                Caller::Tcp(stream) => {
                    let router = guarded.clone().unwrap_or_default();
                    connections.spawn(serve_connection(stream, router, line, place));
                }
            }
        }
    }
}
