//! `kith read` and `kith mark`.

use clap::Args;
use kith_api::ErrorCode;
use kith_api::channel::MarkRead;
use kith_api::message::PageQuery;
use kith_crdt::limits::PAGE_MAX;

use crate::args::reference;
use crate::verbs::{Outcome, Session};

/// Reads a page.
#[derive(Debug, Args)]
pub(crate) struct ReadArgs {
    /// The channel
    #[arg(value_parser = reference())]
    channel: String,
    /// How many messages, 500 at most
    #[arg(
        long,
        value_name = "N",
        default_value_t = PageQuery::LIMIT,
        value_parser = clap::value_parser!(u32).range(1..=PAGE_MAX as i64)
    )]
    limit: u32,
    /// End the page before this message
    #[arg(long, value_name = "ID", value_parser = reference())]
    before: Option<String>,
    /// Read the thread of this message
    #[arg(long, value_name = "ID", value_parser = reference())]
    thread: Option<String>,
    /// Mark what is shown as read
    #[arg(long)]
    mark: bool,
}

/// Marks messages as read.
#[derive(Debug, Args)]
pub(crate) struct MarkArgs {
    /// The channel
    #[arg(value_parser = reference())]
    channel: String,
    /// The messages; all of the channel if none is named
    #[arg(value_name = "ID", value_parser = reference())]
    ids: Vec<String>,
}

impl Session {
    /// Reads a page, and marks it as read only once it has been shown.
    pub(crate) async fn read(&self, args: &ReadArgs) -> Outcome {
        let query = PageQuery {
            limit: Some(args.limit),
            before: args.before.clone(),
            thread: args.thread.clone(),
        };
        let page = self.client.page(&args.channel, &query).await?;
        let reaches_back = page.len() < args.limit as usize;
        if reaches_back && !self.output.is_json() {
            self.tell_beginning(args).await?;
        }
        self.output.put_each(&page)?;
        if args.mark && !page.is_empty() {
            let ids = page.iter().map(|message| message.id.to_string());
            let ids = Some(ids.collect());
            self.client.mark(&args.channel, &MarkRead { ids }).await?;
        }
        Ok(())
    }

    /// Says above the oldest page of a channel or a thread where it begins for this account, if
    /// that is not where it began.
    async fn tell_beginning(&self, args: &ReadArgs) -> Outcome {
        let Self { client, output } = self;
        match &args.thread {
            None => {
                let channel = client.channel(&args.channel).await?;
                output.put_history_begins(&channel, &args.channel)
            }
            Some(thread) => match client.message(thread).await {
                Err(error) if error.code == ErrorCode::NotFound => output.put_thread_begins(),
                _ => Ok(()),
            },
        }
    }

    /// Marks messages as read.
    pub(crate) async fn mark(&self, args: &MarkArgs) -> Outcome {
        let ids = (!args.ids.is_empty()).then(|| args.ids.clone());
        self.output
            .put(&self.client.mark(&args.channel, &MarkRead { ids }).await?)
    }
}
