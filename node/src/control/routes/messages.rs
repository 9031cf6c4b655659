//! Messages.

use axum::extract::State;
use kith_api::error::ErrorBody;
use kith_api::message::{
    DeleteQuery, EditMessage, Message, MessageDetail, PageQuery, SendMessage, Sent, Version,
};

use crate::control::answer::{Answer, answer};
use crate::control::idempotency::KeyHeader;
use crate::control::request::{InBody, InPath, InQuery};
use crate::handle::Node;

/// Writes a message; answers once it is on the disk.
#[utoipa::path(post, path = "/v1/channels/{channel}/messages", tag = "messages", operation_id = "send",
    params(
        ("channel" = String, Path),
        ("idempotency-key" = Option<String>, Header, description = "Instead of `key` in the body."),
    ),
    request_body = SendMessage,
    responses((status = 200, body = Sent), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn send(
    State(node): State<Node>,
    InPath(channel): InPath<String>,
    key: KeyHeader,
    InBody(mut request): InBody<SendMessage>,
) -> Answer<Sent> {
    key.merge_into(&mut request.key)?;
    answer(node.send(channel.trim(), request).await)
}

/// A page of a timeline: the newest messages before the cursor, oldest first.
#[utoipa::path(get, path = "/v1/channels/{channel}/messages", tag = "messages", operation_id = "page",
    params(("channel" = String, Path), PageQuery),
    responses((status = 200, body = Vec<Message>), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn page(
    State(node): State<Node>,
    InPath(channel): InPath<String>,
    InQuery(query): InQuery<PageQuery>,
) -> Answer<Vec<Message>> {
    answer(node.page(channel.trim(), query).await)
}

/// One message with where it has arrived.
#[utoipa::path(get, path = "/v1/messages/{id}", tag = "messages", operation_id = "message",
    params(("id" = String, Path)),
    responses((status = 200, body = MessageDetail), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn show(
    State(node): State<Node>,
    InPath(id): InPath<String>,
) -> Answer<MessageDetail> {
    answer(node.message(id.trim()).await)
}

/// Replaces a message's text.
#[utoipa::path(patch, path = "/v1/messages/{id}", tag = "messages", operation_id = "edit",
    params(
        ("id" = String, Path),
        ("idempotency-key" = Option<String>, Header, description = "Instead of `key` in the body."),
    ),
    request_body = EditMessage,
    responses((status = 200, body = Message), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn edit(
    State(node): State<Node>,
    InPath(id): InPath<String>,
    key: KeyHeader,
    InBody(mut request): InBody<EditMessage>,
) -> Answer<Message> {
    key.merge_into(&mut request.key)?;
    answer(node.edit(id.trim(), request).await)
}

/// Deletes a message for everyone.
#[utoipa::path(delete, path = "/v1/messages/{id}", tag = "messages", operation_id = "delete",
    params(("id" = String, Path), DeleteQuery),
    responses((status = 200, body = Message), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn delete(
    State(node): State<Node>,
    InPath(id): InPath<String>,
    InQuery(query): InQuery<DeleteQuery>,
) -> Answer<Message> {
    answer(node.delete(id.trim(), query).await)
}

/// The texts that a message has had, oldest first.
#[utoipa::path(get, path = "/v1/messages/{id}/history", tag = "messages", operation_id = "history",
    params(("id" = String, Path)),
    responses((status = 200, body = Vec<Version>), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn history(
    State(node): State<Node>,
    InPath(id): InPath<String>,
) -> Answer<Vec<Version>> {
    answer(node.history(id.trim()).await)
}

/// Gives a reaction.
#[utoipa::path(put, path = "/v1/messages/{id}/reactions/{emoji}", tag = "messages", operation_id = "react",
    params(("id" = String, Path), ("emoji" = String, Path)),
    responses((status = 200, body = Message), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn react(
    State(node): State<Node>,
    InPath((id, emoji)): InPath<(String, String)>,
) -> Answer<Message> {
    answer(node.react(id.trim(), emoji.trim(), true).await)
}

/// Takes a reaction back.
#[utoipa::path(delete, path = "/v1/messages/{id}/reactions/{emoji}", tag = "messages", operation_id = "unreact",
    params(("id" = String, Path), ("emoji" = String, Path)),
    responses((status = 200, body = Message), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn unreact(
    State(node): State<Node>,
    InPath((id, emoji)): InPath<(String, String)>,
) -> Answer<Message> {
    answer(node.react(id.trim(), emoji.trim(), false).await)
}

/// Pins a message.
#[utoipa::path(put, path = "/v1/messages/{id}/pin", tag = "messages", operation_id = "pin",
    params(("id" = String, Path)),
    responses((status = 200, body = Message), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn pin(
    State(node): State<Node>,
    InPath(id): InPath<String>,
) -> Answer<Message> {
    answer(node.pin(id.trim(), true).await)
}

/// Unpins a message.
#[utoipa::path(delete, path = "/v1/messages/{id}/pin", tag = "messages", operation_id = "unpin",
    params(("id" = String, Path)),
    responses((status = 200, body = Message), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn unpin(
    State(node): State<Node>,
    InPath(id): InPath<String>,
) -> Answer<Message> {
    answer(node.pin(id.trim(), false).await)
}

/// The pinned messages of a channel, those pinned first first.
#[utoipa::path(get, path = "/v1/channels/{channel}/pins", tag = "messages", operation_id = "pins",
    params(("channel" = String, Path)),
    responses((status = 200, body = Vec<Message>), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn pins(
    State(node): State<Node>,
    InPath(channel): InPath<String>,
) -> Answer<Vec<Message>> {
    answer(node.pins(channel.trim()).await)
}
