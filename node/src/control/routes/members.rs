//! Members.

use axum::extract::State;
use kith_api::channel::MemberInfo;
use kith_api::error::ErrorBody;
use kith_api::member::{MemberOutcome, MemberRequest};

use crate::control::answer::{Answer, answer};
use crate::control::request::{InBody, InPath};
use crate::handle::Node;

/// Everyone who is or was a member.
#[utoipa::path(get, path = "/v1/channels/{channel}/members", tag = "members",
    operation_id = "members", params(("channel" = String, Path)),
    responses((status = 200, body = Vec<MemberInfo>), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn list(
    State(node): State<Node>,
    InPath(channel): InPath<String>,
) -> Answer<Vec<MemberInfo>> {
    answer(node.members(channel.trim()).await)
}

/// Does something about an account, or says what would become of it.
#[utoipa::path(post, path = "/v1/channels/{channel}/members/{account}", tag = "members",
    operation_id = "act_on_member",
    params(("channel" = String, Path), ("account" = String, Path)), request_body = MemberRequest,
    responses((status = 200, body = MemberOutcome), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn act(
    State(node): State<Node>,
    InPath((channel, account)): InPath<(String, String)>,
    InBody(request): InBody<MemberRequest>,
) -> Answer<MemberOutcome> {
    answer(
        node.act_on_member(channel.trim(), account.trim(), request)
            .await,
    )
}
