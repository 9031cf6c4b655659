//! What was imposed on accounts: bans, mutes, and what their removals hide.
//!
//! 1. **A ban outlasts joins**: while it is in force nobody lets the account in. Its end is held
//!    against the clock of whoever lets in, so a node that takes a Join from a stranger holds the
//!    time in it against its own clock.
//! 2. **A mute** takes away writing and all that goes with it from the time at which it was
//!    imposed until its end. It is about times, not about places in the log: a message is not
//!    shown if its HLC lies in a mute of its author. A later mute replaces what is left of an
//!    earlier one; leaving and coming back ends none.
//! 3. **A removal hides** what its author had not seen of the account: messages above `last_seen`.
//!    They are hidden, not refused, because some nodes have merged them already.
//! 4. … except what was written after the account was let in again: those messages are sealed in
//!    an epoch that was made after the removal, which nobody had keys of who was outside.

use super::Roster;
use crate::control::op::VerifiedOp;
use crate::control::role::{Right, Role};
use crate::control::seen::LastSeen;
use crate::ids::{AccountId, EpochId, LogId, OpId, Place};
use crate::time::{DAY_MS, Millis};

/// A ban that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// The op that imposed it.
    pub op: OpId,
    /// Who did.
    pub author: AccountId,
    /// When it ends; never without.
    pub until: Option<Millis>,
    /// The op that ended it, if one did.
    pub lifted: Option<OpId>,
}

impl Ban {
    /// Whether the ban keeps the account out at a time.
    pub fn in_force(&self, at: Millis) -> bool {
        self.lifted.is_none() && self.until.is_none_or(|until| at < until)
    }
}

/// A mute that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mute {
    /// The op that imposed it.
    pub op: OpId,
    /// Who did.
    pub author: AccountId,
    /// The first millisecond of it.
    pub from: Millis,
    /// The first millisecond after it.
    pub until: Millis,
}

/// What a removal that counts hides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Removal {
    /// The op, as (lamport, op id).
    order: (u64, OpId),
    last_seen: LastSeen,
    /// Whether the account was let in again.
    readmitted: bool,
}

/// Why what an account wrote does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unheard {
    /// Its role did not include the right.
    Role {
        /// Its role then; none if it never belonged.
        role: Option<Role>,
        /// The least that had the right.
        least: Role,
    },
    /// It was muted.
    Muted {
        /// The op that did it.
        by: OpId,
    },
}

/// What an account is to a channel at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Participation {
    /// It belongs.
    Active,
    /// It belongs, and may not write yet.
    Muted {
        /// Until when.
        until: Millis,
    },
    /// It left.
    Left,
    /// It was removed, or a ban of it is over.
    Removed,
    /// It was banned and may not come back yet.
    Banned {
        /// Until when; for good without.
        until: Option<Millis>,
    },
    /// It joined, but of what was done at the same time something else counts.
    Expelled,
}

impl Roster {
    /// What an account is to the channel at a time; nothing if it never had to do with it.
    pub fn participation(&self, account: &AccountId, at: Millis) -> Option<Participation> {
        if let Some(ban) = self.ban(account, at) {
            return Some(Participation::Banned { until: ban.until });
        }
        use super::Status;
        Some(match self.members.get(account)?.status {
            Status::Active => match self.mute(account, at) {
                Some(mute) => Participation::Muted { until: mute.until },
                None => Participation::Active,
            },
            Status::Left => Participation::Left,
            Status::Removed | Status::Banned => Participation::Removed,
            Status::Expelled => Participation::Expelled,
        })
    }

    /// The ban that keeps an account out at a time.
    pub fn ban(&self, account: &AccountId, at: Millis) -> Option<&Ban> {
        self.bans.get(account).filter(|ban| ban.in_force(at))
    }

    /// The mute that an account is under at a time.
    pub fn mute(&self, account: &AccountId, at: Millis) -> Option<&Mute> {
        let mutes = self.mutes.get(account)?;
        mutes
            .iter()
            .rev()
            .find(|mute| mute.from <= at && at < mute.until)
    }

    /// Whether what an account wrote at a time (the HLC's) counts: its role then included the
    /// right, and it was not muted. Whether it belonged then is not asked: what was written
    /// before somebody left stays, and what was written afterwards has no keys.
    pub fn may(&self, account: &AccountId, right: Right, at: Millis) -> bool {
        self.unheard(account, right, at).is_none()
    }

    /// Why what an account wrote at a time does not count; nothing if it does.
    pub fn unheard(&self, account: &AccountId, right: Right, at: Millis) -> Option<Unheard> {
        let role = self.role_at(account, at);
        let least = self.least_role_at(right, at);
        if role.is_none_or(|role| role < least) {
            return Some(Unheard::Role { role, least });
        }
        let mute = right.is_silenced().then(|| self.mute(account, at));
        mute.flatten().map(|mute| Unheard::Muted { by: mute.op })
    }

    /// The role that an account had at a time, by the clocks of those who gave it; nothing if it
    /// never belonged.
    pub fn role_at(&self, account: &AccountId, at: Millis) -> Option<Role> {
        self.members.get(account)?.tenure.role_at(at)
    }

    /// Whether whatever an account wrote in a log of its, up to the envelope at a place, counts,
    /// as far as that can be told from the day of the log alone: it had the right all day, was not
    /// muted, and whoever removed it had all of this. What `false` is said of may count.
    pub fn counts_up_to(&self, account: &AccountId, right: Right, last: &Place) -> bool {
        let Some(member) = self.members.get(account) else {
            return false;
        };
        let from = last.log.segment.window.starts_at();
        let to = from.plus(DAY_MS);
        let set = self.rights.get(&right);
        let set = set.into_iter().flat_map(|course| course.during(from, to));
        let least = set.copied().chain([self.least_role_at(right, from)]).max();
        let lowest = member.tenure.lowest_during(from, to);
        let mutes = self.mutes.get(account).into_iter().flatten();
        let removals = self.removals.get(account).into_iter().flatten();
        let is_hidden = self.cuts.hides_place(last).is_some();
        lowest >= least
            && !is_hidden
            && !mutes
                .clone()
                .any(|mute| mute.from < to && from < mute.until)
            && removals
                .clone()
                .all(|removal| removal.last_seen.covers(last))
    }

    /// Whether a log is of the same account by another roster, and the same of what is in it
    /// counts.
    pub fn judges_log_alike(&self, other: &Self, log: &LogId, right: Right) -> bool {
        let device = &log.writer.device;
        match (self.account_of(device), other.account_of(device)) {
            (Some(account), Some(same)) if account == same => {
                self.cuts.alike(&other.cuts, device) && self.judges_alike(other, &account, right)
            }
            (None, None) => true,
            _ => false,
        }
    }

    fn judges_alike(&self, other: &Self, account: &AccountId, right: Right) -> bool {
        let roles = |roster: &Self| {
            let member = roster.members.get(account)?;
            Some(member.tenure.course().clone())
        };
        self.rights.get(&right) == other.rights.get(&right)
            && self.mutes.get(account) == other.mutes.get(account)
            && self.removals.get(account) == other.removals.get(account)
            && roles(self) == roles(other)
    }

    /// The removal, or the op that cut off a device, that hides what an account wrote at a place,
    /// sealed in an epoch; nothing if it is shown.
    pub fn hidden_by(&self, account: &AccountId, place: &Place, epoch: &EpochId) -> Option<OpId> {
        let made = self
            .epochs
            .get(epoch)
            .map(|epoch| (epoch.lamport, epoch.op));
        let hides = |removal: &&Removal| {
            let afterwards = removal.readmitted && made > Some(removal.order);
            !removal.last_seen.covers(place) && !afterwards
        };
        let removals = self.removals.get(account);
        let removal = removals.and_then(|removals| removals.iter().find(hides));
        removal
            .map(|removal| removal.order.1)
            .or_else(|| self.cuts.hides_place(place))
    }

    fn least_role_at(&self, right: Right, at: Millis) -> Role {
        let set = self.rights.get(&right).and_then(|course| course.at(at));
        set.copied().unwrap_or(right.least_role())
    }

    /// Whether a log is part of the channel: not if its writer's account is out, or its writer's
    /// device cut off, and whoever took it out had nothing of the log. All of it is hidden then; nodes neither ask for such a log
    /// nor take it, so what somebody writes who was taken out costs those who know it nothing,
    /// whoever passes it on. Once the account is let in again its logs count again, and each
    /// message is told by its epoch.
    pub fn counts(&self, log: &LogId) -> bool {
        let removals = self
            .account_of(&log.writer.device)
            .and_then(|account| self.removals.get(&account));
        let ends = |removal: &Removal| !removal.readmitted && !removal.last_seen.knows(log);
        !removals.into_iter().flatten().any(ends) && !self.cuts.hides_log(log)
    }

    /// Whether anybody was ever taken out, or a device cut off.
    pub fn has_removals(&self) -> bool {
        !self.removals.is_empty() || !self.cuts.is_empty()
    }

    pub(super) fn impose_ban(
        &mut self,
        op: &VerifiedOp,
        account: AccountId,
        until: Option<Millis>,
    ) {
        let ban = Ban {
            op: op.id(),
            author: op.op().author,
            until,
            lifted: None,
        };
        self.bans.insert(account, ban);
    }

    pub(super) fn lift_ban(&mut self, op: OpId, account: &AccountId) {
        if let Some(ban) = self.bans.get_mut(account) {
            ban.lifted.get_or_insert(op);
        }
    }

    pub(super) fn impose_mute(&mut self, op: &VerifiedOp, account: AccountId, until: Millis) {
        let from = op.op().at;
        let mutes = self.mutes.entry(account).or_default();
        for mute in mutes.iter_mut() {
            mute.until = mute.until.min(from);
        }
        mutes.push(Mute {
            op: op.id(),
            author: op.op().author,
            from,
            until,
        });
        mutes.retain(|mute| mute.from < mute.until);
    }

    pub(super) fn hide(&mut self, op: &VerifiedOp, account: AccountId, last_seen: &LastSeen) {
        self.removals.entry(account).or_default().push(Removal {
            order: op.order(),
            last_seen: last_seen.clone(),
            readmitted: false,
        });
    }

    pub(super) fn readmitted(&mut self, account: &AccountId) {
        for removal in self.removals.get_mut(account).into_iter().flatten() {
            removal.readmitted = true;
        }
    }
}
