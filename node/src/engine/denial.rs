//! Why something may not be done, in words that say who is meant and what would be allowed: the
//! rules of the control log speak of authors, of whom an op is about and of limits, and so name
//! nobody and no time.

use kith_crdt::control::{Body, Denied, Right, Roster, Rule};
use kith_crdt::ids::{AccountId, OpId};
use kith_crdt::law::Law;

use super::channel::Channel;
use super::effect::Refusal;

/// Characters of an id by which somebody without a name is told.
const SHORT_ID: usize = 8;

/// Whom an op is about that is to be written; none if it is about the channel, or oneself.
pub(super) fn about(body: &Body) -> Option<AccountId> {
    match body {
        Body::Add { certificate, .. } => Some(certificate.verify().ok()?.account),
        body => body.subject(),
    }
}

impl Channel {
    /// The refusal to write an op, about somebody or not, told to whoever asked for it.
    pub(super) fn denial(&self, about: Option<AccountId>, denied: Denied) -> Refusal {
        let told = match (&denied, &about) {
            (Denied::Rule(rule @ Rule::BeyondLimits), _) => Some((rule, self.limits_told())),
            (Denied::Rule(rule), Some(about)) => self.told(about, rule).map(|told| (rule, told)),
            _ => None,
        };
        match told {
            Some((rule, told)) => Refusal::by_law(Law::against(rule), told),
            None => denied.into(),
        }
    }

    /// Within which limits a retention may be set, and who may set others.
    fn limits_told(&self) -> String {
        let limits = &self.roster.retention_limits;
        let least = self.roster.least_role(Right::LimitRetention);
        format!(
            "messages may be kept here for {limits}: set a time within that, or change the limits \
             first (`kith retention limit`), which takes the role {least} or above"
        )
    }

    /// A rule in the words of whoever broke it; nothing if its own words do.
    fn told(&self, about: &AccountId, rule: &Rule) -> Option<String> {
        let whom = name_in(&self.roster, about);
        let author = |op: &OpId| {
            let author = self.control.get(op).map(|op| op.op().author);
            author.map_or_else(
                || "somebody".to_owned(),
                |author| name_in(&self.roster, &author),
            )
        };
        Some(match rule {
            Rule::NotAbove => {
                let role = self.roster.role(about);
                let role = role.map_or_else(String::new, |role| format!(", who is {role} here"));
                format!(
                    "you do not stand above {whom}{role}: that goes by role, and within a role by \
                     who was granted it earlier; ask somebody who does"
                )
            }
            Rule::ImposedFromAbove { by } => format!(
                "{} imposed that on {whom} and stands above you: ask them, or somebody above them",
                author(by)
            ),
            Rule::Banned { by } => format!(
                "{whom} was banned by {}: end the ban first (`kith member unban`)",
                author(by)
            ),
            Rule::NotBanned => format!("{whom} is not banned"),
            Rule::NoSuchMember => format!("{whom} is not a member of the channel"),
            Rule::AlreadyAMember => format!("{whom} is a member already"),
            Rule::NoChange => format!("nothing about {whom} would change"),
            _ => return None,
        })
    }
}

/// Somebody by the name they go by, in quotes, or by the beginning of their id.
fn name_in(roster: &Roster, account: &AccountId) -> String {
    let member = roster.members.get(account);
    match member.map(|member| member.name.as_str()) {
        Some(name) if !name.is_empty() => format!("“{name}”"),
        _ => account.to_string().chars().take(SHORT_ID).collect(),
    }
}
