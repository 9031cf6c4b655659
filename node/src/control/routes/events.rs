//! Events.

use axum::Extension;
use axum::extract::State;
use axum::response::IntoResponse;
use kith_api::error::ErrorBody;
use kith_api::event::{Event, EventsQuery};

use crate::control::answer::Refusal;
use crate::control::connection::Line;
use crate::control::request::InQuery;
use crate::control::sse::{LastEventId, stream};
use crate::handle::Node;

/// Events as they happen, after those since a cursor: server-sent events, whose ids are cursors.
#[utoipa::path(get, path = "/v1/events", tag = "events",
    params(
        EventsQuery,
        ("last-event-id" = Option<u64>, Header, description = "The last cursor seen; counts before `since`."),
    ),
    responses(
        (status = 200, body = Event, content_type = "text/event-stream"),
        (status = "default", body = ErrorBody),
    ))]
pub(in crate::control) async fn events(
    State(node): State<Node>,
    Extension(line): Extension<Line>,
    LastEventId(last): LastEventId,
    InQuery(mut query): InQuery<EventsQuery>,
) -> Result<impl IntoResponse, Refusal> {
    query.since = last.or(query.since);
    let events = node.events(query).await?;
    Ok(stream(events, line))
}
