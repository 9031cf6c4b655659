//! What a request carries in its path, its query and its body, read within bounds and with the
//! API's own errors.

use std::time::Duration;

use axum::body::{Bytes, to_bytes};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use kith_api::ApiError;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::answer::Refusal;

/// Bytes of a body: the longest text, every character escaped, and the rest.
const BODY_MAX: usize = 256 * 1024;
/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(10);

/// What is in the path.
pub(super) struct InPath<T>(pub(super) T);

/// What is in the query.
pub(super) struct InQuery<T>(pub(super) T);

/// What is in the body, as JSON.
pub(super) struct InBody<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for InPath<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let read: Result<Path<T>, PathRejection> = Path::from_request_parts(parts, state).await;
        read.map(|Path(value)| Self(value))
            .map_err(|error| ApiError::usage(error.body_text()).into())
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for InQuery<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let read: Result<Query<T>, QueryRejection> = Query::try_from_uri(&parts.uri);
        read.map(|Query(value)| Self(value))
            .map_err(|error| ApiError::usage(error.body_text()).into())
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for InBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        if !is_json(request.headers()) {
            return Err(Refusal::not_json());
        }
        let bytes = read_body(request).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            ApiError::usage(format_args!("the body is not what is expected: {error}")).into()
        })
    }
}

async fn read_body(request: Request) -> Result<Bytes, Refusal> {
    let announced = request.headers().get(axum::http::header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > BODY_MAX) {
        return Err(Refusal::too_large(BODY_MAX));
    }
    match timeout(BODY_TIME, to_bytes(request.into_body(), BODY_MAX)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) if announced.is_none() => Err(Refusal::too_large(BODY_MAX)),
        Ok(Err(_)) | Err(_) => Err(Refusal::incomplete()),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let given = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    given.is_some_and(|given| {
        let kind = given.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case("application/json")
    })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::response::IntoResponse;
    use kith_api::message::{PageQuery, SendMessage};

    use super::*;

    async fn body(kind: &str, body: impl Into<Body>) -> Result<SendMessage, u16> {
        let request = Request::builder()
            .header(CONTENT_TYPE, kind)
            .body(body.into())
            .unwrap();
        InBody::from_request(request, &())
            .await
            .map(|InBody(message)| message)
            .map_err(|refusal| refusal.into_response().status().as_u16())
    }

    #[tokio::test]
    async fn a_body_is_json_and_says_so() {
        let text = r#"{"text":"hello"}"#;
        assert_eq!(
            body("application/json; charset=utf-8", text)
                .await
                .unwrap()
                .text,
            "hello"
        );
        assert_eq!(body("text/plain", text).await, Err(415));
        assert_eq!(body("application/json", "{").await, Err(400));
        assert_eq!(
            body("application/json", r#"{"text":"a","expire":1}"#).await,
            Err(400)
        );
    }

    #[tokio::test]
    async fn a_body_has_a_bound() {
        let fits = format!(r#"{{"text":"{}"}}"#, "a".repeat(120_000));
        assert!(body("application/json", fits).await.is_ok());
        assert_eq!(
            body("application/json", vec![b' '; BODY_MAX + 1]).await,
            Err(413)
        );
    }

    #[tokio::test]
    async fn a_misspelt_parameter_is_an_error() {
        let (mut parts, ()) = Request::builder()
            .uri("/v1/channels/team/messages?limits=5")
            .body(())
            .unwrap()
            .into_parts();
        let read = InQuery::<PageQuery>::from_request_parts(&mut parts, &()).await;
        assert_eq!(read.err().unwrap().into_response().status(), 400);
    }
}
