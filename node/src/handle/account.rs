//! What is asked about this account and its devices.

use kith_api::ApiError;
use kith_api::account::{AccountInfo, DeviceInfo, UpdateDevice};

use super::Node;
use crate::engine::Command;

impl Node {
    /// The account of this home, with its devices.
    ///
    /// # Errors
    /// [`ApiError`] if the daemon is not ready yet.
    pub async fn account(&self) -> Result<AccountInfo, ApiError> {
        let account = self.reading().account();
        account.ok_or_else(|| ApiError::other("this home's own certificate does not hold"))
    }

    /// Gives this device another name.
    ///
    /// # Errors
    /// [`ApiError`] if the name is out of bounds, or this device may not manage.
    pub async fn update_device(&self, request: UpdateDevice) -> Result<DeviceInfo, ApiError> {
        let UpdateDevice { name } = request;
        self.command(Command::RenameDevice { name }, None).await?;
        let mut devices = self.account().await?.devices.into_iter();
        let this = devices.find(|device| device.this);
        this.ok_or_else(|| ApiError::other("this home's own certificate does not hold"))
    }
}
