//! Contacts: the accounts that this one shares a channel with, what it calls them, and whom it does
//! not want to hear.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::AccountId;

/// Somebody whom this account shares a channel with, or has said something about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Contact {
    /// The account.
    pub account: AccountId,
    /// What it is called here: the name that this account gives it, else its own.
    pub name: String,
    /// What it calls itself; empty if no channel here says.
    pub own_name: String,
    /// What it shows at `kith account show`, if it is who it seems to be: six groups of five
    /// digits.
    pub safety_number: String,
    /// Whether somebody has compared that with what the person said.
    pub verified: bool,
    /// Whether this account has blocked it.
    pub blocked: bool,
    /// The names of the channels in which both are members.
    pub channels: Vec<String>,
}

/// What to change about a contact; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateContact {
    /// What to call it here, at most 64 characters; empty for what it calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The safety number that the person has told, to have it verified; empty to have it verified
    /// no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safety_number: Option<String>,
    /// Whether to block it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<bool>,
}
