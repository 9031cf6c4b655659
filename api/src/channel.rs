//! Channels: what a list shows of each, what one shows of itself, and the requests that change
//! them.

use std::ops::Not;

use crate::id::{AccountId, ChannelId, DeviceId, MessageId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;
use crate::retention::Retention;
use crate::role::Role;
use crate::storage::Quota;
use crate::why::Person;

/// What kind of conversation a channel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChannelKind {
    /// Those who were invited.
    Group,
}

/// Of what in a channel this account wants to be notified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Notify {
    /// Of every message.
    #[default]
    All,
    /// Of those that mention this account.
    Mentions,
    /// Of none.
    Nothing,
}

impl Notify {
    /// The level as people read and type it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Mentions => "mentions",
            Self::Nothing => "nothing",
        }
    }

    fn is_usual(&self) -> bool {
        *self == Self::All
    }
}

/// How this device stands to a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChannelState {
    /// An invite is accepted; the control log or a key has yet to arrive.
    Joining,
    /// The account is a member and the device can read.
    Active,
    /// The account has left; what was read before can be read still.
    Left,
    /// The account was taken out, and may come back by an invite.
    Removed,
    /// The account was taken out and may not come back yet.
    Banned,
    /// This device is the account's no more.
    Revoked,
}

/// How an account stands to a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MemberStatus {
    /// A member.
    Active,
    /// A member who may not write for a while.
    Muted,
    /// Was a member and left.
    Left,
    /// Was taken out, and may come back by an invite.
    Removed,
    /// Was taken out and may not come back yet.
    Banned,
}

impl MemberStatus {
    /// The status as people read it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Muted => "muted",
            Self::Left => "left",
            Self::Removed => "removed",
            Self::Banned => "banned",
        }
    }
}

/// A channel by id and name: the answer to what makes, joins or leaves one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelName {
    /// The channel.
    pub channel: ChannelId,
    /// Its name.
    pub name: String,
}

/// The answer to leaving a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeftChannel {
    /// The channel.
    pub channel: ChannelId,
    /// Its name.
    pub name: String,
    /// Whether nobody has to hear of it any more: a member has, and has everything that was said
    /// here, or there is no other. If not, the node tells the first one that it meets.
    pub heard: bool,
}

/// What a list and the channel's own page both show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelFacts {
    /// The channel.
    pub channel: ChannelId,
    /// Its name.
    pub name: String,
    /// Its topic; empty if it has none.
    pub topic: String,
    /// Its kind.
    pub kind: ChannelKind,
    /// This account's role; none while it is joining.
    pub role: Option<Role>,
    /// Whoever added this account to it, until this account writes anything there, if only a read
    /// mark; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added_by: Option<Person>,
    /// How long messages are kept.
    #[schema(value_type = String)]
    pub retention: Retention,
    /// How many messages of the main timeline this account has not read: those that others wrote
    /// and nobody deleted. A reply in a thread counts in `unread_replies` instead.
    pub unread: u64,
    /// How many replies in threads this account has not read, by the same rule. Each thread's own
    /// number stands at the message that it belongs to.
    pub unread_replies: u64,
    /// How many messages are here and shown, those in threads and those deleted among them.
    pub messages: u64,
    /// When the newest message of the main timeline was written.
    pub last_activity: Option<Timestamp>,
    /// How this device stands to it.
    pub state: ChannelState,
    /// Until when this account has muted it; absent if it is not muted. One that is muted for good
    /// says the last moment of the year 9999.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<Timestamp>,
    /// Of what in it this account wants to be notified while it is not muted; absent if of every
    /// message.
    #[serde(default, skip_serializing_if = "Notify::is_usual")]
    pub notify: Notify,
    /// Whether this account has put it away, and nothing that was written since is unread, or it is
    /// muted or notifies of less than everything; absent if not.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub archived: bool,
    /// Whether there is a draft for it, or for a thread of it; absent if not.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub draft: bool,
    /// How much its messages may take up on this disk, and how much they do; absent if it has no
    /// quota of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<Quota>,
    /// Whether it takes nothing more, as its quota or that of all channels is used up; absent if it
    /// does.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub full: bool,
}

/// A channel in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelSummary {
    /// What the channel's own page shows too.
    #[serde(flatten)]
    pub facts: ChannelFacts,
    /// How many accounts are members.
    pub members: u64,
}

/// A channel on its own page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelDetail {
    /// What a list shows too.
    #[serde(flatten)]
    pub facts: ChannelFacts,
    /// Everyone who is or was a member.
    pub members: Vec<MemberInfo>,
    /// Where this account's history begins: what is older was written before it came, and is not
    /// for it to read. Null if it may read everything.
    pub history_begins: Option<Timestamp>,
    /// Threads with unread replies whose first message was written before this account came, and
    /// is not for it to read; absent if there are none. The replies are, by the thread's id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub begun_before: Vec<MessageId>,
    /// Whether this device holds what the others hold.
    pub sync: SyncState,
    /// A digest of everything held; equal on nodes that hold the same.
    pub digest: String,
    /// How many damaged records of the channel have been met on this disk and not been mended
    /// since. What they held is passed over; everything else stays readable.
    pub damaged: u64,
}

/// A member of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemberInfo {
    /// The account.
    pub account: AccountId,
    /// What it is called here: the name that this account gives it, else its own.
    pub name: String,
    /// What it calls itself; absent if it is called that here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_name: Option<String>,
    /// Whether this account has made sure of it by its safety number; absent if not.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub verified: bool,
    /// Whether this account has blocked it; absent if not.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub blocked: bool,
    /// Its role.
    pub role: Role,
    /// How it stands to the channel.
    pub status: MemberStatus,
    /// When its mute or ban ends; absent where there is none or no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How many devices it has here.
    pub devices: u64,
}

/// Whether this device holds what the others hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SyncState {
    /// Whether this device holds what the others hold. Null while nobody says so: no other
    /// device of the channel is connected, or none of those has been compared with yet.
    pub up_to_date: Option<bool>,
    /// When another device was last found to hold the same; null if none was since the daemon
    /// started.
    pub as_of: Option<Timestamp>,
    /// The connected devices that held the same when last compared.
    pub with: Vec<DeviceId>,
    /// How many entries others are known to hold and this device does not.
    pub missing: u64,
    /// The devices of members that refused to compare when last asked; absent if none did. A
    /// device is refused whose account was taken out, or is not known there yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<DeviceId>,
}

/// What this account wants of a channel from now on, on all of its devices; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateWishes {
    /// For how many milliseconds from now on it is to be muted: 0 for not any more, more than a
    /// thousand years for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mute_ms: Option<u64>,
    /// Whether to put it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived: Option<bool>,
    /// Of what to be notified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Notify>,
}

/// Asks for a new channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateChannel {
    /// Its name, at most 64 characters.
    pub name: String,
    /// Its topic, at most 256 characters.
    #[serde(default)]
    pub topic: Option<String>,
    /// How long its messages are kept; forever if absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub retention: Option<Retention>,
    /// Idempotency key: a retry with the same key makes no second channel.
    #[serde(default)]
    pub key: Option<String>,
}

/// Asks to change a channel; what is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateChannel {
    /// A new name, at most 64 characters.
    #[serde(default)]
    pub name: Option<String>,
    /// A new topic, at most 256 characters; empty for none.
    #[serde(default)]
    pub topic: Option<String>,
}

/// Asks to mark messages as read. Without ids it marks what `unread` and `unread_replies` of the
/// channel count, and leaves both at 0.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MarkRead {
    /// Ids or unique prefixes; everything in the channel if absent.
    #[serde(default)]
    pub ids: Option<Vec<String>>,
}

/// How many messages were marked as read that had not been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Marked {
    /// The number of messages.
    pub marked: u64,
}
