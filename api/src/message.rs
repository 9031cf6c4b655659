//! Messages: what a page shows of each, where each has arrived, and the requests that write them.

use std::fmt;
use std::ops::Not;

use crate::id::{AccountId, ChannelId, DeviceId, MessageId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Timestamp;
use crate::evidence::ErasedOn;
use crate::id::OpId;
use crate::reaction::Reactions;
use crate::storage::QuotaInfo;
use crate::why::RuleInfo;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MessageKind {
    /// Something somebody wrote.
    Text,
    /// Something that is to have everybody's attention, by somebody who may ask for it.
    Announcement,
    /// A form that this version does not know; it has no text.
    Unknown,
}

/// How far a message has come, as its author may trust it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// On the author's disk.
    Pending,
    /// On at least one other device.
    Sent,
    /// On at least one device of every member.
    Delivered,
    /// Read by every member.
    Read,
    /// Expired before anyone got it.
    Failed,
}

impl DeliveryState {
    /// The state's name as the API writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for DeliveryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A message as this account may see it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// The message.
    pub id: MessageId,
    /// Its channel.
    pub channel: ChannelId,
    /// Who wrote it.
    pub account: AccountId,
    /// The name its author goes by.
    pub name: String,
    /// The device it was written on.
    pub device: DeviceId,
    /// When it was written, by its author's clock.
    pub at: Timestamp,
    /// What it is.
    pub kind: MessageKind,
    /// What it says now; absent once it is deleted, or while its text cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Whether it says something else than at first.
    pub edited: bool,
    /// Whether it was deleted.
    pub deleted: bool,
    /// Who deleted it; absent unless it is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_by: Option<DeletedBy>,
    /// Why it was deleted, in the words of whoever did; absent unless they gave a reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why nobody but its author is shown it; absent where everybody is. It is told on the devices
    /// of its author alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<Hidden>,
    /// Whether it is pinned.
    pub pinned: bool,
    /// Who pinned it; absent unless it is pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned_by: Option<PinnedBy>,
    /// The message it answers.
    pub reply_to: Option<MessageId>,
    /// The message whose thread it is in.
    pub thread: Option<MessageId>,
    /// How many messages its own thread shows.
    pub replies: u64,
    /// How many of those this account has not read: they are others' and not deleted.
    pub unread_replies: u64,
    /// The reactions to it.
    #[schema(value_type = Reactions)]
    pub reactions: Reactions,
    /// How far it has come.
    pub state: DeliveryState,
    /// Who has read it, its author aside.
    pub read_by: Vec<ReadBy>,
    /// When it disappears; null if it does not.
    pub expires_at: Option<Timestamp>,
    /// Whether it disappears sooner if everybody has read it; absent if it does not.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub instant: bool,
    /// The accounts it names.
    pub mentions: Vec<AccountId>,
}

/// Why a message is shown to nobody but its author.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hidden {
    /// The rule.
    pub rule: RuleInfo,
    /// What is the matter, in a few words.
    pub reason: String,
    /// The op because of which; absent if it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<OpId>,
}

/// Who deleted a message, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeletedBy {
    /// Who.
    pub account: AccountId,
    /// The name that account goes by.
    pub name: String,
    /// When, by the clock of whoever did.
    pub at: Timestamp,
}

/// Who pinned a message, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PinnedBy {
    /// Who.
    pub account: AccountId,
    /// The name that account goes by.
    pub name: String,
    /// When, by the clock of whoever did.
    pub at: Timestamp,
}

/// Who has read a message, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadBy {
    /// The reader.
    pub account: AccountId,
    /// When the reader marked it.
    pub at: Timestamp,
}

/// A message with where it has arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessageDetail {
    /// The message.
    #[serde(flatten)]
    pub message: Message,
    /// How far it has come with each account that it was written for and that has devices; the
    /// author's own, if it has others than the one it was written on, last.
    pub recipients: Vec<Recipient>,
    /// How far it has come on each device but the one it was written on.
    pub delivery: Vec<Delivery>,
    /// On which devices its text is erased; null unless it is deleted.
    pub erased: Option<ErasedOn>,
}

/// How far a message has come with one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Recipient {
    /// The account.
    pub account: AccountId,
    /// The name that it goes by.
    pub name: String,
    /// `pending`, `delivered` to at least one of its devices, or `read` by it.
    pub state: DeliveryState,
    /// When it was read, or first known to be on one of its devices; null while pending, and where
    /// this device was not told when.
    pub at: Option<Timestamp>,
    /// How many devices it has; of the author's, the one that it was written on is not counted.
    pub devices: u64,
    /// How many of those are known to hold the message.
    pub holding: u64,
    /// Whether it is the author's own; absent if not.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub own: bool,
}

/// How far a message has come on one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Delivery {
    /// The account of the device.
    pub account: AccountId,
    /// The name that account goes by.
    pub name: String,
    /// The device.
    pub device: DeviceId,
    /// What its owner calls it.
    pub device_name: String,
    /// `pending`, `delivered` once it is known to hold the message, or `read` if its account has
    /// read that besides, on whichever device.
    pub state: DeliveryState,
    /// When it was first known to be so; null while pending, and where this device was not told
    /// when: of what others wrote it learns only that a device has it.
    pub at: Option<Timestamp>,
}

/// One of the texts that a message has had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// Which, counted from 1, the original.
    pub version: u64,
    /// When it was written.
    pub at: Timestamp,
    /// Who wrote it.
    pub account: AccountId,
    /// The name that account goes by.
    pub name: String,
    /// The text; absent once the message is deleted, or while the text cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Who deleted the message; absent unless it is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_by: Option<DeletedBy>,
    /// Why it was deleted; absent unless a reason was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The receipt for a message: it is on this device's disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sent {
    /// The message.
    pub id: MessageId,
    /// How far it has come.
    pub state: DeliveryState,
    /// When it was written.
    pub at: Timestamp,
    /// When it disappears; null if it does not.
    pub expires_at: Option<Timestamp>,
    /// Whether it disappears sooner if everybody has read it; absent if it does not.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub instant: bool,
    /// The quotas of its channel, and of all channels together, of which four fifths or more are
    /// used. Absent if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quotas: Vec<QuotaInfo>,
}

/// Asks to write a message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendMessage {
    /// What it says, at most 10,000 characters.
    pub text: String,
    /// The message it answers: an id or a unique prefix.
    #[serde(default)]
    pub reply_to: Option<String>,
    /// The message whose thread it goes to: an id or a unique prefix.
    #[serde(default)]
    pub thread: Option<String>,
    /// Whether it announces something.
    #[serde(default)]
    pub announce: bool,
    /// After how many milliseconds it is to be gone, if sooner than the channel says: an hour at
    /// the least, as long as the channel keeps its messages at the most.
    #[serde(default)]
    pub expire_ms: Option<u64>,
    /// Idempotency key: a retry with the same key writes no second message.
    #[serde(default)]
    pub key: Option<String>,
}

/// Asks to replace a message's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditMessage {
    /// What it says from now on, at most 10,000 characters.
    pub text: String,
    /// Idempotency key: a retry with the same key writes no second version.
    #[serde(default)]
    pub key: Option<String>,
}

/// Asks for a page of a timeline.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many messages at most; 50 if absent, 500 at most.
    #[serde(default)]
    pub limit: Option<u32>,
    /// The page ends before this message: an id or a unique prefix.
    #[serde(default)]
    pub before: Option<String>,
    /// The thread of this message instead of the main timeline: an id or a unique prefix.
    #[serde(default)]
    pub thread: Option<String>,
}

impl PageQuery {
    /// How many messages a page has if nobody says.
    pub const LIMIT: u32 = 50;
}

/// Asks to delete a message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeleteQuery {
    /// Why, for the others to read.
    #[serde(default)]
    pub reason: Option<String>,
}

#[cfg(test)]
pub(crate) mod tests {
    use kith_crdt::ids;

    use super::*;
    use crate::Id;

    pub(crate) fn message() -> Message {
        Message {
            id: Id(ids::MessageId([1; 10])),
            channel: Id(ids::ChannelId([2; 32])),
            account: Id(ids::AccountId([3; 32])),
            name: "Ada".into(),
            device: Id(ids::DeviceId([4; 32])),
            at: Timestamp(1_763_631_000_120),
            kind: MessageKind::Text,
            text: Some("hello".into()),
            edited: false,
            deleted: false,
            deleted_by: None,
            reason: None,
            hidden: None,
            pinned: false,
            pinned_by: None,
            reply_to: None,
            thread: None,
            replies: 0,
            unread_replies: 0,
            reactions: Reactions::default(),
            state: DeliveryState::Pending,
            read_by: Vec::new(),
            expires_at: None,
            instant: false,
            mentions: Vec::new(),
        }
    }

    #[test]
    fn a_message_has_the_fields_of_the_contract_in_their_order() {
        let json = serde_json::to_string(&message()).unwrap();
        let mut rest = json.as_str();
        for field in [
            "id",
            "channel",
            "account",
            "name",
            "device",
            "at",
            "kind",
            "text",
            "edited",
            "deleted",
            "pinned",
            "reply_to",
            "thread",
            "replies",
            "unread_replies",
            "reactions",
            "state",
            "read_by",
            "expires_at",
            "mentions",
        ] {
            let start = rest.find(&format!("\"{field}\":")).expect(field);
            rest = &rest[start..];
        }
        assert_eq!(serde_json::from_str::<Message>(&json).unwrap(), message());
    }

    #[test]
    fn a_deleted_message_has_no_text() {
        let deleted = Message {
            text: None,
            deleted: true,
            ..message()
        };
        let json = serde_json::to_value(&deleted).unwrap();
        assert!(json.get("text").is_none());
        assert!(json["expires_at"].is_null());
    }

    #[test]
    fn only_what_goes_by_being_read_says_so() {
        let json = serde_json::to_value(message()).unwrap();
        assert!(json.get("instant").is_none());
        let instant = Message {
            instant: true,
            ..message()
        };
        let json = serde_json::to_value(&instant).unwrap();
        assert_eq!(json["instant"], true);
    }
}
