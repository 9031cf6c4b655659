//! Erasing on request.

use kith_api::ApiError;
use kith_api::erase::{EraseRequest, Erased};

use super::{Node, repeated_elsewhere};
use crate::engine::{Command, Outcome};

impl Node {
    /// Takes back everything that this account said in a channel, or counts it.
    ///
    /// # Errors
    /// [`ApiError`] if the reference means no channel or several, or this account does not belong
    /// to it.
    pub async fn erase_mine(
        &self,
        reference: &str,
        request: EraseRequest,
    ) -> Result<Erased, ApiError> {
        let view = self.reading().find_channel(reference)?;
        let EraseRequest { dry_run } = request;
        let channel = view.id;
        let command = Command::TakeBack { channel, dry_run };
        match self.command(command, None).await? {
            Outcome::TakenBack {
                messages,
                reactions,
            } => Ok(Erased {
                channel: channel.into(),
                name: view.name.clone(),
                messages,
                reactions,
                dry_run,
            }),
            _ => Err(repeated_elsewhere()),
        }
    }
}
