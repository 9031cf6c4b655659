//! What this account sets for itself: contacts, what it wants of channels, drafts.

use axum::extract::State;
use kith_api::channel::{ChannelSummary, UpdateWishes};
use kith_api::contact::{Contact, UpdateContact};
use kith_api::draft::{Draft, PutDraft};
use kith_api::error::ErrorBody;

use crate::control::answer::{Answer, answer};
use crate::control::request::{InBody, InPath};
use crate::handle::Node;

/// Whom this account shares a channel with, or has said something about.
#[utoipa::path(get, path = "/v1/contacts", tag = "contacts", operation_id = "contacts",
    responses((status = 200, body = Vec<Contact>), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn contacts(State(node): State<Node>) -> Answer<Vec<Contact>> {
    answer(node.contacts().await)
}

/// Gives somebody a name, or blocks them, on all devices of this account. Nobody else learns of it.
#[utoipa::path(patch, path = "/v1/contacts/{account}", tag = "contacts",
    operation_id = "update_contact",
    params(("account" = String, Path)), request_body = UpdateContact,
    responses((status = 200, body = Contact), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn update_contact(
    State(node): State<Node>,
    InPath(account): InPath<String>,
    InBody(request): InBody<UpdateContact>,
) -> Answer<Contact> {
    answer(node.update_contact(account.trim(), request).await)
}

/// Mutes a channel, puts it away or says of what to be notified, on all devices of this account.
#[utoipa::path(patch, path = "/v1/channels/{channel}/wishes", tag = "channels",
    operation_id = "update_wishes",
    params(("channel" = String, Path)), request_body = UpdateWishes,
    responses((status = 200, body = ChannelSummary), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn update_wishes(
    State(node): State<Node>,
    InPath(channel): InPath<String>,
    InBody(request): InBody<UpdateWishes>,
) -> Answer<ChannelSummary> {
    answer(node.update_wishes(channel.trim(), request).await)
}

/// All drafts, the latest first.
#[utoipa::path(get, path = "/v1/drafts", tag = "messages", operation_id = "drafts",
    responses((status = 200, body = Vec<Draft>), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn drafts(State(node): State<Node>) -> Answer<Vec<Draft>> {
    answer(node.drafts().await)
}

/// Writes the draft for a channel or a thread, or discards it. It is on all devices of this
/// account.
#[utoipa::path(put, path = "/v1/channels/{channel}/draft", tag = "messages",
    operation_id = "put_draft",
    params(("channel" = String, Path)), request_body = PutDraft,
    responses((status = 200, body = Option<Draft>), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn put_draft(
    State(node): State<Node>,
    InPath(channel): InPath<String>,
    InBody(request): InBody<PutDraft>,
) -> Answer<Option<Draft>> {
    answer(node.put_draft(channel.trim(), request).await)
}
