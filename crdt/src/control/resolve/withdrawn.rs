//! Withdrawals are strong (rule 2): what is void because it was done at the same time as its
//! author, its invite, or whoever made its invite was withdrawn.

use super::Contest;
use crate::control::body::Body;
use crate::control::graph::Index;
use crate::control::line::Field;
use crate::control::verdict::Rule;
use crate::ids::{AccountId, OpId};

impl Contest<'_> {
    /// What an op withdraws, if it withdraws anything.
    pub(super) fn withdrawal(&self, index: Index) -> Option<Field> {
        let op = self.graph.op(index);
        match &op.op().body {
            Body::Leave | Body::RevokeInvite { .. } | Body::Remove { .. } | Body::Ban { .. } => {
                Field::of(op)
            }
            Body::SetRole { account, .. } if self.grounds_of(index)?.lowers => {
                Some(Field::Lowering(*account))
            }
            _ => None,
        }
    }

    /// Whether nothing that an op needs was withdrawn concurrently with it.
    pub(super) fn still_stands(&self, index: Index) -> Result<(), Rule> {
        let op = self.graph.op(index);
        let (author, body) = (op.op().author, &op.op().body);
        self.by_no_device_cut_off(index)?;
        let leaves = matches!(body, Body::Leave);
        let steps_down = self.withdrawal(index) == Some(Field::Lowering(author));
        if !leaves && let Some(by) = self.withdrawn(Field::Account(author), index) {
            return Err(Rule::Withdrawn { by });
        }
        if !steps_down && let Some(by) = self.withdrawn(Field::Leaving(author), index) {
            return Err(Rule::Withdrawn { by });
        }
        // A join is one that was made up: whom others gave a lower role had been let in already.
        if !leaves && let Some(by) = self.withdrawn(Field::Lowering(author), index) {
            return Err(Rule::Lowered { by });
        }
        match body {
            Body::Join { invite, .. } => {
                if let Some(by) = self.withdrawn(Field::Invite(*invite), index) {
                    return Err(Rule::Withdrawn { by });
                }
                match self.inviter_withdrawn(index) {
                    Some(by) => Err(Rule::InviterWithdrawn { by }),
                    None => Ok(()),
                }
            }
            Body::SetRole { account, .. } if self.withdrawal(index).is_none() => {
                match self.withdrawn(Field::Leaving(*account), index) {
                    Some(by) => Err(Rule::SubjectLeft { by }),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// The removal of whoever made a Join's invite, or the op that gave them too low a role for
    /// it, if it is concurrent with the Join.
    fn inviter_withdrawn(&self, join: Index) -> Option<OpId> {
        let (inviter, least) = self.grounds_of(join)?.inviter?;
        if let Some(by) = self.withdrawn(Field::Account(inviter), join) {
            return Some(by);
        }
        let lowered = Field::Lowering(inviter);
        let by = self.withdrawals.concurrent(self.graph, lowered, join)?;
        match self.graph.op(by).op().body {
            Body::SetRole { role, .. } if role < least => Some(self.id(by)),
            _ => None,
        }
    }

    fn withdrawn(&self, field: Field, index: Index) -> Option<OpId> {
        let by = self.withdrawals.concurrent(self.graph, field, index)?;
        Some(self.id(by))
    }

    /// Whether no op that is concurrent with this one cut off the device that signed it.
    pub(super) fn by_no_device_cut_off(&self, index: Index) -> Result<(), Rule> {
        let op = self.graph.op(index).op();
        let mut cutting = self.revocations.of(&op.author, &op.device);
        match cutting.find(|by| self.graph.concurrent(*by, index)) {
            Some(by) => Err(Rule::DeviceRevoked { by: self.id(by) }),
            None => Ok(()),
        }
    }

    /// Whether an account is one that an op takes away from where it was.
    pub(super) fn takes_away(&self, index: Index) -> Option<AccountId> {
        match self.withdrawal(index)? {
            Field::Account(account) | Field::Leaving(account) | Field::Lowering(account) => {
                Some(account)
            }
            _ => None,
        }
    }
}
