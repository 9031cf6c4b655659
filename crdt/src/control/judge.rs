//! Judging one op by what its author could know.
//!
//! An op is held against the roster that its ancestors give, and nothing else. So its judgment is
//! final: it is the same on every node and whatever arrives later. What arrives later can only
//! make void, under the rules in `resolve.rs`, what was judged to stand here.
//!
//! 1. Its author belongs, and signs with a device of theirs. Only joining is for those outside.
//! 2. Its author's role includes the right that it takes: the table in `role.rs`, and what the
//!    channel's policy has changed of it.
//! 3. Nobody disposes of a role above their own: by inviting, adding, setting a role, or setting
//!    which role has a right.
//! 4. To remove, ban, mute or set the role of somebody, its author stands above them (`about.rs`).
//! 5. What somebody standing higher imposed (a ban, a mute) only they or those above end.
//! 6. A ban outlasts joins: nobody who is banned joins or is added.
//! 7. The last owner neither leaves nor steps down.
//! 8. An invite lets in with its role and as often as it says, until it expires, is revoked, or
//!    whoever made it may no longer invite. The joiner proves to have been given it.
//! 9. A certificate changes something only if it holds and says what those known do not. It is
//!    brought by a device that the account has by it: what was had of a device's messages when it
//!    was cut off is not for that device to say.
//! 10. What finds nothing to do, or nobody to do it to, is void.
//! 11. A channel is founded once, by its first op. Nobody is let into one that somebody founded for
//!     their own settings.
//! 12. The retention that is set lies within the limits that the channel has.
//!
//! `law.rs` tells people these rules by the same numbers (A1 and so on).

mod about;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::body::{Body, CHANNEL_SELF};
use super::op::VerifiedOp;
use super::policy::Policy;
use super::role::{Right, Role, Standing};
use super::roster::{Member, Promise, Roster};
use super::verdict::{Rule, Verdict};
use crate::identity::{Certified, Cut};
use crate::ids::{AccountId, InviteId, OpId};
use crate::limits::ACCOUNTS_PER_CHANNEL;

/// What is said of an op by the roster of its ancestors.
#[derive(Debug, Clone)]
pub(super) enum Judgment {
    /// Its author could believe to be allowed it.
    Allowed(Grounds),
    /// Void, whatever else is in the log.
    Void(Rule),
    /// Not understood by this program.
    NotUnderstood,
}

/// What an allowed op rests on, as its author saw it.
#[derive(Debug, Clone)]
pub(super) struct Grounds {
    /// Where its author stood.
    pub(super) standing: Standing,
    /// The ops without which it would not have been allowed: those that gave its author the role
    /// and made whom it is about stand lower, or the invite that it joins by.
    pub(super) rests_on: Vec<OpId>,
    /// The role that it lets somebody in with.
    pub(super) grants: Option<Role>,
    /// Whether it gives somebody a lower role.
    pub(super) lowers: bool,
    /// Whoever made the invite of a Join, and the least role in which they could.
    pub(super) inviter: Option<(AccountId, Role)>,
    /// The joins that the maker of an epoch knew to be expelled.
    pub(super) expelled: Arc<BTreeSet<OpId>>,
    /// The devices that a certificate cuts off, as far as its author knew them.
    pub(super) cut: Option<Cut>,
    /// What the maker of an epoch promised to those who write in it; of a retention for existing
    /// messages, whom these are waited for by.
    pub(super) promise: Option<Promise>,
}

impl Grounds {
    fn new(standing: Standing) -> Self {
        Self {
            standing,
            rests_on: Vec::new(),
            grants: None,
            lowers: false,
            inviter: None,
            expelled: Arc::default(),
            cut: None,
            promise: None,
        }
    }
}

impl Judgment {
    /// What becomes of an op that nothing is concurrent with.
    pub(super) fn verdict(&self) -> Verdict {
        match self {
            Self::Allowed(_) => Verdict::Stands,
            Self::Void(rule) => Verdict::Void(*rule),
            Self::NotUnderstood => Verdict::NotUnderstood,
        }
    }

    /// The grounds of an allowed op.
    pub(super) fn grounds(&self) -> Option<&Grounds> {
        match self {
            Self::Allowed(grounds) => Some(grounds),
            Self::Void(_) | Self::NotUnderstood => None,
        }
    }
}

/// Judges an op by the roster of its ancestors.
pub(super) fn judge(op: &VerifiedOp, roster: &Roster) -> Judgment {
    if matches!(op.op().body, Body::Unknown { .. }) {
        return Judgment::NotUnderstood;
    }
    match grounds(op, roster) {
        Ok(grounds) => Judgment::Allowed(grounds),
        Err(rule) => Judgment::Void(rule),
    }
}

fn grounds(op: &VerifiedOp, roster: &Roster) -> Result<Grounds, Rule> {
    let certified = op.credentials()?;
    match (&op.op().body, certified) {
        (Body::Create { .. }, _) => founding(op, roster),
        (Body::Join { invite, .. }, Some(certified)) => joining(op, invite, certified, roster),
        _ => {
            let member = roster
                .active_member(&op.op().author)
                .ok_or(Rule::NotAMember)?;
            let device = &op.op().device;
            let is_theirs = match certified {
                // A certificate vouches for whoever brings it: a recovered account has no other
                // device left to bring the news.
                Some(new) if new.account == member.account => {
                    let together = member.certified.merge(new);
                    let known = roster.account_of(device);
                    together.devices.contains_key(device)
                        && known.is_none_or(|account| account == member.account)
                }
                _ => roster.is_device_of(device, member),
            };
            if !is_theirs {
                return Err(Rule::NotTheirDevice);
            }
            acting(op, member, certified, roster)
        }
    }
}

fn founding(op: &VerifiedOp, roster: &Roster) -> Result<Grounds, Rule> {
    if !roster.members.is_empty() {
        return Err(Rule::CreatedBefore);
    }
    Ok(Grounds {
        grants: Some(Role::Owner),
        ..Grounds::new(Standing::new(Role::Owner, op.order()))
    })
}

fn joining(
    op: &VerifiedOp,
    invite: &InviteId,
    certified: &Certified,
    roster: &Roster,
) -> Result<Grounds, Rule> {
    let state = roster.invites.get(invite).ok_or(Rule::NoSuchInvite)?;
    if state.revoked.is_some() {
        return Err(Rule::InviteRevoked);
    }
    if !roster.inviter_still_may(state) {
        return Err(Rule::InviterGone);
    }
    if op.op().at > state.expires_at {
        return Err(Rule::InviteExpired);
    }
    if state.used >= state.uses {
        return Err(Rule::InviteUsedUp);
    }
    admission(certified, op, roster)?;
    if roster
        .account_of(&op.op().device)
        .is_some_and(|account| account != certified.account)
    {
        return Err(Rule::NotTheirDevice);
    }
    let mut grounds = Grounds::new(Standing::new(state.role, op.order()));
    grounds.cut = cut_by(certified, roster);
    grounds.rests_on.push(state.op);
    grounds.rests_on.extend(unbanned_by(certified, roster));
    grounds.grants = Some(state.role);
    let least = state.role.max(roster.least_role(Right::Invite));
    grounds.inviter = Some((state.inviter, least));
    Ok(grounds)
}

/// Whether an account with this certificate may be let in by the op.
fn admission(certified: &Certified, op: &VerifiedOp, roster: &Roster) -> Result<(), Rule> {
    if let Some(known) = roster.members.get(&certified.account) {
        if known.is_active() {
            return Err(Rule::AlreadyAMember);
        }
        let joins = certified.account == op.op().author;
        let together = known.certified.merge(certified);
        if together.epoch > certified.epoch
            || joins && !together.devices.contains_key(&op.op().device)
        {
            return Err(Rule::OldCertificate);
        }
    }
    if let Some(ban) = roster.ban(&certified.account, op.op().at) {
        return Err(Rule::Banned { by: ban.op });
    }
    if roster.kind == CHANNEL_SELF {
        return Err(Rule::OwnChannel);
    }
    if roster.active().count() >= ACCOUNTS_PER_CHANNEL {
        return Err(Rule::ChannelFull);
    }
    Ok(())
}

/// The devices that a certificate cuts off. Of an account that was never here others may know
/// more, who let it in at the same time.
fn cut_by(certified: &Certified, roster: &Roster) -> Option<Cut> {
    match roster.members.get(&certified.account) {
        Some(known) => known.certified.cut_by(certified),
        None => certified.cuts_by_itself(),
    }
}

/// The op that ended an account's ban.
fn unbanned_by(certified: &Certified, roster: &Roster) -> Option<OpId> {
    roster.bans.get(&certified.account)?.lifted
}

fn acting(
    op: &VerifiedOp,
    author: &Member,
    certified: Option<&Arc<Certified>>,
    roster: &Roster,
) -> Result<Grounds, Rule> {
    let mut grounds = Grounds::new(author.standing());
    grounds.rests_on.push(author.tenure.basis());
    match &op.op().body {
        Body::Devices { .. } => {
            let new = certified.filter(|new| new.adds_to(&author.certified));
            grounds.cut = cut_by(new.ok_or(Rule::OldCertificate)?, roster);
        }
        Body::Invite { invite, role, .. } => {
            require(roster, author, Right::Invite)?;
            within_own(*role, author)?;
            if roster.invites.contains_key(invite) {
                return Err(Rule::MadeBefore);
            }
        }
        Body::RevokeInvite { invite } => may_revoke(author, invite, roster)?,
        Body::Leave => {
            leaves_an_owner(author, roster)?;
            // Whoever belongs may leave, whatever their role rests on, and whatever let them in.
            grounds.rests_on.clear();
        }
        Body::Policy(policy) => {
            require(roster, author, policy.takes())?;
            match policy {
                Policy::Right { right, least } => {
                    within_own(roster.least_role(*right), author)?;
                    within_own(*least, author)?;
                }
                Policy::Retention { retention, .. }
                    if !roster.retention_limits.allow(*retention) =>
                {
                    return Err(Rule::BeyondLimits);
                }
                Policy::Retention {
                    existing: true,
                    retention,
                } => {
                    grounds.promise = Some(roster.promise(retention.term()));
                }
                _ => {}
            }
        }
        Body::Epoch(epoch) => {
            require(roster, author, Right::Rekey)?;
            if roster
                .epochs
                .get(&epoch.epoch)
                .is_some_and(|known| known.authorised)
            {
                return Err(Rule::MadeBefore);
            }
            grounds.expelled = Arc::clone(&roster.expelled);
            grounds.promise = Some(roster.promise(epoch.term));
        }
        Body::Add { role, .. } => {
            require(roster, author, Right::Add)?;
            within_own(*role, author)?;
            let certified = certified.ok_or(Rule::BadCertificate)?;
            admission(certified, op, roster)?;
            grounds.cut = cut_by(certified, roster);
            grounds.rests_on.extend(unbanned_by(certified, roster));
            grounds.grants = Some(*role);
        }
        Body::SetRole { account, role } => {
            about::set_role(&mut grounds, author, account, *role, roster)?;
        }
        Body::Remove { account, .. } => about::remove(&mut grounds, author, account, roster)?,
        Body::Ban { account, .. } => about::ban(&mut grounds, author, account, op, roster)?,
        Body::Unban { account } => about::unban(&mut grounds, author, account, op, roster)?,
        Body::Mute { account, until } => {
            about::mute(&mut grounds, author, (account, *until), op, roster)?;
        }
        // Handled before, or not understood.
        Body::Create { .. } | Body::Join { .. } | Body::Unknown { .. } => {}
    }
    Ok(grounds)
}

fn require(roster: &Roster, author: &Member, right: Right) -> Result<(), Rule> {
    if roster.has(author, right) {
        Ok(())
    } else {
        Err(Rule::RoleTooLow {
            right,
            least: roster.least_role(right),
            role: author.role,
        })
    }
}

fn within_own(role: Role, author: &Member) -> Result<(), Rule> {
    if role <= author.role {
        Ok(())
    } else {
        Err(Rule::RoleAboveOwn {
            granted: role,
            own: author.role,
        })
    }
}

/// One's own invites may always be revoked, another's by a moderator or above who stands above
/// whoever made it, or if that one has left.
fn may_revoke(author: &Member, invite: &InviteId, roster: &Roster) -> Result<(), Rule> {
    let state = roster.invites.get(invite).ok_or(Rule::NoSuchInvite)?;
    if state.revoked.is_some() {
        return Err(Rule::InviteRevoked);
    }
    if state.inviter == author.account {
        return Ok(());
    }
    require(roster, author, Right::RevokeInvites)?;
    let stands_above = roster
        .active_member(&state.inviter)
        .is_none_or(|inviter| author.standing() > inviter.standing());
    if stands_above {
        Ok(())
    } else {
        Err(Rule::InviteOfAnother)
    }
}

/// Whether there is another owner, if the author is one.
fn leaves_an_owner(author: &Member, roster: &Roster) -> Result<(), Rule> {
    let is_other = |member: &Member| member.role == Role::Owner && member.account != author.account;
    if author.role != Role::Owner || roster.active().any(is_other) {
        Ok(())
    } else {
        Err(Rule::LastOwner)
    }
}
