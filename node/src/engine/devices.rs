//! This account's own certificate: which devices it has, and what they are called.
//!
//! The vault keeps the certificate that the device came with. A newer one, made here, found in a
//! channel's control log or shown by another device of the account, is kept in the store. Every
//! channel that this account belongs to is told of it by a Devices op, with what is here of the
//! messages of devices that it cuts off; one that could not be told, because the daemon stopped or
//! the disk was full, is told at the next start. A device that finds itself cut off keeps what it
//! has and writes nothing any more.

use std::sync::Arc;

use kith_crdt::control::{Body, ControlLog, LastSeen, VerifiedOp};
use kith_crdt::encoding;
use kith_crdt::identity::{
    Certificate, Certified, Cut, DeviceRecord, DeviceSecrets, IdentityError,
};
use kith_crdt::ids::{ChannelId, DeviceId, TransportKey};
use kith_crdt::law::Law;
use kith_crdt::limits::{CERTIFICATE_PART_MAX, DEVICES_PER_ACCOUNT, NAME_MAX_CHARS};
use kith_crdt::time::Millis;
use kith_store::View;
use minicbor::{Decode, Encode};

use super::channel::Channel;
use super::effect::{Outcome, Refusal};
use super::event::Command;
use super::members::brought;
use super::texts::check_name;
use super::{Engine, Timer};
use crate::network::Command as NetworkCommand;

/// The name under which the newest certificate is kept.
const META_CERTIFICATE: &str = "certificate";
/// The name under which those are kept that say what it does not.
const META_OTHERS: &str = "certificates";
/// How many of those: a device that manages makes one of all.
const OTHERS_KEPT: usize = 8;
const OTHERS_MAX: usize = OTHERS_KEPT * CERTIFICATE_MAX;
/// The name under which it is kept how the account was recovered.
pub const META_RECOVERY: &str = "recovery";
/// The name under which it is kept that this device was revoked.
const META_REVOKED: &str = "revoked";
const REVOKED: &str = "this device was revoked, so it keeps what it has and can do nothing more: to \
    use the account here again, make a new home and link it from another device";
/// Bytes of one at most.
const CERTIFICATE_MAX: usize = (DEVICES_PER_ACCOUNT + 2) * CERTIFICATE_PART_MAX;

/// Milliseconds that the device which made a certificate has to tell the channels of it: if others
/// do at the same time, each says what it had of the devices that are cut off.
const MAKER_TELLS_MS: u64 = 10_000;

/// This account's devices, and what this one may do about them.
#[derive(Debug, Clone)]
pub struct OwnDevices {
    /// What all certificates say together.
    pub certified: Certified,
    /// Whether this device has the management key.
    pub manages: bool,
    /// When this device learnt that it was revoked, if it was.
    pub revoked_at: Option<Millis>,
}

impl OwnDevices {
    /// None if the device's own certificate does not hold, which no vault of ours has.
    fn of(secrets: &DeviceSecrets) -> Option<Self> {
        Some(Self {
            certified: secrets.certificate.verify().ok()?,
            manages: secrets.management.is_some(),
            revoked_at: None,
        })
    }
}

impl Engine {
    /// Takes over the newest certificate that the store has, and whether this device was revoked.
    pub(super) fn restore_certificate(&mut self, view: &View<'_>) {
        self.secrets.certificate = self.first_certificate.clone();
        // One that cannot be read is found in the control logs.
        let kept = view.meta(META_CERTIFICATE).unwrap_or_default();
        if let Some(kept) = kept.and_then(|bytes| encoding::decode(&bytes, CERTIFICATE_MAX).ok()) {
            drop(self.secrets.adopt(kept));
        }
        let mut devices = OwnDevices::of(&self.secrets);
        let others = view.meta(META_OTHERS).unwrap_or_default();
        let others = others.and_then(|bytes| encoding::decode(&bytes, OTHERS_MAX).ok());
        self.others = others.unwrap_or_default();
        if let Some(devices) = &mut devices {
            for other in self.others.iter().filter_map(|other| other.verify().ok()) {
                devices.certified = devices.certified.merge(&other);
            }
        }
        let recovery = view.meta(META_RECOVERY).unwrap_or_default();
        let recovery = recovery.and_then(|bytes| encoding::decode(&bytes, 16).ok());
        self.recovery = recovery.unwrap_or_default();
        let revoked = view.meta(META_REVOKED).unwrap_or_default();
        let revoked =
            revoked.and_then(|bytes| encoding::decode::<Revoked>(&bytes, CERTIFICATE_MAX).ok());
        if let (Some(devices), Some(revoked)) = (&mut devices, revoked) {
            devices.revoked_at = Some(revoked.at);
            if let Ok(certified) = revoked.certificate.verify() {
                devices.certified = devices.certified.merge(&certified);
            }
        }
        self.devices = devices.map(Arc::new);
        self.shared.put_devices(self.devices.clone());
    }

    /// Takes over what the control logs say of this account, and tells every channel that knows
    /// less.
    pub(super) fn settle_certificate(&mut self, now: Millis) {
        let ids: Vec<ChannelId> = self.channels.keys().copied().collect();
        for id in &ids {
            self.hear_certificate(*id);
        }
        self.certify_everywhere(now);
        if now < self.others_tell_at {
            self.timers.set_by(Timer::Certify, self.others_tell_at);
        }
        self.want_own_devices(now);
    }

    /// Gives this device another name.
    ///
    /// # Errors
    /// [`Refusal`] if the name is out of bounds, or this device may not manage.
    pub(super) fn rename_device(&mut self, now: Millis, name: &str) -> Result<Outcome, Refusal> {
        check_name(name, "name", NAME_MAX_CHARS)?;
        let known = self.certified().and_then(|certified| {
            let device = certified.devices.get(&self.writer.device);
            device.cloned()
        });
        let known = known.ok_or_else(|| refused(&IdentityError::NotListed))?;
        if known.name == name {
            return Ok(Outcome::Done);
        }
        let record = DeviceRecord {
            name: name.to_owned(),
            ..known
        };
        let record = record.sign(&self.secrets.signing);
        let certificate = self
            .secrets
            .admit(&record, self.secrets.management.is_some());
        self.adopt(now, certificate.map_err(|error| refused(&error))?);
        self.certify_everywhere(now);
        Ok(Outcome::Done)
    }

    /// Has a device of the account be one no more, and tells every channel.
    ///
    /// # Errors
    /// [`Refusal`] if this device may not manage, it is this one, or the account has no such.
    pub(super) fn revoke_device(
        &mut self,
        now: Millis,
        device: &DeviceId,
    ) -> Result<Outcome, Refusal> {
        let is_revoked = |certified: &Certified| certified.revoked.contains(device);
        if self.certified().is_some_and(is_revoked) {
            return Ok(Outcome::Done);
        }
        let certificate = self.secrets.revoke(device);
        self.adopt(now, certificate.map_err(|error| refused(&error))?);
        self.certify_everywhere(now);
        Ok(Outcome::Done)
    }

    /// Takes over what the certificates in a channel's control log say beyond what is known.
    pub(super) fn hear_certificate(&mut self, id: ChannelId) {
        let (Some(channel), Some(known)) = (self.channels.get(&id), self.certified()) else {
            return;
        };
        let member = channel.roster.members.get(&self.me);
        if !member.is_some_and(|member| member.certified.adds_to(known)) {
            return;
        }
        for certificate in news_in(&channel.control, known) {
            self.hear(self.now, certificate);
        }
    }

    /// Takes over what a certificate says that somebody else has, and has the channels told of it.
    pub(super) fn hear(&mut self, now: Millis, certificate: Certificate) {
        let known = self.certified().cloned();
        self.adopt(now, certificate);
        let (Some(known), Some(after)) = (known, self.certified()) else {
            return;
        };
        if *after == known {
            return;
        }
        if known.cut_by(after).is_some() {
            self.others_tell_at = now.plus(MAKER_TELLS_MS);
        }
        // The other channels are told when this turn is done with.
        self.timers.set_by(Timer::Certify, now);
    }

    /// Tells a channel of what is certified of this account and it does not know.
    pub(super) fn certify(&mut self, now: Millis, id: ChannelId) {
        self.take_name(now, id);
        let Some((certificate, last_seen)) = self.news_for(now, id) else {
            return;
        };
        let body = Body::Devices {
            certificate,
            last_seen,
        };
        if let Err(refusal) = self.author_op(now, id, body) {
            tracing::warn!("a channel cannot be told of this account's devices: {refusal}");
            return;
        }
        // They are no members any more, and ask for the op that says so once more.
        for peer in self.cut_off_devices(id) {
            self.show(now, peer);
        }
        // There may be more than one list that says something new.
        if self.news_for(now, id).is_some() {
            self.timers.set_by(Timer::Certify, now);
        }
    }

    /// A certificate that says what a channel does not know, and what is to be said with it.
    fn news_for(&self, now: Millis, id: ChannelId) -> Option<(Certificate, Option<LastSeen>)> {
        let channel = self.channels.get(&id)?;
        let known = &channel.roster.members.get(&self.me)?.certified;
        let belongs = channel.roster.belongs_on(&self.me, &self.writer.device);
        let knows_all = !self.certified()?.adds_to(known);
        if !belongs || channel.joining.is_some() || knows_all {
            return None;
        }
        let all = [&self.secrets.certificate].into_iter().chain(&self.others);
        let mut news = all.filter_map(|certificate| {
            let said = certificate.verify().ok()?;
            let lists_this = known.merge(&said).devices.contains_key(&self.writer.device);
            (lists_this && said.adds_to(known)).then_some((certificate, said))
        });
        let (certificate, said) = news.next()?;
        let is_makers = said.maker == Some(self.writer.device);
        let last_seen = match known.cut_by(&said) {
            None => None,
            Some(_) if !is_makers && now < self.others_tell_at => return None,
            // Where nobody else is, what there is comes from the devices that are cut off by it.
            Some(cut)
                if cut.raises
                    && !self.recovery.hides_unseen
                    && (channel.compared || channel.roster.active().count() > 1) =>
            {
                Some(LastSeen::until(now))
            }
            // What is not here would be hidden from everybody.
            Some(cut) if !channel.compared && self.shares(channel, &cut) => return None,
            Some(cut) => Some(channel.last_seen(|device| {
                let is_listed = said.devices.contains_key(device);
                let is_mine = channel.roster.account_of(device) == Some(self.me);
                cut.devices.contains(device) || cut.raises && is_mine && !is_listed
            })),
        };
        Some((certificate.clone(), last_seen))
    }

    /// Takes over the name that a channel knows, if whoever brought the account back gave none.
    fn take_name(&mut self, now: Millis, id: ChannelId) {
        let Some(channel) = self.channels.get(&id).filter(|_| self.recovery.takes_name) else {
            return;
        };
        let known = channel.roster.members.get(&self.me);
        let name = known.map(|known| known.certified.name.clone());
        let named = name.and_then(|name| self.secrets.named(&name).ok());
        if let Some(certificate) = named {
            self.recovery.takes_name = false;
            let kept = encoding::encode(&self.recovery);
            self.stage.batch.put_meta(META_RECOVERY, kept);
            self.adopt(now, certificate);
        }
    }

    /// Whether there is anybody to compare a channel with before it is told of a cut. A device that
    /// was revoked is nobody; one that a recovery cuts off may be the only one that has anything.
    fn shares(&self, channel: &Channel, cut: &Cut) -> bool {
        let mut others = channel.roster.devices.iter().filter(|(_, it)| it.active);
        others.any(|(id, _)| *id != self.writer.device && (cut.raises || !cut.devices.contains(id)))
    }

    /// Whether a peer's device is known here to be this account's no more, whatever a channel has
    /// been told.
    pub(super) fn is_revoked(&self, device: &DeviceId) -> bool {
        let certified = self.certified();
        certified.is_some_and(|certified| certified.revoked.contains(device))
    }

    /// Notes that a channel was compared to the end with somebody.
    pub(super) fn note_compared(&mut self, now: Millis, id: ChannelId, peer: TransportKey) {
        if self.is_peer_revoked(id, &peer) {
            return;
        }
        let channel = self.channels.get_mut(&id);
        if channel.is_some_and(|channel| !std::mem::replace(&mut channel.compared, true)) {
            self.certify(now, id);
        }
    }

    /// Forgets that channels were compared with whose members nobody is connected any more.
    pub(super) fn forget_compared(&mut self) {
        let connected = &self.peers;
        for channel in self.channels.values_mut().filter(|it| it.compared) {
            let mut peers = connected.connected();
            channel.compared = peers.any(|peer| channel.roster.by_transport(peer).is_some());
        }
    }

    pub(super) fn certify_everywhere(&mut self, now: Millis) {
        let ids: Vec<ChannelId> = self.channels.keys().copied().collect();
        for id in ids {
            self.certify(now, id);
        }
    }

    /// The device of this account, other than this one, that has a transport key.
    pub(super) fn own_device(&self, peer: &TransportKey) -> Option<DeviceId> {
        let mut devices = self.certified()?.devices.values();
        let device = devices.find(|device| device.transport == *peer)?.device;
        (device != self.writer.device).then_some(device)
    }

    /// Wants connections to the other devices of this account, and lets them connect here, whether
    /// or not there is a channel yet.
    pub(super) fn want_own_devices(&mut self, now: Millis) {
        let own = self.secrets.transport_key();
        let devices = self.certified().into_iter();
        let devices = devices.flat_map(|certified| certified.devices.values());
        let others: Vec<TransportKey> = devices
            .map(|device| device.transport)
            .filter(|transport| *transport != own)
            .collect();
        for peer in others {
            self.peers.want(peer);
            self.stage.send(NetworkCommand::Protect(peer));
        }
        self.timers.set_by(Timer::Dial, now);
    }

    pub(super) fn certified(&self) -> Option<&Certified> {
        Some(&self.devices.as_ref()?.certified)
    }

    /// Takes over what a certificate says beyond what is known, and tells whether that changes the
    /// own one.
    pub(super) fn adopt(&mut self, now: Millis, certificate: Certificate) -> bool {
        let changed = match self.secrets.adopt(certificate.clone()) {
            Ok(changed) => changed,
            Err(IdentityError::NotListed) => {
                self.note_revoked(now, certificate);
                return false;
            }
            Err(_) => return false,
        };
        if changed {
            let kept = encoding::encode(&self.secrets.certificate);
            self.stage.batch.put_meta(META_CERTIFICATE, kept);
        }
        self.keep_beside(certificate.clone());
        let own = OwnDevices::of(&self.secrets);
        let together = own.zip(certificate.verify().ok()).map(|(own, theirs)| {
            let known = self
                .devices
                .as_ref()
                .map_or(&own.certified, |it| &it.certified);
            OwnDevices {
                certified: known.merge(&own.certified).merge(&theirs),
                revoked_at: self.devices.as_ref().and_then(|it| it.revoked_at),
                ..own
            }
        });
        let before = self.devices.take();
        self.devices = together.map(Arc::new).or_else(|| before.clone());
        self.devices_changed = true;
        if let Some(before) = before.filter(|before| self.differs_from(before)) {
            self.show_change(now, &before.certified);
            self.want_own_devices(now);
            self.want_no_revoked(&before.certified);
        }
        changed
    }

    /// Keeps a certificate that says what the own one does not, so that it is known at the next
    /// start.
    fn keep_beside(&mut self, certificate: Certificate) {
        let Ok(own) = self.secrets.certificate.verify() else {
            return;
        };
        let before = self.others.len();
        if !self.others.contains(&certificate) {
            self.others.push(certificate);
        }
        let says_more = |other: &Certificate| {
            let other = other.verify();
            other.is_ok_and(|other| !own.merge(&other).says_what(&own))
        };
        self.others.retain(says_more);
        let surplus = self.others.len().saturating_sub(OTHERS_KEPT);
        self.others.drain(..surplus);
        if before + self.others.len() > 0 {
            let kept = encoding::encode(&self.others);
            self.stage.batch.put_meta(META_OTHERS, kept);
        }
    }

    fn differs_from(&self, before: &OwnDevices) -> bool {
        let after = self.certified();
        after.is_some_and(|after| !after.says_what(&before.certified))
    }

    /// Takes back that connections are wanted to devices which the account has no more.
    fn want_no_revoked(&mut self, before: &Certified) {
        for device in before.devices.values() {
            let is_gone = !self.knows(&device.transport);
            if is_gone && device.device != self.writer.device {
                self.peers.unwant(&device.transport);
                self.stage.send(NetworkCommand::Unprotect(device.transport));
            }
        }
    }

    /// Takes note of a certificate by which this device is one of the account no more.
    fn note_revoked(&mut self, now: Millis, certificate: Certificate) {
        let (Some(known), Ok(certified)) = (self.devices.as_deref(), certificate.verify()) else {
            return;
        };
        let devices = OwnDevices {
            certified: known.certified.merge(&certified),
            revoked_at: known.revoked_at.or(Some(now)),
            ..known.clone()
        };
        if known.revoked_at.is_some() {
            self.devices = Some(Arc::new(devices));
            return;
        }
        let revoked = Revoked {
            at: now,
            certificate,
        };
        let kept = encoding::encode(&revoked);
        self.stage.batch.put_meta(META_REVOKED, kept);
        tracing::warn!("this device is none of its account any more");
        self.devices = Some(Arc::new(devices));
        self.devices_changed = true;
        self.withdraw_any_link();
    }

    /// Refuses what a device that was revoked cannot do any more.
    ///
    /// # Errors
    /// [`Refusal::Denied`] if this one was.
    pub(super) fn check_not_revoked(&self, command: &Command) -> Result<(), Refusal> {
        let revoked = self
            .devices
            .as_ref()
            .is_some_and(|own| own.revoked_at.is_some());
        let is_local = matches!(
            command,
            Command::WithdrawLink { .. }
                | Command::Mend { .. }
                | Command::Sweep { .. }
                | Command::SetQuota { .. }
        );
        if revoked && !is_local {
            return Err(Refusal::by_law(Law::Devices, REVOKED));
        }
        Ok(())
    }
}

/// What whoever brought an account back with its phrase wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Recovery {
    /// Whether of the earlier devices' messages only what others have is shown, and not what turns
    /// up later and says that it is older.
    #[n(0)]
    pub hides_unseen: bool,
    /// Whether the name that channels know is taken over.
    #[n(1)]
    pub takes_name: bool,
}

/// That this device was revoked, as it is kept.
#[derive(Encode, Decode)]
#[cbor(array)]
struct Revoked {
    /// When it learnt of it.
    #[n(0)]
    at: Millis,
    /// What says so.
    #[n(1)]
    certificate: Certificate,
}

impl Channel {
    /// What this node has of the messages of some devices.
    pub(super) fn last_seen(&self, whose: impl Fn(&DeviceId) -> bool) -> LastSeen {
        let theirs = self.logs.iter().filter(|(id, _)| whose(&id.writer.device));
        LastSeen::new(theirs.map(|(id, log)| (*id, log.head)))
    }
}

/// The certificates of an account in a control log that say something new.
fn news_in(control: &ControlLog, known: &Certified) -> Vec<Certificate> {
    let is_news = |op: &&VerifiedOp| {
        brought(op).is_some_and(|new| new.account == known.account && new.adds_to(known))
    };
    let news = control.iter().filter(is_news);
    news.filter_map(|op| op.op().body.certificate().cloned())
        .collect()
}

pub(super) fn refused(error: &IdentityError) -> Refusal {
    match error {
        IdentityError::Name => Refusal::Usage(error.to_string()),
        IdentityError::TooManyDevices | IdentityError::TooManyRevoked => {
            Refusal::Limit(error.to_string())
        }
        IdentityError::NotListed => {
            Refusal::NotFound("this account has no such device: see `kith device list`".into())
        }
        _ => Refusal::Denied(error.to_string()),
    }
}
