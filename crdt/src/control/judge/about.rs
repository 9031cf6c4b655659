//! Ops about somebody else: roles, removals, bans, mutes.
//!
//! To do any of these to a member the author stands above them. What makes the member stand
//! lower (having been given a lower role, or having gone) is then part of what the op rests on:
//! were it void, the op would be one from below. What let the member in is not, but for a
//! promotion: otherwise whoever was banned would undo it by another join, backdated so as to make
//! the first one void.

use super::{Grounds, Roster, leaves_an_owner, require, within_own};
use crate::control::op::VerifiedOp;
use crate::control::role::{Right, Role};
use crate::control::roster::Member;
use crate::control::verdict::Rule;
use crate::ids::{AccountId, OpId};
use crate::time::Millis;

pub(super) fn set_role(
    grounds: &mut Grounds,
    author: &Member,
    account: &AccountId,
    role: Role,
    roster: &Roster,
) -> Result<(), Rule> {
    let member = roster.active_member(account).ok_or(Rule::NoSuchMember)?;
    if role == member.role {
        return Err(Rule::NoChange);
    }
    within_own(role, author)?;
    if *account == author.account {
        // Stepping down takes no right.
        leaves_an_owner(author, roster)?;
    } else {
        require(roster, author, Right::SetRoles)?;
        above(grounds, author, member)?;
    }
    grounds.lowers = role < member.role;
    if !grounds.lowers {
        grounds.rests_on.push(member.tenure.admitted());
    }
    Ok(())
}

pub(super) fn remove(
    grounds: &mut Grounds,
    author: &Member,
    account: &AccountId,
    roster: &Roster,
) -> Result<(), Rule> {
    require(roster, author, Right::Remove)?;
    let member = roster.active_member(account).ok_or(Rule::NoSuchMember)?;
    above(grounds, author, member)
}

/// Whoever is outside may be banned too, so that they do not come in.
pub(super) fn ban(
    grounds: &mut Grounds,
    author: &Member,
    account: &AccountId,
    op: &VerifiedOp,
    roster: &Roster,
) -> Result<(), Rule> {
    require(roster, author, Right::Ban)?;
    if let Some(ban) = roster.ban(account, op.op().at) {
        imposed_below(grounds, author, ban.author, ban.op, roster)?;
    }
    match roster.members.get(account) {
        Some(member) if member.is_active() => above(grounds, author, member),
        Some(gone) => {
            if author.standing() <= gone.standing() {
                grounds.rests_on.extend(gone.tenure.gone());
            }
            Ok(())
        }
        None => Ok(()),
    }
}

pub(super) fn unban(
    grounds: &mut Grounds,
    author: &Member,
    account: &AccountId,
    op: &VerifiedOp,
    roster: &Roster,
) -> Result<(), Rule> {
    require(roster, author, Right::Ban)?;
    let ban = roster.ban(account, op.op().at).ok_or(Rule::NotBanned)?;
    imposed_below(grounds, author, ban.author, ban.op, roster)
}

pub(super) fn mute(
    grounds: &mut Grounds,
    author: &Member,
    (account, until): (&AccountId, Millis),
    op: &VerifiedOp,
    roster: &Roster,
) -> Result<(), Rule> {
    require(roster, author, Right::Mute)?;
    let member = roster.active_member(account).ok_or(Rule::NoSuchMember)?;
    above(grounds, author, member)?;
    let now = op.op().at;
    match roster.mute(account, now) {
        Some(mute) if until < mute.until => {
            imposed_below(grounds, author, mute.author, mute.op, roster)
        }
        None if until <= now => Err(Rule::NoChange),
        _ => Ok(()),
    }
}

fn above(grounds: &mut Grounds, author: &Member, member: &Member) -> Result<(), Rule> {
    let standing = author.standing();
    if standing <= member.standing() {
        return Err(Rule::NotAbove);
    }
    grounds
        .rests_on
        .extend(member.tenure.lowered_below(standing));
    Ok(())
}

/// Whether whoever imposed something is the author or does not stand above.
fn imposed_below(
    grounds: &mut Grounds,
    author: &Member,
    by: AccountId,
    op: OpId,
    roster: &Roster,
) -> Result<(), Rule> {
    let others = |imposer: &&Member| imposer.account != author.account;
    let Some(imposer) = roster.members.get(&by).filter(others) else {
        return Ok(());
    };
    let standing = author.standing();
    let higher = imposer.standing() > standing;
    if higher && imposer.is_active() {
        return Err(Rule::ImposedFromAbove { by: op });
    }
    if higher {
        grounds.rests_on.extend(imposer.tenure.gone());
    }
    grounds
        .rests_on
        .extend(imposer.tenure.lowered_below(standing));
    Ok(())
}
