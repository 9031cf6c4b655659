//! This account and its devices.

use axum::extract::State;
use kith_api::account::{AccountInfo, DeviceInfo, UpdateDevice};
use kith_api::error::ErrorBody;

use crate::control::answer::{Answer, answer};
use crate::control::request::InBody;
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
