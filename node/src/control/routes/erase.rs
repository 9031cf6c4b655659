//! Erasing on request.

use axum::extract::State;
use kith_api::erase::{EraseRequest, Erased};
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
