//! Somebody's screen, watched: what the daemon's event stream says, and when.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use kith_api::ApiError;
use kith_api::client::EventStream;
use kith_api::event::{Event, Happened};
use kith_api::id::MessageId;
use kith_api::message::DeliveryState;

/// How long something may take to be seen.
const PATIENCE: Duration = Duration::from_secs(30);
/// Events kept that nobody has asked for yet.
const KEPT_MAX: usize = 1_024;

/// A watched stream of events. What comes before it is asked for is kept.
pub(super) struct Witness {
    name: &'static str,
    events: EventStream,
    kept: VecDeque<(Instant, Event)>,
}

impl Witness {
    pub(super) const fn new(name: &'static str, events: EventStream) -> Self {
        Self {
            name,
            events,
            kept: VecDeque::new(),
        }
    }

    /// Waits for a message to appear.
    pub(super) async fn message(&mut self, id: MessageId) -> Result<Instant, ApiError> {
        self.until(
            "the message",
            |what| matches!(what, Happened::Message { message, .. } if message.id == id),
        )
        .await
    }

    /// Waits for a message to say something else.
    pub(super) async fn edit(&mut self, id: MessageId) -> Result<Instant, ApiError> {
        self.until(
            "the edit",
            |what| matches!(what, Happened::MessageEdited { message, .. } if message.id == id),
        )
        .await
    }

    /// Waits for a reaction to a message.
    pub(super) async fn reaction(&mut self, id: MessageId) -> Result<Instant, ApiError> {
        self.until(
            "the reaction",
            |what| matches!(what, Happened::Reaction { id: to, .. } if *to == id),
        )
        .await
    }

    /// Waits for a message to have come so far.
    pub(super) async fn state(
        &mut self,
        id: MessageId,
        wanted: DeliveryState,
    ) -> Result<Instant, ApiError> {
        self.until(wanted.name(), |what| {
            matches!(what, Happened::State { id: of, state, .. } if *of == id && *state == wanted)
        })
        .await
    }

    /// Waits for the first event of a kind and says when it came.
    async fn until(
        &mut self,
        what: &str,
        is_it: impl Fn(&Happened) -> bool,
    ) -> Result<Instant, ApiError> {
        if let Some(at) = self.kept.iter().position(|(_, event)| is_it(&event.what)) {
            let (when, _) = self.kept.remove(at).expect("it has just been found there");
            return Ok(when);
        }
        let found = async {
            loop {
                let event = self.events.next().await?;
                let now = Instant::now();
                if is_it(&event.what) {
                    return Ok(now);
                }
                if self.kept.len() == KEPT_MAX {
                    self.kept.pop_front();
                }
                self.kept.push_back((now, event));
            }
        };
        let name = self.name;
        tokio::time::timeout(PATIENCE, found)
            .await
            .unwrap_or_else(|_| {
                let seconds = PATIENCE.as_secs();
                Err(ApiError::unreachable(format_args!(
                    "{name} has not seen {what} within {seconds} seconds"
                )))
            })
    }
}
