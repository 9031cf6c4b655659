//! Judging one op by what its author could know.
//!
//! An op is held against the roster that its ancestors give, and nothing else. So its judgment is
//! final: it is the same on every node and whatever arrives later. What arrives later can only
//! make void, under the rules in `resolve.rs`, what was judged to stand here.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::body::{Body, Policy};
use super::op::VerifiedOp;
use super::role::{Right, Role, Standing};
use super::roster::{Member, Roster};
use super::verdict::{Rule, Verdict};
use crate::identity::Certified;
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
    /// The ops without which it would not have been allowed: its author's own admission, or the
    /// invite that it joins by.
    pub(super) rests_on: Option<OpId>,
    /// The role that a Join grants.
    pub(super) grants: Option<Role>,
    /// The other owners, and the ops that made them so, if an owner leaves.
    pub(super) other_owners: Vec<(AccountId, OpId)>,
    /// The joins that the maker of an epoch knew to be expelled.
    pub(super) expelled: Arc<BTreeSet<OpId>>,
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
            // A certificate that lists its device vouches for it: a recovered account has no
            // other device left to bring the news.
            let vouched = certified.is_some_and(|new| new.devices.contains_key(&op.op().device));
            if !vouched && !roster.is_device_of(&op.op().device, member) {
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
        standing: Standing::new(Role::Owner, op.order()),
        rests_on: None,
        grants: Some(Role::Owner),
        other_owners: Vec::new(),
        expelled: Arc::default(),
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
    if let Some(known) = roster.members.get(&certified.account) {
        if known.is_active() {
            return Err(Rule::AlreadyAMember);
        }
        if known.certified.supersedes(certified) {
            return Err(Rule::OldCertificate);
        }
    }
    if roster
        .account_of(&op.op().device)
        .is_some_and(|account| account != certified.account)
    {
        return Err(Rule::NotTheirDevice);
    }
    if roster.active().count() >= ACCOUNTS_PER_CHANNEL {
        return Err(Rule::ChannelFull);
    }
    Ok(Grounds {
        standing: Standing::new(state.role, op.order()),
        rests_on: Some(state.op),
        grants: Some(state.role),
        other_owners: Vec::new(),
        expelled: Arc::default(),
    })
}

fn acting(
    op: &VerifiedOp,
    author: &Member,
    certified: Option<&Arc<Certified>>,
    roster: &Roster,
) -> Result<Grounds, Rule> {
    let mut grounds = Grounds {
        standing: author.standing(),
        rests_on: Some(author.granted.1),
        grants: None,
        other_owners: Vec::new(),
        expelled: Arc::default(),
    };
    match &op.op().body {
        Body::Devices { .. } => {
            if !certified.is_some_and(|new| new.supersedes(&author.certified)) {
                return Err(Rule::OldCertificate);
            }
        }
        Body::Invite { invite, role, .. } => {
            require(author, Right::Invite)?;
            if *role > author.role {
                return Err(Rule::RoleAboveOwn {
                    granted: *role,
                    own: author.role,
                });
            }
            if roster.invites.contains_key(invite) {
                return Err(Rule::MadeBefore);
            }
        }
        Body::RevokeInvite { invite } => may_revoke(author, invite, roster)?,
        Body::Leave => grounds.other_owners = owners_left_by(author, roster)?,
        Body::Policy(Policy::Name(_)) => require(author, Right::Rename)?,
        Body::Policy(Policy::Topic(_)) => require(author, Right::SetTopic)?,
        Body::Epoch(epoch) => {
            require(author, Right::Rekey)?;
            if roster
                .epochs
                .get(&epoch.epoch)
                .is_some_and(|known| known.authorised)
            {
                return Err(Rule::MadeBefore);
            }
            grounds.expelled = Arc::clone(&roster.expelled);
        }
        // Handled before, or not understood.
        Body::Create { .. } | Body::Join { .. } | Body::Unknown { .. } => {}
    }
    Ok(grounds)
}

fn require(author: &Member, right: Right) -> Result<(), Rule> {
    if author.role.has(right) {
        Ok(())
    } else {
        Err(Rule::RoleTooLow {
            right,
            role: author.role,
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
    require(author, Right::RevokeInvites)?;
    let stands_above = roster
        .active_member(&state.inviter)
        .is_none_or(|inviter| author.standing() > inviter.standing());
    if stands_above {
        Ok(())
    } else {
        Err(Rule::InviteOfAnother)
    }
}

fn owners_left_by(author: &Member, roster: &Roster) -> Result<Vec<(AccountId, OpId)>, Rule> {
    if author.role != Role::Owner {
        return Ok(Vec::new());
    }
    let others: Vec<_> = roster
        .active()
        .filter(|member| member.role == Role::Owner && member.account != author.account)
        .map(|member| (member.account, member.granted.1))
        .collect();
    if others.is_empty() {
        Err(Rule::LastOwner)
    } else {
        Ok(others)
    }
}
