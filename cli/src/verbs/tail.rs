//! `kith tail`.

use clap::Args;
use kith_api::event::EventsQuery;

use crate::verbs::{Outcome, Session};

/// Prints events.
#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    /// Only what happens in this channel
    channel: Option<String>,
    /// Begin after the event with this cursor
    #[arg(long, value_name = "CURSOR")]
    since: Option<u64>,
}

impl Session {
    /// Prints events as they happen, until it is stopped. It outlives a restart of the daemon.
    pub(crate) async fn tail(&self, args: &TailArgs) -> Outcome {
        let query = EventsQuery {
            since: args.since,
            channel: args.channel.clone(),
        };
        let mut events = self.client.events(query).await?;
        loop {
            self.output.put(&events.next().await?)?;
        }
    }
}
