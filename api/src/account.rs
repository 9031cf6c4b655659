//! This account and its devices.

use std::ops::Not;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Timestamp;
use crate::id::{AccountId, DeviceId};

/// The account of a home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountInfo {
    /// The account.
    pub account: AccountId,
    /// The name by which others see it.
    pub name: String,
    /// By what others make sure that it is this account: six groups of five digits.
    pub safety_number: String,
    /// Counts up with every recovery by the phrase, from 1.
    pub epoch: u32,
    /// Counts up with every change of its devices in that epoch, from 1.
    pub version: u32,
    /// Its devices, this one first.
    pub devices: Vec<DeviceInfo>,
    /// Those that it had in this epoch and that were revoked; absent if none was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revoked: Vec<DeviceInfo>,
    /// When this device learnt that it was revoked. Absent unless it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

/// A device of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceInfo {
    /// The device.
    pub device: DeviceId,
    /// What the person calls it.
    pub name: String,
    /// Whether it is the one that answers.
    pub this: bool,
    /// Whether it was revoked, and is none any more; absent if not.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub revoked: bool,
    /// Whether it may change the account's devices. Absent where that is not known here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manages: Option<bool>,
}

/// What is to be changed of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UpdateDevice {
    /// What to call it: at most 64 characters.
    pub name: String,
}

/// Which device is to manage the account, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantDevice {
    /// Its id, a prefix of it of four characters or more, or its name.
    pub device: String,
}

/// Which device is to be the account's no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RevokeDevice {
    /// Its id, a prefix of it of four characters or more, or its name.
    pub device: String,
    /// Only tells which device is meant.
    #[serde(default)]
    pub dry_run: bool,
}

/// A device that is the account's no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceRevoked {
    /// Whether nothing was done.
    #[serde(default)]
    pub dry_run: bool,
    /// The device.
    pub device: DeviceId,
    /// What it was called.
    pub name: String,
    /// Whether it could change the account's devices, as far as that is known. Whoever has it can
    /// still, until the account is recovered with its phrase.
    pub managed: bool,
    /// How many channels know of it.
    pub channels: u64,
    /// The names of channels that will be told once they were compared with somebody: what has not
    /// arrived here would be hidden from everybody. Absent if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<String>,
}

/// Asks for a link by which a new device comes to belong to the account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceLinkRequest {
    /// Whether that device is to change the account's devices as well.
    #[serde(default)]
    pub manages: bool,
    /// For how many milliseconds it holds; ten minutes if absent, a day at most.
    #[serde(default)]
    pub expires_ms: Option<u64>,
}

impl DeviceLinkRequest {
    /// For how many milliseconds a link holds if nobody says.
    pub const EXPIRES_MS: u64 = 10 * 60_000;
}

/// A link for a new device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceLinkShown {
    /// Tells it from the one before it.
    pub id: String,
    /// The link. Whoever has it may ask; nobody belongs before their code was typed here.
    pub link: String,
    /// Until when it can be used.
    pub expires_at: Timestamp,
}

/// How far a link for a new device has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceLinkState {
    /// Tells it from the one before it.
    pub id: String,
    /// Until when it can be used.
    pub expires_at: Timestamp,
    /// How far it has come.
    pub stage: DeviceLinkStage,
    /// What the device calls itself that asks, or belongs now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the device that asks has to show, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pictures: Vec<Picture>,
    /// Whether the device that asks is to change the account's devices as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manages: Option<bool>,
    /// How many codes may still be typed wrongly, while one is awaited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codes_left: Option<u8>,
    /// The device that belongs now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceId>,
}

/// How far a link for a new device has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceLinkStage {
    /// No device has used it.
    Shown,
    /// A device waits for its code to be typed here.
    Asked,
    /// A device was taken in.
    Linked,
    /// It expired, or was tried too often. Nothing was handed over.
    Over,
}

/// A picture of a code, with its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Picture {
    /// The picture.
    pub emoji: String,
    /// What it is called.
    pub name: String,
}

impl From<(&str, &str)> for Picture {
    fn from((emoji, name): (&str, &str)) -> Self {
        Self {
            emoji: emoji.to_owned(),
            name: name.to_owned(),
        }
    }
}

/// Takes in the device that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfirmDeviceLink {
    /// The link that it has used.
    pub id: String,
    /// The six digits that it shows.
    pub code: String,
}

/// Which link is to be taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WithdrawDeviceLink {
    /// The link.
    pub id: String,
}
