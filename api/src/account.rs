//! This account and its devices.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{AccountId, DeviceId};

/// The account of a home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountInfo {
    /// The account.
    pub account: AccountId,
    /// The name by which others see it.
    pub name: String,
    /// Counts up with every recovery by the phrase, from 1.
    pub epoch: u32,
    /// Counts up with every change of its devices in that epoch, from 1.
    pub version: u32,
    /// Its devices, this one first.
    pub devices: Vec<DeviceInfo>,
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
