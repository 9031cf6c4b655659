//! What can speak against something that was written, in the words of those who ask why.

use crate::control::{Right, Unheard};
use crate::ids::OpId;
use crate::law::Law;

/// What speaks against a message, an edit, a deletion or a reaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
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
    /// It is kept for another time than what it is about: it would be gone before it, or outlive
    /// it.
    OtherTerm,
}

impl Against {
    /// The rule.
    pub const fn law(&self) -> Law {
        match self {
            Self::Unheard(_, Unheard::Muted { .. }) => Law::Mutes,
            Self::Unheard(Right::DeleteOthers, _) => Law::Deletions,
            Self::Unheard(..) => Law::Writing,
            Self::Removed { .. } => Law::Removal,
            Self::NotTheirs => Law::Edits,
            Self::Stranger => Law::Belonging,
            Self::OtherTerm => Law::Content,
        }
    }

    /// What is the matter, in a few words.
    pub fn reason(&self) -> String {
        match self {
            Self::Unheard(_, Unheard::Muted { .. }) => "its author was muted then".to_owned(),
            Self::Unheard(right, Unheard::Role { role, least }) => match role {
                Some(role) => {
                    format!("to {right} took the role {least} or above, its author was {role}")
                }
                None => "its author never was a member of the channel".to_owned(),
            },
            Self::Removed { .. } => {
                "whoever removed its author, or revoked the device, did not have it, and it was \
                 not written after coming back"
                    .to_owned()
            }
            Self::NotTheirs => "it is not by the author of the message".to_owned(),
            Self::Stranger => "it was written on a device that nobody here has".to_owned(),
            Self::OtherTerm => "it is not kept as long as what it is about".to_owned(),
        }
    }

    /// The op because of which.
    pub const fn because(&self) -> Option<OpId> {
        match self {
            Self::Unheard(_, Unheard::Muted { by }) | Self::Removed { by } => Some(*by),
            Self::Unheard(..) | Self::NotTheirs | Self::Stranger | Self::OtherTerm => None,
        }
    }
}
