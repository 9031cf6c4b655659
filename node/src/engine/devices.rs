//! This account's own certificate: which devices it has, and what they are called.
//!
//! The vault keeps the certificate that the device came with. A newer one, made here or found in a
//! channel's control log, is kept in the store. Every channel that this account belongs to is told
//! of the newest by a Devices op; one that could not be told, because the daemon stopped or the
//! disk was full, is told at the next start.

use std::sync::Arc;

use kith_crdt::control::{Body, ControlLog};
use kith_crdt::encoding;
use kith_crdt::identity::{Certificate, Certified, DeviceRecord, DeviceSecrets, IdentityError};
use kith_crdt::ids::{ChannelId, DeviceId, TransportKey};
use kith_crdt::limits::{CERTIFICATE_PART_MAX, DEVICES_PER_ACCOUNT, NAME_MAX_CHARS};
use kith_crdt::time::Millis;
use kith_store::View;

use super::effect::{Outcome, Refusal};
use super::members::brought;
use super::texts::check_name;
use super::{Engine, Timer};
use crate::network::Command;

/// The name under which the newest certificate is kept.
const META_CERTIFICATE: &str = "certificate";
/// Bytes of one at most.
const CERTIFICATE_MAX: usize = (DEVICES_PER_ACCOUNT + 2) * CERTIFICATE_PART_MAX;

/// This account's devices, and what this one may do about them.
#[derive(Debug, Clone)]
pub struct OwnDevices {
    /// The newest certificate.
    pub certified: Certified,
    /// Whether this device has the management key.
    pub manages: bool,
}

impl OwnDevices {
    /// None if the device's own certificate does not hold, which no vault of ours has.
    pub(super) fn of(secrets: &DeviceSecrets) -> Option<Arc<Self>> {
        let certified = secrets.certificate.verify().ok()?;
        let manages = secrets.management.is_some();
        Some(Arc::new(Self { certified, manages }))
    }
}

impl Engine {
    /// Takes over the newest certificate that the store has.
    pub(super) fn restore_certificate(&mut self, view: &View<'_>) {
        self.secrets.certificate = self.first_certificate.clone();
        // One that cannot be read is found in the control logs.
        let kept = view.meta(META_CERTIFICATE).unwrap_or_default();
        if let Some(kept) = kept.and_then(|bytes| encoding::decode(&bytes, CERTIFICATE_MAX).ok()) {
            drop(self.secrets.adopt(kept));
        }
        self.devices = OwnDevices::of(&self.secrets);
        self.shared.put_devices(self.devices.clone());
    }

    /// Takes over what the control logs say of this account, and tells every channel that knows an
    /// older certificate.
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
        let certificate = self.secrets.admit(&record);
        self.adopt(certificate.map_err(|error| refused(&error))?);
        self.certify_everywhere(now);
        Ok(Outcome::Done)
    }

    /// Takes over a certificate of this account that a channel's control log has, if it is newer
    /// and lists this device.
    pub(super) fn hear_certificate(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.get(&id) else {
            return;
        };
        let Some(member) = channel.roster.members.get(&self.me) else {
            return;
        };
        let is_newer = self
            .certified()
            .is_some_and(|ours| member.certified.supersedes(ours));
        if !is_newer || !member.certified.devices.contains_key(&self.writer.device) {
            return;
        }
        // This very one: another channel may have one that is newer still and does not list it.
        let certificate = certificate_in(&channel.control, &member.certified);
        if certificate.is_some_and(|certificate| self.adopt(certificate)) {
            // The other channels are told when this one is done with.
            self.timers.set_by(Timer::Certify, self.now);
        }
    }

    /// Tells a channel of the newest certificate, if it knows an older one.
    pub(super) fn certify(&mut self, now: Millis, id: ChannelId) {
        let (Some(channel), Some(ours)) = (self.channels.get(&id), self.certified()) else {
            return;
        };
        let known = channel.roster.members.get(&self.me);
        let is_older = known.is_some_and(|known| ours.supersedes(&known.certified));
        if !is_older || !channel.roster.is_member(&self.me) || channel.joining.is_some() {
            return;
        }
        let certificate = self.secrets.certificate.clone();
        if let Err(refusal) = self.author_op(now, id, Body::Devices { certificate }) {
            tracing::warn!("a channel cannot be told of this account's devices: {refusal}");
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
            self.stage.send(Command::Protect(peer));
        }
        self.timers.set_by(Timer::Dial, now);
    }

    pub(super) fn certified(&self) -> Option<&Certified> {
        Some(&self.devices.as_ref()?.certified)
    }

    /// Takes over a certificate, and says whether it is newer.
    pub(super) fn adopt(&mut self, certificate: Certificate) -> bool {
        let kept = encoding::encode(&certificate);
        let newer = self.secrets.adopt(certificate).is_ok_and(|newer| newer);
        if newer {
            self.stage.batch.put_meta(META_CERTIFICATE, kept);
            self.devices = OwnDevices::of(&self.secrets);
            self.devices_changed = true;
        }
        newer
    }
}

/// The certificate that says this, as a control log has it.
fn certificate_in(control: &ControlLog, certified: &Certified) -> Option<Certificate> {
    let op = control.iter().find(|op| brought(op) == Some(certified))?;
    op.op().body.certificate().cloned()
}

pub(super) fn refused(error: &IdentityError) -> Refusal {
    match error {
        IdentityError::Name => Refusal::Usage(error.to_string()),
        IdentityError::TooManyDevices => Refusal::Limit(error.to_string()),
        _ => Refusal::Denied(error.to_string()),
    }
}
