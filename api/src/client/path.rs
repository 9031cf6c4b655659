//! Paths and queries whose parts are what people typed: `#team` and `👍` arrive as they are.

use std::fmt::{Display, Write};

/// Makes a path out of a pattern, every argument escaped.
macro_rules! route {
    ($pattern:literal $(, $part:expr)*) => {
        format!($pattern $(, $crate::client::path::escape($part))*)
    };
}
pub(super) use route;

/// Escapes everything but what RFC 3986 calls unreserved.
///
/// A part of nothing but dots would be taken for a step up or down, so its dots are escaped too.
pub(super) fn escape(part: &str) -> String {
    let dots = part.bytes().all(|byte| byte == b'.');
    let mut escaped = String::with_capacity(part.len());
    for byte in part.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            b'.' if !dots => escaped.push('.'),
            _ => write!(escaped, "%{byte:02X}").expect("a String takes everything"),
        }
    }
    escaped
}

/// A path with parameters.
pub(super) struct Query {
    path: String,
    separator: char,
}

impl Query {
    pub(super) const fn new(path: String) -> Self {
        Self {
            path,
            separator: '?',
        }
    }

    /// Adds a parameter that has a value.
    pub(super) fn with(mut self, name: &str, value: Option<impl Display>) -> Self {
        if let Some(value) = value {
            let value = escape(&value.to_string());
            write!(self.path, "{}{name}={value}", self.separator)
                .expect("a String takes everything");
            self.separator = '&';
        }
        self
    }
}

impl From<Query> for String {
    fn from(query: Query) -> Self {
        query.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_stays_in_its_part_of_the_path() {
        assert_eq!(
            route!("/v1/channels/{}/leave", "#a/b?"),
            "/v1/channels/%23a%2Fb%3F/leave"
        );
        assert_eq!(route!("/v1/channels/{}", ".."), "/v1/channels/%2E%2E");
        let query = Query::new("/v1/x".into())
            .with("limit", None::<u32>)
            .with("before", Some("a b"))
            .with("thread", Some("c"));
        assert_eq!(String::from(query), "/v1/x?before=a%20b&thread=c");
    }
}
