//! The audit of a channel: who did what, and what was erased.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Timestamp;
use crate::retention::Retention;
use crate::why::Step;

/// Asks for a page of a channel's audit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// How many entries, 500 at most; 50 if absent.
    #[serde(default)]
    pub limit: Option<u32>,
    /// Those before this one: the beginning of an op's id, or of a deleted message's.
    #[serde(default)]
    pub before: Option<String>,
    /// Only what this account did or what was done about it.
    #[serde(default)]
    pub account: Option<String>,
}

impl AuditQuery {
    /// Entries of a page if nobody says.
    pub const LIMIT: u32 = 50;
}

/// A page of a channel's audit: the newest entries before the cursor, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    /// Who did what, and what was erased on this device in between.
    pub entries: Vec<AuditEntry>,
    /// Whether there are older ones.
    pub more: bool,
    /// How many signatures were checked for this answer: of every op of the channel, and of every
    /// deletion.
    pub checked: u64,
    /// How many of them do not hold.
    pub failed: u64,
}

/// An entry of an audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum AuditEntry {
    /// What was erased on this device, as it noted itself: no other device has the same.
    Erasure(Erasure),
    /// What somebody did, or tried to do: the same on every device.
    Step(Box<Step>),
}

/// What a device erased of a channel, with nothing of what was in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Erasure {
    /// That it is one.
    pub deed: ErasureDeed,
    /// When the last of it was erased.
    pub at: Timestamp,
    /// When the first of it was.
    pub since: Timestamp,
    /// Why it was erased.
    pub cause: ErasureCause,
    /// How long the channel kept it, if that is the cause.
    #[schema(value_type = Option<String>)]
    pub retention: Option<Retention>,
    /// Messages whose texts were erased.
    pub messages: u64,
    /// Windows of the channel whose records and keys were destroyed.
    pub windows: u64,
}

/// Tells an erasure from what somebody did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErasureDeed {
    /// It is one.
    Erasure,
}

/// Why something was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErasureCause {
    /// The channel keeps it no longer.
    Retention,
    /// It asked to go, no later than its channel says.
    Expiry,
    /// Somebody deleted it.
    Deletion,
}
