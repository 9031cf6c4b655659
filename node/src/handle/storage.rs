//! What is asked about space on the disk.

use kith_api::ApiError;
use kith_api::storage::{ChannelStorageDetail, QuotaInfo, QuotaRequest, StorageInfo};

use super::Node;
use crate::engine::Command;
use crate::read::storage::quota_info;

impl Node {
    /// What takes up space in this home.
    ///
    /// # Errors
    /// [`ApiError`] if the daemon is stopping.
    pub async fn storage(&self) -> Result<StorageInfo, ApiError> {
        let files = self.0.reader.clone();
        self.read_apart(move |reading| Ok(reading.storage(files.files())))
            .await
    }

    /// What a channel takes up, and what keeping messages for a shorter time would free.
    ///
    /// # Errors
    /// [`ApiError`] if the reference means no channel or several.
    pub async fn storage_of(&self, reference: &str) -> Result<ChannelStorageDetail, ApiError> {
        let channel = self.reading().find_channel(reference)?;
        self.read_apart(move |reading| Ok(reading.storage_of(&channel)))
            .await
    }

    /// The quota of all channels together, and those of channels.
    ///
    /// # Errors
    /// None at present.
    pub async fn quotas(&self) -> Result<Vec<QuotaInfo>, ApiError> {
        Ok(self.reading().quotas())
    }

    /// The quota of a channel.
    ///
    /// # Errors
    /// [`ApiError`] if the reference means no channel or several.
    pub async fn quota(&self, reference: &str) -> Result<QuotaInfo, ApiError> {
        Ok(quota_info(&*self.reading().find_channel(reference)?))
    }

    /// Sets the quota of a channel, or of all channels together, or takes it away.
    ///
    /// # Errors
    /// [`ApiError`] if the reference means no channel or several, or the quota is 0.
    pub async fn set_quota(
        &self,
        reference: Option<&str>,
        request: QuotaRequest,
    ) -> Result<QuotaInfo, ApiError> {
        let named = reference.map(|reference| self.reading().find_channel(reference));
        let channel = named.transpose()?.map(|channel| channel.id);
        let quota = request.bytes;
        self.command(Command::SetQuota { channel, quota }, None)
            .await?;
        match channel {
            Some(id) => {
                let view = self.0.shared.channel(&id);
                let view = view.ok_or_else(|| ApiError::not_found("the channel is gone"))?;
                Ok(quota_info(&view))
            }
            None => Ok(self.reading().home_quota()),
        }
    }
}
