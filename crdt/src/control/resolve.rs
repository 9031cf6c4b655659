//! Resolving what was done at the same time.
//!
//! Every op has been judged by what its author could know (`judge.rs`). Ops that know of each
//! other need nothing more. These rules settle what is left: ops that do not. They depend on
//! nothing but the set of ops, so nodes with the same ops have the same roster.
//!
//! 1. **Authority is a strict order**: by role, and within a role the earlier grant stands
//!    higher. Of concurrent ops about the same thing (a policy field, an epoch, an invite, a mute
//!    of an account, whether and as what an account belongs) the one whose author stands higher
//!    counts; of one author's the later one, by (lamport, op id). The others are void. About
//!    leaving nobody else has a say: it stands beside what others say of the account's role.
//! 2. **Withdrawals are strong.** What an account did concurrently with its removal (being
//!    removed or banned, leaving) is void, for it may have been written afterwards with the clock
//!    and the parents turned back. So is what it did concurrently with being given a lower role.
//!    But leaving stands beside both, and stepping down beside leaving: nobody is kept, and less
//!    is left of somebody either way. Likewise a join is void that is concurrent with the
//!    revocation of its invite, or with the removal of whoever made the invite, or with the op
//!    that gave them too low a role for it: otherwise a link that leaked could be used for ever by
//!    pretending not to have seen it. Whoever was caught in between is invited again. (A join
//!    concurrent with its inviter's *leaving* stands: leaving is no distrust.)
//! 3. Withdrawals themselves are settled in the order of authority, the highest author's first,
//!    so that a withdrawal can only be undone by one from above. Before all of them come leavings,
//!    which need no authority, and among one author's stepping down comes first.
//! 4. **Nothing stands on what is void**: an op by an account whose admission or promotion is
//!    void, an op about somebody who only stood lower by a void op, a promotion of somebody whose
//!    admission is void, a join by an invite that is void, coming back after a leaving or removal that is void. Nor
//!    does a promotion of somebody who left at the same time; a lower role does, or leaving would
//!    bring back what that made void. And what somebody did not know to
//!    count (a removal, another role) counts against them: an op by an account that by then was
//!    out or stood lower, and one about somebody who by then stood higher, are void.
//! 5. **There is always an owner.** If by all this an op takes the last owner away, the lowest in
//!    the order of rule 3 of the ops that take one away and are concurrent with it (or are it) is
//!    void, and so on until there is one.
//! 6. **Who is let in is first come, first served**, by (lamport, op id): joins beyond the
//!    invite's uses and joins or additions beyond the channel's size are void, and so is an
//!    account's second concurrent one.
//! 7. **A certificate is a fact**, not an act: it counts by its signatures, whatever becomes of the
//!    op that brings it. What a device did concurrently with an op that cuts it off is void, and
//!    of a certificate that it brought its word on what was seen.
//! 8. **An epoch may be written in** if every removal that counts (being removed or banned,
//!    leaving, a revoked device) is an ancestor of its op, and so is every admission of somebody
//!    who may read from their joining on only (`history.rs`), and its author knew of everybody
//!    expelled: let in by an op that its own ancestors allow and these rules do not. Whoever was
//!    removed or expelled may have been given the keys of any other.
//! 9. **An epoch promises what its maker knew**: what was said about the life of messages, and who
//!    belonged. A retention for existing messages that its maker did not know of shortens it, also
//!    one that is void by rule 1 alone: who heard of it first has erased messages by it, and of two
//!    lives that were set at once the shorter is the only one that all can keep. An epoch takes
//!    messages as long as its maker knew of every op about that (`crate::retention`).
//!
//! `law.rs` tells people these rules by the same numbers (S1 and so on).

mod devices;
mod epochs;
mod newcomers;
mod owners;
mod retention;
mod seats;
mod stages;
mod standings;
mod withdrawn;

use std::collections::{BTreeMap, BTreeSet};

use super::body::Body;
use super::graph::{Graph, Index};
use super::judge::{Grounds, Judgment};
use super::line::{Field, Lines};
use super::op::VerifiedOp;
use super::role::{Role, Standing};
use super::roster::Roster;
use super::verdict::{Rule, Verdict};
use crate::ids::{AccountId, InviteId, OpId};
use devices::Revocations;
use seats::Seats;
pub(super) use stages::stages;
use standings::Standings;

/// Resolves `ops`, sorted ancestors first, on top of the roster of their common ancestors, which
/// all other ops are, and says what became of each. `judgments` are by index.
///
/// The ops are resolved stage by stage: a stage ends with an op that is concurrent with no other.
/// So nodes that settled a different part of the log before resolve alike.
pub(super) fn resolve(
    graph: &Graph,
    judgments: &[Judgment],
    roster: &mut Roster,
    ops: &[Index],
    mut told: impl FnMut(OpId, Verdict),
) {
    for stage in stages(graph, ops) {
        let outcome = match stage {
            // Concurrent with none: what its author could know is all there is to it.
            [alone] => Outcome {
                verdicts: vec![judgments[*alone as usize].verdict()],
                removals: None,
            },
            _ => contest(graph, judgments, roster, stage),
        };
        for (index, verdict) in stage.iter().zip(&outcome.verdicts) {
            let op = graph.op(*index);
            let grounds = judgments[*index as usize].grounds();
            let cut = grounds.and_then(|grounds| grounds.cut.as_ref());
            if verdict.stands() {
                match stage {
                    [alone] => apply_alone(roster, op, &judgments[*alone as usize]),
                    _ => roster.apply(op, cut),
                }
            } else if let Some(grounds) = grounds {
                roster.note_void(op, grounds.grants.unwrap_or(Role::Reader), cut);
            }
            told(op.id(), *verdict);
        }
        if let Some(mut removals) = outcome.removals {
            let standing = stage.iter().zip(&outcome.verdicts);
            let standing: Vec<Index> = standing
                .filter(|(_, verdict)| verdict.stands())
                .map(|(index, _)| *index)
                .collect();
            removals.and(graph, newcomers::restrict(graph, roster, &standing));
            epochs::judge(graph, judgments, roster, stage, &removals);
            let verdicts = stage.iter().zip(&outcome.verdicts);
            let outranked = verdicts
                .filter(|(_, verdict)| matches!(verdict, Verdict::Void(Rule::Outranked { .. })))
                .map(|(index, _)| *index);
            retention::settle(graph, judgments, roster, (stage, &standing));
            retention::shorten(
                graph,
                judgments,
                roster,
                standing.iter().copied().chain(outranked),
            );
            retention::release(graph, roster, &standing);
        }
    }
}

/// Applies an op that is concurrent with none, to the roster of its ancestors.
pub(super) fn apply_alone(roster: &mut Roster, op: &VerifiedOp, judgment: &Judgment) {
    let grounds = judgment.grounds();
    roster.apply(op, grounds.and_then(|grounds| grounds.cut.as_ref()));
    let promise = grounds.and_then(|grounds| grounds.promise.as_ref());
    roster.shorten_all(&op.op().body, promise);
}

/// What became of the ops of a stage.
struct Outcome {
    verdicts: Vec<Verdict>,
    /// Where the removals are that count, if there was anything to contest.
    removals: Option<epochs::Removals>,
}

fn contest(graph: &Graph, judgments: &[Judgment], base: &Roster, ops: &[Index]) -> Outcome {
    let mut contest = Contest::new(graph, judgments, base, ops);
    let mut rounds = 0;
    loop {
        contest.settle_membership();
        rounds += 1;
        let one_by_one = rounds <= ROUNDS_ONE_BY_ONE;
        if !contest.drop_what_lost_its_grounds(one_by_one) && !contest.keep_an_owner(one_by_one) {
            break;
        }
    }
    contest.settle_policy();
    contest.outcome()
}

/// Times that a stage is settled anew for one op at a time. Real logs need one or two; after
/// that all ops in question go at once, so that nobody keeps others busy.
const ROUNDS_ONE_BY_ONE: u32 = 32;

/// The order in which contested ops are settled, the greatest first.
type Rank = (bool, Standing, bool, u64, OpId);

struct Contest<'a> {
    graph: &'a Graph,
    judgments: &'a [Judgment],
    base: &'a Roster,
    /// Everything to be resolved, ancestors first.
    ops: &'a [Index],
    /// For each account what its removal can make void.
    exposed: BTreeMap<AccountId, Vec<Index>>,
    joins_by_invite: BTreeMap<InviteId, Vec<Index>>,
    /// Which ops cut off which devices.
    revocations: Revocations,
    /// Ops that stand about each thing.
    lines: Lines,
    /// Those of them that withdraw an account or an invite.
    withdrawals: Lines,
    /// What would have taken the last owner away.
    kept: BTreeSet<Index>,
    /// Withdrawals that are settled and have no grounds, by what is settled so far.
    lost: BTreeMap<Index, Rule>,
    /// What turned out to have no grounds after it had been settled.
    dropped: BTreeMap<Index, Rule>,
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
            exposed: BTreeMap::new(),
            joins_by_invite: BTreeMap::new(),
            revocations: Revocations::default(),
            lines: Lines::default(),
            withdrawals: Lines::default(),
            kept: BTreeSet::new(),
            lost: BTreeMap::new(),
            dropped: BTreeMap::new(),
            settled: BTreeMap::new(),
            void: BTreeMap::new(),
        };
        for (index, grounds) in contest.allowed() {
            let op = graph.op(index);
            let accounts = [
                Some(op.op().author),
                op.subject(),
                grounds.inviter.map(|by| by.0),
            ];
            for account in accounts.into_iter().flatten() {
                contest.exposed.entry(account).or_default().push(index);
            }
            if let Body::Join { invite, .. } = &op.op().body {
                contest
                    .joins_by_invite
                    .entry(*invite)
                    .or_default()
                    .push(index);
            }
        }
        contest.revocations = contest.revocations();
        contest
    }

    /// The ops whose authors could believe to be allowed them, ancestors first.
    fn allowed(&self) -> impl Iterator<Item = (Index, &'a Grounds)> + use<'a> {
        let judgments = self.judgments;
        self.ops
            .iter()
            .filter_map(|&op| Some((op, judgments[op as usize].grounds()?)))
    }

    /// Rules 1 to 4 and 6 for everything that decides who belongs: in the order of authority, each
    /// op held against what was settled before it.
    fn settle_membership(&mut self) {
        self.lines = Lines::default();
        self.withdrawals = Lines::default();
        self.settled.clear();
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
        if self.kept.contains(&index) {
            return Err(Rule::LastOwner);
        }
        if let Some(rule) = self.dropped.get(&index) {
            return Err(*rule);
        }
        self.outranked(index)
    }

    /// Enters an op that stands, and says whether it can make others void.
    fn enter(&mut self, index: Index) -> bool {
        let op = self.graph.op(index);
        let Some(field) = Field::of(op) else {
            return false;
        };
        self.lines.add(self.graph, field, index);
        let Some(withdrawn) = self.withdrawal(index) else {
            return false;
        };
        self.withdrawals.add(self.graph, withdrawn, index);
        let affected = match withdrawn {
            Field::Invite(invite) => self.joins_by_invite.get(&invite),
            _ => op.subject().and_then(|account| self.exposed.get(&account)),
        };
        affected
            .into_iter()
            .flatten()
            .any(|other| self.graph.concurrent(*other, index))
    }

    /// Goes through everything once, ancestors first, and finds what is void by what the order of
    /// authority has settled so far.
    fn apply_settled(&mut self) {
        self.void.clear();
        self.lost.clear();
        let mut seats = Seats::new(self.base);
        let mut standings = Standings::new(self.base);
        for (index, grounds) in self.allowed() {
            let op = self.graph.op(index);
            let settled = self.settled.get(&index).copied();
            let outcome = match settled {
                Some(Err(rule)) => Err(rule),
                _ => self.uncontested(index, &seats, &standings),
            };
            match outcome {
                Err(rule) if settled == Some(Ok(())) && self.withdrawal(index).is_some() => {
                    self.lost.insert(index, rule);
                }
                Err(rule) => {
                    self.void.insert(index, rule);
                    continue;
                }
                Ok(()) => {}
            }
            seats.take(index, op);
            // What is not settled yet is by somebody standing lower, who has no say in it.
            let contested = Field::of(op).is_some_and(Field::decides_membership);
            if settled.is_some() || !contested {
                standings.take(op, grounds);
            }
        }
    }

    fn uncontested(
        &self,
        index: Index,
        seats: &Seats<'_>,
        standings: &Standings<'_>,
    ) -> Result<(), Rule> {
        let op = self.graph.op(index);
        match op.op().body {
            Body::Create { .. } => return Ok(()),
            // Nothing else can make void what is a fact.
            Body::Devices { .. } => return self.by_no_device_cut_off(index),
            _ => {}
        }
        self.founded(index)?;
        if let Some(grounds) = self.grounds_of(index) {
            standings.allow(op, grounds)?;
        }
        match &op.op().body {
            Body::Join { invite, .. } => seats.free(self.graph, index, Some(invite)),
            Body::Add { .. } => seats.free(self.graph, index, None),
            _ => Ok(()),
        }
    }

    /// Rules 2 and 4: whether what the op needs was neither withdrawn nor is void.
    fn founded(&self, index: Index) -> Result<(), Rule> {
        self.still_stands(index)?;
        let rests_on = self.grounds_of(index).map_or(&[][..], |g| &g.rests_on);
        match rests_on.iter().find(|on| self.void_base(on).is_some()) {
            Some(on) => Err(Rule::Unfounded { on: *on }),
            None => Ok(()),
        }
    }

    /// A withdrawal that was settled stays, whatever is settled after it, or it could make void
    /// what undid it. But one by an author who turns out not to have had the authority goes, and
    /// all is settled anew without it. Says whether there was one.
    fn drop_what_lost_its_grounds(&mut self, one_by_one: bool) -> bool {
        let mut lost: Vec<(Rank, Index, Rule)> = self
            .lost
            .iter()
            .filter_map(|(index, rule)| {
                Some((self.rank(*index, self.grounds_of(*index)?), *index, *rule))
            })
            .collect();
        lost.sort_unstable_by(|(a, ..), (b, ..)| b.cmp(a));
        let found = !lost.is_empty();
        lost.truncate(if one_by_one { 1 } else { lost.len() });
        let lost = lost.into_iter().map(|(_, index, rule)| (index, rule));
        self.dropped.extend(lost);
        found
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

    fn outcome(self) -> Outcome {
        let verdict = |index: &Index| match self.void.get(index) {
            Some(rule) => Verdict::Void(*rule),
            None => self.judgments[*index as usize].verdict(),
        };
        let removed = self.ops.iter().filter(|op| self.is_standing_removal(**op));
        let removals = removed.chain(&self.revocations.ops);
        Outcome {
            verdicts: self.ops.iter().map(verdict).collect(),
            removals: Some(epochs::Removals::new(self.graph, removals)),
        }
    }

    fn is_standing_removal(&self, index: Index) -> bool {
        let removes = matches!(
            self.graph.op(index).op().body,
            Body::Leave | Body::Remove { .. } | Body::Ban { .. }
        );
        removes && self.grounds_of(index).is_some() && !self.void.contains_key(&index)
    }

    /// The allowed ops about fields of one sort, the greatest [`Rank`] first.
    fn by_authority(&self, sort: impl Fn(Field) -> bool) -> Vec<Index> {
        let mut ranked: Vec<(Rank, Index)> = self
            .allowed()
            .filter(|(index, _)| Field::of(self.graph.op(*index)).is_some_and(&sort))
            .map(|(index, grounds)| (self.rank(index, grounds), index))
            .collect();
        ranked.sort_unstable_by(|a, b| b.cmp(a));
        ranked.into_iter().map(|(_, index)| index).collect()
    }

    fn rank(&self, index: Index, grounds: &Grounds) -> Rank {
        let op = self.graph.op(index);
        let (lamport, id) = op.order();
        let (leaves, steps_down) = match &op.op().body {
            Body::Leave => (true, true),
            Body::SetRole { account, .. } => (false, *account == op.op().author),
            _ => (false, false),
        };
        (leaves, grounds.standing, steps_down, lamport, id)
    }

    fn outranked(&self, index: Index) -> Result<(), Rule> {
        let field = Field::of(self.graph.op(index));
        match field.and_then(|field| self.lines.concurrent(self.graph, field, index)) {
            Some(by) => Err(Rule::Outranked { by: self.id(by) }),
            None => Ok(()),
        }
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
