//! Keeping the roster settled while the log grows.
//!
//! An op that builds on everything so far is judged by the roster as it is and applied to it:
//! that is nearly every op, and costs the same however long the log is. Any other op changes what
//! is concurrent with what, and the log is resolved anew, from the last op on that is concurrent
//! with no other (the **cut**): below it nothing can change any more, unless somebody writes an
//! op that ignores it.

use std::collections::{BTreeSet, VecDeque};

use super::graph::{Graph, Index};
use super::judge::{Judgment, judge};
use super::op::VerifiedOp;
use super::resolve::{apply_alone, resolve, stages};
use super::role::Role;
use super::roster::Roster;
use crate::identity::Cut;
use crate::ids::ChannelId;

/// Rosters of other branches that are kept: as many as there are likely to be sides of a
/// partition that go on writing.
const VIEWS_KEPT: usize = 4;

/// The roster of a set of heads, without verdicts.
#[derive(Debug, Clone)]
struct View {
    heads: Vec<Index>,
    roster: Roster,
}

/// Judgments and roster of a log, as far as it has been gone through.
#[derive(Debug, Clone)]
pub(super) struct Settled {
    /// By index; final.
    judgments: Vec<Judgment>,
    /// By index: the role that its author had by the op's ancestors, if they belonged.
    author_roles: Vec<Option<Role>>,
    /// The heads of what was gone through.
    heads: BTreeSet<Index>,
    roster: Roster,
    /// Whether `roster` is that of `heads`.
    current: bool,
    cut: Option<Index>,
    /// The roster at the cut, without verdicts.
    base: Roster,
    views: VecDeque<View>,
}

impl Settled {
    pub(super) fn new(channel: ChannelId) -> Self {
        Self {
            judgments: Vec::new(),
            author_roles: Vec::new(),
            heads: BTreeSet::new(),
            roster: Roster::new(channel),
            current: true,
            cut: None,
            base: Roster::new(channel),
            views: VecDeque::new(),
        }
    }

    /// The roster, if everything in the log is settled.
    pub(super) fn roster(&self, graph: &Graph) -> Option<&Roster> {
        (self.current && self.judgments.len() == graph.len()).then_some(&self.roster)
    }

    /// The role that the author of an op had by its ancestors; nothing if they did not belong, or
    /// the op has not been gone through.
    pub(super) fn author_role(&self, op: Index) -> Option<Role> {
        *self.author_roles.get(op as usize)?
    }

    /// What an op cuts off, as far as its author could know.
    pub(super) fn cut(&self, op: Index) -> Option<&Cut> {
        self.judgments.get(op as usize)?.grounds()?.cut.as_ref()
    }

    /// Whether an op is by somebody who belongs or belonged, on a device of theirs, as far as the
    /// log has been gone through.
    pub(super) fn knows(&self, op: &VerifiedOp) -> bool {
        let rosters = self.views.iter().map(|view| &view.roster);
        let signer = (op.op().device, op.op().author);
        let mut rosters = rosters.chain([&self.roster, &self.base]);
        rosters.any(|roster| roster.account_of(&signer.0) == Some(signer.1))
    }

    /// Goes on through the log as long as that is cheap.
    pub(super) fn advance(&mut self, graph: &Graph) {
        while self.current && self.builds_on_everything(graph) {
            self.append(graph);
        }
    }

    /// Goes through all of the log.
    pub(super) fn settle(&mut self, graph: &Graph) {
        loop {
            self.advance(graph);
            if self.judgments.len() == graph.len() {
                break;
            }
            self.judge_aside(graph);
        }
        if !self.current {
            self.resolve_from_cut(graph);
        }
    }

    /// The roster of these heads alone, whose ancestors must have been judged.
    pub(super) fn view(&mut self, graph: &Graph, heads: &[Index]) -> Roster {
        let below = |op: Index| {
            heads
                .iter()
                .any(|head| op == *head || graph.is_ancestor(op, *head))
        };
        // What is built on these heads is concurrent with a cut that is not below them.
        if self.cut.is_some_and(|cut| !below(cut)) {
            self.cut = None;
            self.base = Roster::new(self.roster.channel);
        }
        let known = self.views.iter().position(|view| view.heads == heads);
        if let Some(view) = known.and_then(|at| self.views.remove(at)) {
            return view.roster;
        }
        let ops: Vec<Index> = graph.after(self.cut).filter(|op| below(*op)).collect();
        let mut roster = self.base.clone();
        resolve(graph, &self.judgments, &mut roster, &ops, |_, _| {});
        roster
    }

    fn builds_on_everything(&self, graph: &Graph) -> bool {
        let next = self.judgments.len();
        next < graph.len() && graph.parents(index(next)).iter().eq(&self.heads)
    }

    fn append(&mut self, graph: &Graph) {
        let next = index(self.judgments.len());
        let op = graph.op(next);
        let judgment = judge(op, &self.roster);
        self.author_roles.push(role_of_author(op, &self.roster));
        let verdict = judgment.verdict();
        if verdict.stands() {
            apply_alone(&mut self.roster, op, &judgment);
        }
        self.roster.verdicts.insert(op.id(), verdict);
        self.judgments.push(judgment);
        self.heads = BTreeSet::from([next]);
    }

    /// Judges the next op by the roster of its ancestors alone.
    fn judge_aside(&mut self, graph: &Graph) {
        self.set_aside();
        let next = index(self.judgments.len());
        let op = graph.op(next);
        let parents = graph.parents(next);
        let mut roster = self.view(graph, parents);
        let judgment = judge(op, &roster);
        self.author_roles.push(role_of_author(op, &roster));
        if judgment.verdict().stands() {
            apply_alone(&mut roster, op, &judgment);
        }
        self.judgments.push(judgment);
        for parent in parents {
            self.heads.remove(parent);
        }
        self.heads.insert(next);
        self.keep_view(View {
            heads: vec![next],
            roster,
        });
    }

    /// Makes the roster, which is one of a branch now, a view; keeps the verdicts.
    fn set_aside(&mut self) {
        if !self.current {
            return;
        }
        self.current = false;
        let verdicts = std::mem::take(&mut self.roster.verdicts);
        let emptied = Roster::new(self.roster.channel);
        let roster = std::mem::replace(&mut self.roster, emptied);
        self.roster.verdicts = verdicts;
        self.keep_view(View {
            heads: self.heads.iter().copied().collect(),
            roster,
        });
    }

    fn keep_view(&mut self, view: View) {
        self.views.push_back(view);
        if self.views.len() > VIEWS_KEPT {
            self.views.pop_front();
        }
    }

    fn resolve_from_cut(&mut self, graph: &Graph) {
        let mut verdicts = std::mem::take(&mut self.roster.verdicts);
        let mut told = |op, verdict| {
            verdicts.insert(op, verdict);
        };
        let ops: Vec<Index> = graph.after(self.cut).collect();
        let stages = stages(graph, &ops);
        let above_cut = stages.last().filter(|stage| stage.len() > 1);
        let (below, above) = ops.split_at(ops.len() - above_cut.map_or(0, |stage| stage.len()));
        resolve(graph, &self.judgments, &mut self.base, below, &mut told);
        self.cut = below.last().copied().or(self.cut);
        self.roster = self.base.clone();
        resolve(graph, &self.judgments, &mut self.roster, above, &mut told);
        self.roster.verdicts = verdicts;
        self.current = true;
    }
}

fn role_of_author(op: &VerifiedOp, roster: &Roster) -> Option<Role> {
    let author = roster.active_member(&op.op().author)?;
    Some(author.role)
}

fn index(position: usize) -> Index {
    Index::try_from(position).expect("the bound on ops fits 32 bits")
}
