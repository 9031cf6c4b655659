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
    /// What this device's own certificate says.
    pub(super) own: Certified,
    /// Whether this device has the management key.
    pub manages: bool,
    /// When this device learnt that it was revoked, if it was.
    pub revoked_at: Option<Millis>,
}

impl OwnDevices {
    /// None if the device's own certificate does not hold, which no vault of ours has.
    fn of(secrets: &DeviceSecrets) -> Option<Self> {
        let own = secrets.certificate.verify().ok()?;
        Some(Self {
            certified: own.clone(),
            own,
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
            let cuts = certificate.verify().ok().is_some_and(|new| {
                let known = self.certified();
                known.is_some_and(|known| known.cut_by(&new).is_some())
            });
            let is_own = !self.adopt(self.now, certificate.clone())
                || self.secrets.certificate != certificate;
            let wait = if cuts && !is_own { MAKER_TELLS_MS } else { 0 };
            // The other channels are told when this one is done with.
            self.timers.set_by(Timer::Certify, self.now.plus(wait));
        }
    }

    /// Tells a channel of the newest certificate, if it says what the channel does not know.
    pub(super) fn certify(&mut self, now: Millis, id: ChannelId) {
        let Some(channel) = self.channels.get(&id) else {
            return;
        };
        let (Some(known), Some(devices)) =
            (channel.roster.members.get(&self.me), self.devices.as_ref())
        else {
            return;
        };
        let ours = &devices.own;
        let belongs = channel.roster.belongs_on(&self.me, &self.writer.device);
        if !belongs || channel.joining.is_some() || !ours.adds_to(&known.certified) {
            return;
        }
        let last_seen = match known.certified.cut_by(ours) {
            // What is not here would be hidden from everybody.
            Some(cut) if channel.unfinished && self.shares(channel, &cut) => return,
            Some(cut) => Some(channel.last_seen(|device| {
                let is_listed = ours.devices.contains_key(device);
                let is_mine = channel.roster.account_of(device) == Some(self.me);
                cut.devices.contains(device) || cut.raises && is_mine && !is_listed
            })),
            None => None,
        };
        let body = Body::Devices {
            certificate: self.secrets.certificate.clone(),
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

    /// Notes that a channel was compared to the end.
    pub(super) fn finished(&mut self, now: Millis, id: ChannelId) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        if std::mem::take(&mut channel.unfinished) {
            let record = encoding::encode(&channel.record());
            self.stage.batch.put_channel(&id, record);
            self.certify(now, id);
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
        if known.revoked_at.is_some() {
            return;
        }
        let devices = OwnDevices {
            certified: known.certified.merge(&certified),
            revoked_at: Some(now),
            ..known.clone()
        };
        let revoked = Revoked {
            at: now,
            certificate,
        };
        let kept = encoding::encode(&revoked);
        self.stage.batch.put_meta(META_REVOKED, kept);
        tracing::warn!("this device was revoked by another one of its account");
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
