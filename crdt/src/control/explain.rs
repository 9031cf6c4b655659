//! Why somebody is what they are in a channel, and why an op counts or not: the ops that led to
//! it and the rule by which each counts or does not. `kith why` prints these.
//!
//! An explanation is read from the resolved log and decides nothing.

use std::collections::BTreeSet;
use std::fmt;

use super::body::Body;
use super::op::VerifiedOp;
use super::policy::{History, Policy};
use super::roster::{Roster, Status};
use super::verdict::{Rule, Verdict};
use super::{ControlLog, Role};
use crate::ids::{AccountId, DeviceId, OpId};
use crate::law::Law;
use crate::limits::EXPLANATION_STEPS;
use crate::time::Millis;

/// One op in an explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The op.
    pub op: OpId,
    /// Who wrote it.
    pub author: AccountId,
    /// The role they had by what they knew; none if they did not belong then.
    pub role: Option<Role>,
    /// When, by their clock.
    pub at: Millis,
    /// Whom it is about; nobody if it is about the channel, an invite or keys.
    pub subject: Option<AccountId>,
    /// What it does.
    pub deed: Deed,
    /// Whether it counts, and otherwise by which rule not.
    pub verdict: Verdict,
    /// Of a join the op that opened its invite, if it is known.
    pub invite: Option<OpId>,
}

/// What led to something, as far as it is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explanation {
    /// The ops, ancestors first. At most [`EXPLANATION_STEPS`].
    pub steps: Vec<Step>,
    /// Whether there are older ones that are not told.
    pub cut: bool,
}

/// What an op does, as far as an explanation says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Founds the channel.
    Found,
    /// Brings a certificate: another name, one device more.
    List,
    /// Brings a certificate by which these are the account's devices no more.
    CutOff(Vec<DeviceId>),
    /// Brings a certificate that was made with the phrase.
    Recover,
    /// Opens an invite for this role.
    Invite(Role),
    /// Closes an invite.
    RevokeInvite,
    /// Joins by an invite, with this role if the invite is known.
    Join(Option<Role>),
    /// Lets somebody in with this role.
    Add(Role),
    /// Gives this role.
    SetRole(Role),
    /// Leaves.
    Leave,
    /// Removes.
    Remove,
    /// Bans, until this time or for good.
    Ban(Option<Millis>),
    /// Ends a ban.
    Unban,
    /// Mutes until this time.
    Mute(Millis),
    /// Sets a field of the policy.
    SetPolicy(Policy),
    /// Names an epoch.
    Rekey,
    /// Something that this program does not know.
    Unknown,
}

impl Policy {
    /// What the field is called and what it is set to, for people.
    pub fn told(&self) -> (String, String) {
        match self {
            Self::Name(name) => ("name".to_owned(), name.clone()),
            Self::Topic(topic) => ("topic".to_owned(), topic.clone()),
            Self::History(history) => {
                let told = match history {
                    History::Everything => "everything".to_owned(),
                    History::Days(days) => format!("the last {days} days"),
                    History::FromJoining => "from joining on".to_owned(),
                };
                ("history for newcomers".to_owned(), told)
            }
            Self::Right { right, least } => {
                (format!("right to {right}"), format!("{least} and above"))
            }
            Self::Retention {
                retention,
                existing,
            } => {
                let which = if *existing {
                    ", what is there as well"
                } else {
                    ""
                };
                ("retention".to_owned(), format!("{retention}{which}"))
            }
            Self::RetentionLimits(limits) => ("limits of retention".to_owned(), limits.to_string()),
        }
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found => f.write_str("founded the channel"),
            Self::List => f.write_str("brought a certificate"),
            Self::CutOff(devices) => write!(f, "revoked devices: {}", devices.len()),
            Self::Recover => f.write_str("brought the account back"),
            Self::Invite(role) => write!(f, "opened an invite as {role}"),
            Self::RevokeInvite => f.write_str("revoked an invite"),
            Self::Join(Some(role)) => write!(f, "joined as {role}"),
            Self::Join(None) => f.write_str("joined"),
            Self::Add(role) => write!(f, "added as {role}"),
            Self::SetRole(role) => write!(f, "set the role to {role}"),
            Self::Leave => f.write_str("left"),
            Self::Remove => f.write_str("removed"),
            Self::Ban(None) => f.write_str("banned"),
            Self::Ban(Some(_)) => f.write_str("banned for a time"),
            Self::Unban => f.write_str("ended a ban"),
            Self::Mute(_) => f.write_str("muted for a time"),
            Self::SetPolicy(_) => f.write_str("set the policy"),
            Self::Rekey => f.write_str("changed the keys"),
            Self::Unknown => f.write_str("did something that this version does not know"),
        }
    }
}

impl ControlLog {
    /// Why an op counts or not: the op itself, then the op that its rule names, then the one that
    /// that one's rule names, and so on; nothing if it is not in the log. At most
    /// [`EXPLANATION_STEPS`].
    pub fn why_op(&self, op: &OpId) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut told = BTreeSet::new();
        let mut next = Some(*op);
        while let Some(op) = next.filter(|op| told.insert(*op))
            && let Some(step) = self.step(&op)
            && steps.len() < EXPLANATION_STEPS
        {
            next = step.because();
            steps.push(step);
        }
        steps
    }

    /// Why an account is what it is: everything that was done about it, whether it counts or not,
    /// what made void of that what does not count, and how the invites came about by which it
    /// joined. Where that is too much the latest of it.
    pub fn why_account(&self, account: &AccountId) -> Explanation {
        let about = |op: &&VerifiedOp| {
            let is_certificate = matches!(op.op().body, Body::Devices { .. });
            op.subject() == Some(*account) && !is_certificate
        };
        let ops: Vec<&VerifiedOp> = self.iter().filter(about).collect();
        let mut told = BTreeSet::new();
        let mut explanation = Explanation::default();
        for op in ops.into_iter().rev() {
            let mut behind = self.why_op(&op.id());
            let invites: Vec<OpId> = behind.iter().filter_map(|step| step.invite).collect();
            behind.extend(invites.iter().filter_map(|invite| self.step(invite)));
            for step in behind {
                if !told.insert(step.op) {
                    continue;
                }
                if explanation.steps.len() < EXPLANATION_STEPS {
                    explanation.steps.push(step);
                } else {
                    explanation.cut = true;
                }
            }
        }
        let order = |step: &Step| self.get(&step.op).map(VerifiedOp::order);
        explanation.steps.sort_by_key(order);
        explanation
    }

    /// What was done in the channel, all of it, ancestors first.
    pub fn steps(&self) -> impl Iterator<Item = Step> {
        self.iter().filter_map(|op| self.step(&op.id()))
    }

    fn step(&self, op: &OpId) -> Option<Step> {
        let roster = self.roster();
        let verdict = *roster.verdicts.get(op)?;
        let role = self.resolved().author_role(self.graph.index(op)?);
        let op = self.get(op)?;
        let invite = match &op.op().body {
            Body::Join { invite, .. } => roster.invites.get(invite),
            _ => None,
        };
        let deed = match &op.op().body {
            Body::Create { .. } => Deed::Found,
            Body::Devices { .. } => match self.resolved().cut(self.graph.index(&op.id())?) {
                Some(cut) if cut.raises => Deed::Recover,
                Some(cut) => Deed::CutOff(cut.devices.iter().copied().collect()),
                None => Deed::List,
            },
            Body::Invite { role, .. } => Deed::Invite(*role),
            Body::RevokeInvite { .. } => Deed::RevokeInvite,
            Body::Join { .. } => Deed::Join(invite.map(|invite| invite.role)),
            Body::Add { role, .. } => Deed::Add(*role),
            Body::SetRole { role, .. } => Deed::SetRole(*role),
            Body::Leave => Deed::Leave,
            Body::Remove { .. } => Deed::Remove,
            Body::Ban { until, .. } => Deed::Ban(*until),
            Body::Unban { .. } => Deed::Unban,
            Body::Mute { until, .. } => Deed::Mute(*until),
            Body::Policy(policy) => Deed::SetPolicy(policy.clone()),
            Body::Epoch(_) => Deed::Rekey,
            Body::Unknown { .. } => Deed::Unknown,
        };
        Some(Step {
            op: op.id(),
            author: op.op().author,
            role,
            at: op.op().at,
            subject: op.subject(),
            deed,
            verdict,
            invite: invite.map(|invite| invite.op),
        })
    }
}

impl Roster {
    /// The op by which an account is what [`Self::participation`] says; nothing if it never had to
    /// do with the channel.
    pub fn decided_by(&self, account: &AccountId, at: Millis) -> Option<OpId> {
        if let Some(ban) = self.ban(account, at) {
            return Some(ban.op);
        }
        let member = self.members.get(account)?;
        let mute = || self.mute(account, at).map(|mute| mute.op);
        let op = match member.status {
            Status::Active => mute().unwrap_or(member.granted.1),
            _ => member.tenure.gone().unwrap_or(member.tenure.admitted()),
        };
        Some(op)
    }
}

impl Step {
    /// The rule by which the op does not count, if one does so; its text says it to people.
    pub const fn rule(&self) -> Option<&Rule> {
        match &self.verdict {
            Verdict::Void(rule) => Some(rule),
            Verdict::Stands | Verdict::NotUnderstood => None,
        }
    }

    /// The other op by which this one does not count, if its rule names one.
    pub fn because(&self) -> Option<OpId> {
        self.rule()?.other()
    }

    /// The rule under which the op counts or does not; none if this program does not know the op.
    pub fn law(&self) -> Option<Law> {
        match &self.verdict {
            Verdict::Stands => Law::behind(&self.deed, self.subject == Some(self.author)),
            Verdict::Void(rule) => Some(Law::against(rule)),
            Verdict::NotUnderstood => None,
        }
    }
}
