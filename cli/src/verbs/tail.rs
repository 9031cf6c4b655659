//! `kith tail`.

use std::collections::BTreeMap;

use clap::Args;
use kith_api::Client;
use kith_api::event::{Event, EventsQuery, Happened};
use kith_api::id::ChannelId;

use crate::args::reference;
use crate::output::event::Located;
use crate::verbs::{Outcome, Session};

/// Prints events.
#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    /// Only what happens in this channel
    #[arg(value_parser = reference())]
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
        let mut names = Names::default();
        let mut events = self.client.events(query).await?;
        loop {
            let event = events.next().await?;
            let one = args.channel.is_some() || self.output.is_json();
            match event.what.channel().filter(|_| !one) {
                Some(channel) => {
                    let name = names.of(&self.client, channel, &event).await;
                    self.output.put(&Located {
                        event: &event,
                        channel: &name,
                    })?;
                }
                None => self.output.put(&event)?,
            }
        }
    }
}

/// The names of the channels that events were in.
#[derive(Debug, Default)]
struct Names(BTreeMap<ChannelId, String>);

impl Names {
    /// The name of the channel that an event is in; the beginning of its id where there is none.
    async fn of(&mut self, client: &Client, channel: ChannelId, event: &Event) -> String {
        if let Happened::Policy { name, .. } = &event.what {
            self.0.insert(channel, name.clone());
        }
        if !self.0.contains_key(&channel) {
            // Without an answer there is still the id.
            let channels = client.channels().await.unwrap_or_default();
            let named = channels.into_iter().map(|summary| summary.facts);
            self.0
                .extend(named.map(|facts| (facts.channel, facts.name)));
        }
        match self.0.get(&channel) {
            Some(name) => format!("#{name}"),
            None => channel.to_string().chars().take(8).collect(),
        }
    }
}
