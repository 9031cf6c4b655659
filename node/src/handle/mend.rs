//! Mending what damage on the disk took.

use std::time::Duration;

use kith_api::ApiError;
use kith_api::verify::{MendReport, MendRequest};

use super::Node;
use crate::engine::Command;
use crate::read::mend::report;

impl Node {
    /// Mends a channel, or all of them if none is named, and tells how far that came in the time
    /// that was given. What is not done in time goes on by itself.
    ///
    /// # Errors
    /// [`ApiError`] if the reference means nothing here, or several things, or the databases want
    /// a restart first.
    pub async fn mend(
        &self,
        reference: Option<&str>,
        request: MendRequest,
    ) -> Result<Vec<MendReport>, ApiError> {
        let named = reference.map(|reference| self.reading().find_channel(reference));
        let channel = named.transpose()?.map(|channel| channel.id);
        let wait = Duration::from_millis(request.wait_ms.unwrap_or(MendRequest::WAIT_MS));
        let mended = self.command(Command::Mend { channel }, None);
        if let Ok(mended) = tokio::time::timeout(wait, mended).await {
            mended?;
        }
        let channels = self.0.shared.channels().into_iter();
        let mut reports: Vec<MendReport> = channels
            .filter(|view| channel.is_none_or(|id| view.id == id))
            .map(|view| report(&view))
            .collect();
        reports.sort_by(|a, b| a.channel_name.cmp(&b.channel_name));
        Ok(reports)
    }
}
