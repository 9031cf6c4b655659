//! The graph of a control log: which op builds on which.
//!
//! Ancestry is asked for all the time, so every op carries an **ancestor clock**: the log is cut
//! into chains, each a line of ops where one builds on the one before, and the clock says how far
//! up each chain the op's ancestors reach. A log written by people who see each other is one
//! chain; only ops written at the same time open another. One look-up then answers whether an op
//! is an ancestor of another.
//!
//! Nothing here knows what an op means.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::ops::Bound;
use std::sync::Arc;

use super::op::VerifiedOp;
use super::quota::Quotas;
use crate::ids::{DeviceId, OpId};
use crate::limits::{
    CLOCK_ENTRIES_PER_CHANNEL, CONTROL_BYTES_PER_CHANNEL, OPS_PER_CHANNEL, OPS_PER_DEVICE,
};

/// An op's number in the order in which this node came by it: ancestors have smaller ones.
pub(super) type Index = u32;

/// An op's key in the order that sorts every op behind its ancestors, alike on every node.
pub(super) type Order = (u64, OpId);

#[derive(Debug, Clone)]
struct Node {
    op: Arc<VerifiedOp>,
    /// The parents that are not ancestors of other parents.
    parents: Vec<Index>,
    chain: u32,
    /// The place in its chain, from 0.
    place: u32,
    /// Of every other chain that an ancestor is in: (chain, last place of an ancestor), sorted.
    past: Arc<Vec<(u32, u32)>>,
}

/// Why an op cannot be put into the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misfit {
    /// A parent is not here; the first such.
    Missing(OpId),
    /// The lamport number is not one more than the largest of the parents'.
    Lamport,
    /// The log has as many ops as it may have.
    Full,
    /// The log has as many ops of its author as it may have.
    DeviceFull,
}

/// The ops of a log with their ancestry, grown parents first.
#[derive(Debug, Clone, Default)]
pub(super) struct Graph {
    nodes: Vec<Node>,
    by_id: BTreeMap<OpId, Index>,
    by_order: BTreeMap<Order, Index>,
    heads: BTreeSet<Index>,
    /// The last place of each chain.
    tails: Vec<u32>,
    clock_entries: usize,
    bytes: usize,
    quotas: Quotas,
}

impl Graph {
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn index(&self, id: &OpId) -> Option<Index> {
        self.by_id.get(id).copied()
    }

    pub(super) fn op(&self, index: Index) -> &Arc<VerifiedOp> {
        &self.node(index).op
    }

    /// The parents that are not ancestors of other parents.
    pub(super) fn parents(&self, index: Index) -> &[Index] {
        &self.node(index).parents
    }

    /// The ops that nothing builds on.
    pub(super) fn heads(&self) -> &BTreeSet<Index> {
        &self.heads
    }

    /// Whether `ancestor` is one that `op` builds on, directly or through others.
    pub(super) fn is_ancestor(&self, ancestor: Index, op: Index) -> bool {
        ancestor != op && self.reaches(op, self.position(ancestor))
    }

    /// Whether neither builds on the other.
    pub(super) fn concurrent(&self, a: Index, b: Index) -> bool {
        a != b && !self.is_ancestor(a, b) && !self.is_ancestor(b, a)
    }

    /// Where an op is: its chain and its place in it.
    pub(super) fn position(&self, index: Index) -> (u32, u32) {
        let node = self.node(index);
        (node.chain, node.place)
    }

    /// Whether `op` is at or builds on what is at this place of this chain.
    pub(super) fn reaches(&self, op: Index, (chain, place): (u32, u32)) -> bool {
        let node = self.node(op);
        if node.chain == chain {
            return node.place >= place;
        }
        node.past
            .binary_search_by_key(&chain, |(chain, _)| *chain)
            .is_ok_and(|found| node.past[found].1 >= place)
    }

    /// The ops behind `cut` in the order, ancestors first; all of them without a cut.
    pub(super) fn after(&self, cut: Option<Index>) -> impl Iterator<Item = Index> + '_ {
        let from = match cut {
            Some(cut) => Bound::Excluded(self.op(cut).order()),
            None => Bound::Unbounded,
        };
        self.by_order
            .range((from, Bound::Unbounded))
            .map(|(_, index)| *index)
    }

    /// Puts an op in whose parents are all here. One that is `wanted`, because somebody else's op
    /// builds on it, is taken although its device has as many ops here as one may have.
    ///
    /// # Errors
    /// [`Misfit`]; the graph is as it was.
    pub(super) fn add(
        &mut self,
        op: Arc<VerifiedOp>,
        wanted: impl FnOnce() -> bool,
    ) -> Result<Index, Misfit> {
        let parents = self.known_parents(&op)?;
        let lamport = parents
            .iter()
            .map(|parent| self.op(*parent).order().0)
            .max()
            .unwrap_or(0)
            + 1;
        if op.order().0 != lamport {
            return Err(Misfit::Lamport);
        }
        let device = op.op().device;
        if self.quotas.count(&device) >= OPS_PER_DEVICE
            && (self.ancestors_by(&device, &parents) >= OPS_PER_DEVICE || !wanted())
        {
            return Err(Misfit::DeviceFull);
        }
        let size = op.signed().payload.len();
        let parents = self.without_redundant(parents);
        let (past, fresh_entries) = self.past_of(&parents);
        if self.nodes.len() >= OPS_PER_CHANNEL
            || self.bytes + size > CONTROL_BYTES_PER_CHANNEL
            || self.clock_entries + fresh_entries > CLOCK_ENTRIES_PER_CHANNEL
        {
            return Err(Misfit::Full);
        }
        let index = Index::try_from(self.nodes.len()).expect("the bound on ops fits 32 bits");
        let (chain, place, past) = self.extend_chain(&parents, past);
        for parent in &parents {
            self.heads.remove(parent);
        }
        self.heads.insert(index);
        self.by_id.insert(op.id(), index);
        self.by_order.insert(op.order(), index);
        self.clock_entries += fresh_entries;
        self.bytes += size;
        self.quotas.add(device, (chain, place));
        self.nodes.push(Node {
            op,
            parents,
            chain,
            place,
            past,
        });
        Ok(index)
    }

    /// The ops that are neither among `have` nor ancestors of one of them, ancestors first. Costs
    /// what lies between the two, not what lies below both. Ids that are not here say nothing.
    pub(super) fn missing_from(&self, have: &[OpId]) -> Vec<Index> {
        let mut queue: BinaryHeap<(Order, Index)> = BinaryHeap::new();
        let mut held: BTreeMap<Index, bool> = BTreeMap::new();
        let mut lacking = 0usize;
        let starts = have
            .iter()
            .filter_map(|id| Some((self.index(id)?, true)))
            .chain(self.heads.iter().map(|head| (*head, false)));
        for (index, is_held) in starts {
            if held
                .insert(index, is_held || held.get(&index) == Some(&true))
                .is_none()
            {
                queue.push((self.op(index).order(), index));
            }
        }
        lacking += held.values().filter(|is_held| !**is_held).count();

        // Highest first: when an op comes up, all its descendants have, so whether it is held is
        // settled. When everything still queued is held, so is everything below it.
        let mut missing = Vec::new();
        while lacking > 0 {
            let Some((_, index)) = queue.pop() else { break };
            let is_held = held[&index];
            if !is_held {
                missing.push(index);
                lacking -= 1;
            }
            for parent in self.parents(index) {
                match held.get_mut(parent) {
                    None => {
                        held.insert(*parent, is_held);
                        queue.push((self.op(*parent).order(), *parent));
                        lacking += usize::from(!is_held);
                    }
                    Some(parent_held) if is_held && !*parent_held => {
                        *parent_held = true;
                        lacking -= 1;
                    }
                    Some(_) => {}
                }
            }
        }
        missing.reverse();
        missing
    }

    fn node(&self, index: Index) -> &Node {
        &self.nodes[index as usize]
    }

    fn known_parents(&self, op: &VerifiedOp) -> Result<Vec<Index>, Misfit> {
        op.op()
            .parents
            .iter()
            .map(|parent| self.index(parent).ok_or(Misfit::Missing(*parent)))
            .collect()
    }

    fn without_redundant(&self, parents: Vec<Index>) -> Vec<Index> {
        let redundant = |parent: &Index| {
            parents
                .iter()
                .any(|other| self.is_ancestor(*parent, *other))
        };
        let mut kept: Vec<Index> = parents.iter().copied().filter(|p| !redundant(p)).collect();
        kept.sort_unstable();
        kept
    }

    /// How far up each chain the ancestors reach, and how many entries of that are new. An op
    /// that goes on from the end of a chain shares the clock of its only parent.
    fn past_of(&self, parents: &[Index]) -> (Arc<Vec<(u32, u32)>>, usize) {
        if let [parent] = parents {
            let parent = self.node(*parent);
            if self.tails[parent.chain as usize] == parent.place {
                return (Arc::clone(&parent.past), 0);
            }
        }
        let merged = self.reached(parents);
        let entries = merged.len();
        (Arc::new(merged.into_iter().collect()), entries)
    }

    /// How far up each chain these ops and their ancestors reach.
    fn reached(&self, ops: &[Index]) -> BTreeMap<u32, u32> {
        let mut merged: BTreeMap<u32, u32> = BTreeMap::new();
        for op in ops {
            let node = self.node(*op);
            let own = (node.chain, node.place);
            for (chain, place) in node.past.iter().copied().chain([own]) {
                let reached = merged.entry(chain).or_insert(place);
                *reached = place.max(*reached);
            }
        }
        merged
    }

    fn ancestors_by(&self, device: &DeviceId, parents: &[Index]) -> usize {
        self.quotas.count_below(device, &self.reached(parents))
    }

    /// Finds the chain that the op goes on: one whose last op is an ancestor, or a new one.
    fn extend_chain(
        &mut self,
        parents: &[Index],
        past: Arc<Vec<(u32, u32)>>,
    ) -> (u32, u32, Arc<Vec<(u32, u32)>>) {
        let is_tail = |&&(chain, place): &&(u32, u32)| self.tails[chain as usize] == place;
        let of_parents: Vec<(u32, u32)> = parents.iter().map(|p| self.position(*p)).collect();
        let Some(&(chain, tail)) = of_parents
            .iter()
            .find(is_tail)
            .or_else(|| past.iter().find(is_tail))
        else {
            let chain = u32::try_from(self.tails.len()).expect("fewer chains than ops");
            self.tails.push(0);
            return (chain, 0, past);
        };
        let place = tail + 1;
        self.tails[chain as usize] = place;
        match past.binary_search_by_key(&chain, |(chain, _)| *chain) {
            Ok(at) => {
                let mut without_own = Arc::unwrap_or_clone(past);
                without_own.remove(at);
                (chain, place, Arc::new(without_own))
            }
            Err(_) => (chain, place, past),
        }
    }
}
