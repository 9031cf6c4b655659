//! What is asked about this account and its devices.

use std::sync::Arc;

use kith_api::ApiError;
use kith_api::account::{
    AccountInfo, ConfirmDeviceLink, DeviceInfo, DeviceLinkRequest, DeviceLinkShown,
    DeviceLinkStage, DeviceLinkState, DeviceRevoked, GrantDevice, Picture, RevokeDevice,
    UpdateDevice, WithdrawDeviceLink,
};
use kith_crdt::identity::IdentityError;

use super::Node;
use crate::clock;
use crate::engine::{ChannelView, Command, LinkStage, LinkView, Outcome, Standing};

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

    /// Lets a device of the account manage, too.
    ///
    /// # Errors
    /// [`ApiError`] if this device may not manage, or the account has no such.
    pub async fn grant_device(&self, request: GrantDevice) -> Result<DeviceInfo, ApiError> {
        let device = self.reading().find_device(&request.device)?.device.0;
        self.command(Command::GrantDevice { device }, None).await?;
        self.reading()
            .find_device(&kith_crdt::ids::base32(&device.0))
    }

    /// Has a device of the account be one no more, for good.
    ///
    /// # Errors
    /// [`ApiError`] if this device may not manage, or it is this one, or the account has no such.
    pub async fn revoke_device(&self, request: RevokeDevice) -> Result<DeviceRevoked, ApiError> {
        let known = self.reading().find_device(&request.device)?;
        if known.this {
            return Err(ApiError::denied(IdentityError::Itself));
        }
        let device = known.device.0;
        if !request.dry_run {
            self.command(Command::RevokeDevice { device }, None).await?;
        }
        let views = self.0.shared.channels();
        let known_in = views.iter().filter(|view| {
            view.standing == Standing::Active && view.roster.devices.contains_key(&device)
        });
        let is_told = |view: &&Arc<ChannelView>| view.roster.is_cut_off(&device);
        let (told, waiting): (Vec<_>, Vec<_>) = known_in.partition(is_told);
        let waiting = waiting.into_iter().filter(|_| !request.dry_run);
        Ok(DeviceRevoked {
            dry_run: request.dry_run,
            device: known.device,
            name: known.name,
            managed: known.manages == Some(true),
            channels: told.len() as u64,
            waiting: waiting.map(|view| view.name.clone()).collect(),
        })
    }

    /// Shows a link by which a new device comes to belong to the account, in the place of the one
    /// before it.
    ///
    /// # Errors
    /// [`ApiError`] if this device may not manage, or the account has as many devices as it may.
    pub async fn show_device_link(
        &self,
        request: DeviceLinkRequest,
    ) -> Result<DeviceLinkShown, ApiError> {
        let life = request.expires_ms.unwrap_or(DeviceLinkRequest::EXPIRES_MS);
        let command = Command::ShowLink {
            manages: request.manages,
            expires_at: clock::now().plus(life),
        };
        match self.command(command, None).await? {
            Outcome::LinkShown {
                id,
                link,
                expires_at,
            } => Ok(DeviceLinkShown {
                id,
                link,
                expires_at: expires_at.into(),
            }),
            other => Err(ApiError::other(format_args!("not a link: {other:?}"))),
        }
    }

    /// How far the link has come that is shown.
    ///
    /// # Errors
    /// [`ApiError`] if none is.
    pub async fn device_link(&self) -> Result<DeviceLinkState, ApiError> {
        let view = self.0.shared.linking();
        let view = view.ok_or_else(|| ApiError::not_found("no link for a device is shown"))?;
        Ok(link_state(&view))
    }

    /// Takes in the device that waits, if this is the code that it shows.
    ///
    /// # Errors
    /// [`ApiError`] if none waits, or it is another code.
    pub async fn confirm_device_link(
        &self,
        request: ConfirmDeviceLink,
    ) -> Result<DeviceLinkState, ApiError> {
        let ConfirmDeviceLink { id, code } = request;
        let command = Command::ConfirmLink { id, code };
        self.command(command, None).await?;
        self.device_link().await
    }

    /// Takes a link back.
    ///
    /// # Errors
    /// [`ApiError`] if the daemon is stopping.
    pub async fn withdraw_device_link(&self, query: WithdrawDeviceLink) -> Result<(), ApiError> {
        let WithdrawDeviceLink { id } = query;
        self.command(Command::WithdrawLink { id }, None).await?;
        Ok(())
    }
}

fn link_state(view: &LinkView) -> DeviceLinkState {
    let state = |stage| DeviceLinkState {
        id: view.id.clone(),
        manages: None,
        expires_at: view.expires_at.into(),
        stage,
        name: None,
        pictures: Vec::new(),
        codes_left: None,
        device: None,
    };
    match &view.stage {
        LinkStage::Linked { device, name } => DeviceLinkState {
            name: Some(name.clone()),
            device: Some((*device).into()),
            ..state(DeviceLinkStage::Linked)
        },
        LinkStage::Over => state(DeviceLinkStage::Over),
        _ if view.expires_at <= clock::now() => state(DeviceLinkStage::Over),
        LinkStage::Shown => state(DeviceLinkStage::Shown),
        LinkStage::Asked {
            name,
            pictures,
            manages,
            codes_left,
        } => DeviceLinkState {
            manages: Some(*manages),
            name: Some(name.clone()),
            pictures: pictures.map(Picture::from).into(),
            codes_left: Some(*codes_left),
            ..state(DeviceLinkStage::Asked)
        },
    }
}
