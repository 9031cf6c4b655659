//! There is always an owner (rule 5): whether anybody remains whom a leaving owner left behind.

use std::collections::BTreeSet;

use super::Contest;
use crate::control::graph::Index;
use crate::control::line::Field;
use crate::ids::{AccountId, OpId};

impl Contest<'_> {
    /// Whether an owner's leaving leaves nobody, by what is settled so far. An heir that left
    /// later on relied on heirs of its own, so these are followed in turn: were it enough that it
    /// left, a leaving long known to everybody would become void.
    pub(super) fn leaves_no_owner(&self, leaving: Index) -> bool {
        if self.heirs(leaving).is_empty() {
            return false;
        }
        let mut followed = BTreeSet::new();
        let mut open = vec![leaving];
        while let Some(leaving) = open.pop() {
            for (account, grant) in self.heirs(leaving) {
                let heir = Field::Account(*account);
                let leaves_too = self.withdrawals.concurrent(self.graph, heir, leaving);
                if leaves_too.is_some() || self.void_base(grant).is_some() {
                    continue;
                }
                match self.withdrawals.first_after(self.graph, heir, leaving) {
                    Some(later) if followed.insert(later) => open.push(later),
                    Some(_) => {}
                    None => return false,
                }
            }
        }
        true
    }

    /// The other owners as the author of a Leave saw them, and what made them so; nobody for any
    /// other op.
    fn heirs(&self, leaving: Index) -> &[(AccountId, OpId)] {
        self.grounds_of(leaving)
            .map_or(&[], |grounds| &grounds.other_owners)
    }
}
