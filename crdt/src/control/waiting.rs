//! Ops whose ancestors have not come yet.
//!
//! A convenience for gossip, which may turn the order around, and nothing to rely on: sync hands
//! ops over parents first, so what is dropped here comes again. When it is full, what has waited
//! longest goes, so that nobody can keep it full.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::op::VerifiedOp;
use crate::ids::OpId;
use crate::limits::{ORPHAN_BYTES_PER_CHANNEL, ORPHANS_PER_CHANNEL};

/// Parked ops, each under one ancestor that it waits for.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting {
    ops: BTreeMap<OpId, (Arc<VerifiedOp>, OpId)>,
    by_missing: BTreeMap<OpId, Vec<OpId>>,
    /// Oldest first; may name ops that are gone already.
    arrivals: VecDeque<OpId>,
    bytes: usize,
}

impl Waiting {
    pub(super) fn contains(&self, id: &OpId) -> bool {
        self.ops.contains_key(id)
    }

    pub(super) fn len(&self) -> usize {
        self.ops.len()
    }

    /// Parks an op until `missing` arrives.
    pub(super) fn park(&mut self, op: Arc<VerifiedOp>, missing: OpId) {
        self.bytes += size(&op);
        self.arrivals.push_back(op.id());
        self.by_missing.entry(missing).or_default().push(op.id());
        self.ops.insert(op.id(), (op, missing));
        while self.ops.len() > ORPHANS_PER_CHANNEL || self.bytes > ORPHAN_BYTES_PER_CHANNEL {
            let Some(oldest) = self.arrivals.pop_front() else {
                break;
            };
            self.drop_op(&oldest);
        }
        if self.arrivals.len() > 2 * ORPHANS_PER_CHANNEL {
            self.arrivals.retain(|id| self.ops.contains_key(id));
        }
    }

    /// Whether an op by another account waits for this one, and it is one of those that count.
    pub(super) fn wanted_by_others(
        &self,
        op: &VerifiedOp,
        counts: impl Fn(&VerifiedOp) -> bool,
    ) -> bool {
        let waiting = self.by_missing.get(&op.id()).into_iter().flatten();
        let mut others = waiting
            .filter_map(|id| Some(&self.ops.get(id)?.0))
            .filter(|other| other.op().author != op.op().author);
        others.any(|other| counts(other))
    }

    /// Takes out what waited for an op that is here now.
    pub(super) fn release(&mut self, arrived: &OpId) -> Vec<Arc<VerifiedOp>> {
        let waiting = self.by_missing.remove(arrived).unwrap_or_default();
        waiting
            .iter()
            .filter_map(|id| {
                let (op, _) = self.ops.remove(id)?;
                self.bytes -= size(&op);
                Some(op)
            })
            .collect()
    }

    fn drop_op(&mut self, id: &OpId) {
        let Some((op, missing)) = self.ops.remove(id) else {
            return;
        };
        self.bytes -= size(&op);
        if let Some(siblings) = self.by_missing.get_mut(&missing) {
            siblings.retain(|sibling| sibling != id);
            if siblings.is_empty() {
                self.by_missing.remove(&missing);
            }
        }
    }
}

fn size(op: &VerifiedOp) -> usize {
    op.signed().payload.len()
}
