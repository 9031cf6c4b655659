//! What the engine wants done, as plain data. Nothing in here is released before what it depends
//! on is on disk.

use std::fmt;

use kith_crdt::control::Denied;
use kith_crdt::ids::{AccountId, ChannelId, DeviceId, InviteId, MessageId};
use kith_crdt::law::Law;
use kith_crdt::term::Span;
use kith_crdt::time::Millis;
use minicbor::{Decode, Encode};

use super::members::Stands;
use crate::network;

/// What one turn of the engine wants done, in order.
#[derive(Debug, Default)]
pub struct Effects {
    /// For the network.
    pub network: Vec<network::Command>,
    /// Answers to commands, by token.
    pub answers: Vec<(u64, Result<Outcome, Refusal>)>,
    /// What happened that is worth telling but not worth keeping.
    pub moments: Vec<Moment>,
    /// The newest durable event, if this turn made one.
    pub newest_event: Option<u64>,
    /// Where something was taken out of the store that its files still hold: they are to be
    /// rewritten.
    pub erase: Vec<(ChannelId, Span)>,
}

/// What a command led to. Kept under the command's idempotency key, hence the encoding.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Outcome {
    /// It is done and there is nothing to add.
    #[n(0)]
    Done,
    /// A channel that now exists here.
    #[n(1)]
    Channel {
        /// Its id.
        #[n(0)]
        channel: ChannelId,
        /// Its name.
        #[n(1)]
        name: String,
    },
    /// An invite.
    #[n(2)]
    Invited {
        /// Its id.
        #[n(0)]
        invite: InviteId,
        /// The link to pass on.
        #[n(1)]
        link: String,
        /// Until when it can be used.
        #[n(2)]
        expires_at: Millis,
    },
    /// A link for a device.
    #[n(9)]
    LinkShown {
        /// Tells it from others.
        #[n(2)]
        id: String,
        /// The link to hand to it.
        #[n(0)]
        link: String,
        /// Until when it can be used.
        #[n(1)]
        expires_at: Millis,
    },
    /// An entry that is durable.
    #[n(3)]
    Written {
        /// The message it made or is about.
        #[n(0)]
        message: MessageId,
        /// The time it bears.
        #[n(1)]
        at: Millis,
    },
    /// How much a sweep took away.
    #[n(7)]
    Swept {
        /// Messages purged.
        #[n(0)]
        purged: u64,
        /// Windows shredded.
        #[n(1)]
        shredded: u64,
        /// Whether files were rewritten for it.
        #[n(2)]
        rewritten: bool,
    },
    /// A message that is durable.
    #[n(6)]
    Sent {
        /// Its id.
        #[n(0)]
        message: MessageId,
        /// The time it bears.
        #[n(1)]
        at: Millis,
        /// When its time is over at the latest; nothing if it is kept.
        #[n(2)]
        expires_at: Option<Millis>,
    },
    /// How much of what this account said was taken back, or would be.
    #[n(8)]
    TakenBack {
        /// Messages that were deleted.
        #[n(0)]
        messages: u64,
        /// Reactions.
        #[n(1)]
        reactions: u64,
    },
    /// How many messages were newly marked as read.
    #[n(4)]
    Marked(#[n(0)] u64),
    /// How an account stands to a channel after something was done about it, or would.
    #[n(5)]
    Stands(#[n(0)] Stands),
}

/// Why a command was not carried out. The text names the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The words of the call make no sense.
    #[error("{0}")]
    Usage(String),
    /// There is no such thing here.
    #[error("{0}")]
    NotFound(String),
    /// Somebody may not do this, or an invite does not hold.
    #[error("{0}")]
    Denied(String),
    /// Nobody who would be needed can be reached now.
    #[error("{0}")]
    Unreachable(String),
    /// A bound was reached.
    #[error("{0}")]
    Limit(String),
    /// The disk did not take it; nothing was changed.
    #[error("{0}")]
    Storage(String),
}

impl Refusal {
    /// A denial by a rule, whose number is said with it.
    pub(super) fn by_law(law: Law, why: impl fmt::Display) -> Self {
        Self::Denied(format!("{why} (rule {} {})", law.number(), law.name()))
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Rule(rule) => Self::by_law(Law::against(&rule), rule),
            other => Self::Denied(other.to_string()),
        }
    }
}

/// Something that happened and will not be told again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// A member is typing.
    Typing {
        /// Where.
        channel: ChannelId,
        /// Who.
        account: AccountId,
    },
    /// A member came or went.
    Presence {
        /// Where.
        channel: ChannelId,
        /// Who.
        account: AccountId,
        /// On which device.
        device: DeviceId,
        /// Whether they are here.
        present: bool,
    },
    /// A node connected or disconnected.
    Peer {
        /// The device, where it is known.
        device: Option<DeviceId>,
        /// Its account, where it is known.
        account: Option<AccountId>,
        /// The address it has or had.
        address: String,
        /// Whether it is connected.
        connected: bool,
    },
    /// A channel was compared with a member's node.
    Sync {
        /// Which channel.
        channel: ChannelId,
    },
}
