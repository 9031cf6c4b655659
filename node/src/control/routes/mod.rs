//! The paths of the local API. Each handler reads a request, makes one call and answers.

pub(super) mod account;
pub(super) mod channels;
pub(super) mod erase;
pub(super) mod events;
pub(super) mod invites;
pub(super) mod members;
pub(super) mod messages;
pub(super) mod node;
pub(super) mod own;
pub(super) mod policy;
pub(super) mod storage;
pub(super) mod why;

use axum::Router;
use axum::routing::{get, patch, post, put};

use super::answer::{Refusal, no_such_path};
use crate::handle::Node;

/// All paths.
pub(super) fn router(node: Node) -> Router {
    Router::new()
        .route("/v1/status", get(node::status))
        .route("/v1/damage", get(node::damage))
        .route("/v1/shutdown", post(node::shutdown))
        .route("/v1/backup", post(node::backup))
        .route("/v1/openapi.json", get(node::openapi))
        .route("/v1/channels", get(channels::list).post(channels::create))
        .route(
            "/v1/channels/{channel}",
            get(channels::show).patch(channels::update),
        )
        .route("/v1/channels/{channel}/leave", post(channels::leave))
        .route("/v1/channels/{channel}/erase", post(erase::mine))
        .route("/v1/channels/{channel}/wishes", patch(own::update_wishes))
        .route("/v1/channels/{channel}/draft", put(own::put_draft))
        .route("/v1/drafts", get(own::drafts))
        .route("/v1/contacts", get(own::contacts))
        .route("/v1/contacts/{account}", patch(own::update_contact))
        .route("/v1/account", get(account::show))
        .route("/v1/account/erase", post(erase::account))
        .route("/v1/device", patch(account::update).delete(account::revoke))
        .route(
            "/v1/device/link",
            get(account::link)
                .post(account::show_link)
                .delete(account::withdraw_link),
        )
        .route("/v1/device/grant", post(account::grant))
        .route("/v1/device/link/confirm", post(account::confirm_link))
        .route("/v1/channels/{channel}/mark", post(channels::mark))
        .route("/v1/channels/{channel}/typing", post(channels::typing))
        .route(
            "/v1/channels/{channel}/invites",
            get(invites::list).post(invites::invite),
        )
        .route(
            "/v1/channels/{channel}/invites/revoke",
            post(invites::revoke),
        )
        .route("/v1/channels/{channel}/members", get(members::list))
        .route(
            "/v1/channels/{channel}/members/{account}",
            post(members::act),
        )
        .route(
            "/v1/channels/{channel}/members/{account}/why",
            get(why::member),
        )
        .route("/v1/channels/{channel}/audit", get(why::audit))
        .route("/v1/channels/{channel}/verify", get(why::verify))
        .route("/v1/channels/{channel}/mend", post(why::mend))
        .route("/v1/mend", post(why::mend_all))
        .route("/v1/messages/{id}/why", get(why::message))
        .route("/v1/ops/{op}/why", get(why::op))
        .route(
            "/v1/channels/{channel}/policy",
            get(policy::list).post(policy::set),
        )
        .route("/v1/channels/{channel}/retention", get(policy::retention))
        .route(
            "/v1/channels/{channel}/retention/status",
            get(policy::retention_status),
        )
        .route("/v1/sweep", post(policy::sweep))
        .route("/v1/storage", get(storage::all))
        .route("/v1/channels/{channel}/storage", get(storage::one))
        .route("/v1/quotas", get(storage::quotas).put(storage::set_for_all))
        .route(
            "/v1/channels/{channel}/quota",
            get(storage::quota).put(storage::set),
        )
        .route("/v1/join", post(invites::join))
        .route(
            "/v1/channels/{channel}/messages",
            get(messages::page).post(messages::send),
        )
        .route(
            "/v1/messages/{id}",
            get(messages::show)
                .patch(messages::edit)
                .delete(messages::delete),
        )
        .route("/v1/messages/{id}/history", get(messages::history))
        .route(
            "/v1/messages/{id}/reactions/{emoji}",
            put(messages::react).delete(messages::unreact),
        )
        .route(
            "/v1/messages/{id}/pin",
            put(messages::pin).delete(messages::unpin),
        )
        .route("/v1/channels/{channel}/pins", get(messages::pins))
        .route("/v1/events", get(events::events))
        .fallback(no_such_path)
        .method_not_allowed_fallback(async || Refusal::wrong_method())
        .with_state(node)
}
