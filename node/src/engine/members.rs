//! What is done about members: letting in, taking out, silencing, raising and lowering.
//!
//! Who may is the control log's to say: it judges an op before it is signed, and names the rule.

use kith_crdt::control::{Body, LastSeen, Participation, Right, Role, Roster, VerifiedOp};
use kith_crdt::identity::{Certificate, Certified};
use kith_crdt::ids::{AccountId, ChannelId, DeviceId};
use kith_crdt::time::Millis;
use minicbor::{Decode, Encode};

use super::Engine;
use super::effect::{Outcome, Refusal};
use super::write::no_channel;

/// What is to be done about an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberAct {
    /// Lets it in with a role.
    Add(Role),
    /// Takes it out.
    Remove,
    /// Takes it out and keeps it out, until a time or for good.
    Ban(Option<Millis>),
    /// Ends a ban.
    Unban,
    /// Keeps it from writing until a time; one that is over ends a mute.
    Mute(Millis),
    /// Gives it a role.
    SetRole(Role),
}

/// How an account stands to a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum MemberState {
    /// It belongs.
    #[n(0)]
    Active,
    /// It belongs and may not write.
    #[n(1)]
    Muted,
    /// It left.
    #[n(2)]
    Left,
    /// It was taken out.
    #[n(3)]
    Removed,
    /// It was taken out and may not come back.
    #[n(4)]
    Banned,
}

/// How an account stands to a channel, until when, and with which role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Stands {
    /// The number of its role, or of the last one it had.
    #[n(0)]
    pub role: u8,
    /// How it stands.
    #[n(1)]
    pub state: MemberState,
    /// When that ends, if it does.
    #[n(2)]
    pub until: Option<Millis>,
}

impl Stands {
    /// How an account stands by a roster at a time.
    pub fn of(roster: &Roster, account: &AccountId, at: Millis) -> Self {
        let role = roster.role(account).unwrap_or(Role::Reader);
        let (state, until) = match roster.participation(account, at) {
            Some(Participation::Active) => (MemberState::Active, None),
            Some(Participation::Muted { until }) => (MemberState::Muted, Some(until)),
            Some(Participation::Removed) => (MemberState::Removed, None),
            Some(Participation::Banned { until }) => (MemberState::Banned, until),
            Some(Participation::Left | Participation::Expelled) | None => (MemberState::Left, None),
        };
        Self {
            role: role as u8,
            state,
            until,
        }
    }
}

impl MemberAct {
    const fn takes(self) -> Right {
        match self {
            Self::Add(_) => Right::Add,
            Self::Remove => Right::Remove,
            Self::Ban(_) | Self::Unban => Right::Ban,
            Self::Mute(_) => Right::Mute,
            Self::SetRole(_) => Right::SetRoles,
        }
    }
}

impl Engine {
    /// Does something about a member, or only tries whether it might be done.
    ///
    /// # Errors
    /// [`Refusal::Denied`] naming the rule that forbids it, [`Refusal::NotFound`] if nobody here
    /// knows the account.
    pub(super) fn act_on_member(
        &mut self,
        now: Millis,
        id: ChannelId,
        account: AccountId,
        act: MemberAct,
        dry_run: bool,
    ) -> Result<Outcome, Refusal> {
        // Stepping down takes no right.
        if account == self.me {
            self.check_belongs(id)?;
        } else {
            self.check_right(id, act.takes())?;
        }
        let body = match act {
            MemberAct::Add(role) => Body::Add {
                role,
                certificate: self.certificate_of(&account)?,
            },
            MemberAct::Remove => Body::Remove {
                account,
                last_seen: self.last_seen(id, &account)?,
            },
            MemberAct::Ban(until) => Body::Ban {
                account,
                last_seen: self.last_seen(id, &account)?,
                until,
            },
            MemberAct::Unban => Body::Unban { account },
            MemberAct::Mute(until) => Body::Mute { account, until },
            MemberAct::SetRole(role) => Body::SetRole { account, role },
        };
        if dry_run {
            let rehearsal = self.rehearse(now, id, body)?;
            return Ok(Outcome::Stands(Stands::of(
                rehearsal.roster(),
                &account,
                now,
            )));
        }
        self.author_op(now, id, body)?;
        if let MemberAct::Add(_) = act {
            self.renew_for_newcomers(now, id);
        }
        let channel = self.channels.get(&id).ok_or_else(no_channel)?;
        Ok(Outcome::Stands(Stands::of(&channel.roster, &account, now)))
    }

    /// What this node has of an account's messages in a channel.
    fn last_seen(&self, id: ChannelId, account: &AccountId) -> Result<LastSeen, Refusal> {
        let channel = self.channels.get(&id).ok_or_else(no_channel)?;
        let is_theirs = |device: &DeviceId| channel.roster.account_of(device) == Some(*account);
        Ok(channel.last_seen(is_theirs))
    }

    /// The newest certificate of an account that any channel of this node has.
    fn certificate_of(&self, account: &AccountId) -> Result<Certificate, Refusal> {
        let ops = self
            .channels
            .values()
            .flat_map(|channel| channel.control.iter());
        let newest = ops
            .filter_map(|op| Some((brought(op)?, op)))
            .filter(|(certified, _)| certified.account == *account)
            .reduce(|a, b| if b.0.supersedes(a.0) { b } else { a });
        let certificate = newest.and_then(|(_, op)| op.op().body.certificate());
        certificate.cloned().ok_or_else(|| {
            Refusal::NotFound(
                "no channel here has that account: send an invite instead (`kith invite`)".into(),
            )
        })
    }
}

/// The certificate that an op brings, if it holds.
pub(super) fn brought(op: &VerifiedOp) -> Option<&Certified> {
    op.credentials().ok()?.map(|certified| &**certified)
}
