//! Why something is as it is, and who did what.

use axum::extract::State;
use kith_api::audit::{AuditPage, AuditQuery};
use kith_api::error::ErrorBody;
use kith_api::verify::{MendReport, MendRequest, VerifyReport};
use kith_api::why::{WhyMember, WhyMessage, WhyOp};

use crate::control::answer::{Answer, answer};
use crate::control::request::{InBody, InPath, InQuery};
use crate::handle::Node;

/// Why an account is what it is to a channel.
#[utoipa::path(get, path = "/v1/channels/{channel}/members/{account}/why", tag = "why",
    operation_id = "why_member",
    params(("channel" = String, Path), ("account" = String, Path)),
    responses((status = 200, body = WhyMember), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn member(
    State(node): State<Node>,
    InPath((channel, account)): InPath<(String, String)>,
) -> Answer<WhyMember> {
    answer(node.why_member(channel.trim(), account.trim()).await)
}

/// Why a message is shown as it is.
#[utoipa::path(get, path = "/v1/messages/{id}/why", tag = "why", operation_id = "why_message",
    params(("id" = String, Path)),
    responses((status = 200, body = WhyMessage), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn message(
    State(node): State<Node>,
    InPath(id): InPath<String>,
) -> Answer<WhyMessage> {
    answer(node.why_message(id.trim()).await)
}

/// Why an op counts or does not.
#[utoipa::path(get, path = "/v1/ops/{op}/why", tag = "why", operation_id = "why_op",
    params(("op" = String, Path)),
    responses((status = 200, body = WhyOp), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn op(
    State(node): State<Node>,
    InPath(op): InPath<String>,
) -> Answer<WhyOp> {
    answer(node.why_op(op.trim()).await)
}

/// Whether all that is shown of a channel is what its signed entries make. Takes seconds where
/// there is much; nobody waits meanwhile.
#[utoipa::path(get, path = "/v1/channels/{channel}/verify", tag = "why", operation_id = "verify",
    params(("channel" = String, Path)),
    responses((status = 200, body = VerifyReport), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn verify(
    State(node): State<Node>,
    InPath(channel): InPath<String>,
) -> Answer<VerifyReport> {
    answer(node.verify(channel.trim()).await)
}

/// Makes good what damage on the disk took from a channel, as far as it is still here or other
/// members have it.
#[utoipa::path(post, path = "/v1/channels/{channel}/mend", tag = "why", operation_id = "mend",
    params(("channel" = String, Path)), request_body = MendRequest,
    responses((status = 200, body = Vec<MendReport>), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn mend(
    State(node): State<Node>,
    InPath(channel): InPath<String>,
    InBody(request): InBody<MendRequest>,
) -> Answer<Vec<MendReport>> {
    answer(node.mend(Some(channel.trim()), request).await)
}

/// The same for every channel, and for what is damaged of the node itself.
#[utoipa::path(post, path = "/v1/mend", tag = "why", operation_id = "mend_all",
    request_body = MendRequest,
    responses((status = 200, body = Vec<MendReport>), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn mend_all(
    State(node): State<Node>,
    InBody(request): InBody<MendRequest>,
) -> Answer<Vec<MendReport>> {
    answer(node.mend(None, request).await)
}

/// Who did what in a channel: the newest entries before the cursor, oldest first. Every signature
/// is checked for the answer.
#[utoipa::path(get, path = "/v1/channels/{channel}/audit", tag = "why", operation_id = "audit",
    params(("channel" = String, Path), AuditQuery),
    responses((status = 200, body = AuditPage), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn audit(
    State(node): State<Node>,
    InPath(channel): InPath<String>,
    InQuery(query): InQuery<AuditQuery>,
) -> Answer<AuditPage> {
    answer(node.audit(channel.trim(), query).await)
}
