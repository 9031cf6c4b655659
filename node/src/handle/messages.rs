//! What is asked about messages: writing and reading them, and what is done to one.

use kith_api::channel::{MarkRead, Marked};
use kith_api::message::{
    DeleteQuery, DeliveryState, EditMessage, Message, MessageDetail, PageQuery, SendMessage, Sent,
    Version,
};
use kith_api::{ApiError, ErrorCode};
use kith_crdt::ids::MessageId;

use super::{Node, repeated_elsewhere};
use crate::engine::{Command, Outcome};
use crate::read::Reading;

impl Node {
    /// Writes a message.
    ///
    /// # Errors
    /// [`ApiError`] if the text is out of bounds or this account may not write.
    pub async fn send(&self, reference: &str, request: SendMessage) -> Result<Sent, ApiError> {
        let reading = self.reading();
        let view = reading.find_channel(reference)?;
        let answered = request
            .reply_to
            .map(|answered| reading.find_message(&answered));
        let thread = request
            .thread
            .map(|thread| reading.find_thread(&view, &thread));
        let channel = view.id;
        let command = Command::Send {
            channel,
            reply_to: answered.transpose()?.map(|(id, _, _)| id),
            thread: thread.transpose()?,
            announce: request.announce,
            expire_ms: request.expire_ms,
            text: request.text,
        };
        drop(reading);
        match self.command(command, request.key).await? {
            Outcome::Sent {
                message,
                at,
                expires_at,
            } => {
                let view = self.0.shared.channel(&channel);
                let instant = view.is_some_and(|view| self.reading().is_instant(&view, &message));
                Ok(Sent {
                    id: message.into(),
                    state: DeliveryState::Pending,
                    at: at.into(),
                    expires_at: expires_at.map(Into::into),
                    instant,
                    quotas: self.reading().quotas_short(Some(&channel)),
                })
            }
            _ => Err(repeated_elsewhere()),
        }
    }

    /// A page of messages, oldest first.
    ///
    /// # Errors
    /// [`ApiError`] if the query makes no sense.
    pub async fn page(&self, reference: &str, query: PageQuery) -> Result<Vec<Message>, ApiError> {
        let reading = self.reading();
        let channel = reading.find_channel(reference)?;
        reading.page(&channel, &query)
    }

    /// Marks messages as read.
    ///
    /// # Errors
    /// [`ApiError`] if a message is not there.
    pub async fn mark(&self, reference: &str, request: MarkRead) -> Result<Marked, ApiError> {
        let reading = self.reading();
        let channel = reading.find_channel(reference)?.id;
        let messages = request
            .ids
            .map(|ids| {
                ids.iter()
                    .map(|id| reading.find_message(id).map(|(id, _, _)| id))
                    .collect::<Result<Vec<_>, _>>()
            })
            .transpose()?;
        drop(reading);
        match self
            .command(Command::Mark { channel, messages }, None)
            .await?
        {
            Outcome::Marked(marked) => Ok(Marked { marked }),
            _ => Err(repeated_elsewhere()),
        }
    }

    /// One message and where it has arrived.
    ///
    /// # Errors
    /// [`ApiError`] if the reference means none or several.
    pub async fn message(&self, reference: &str) -> Result<MessageDetail, ApiError> {
        let reading = self.reading();
        let (_, channel, place) =
            reading
                .find_message(reference)
                .map_err(|error| match error.code {
                    ErrorCode::NotFound => reading.erasure_of(reference).unwrap_or(error),
                    _ => error,
                })?;
        reading
            .message_detail(&channel, place)
            .ok_or_else(|| reading.not_shown(&channel, place))
    }

    /// Replaces the text of an own message.
    ///
    /// # Errors
    /// [`ApiError`] if it is not one's own, was deleted, or the text is out of bounds.
    pub async fn edit(&self, reference: &str, request: EditMessage) -> Result<Message, ApiError> {
        let target = self.reading().find_message(reference)?.0;
        self.command(
            Command::Edit {
                target,
                text: request.text,
            },
            request.key,
        )
        .await?;
        self.shown(&target)
    }

    /// Deletes a message for everyone.
    ///
    /// # Errors
    /// [`ApiError`] if this account may not.
    pub async fn delete(&self, reference: &str, query: DeleteQuery) -> Result<Message, ApiError> {
        let target = self.reading().find_message(reference)?.0;
        self.command(
            Command::Delete {
                target,
                reason: query.reason,
            },
            None,
        )
        .await?;
        // Whoever moderates may have blocked its author.
        let reading = self.reading().hearing_all();
        Self::shown_by(&reading, &target)
    }

    /// The texts a message has had.
    ///
    /// # Errors
    /// [`ApiError`] if the reference means none or several.
    pub async fn history(&self, reference: &str) -> Result<Vec<Version>, ApiError> {
        let reading = self.reading();
        let (_, channel, place) = reading.find_message(reference)?;
        reading
            .history(&channel, place)
            .ok_or_else(|| reading.not_shown(&channel, place))
    }

    /// Adds or removes an own reaction.
    ///
    /// # Errors
    /// [`ApiError`] if it is not one emoji, or this account may not react.
    pub async fn react(&self, reference: &str, emoji: &str, on: bool) -> Result<Message, ApiError> {
        let target = self.heard(reference)?;
        self.command(
            Command::React {
                target,
                emoji: emoji.to_owned(),
                on,
            },
            None,
        )
        .await?;
        self.shown(&target)
    }

    /// A message as it is after something was done to it.
    pub(super) fn shown(&self, target: &MessageId) -> Result<Message, ApiError> {
        Self::shown_by(&self.reading(), target)
    }

    /// The message that a reference means, unless this account has blocked its author: nothing is
    /// done to what is not shown.
    pub(super) fn heard(&self, reference: &str) -> Result<MessageId, ApiError> {
        let reading = self.reading();
        let (target, channel, place) = reading.find_message(reference)?;
        if reading.is_silent(&channel, place) {
            return Err(reading.not_shown(&channel, place));
        }
        Ok(target)
    }

    fn shown_by(reading: &Reading<'_>, target: &MessageId) -> Result<Message, ApiError> {
        let (_, channel, place) = reading.find_message(&target.to_string())?;
        reading
            .message(&channel, place)
            .ok_or_else(|| reading.not_shown(&channel, place))
    }
}
