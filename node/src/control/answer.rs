//! Answers: what was asked for as JSON, or `{"error":{"code","message"}}` with a fitting status.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use kith_api::error::ErrorBody;
use kith_api::{ApiError, ErrorCode};

/// What a handler gives back.
pub(super) type Answer<T> = Result<Json<T>, Refusal>;

/// Wraps what the node gave into an answer.
pub(super) fn answer<T>(given: Result<T, ApiError>) -> Answer<T> {
    given.map(Json).map_err(Refusal::from)
}

/// An error with the status it is answered with.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    error: ApiError,
}

impl Refusal {
    /// Nobody who is known asks.
    pub(super) fn unauthorized(message: &str) -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            error: ApiError::denied(message),
        }
    }

    /// The body is longer than any request is.
    pub(super) fn too_large(limit: usize) -> Self {
        Self {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            error: ApiError::limit(format_args!("the body is longer than {limit} bytes")),
        }
    }

    /// The body did not arrive.
    pub(super) fn incomplete() -> Self {
        Self {
            status: StatusCode::REQUEST_TIMEOUT,
            error: ApiError::usage("the body did not arrive whole and in time"),
        }
    }

    /// The body is no JSON.
    pub(super) fn not_json() -> Self {
        Self {
            status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
            error: ApiError::usage("send JSON with `Content-Type: application/json`"),
        }
    }

    /// The path exists, the method does not.
    pub(super) fn wrong_method() -> Self {
        Self {
            status: StatusCode::METHOD_NOT_ALLOWED,
            error: ApiError::usage("this path has no such method: see /v1/openapi.json"),
        }
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self {
            status: StatusCode::from_u16(error.code.http_status())
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            error,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(ErrorBody { error: self.error })).into_response()
    }
}

/// Answers a path that there is not.
pub(super) async fn no_such_path() -> Refusal {
    ApiError::new(
        ErrorCode::NotFound,
        "there is no such path: see /v1/openapi.json",
    )
    .into()
}
