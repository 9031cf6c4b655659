//! Steps of an explanation in the words of the local API.

use kith_api::why::{Deed as ShownDeed, Person, RuleInfo, Step, Verdict as ShownVerdict};
use kith_crdt::control::{Deed, Roster, Step as Told, Verdict, VerifiedOp};
use kith_crdt::ids::AccountId;
use kith_crdt::law::Law;

use super::{Reading, roles};

/// A rule as the API tells it.
pub(super) fn rule(law: Law) -> RuleInfo {
    RuleInfo {
        number: law.number().to_owned(),
        name: law.name().to_owned(),
        text: law.text().to_owned(),
    }
}

/// A verdict as the API tells it.
pub(super) const fn verdict(verdict: &Verdict) -> ShownVerdict {
    match verdict {
        Verdict::Stands => ShownVerdict::Stands,
        Verdict::Void(_) => ShownVerdict::Void,
        Verdict::NotUnderstood => ShownVerdict::NotUnderstood,
    }
}

impl Reading<'_> {
    /// Several steps.
    pub(super) fn steps(&self, roster: &Roster, told: &[Told]) -> Vec<Step> {
        told.iter().map(|told| self.step(roster, told)).collect()
    }

    /// One step.
    pub(super) fn step(&self, roster: &Roster, told: &Told) -> Step {
        let mut step = Step {
            op: Some(told.op.into()),
            deletion: None,
            message: None,
            at: told.at.into(),
            account: told.author.into(),
            name: self.name_of(roster, &told.author),
            role: told.role.map(roles::shown),
            deed: ShownDeed::Unknown,
            subject: None,
            given: None,
            until: None,
            field: None,
            value: None,
            invite: told.invite.map(Into::into),
            verdict: verdict(&told.verdict),
            rule: told.law().map(rule),
            reason: reason(&told.verdict),
            because: told.because().map(Into::into),
        };
        let subject = told.subject.filter(|subject| *subject != told.author);
        step.subject = subject.map(|account| self.person(roster, account));
        say(&mut step, roster, &told.deed);
        step
    }

    /// An op whose signature does not hold: what it says it is, and that it is nothing.
    pub(super) fn forged_step(&self, roster: &Roster, op: &VerifiedOp) -> Step {
        let said = op.op();
        let subject = op.subject().filter(|subject| *subject != said.author);
        Step {
            op: Some(op.id().into()),
            deletion: None,
            message: None,
            at: said.at.into(),
            account: said.author.into(),
            name: self.name_of(roster, &said.author),
            role: None,
            deed: ShownDeed::Unknown,
            subject: subject.map(|account| self.person(roster, account)),
            given: None,
            until: None,
            field: None,
            value: None,
            invite: None,
            verdict: ShownVerdict::Forged,
            rule: Some(rule(Law::Belonging)),
            reason: Some("its signature does not hold: it was left out of everything".to_owned()),
            because: None,
        }
    }

    /// Somebody by their name here, else by the name that another channel knows.
    pub(super) fn person(&self, roster: &Roster, account: AccountId) -> Person {
        Person {
            account: account.into(),
            name: self.name_of(roster, &account),
        }
    }

    /// The name that this account gives to another, else the one it goes by here, else in another
    /// channel; empty if nobody knows.
    pub(super) fn name_of(&self, roster: &Roster, account: &AccountId) -> String {
        if let Some(given) = self.own.names.get(account) {
            return given.clone();
        }
        let here = roster.members.get(account).map(|member| &member.name);
        here.cloned().unwrap_or_else(|| {
            let channels = self.shared.channels();
            let known = channels
                .iter()
                .find_map(|channel| channel.roster.members.get(account));
            known.map(|member| member.name.clone()).unwrap_or_default()
        })
    }
}

fn say(step: &mut Step, roster: &Roster, deed: &Deed) {
    step.deed = match deed {
        Deed::Found => ShownDeed::Found,
        Deed::List => ShownDeed::Certify,
        Deed::Recover => ShownDeed::Recover,
        Deed::CutOff(devices) => {
            let names = devices.iter().map(|id| match roster.devices.get(id) {
                Some(device) => device.name.clone(),
                None => id.to_string(),
            });
            step.value = Some(names.collect::<Vec<_>>().join(", "));
            ShownDeed::RevokeDevices
        }
        Deed::Invite(role) => {
            step.given = Some(roles::shown(*role));
            ShownDeed::Invite
        }
        Deed::RevokeInvite => ShownDeed::RevokeInvite,
        Deed::Join(role) => {
            step.given = role.map(roles::shown);
            ShownDeed::Join
        }
        Deed::Add(role) => {
            step.given = Some(roles::shown(*role));
            ShownDeed::Add
        }
        Deed::SetRole(role) => {
            step.given = Some(roles::shown(*role));
            ShownDeed::SetRole
        }
        Deed::Leave => ShownDeed::Leave,
        Deed::Remove => ShownDeed::Remove,
        Deed::Ban(until) => {
            step.until = until.map(Into::into);
            ShownDeed::Ban
        }
        Deed::Unban => ShownDeed::Unban,
        Deed::Mute(until) => {
            step.until = Some((*until).into());
            ShownDeed::Mute
        }
        Deed::SetPolicy(policy) => {
            let (field, value) = policy.told();
            step.field = Some(field);
            step.value = Some(value);
            ShownDeed::SetPolicy
        }
        Deed::Rekey => ShownDeed::Rekey,
        Deed::Unknown => ShownDeed::Unknown,
    };
}

fn reason(verdict: &Verdict) -> Option<String> {
    match verdict {
        Verdict::Stands => None,
        Verdict::Void(rule) => Some(rule.to_string()),
        Verdict::NotUnderstood => Some("this version of kith does not know it".to_owned()),
    }
}
