//! HTTP over the home's socket: one request at a time on a connection, idle ones kept.

use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::error::ErrorBody;
use crate::socket::SocketAddress;
use crate::{ApiError, ErrorCode};

/// Bytes of an answer: a full page of the longest messages, every character escaped.
const ANSWER_MAX: usize = 64 * 1024 * 1024;
/// Connections kept open while nobody uses them.
const IDLE_MAX: usize = 8;

type Sender = SendRequest<Full<Bytes>>;

/// A request that is ready to be sent.
#[derive(Debug)]
pub(super) struct Call {
    method: Method,
    path: String,
    accept: &'static str,
    last_event: Option<u64>,
    body: Option<Vec<u8>>,
}

impl Call {
    pub(super) const fn new(method: Method, path: String) -> Self {
        Self {
            method,
            path,
            accept: "application/json",
            last_event: None,
            body: None,
        }
    }

    /// With a JSON body.
    pub(super) fn json(mut self, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("requests are plain data with text keys");
        self.body = Some(body);
        self
    }

    /// For a stream of events after `last_event`.
    pub(super) const fn events(mut self, last_event: Option<u64>) -> Self {
        self.accept = "text/event-stream";
        self.last_event = last_event;
        self
    }

    fn into_request(self) -> Result<Request<Full<Bytes>>, ApiError> {
        let mut request = Request::builder()
            .method(self.method)
            .uri(self.path)
            .header(HOST, "localhost")
            .header(ACCEPT, self.accept);
        if let Some(cursor) = self.last_event {
            request = request.header("last-event-id", cursor);
        }
        if self.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        request
            .body(Full::from(self.body.unwrap_or_default()))
            // Paths are escaped and headers are constant; only the length is anybody's.
            .map_err(|_| ApiError::limit("a name or id is at most some hundred characters"))
    }
}

/// The connections to one daemon.
#[derive(Debug)]
pub(super) struct Connections {
    socket: PathBuf,
    idle: Mutex<Vec<Sender>>,
}

impl Connections {
    pub(super) const fn new(socket: PathBuf) -> Self {
        Self {
            socket,
            idle: Mutex::new(Vec::new()),
        }
    }

    /// Asks, and reads the whole answer.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        call: Call,
        limit: Duration,
    ) -> Result<T, ApiError> {
        let exchange = async {
            let (response, sender) = self.send(call).await?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, ANSWER_MAX).collect().await;
            let body = body.map_err(|error| broken(&*error))?.to_bytes();
            self.keep(sender);
            read(parts.status, &body)
        };
        timeout(limit, exchange)
            .await
            .unwrap_or_else(|_| Err(too_slow(limit)))
    }

    /// Asks for a stream, on a connection of its own.
    pub(super) async fn stream(&self, call: Call, limit: Duration) -> Result<Incoming, ApiError> {
        let exchange = async {
            let (response, _sender) = self.send(call).await?;
            let (parts, body) = response.into_parts();
            if parts.status.is_success() {
                return Ok(body);
            }
            let body = Limited::new(body, ANSWER_MAX).collect().await;
            let body = body.map_err(|error| broken(&*error))?.to_bytes();
            Err(refusal(parts.status, &body))
        };
        timeout(limit, exchange)
            .await
            .unwrap_or_else(|_| Err(too_slow(limit)))
    }

    /// Sends on an idle connection if one is still open, or else on a new one. A request comes
    /// back unsent from a connection that the daemon has closed meanwhile, and goes out again.
    async fn send(&self, call: Call) -> Result<(Response<Incoming>, Sender), ApiError> {
        let mut request = call.into_request()?;
        while let Some(mut sender) = self.take_idle() {
            match sender.try_send_request(request).await {
                Ok(response) => return Ok((response, sender)),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(broken(error.error())),
                },
            }
        }
        let mut sender = self.open().await?;
        let response = sender.send_request(request).await;
        response
            .map(|response| (response, sender))
            .map_err(|error| broken(&error))
    }

    async fn open(&self) -> Result<Sender, ApiError> {
        let address = SocketAddress::of(&self.socket).map_err(|error| self.no_daemon(&error))?;
        let stream = UnixStream::connect(address.as_path())
            .await
            .map_err(|error| self.no_daemon(&error))?;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| broken(&error))?;
        tokio::spawn(async move {
            // How a connection ends is told to whoever waits for an answer on it.
            let _ended = connection.await;
        });
        Ok(sender)
    }

    fn take_idle(&self) -> Option<Sender> {
        let mut idle = self.idle.lock().expect("nothing panics while it is held");
        std::iter::from_fn(|| idle.pop()).find(|sender| !sender.is_closed())
    }

    fn keep(&self, sender: Sender) {
        let mut idle = self.idle.lock().expect("nothing panics while it is held");
        if idle.len() < IDLE_MAX && !sender.is_closed() {
            idle.push(sender);
        }
    }

    fn no_daemon(&self, error: &io::Error) -> ApiError {
        let socket = self.socket.display();
        match error.kind() {
            io::ErrorKind::PermissionDenied => ApiError::denied(format_args!(
                "the socket {socket} belongs to another user: run as that user, or choose another --home"
            )),
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ApiError::new(
                ErrorCode::NoDaemon,
                format_args!("no daemon serves this home ({socket}): start one with `kith daemon`"),
            ),
            _ => ApiError::new(
                ErrorCode::NoDaemon,
                format_args!("cannot connect to {socket}: {error}; is `kith daemon` running?"),
            ),
        }
    }
}

/// Reads an answer: what was asked for, or the error.
fn read<T: DeserializeOwned>(status: hyper::StatusCode, body: &[u8]) -> Result<T, ApiError> {
    if !status.is_success() {
        return Err(refusal(status, body));
    }
    let body = if body.is_empty() { b"null" } else { body };
    serde_json::from_slice(body).map_err(|error| {
        ApiError::other(format_args!(
            "the daemon's answer is not understood ({error}): run the same version of both"
        ))
    })
}

fn refusal(status: hyper::StatusCode, body: &[u8]) -> ApiError {
    serde_json::from_slice::<ErrorBody>(body).map_or_else(
        |_| ApiError::other(format_args!("the daemon answered {status}")),
        |body| body.error,
    )
}

fn broken(error: &(impl std::error::Error + ?Sized)) -> ApiError {
    ApiError::new(
        ErrorCode::NoDaemon,
        format_args!(
            "the daemon ended the connection before it answered ({error}): \
             see that `kith daemon` runs, then ask again"
        ),
    )
}

fn too_slow(limit: Duration) -> ApiError {
    ApiError::unreachable(format_args!(
        "the daemon did not answer within {limit:?}: see `kith status`, then ask again"
    ))
}
