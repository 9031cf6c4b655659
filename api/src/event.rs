//! What happens, as it happens: the events of the local API.
//!
//! A durable event has a cursor: whoever names the last cursor it saw gets everything after it,
//! over a reconnect and over a restart of the daemon. The others are of the moment and are lost
//! on those who are not listening.

use crate::id::{AccountId, ChannelId, DeviceId, MessageId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Timestamp;
use crate::channel::{MemberStatus, SyncState};
use crate::message::{DeliveryState, Message};
use crate::policy::PolicySetting;
use crate::retention::Retention;
use crate::role::Role;

/// An event with its cursor, if it is durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Where the event stands among the durable ones; absent if it is of the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<u64>,
    /// What happened.
    #[serde(flatten)]
    pub what: Happened,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Happened {
    /// A message came or was written. Durable.
    Message {
        /// Its channel.
        channel: ChannelId,
        /// The message.
        message: Box<Message>,
        /// Whether this account wants to be notified of it: somebody else wrote it, it is not read,
        /// and the channel is neither muted nor set to fewer.
        #[serde(default)]
        notify: bool,
    },
    /// A message says something else. Durable.
    MessageEdited {
        /// Its channel.
        channel: ChannelId,
        /// The message.
        message: Box<Message>,
    },
    /// A message was deleted. Durable.
    MessageDeleted {
        /// Its channel.
        channel: ChannelId,
        /// The message, without its text.
        message: Box<Message>,
    },
    /// A message is gone because its time has come. Durable.
    MessageExpired {
        /// Its channel.
        channel: ChannelId,
        /// The message.
        id: MessageId,
    },
    /// Somebody gave or took back a reaction. Durable.
    Reaction {
        /// The message's channel.
        channel: ChannelId,
        /// The message.
        id: MessageId,
        /// Who.
        account: AccountId,
        /// The name that account goes by.
        name: String,
        /// The emoji.
        emoji: String,
        /// Whether it was given; taken back otherwise.
        added: bool,
        /// When.
        at: Timestamp,
    },
    /// Somebody pinned a message or unpinned it. Durable.
    Pin {
        /// The message's channel.
        channel: ChannelId,
        /// The message.
        id: MessageId,
        /// Who.
        account: AccountId,
        /// The name that account goes by.
        name: String,
        /// Whether it was pinned; unpinned otherwise.
        pinned: bool,
        /// When.
        at: Timestamp,
    },
    /// Somebody read messages. Durable.
    Read {
        /// The messages' channel.
        channel: ChannelId,
        /// Who.
        account: AccountId,
        /// The name that account goes by.
        name: String,
        /// The messages.
        ids: Vec<MessageId>,
        /// When.
        at: Timestamp,
    },
    /// A message has come further. Durable.
    State {
        /// The message's channel.
        channel: ChannelId,
        /// The message.
        id: MessageId,
        /// How far it has come.
        state: DeliveryState,
        /// When that became known.
        at: Timestamp,
    },
    /// Somebody joined, left, or has another role. Durable.
    Member {
        /// The channel.
        channel: ChannelId,
        /// Who.
        account: AccountId,
        /// The name that account goes by.
        name: String,
        /// Its role now.
        role: Role,
        /// How it stands to the channel now.
        status: MemberStatus,
    },
    /// The channel's name, topic or rules changed. Durable.
    Policy {
        /// The channel.
        channel: ChannelId,
        /// Its name now.
        name: String,
        /// Its topic now.
        topic: String,
        /// How long messages are kept now.
        #[schema(value_type = String)]
        retention: Retention,
        /// What was set; absent if it was the name or the topic.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        setting: Option<Box<PolicySetting>>,
    },
    /// This account has set something for itself, on whichever of its devices. Durable.
    Setting {
        /// What.
        setting: OwnSetting,
        /// The account that it is about, if it is about one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<AccountId>,
        /// The channel that it is about, if it is about one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        channel: Option<ChannelId>,
        /// When.
        at: Timestamp,
    },
    /// Somebody is typing.
    Typing {
        /// The channel.
        channel: ChannelId,
        /// Who.
        account: AccountId,
        /// The name that account goes by.
        name: String,
    },
    /// A member came online or went offline.
    Presence {
        /// Who.
        account: AccountId,
        /// The name that account goes by.
        name: String,
        /// On which device.
        device: DeviceId,
        /// Whether it is online.
        online: bool,
    },
    /// A connection to another node was made or lost.
    Peer {
        /// The device; null while no channel says which it is.
        device: Option<DeviceId>,
        /// Its account; null while no channel says whose it is.
        account: Option<AccountId>,
        /// The name of its account; null while no channel says it.
        name: Option<String>,
        /// Where it is.
        address: String,
        /// Whether the connection was made; lost otherwise.
        connected: bool,
    },
    /// This device holds more or less of what the others hold than before.
    Sync {
        /// The channel.
        channel: ChannelId,
        /// How it stands now.
        sync: SyncState,
    },
}

impl Happened {
    /// The event's name as the API writes it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Message { .. } => "message",
            Self::MessageEdited { .. } => "message_edited",
            Self::MessageDeleted { .. } => "message_deleted",
            Self::MessageExpired { .. } => "message_expired",
            Self::Reaction { .. } => "reaction",
            Self::Pin { .. } => "pin",
            Self::Read { .. } => "read",
            Self::State { .. } => "state",
            Self::Member { .. } => "member",
            Self::Policy { .. } => "policy",
            Self::Setting { .. } => "setting",
            Self::Typing { .. } => "typing",
            Self::Presence { .. } => "presence",
            Self::Peer { .. } => "peer",
            Self::Sync { .. } => "sync",
        }
    }

    /// The channel in which it happened, if in one.
    pub const fn channel(&self) -> Option<ChannelId> {
        match self {
            Self::Message { channel, .. }
            | Self::MessageEdited { channel, .. }
            | Self::MessageDeleted { channel, .. }
            | Self::MessageExpired { channel, .. }
            | Self::Reaction { channel, .. }
            | Self::Pin { channel, .. }
            | Self::Read { channel, .. }
            | Self::State { channel, .. }
            | Self::Member { channel, .. }
            | Self::Policy { channel, .. }
            | Self::Typing { channel, .. }
            | Self::Sync { channel, .. } => Some(*channel),
            Self::Setting { channel, .. } => *channel,
            Self::Presence { .. } | Self::Peer { .. } => None,
        }
    }
}

/// What an account sets for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OwnSetting {
    /// The name that it gives to another account.
    Name,
    /// Whether another account is blocked.
    Block,
    /// Until when a channel is muted.
    Mute,
    /// Whether a channel is put away.
    Archive,
    /// Of what in a channel it wants to be notified.
    Notify,
    /// A draft for a channel.
    Draft,
    /// Whether another account was verified.
    Verify,
}

impl OwnSetting {
    /// The setting as people read it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Block => "block",
            Self::Mute => "mute",
            Self::Archive => "archive",
            Self::Notify => "notify",
            Self::Draft => "draft",
            Self::Verify => "verify",
        }
    }
}

/// Asks for events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// Everything after this cursor first; only what happens from now on if absent.
    #[serde(default)]
    pub since: Option<u64>,
    /// Only what happens in this channel: a name, `#name` or id prefix.
    #[serde(default)]
    pub channel: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::message;

    #[test]
    fn a_durable_event_begins_with_its_cursor_and_its_name() {
        let event = Event {
            cursor: Some(7),
            what: Happened::Message {
                channel: message().channel,
                message: Box::new(message()),
                notify: false,
            },
        };
        let json = serde_json::to_string(&event).unwrap();
        assert!(json.starts_with(r#"{"cursor":7,"event":"message","channel":"#));
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
    }

    #[test]
    fn an_event_of_the_moment_has_no_cursor() {
        let event = Event {
            cursor: None,
            what: Happened::Typing {
                channel: message().channel,
                account: message().account,
                name: "Ada".into(),
            },
        };
        let json = serde_json::to_value(&event).unwrap();
        assert!(json.get("cursor").is_none());
        assert_eq!(json["event"], event.what.name());
    }
}
