//! A stream of events that outlives its connections and a restart of the daemon.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::Incoming;
use tokio::time::{Instant, sleep, timeout};

use super::connection::{Call, Connections};
use super::path::Query;
use super::sse::Decoder;
use crate::event::{Event, EventsQuery};
use crate::{ApiError, ErrorCode};

/// How long the daemon may take to begin a stream.
const BEGIN: Duration = Duration::from_secs(30);
/// How long a stream may be silent: three of the daemon's signs of life.
const SILENCE: Duration = Duration::from_secs(45);
/// How long a daemon that went away is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Before an attempt to reach it again, at first and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Events as they happen. Durable ones come exactly once and in order, whatever happens to the
/// connection; those of the moment may be lost with it.
#[derive(Debug)]
pub struct EventStream {
    connections: Arc<Connections>,
    query: EventsQuery,
    decoder: Decoder,
    body: Option<Incoming>,
}

impl EventStream {
    pub(super) async fn open(
        connections: Arc<Connections>,
        query: EventsQuery,
    ) -> Result<Self, ApiError> {
        let mut stream = Self {
            connections,
            query,
            decoder: Decoder::default(),
            body: None,
        };
        stream.connect().await?;
        Ok(stream)
    }

    /// The cursor of the last durable event that [`Self::next`] returned, or the one at which the
    /// stream began, once the daemon has said it.
    pub const fn cursor(&self) -> Option<u64> {
        self.query.since
    }

    /// The next event.
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    ///
    /// If the daemon has gone away and does not come back within a minute, or if it refuses.
    pub async fn next(&mut self) -> Result<Event, ApiError> {
        loop {
            if let Some(event) = self.decoded()? {
                return Ok(event);
            }
            let Some(body) = &mut self.body else {
                self.reconnect().await?;
                continue;
            };
            match timeout(SILENCE, body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    if let Some(bytes) = frame.data_ref() {
                        self.decoder.feed(bytes);
                    }
                }
                Ok(Some(Err(_)) | None) | Err(_) => self.body = None,
            }
        }
    }

    /// The next event among the bytes that are here.
    fn decoded(&mut self) -> Result<Option<Event>, ApiError> {
        loop {
            let frame = match self.decoder.next() {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(None),
                Err(error) => return Err(ApiError::other(error)),
            };
            if let Some(cursor) = frame.id.and_then(|id| id.parse().ok()) {
                self.query.since = Some(cursor);
            }
            if let Some(data) = frame.data {
                return serde_json::from_str(&data).map(Some).map_err(|error| {
                    ApiError::other(format_args!(
                        "an event is not understood ({error}): run the same version of both"
                    ))
                });
            }
        }
    }

    async fn connect(&mut self) -> Result<(), ApiError> {
        let path = Query::new("/v1/events".into()).with("channel", self.query.channel.as_deref());
        let call = Call::new(Method::GET, path.into()).events(self.query.since);
        self.decoder = Decoder::default();
        self.body = Some(self.connections.stream(call, BEGIN).await?);
        Ok(())
    }

    /// Connects again, for as long as nobody is there to answer and patience lasts.
    async fn reconnect(&mut self) -> Result<(), ApiError> {
        let give_up = Instant::now() + PATIENCE;
        let (mut pause, longest) = PAUSE;
        loop {
            sleep(pause).await;
            match self.connect().await {
                Err(error) if error.code == ErrorCode::NoDaemon && Instant::now() < give_up => {
                    pause = (pause * 2).min(longest);
                }
                outcome => return outcome,
            }
        }
    }
}
