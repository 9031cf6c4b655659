//! Telling one listener: the durable events it has not seen, then everything as it happens, for
//! as long as it keeps up.

use std::time::Duration;

use kith_api::event::Event as ApiEvent;
use kith_crdt::ids::ChannelId;
use tokio::sync::{broadcast, mpsc, watch};

use super::Node;
use crate::engine::Moment;

/// Durable events read at a time.
const EVENTS_PAGE: usize = 256;
/// How long a listener may take for one event before it is let go. It can resume with its cursor.
const SLOW_LISTENER: Duration = Duration::from_secs(10);

/// One listener's way through the events.
pub(super) struct Teller {
    pub(super) node: Node,
    pub(super) only: Option<ChannelId>,
    pub(super) since: u64,
    pub(super) listener: mpsc::Sender<ApiEvent>,
}

impl Teller {
    pub(super) async fn run(
        mut self,
        mut newest: watch::Receiver<u64>,
        mut moments: broadcast::Receiver<Moment>,
    ) {
        if !self.catch_up().await {
            return;
        }
        loop {
            let told = tokio::select! {
                changed = newest.changed() => changed.is_ok() && self.catch_up().await,
                moment = moments.recv() => match moment {
                    Ok(moment) => self.tell_moment(&moment).await,
                    Err(broadcast::error::RecvError::Lagged(_)) => true,
                    Err(broadcast::error::RecvError::Closed) => false,
                },
                () = self.listener.closed() => false,
            };
            if !told {
                return;
            }
        }
    }

    /// Tells all durable events there are. Returns whether to go on.
    async fn catch_up(&mut self) -> bool {
        loop {
            // What is committed but not yet shared would be told by an old picture.
            let newest = *self.node.0.newest.borrow();
            let (events, next) =
                self.node
                    .reading()
                    .events(self.since, newest, EVENTS_PAGE, self.only.as_ref());
            if next == self.since {
                return true;
            }
            for event in events {
                if !self.tell(event).await {
                    return false;
                }
            }
            self.since = next;
        }
    }

    async fn tell_moment(&self, moment: &Moment) -> bool {
        let channel = match moment {
            Moment::Typing { channel, .. }
            | Moment::Presence { channel, .. }
            | Moment::Sync { channel, .. } => Some(channel),
            Moment::Peer { .. } => None,
        };
        if self.only.as_ref().is_some_and(|only| channel != Some(only)) {
            return true;
        }
        match self.node.reading().moment(moment) {
            Some(event) => self.tell(event).await,
            None => true,
        }
    }

    async fn tell(&self, event: ApiEvent) -> bool {
        matches!(
            tokio::time::timeout(SLOW_LISTENER, self.listener.send(event)).await,
            Ok(Ok(()))
        )
    }
}
