//! `kith send`.

use clap::Args;
use kith_api::message::SendMessage;

use crate::args::reference;
use crate::duration::{NoDuration, parse_milliseconds};
use crate::input::text_or_stdin;
use crate::output::print_warning;
use crate::output::storage::short_of_room;
use crate::verbs::{Outcome, Session};

/// Writes a message.
#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    /// The channel
    #[arg(value_parser = reference())]
    channel: String,
    /// What to say; - reads it from stdin
    #[arg(allow_negative_numbers = true)]
    text: String,
    /// The message that it answers
    #[arg(long, value_name = "ID", value_parser = reference())]
    reply_to: Option<String>,
    /// The message whose thread it goes to
    #[arg(long, value_name = "ID", value_parser = reference())]
    thread: Option<String>,
    /// Announce it: it is shown to everybody as something to take note of
    #[arg(long)]
    announce: bool,
    /// Have it gone after so long, no longer than the channel says: 1h or more
    #[arg(long, value_name = "D", value_parser = life, allow_hyphen_values = true)]
    expire: Option<u64>,
    /// Make a retry harmless: the same key writes no second message
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

/// A life for a message, in milliseconds. How short and how long it may be the daemon says.
fn life(text: &str) -> Result<u64, String> {
    let least = "a message lives for at least 1h";
    parse_milliseconds(text).map_err(|wrong| match wrong {
        NoDuration::Unreadable => format!("write it like 2h, 3days or 7days; {least}"),
        NoDuration::NoFixedLength => format!("{wrong}; {least}"),
        NoDuration::TooShort => least.to_owned(),
    })
}

impl Session {
    /// Writes a message.
    pub(crate) async fn send(&self, args: &SendArgs) -> Outcome {
        let request = SendMessage {
            text: text_or_stdin(&args.text)?,
            reply_to: args.reply_to.clone(),
            thread: args.thread.clone(),
            announce: args.announce,
            expire_ms: args.expire,
            key: args.key.clone(),
        };
        let sent = self.client.send(&args.channel, &request).await?;
        self.output.put(&sent)?;
        for warning in sent.quotas.iter().filter_map(short_of_room) {
            print_warning("quota", &warning, self.output.is_json());
        }
        Ok(())
    }
}
