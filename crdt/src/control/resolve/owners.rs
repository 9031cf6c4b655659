//! There is always an owner (rule 5).
//!
//! The ops that count are gone through ancestors first. Where one of them takes the last owner
//! away, it or one that was done at the same time must not count.

use std::collections::BTreeSet;

use super::Contest;
use crate::control::body::Body;
use crate::control::graph::Index;
use crate::control::role::Role;
use crate::ids::AccountId;

impl Contest<'_> {
    /// Where there is no owner any more, has the op not count that was settled last of those
    /// because of which there is none (all of them, if not one by one), and says so.
    pub(super) fn keep_an_owner(&mut self, one_by_one: bool) -> bool {
        let mut takers = self.last_owner_taken();
        let taken = !takers.is_empty();
        takers.truncate(if one_by_one { 1 } else { takers.len() });
        self.kept.extend(takers);
        if taken {
            self.dropped.clear();
        }
        taken
    }

    /// The ops because of which there is no owner at some place, the first such, the lowest
    /// author's first.
    fn last_owner_taken(&self) -> Vec<Index> {
        let mut owners: BTreeSet<AccountId> = self
            .base
            .active()
            .filter(|member| member.role == Role::Owner)
            .map(|member| member.account)
            .collect();
        let mut takers: Vec<Index> = Vec::new();
        for (index, _) in self.allowed() {
            if self.void.contains_key(&index) {
                continue;
            }
            if let Some(owner) = self.makes_owner(index) {
                owners.insert(owner);
            } else if self
                .takes_away(index)
                .is_some_and(|account| owners.remove(&account))
            {
                takers.push(index);
                if owners.is_empty() {
                    return self.lowest_first(index, &takers);
                }
            }
        }
        Vec::new()
    }

    fn makes_owner(&self, index: Index) -> Option<AccountId> {
        let op = self.graph.op(index);
        let role = match &op.op().body {
            Body::SetRole { role, .. } => *role,
            _ => self.grounds_of(index)?.grants?,
        };
        if role == Role::Owner {
            op.subject()
        } else {
            None
        }
    }

    /// Of the ops that took an owner away those that are concurrent with the one that took the
    /// last, and it.
    fn lowest_first(&self, last: Index, takers: &[Index]) -> Vec<Index> {
        let concurrent = |taker: &Index| *taker == last || self.graph.concurrent(*taker, last);
        let mut takers: Vec<Index> = takers.iter().copied().filter(concurrent).collect();
        takers.sort_by_key(|taker| {
            let grounds = self.grounds_of(*taker)?;
            let (_, standing, _, lamport, id) = self.rank(*taker, grounds);
            Some((standing, lamport, id))
        });
        takers
    }
}
