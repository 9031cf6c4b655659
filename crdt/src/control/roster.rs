//! The roster: what a control log amounts to. Who belongs, with which role and devices, what the
//! channel is called, which invites are open, which epochs may be used.
//!
//! A roster only records. Which ops count is decided in `judge.rs` and `resolve.rs`; here each
//! one that does is applied, ancestors first.

mod apply;
mod cuts;
mod lives;
mod sanctions;
mod tenure;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use minicbor::Encode;

use super::body::EpochOp;
use super::policy::{History, Policy, PolicyField};
use super::role::{Right, Role, Standing};
use super::verdict::Verdict;
use crate::crypto::hash;
use crate::encoding;
use crate::identity::Certified;
use crate::ids::{AccountId, ChannelId, DeviceId, EpochId, InviteId, OpId, TransportKey, Window};
use crate::keys::{EpochKeys, KeyHashes};
use crate::limits::EPOCH_REPLACES_MAX;
use crate::retention::{Life, Retention, RetentionLimits};
use crate::term::Term;
use crate::time::Millis;

use cuts::Cuts;
use lives::Kept;
pub(super) use lives::Promise;
use sanctions::Removal;
pub use sanctions::{Ban, Mute, Participation, Unheard};
use tenure::{Course, Tenure};

/// The outcome of resolving a control log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    /// The channel.
    pub channel: ChannelId,
    /// Its name.
    pub name: String,
    /// Its topic.
    pub topic: String,
    /// What kind of channel it is.
    pub kind: u8,
    /// When the channel was made, by its founder's clock.
    pub created_at: Millis,
    /// What newcomers may read of what was written before they came.
    pub history: History,
    /// Which retention may be set.
    pub retention_limits: RetentionLimits,
    /// What was set last; what holds of it is [`Self::retention`].
    pub(super) retention_set: Retention,
    /// Who set what of the policy; what nobody has set is not in it.
    pub set_by: BTreeMap<PolicyField, SetBy>,
    /// Everybody who belongs or ever belonged.
    pub members: BTreeMap<AccountId, Member>,
    /// Every device that ever was in a member's certificate. A device never leaves this map, so
    /// that what it wrote keeps its author.
    pub devices: BTreeMap<DeviceId, RosterDevice>,
    /// The invites that count, open or not.
    pub invites: BTreeMap<InviteId, InviteState>,
    /// The epochs that somebody who might has made.
    pub epochs: BTreeMap<EpochId, EpochState>,
    /// The bans that count, over or not, by whom they keep out; the latest of each.
    pub bans: BTreeMap<AccountId, Ban>,
    /// The mutes that count, over or not, oldest first; no two overlap.
    pub mutes: BTreeMap<AccountId, Vec<Mute>>,
    /// What became of each op of the log.
    pub verdicts: BTreeMap<OpId, Verdict>,
    /// The usable ones of the epochs, by the order of their ops.
    usable: BTreeSet<(u64, OpId, EpochId)>,
    /// How long the epochs of each term are kept.
    kept: Kept,
    /// Joins that their authors could not know to be void, and that are. Until they were known to
    /// be, the joiner may have been given keys.
    pub(super) expelled: Arc<BTreeSet<OpId>>,
    by_transport: BTreeMap<TransportKey, Vec<DeviceId>>,
    /// The least roles that the policy has set.
    rights: BTreeMap<Right, Course<Role>>,
    removals: BTreeMap<AccountId, Vec<Removal>>,
    cuts: Cuts,
}

/// An account on the roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The account.
    pub account: AccountId,
    /// The role it has, or had when it last belonged.
    pub role: Role,
    /// Whether it still belongs.
    pub status: Status,
    /// The name the person goes by.
    pub name: String,
    /// The op that granted the role, as (lamport, op id).
    pub granted: (u64, OpId),
    /// What the account's certificates say together.
    pub certified: Arc<Certified>,
    /// How it came by its role.
    pub(super) tenure: Tenure,
    /// When it belonged, earliest first.
    pub(super) stays: Vec<Stay>,
}

/// A time during which an account belonged, and what it may read of what was written before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stay {
    /// The op that let the account in.
    pub(super) admitted: OpId,
    /// When that was.
    pub(super) since: Millis,
    /// The policy that it was let in under.
    pub(super) history: History,
    /// The op that took it out, if it is out.
    pub(super) gone: Option<OpId>,
}

/// Who set something of a channel's policy, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetBy {
    /// The op.
    pub op: OpId,
    /// Its author.
    pub account: AccountId,
    /// When, by its author's clock.
    pub at: Millis,
}

impl Member {
    /// Whether the account belongs now.
    pub fn is_active(&self) -> bool {
        self.status == Status::Active
    }

    /// Where the account stands in the order of authority.
    pub fn standing(&self) -> Standing {
        Standing::new(self.role, self.granted)
    }
}

/// Whether an account belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// It belongs.
    Active,
    /// It left.
    Left,
    /// It was removed.
    Removed,
    /// It was removed and banned. Whether the ban is over depends on the time:
    /// [`Roster::participation`] says.
    Banned,
    /// It joined, but of what was done at the same time something else counts.
    Expelled,
}

/// A device of an account on the roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterDevice {
    /// The account.
    pub account: AccountId,
    /// Its libp2p public key.
    pub transport: TransportKey,
    /// What the person calls it.
    pub name: String,
    /// Whether the account belongs and the device is one of its devices.
    pub active: bool,
    /// The highest account epoch in which a certificate lists it.
    pub(in crate::control) epoch: u32,
}

/// An invite that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InviteState {
    /// The op that opened it.
    pub op: OpId,
    /// Who did.
    pub inviter: AccountId,
    /// The role of whoever joins by it.
    pub role: Role,
    /// How many accounts may join by it.
    pub uses: u32,
    /// How many have.
    pub used: u32,
    /// When it was made, by its author's clock.
    pub made_at: Millis,
    /// When it expires.
    pub expires_at: Millis,
    /// The op that revoked it, if one did.
    pub revoked: Option<OpId>,
}

/// Whether somebody may join by an invite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InviteStanding {
    /// Yes.
    Open,
    /// It was revoked.
    Revoked,
    /// Not now: whoever made it may not invite. Should they be given the right again, it opens
    /// again.
    Suspended,
    /// Its time is over.
    Expired,
    /// It was used as often as it may be.
    UsedUp,
    /// There is no such invite.
    Unknown,
}

/// An epoch that somebody made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochState {
    /// The op that names it.
    pub op: OpId,
    /// The lamport number of that op.
    pub lamport: u64,
    /// Who made it.
    pub author: AccountId,
    /// The window at which its chain begins.
    pub first_window: Window,
    /// How long what is sealed in it is kept; gives the length of its windows.
    pub term: Term,
    /// How long it is kept after all: less than its term after a retention for existing messages,
    /// whether its maker did not know of it, or made it for what is said about messages that it
    /// shortened.
    pub kept: Term,
    /// What its keys are told by.
    pub key_hashes: KeyHashes,
    /// How long what is sealed in it lives at most.
    pub life: Life,
    /// Who belonged, as far as its maker knew: whom a message waits for that lives until everybody
    /// has read it.
    pub audience: Arc<BTreeSet<AccountId>>,
    /// Whether it may be written in now: nobody has been removed since who could have been given
    /// its keys.
    pub usable: bool,
    /// Whether its maker knew what messages live for now. If not, only what is said about earlier
    /// messages is sealed in it.
    pub takes_messages: bool,
    /// Whether its op counts. One that does not was allowed by what its author knew, so what
    /// others wrote in it before they knew better is read all the same.
    pub authorised: bool,
}

impl Roster {
    pub(super) fn new(channel: ChannelId) -> Self {
        Self {
            channel,
            name: String::new(),
            topic: String::new(),
            kind: 0,
            created_at: Millis(0),
            history: History::default(),
            retention_limits: RetentionLimits::default(),
            retention_set: Retention::default(),
            set_by: BTreeMap::new(),
            members: BTreeMap::new(),
            devices: BTreeMap::new(),
            invites: BTreeMap::new(),
            epochs: BTreeMap::new(),
            bans: BTreeMap::new(),
            mutes: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            usable: BTreeSet::new(),
            kept: Kept::default(),
            expelled: Arc::default(),
            by_transport: BTreeMap::new(),
            rights: BTreeMap::new(),
            removals: BTreeMap::new(),
            cuts: Cuts::default(),
        }
    }

    /// The account that a device belongs or belonged to.
    pub fn account_of(&self, device: &DeviceId) -> Option<AccountId> {
        self.devices.get(device).map(|device| device.account)
    }

    /// The active device with this transport key. A record does not prove its transport key, so
    /// of several devices that claim one the first on the roster is it.
    pub fn by_transport(&self, key: &TransportKey) -> Option<(DeviceId, &RosterDevice)> {
        self.by_transport
            .get(key)?
            .iter()
            .map(|id| (*id, &self.devices[id]))
            .find(|(_, device)| device.active && device.transport == *key)
    }

    /// Whether a device with this transport key is one of a member's by a certificate that somebody
    /// shows, together with what is known.
    pub fn admits(&self, key: &TransportKey, shown: &Certified) -> bool {
        let Some(member) = self.active_member(&shown.account) else {
            return false;
        };
        let together = member.certified.merge(shown);
        together.devices.iter().any(|(id, record)| {
            let is_theirs = |account| account == shown.account;
            record.transport == *key && self.account_of(id).is_none_or(is_theirs)
        })
    }

    /// The op by which the account went that the device with this transport key is of, or by which
    /// the device was cut off; nothing if it belongs, or never did.
    pub fn dismissal(&self, key: &TransportKey) -> Option<OpId> {
        let gone = self
            .with_device(key)
            .find_map(|member| member.tenure.gone().filter(|_| !member.is_active()));
        gone.or_else(|| {
            let mut devices = self.by_transport.get(key).into_iter().flatten();
            devices.find_map(|id| self.cut_off_by(id))
        })
    }

    /// Whether the account that the device with this transport key is of has left by itself.
    pub fn has_left(&self, key: &TransportKey) -> bool {
        self.with_device(key)
            .any(|member| member.status == Status::Left)
    }

    /// The members, past ones among them, of whom a device with this transport key is certified.
    fn with_device(&self, key: &TransportKey) -> impl Iterator<Item = &Member> {
        let devices = self.by_transport.get(key).into_iter().flatten();
        devices.filter_map(move |id| {
            let device = &self.devices[id];
            let member = self.members.get(&device.account)?;
            let is_theirs = member.certified.devices.contains_key(id) && device.transport == *key;
            is_theirs.then_some(member)
        })
    }

    /// The accounts that belong, by id.
    pub fn active(&self) -> impl Iterator<Item = &Member> {
        self.members.values().filter(|member| member.is_active())
    }

    /// The role that an account has, or had when it last belonged; none if it never belonged.
    pub fn role(&self, account: &AccountId) -> Option<Role> {
        self.members.get(account).map(|member| member.role)
    }

    /// The op that let an account in, the last time if there were several.
    pub fn admitted_by(&self, account: &AccountId) -> Option<OpId> {
        let member = self.members.get(account)?;
        Some(member.tenure.admitted())
    }

    /// Whether an account belongs now.
    pub fn is_member(&self, account: &AccountId) -> bool {
        self.members.get(account).is_some_and(Member::is_active)
    }

    /// Whether an account belongs now, and this device of it was not cut off. One that the roster
    /// does not know yet may be new.
    pub fn belongs_on(&self, account: &AccountId, device: &DeviceId) -> bool {
        let member = self.active_member(account);
        let revoked = member.is_none_or(|member| member.certified.revoked.contains(device));
        !revoked && !self.is_cut_off(device)
    }

    /// Whether an account belongs and its role includes a right, by the table and what the policy
    /// has changed of it. That it may be muted is for [`Self::may`] to say.
    pub fn can(&self, account: &AccountId, right: Right) -> bool {
        self.active_member(account)
            .is_some_and(|member| self.has(member, right))
    }

    /// The least role that has a right now.
    pub fn least_role(&self, right: Right) -> Role {
        let set = self.rights.get(&right).and_then(Course::latest);
        set.copied().unwrap_or(right.least_role())
    }

    /// Whether the policy is what an op would make it, and somebody has set it so.
    pub fn holds(&self, policy: &Policy) -> bool {
        let same = match policy {
            Policy::Name(name) => self.name == *name,
            Policy::Topic(topic) => self.topic == *topic,
            Policy::History(history) => self.history == *history,
            Policy::Right { right, least } => self.least_role(*right) == *least,
            // What is there may be older than the policy.
            Policy::Retention { existing: true, .. } => false,
            Policy::Retention { retention, .. } => self.retention_set == *retention,
            Policy::RetentionLimits(limits) => self.retention_limits == *limits,
        };
        same && self.set_by.contains_key(&policy.field())
    }

    /// Whether somebody may join by an invite at this time.
    pub fn invite_standing(&self, invite: &InviteId, now: Millis) -> InviteStanding {
        let Some(state) = self.invites.get(invite) else {
            return InviteStanding::Unknown;
        };
        if state.revoked.is_some() {
            InviteStanding::Revoked
        } else if state.used >= state.uses {
            InviteStanding::UsedUp
        } else if now > state.expires_at {
            InviteStanding::Expired
        } else if !self.inviter_still_may(state) {
            InviteStanding::Suspended
        } else {
            InviteStanding::Open
        }
    }

    /// The hash of who belongs, with which roles and devices: equal on nodes that agree on that.
    pub fn hash(&self) -> [u8; 32] {
        #[derive(Encode)]
        #[cbor(array)]
        struct Entry {
            #[n(0)]
            account: AccountId,
            #[n(1)]
            role: Role,
            #[n(2)]
            devices: Vec<DeviceId>,
        }
        let entries: Vec<Entry> = self
            .active()
            .map(|member| Entry {
                account: member.account,
                role: member.role,
                devices: self.active_devices(member).collect(),
            })
            .collect();
        hash::derive("roster", &[&encoding::encode(&entries)])
    }

    /// The body of an Epoch op on top of this roster, for keys whose chain begins where it is now.
    pub fn epoch_op(&self, keys: &EpochKeys) -> EpochOp {
        let newest = self.usable.iter().rev().take(EPOCH_REPLACES_MAX);
        EpochOp {
            epoch: keys.epoch,
            replaces: newest.map(|(_, _, epoch)| *epoch).collect(),
            roster_hash: self.hash(),
            first_window: keys.window,
            term: keys.term,
            key_hashes: keys.hashes(),
        }
    }

    pub(super) fn active_member(&self, account: &AccountId) -> Option<&Member> {
        self.members
            .get(account)
            .filter(|member| member.is_active())
    }

    /// Whether whoever made the invite belongs and could hand out its role.
    pub(super) fn inviter_still_may(&self, invite: &InviteState) -> bool {
        self.active_member(&invite.inviter)
            .is_some_and(|member| self.has(member, Right::Invite) && member.role >= invite.role)
    }

    pub(super) fn has(&self, member: &Member, right: Right) -> bool {
        member.role >= self.least_role(right)
    }

    /// Whether a device is one of the account's.
    pub(super) fn is_device_of(&self, device: &DeviceId, member: &Member) -> bool {
        member.certified.devices.contains_key(device)
            && self.account_of(device) == Some(member.account)
    }

    fn active_devices<'a>(&'a self, member: &'a Member) -> impl Iterator<Item = DeviceId> + 'a {
        let own_and_active = |id: &DeviceId| {
            let device = &self.devices[id];
            device.active && device.account == member.account
        };
        member
            .certified
            .devices
            .keys()
            .copied()
            .filter(own_and_active)
    }
}
