//! This account and its devices.

use axum::extract::State;
use kith_api::account::{
    AccountInfo, ConfirmDeviceLink, DeviceInfo, DeviceLinkRequest, DeviceLinkShown,
    DeviceLinkState, DeviceRevoked, GrantDevice, RevokeDevice, UpdateDevice, WithdrawDeviceLink,
};
use kith_api::error::ErrorBody;

use crate::control::answer::{Answer, answer};
use crate::control::request::{InBody, InQuery};
use crate::handle::Node;

/// The account of this home, with its devices.
#[utoipa::path(get, path = "/v1/account", tag = "node",
    responses((status = 200, body = AccountInfo), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn show(State(node): State<Node>) -> Answer<AccountInfo> {
    answer(node.account().await)
}

/// Gives this device another name.
#[utoipa::path(patch, path = "/v1/device", tag = "node",
    request_body = UpdateDevice,
    responses((status = 200, body = DeviceInfo), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn update(
    State(node): State<Node>,
    InBody(request): InBody<UpdateDevice>,
) -> Answer<DeviceInfo> {
    answer(node.update_device(request).await)
}

/// Lets a device of the account link and revoke others, too.
#[utoipa::path(post, path = "/v1/device/grant", tag = "node",
    operation_id = "grant_device", request_body = GrantDevice,
    responses((status = 200, body = DeviceInfo), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn grant(
    State(node): State<Node>,
    InBody(request): InBody<GrantDevice>,
) -> Answer<DeviceInfo> {
    answer(node.grant_device(request).await)
}

/// Has a device of the account be one no more, for good.
#[utoipa::path(delete, path = "/v1/device", tag = "node",
    operation_id = "revoke_device", params(RevokeDevice),
    responses((status = 200, body = DeviceRevoked), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn revoke(
    State(node): State<Node>,
    InQuery(query): InQuery<RevokeDevice>,
) -> Answer<DeviceRevoked> {
    answer(node.revoke_device(query).await)
}

/// Shows a link by which a new device comes to belong to the account, in the place of the one
/// before it.
#[utoipa::path(post, path = "/v1/device/link", tag = "node",
    operation_id = "show_device_link", request_body = DeviceLinkRequest,
    responses((status = 200, body = DeviceLinkShown), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn show_link(
    State(node): State<Node>,
    InBody(request): InBody<DeviceLinkRequest>,
) -> Answer<DeviceLinkShown> {
    answer(node.show_device_link(request).await)
}

/// How far the link has come that is shown.
#[utoipa::path(get, path = "/v1/device/link", tag = "node", operation_id = "device_link",
    responses((status = 200, body = DeviceLinkState), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn link(State(node): State<Node>) -> Answer<DeviceLinkState> {
    answer(node.device_link().await)
}

/// Takes a link back.
#[utoipa::path(delete, path = "/v1/device/link", tag = "node",
    operation_id = "withdraw_device_link", params(WithdrawDeviceLink),
    responses((status = 200), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn withdraw_link(
    State(node): State<Node>,
    InQuery(query): InQuery<WithdrawDeviceLink>,
) -> Answer<()> {
    answer(node.withdraw_device_link(query).await)
}

/// Takes in the device that waits, if this is the code that it shows.
#[utoipa::path(post, path = "/v1/device/link/confirm", tag = "node",
    operation_id = "confirm_device_link", request_body = ConfirmDeviceLink,
    responses((status = 200, body = DeviceLinkState), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn confirm_link(
    State(node): State<Node>,
    InBody(request): InBody<ConfirmDeviceLink>,
) -> Answer<DeviceLinkState> {
    answer(node.confirm_device_link(request).await)
}
