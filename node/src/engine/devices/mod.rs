//! This account's own certificate: which devices it has, and what they are called.
//!
//! The vault keeps the certificate that the device came with. A newer one, made here, found in a
//! channel's control log or shown by another device of the account, is kept in the store, and so
//! are those that say what it does not. A device that finds itself cut off keeps what it has and
//! writes nothing any more. How the channels are told is in `telling`.

mod telling;

use std::sync::Arc;

use kith_crdt::crypto::secret::Secret;
use kith_crdt::crypto::sign::SecretKey;
use kith_crdt::device_link::Linked;
use kith_crdt::encoding;
use kith_crdt::identity::{Certificate, Certified, DeviceRecord, DeviceSecrets, IdentityError};
use kith_crdt::ids::{DeviceId, TransportKey};
use kith_crdt::law::Law;
use kith_crdt::limits::{CERTIFICATE_PART_MAX, DEVICES_PER_ACCOUNT, NAME_MAX_CHARS};
use kith_crdt::sync::{Answer, Request};
use kith_crdt::time::Millis;
use kith_store::View;
use minicbor::{Decode, Encode};
use rand_core::Rng;

use super::effect::{Outcome, Refusal};
use super::event::Command;
use super::outstanding::Purpose;
use super::texts::check_name;
use super::{Engine, Timer};
use crate::network::Command as NetworkCommand;

pub use telling::{META_RECOVERY, Recovery};

/// The name under which the newest certificate is kept.
pub(super) const META_CERTIFICATE: &str = "certificate";
/// The name under which those are kept that say what it does not.
pub(super) const META_OTHERS: &str = "certificates";
/// How many of those: a device that manages makes one of all.
const OTHERS_KEPT: usize = 8;
const OTHERS_MAX: usize = OTHERS_KEPT * CERTIFICATE_MAX;
/// The name under which the management key is kept that this device was handed later.
pub(super) const META_MANAGEMENT: &str = "management";
/// The name under which it is kept that this device was revoked.
pub(super) const META_REVOKED: &str = "revoked";
const REVOKED: &str = "this device was revoked, so it keeps what it has and can do nothing more: to \
    use the account here again, make a new home and link it from another device";
/// Bytes of one at most.
const CERTIFICATE_MAX: usize = (DEVICES_PER_ACCOUNT + 2) * CERTIFICATE_PART_MAX;

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
        // What a turn took that did not reach the disk is asked for again.
        if std::mem::take(&mut self.was_handed_key) {
            self.secrets.management = None;
        }
        let management = view.meta(META_MANAGEMENT).unwrap_or_default();
        let management = management.and_then(|bytes| encoding::decode::<Secret>(&bytes, 64).ok());
        if let (Some(seed), None) = (management, &self.secrets.management) {
            // That of an earlier account epoch is none.
            let key = SecretKey::from_seed(&seed);
            self.was_handed_key = self.secrets.take_management(key);
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

    /// Lets a device of the account manage, too. It asks for the key as soon as it hears of it.
    ///
    /// # Errors
    /// [`Refusal`] if this device may not manage, or the account has no such device.
    pub(super) fn grant_device(
        &mut self,
        now: Millis,
        device: &DeviceId,
    ) -> Result<Outcome, Refusal> {
        let manages = |certified: &Certified| certified.managing.contains(device);
        if self.certified().is_some_and(manages) {
            return Ok(Outcome::Done);
        }
        let certificate = self.secrets.grant(device);
        self.adopt(now, certificate.map_err(|error| refused(&error))?);
        self.certify_everywhere(now);
        Ok(Outcome::Done)
    }

    /// Asks another device of the account for the management key, if this one is to have it and has
    /// not, and that one should.
    pub(super) fn ask_for_management(&mut self, now: Millis, peer: TransportKey) {
        let Some((certified, sibling)) = self.certified().zip(self.own_device(&peer)) else {
            return;
        };
        let manages = |device: &DeviceId| certified.managing.contains(device);
        let is_due =
            self.secrets.management.is_none() && manages(&self.writer.device) && manages(&sibling);
        if is_due {
            let mut nonce = [0; 32];
            self.rng.fill_bytes(&mut nonce);
            self.ask(now, peer, Purpose::Management, &Request::LinkOpen { nonce });
        }
    }

    /// Takes the management key, and whatever its bearer knows of the account.
    pub(super) fn take_management(&mut self, now: Millis, peer: TransportKey, answer: Answer) {
        let Answer::Linked(linked) = answer else {
            return;
        };
        if self.own_device(&peer).is_none() {
            return;
        }
        let Linked {
            certificate,
            management,
        } = *linked;
        self.hear(now, certificate);
        let Some(seed) = management.filter(|_| self.secrets.management.is_none()) else {
            return;
        };
        if !self.secrets.take_management(SecretKey::from_seed(&seed)) {
            return;
        }
        self.was_handed_key = true;
        let kept = encoding::encode(&seed);
        self.stage.batch.put_meta(META_MANAGEMENT, kept);
        if let Some(devices) = &mut self.devices {
            Arc::make_mut(devices).manages = true;
            self.devices_changed = true;
        }
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

    /// Whether a peer's device is known here to be this account's no more, whatever a channel has
    /// been told.
    pub(super) fn is_revoked(&self, device: &DeviceId) -> bool {
        let certified = self.certified();
        certified.is_some_and(|certified| certified.revoked.contains(device))
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

    /// Takes over what a certificate says beyond what is known.
    pub(super) fn adopt(&mut self, now: Millis, certificate: Certificate) {
        match self.secrets.adopt(certificate.clone()) {
            Ok(true) => {
                let kept = encoding::encode(&self.secrets.certificate);
                self.stage.batch.put_meta(META_CERTIFICATE, kept);
            }
            Ok(false) => {}
            Err(IdentityError::NotListed) => return self.note_revoked(now, certificate),
            Err(_) => return,
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
        self.stage.batch.delete_meta(META_MANAGEMENT);
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
