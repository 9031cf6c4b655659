//! The one error of the local API: a code for programs and a sentence for people.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What went wrong, for programs: each has one exit code of the command and one HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Anything that has no code of its own.
    Other,
    /// The request itself is wrong.
    Usage,
    /// A name or an id prefix stands for several things; the message lists them.
    Ambiguous,
    /// No daemon serves this home.
    NoDaemon,
    /// What the request names is not here.
    NotFound,
    /// The roster or the local socket does not permit it.
    Denied,
    /// Nobody who could answer was reached in time.
    Unreachable,
    /// The home is held by another process, or the passphrase is wrong.
    Locked,
    /// A bound of the protocol or of this node is exceeded.
    Limit,
}

impl ErrorCode {
    /// The exit code with which the command ends.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Other => 1,
            Self::Usage | Self::Ambiguous => 2,
            Self::NoDaemon => 3,
            Self::NotFound => 4,
            Self::Denied => 5,
            Self::Unreachable => 6,
            Self::Locked => 7,
            Self::Limit => 8,
        }
    }

    /// The HTTP status with which the daemon answers.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Other => 500,
            Self::Usage => 400,
            Self::Ambiguous => 409,
            Self::NoDaemon => 503,
            Self::NotFound => 404,
            Self::Denied => 403,
            Self::Unreachable => 504,
            Self::Locked => 423,
            Self::Limit => 422,
        }
    }
}

/// Says what went wrong and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize, ToSchema)]
#[error("{message}")]
pub struct ApiError {
    /// What went wrong, for programs.
    pub code: ErrorCode,
    /// What went wrong and the remedy, for people.
    pub message: String,
}

impl ApiError {
    /// An error with its sentence.
    pub fn new(code: ErrorCode, message: impl fmt::Display) -> Self {
        Self {
            code,
            message: message.to_string(),
        }
    }

    /// An error that has no code of its own.
    pub fn other(message: impl fmt::Display) -> Self {
        Self::new(ErrorCode::Other, message)
    }

    /// A request that is wrong in itself.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(ErrorCode::Usage, message)
    }

    /// Something that is not here.
    pub fn not_found(message: impl fmt::Display) -> Self {
        Self::new(ErrorCode::NotFound, message)
    }

    /// Something that is not permitted.
    pub fn denied(message: impl fmt::Display) -> Self {
        Self::new(ErrorCode::Denied, message)
    }

    /// Somebody who was not reached in time.
    pub fn unreachable(message: impl fmt::Display) -> Self {
        Self::new(ErrorCode::Unreachable, message)
    }

    /// A bound that is exceeded.
    pub fn limit(message: impl fmt::Display) -> Self {
        Self::new(ErrorCode::Limit, message)
    }

    /// A reference that stands for several things, with those things.
    pub fn ambiguous<C: fmt::Display>(
        reference: &str,
        candidates: impl IntoIterator<Item = C>,
    ) -> Self {
        let candidates: Vec<String> = candidates.into_iter().map(|c| c.to_string()).collect();
        let list = candidates.join(", ");
        Self::new(
            ErrorCode::Ambiguous,
            format_args!("{reference:?} could be any of {list}: write more of it"),
        )
    }
}

/// An error as it travels: `{"error":{"code":"…","message":"…"}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// The error.
    pub error: ApiError,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_travels_as_the_command_line_promises() {
        let body = ErrorBody {
            error: ApiError::ambiguous("te", ["team", "tea"]),
        };
        assert_eq!(
            serde_json::to_string(&body).unwrap(),
            r#"{"error":{"code":"ambiguous","message":"\"te\" could be any of team, tea: write more of it"}}"#
        );
        assert_eq!(ErrorCode::Limit.exit_code(), 8);
    }
}
