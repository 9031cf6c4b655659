//! Resolving what was done at the same time.
//!
//! Every op has been judged by what its author could know (`judge.rs`). Ops that know of each
//! other need nothing more. These rules settle what is left: ops that do not. They depend on
//! nothing but the set of ops, so nodes with the same ops have the same roster.
//!
//! 1. **Authority is a strict order**: by role, and within a role the earlier grant stands
//!    higher. Of concurrent ops about the same thing (a policy field, an epoch, an invite, the
//!    membership of an account) the one whose author stands higher counts; of one author's the
//!    later one, by (lamport, op id). The others are void.
//! 2. **Withdrawals are strong.** What an account did concurrently with its removal is void, for
//!    it may have been written afterwards with the clock and the parents turned back. Leaving is
//!    a removal. Likewise a join concurrent with the revocation of its invite is void: otherwise
//!    a link that leaked could be used for ever by pretending not to have seen the revocation.
//!    Whoever was caught in between is invited again. (A join concurrent with its inviter's
//!    *leaving* stands: leaving is no distrust.)
//! 3. Withdrawals themselves are settled in the order of authority, the highest author's first,
//!    so that a withdrawal can only be undone by one from above. Within one author's, leaving
//!    comes first.
//! 4. **Nothing stands on what is void**: an op by an account whose admission is void, a join by an
//!    invite that is void, and coming back after a leaving that is void, are void.
//! 5. **There is always an owner.** An owner's leaving is void if none of the other owners that its
//!    author left behind remains: each leaves concurrently and stands higher, or turns out not to
//!    be one, or leaves later on and, by this same rule, leaves nobody behind.
//! 6. **Joins are first come, first served**, by (lamport, op id): those beyond the invite's uses
//!    or the channel's size are void, and so is an account's second concurrent one.
//! 7. **A certificate is a fact**, not an act: it counts by its signatures and its version,
//!    whatever becomes of the op that brings it. What a device did concurrently with the op that
//!    brought the certificate without it is void.
//! 8. **An epoch may be written in** if every removal that counts (leaving, a revoked device) is
//!    an ancestor of its op, and its author knew of every expelled join: one that its own
//!    ancestors allow and these rules do not. Whoever was removed or expelled may have been given
//!    the keys of any other.

mod owners;
mod seats;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::body::Body;
use super::graph::{Graph, Index};
use super::judge::{Grounds, Judgment};
use super::line::{Field, Lines};
use super::op::VerifiedOp;
use super::role::{Role, Standing};
use super::roster::{EpochState, Roster};
use super::verdict::{Rule, Verdict};
use crate::identity::Certified;
use crate::ids::{AccountId, DeviceId, InviteId, OpId};
use seats::Seats;

/// Ops that were resolved together.
pub(super) struct Resolved {
    /// The roster behind them.
    pub(super) roster: Roster,
    /// What became of each.
    pub(super) verdicts: Vec<(OpId, Verdict)>,
}

/// Resolves `ops`, sorted ancestors first, on top of `base`: the roster of their common
/// ancestors, which all other ops are. `judgments` are by index.
pub(super) fn resolve(
    graph: &Graph,
    judgments: &[Judgment],
    base: &Roster,
    ops: &[Index],
) -> Resolved {
    let mut contest = Contest::new(graph, judgments, base, ops);
    contest.settle_membership();
    contest.settle_policy();
    contest.finish()
}

/// The order in which contested ops are settled, the greatest first.
type Rank = (Standing, bool, u64, OpId);

struct Contest<'a> {
    graph: &'a Graph,
    judgments: &'a [Judgment],
    base: &'a Roster,
    /// Everything to be resolved, ancestors first.
    ops: &'a [Index],
    by_author: BTreeMap<AccountId, Vec<Index>>,
    joins_by_invite: BTreeMap<InviteId, Vec<Index>>,
    /// For each revoked device the ops that brought a certificate without it.
    revoked_devices: BTreeMap<DeviceId, Vec<Index>>,
    /// Ops that stand about each thing.
    lines: Lines,
    /// Those of them that withdraw an account or an invite.
    withdrawals: Lines,
    /// What the order of authority has settled, for good.
    settled: BTreeMap<Index, Result<(), Rule>>,
    /// What is void by what is settled so far.
    void: BTreeMap<Index, Rule>,
}

impl<'a> Contest<'a> {
    fn new(
        graph: &'a Graph,
        judgments: &'a [Judgment],
        base: &'a Roster,
        ops: &'a [Index],
    ) -> Self {
        let mut contest = Self {
            graph,
            judgments,
            base,
            ops,
            by_author: BTreeMap::new(),
            joins_by_invite: BTreeMap::new(),
            revoked_devices: BTreeMap::new(),
            lines: Lines::default(),
            withdrawals: Lines::default(),
            settled: BTreeMap::new(),
            void: BTreeMap::new(),
        };
        for (index, _) in contest.allowed() {
            let op = graph.op(index).op();
            contest.by_author.entry(op.author).or_default().push(index);
            if let Body::Join { invite, .. } = &op.body {
                contest
                    .joins_by_invite
                    .entry(*invite)
                    .or_default()
                    .push(index);
            }
        }
        contest.revoked_devices = contest.revocations();
        contest
    }

    /// The ops whose authors could believe to be allowed them, ancestors first.
    fn allowed(&self) -> impl Iterator<Item = (Index, &'a Grounds)> + use<'a> {
        let judgments = self.judgments;
        self.ops
            .iter()
            .filter_map(|&op| Some((op, judgments[op as usize].grounds()?)))
    }

    /// Rule 7: goes through each account's certificates from the oldest to the newest; each
    /// revokes the devices of the one before that it does not list.
    fn revocations(&self) -> BTreeMap<DeviceId, Vec<Index>> {
        let mut brought: BTreeMap<AccountId, Vec<(Index, &Arc<Certified>)>> = BTreeMap::new();
        for (index, _) in self.allowed() {
            if let Ok(Some(certified)) = self.graph.op(index).credentials() {
                brought
                    .entry(certified.account)
                    .or_default()
                    .push((index, certified));
            }
        }
        let mut revoked: BTreeMap<DeviceId, Vec<Index>> = BTreeMap::new();
        for (account, mut certificates) in brought {
            // A stable sort: of equal ones the first to be brought counts.
            certificates.sort_by(|(_, a), (_, b)| older_first(a, b));
            let mut known = self
                .base
                .members
                .get(&account)
                .map(|member| &member.certified);
            for (index, certified) in certificates {
                if known.is_some_and(|known| !certified.supersedes(known)) {
                    continue;
                }
                let dropped = known.iter().flat_map(|known| known.devices.keys());
                for device in dropped.filter(|id| !certified.devices.contains_key(id)) {
                    revoked.entry(*device).or_default().push(index);
                }
                known = Some(certified);
            }
        }
        revoked
    }

    /// Rules 1 to 6 for everything that decides who belongs: in the order of authority, each op
    /// held against what was settled before it.
    fn settle_membership(&mut self) {
        let mut stale = true;
        for index in self.by_authority(Field::decides_membership) {
            if std::mem::take(&mut stale) {
                self.apply_settled();
            }
            let outcome = self.contest_membership(index);
            stale = match outcome {
                Ok(()) => self.enter(index),
                Err(_) => !self.void.contains_key(&index),
            };
            self.settled.insert(index, outcome);
        }
        self.apply_settled();
    }

    fn contest_membership(&self, index: Index) -> Result<(), Rule> {
        if let Some(rule) = self.void.get(&index) {
            return Err(*rule);
        }
        self.outranked(index)?;
        if self.leaves_no_owner(index) {
            return Err(Rule::LastOwner);
        }
        Ok(())
    }

    /// Enters an op that stands, and says whether it can make others void.
    fn enter(&mut self, index: Index) -> bool {
        let op = self.graph.op(index);
        let Some(field) = Field::of(op) else {
            return false;
        };
        self.lines.add(self.graph, field, index);
        let affected = match &op.op().body {
            Body::Leave => self.by_author.get(&op.op().author),
            Body::RevokeInvite { invite } => self.joins_by_invite.get(invite),
            _ => return false,
        };
        self.withdrawals.add(self.graph, field, index);
        affected
            .into_iter()
            .flatten()
            .any(|other| self.graph.concurrent(*other, index))
    }

    /// Goes through everything once, ancestors first, and finds what is void by what the order of
    /// authority has settled so far.
    fn apply_settled(&mut self) {
        self.void.clear();
        let mut seats = Seats::new(self.base);
        for (index, _) in self.allowed() {
            let outcome = match self.settled.get(&index) {
                Some(Ok(())) if withdraws(self.graph.op(index)) => Ok(()),
                Some(Err(rule)) => Err(*rule),
                Some(Ok(())) | None => self.uncontested(index, &seats),
            };
            match outcome {
                Ok(()) => seats.take(index, self.graph.op(index)),
                Err(rule) => {
                    self.void.insert(index, rule);
                }
            }
        }
    }

    fn uncontested(&self, index: Index, seats: &Seats<'_>) -> Result<(), Rule> {
        let op = self.graph.op(index);
        if matches!(op.op().body, Body::Create { .. } | Body::Devices { .. }) {
            return Ok(());
        }
        if let Some(by) = self.device_revoked(op.op().device, index) {
            return Err(Rule::DeviceRevoked { by: self.id(by) });
        }
        self.not_withdrawn(Field::Account(op.op().author), index)?;
        if let Some(on) = self.grounds_of(index).and_then(|grounds| grounds.rests_on)
            && self.void_base(&on).is_some()
        {
            return Err(Rule::Unfounded { on });
        }
        if let Body::Join { invite, .. } = &op.op().body {
            self.not_withdrawn(Field::Invite(*invite), index)?;
            seats.free(self.graph, index, invite)?;
        }
        Ok(())
    }

    /// Rule 1 for everything else, among the ops that are not void for another reason.
    fn settle_policy(&mut self) {
        for index in self.by_authority(|field| !field.decides_membership()) {
            if self.void.contains_key(&index) {
                continue;
            }
            if let Err(rule) = self.outranked(index) {
                self.void.insert(index, rule);
            } else if let Some(field) = Field::of(self.graph.op(index)) {
                self.lines.add(self.graph, field, index);
            }
        }
    }

    fn finish(self) -> Resolved {
        let mut roster = self.base.clone();
        let mut verdicts = Vec::with_capacity(self.ops.len());
        for &index in self.ops {
            let op = self.graph.op(index);
            let judgment = &self.judgments[index as usize];
            let verdict = match self.void.get(&index) {
                Some(rule) => Verdict::Void(*rule),
                None => judgment.verdict(),
            };
            if verdict.stands() {
                roster.apply(op);
            } else if let Some(grounds) = judgment.grounds() {
                roster.note_void(op, grounds.grants.unwrap_or(Role::Reader));
            }
            verdicts.push((op.id(), verdict));
        }
        self.judge_epochs(&mut roster);
        Resolved { roster, verdicts }
    }

    /// Rule 8. What lies below all these ops was judged with them as descendants already, and
    /// stays as it was unless somebody was removed or expelled among them.
    fn judge_epochs(&self, roster: &mut Roster) {
        let mut removals: BTreeMap<u32, u32> = BTreeMap::new();
        let leaves = self.ops.iter().filter(|op| self.is_standing_leave(**op));
        for removal in leaves.chain(self.revoked_devices.values().flatten()) {
            let (chain, place) = self.graph.position(*removal);
            let last = removals.entry(chain).or_insert(place);
            *last = place.max(*last);
        }
        let expelled = Arc::clone(&roster.expelled);
        let fresh: BTreeSet<Index> = self.ops.iter().copied().collect();
        let is_usable = |epoch: &EpochState| match self.graph.index(&epoch.op) {
            Some(index) if fresh.contains(&index) => {
                let covers = |removal| self.graph.reaches(index, removal);
                removals
                    .iter()
                    .all(|(chain, place)| covers((*chain, *place)))
                    && self
                        .grounds_of(index)
                        .is_some_and(|g| expelled.is_subset(&g.expelled))
            }
            _ => epoch.usable && removals.is_empty() && expelled == self.base.expelled,
        };
        roster.judge_epochs(is_usable);
    }

    fn is_standing_leave(&self, index: Index) -> bool {
        matches!(self.graph.op(index).op().body, Body::Leave)
            && self.grounds_of(index).is_some()
            && !self.void.contains_key(&index)
    }

    /// The allowed ops about fields of one sort, the greatest [`Rank`] first.
    fn by_authority(&self, sort: impl Fn(Field) -> bool) -> Vec<Index> {
        let mut ranked: Vec<(Rank, Index)> = self
            .allowed()
            .filter(|(index, _)| Field::of(self.graph.op(*index)).is_some_and(&sort))
            .map(|(index, grounds)| {
                let op = self.graph.op(index);
                let (lamport, id) = op.order();
                let leaves = matches!(op.op().body, Body::Leave);
                ((grounds.standing, leaves, lamport, id), index)
            })
            .collect();
        ranked.sort_unstable_by(|a, b| b.cmp(a));
        ranked.into_iter().map(|(_, index)| index).collect()
    }

    fn outranked(&self, index: Index) -> Result<(), Rule> {
        let field = Field::of(self.graph.op(index));
        match field.and_then(|field| self.lines.concurrent(self.graph, field, index)) {
            Some(by) => Err(Rule::Outranked { by: self.id(by) }),
            None => Ok(()),
        }
    }

    fn not_withdrawn(&self, field: Field, index: Index) -> Result<(), Rule> {
        match self.withdrawals.concurrent(self.graph, field, index) {
            Some(by) => Err(Rule::Withdrawn { by: self.id(by) }),
            None => Ok(()),
        }
    }

    fn device_revoked(&self, device: DeviceId, index: Index) -> Option<Index> {
        let revocations = self.revoked_devices.get(&device)?;
        revocations
            .iter()
            .copied()
            .find(|by| self.graph.concurrent(*by, index))
    }

    fn void_base(&self, base: &OpId) -> Option<&Rule> {
        self.void.get(&self.graph.index(base)?)
    }

    fn grounds_of(&self, index: Index) -> Option<&'a Grounds> {
        self.judgments[index as usize].grounds()
    }

    fn id(&self, index: Index) -> OpId {
        self.graph.op(index).id()
    }
}

fn withdraws(op: &VerifiedOp) -> bool {
    matches!(op.op().body, Body::Leave | Body::RevokeInvite { .. })
}

fn older_first(a: &Certified, b: &Certified) -> Ordering {
    match (a.supersedes(b), b.supersedes(a)) {
        (true, _) => Ordering::Greater,
        (_, true) => Ordering::Less,
        _ => Ordering::Equal,
    }
}
