//! Telling one listener: the durable events it has not seen, then everything as it happens, for
//! as long as it keeps up.

use std::collections::BTreeMap;
use std::time::Duration;

use kith_api::event::Event as ApiEvent;
use kith_crdt::ids::{ChannelId, DeviceId};
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
    pub(super) present: Presence,
}

/// What one listener was told of who is there.
#[derive(Debug, Default)]
pub(super) struct Presence(BTreeMap<DeviceId, bool>);

impl Presence {
    /// Whether this is news. Signs of life come in every channel, again and again; only a change
    /// is worth a word, and that somebody is not there whom nobody had called there is none.
    fn is_news(&mut self, device: DeviceId, present: bool) -> bool {
        self.0.insert(device, present).unwrap_or(false) != present
    }
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

    async fn tell_moment(&mut self, moment: &Moment) -> bool {
        let channel = match moment {
            Moment::Typing { channel, .. }
            | Moment::Presence { channel, .. }
            | Moment::Sync { channel, .. } => Some(channel),
            Moment::Peer { .. } => None,
        };
        if self.only.as_ref().is_some_and(|only| channel != Some(only)) {
            return true;
        }
        if let Moment::Presence {
            device, present, ..
        } = moment
            && !self.present.is_news(*device, *present)
        {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presence_is_told_once_for_each_change() {
        let (ana, ben) = (DeviceId([1; 32]), DeviceId([2; 32]));
        let mut presence = Presence::default();
        let heard = [
            (ana, true),
            (ana, true),
            (ben, false),
            (ana, false),
            (ana, false),
            (ana, true),
        ];
        let news = heard.map(|(device, present)| presence.is_news(device, present));
        assert_eq!(news, [true, false, false, true, false, true]);
    }
}
