//! What is done with one message: `kith show`, `react`, `edit`, `history`, `delete`; and
//! `kith typing`, which is done before there is one.

use clap::Args;
use kith_api::message::{DeleteQuery, EditMessage};

use crate::args::reference;
use crate::input::text_or_stdin;
use crate::output::message::ByDevice;
use crate::verbs::{Outcome, Session};

/// Shows a message.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The message
    #[arg(value_parser = reference())]
    id: String,
    /// Say on which devices it is, not only with whom
    #[arg(long)]
    devices: bool,
}

/// Names a message.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// The message
    #[arg(value_parser = reference())]
    id: String,
}

/// Gives a reaction.
#[derive(Debug, Args)]
pub(crate) struct ReactArgs {
    /// The message
    #[arg(value_parser = reference())]
    id: String,
    /// One emoji
    emoji: String,
    /// Take it back
    #[arg(long)]
    remove: bool,
}

/// Replaces a text.
#[derive(Debug, Args)]
pub(crate) struct EditArgs {
    /// The message
    #[arg(value_parser = reference())]
    id: String,
    /// What it says from now on; - reads it from stdin
    #[arg(allow_negative_numbers = true)]
    text: String,
}

/// Deletes a message.
#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// The message
    #[arg(value_parser = reference())]
    id: String,
    /// Why, for the others to read
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Names a channel.
#[derive(Debug, Args)]
pub(crate) struct TypingArgs {
    /// The channel
    #[arg(value_parser = reference())]
    channel: String,
}

impl Session {
    /// Shows one message and where it has arrived.
    pub(crate) async fn show(&self, args: &ShowArgs) -> Outcome {
        let detail = self.client.message(&args.id).await?;
        if args.devices {
            self.output.put(&ByDevice(&detail))
        } else {
            self.output.put(&detail)
        }
    }

    /// Gives a reaction, or takes it back.
    pub(crate) async fn react(&self, args: &ReactArgs) -> Outcome {
        let message = self.client.react(&args.id, &args.emoji, !args.remove);
        self.output.put(&message.await?)
    }

    /// Replaces a message's text.
    pub(crate) async fn edit(&self, args: &EditArgs) -> Outcome {
        let request = EditMessage {
            text: text_or_stdin(&args.text)?,
            key: None,
        };
        self.output
            .put(&self.client.edit(&args.id, &request).await?)
    }

    /// Shows the texts that a message has had.
    pub(crate) async fn history(&self, args: &HistoryArgs) -> Outcome {
        self.output.put_each(&self.client.history(&args.id).await?)
    }

    /// Deletes a message for everyone.
    pub(crate) async fn delete(&self, args: &DeleteArgs) -> Outcome {
        let query = DeleteQuery {
            reason: args.reason.clone(),
        };
        self.output
            .put(&self.client.delete(&args.id, &query).await?)
    }

    /// Tells a channel's members that somebody is typing.
    pub(crate) async fn typing(&self, args: &TypingArgs) -> Outcome {
        self.client.typing(&args.channel).await
    }
}
