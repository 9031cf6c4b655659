//! What is asked about pinned messages.

use kith_api::ApiError;
use kith_api::message::Message;

use super::Node;
use crate::engine::Command;

impl Node {
    /// Pins a message, or unpins it.
    ///
    /// # Errors
    /// [`ApiError`] if this account may not, or too much is pinned.
    pub async fn pin(&self, reference: &str, on: bool) -> Result<Message, ApiError> {
        let target = self.heard(reference)?;
        self.command(Command::Pin { target, on }, None).await?;
        self.shown(&target)
    }

    /// The pinned messages of a channel, those pinned first first.
    ///
    /// # Errors
    /// [`ApiError`] if the reference means no channel or several.
    pub async fn pins(&self, reference: &str) -> Result<Vec<Message>, ApiError> {
        let reading = self.reading();
        Ok(reading.pins(&*reading.find_channel(reference)?))
    }
}
