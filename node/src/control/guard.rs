//! Who may ask over the loopback port.
//!
//! The token says that the home's owner asks. `Host` and `Origin` say that no page of another
//! site asks through the owner's browser: neither one whose name was made to resolve to loopback
//! (the `Host` is then that name), nor one that posts across (the `Origin` is then its own).

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use kith_api::ApiError;
use kith_crdt::crypto::secret::Secret;

use super::answer::Refusal;
use super::tcp::parse_token;

/// The names by which a page or a program may call the port.
const NAMES: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// The checks of one port.
#[derive(Debug)]
pub(super) struct Guard {
    token: Secret,
    hosts: [String; 3],
    origins: [String; 3],
}

impl Guard {
    pub(super) fn new(token: Secret, port: u16) -> Self {
        Self {
            token,
            hosts: NAMES.map(|name| format!("{name}:{port}")),
            origins: NAMES.map(|name| format!("http://{name}:{port}")),
        }
    }

    /// Puts the checks before every route.
    pub(super) fn protect(guard: &Arc<Self>, router: Router) -> Router {
        let guard = Arc::clone(guard);
        router.layer(from_fn(move |request: Request, next: Next| {
            let guard = Arc::clone(&guard);
            async move { guard.pass(request, next).await }
        }))
    }

    async fn pass(&self, request: Request, next: Next) -> Response {
        match self.check(request.headers()) {
            Ok(()) => next.run(request).await,
            Err(refusal) => refusal.into_response(),
        }
    }

    fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        if !text(header::HOST).is_some_and(|host| self.hosts.iter().any(|known| known == host)) {
            return Err(ApiError::denied(
                "the Host header is not this port's: use http://127.0.0.1 and its port",
            )
            .into());
        }
        let origin_given = headers.contains_key(header::ORIGIN);
        let origin = text(header::ORIGIN).unwrap_or_default();
        if origin_given && !self.origins.iter().any(|known| known == origin) {
            return Err(ApiError::denied("pages of other sites may not ask").into());
        }
        let token = text(header::AUTHORIZATION)
            .and_then(|value| value.strip_prefix("Bearer "))
            .and_then(parse_token);
        if token.as_ref() == Some(&self.token) {
            return Ok(());
        }
        Err(Refusal::unauthorized(
            "the token is missing or wrong: send `Authorization: Bearer` and what is in \
             api-token in the home",
        ))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use kith_crdt::ids::base32;

    use super::*;

    fn check(change: impl FnOnce(&mut HeaderMap)) -> Result<(), u16> {
        let guard = Guard::new(Secret::new([7; 32]), 4100);
        let mut headers = HeaderMap::new();
        let bearer = format!("Bearer {}", base32(&[7; 32]));
        headers.insert(header::HOST, HeaderValue::from_static("localhost:4100"));
        headers.insert(header::AUTHORIZATION, bearer.parse().unwrap());
        change(&mut headers);
        guard
            .check(&headers)
            .map_err(|refusal| refusal.into_response().status().as_u16())
    }

    #[test]
    fn the_owner_passes_from_a_program_and_from_the_port_s_own_page() {
        assert_eq!(check(|_| {}), Ok(()));
        let own = HeaderValue::from_static("http://127.0.0.1:4100");
        assert_eq!(check(|h| drop(h.insert(header::ORIGIN, own))), Ok(()));
    }

    #[test]
    fn without_the_token_nobody_passes() {
        assert_eq!(check(|h| drop(h.remove(header::AUTHORIZATION))), Err(401));
        for wrong in [
            "Bearer ",
            "Bearer aaaa",
            &format!("Bearer {}", base32(&[8; 32])),
        ] {
            let wrong = wrong.parse().unwrap();
            assert_eq!(
                check(|h| drop(h.insert(header::AUTHORIZATION, wrong))),
                Err(401)
            );
        }
    }

    #[test]
    fn pages_of_other_sites_do_not_pass_even_with_the_token() {
        for host in ["evil.example:4100", "localhost", "127.0.0.1:80"] {
            let host = HeaderValue::from_static(host);
            assert_eq!(check(|h| drop(h.insert(header::HOST, host))), Err(403));
        }
        assert_eq!(check(|h| drop(h.remove(header::HOST))), Err(403));
        for origin in ["http://evil.example", "null", "http://localhost:80", ""] {
            let origin = HeaderValue::from_static(origin);
            assert_eq!(check(|h| drop(h.insert(header::ORIGIN, origin))), Err(403));
        }
    }
}
