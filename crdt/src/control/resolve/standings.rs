//! Where everybody stands as the ops that count are gone through.
//!
//! An op was judged by what its author could know. What they took to be void may count after all,
//! because what made it void turned out to be void itself: then they, or whom the op is about,
//! stand elsewhere than they knew.

use std::collections::BTreeMap;

use crate::control::body::Body;
use crate::control::judge::Grounds;
use crate::control::op::VerifiedOp;
use crate::control::role::Standing;
use crate::control::roster::Roster;
use crate::control::verdict::Rule;
use crate::ids::{AccountId, OpId};
use crate::time::Millis;

pub(super) struct Standings<'a> {
    base: &'a Roster,
    /// Of the accounts that came, went or changed role: where they stand, if they belong, and
    /// the op by which.
    changed: BTreeMap<AccountId, (Option<Standing>, OpId)>,
    /// Of the accounts that were banned or no longer are: the op and the end of the ban.
    bans: BTreeMap<AccountId, Option<(OpId, Option<Millis>)>>,
}

impl<'a> Standings<'a> {
    pub(super) fn new(base: &'a Roster) -> Self {
        Self {
            base,
            changed: BTreeMap::new(),
            bans: BTreeMap::new(),
        }
    }

    /// Whether the author stands as high as they knew, and above whom the op is about.
    pub(super) fn allow(&self, op: &VerifiedOp, grounds: &Grounds) -> Result<(), Rule> {
        let author = op.op().author;
        let subject = match &op.op().body {
            Body::Create { .. } | Body::Devices { .. } | Body::Leave => return Ok(()),
            Body::Join { .. } => return self.admits(op),
            Body::Add { .. } => {
                self.admits(op)?;
                None
            }
            Body::SetRole { account, .. } if *account == author => return Ok(()),
            Body::SetRole { account, .. }
            | Body::Remove { account, .. }
            | Body::Ban { account, .. } => Some(account),
            _ => None,
        };
        let standing = self.of(&author);
        if standing < Some(grounds.standing)
            && let Some((_, by)) = self.changed.get(&author)
        {
            return Err(Rule::StoodLower { by: *by });
        }
        let subjects = subject.and_then(|account| self.of(account));
        if subjects.is_some() && subjects >= standing {
            return Err(Rule::NotAbove);
        }
        Ok(())
    }

    /// Whether whom the op lets in is not banned.
    fn admits(&self, op: &VerifiedOp) -> Result<(), Rule> {
        let account = op.subject().ok_or(Rule::BadCertificate)?;
        let at = op.op().at;
        let ban = match self.bans.get(&account) {
            Some(ban) => ban.filter(|(_, until)| until.is_none_or(|until| at < until)),
            None => self.base.ban(&account, at).map(|ban| (ban.op, ban.until)),
        };
        match ban {
            Some((by, _)) => Err(Rule::Banned { by }),
            None => Ok(()),
        }
    }

    /// Takes note of an op that counts.
    pub(super) fn take(&mut self, op: &VerifiedOp, grounds: &Grounds) {
        let Some(account) = op.subject() else {
            return;
        };
        match &op.op().body {
            Body::Ban { until, .. } => {
                self.bans.insert(account, Some((op.id(), *until)));
            }
            Body::Unban { .. } => {
                self.bans.insert(account, None);
            }
            _ => {}
        }
        let standing = match &op.op().body {
            Body::Create { .. } | Body::Add { .. } | Body::Join { .. } => {
                grounds.grants.map(|role| Standing::new(role, op.order()))
            }
            Body::SetRole { role, .. } if self.of(&account).is_some() => {
                Some(Standing::new(*role, op.order()))
            }
            Body::Leave | Body::Remove { .. } | Body::Ban { .. } => None,
            _ => return,
        };
        self.changed.insert(account, (standing, op.id()));
    }

    fn of(&self, account: &AccountId) -> Option<Standing> {
        let in_base = || self.base.active_member(account).map(|m| m.standing());
        match self.changed.get(account) {
            Some((standing, _)) => *standing,
            None => in_base(),
        }
    }
}
