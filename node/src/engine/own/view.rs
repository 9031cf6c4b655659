//! What this account has set for itself, as readers see it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kith_crdt::ids::{AccountId, ChannelId, MessageId};
use kith_crdt::time::Millis;

/// Of what in a channel this account wants to be notified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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
    /// The level with a number; that of a later version is the first.
    pub(super) const fn of(number: u64) -> Self {
        match number {
            1 => Self::Mentions,
            2 => Self::Nothing,
            _ => Self::All,
        }
    }

    /// The number that stands in a setting.
    pub const fn number(self) -> u64 {
        match self {
            Self::All => 0,
            Self::Mentions => 1,
            Self::Nothing => 2,
        }
    }
}

/// What this account wants of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wishes {
    /// Until when it is muted.
    pub muted_until: Option<Millis>,
    /// When it was put away.
    pub archived_at: Option<Millis>,
    /// Of what it wants to be notified.
    pub notify: Notify,
}

impl Wishes {
    /// Whether a message is to be told of at a time.
    pub fn want(&self, mentions: bool, now: Millis) -> bool {
        let is_muted = self.muted_until.is_some_and(|until| now < until);
        !is_muted
            && match self.notify {
                Notify::All => true,
                Notify::Mentions => mentions,
                Notify::Nothing => false,
            }
    }
}

/// A text that is to be sent some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The id of the setting.
    pub id: MessageId,
    /// When it was written.
    pub at: Millis,
    /// The text.
    pub text: String,
}

/// A draft's channel, and its thread.
pub type DraftOf = (ChannelId, Option<MessageId>);

/// What this account has set for itself, on whichever of its devices.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OwnView {
    /// The names that it gives to others.
    pub names: BTreeMap<AccountId, String>,
    /// Whom it has blocked.
    pub blocked: Arc<BTreeSet<AccountId>>,
    /// Of whom it has made sure.
    pub verified: BTreeSet<AccountId>,
    /// What it wants of channels, where that is anything but the usual.
    pub channels: BTreeMap<ChannelId, Wishes>,
    /// Its drafts, the latest of each first.
    pub drafts: BTreeMap<DraftOf, Vec<Draft>>,
}

impl OwnView {
    /// What this account wants of a channel.
    pub fn wishes(&self, channel: &ChannelId) -> Wishes {
        self.channels.get(channel).copied().unwrap_or_default()
    }
}
