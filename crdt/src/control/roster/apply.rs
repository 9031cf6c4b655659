//! How ops change a roster: those that count, and what stays of those that do not.

use std::sync::Arc;

use super::{EpochState, InviteState, Member, Roster, RosterDevice, SetBy, Status, Stay, Tenure};
use crate::control::body::{Body, EpochOp};
use crate::control::op::VerifiedOp;
use crate::control::policy::{History, Policy, PolicyField};
use crate::control::role::Role;
use crate::identity::{Certified, Cut};
use crate::ids::AccountId;
use crate::retention::Retention;
use crate::time::Millis;

impl Roster {
    /// Applies an op that stands and cuts off these devices.
    pub(in crate::control) fn apply(&mut self, op: &VerifiedOp, cut: Option<&Cut>) {
        let author = op.op().author;
        match &op.op().body {
            Body::Create { name, kind, .. } => {
                self.name.clone_from(name);
                self.note_set(PolicyField::Name, op);
                self.kind = *kind;
                self.created_at = op.op().at;
                self.admit(op, Role::Owner, (Status::Active, op.op().at));
            }
            Body::Devices { .. } => self.learn(op),
            Body::Invite {
                invite,
                role,
                uses,
                expires_at,
            } => {
                let state = InviteState {
                    op: op.id(),
                    inviter: author,
                    role: *role,
                    uses: *uses,
                    used: 0,
                    made_at: op.op().at,
                    expires_at: *expires_at,
                    revoked: None,
                };
                self.invites.insert(*invite, state);
            }
            Body::RevokeInvite { invite } => {
                if let Some(state) = self.invites.get_mut(invite) {
                    state.revoked.get_or_insert(op.id());
                }
            }
            Body::Join { invite, .. } => {
                if let Some(state) = self.invites.get_mut(invite) {
                    state.used += 1;
                    let role = state.role;
                    // Who joins says when; they were not let in before there was an invite.
                    let since = op.op().at.max(state.made_at);
                    self.admit(op, role, (Status::Active, since));
                }
            }
            Body::Leave => self.withdraw(op, &author, Status::Left),
            Body::Policy(policy) => self.set_policy(policy, op),
            Body::Add { role, .. } => self.admit(op, *role, (Status::Active, op.op().at)),
            Body::SetRole { account, role } => self.set_role(op, account, *role),
            Body::Remove { account, last_seen } => {
                self.withdraw(op, account, Status::Removed);
                self.hide(op, *account, last_seen);
            }
            Body::Ban {
                account,
                last_seen,
                until,
            } => {
                self.withdraw(op, account, Status::Banned);
                self.hide(op, *account, last_seen);
                self.impose_ban(op, *account, *until);
            }
            Body::Unban { account } => self.lift_ban(op.id(), account),
            Body::Mute { account, until } => self.impose_mute(op, *account, *until),
            Body::Epoch(epoch) => self.add_epoch(op, epoch, true),
            Body::Unknown { .. } => {}
        }
        if let Some(cut) = cut {
            let last_seen = match &op.op().body {
                Body::Devices { last_seen, .. } => last_seen.as_ref(),
                _ => None,
            };
            self.cut_off(op, cut, last_seen);
        }
    }

    /// Takes note of an op that its author could not know to be void. What it brought as a fact
    /// (a certificate) is believed, and what others may have relied on is not forgotten.
    pub(in crate::control) fn note_void(
        &mut self,
        op: &VerifiedOp,
        role_of_joiner: Role,
        cut: Option<&Cut>,
    ) {
        if let Some(cut) = cut {
            self.cut_off(op, cut, None);
        }
        match &op.op().body {
            Body::Devices { .. } => self.learn(op),
            Body::Join { .. } | Body::Add { .. } => {
                Arc::make_mut(&mut self.expelled).insert(op.id());
                let account = op.subject();
                if account.is_some_and(|account| self.members.contains_key(&account)) {
                    self.learn(op);
                } else {
                    self.admit(op, role_of_joiner, (Status::Expelled, op.op().at));
                }
            }
            Body::Epoch(epoch) => self.add_epoch(op, epoch, false),
            _ => {}
        }
    }

    /// Says of each epoch whether it is usable.
    pub(in crate::control) fn judge_epochs(&mut self, is_usable: impl Fn(&EpochState) -> bool) {
        self.usable.clear();
        for (id, epoch) in &mut self.epochs {
            epoch.usable = epoch.authorised && is_usable(epoch);
            if epoch.usable {
                self.usable.insert((epoch.lamport, epoch.op, *id));
            }
        }
    }

    fn admit(&mut self, op: &VerifiedOp, role: Role, (status, since): (Status, Millis)) {
        let Ok(Some(certified)) = op.credentials() else {
            return;
        };
        let account = certified.account;
        self.learn(op);
        let known = self.members.get(&account);
        let together = Arc::clone(known.map_or(certified, |member| &member.certified));
        let at = op.op().at;
        let tenure = match known {
            Some(member) => {
                let mut tenure = member.tenure.clone();
                tenure.readmit(op.id(), role, at);
                tenure
            }
            None => Tenure::new(op.id(), role, at),
        };
        let mut stays = known.map_or_else(Vec::new, |member| member.stays.clone());
        if status == Status::Active {
            stays.push(Stay {
                admitted: op.id(),
                since,
                history: self.history,
                gone: None,
            });
        }
        let member = Member {
            account,
            role,
            status,
            name: together.name.clone(),
            granted: op.order(),
            certified: Arc::clone(&together),
            tenure,
            stays,
        };
        self.members.insert(account, member);
        self.list_devices(&together, Some(status == Status::Active));
        if status == Status::Active {
            self.readmitted(&account);
            if self.history == History::FromJoining {
                self.retire_epochs();
            }
            if self.retention() == Retention::Instant {
                self.begin_new_epochs();
            }
        }
    }

    /// Lets an account that was admitted by an op read no more than a policy gives, and tells
    /// whether it may read from its joining on only.
    pub(in crate::control) fn restrict(&mut self, op: &VerifiedOp, policy: History) -> bool {
        let account = op.subject().unwrap_or(op.op().author);
        let member = self.members.get_mut(&account);
        let mut stays = member.into_iter().flat_map(|member| &mut member.stays);
        let Some(stay) = stays.find(|stay| stay.admitted == op.id()) else {
            return false;
        };
        stay.history = stay.history.stricter(policy);
        stay.history == History::FromJoining
    }

    fn set_role(&mut self, op: &VerifiedOp, account: &AccountId, role: Role) {
        if let Some(member) = self.members.get_mut(account).filter(|m| m.is_active()) {
            let before = member.standing();
            member.tenure.change(before, role, op.id(), op.op().at);
            member.role = role;
            member.granted = op.order();
        }
    }

    fn set_policy(&mut self, policy: &Policy, op: &VerifiedOp) {
        self.note_set(policy.field(), op);
        match policy {
            Policy::Name(name) => self.name.clone_from(name),
            Policy::Topic(topic) => self.topic.clone_from(topic),
            Policy::History(history) => self.history = *history,
            Policy::Right { right, least } => {
                let at = op.op().at;
                self.rights.entry(*right).or_default().set(at, *least);
            }
            Policy::Retention { retention, .. } => self.set_retention(*retention),
            Policy::RetentionLimits(limits) => {
                self.retention_limits = *limits;
                self.begin_new_epochs();
            }
        }
    }

    fn note_set(&mut self, field: PolicyField, op: &VerifiedOp) {
        let set = SetBy {
            op: op.id(),
            account: op.op().author,
            at: op.op().at,
        };
        self.set_by.insert(field, set);
    }

    /// Takes over what the certificate in an op says beyond those known.
    fn learn(&mut self, op: &VerifiedOp) {
        let Ok(Some(certified)) = op.credentials() else {
            return;
        };
        let Some(member) = self.members.get_mut(&certified.account) else {
            return;
        };
        let together = Arc::new(member.certified.merge(certified));
        let active = member.is_active();
        let known = std::mem::replace(&mut member.certified, Arc::clone(&together));
        member.name.clone_from(&together.name);
        // Whatever it lists stays known, so that what it wrote keeps its author.
        self.list_devices(certified, None);
        self.list_devices(&known, Some(false));
        self.list_devices(&together, Some(active));
        for device in certified.devices.keys() {
            self.cut_off_late(*device);
        }
        if known.cut_by(certified).is_some() {
            self.retire_epochs();
        }
    }

    fn withdraw(&mut self, op: &VerifiedOp, account: &AccountId, status: Status) {
        self.retire_epochs();
        self.await_no_more(account, |_| true);
        let Some(member) = self.members.get_mut(account) else {
            return;
        };
        // Whoever was banned at the same time has not just been removed, and so on.
        member.status = match member.status {
            Status::Expelled => Status::Expelled,
            before => before.max(status),
        };
        member.tenure.end(op.id());
        if let Some(stay) = member.stays.last_mut() {
            stay.gone.get_or_insert(op.id());
        }
        let certified = Arc::clone(&member.certified);
        self.list_devices(&certified, Some(false));
    }

    /// Enters the devices of a certificate. Of what the account's certificates say together it is
    /// said whether they are active; what a single one says of a device known already is passed
    /// over. A device that another account brought first stays that account's.
    fn list_devices(&mut self, certified: &Certified, together: Option<bool>) {
        for (id, record) in &certified.devices {
            let device = self.devices.entry(*id).or_insert_with(|| RosterDevice {
                account: certified.account,
                transport: record.transport,
                name: record.name.clone(),
                active: false,
                epoch: certified.epoch,
            });
            if device.account != certified.account {
                continue;
            }
            device.epoch = device.epoch.max(certified.epoch);
            if let Some(active) = together {
                device.active = active;
                device.name.clone_from(&record.name);
                device.transport = record.transport;
            }
            let claimants = self.by_transport.entry(device.transport).or_default();
            if !claimants.contains(id) {
                claimants.push(*id);
            }
        }
    }

    fn add_epoch(&mut self, op: &VerifiedOp, epoch: &EpochOp, authorised: bool) {
        if self
            .epochs
            .get(&epoch.epoch)
            .is_some_and(|known| known.authorised || !authorised)
        {
            return;
        }
        let (lamport, id) = op.order();
        let promise = self.promise(epoch.term);
        let state = EpochState {
            op: id,
            lamport,
            author: op.op().author,
            first_window: epoch.first_window,
            term: epoch.term,
            kept: promise.kept,
            key_hashes: epoch.key_hashes,
            life: promise.life.within(epoch.term),
            audience: promise.audience,
            usable: authorised,
            takes_messages: true,
            authorised,
        };
        self.put_epoch(epoch.epoch, state);
        if authorised {
            self.usable.insert((lamport, id, epoch.epoch));
        }
    }

    /// After a removal no epoch made before it may be written in.
    fn retire_epochs(&mut self) {
        for (_, _, epoch) in std::mem::take(&mut self.usable) {
            if let Some(state) = self.epochs.get_mut(&epoch) {
                state.usable = false;
            }
        }
    }
}
