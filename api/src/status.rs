//! The daemon about itself.

use crate::id::{AccountId, DeviceId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;
use crate::storage::QuotaInfo;

/// What the daemon says once it serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ready {
    /// The account of the home.
    pub account: AccountId,
    /// The device of the home.
    pub device: DeviceId,
    /// The path of the socket on which the local API is served.
    pub socket: String,
    /// The addresses on which other nodes are heard.
    pub addresses: Vec<String>,
}

/// How the daemon is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// The account of the home.
    pub account: AccountId,
    /// The device of the home.
    pub device: DeviceId,
    /// The version of the program.
    pub version: String,
    /// For how many seconds it has been running.
    pub uptime_s: u64,
    /// The addresses on which other nodes are heard.
    pub addresses: Vec<String>,
    /// The devices it is connected to.
    pub peers: Vec<PeerStatus>,
    /// How many channels it has.
    pub channels: u64,
    /// How many channels this account was added to that were not taken in, because too many are
    /// not answered or left: at most 16 by one account, and 128 in all. Absent if there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub declined: u64,
    /// How many of this device's messages are on no other device yet.
    pub pending: u64,
    /// When this device learnt that another one of the account has revoked it: it keeps what it has
    /// and can do nothing more. Absent unless it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// By how many milliseconds this node's clock is ahead of the last time that it or another
    /// member knew, where that is more than a day: what is over is hidden and not yet destroyed.
    /// Absent if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_ahead_ms: Option<u64>,
    /// How many damaged records have been met on this disk and not been mended since. What they
    /// held is passed over; everything else stays readable.
    pub damaged: u64,
    /// When and why this home last went on as a new writer of its device, so that nothing that it
    /// writes collides with what was written before. Absent if it never did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_anew: Option<BeganAnew>,
    /// When another copy of this home last wrote or told something as the same device, as far as is
    /// known. Absent if none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubled_at: Option<Timestamp>,
    /// The quotas of channels, and of all of them together, of which four fifths or more are used.
    /// Absent if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quotas: Vec<QuotaInfo>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks with a reference"
)]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// When and why a home went on as a new writer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BeganAnew {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub cause: AnewCause,
    /// When the backup was made that it was restored from; absent with other causes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_of: Option<Timestamp>,
}

/// Why a home went on as a new writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnewCause {
    /// The last run did not stop in order: it crashed, or the home was copied while it ran.
    Crash,
    /// The home is a copy, or was put back from one.
    Copy,
    /// It was restored from a backup.
    Backup,
    /// Others have more of what this device wrote than the home had.
    SetBack,
    /// The disk was damaged.
    Damage,
}

/// A device that this one is connected to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PeerStatus {
    /// The device; null while no channel says which it is.
    pub device: Option<DeviceId>,
    /// Its account; null while no channel says whose it is.
    pub account: Option<AccountId>,
    /// The name of its account; null while no channel says it.
    pub name: Option<String>,
    /// Where it is.
    pub address: String,
    /// Since when it has been connected.
    pub since: Timestamp,
}

/// What is wrong with this home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Damage {
    /// How many damaged records have been met and not been mended since. What they held is passed
    /// over; everything else stays readable.
    pub records: u64,
    /// When another copy of this home last wrote or told something as the same device, if that is
    /// not long ago. Absent if none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubled_at: Option<Timestamp>,
}
