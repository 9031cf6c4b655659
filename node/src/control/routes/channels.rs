//! Channels.

use axum::extract::State;
use kith_api::channel::{
    ChannelDetail, ChannelName, ChannelSummary, CreateChannel, LeftChannel, MarkRead, Marked,
    UpdateChannel,
};
use kith_api::error::ErrorBody;

use crate::control::answer::{Answer, answer};
use crate::control::idempotency::KeyHeader;
use crate::control::request::{InBody, InPath};
use crate::handle::Node;

/// Makes a channel.
#[utoipa::path(post, path = "/v1/channels", tag = "channels", operation_id = "create_channel",
    params(("idempotency-key" = Option<String>, Header, description = "Instead of `key` in the body.")),
    request_body = CreateChannel,
    responses((status = 200, body = ChannelName), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn create(
    State(node): State<Node>,
    key: KeyHeader,
    InBody(mut request): InBody<CreateChannel>,
) -> Answer<ChannelName> {
    key.merge_into(&mut request.key)?;
    answer(node.create_channel(request).await)
}

/// All channels.
#[utoipa::path(get, path = "/v1/channels", tag = "channels", operation_id = "channels",
    responses((status = 200, body = Vec<ChannelSummary>), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn list(State(node): State<Node>) -> Answer<Vec<ChannelSummary>> {
    answer(node.channels().await)
}

/// One channel with its members.
#[utoipa::path(get, path = "/v1/channels/{channel}", tag = "channels", operation_id = "channel",
    params(("channel" = String, Path)),
    responses((status = 200, body = ChannelDetail), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn show(
    State(node): State<Node>,
    InPath(channel): InPath<String>,
) -> Answer<ChannelDetail> {
    answer(node.channel(channel.trim()).await)
}

/// Changes a channel's name or topic.
#[utoipa::path(patch, path = "/v1/channels/{channel}", tag = "channels", operation_id = "update_channel",
    params(("channel" = String, Path)), request_body = UpdateChannel,
    responses((status = 200, body = ChannelSummary), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn update(
    State(node): State<Node>,
    InPath(channel): InPath<String>,
    InBody(request): InBody<UpdateChannel>,
) -> Answer<ChannelSummary> {
    answer(node.update_channel(channel.trim(), request).await)
}

/// Leaves a channel.
#[utoipa::path(post, path = "/v1/channels/{channel}/leave", tag = "channels", operation_id = "leave_channel",
    params(("channel" = String, Path)),
    responses((status = 200, body = LeftChannel), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn leave(
    State(node): State<Node>,
    InPath(channel): InPath<String>,
) -> Answer<LeftChannel> {
    answer(node.leave(channel.trim()).await)
}

/// Marks messages as read.
#[utoipa::path(post, path = "/v1/channels/{channel}/mark", tag = "channels", operation_id = "mark_read",
    params(("channel" = String, Path)), request_body = MarkRead,
    responses((status = 200, body = Marked), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn mark(
    State(node): State<Node>,
    InPath(channel): InPath<String>,
    InBody(request): InBody<MarkRead>,
) -> Answer<Marked> {
    answer(node.mark(channel.trim(), request).await)
}

/// Tells the others that somebody is typing here.
#[utoipa::path(post, path = "/v1/channels/{channel}/typing", tag = "channels", operation_id = "typing",
    params(("channel" = String, Path)),
    responses((status = 200, description = "They are told."), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn typing(
    State(node): State<Node>,
    InPath(channel): InPath<String>,
) -> Answer<()> {
    answer(node.typing(channel.trim()).await)
}
