//! First come, first served: the uses of invites and the size of the channel (rule 6).

use std::collections::BTreeMap;

use crate::control::body::Body;
use crate::control::graph::{Graph, Index};
use crate::control::op::VerifiedOp;
use crate::control::roster::Roster;
use crate::control::verdict::Rule;
use crate::ids::{AccountId, InviteId};
use crate::limits::ACCOUNTS_PER_CHANNEL;

/// What is left to be taken, as the joins are gone through in order.
pub(super) struct Seats<'a> {
    base: &'a Roster,
    uses_left: BTreeMap<InviteId, u32>,
    joined: BTreeMap<AccountId, Index>,
    /// Whether they belong, of the accounts that came or went.
    present: BTreeMap<AccountId, bool>,
    active: usize,
}

impl<'a> Seats<'a> {
    pub(super) fn new(base: &'a Roster) -> Self {
        let active = base.active().count();
        Self {
            base,
            uses_left: BTreeMap::new(),
            joined: BTreeMap::new(),
            present: BTreeMap::new(),
            active,
        }
    }

    /// Whether an op that lets somebody in may take a seat in the channel, and one of the
    /// invite's uses if it is a join.
    pub(super) fn free(
        &self,
        graph: &Graph,
        entry: Index,
        invite: Option<&InviteId>,
    ) -> Result<(), Rule> {
        let account = &graph.op(entry).subject().ok_or(Rule::BadCertificate)?;
        let before = self.joined.get(account);
        // Whoever comes back is still here if the leaving or removal turned out to be void.
        if self.is_present(account) || before.is_some_and(|before| graph.concurrent(*before, entry))
        {
            return Err(Rule::AlreadyAMember);
        }
        if invite.is_some_and(|invite| self.uses_left(invite) == 0) {
            return Err(Rule::InviteUsedUp);
        }
        if self.active >= ACCOUNTS_PER_CHANNEL {
            return Err(Rule::ChannelFull);
        }
        Ok(())
    }

    /// Takes note of an op that is not void.
    pub(super) fn take(&mut self, index: Index, op: &VerifiedOp) {
        match &op.op().body {
            Body::Invite { invite, uses, .. } => {
                self.uses_left.insert(*invite, *uses);
            }
            Body::Join { invite, .. } => {
                let left = self.uses_left(invite).saturating_sub(1);
                self.uses_left.insert(*invite, left);
                self.enter(index, op);
            }
            Body::Create { .. } | Body::Add { .. } => self.enter(index, op),
            Body::Leave | Body::Remove { .. } | Body::Ban { .. } => {
                if let Some(account) = op.subject().filter(|account| self.is_present(account)) {
                    self.present.insert(account, false);
                    self.active = self.active.saturating_sub(1);
                }
            }
            _ => {}
        }
    }

    fn enter(&mut self, index: Index, op: &VerifiedOp) {
        if let Some(account) = op.subject() {
            self.joined.insert(account, index);
            self.present.insert(account, true);
            self.active += 1;
        }
    }

    fn is_present(&self, account: &AccountId) -> bool {
        let in_base = || self.base.active_member(account).is_some();
        self.present.get(account).copied().unwrap_or_else(in_base)
    }

    fn uses_left(&self, invite: &InviteId) -> u32 {
        let in_base = || {
            let state = self.base.invites.get(invite);
            state.map_or(0, |state| state.uses.saturating_sub(state.used))
        };
        self.uses_left.get(invite).copied().unwrap_or_else(in_base)
    }
}
