//! The settings of a channel.

use axum::extract::State;
use kith_api::error::ErrorBody;
use kith_api::evidence::RetentionStatus;
use kith_api::policy::{PolicyOutcome, PolicyRequest, PolicySetting};
use kith_api::retention::{RetentionInfo, SweepRequest, Swept};

use crate::control::answer::{Answer, answer};
use crate::control::request::{InBody, InPath};
use crate::handle::Node;

/// Everything that can be set in a channel, and who set it.
#[utoipa::path(get, path = "/v1/channels/{channel}/policy", tag = "policy",
    operation_id = "policy", params(("channel" = String, Path)),
    responses((status = 200, body = Vec<PolicySetting>), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn list(
    State(node): State<Node>,
    InPath(channel): InPath<String>,
) -> Answer<Vec<PolicySetting>> {
    answer(node.policy(channel.trim()).await)
}

/// Sets something, or says what would hold.
#[utoipa::path(post, path = "/v1/channels/{channel}/policy", tag = "policy",
    operation_id = "set_policy", params(("channel" = String, Path)), request_body = PolicyRequest,
    responses((status = 200, body = PolicyOutcome), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn set(
    State(node): State<Node>,
    InPath(channel): InPath<String>,
    InBody(request): InBody<PolicyRequest>,
) -> Answer<PolicyOutcome> {
    answer(node.set_policy(channel.trim(), request).await)
}

/// Takes everything off the disk that is over.
#[utoipa::path(post, path = "/v1/sweep", tag = "policy",
    operation_id = "sweep", request_body = SweepRequest,
    responses((status = 200, body = Swept), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn sweep(
    State(node): State<Node>,
    InBody(request): InBody<SweepRequest>,
) -> Answer<Swept> {
    answer(node.sweep(request).await)
}

/// How long a channel keeps its messages, within which limits, and who said so.
#[utoipa::path(get, path = "/v1/channels/{channel}/retention", tag = "policy",
    operation_id = "retention", params(("channel" = String, Path)),
    responses((status = 200, body = RetentionInfo), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn retention(
    State(node): State<Node>,
    InPath(channel): InPath<String>,
) -> Answer<RetentionInfo> {
    answer(node.retention(channel.trim()).await)
}

/// What is over in a channel, and which devices have erased it.
#[utoipa::path(get, path = "/v1/channels/{channel}/retention/status", tag = "policy",
    operation_id = "retention_status", params(("channel" = String, Path)),
    responses((status = 200, body = RetentionStatus), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn retention_status(
    State(node): State<Node>,
    InPath(channel): InPath<String>,
) -> Answer<RetentionStatus> {
    answer(node.retention_status(channel.trim()).await)
}
