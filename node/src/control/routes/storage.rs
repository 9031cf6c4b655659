//! Space on the disk.

use axum::extract::State;
use kith_api::error::ErrorBody;
use kith_api::storage::{ChannelStorageDetail, QuotaInfo, QuotaRequest, StorageInfo};

use crate::control::answer::{Answer, answer};
use crate::control::request::{InBody, InPath};
use crate::handle::Node;

/// What takes up space in this home.
#[utoipa::path(get, path = "/v1/storage", tag = "storage",
    operation_id = "storage",
    responses((status = 200, body = StorageInfo), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn all(State(node): State<Node>) -> Answer<StorageInfo> {
    answer(node.storage().await)
}

/// What a channel takes up, and what keeping messages for a shorter time would free.
#[utoipa::path(get, path = "/v1/channels/{channel}/storage", tag = "storage",
    operation_id = "channel_storage", params(("channel" = String, Path)),
    responses((status = 200, body = ChannelStorageDetail), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn one(
    State(node): State<Node>,
    InPath(channel): InPath<String>,
) -> Answer<ChannelStorageDetail> {
    answer(node.storage_of(channel.trim()).await)
}

/// The quota of all channels together, first, and those of channels.
#[utoipa::path(get, path = "/v1/quotas", tag = "storage", operation_id = "quotas",
    responses((status = 200, body = Vec<QuotaInfo>), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn quotas(State(node): State<Node>) -> Answer<Vec<QuotaInfo>> {
    answer(node.quotas().await)
}

/// Sets the quota of all channels together, or takes it away.
#[utoipa::path(put, path = "/v1/quotas", tag = "storage", operation_id = "set_quota_of_all",
    request_body = QuotaRequest,
    responses((status = 200, body = QuotaInfo), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn set_for_all(
    State(node): State<Node>,
    InBody(request): InBody<QuotaRequest>,
) -> Answer<QuotaInfo> {
    answer(node.set_quota(None, request).await)
}

/// The quota of a channel.
#[utoipa::path(get, path = "/v1/channels/{channel}/quota", tag = "storage",
    operation_id = "quota", params(("channel" = String, Path)),
    responses((status = 200, body = QuotaInfo), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn quota(
    State(node): State<Node>,
    InPath(channel): InPath<String>,
) -> Answer<QuotaInfo> {
    answer(node.quota(channel.trim()).await)
}

/// Sets the quota of a channel, or takes it away.
#[utoipa::path(put, path = "/v1/channels/{channel}/quota", tag = "storage",
    operation_id = "set_quota", params(("channel" = String, Path)), request_body = QuotaRequest,
    responses((status = 200, body = QuotaInfo), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn set(
    State(node): State<Node>,
    InPath(channel): InPath<String>,
    InBody(request): InBody<QuotaRequest>,
) -> Answer<QuotaInfo> {
    answer(node.set_quota(Some(channel.trim()), request).await)
}
