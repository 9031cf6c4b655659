//! The description of the local API, generated from its handlers and types.

use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use utoipa::OpenApi;

use super::routes::{
    account, channels, erase, events, invites, members, messages, node, own, policy, storage, why,
};

/// What `docs/openapi.json` holds.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Kith local API",
        version = "1",
        description = "What a daemon answers on its home's Unix socket, and on a loopback port \
            with a bearer token. A channel is named by its name, `#name` or an id prefix, a \
            message by an id prefix. Every error is `{\"error\":{\"code\",\"message\"}}`.",
        license(name = "MIT OR Apache-2.0")
    ),
    paths(
        node::status,
        node::damage,
        node::backup,
        node::shutdown,
        node::openapi,
        account::show,
        account::update,
        account::grant,
        account::revoke,
        account::show_link,
        account::link,
        account::withdraw_link,
        account::confirm_link,
        channels::create,
        channels::list,
        channels::show,
        channels::update,
        channels::leave,
        own::contacts,
        own::update_contact,
        own::update_wishes,
        own::drafts,
        own::put_draft,
        erase::mine,
        erase::account,
        channels::mark,
        channels::typing,
        invites::invite,
        invites::list,
        invites::revoke,
        invites::join,
        members::list,
        members::act,
        policy::list,
        policy::set,
        policy::retention,
        policy::retention_status,
        policy::sweep,
        storage::all,
        storage::one,
        storage::quotas,
        storage::set_for_all,
        storage::quota,
        storage::set,
        messages::send,
        messages::page,
        messages::show,
        messages::edit,
        messages::delete,
        messages::history,
        messages::react,
        messages::unreact,
        why::member,
        why::message,
        why::op,
        why::audit,
        why::verify,
        why::mend,
        why::mend_all,
        messages::pin,
        messages::unpin,
        messages::pins,
        events::events,
    ),
    components(schemas(kith_api::error::ErrorBody, kith_api::reaction::Reaction))
)]
struct Description;

static DESCRIPTION: LazyLock<String> = LazyLock::new(|| {
    let mut json = Description::openapi()
        .to_pretty_json()
        .expect("the description is plain data");
    json.push('\n');
    json
});

/// The description as a response.
pub(super) fn description() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], DESCRIPTION.as_str())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// After a change to the API, run the test with `KITH_BLESS=1` to write the page anew.
    #[test]
    fn the_committed_description_is_what_the_daemon_serves() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
        if std::env::var_os("KITH_BLESS").is_some() {
            std::fs::write(&page, DESCRIPTION.as_str()).unwrap();
        }
        let committed = std::fs::read_to_string(&page).unwrap_or_default();
        assert!(
            committed == *DESCRIPTION,
            "docs/openapi.json is out of date: run this test with KITH_BLESS=1"
        );
    }
}
