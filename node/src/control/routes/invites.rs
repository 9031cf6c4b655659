//! Invites.

use axum::extract::State;
use kith_api::channel::ChannelName;
use kith_api::error::ErrorBody;
use kith_api::invite::{InviteInfo, InviteRequest, Invited, JoinRequest, RevokeInvite, Revoked};

use crate::control::answer::{Answer, answer};
use crate::control::idempotency::KeyHeader;
use crate::control::request::{InBody, InPath};
use crate::handle::Node;

/// Makes an invite.
#[utoipa::path(post, path = "/v1/channels/{channel}/invites", tag = "invites",
    params(
        ("channel" = String, Path),
        ("idempotency-key" = Option<String>, Header, description = "Instead of `key` in the body."),
    ),
    request_body = InviteRequest,
    responses((status = 200, body = Invited), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn invite(
    State(node): State<Node>,
    InPath(channel): InPath<String>,
    key: KeyHeader,
    InBody(mut request): InBody<InviteRequest>,
) -> Answer<Invited> {
    key.merge_into(&mut request.key)?;
    answer(node.invite(channel.trim(), request).await)
}

/// The invites of a channel, the one that holds longest first.
#[utoipa::path(get, path = "/v1/channels/{channel}/invites", tag = "invites",
    operation_id = "invites", params(("channel" = String, Path)),
    responses((status = 200, body = Vec<InviteInfo>), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn list(
    State(node): State<Node>,
    InPath(channel): InPath<String>,
) -> Answer<Vec<InviteInfo>> {
    answer(node.invites(channel.trim()).await)
}

/// Takes an invite back.
#[utoipa::path(post, path = "/v1/channels/{channel}/invites/revoke", tag = "invites",
    operation_id = "revoke_invite", params(("channel" = String, Path)), request_body = RevokeInvite,
    responses((status = 200, body = Revoked), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn revoke(
    State(node): State<Node>,
    InPath(channel): InPath<String>,
    InBody(request): InBody<RevokeInvite>,
) -> Answer<Revoked> {
    answer(node.revoke_invite(channel.trim(), request).await)
}

/// Joins a channel; answers once its control log and a key have arrived.
#[utoipa::path(post, path = "/v1/join", tag = "invites", request_body = JoinRequest,
    responses((status = 200, body = ChannelName), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn join(
    State(node): State<Node>,
    InBody(request): InBody<JoinRequest>,
) -> Answer<ChannelName> {
    answer(node.join(request).await)
}
