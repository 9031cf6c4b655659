//! Drafts: texts that are to be sent some time, on whichever device.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;
use crate::id::{ChannelId, MessageId};

/// A text that is to be sent to a channel some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Draft {
    /// Its id: another one with every change.
    pub id: MessageId,
    /// Where it is to be sent.
    pub channel: ChannelId,
    /// The channel's name.
    pub name: String,
    /// The thread that it is for, if it is for one.
    pub thread: Option<MessageId>,
    /// When it was written.
    pub at: Timestamp,
    /// The text.
    pub text: String,
    /// Others for the same place, that were written on other devices without knowing of this one,
    /// the latest first. The next one replaces them all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<OtherDraft>,
}

/// A draft that another device wrote at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OtherDraft {
    /// When it was written.
    pub at: Timestamp,
    /// The text.
    pub text: String,
}

/// What to write as a draft.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutDraft {
    /// The text, at most 10,000 characters; absent to have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// An id prefix of the message whose thread it is for; absent for the main timeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// Only if this draft is the one that is there now, and no other beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_if: Option<MessageId>,
}
