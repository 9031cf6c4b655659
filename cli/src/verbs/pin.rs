//! `kith pin` and `kith pins`.

use clap::Args;

use crate::args::reference;
use crate::verbs::{Outcome, Session};

/// Pins a message.
#[derive(Debug, Args)]
pub(crate) struct PinArgs {
    /// The message
    #[arg(value_parser = reference())]
    id: String,
    /// Unpin it
    #[arg(long)]
    remove: bool,
}

/// Names a channel.
#[derive(Debug, Args)]
pub(crate) struct PinsArgs {
    /// The channel
    #[arg(value_parser = reference())]
    channel: String,
}

impl Session {
    /// Pins a message, or unpins it.
    pub(crate) async fn pin(&self, args: &PinArgs) -> Outcome {
        let message = self.client.pin(&args.id, !args.remove);
        self.output.put(&message.await?)
    }

    /// Lists the pinned messages of a channel.
    pub(crate) async fn pins(&self, args: &PinsArgs) -> Outcome {
        self.output
            .put_each(&self.client.pins(&args.channel).await?)
    }
}
