//! Events as a stream of server-sent events.
//!
//! A durable event's id is its cursor. The stream begins with the cursor it begins at, alone, so
//! that a client which breaks off before its first durable event can go on from there as well.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::sse::{Event as Frame, KeepAlive, Sse};
use kith_api::ApiError;
use kith_api::event::Event;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;

use super::answer::Refusal;
use super::connection::Line;
use crate::handle::Events;

/// Between signs of life on a silent stream.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// How long a client may leave events unread before it is hung up on. It loses nothing: it may
/// come back with its last cursor.
const UNREAD_TIME: Duration = Duration::from_secs(30);
/// Events on their way to a client beside what the socket holds.
const UNREAD_MAX: usize = 64;

type Frames = ReceiverStream<Result<Frame, Infallible>>;

/// The cursor that a client which comes back has seen last.
pub(super) struct LastEventId(pub(super) Option<u64>);

impl<S: Sync> FromRequestParts<S> for LastEventId {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let Some(value) = parts.headers.get("last-event-id") else {
            return Ok(Self(None));
        };
        let cursor = value.to_str().ok().and_then(|text| text.parse().ok());
        cursor.map(|cursor| Self(Some(cursor))).ok_or_else(|| {
            ApiError::usage("the Last-Event-ID header is not a cursor: send the last event's id")
                .into()
        })
    }
}

/// Streams events until the client leaves, the node or the daemon stops, or nobody reads.
pub(super) fn stream(
    events: Events,
    line: Line,
) -> Sse<impl futures::Stream<Item = Result<Frame, Infallible>>> {
    let (frames, unread) = mpsc::channel(UNREAD_MAX);
    tokio::spawn(pump(events, frames, line, UNREAD_TIME));
    Sse::new(Frames::new(unread)).keep_alive(KeepAlive::new().interval(SIGN_OF_LIFE))
}

/// Passes events on for as long as somebody takes each of them within `patience`.
async fn pump(
    mut events: Events,
    frames: mpsc::Sender<Result<Frame, Infallible>>,
    mut line: Line,
    patience: Duration,
) {
    let mut next = Some(Frame::default().id(events.start.to_string()));
    while let Some(frame) = next {
        match timeout(patience, frames.send(Ok(frame))).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_) => {
                line.hang_up();
                return;
            }
        }
        next = tokio::select! {
            event = events.events.recv() => event.as_ref().map(frame_of),
            () = line.stopped() => None,
            () = frames.closed() => None,
        };
    }
}

fn frame_of(event: &Event) -> Frame {
    let data = serde_json::to_string(event).expect("events are plain data with text keys");
    let frame = Frame::default().data(data);
    match event.cursor {
        Some(cursor) => frame.id(cursor.to_string()),
        None => frame,
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::response::IntoResponse;
    use kith_api::event::Happened;
    use tokio::sync::watch;

    use super::*;

    fn event(cursor: Option<u64>) -> Event {
        Event {
            cursor,
            what: Happened::Peer {
                device: None,
                account: None,
                name: None,
                address: "/ip4/192.0.2.1/tcp/1".into(),
                connected: true,
            },
        }
    }

    fn events(start: u64, list: Vec<Event>) -> Events {
        let (sender, events) = mpsc::channel(list.len().max(1));
        for event in list {
            sender.try_send(event).unwrap();
        }
        Events { start, events }
    }

    #[tokio::test]
    async fn a_stream_begins_with_its_cursor_and_names_each_durable_event() {
        let (_running, stopped) = watch::channel(false);
        let events = events(40, vec![event(None), event(Some(41))]);

        let response = stream(events, Line::new(stopped)).into_response();
        let body = to_bytes(response.into_body(), 4096).await.unwrap();

        let body = String::from_utf8(body.to_vec()).unwrap();
        let frames: Vec<&str> = body.split_terminator("\n\n").collect();
        assert_eq!(frames[0], "id: 40");
        assert!(frames[1].starts_with("data: {\"event\":\"peer\""));
        assert!(frames[2].contains("data: {\"cursor\":41,") && frames[2].contains("id: 41"));
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_hung_up_on() {
        let (_running, stopped) = watch::channel(false);
        let line = Line::new(stopped);
        let (frames, _unread) = mpsc::channel(1);

        let events = events(40, vec![event(Some(41))]);
        tokio::spawn(pump(events, frames, line.clone(), Duration::from_millis(1)));

        line.hung_up().await;
    }

    #[tokio::test]
    async fn a_stream_ends_when_the_daemon_stops() {
        let (running, stopped) = watch::channel(false);
        let (_open, events) = mpsc::channel(1);

        let response = stream(Events { start: 1, events }, Line::new(stopped)).into_response();
        running.send_replace(true);

        let body = to_bytes(response.into_body(), 4096).await.unwrap();
        assert_eq!(&body[..], b"id: 1\n\n");
    }
}
