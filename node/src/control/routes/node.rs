//! The daemon itself.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use kith_api::backup::{BackupCreated, BackupRequest};
use kith_api::error::ErrorBody;
use kith_api::status::{Damage, Status};

use crate::control::answer::{Answer, answer};
use crate::control::openapi::description;
use crate::control::request::InBody;
use crate::handle::Node;

/// How the daemon is.
#[utoipa::path(get, path = "/v1/status", tag = "node",
    responses((status = 200, body = Status), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn status(State(node): State<Node>) -> Answer<Status> {
    answer(node.status().await)
}

/// What is wrong with this home, as far as is known: what of its disk cannot be read, and whether
/// there is another copy of it in use.
#[utoipa::path(get, path = "/v1/damage", tag = "node",
    responses((status = 200, body = Damage), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn damage(State(node): State<Node>) -> Answer<Damage> {
    answer(node.damage().await)
}

/// Writes a backup of this home into a file, while everything goes on.
#[utoipa::path(post, path = "/v1/backup", tag = "node",
    operation_id = "create_backup", request_body = BackupRequest,
    responses((status = 200, body = BackupCreated), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn backup(
    State(node): State<Node>,
    InBody(request): InBody<BackupRequest>,
) -> Answer<BackupCreated> {
    answer(node.create_backup(request).await)
}

/// Asks the daemon to stop.
#[utoipa::path(post, path = "/v1/shutdown", tag = "node",
    responses((status = 200, description = "It will stop."), (status = "default", body = ErrorBody)))]
pub(in crate::control) async fn shutdown(State(node): State<Node>) -> Json<()> {
    node.shutdown().await;
    Json(())
}

/// This description.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "node",
    responses((status = 200, description = "An OpenAPI document.", content_type = "application/json")))]
pub(in crate::control) async fn openapi() -> impl IntoResponse {
    description()
}
