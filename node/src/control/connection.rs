//! One connection: served with time limits, hung up on when its client stops reading.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, watch};

use super::crowd::{Busy, Place};

/// How long the head of a request may take to arrive, and how long a connection may idle.
const HEAD_TIME: Duration = Duration::from_secs(60);
/// Bytes of buffer, and so of a request's head.
const BUFFER_MAX: usize = 64 * 1024;

/// What a handler knows of the connection that it answers on.
#[derive(Debug, Clone)]
pub(super) struct Line {
    hung_up: Arc<Notify>,
    stopped: watch::Receiver<bool>,
}

impl Line {
    pub(super) fn new(stopped: watch::Receiver<bool>) -> Self {
        Self {
            hung_up: Arc::new(Notify::new()),
            stopped,
        }
    }

    /// Ends the connection at once, whatever its client has yet to read.
    pub(super) fn hang_up(&self) {
        self.hung_up.notify_one();
    }

    /// Resolves when [`Self::hang_up`] has been called.
    pub(super) async fn hung_up(&self) {
        self.hung_up.notified().await;
    }

    /// Resolves when the daemon stops.
    pub(super) async fn stopped(&mut self) {
        // A watch whose sender is gone means the same.
        let _stopped = self.stopped.wait_for(|stopped| *stopped).await;
    }
}

/// Serves one connection until its client leaves, or until the daemon stops and the request that
/// runs has been answered.
pub(super) async fn serve_connection<S>(stream: S, router: Router, mut line: Line, place: Place)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let told = line.clone();
    let place = Arc::new(place);
    let routes = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        let busy = place.begin();
        request.extensions_mut().insert(told.clone());
        let answered = routes.call(request.map(Body::new));
        async move {
            let answer = answered.await?;
            Ok::<_, Infallible>(answer.map(|body| until_sent(body, busy)))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(BUFFER_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let hung_up = line.clone();
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = hung_up.hung_up() => return,
        () = line.stopped() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                served = connection => served,
                () = hung_up.hung_up() => return,
            }
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "an API connection broke");
    }
}

/// The same body, which keeps its connection busy until it is sent or given up.
fn until_sent(body: Body, busy: Busy) -> Body {
    Body::new(body.map_frame(move |frame| {
        let _busy = &busy;
        frame
    }))
}

#[cfg(test)]
mod tests {
    use axum::Extension;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;
    use crate::control::crowd::Crowd;

    async fn serve(server: tokio::io::DuplexStream, router: Router, line: Line) {
        let place = Crowd::new(1).admit(line.clone());
        serve_connection(server, router, line, place).await;
    }

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    #[tokio::test]
    async fn a_running_request_is_answered_although_the_daemon_stops() {
        let (running, stopped) = watch::channel(false);
        let stop = Arc::new(running);
        let router = Router::new().route(
            "/",
            get(async move || {
                stop.send_replace(true);
                tokio::task::yield_now().await;
                "done"
            }),
        );
        let (mut client, server) = duplex(4096);
        let served = tokio::spawn(serve(server, router, Line::new(stopped)));

        client.write_all(REQUEST).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();

        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"));
        served.await.unwrap();
    }

    #[tokio::test]
    async fn a_connection_that_is_hung_up_on_ends_unanswered() {
        let (_running, stopped) = watch::channel(false);
        let router = Router::new().route(
            "/",
            get(async |Extension(line): Extension<Line>| {
                line.hang_up();
                std::future::pending::<()>().await;
            }),
        );
        let (mut client, server) = duplex(4096);
        tokio::spawn(serve(server, router, Line::new(stopped)));

        client.write_all(REQUEST).await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();

        assert!(answer.is_empty());
    }
}
