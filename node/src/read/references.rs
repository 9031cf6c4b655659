//! What people type to name a channel or a message, and what they mean by it.

use std::sync::Arc;

use kith_api::ApiError;
use kith_crdt::ids::{ChannelId, MessageId, Place};

use super::Reading;
use crate::engine::ChannelView;

/// Candidates named where a reference is ambiguous.
const CANDIDATES_MAX: usize = 8;
/// Characters of an id that a candidate is shown with.
const SHORT_ID: usize = 12;

impl Reading<'_> {
    /// The channel that a name, `#name` or id prefix means.
    ///
    /// # Errors
    /// [`ApiError`]: not found, or ambiguous with the candidates.
    pub(crate) fn find_channel(&self, reference: &str) -> Result<Arc<ChannelView>, ApiError> {
        let channels = self.shared.channels();
        let name = reference.strip_prefix('#').unwrap_or(reference);
        let mut found: Vec<&Arc<ChannelView>> = channels
            .iter()
            .filter(|channel| channel.name == name)
            .collect();
        if found.is_empty() && !reference.starts_with('#') && !reference.is_empty() {
            let prefix = reference.to_ascii_lowercase();
            found = channels
                .iter()
                .filter(|channel| channel.id.to_string().starts_with(&prefix))
                .collect();
        }
        match found.as_slice() {
            [] => Err(ApiError::not_found(format_args!(
                "no channel {reference:?} here: `kith channel list` shows those there are"
            ))),
            [channel] => Ok(Arc::clone(channel)),
            several => Err(ApiError::ambiguous(
                reference,
                several.iter().take(CANDIDATES_MAX).map(|channel| {
                    format!(
                        "{} (#{})",
                        &channel.id.to_string()[..SHORT_ID],
                        channel.name
                    )
                }),
            )),
        }
    }

    /// The message that an id prefix means, and where it is.
    ///
    /// # Errors
    /// [`ApiError`]: not found, or ambiguous with the candidates.
    pub(crate) fn find_message(
        &self,
        reference: &str,
    ) -> Result<(MessageId, Arc<ChannelView>, Place), ApiError> {
        let prefix = reference.to_ascii_lowercase();
        let found = if prefix.is_empty() {
            Vec::new()
        } else {
            self.view.messages_with_prefix(&prefix, CANDIDATES_MAX)
        };
        match found.as_slice() {
            [] => Err(ApiError::not_found(format_args!(
                "no message {reference:?} here"
            ))),
            [(id, channel, place)] => Ok((*id, self.channel_of(channel, reference)?, *place)),
            several => Err(ApiError::ambiguous(
                reference,
                several.iter().map(|(id, _, _)| id.to_string()),
            )),
        }
    }

    fn channel_of(&self, id: &ChannelId, reference: &str) -> Result<Arc<ChannelView>, ApiError> {
        self.shared.channel(id).ok_or_else(|| {
            ApiError::not_found(format_args!(
                "the channel of message {reference:?} is not here"
            ))
        })
    }
}
