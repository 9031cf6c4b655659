//! Evidence that what is over or deleted was erased: what each device says of its own files.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{AccountId, ChannelId, DeviceId};
use crate::retention::Retention;
use crate::timestamp::Timestamp;

/// On which devices the text of a message is erased.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErasedOn {
    /// On how many devices, as they say.
    pub devices: u64,
    /// Of how many that could read it, this one among them.
    pub of: u64,
    /// The other devices that have not said so yet.
    pub not_heard_from: Vec<Holder>,
}

/// A device that may still have a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Holder {
    /// Its account.
    pub account: AccountId,
    /// The name that account goes by.
    pub name: String,
    /// The device.
    pub device: DeviceId,
    /// When anything was last heard from it, through whomever; null if nothing ever was.
    pub heard: Option<Timestamp>,
}

/// What is over in a channel, and which devices have erased it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RetentionStatus {
    /// The channel.
    pub channel: ChannelId,
    /// Its name.
    pub name: String,
    /// How long messages are kept that are written now.
    #[schema(value_type = String)]
    pub retention: Retention,
    /// Messages that are over or deleted, and of which an envelope without its text is here.
    pub messages: u64,
    /// When the next window is destroyed, with everything in it and its keys; null if none is.
    pub next_destroyed: Option<Timestamp>,
    /// Every device of the channel.
    pub devices: Vec<ErasingDevice>,
}

/// How far a device has erased what is to be erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErasingDevice {
    /// The device.
    #[serde(flatten)]
    pub device: Holder,
    /// Whether it is this one.
    pub this: bool,
    /// Of how many messages it says that no file of its holds the text.
    pub erased: u64,
    /// Of how many that it could read.
    pub of: u64,
}
