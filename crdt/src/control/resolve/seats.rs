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

    /// Whether a join may take one of the invite's uses and a seat in the channel.
    pub(super) fn free(&self, graph: &Graph, join: Index, invite: &InviteId) -> Result<(), Rule> {
        let author = &graph.op(join).op().author;
        let before = self.joined.get(author);
        // Whoever comes back is still here if the leaving turned out to be void.
        if self.is_present(author) || before.is_some_and(|before| graph.concurrent(*before, join)) {
            return Err(Rule::AlreadyAMember);
        }
        if self.uses_left(invite) == 0 {
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
            Body::Create { .. } => {
                self.present.insert(op.op().author, true);
                self.active += 1;
            }
            Body::Invite { invite, uses, .. } => {
                self.uses_left.insert(*invite, *uses);
            }
            Body::Join { invite, .. } => {
                let left = self.uses_left(invite).saturating_sub(1);
                self.uses_left.insert(*invite, left);
                self.joined.insert(op.op().author, index);
                self.present.insert(op.op().author, true);
                self.active += 1;
            }
            Body::Leave => {
                self.present.insert(op.op().author, false);
                self.active = self.active.saturating_sub(1);
            }
            _ => {}
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
