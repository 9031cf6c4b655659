//! Erasing on request.

use axum::extract::State;
use kith_api::erase::{AccountErased, EraseAccountRequest, EraseRequest, Erased};
use kith_api::error::ErrorBody;

use crate::control::answer::{Answer, answer};
use crate::control::request::{InBody, InPath};
use crate::handle::Node;

/// Takes back everything that this account said in a channel, its messages and reactions, for
/// everyone. Answers when that is durable, which takes some seconds for thousands of them; asked
/// again after it was cut off, it goes on where it stopped.
#[utoipa::path(post, path = "/v1/channels/{channel}/erase", tag = "channels",
    operation_id = "erase_mine", params(("channel" = String, Path)), request_body = EraseRequest,
    responses((status = 200, body = Erased), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn mine(
    State(node): State<Node>,
    InPath(channel): InPath<String>,
    InBody(request): InBody<EraseRequest>,
) -> Answer<Erased> {
    answer(node.erase_mine(channel.trim(), request).await)
}

/// Erases this account: takes back everything that it said in every channel, leaves each of them
/// once another member has all of that, and destroys its own data once they have heard that it
/// left. Does what can be done now and says what it waits for; asked again, it goes on. At the end
/// the daemon stops.
#[utoipa::path(post, path = "/v1/account/erase", tag = "node", operation_id = "erase_account",
    request_body = EraseAccountRequest,
    responses((status = 200, body = AccountErased), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn account(
    State(node): State<Node>,
    InBody(request): InBody<EraseAccountRequest>,
) -> Answer<AccountErased> {
    answer(node.erase_account(request).await)
}
