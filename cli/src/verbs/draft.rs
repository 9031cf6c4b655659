//! `kith draft`: texts that are to be sent some time, on whichever device.

use clap::Args;
use kith_api::draft::{Draft, PutDraft};
use kith_api::message::SendMessage;
use kith_api::{ApiError, ErrorCode};

use crate::args::reference;
use crate::input::text_or_stdin;
use crate::verbs::{Outcome, Session};

/// Keeps a text that is to be sent some time.
#[derive(Debug, Args)]
pub(crate) struct DraftArgs {
    /// The channel; all drafts are listed if none is named
    #[arg(value_parser = reference())]
    channel: Option<String>,
    /// The text, in the place of the one there is; - reads it from stdin
    #[arg(allow_negative_numbers = true)]
    text: Option<String>,
    /// The message whose thread it is for
    #[arg(long, value_name = "ID", value_parser = reference(), requires = "channel")]
    thread: Option<String>,
    /// Send it, and have no draft there any more
    #[arg(long, requires = "channel", conflicts_with = "text")]
    send: bool,
    /// Throw it away
    #[arg(long, requires = "channel", conflicts_with_all = ["text", "send"])]
    discard: bool,
}

impl Session {
    /// Lists, shows, writes, sends or throws away drafts.
    pub(crate) async fn draft(&self, args: &DraftArgs) -> Outcome {
        let Some(channel) = &args.channel else {
            return self.output.put_each(&self.client.drafts().await?);
        };
        let request = PutDraft {
            text: match &args.text {
                Some(text) => Some(text_or_stdin(text)?),
                None => None,
            },
            thread: args.thread.clone(),
            only_if: None,
        };
        if request.text.is_some() {
            let draft = self.client.put_draft(channel, &request).await?;
            return draft.map_or(Ok(()), |draft| self.output.put(&draft));
        }
        let draft = self.find_draft(channel, args.thread.as_deref()).await?;
        let request = PutDraft {
            thread: draft.thread.map(|root| root.to_string()),
            ..request
        };
        if args.discard {
            return self.client.put_draft(channel, &request).await.map(drop);
        }
        if !args.send {
            return self.output.put(&draft);
        }
        self.send_draft(channel, &draft).await?;
        // What another device has made of it meanwhile stays.
        let sent = PutDraft {
            only_if: Some(draft.id),
            ..request
        };
        match self.client.put_draft(channel, &sent).await {
            Err(error) if error.code == ErrorCode::NotFound => Ok(()),
            done => done.map(drop),
        }
    }

    async fn find_draft(&self, channel: &str, thread: Option<&str>) -> Result<Draft, ApiError> {
        let detail = self.client.channel(channel).await?;
        let thread = thread.map(str::to_ascii_lowercase);
        let is_meant = |draft: &Draft| {
            let root = draft.thread.map(|root| root.to_string());
            draft.channel == detail.facts.channel
                && match (&thread, root) {
                    (None, None) => true,
                    (Some(prefix), Some(root)) => root.starts_with(prefix),
                    _ => false,
                }
        };
        let drafts = self.client.drafts().await?;
        drafts.into_iter().find(is_meant).ok_or_else(|| {
            ApiError::not_found(format_args!(
                "there is no draft for #{}: `kith draft` lists those there are",
                detail.facts.name
            ))
        })
    }

    /// Sends a draft. Its id is the key, so that one that is sent twice from a device, because of a
    /// failure, is one message.
    async fn send_draft(&self, channel: &str, draft: &Draft) -> Outcome {
        if !draft.others.is_empty() {
            self.output.put(draft)?;
            return Err(ApiError::usage(
                "several devices have written one without knowing of each other: write the one \
                 that is to be sent with `kith draft CHANNEL TEXT`",
            ));
        }
        let request = SendMessage {
            text: draft.text.clone(),
            reply_to: None,
            thread: draft.thread.map(|root| root.to_string()),
            announce: false,
            expire_ms: None,
            key: Some(format!("draft-{}", draft.id)),
        };
        self.output.put(&self.client.send(channel, &request).await?)
    }
}
