//! Why a message is not shown, or what somebody did to it does not count.

use kith_crdt::control::{Right, Unheard};
use kith_crdt::ids::{EpochId, OpId};
use kith_crdt::law::Law;
use kith_crdt::projection::{Claim, ClaimKind};

use super::Reading;
use super::messages::Found;
use crate::engine::ChannelView;

/// What speaks against a message, an edit, a deletion or a reaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Against {
    /// Whoever wrote it had not the right then.
    Unheard(Right, Unheard),
    /// A removal hides it.
    Removed {
        /// The op.
        by: OpId,
    },
    /// It edits what somebody else wrote.
    NotTheirs,
    /// No account of the roster has the device.
    Stranger,
}

impl Against {
    /// The rule.
    pub(super) const fn law(&self) -> Law {
        match self {
            Self::Unheard(_, Unheard::Muted { .. }) => Law::Mutes,
            Self::Unheard(Right::DeleteOthers, _) => Law::Deletions,
            Self::Unheard(..) => Law::Writing,
            Self::Removed { .. } => Law::Removal,
            Self::NotTheirs => Law::Edits,
            Self::Stranger => Law::Belonging,
        }
    }

    /// What is the matter, in a few words.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Unheard(_, Unheard::Muted { .. }) => "its author was muted then".to_owned(),
            Self::Unheard(right, Unheard::Role { role, least }) => match role {
                Some(role) => {
                    format!("to {right} took the role {least} or above, its author was {role}")
                }
                None => "its author never was a member of the channel".to_owned(),
            },
            Self::Removed { .. } => {
                "whoever removed its author did not have it, and it was not written after coming \
                 back"
                    .to_owned()
            }
            Self::NotTheirs => "it is not by the author of the message".to_owned(),
            Self::Stranger => "it was written on a device that nobody here has".to_owned(),
        }
    }

    /// The op because of which.
    pub(super) const fn because(&self) -> Option<OpId> {
        match self {
            Self::Unheard(_, Unheard::Muted { by }) | Self::Removed { by } => Some(*by),
            Self::Unheard(..) | Self::NotTheirs | Self::Stranger => None,
        }
    }
}

/// What speaks against showing a message; nothing if it is shown.
pub(super) fn against_message(channel: &ChannelView, found: &Found) -> Option<Against> {
    let (roster, author) = (&channel.roster, &found.author);
    let unheard = roster.unheard(author, Right::Write, found.hlc.millis());
    if let Some(why) = unheard {
        return Some(Against::Unheard(Right::Write, why));
    }
    let by = roster.hidden_by(author, &found.place, &found.epoch)?;
    Some(Against::Removed { by })
}

impl Reading<'_> {
    /// What speaks against a claim about a message; nothing if whoever claims it had the right to
    /// when they did, and no removal hides it.
    pub(super) fn against_claim(
        &self,
        channel: &ChannelView,
        found: &Found,
        claim: &Claim,
    ) -> Option<Against> {
        let roster = &channel.roster;
        let Some(account) = roster.account_of(&claim.at.log.writer.device) else {
            return Some(Against::Stranger);
        };
        let right = match claim.kind {
            ClaimKind::Edit if account != found.author => return Some(Against::NotTheirs),
            ClaimKind::Edit => Right::Write,
            ClaimKind::Reaction { .. } => Right::React,
            // What is one's own one may always take back.
            ClaimKind::Deletion if account == found.author => return None,
            ClaimKind::Deletion => Right::DeleteOthers,
        };
        if let Some(why) = roster.unheard(&account, right, claim.hlc.millis()) {
            return Some(Against::Unheard(right, why));
        }
        // The epoch is looked up only of those who were removed at some time.
        roster.hidden_by(&account, &claim.at, &EpochId([0; 16]))?;
        let hidden = match self.envelope(channel, claim.at) {
            Some(envelope) => roster.hidden_by(&account, &claim.at, &envelope.header.epoch),
            None => roster.hidden_by(&account, &claim.at, &EpochId([0; 16])),
        };
        hidden.map(|by| Against::Removed { by })
    }
}
