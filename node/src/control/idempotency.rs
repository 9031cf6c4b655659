//! Idempotency keys: a field of the body, or the `Idempotency-Key` header.
//!
//! What a key does is the engine's: it is written down in the same batch as what it guards.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use kith_api::ApiError;

use super::answer::Refusal;

const HEADER: &str = "idempotency-key";
/// Characters in a key: several UUIDs.
const KEY_MAX: usize = 128;

/// The header's key, if there is one.
pub(super) struct KeyHeader(Option<String>);

impl<S: Sync> FromRequestParts<S> for KeyHeader {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let value = parts.headers.get(HEADER);
        let key = value.map(|value| value.to_str().map(str::to_owned));
        key.transpose().map(Self).map_err(|_| unusable())
    }
}

impl KeyHeader {
    /// Puts the header's key where the body has none, and checks the key that there is.
    pub(super) fn merge_into(self, key: &mut Option<String>) -> Result<(), Refusal> {
        match (&mut *key, self.0) {
            (Some(body), Some(header)) if *body != header => {
                return Err(ApiError::usage(
                    "the body and the Idempotency-Key header name different keys: send one",
                )
                .into());
            }
            (None, header) => *key = header,
            _ => {}
        }
        match key {
            Some(key) if !is_key(key) => Err(unusable()),
            _ => Ok(()),
        }
    }
}

fn is_key(key: &str) -> bool {
    (1..=KEY_MAX).contains(&key.len()) && key.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

fn unusable() -> Refusal {
    ApiError::usage(format_args!(
        "an idempotency key has 1 to {KEY_MAX} printable ASCII characters"
    ))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(body: Option<&str>, header: Option<&str>) -> Option<Option<String>> {
        let mut key = body.map(str::to_owned);
        let header = KeyHeader(header.map(str::to_owned));
        header.merge_into(&mut key).is_ok().then_some(key)
    }

    #[test]
    fn either_place_may_hold_the_key() {
        assert_eq!(merged(None, None), Some(None));
        for (body, header) in [(Some("k"), None), (None, Some("k")), (Some("k"), Some("k"))] {
            assert_eq!(merged(body, header), Some(Some("k".into())));
        }
        assert_eq!(merged(Some("k"), Some("other")), None);
    }

    #[test]
    fn a_key_is_short_and_plain() {
        assert_eq!(merged(Some(""), None), None);
        assert_eq!(merged(Some("ключ"), None), None);
        assert_eq!(merged(None, Some(&"k".repeat(KEY_MAX + 1))), None);
        assert!(merged(None, Some(&"k".repeat(KEY_MAX))).is_some());
    }
}
