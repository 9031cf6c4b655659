//! Showing a link to a new device of this account, and taking that device in (`device_link` in the
//! core has the exchange).
//!
//! There is one link at a time, in memory alone: a daemon that starts again knows none. Before
//! somebody has typed its code nothing that a device does gets it anything. Once it is certified it
//! gets the certificate whenever it asks, whatever has become of the link: otherwise the account
//! would list a device that nobody has.

use std::sync::Arc;

use kith_crdt::crypto::secret::Secret;
use kith_crdt::crypto::sign::{SecretKey, Signed};
use kith_crdt::device_link::{Ask, Code, DeviceLink, Linked};
use kith_crdt::identity::{DeviceRecord, IdentityError};
use kith_crdt::ids::{DeviceId, TransportKey};
use kith_crdt::limits::{
    ADDRESSES_MAX, DEVICE_LINK_LIFE_MAX_MS, DEVICE_LINK_TRIES, DEVICES_PER_ACCOUNT,
};
use kith_crdt::sync::{Answer, Refusal as Refused};
use kith_crdt::time::Millis;
use rand_core::Rng;

use super::Engine;
use super::devices::refused;
use super::effect::{Outcome, Refusal};

/// Milliseconds of silence after which a new device counts as gone: it asks twice a second.
const SILENT_MS: u64 = 3_000;

/// A link that is shown, and how far a device has come with it.
#[derive(Debug)]
pub(super) struct Linking {
    /// Tells it from the one before it.
    id: String,
    link: DeviceLink,
    /// Whether the new device is to manage as well.
    manages: bool,
    /// Devices that may still ask.
    asks_left: u8,
    /// Codes that may still be typed wrongly.
    codes_left: u8,
    asked: Option<Asked>,
}

/// A device that proved the link.
#[derive(Debug)]
struct Asked {
    peer: TransportKey,
    ask: Ask,
    record: DeviceRecord,
    nonce: [u8; 32],
    /// Known once the device has opened its commitment.
    code: Option<Code>,
    /// When it last asked whether the code has been typed. It does so only once somebody has said
    /// there that the pictures are the same.
    waits_at: Option<Millis>,
    is_linked: bool,
}

/// How a link stands, for those who watch it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkView {
    /// Tells it from the one before it.
    pub id: String,
    /// When it expires.
    pub expires_at: Millis,
    /// How far it has come.
    pub stage: LinkStage,
}

/// How far a link has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkStage {
    /// Nobody has used it.
    Shown,
    /// A device waits for its code to be typed.
    Asked {
        /// What it calls itself.
        name: String,
        /// What it has to show, each picture with its name.
        pictures: [(&'static str, &'static str); 4],
        /// Whether it is to manage the account's devices as well.
        manages: bool,
        /// Codes that may still be typed wrongly.
        codes_left: u8,
    },
    /// The device belongs to the account.
    Linked {
        /// Which it is.
        device: DeviceId,
        /// What it calls itself.
        name: String,
    },
    /// Nothing comes of it any more: it was tried too often.
    Over,
}

impl Linking {
    const fn is_over(&self) -> bool {
        self.codes_left == 0
    }

    fn stage(&self) -> LinkStage {
        if self.is_over() {
            return LinkStage::Over;
        }
        match &self.asked {
            Some(asked) if asked.is_linked => LinkStage::Linked {
                device: asked.record.device,
                name: asked.record.name.clone(),
            },
            Some(Asked {
                code: Some(code),
                record,
                ..
            }) => LinkStage::Asked {
                name: record.name.clone(),
                pictures: code.pictures(),
                manages: self.manages,
                codes_left: self.codes_left,
            },
            // Of a device that has not opened its commitment there is nothing to be compared.
            _ => LinkStage::Shown,
        }
    }
}

impl Engine {
    /// Shows a link for a new device, in the place of the one before it.
    ///
    /// # Errors
    /// [`Refusal`] if this device may not manage, the account has as many devices as it may have,
    /// or the link is to hold for too long.
    pub(super) fn show_link(
        &mut self,
        now: Millis,
        manages: bool,
        expires_at: Millis,
    ) -> Result<Outcome, Refusal> {
        if self.secrets.management.is_none() {
            return Err(refused(&IdentityError::NoManagementKey));
        }
        let certified = self
            .certified()
            .ok_or_else(|| refused(&IdentityError::NotListed))?;
        if certified.devices.len() >= DEVICES_PER_ACCOUNT {
            return Err(refused(&IdentityError::TooManyDevices));
        }
        if expires_at <= now || expires_at > now.plus(DEVICE_LINK_LIFE_MAX_MS) {
            return Err(Refusal::Usage(
                "a link for a device holds for a day at most: give it less".into(),
            ));
        }
        let link = DeviceLink {
            account: self.me,
            name: certified.name.clone(),
            secret: Secret::random(&mut self.rng),
            expires_at,
            host: self.secrets.transport_key(),
            addresses: self.peers.own_addresses().take(ADDRESSES_MAX).collect(),
        };
        let text = link.to_string();
        let id = link.id();
        self.linking = Some(Linking {
            id: id.clone(),
            link,
            manages,
            asks_left: DEVICE_LINK_TRIES,
            codes_left: DEVICE_LINK_TRIES,
            asked: None,
        });
        self.tell_linking();
        Ok(Outcome::LinkShown {
            id,
            link: text,
            expires_at,
        })
    }

    /// Takes a link back; one that another has taken the place of is back already.
    pub(super) fn withdraw_link(&mut self, id: &str) -> Outcome {
        if self
            .linking
            .as_ref()
            .is_some_and(|linking| linking.id == id)
        {
            self.linking = None;
            self.tell_linking();
        }
        Outcome::Done
    }

    /// Takes back whatever link there is.
    pub(super) fn withdraw_any_link(&mut self) {
        if self.linking.take().is_some() {
            self.tell_linking();
        }
    }

    /// Answers a device that wants to belong to this account.
    pub(super) fn answer_link(&mut self, now: Millis, peer: TransportKey, ask: &Ask) -> Answer {
        let own = self.secrets.transport_key();
        let Some(linking) = &self.linking else {
            return Answer::Refused(Refused::LinkOver);
        };
        if ask.verify(&linking.link, (&own, &peer)).is_err() {
            return Answer::Refused(Refused::NotForYou);
        }
        // It may not have heard the answer.
        let same = linking.asked.as_ref();
        if let Some(asked) = same.filter(|asked| asked.peer == peer && asked.ask == *ask) {
            return Answer::LinkNonce { nonce: asked.nonce };
        }
        let is_used = linking.asked.as_ref().is_some_and(|asked| asked.is_linked);
        if is_used || linking.is_over() || linking.asks_left == 0 {
            return Answer::Refused(Refused::LinkOver);
        }
        if linking.link.expires_at <= now {
            return Answer::Refused(Refused::LinkExpired);
        }
        let Some(record) = self.acceptable(&ask.record, &peer) else {
            return Answer::Refused(Refused::Malformed);
        };
        let mut nonce = [0; 32];
        self.rng.fill_bytes(&mut nonce);
        if let Some(linking) = &mut self.linking {
            linking.asks_left -= 1;
            linking.asked = Some(Asked {
                peer,
                ask: ask.clone(),
                record,
                nonce,
                code: None,
                waits_at: None,
                is_linked: false,
            });
        }
        self.tell_linking();
        Answer::LinkNonce { nonce }
    }

    /// What a new device says of itself, if that is of this account and of whoever says it.
    fn acceptable(&self, record: &Signed, peer: &TransportKey) -> Option<DeviceRecord> {
        let record = DeviceRecord::verify(record).ok()?;
        let known = &self.certified()?.devices;
        let fits = record.account == self.me && record.transport == *peer;
        (fits && !known.contains_key(&record.device)).then_some(record)
    }

    /// Answers a device that shows the nonce it committed to.
    pub(super) fn answer_opening(
        &mut self,
        now: Millis,
        peer: TransportKey,
        nonce: &[u8; 32],
    ) -> Answer {
        if self.own_device(&peer).is_some() {
            return Answer::Linked(Box::new(self.handed_to(&peer)));
        }
        let own = self.secrets.transport_key();
        let Some(linking) = self.linking.as_mut().filter(|linking| !linking.is_over()) else {
            return Answer::Refused(Refused::LinkOver);
        };
        let Some(asked) = linking.asked.as_mut().filter(|asked| asked.peer == peer) else {
            return Answer::Refused(Refused::LinkOver);
        };
        if linking.link.expires_at <= now {
            return Answer::Refused(Refused::LinkExpired);
        }
        if !asked.ask.is_opened_by(nonce, &peer) {
            return Answer::Refused(Refused::NotForYou);
        }
        if asked.code.is_some() {
            asked.waits_at = Some(now);
        } else {
            let nonces = (&asked.nonce, nonce);
            let code = linking.link.code((&own, &peer), &asked.ask.record, nonces);
            asked.code = Some(code);
            self.tell_linking();
        }
        Answer::LinkAwaited
    }

    /// What a device of this account is handed.
    fn handed_to(&self, peer: &TransportKey) -> Linked {
        let manages = self.own_device(peer).is_some_and(|device| {
            let certified = self.certified();
            certified.is_some_and(|certified| certified.managing.contains(&device))
        });
        let management = self.secrets.management.as_ref().filter(|_| manages);
        Linked {
            certificate: self.secrets.certificate.clone(),
            management: management.map(SecretKey::seed),
        }
    }

    /// Takes the device in whose code somebody has typed.
    ///
    /// # Errors
    /// [`Refusal`] if no device waits, or it is another code.
    pub(super) fn confirm_link(
        &mut self,
        now: Millis,
        id: &str,
        typed: &str,
    ) -> Result<Outcome, Refusal> {
        let shown = self.linking.as_mut().filter(|linking| linking.id == id);
        let waiting = shown.filter(|linking| !linking.is_over());
        let waiting = waiting.and_then(|linking| {
            let expires_at = linking.link.expires_at;
            let asked = linking.asked.as_ref()?;
            let code = asked.code.filter(|_| !asked.is_linked)?;
            let record = asked.ask.record.clone();
            let waits = asked.waits_at.is_some_and(|at| at.plus(SILENT_MS) > now);
            (expires_at > now).then_some((linking, code, record, waits))
        });
        let Some((linking, code, record, waits)) = waiting else {
            return Err(Refusal::NotFound(
                "no device waits for its code: show a new link with `kith device link`".into(),
            ));
        };
        if !Code::is_one(typed) {
            return Err(Refusal::Usage(
                "a code has six digits: type those that the new device shows".into(),
            ));
        }
        // A device that is gone would be in the account for good, and nobody would have it.
        if !waits {
            return Err(Refusal::Unreachable(
                "the new device does not wait for its code: say there first that the pictures are \
                 the same; if its `kith device join` has ended, begin it again with the same link"
                    .into(),
            ));
        }
        if !code.is_typed(typed) {
            linking.codes_left -= 1;
            let told = other_code(linking.codes_left);
            self.tell_linking();
            return Err(Refusal::Denied(told));
        }
        let certificate = self.secrets.admit(&record, linking.manages);
        let certificate = certificate.map_err(|error| refused(&error))?;
        self.adopt(now, certificate);
        self.want_own_devices(now);
        self.certify_everywhere(now);
        if let Some(linking) = &mut self.linking
            && let Some(asked) = &mut linking.asked
        {
            asked.is_linked = true;
        }
        self.tell_linking();
        Ok(Outcome::Done)
    }

    /// Has those who watch see how the link stands, once the turn is durable.
    pub(super) fn tell_linking(&mut self) {
        let view = self.linking.as_ref().map(|linking| {
            Arc::new(LinkView {
                id: linking.id.clone(),
                expires_at: linking.link.expires_at,
                stage: linking.stage(),
            })
        });
        self.stage.linking = Some(view);
    }
}

fn other_code(left: u8) -> String {
    match left {
        0 => "that is not the code either: nothing was handed over, and the link is not good any \
              more; make a new one with `kith device link`"
            .to_owned(),
        left => format!(
            "that is not the code that this device has made: type the six digits from the new \
             device, {left} more tr{}; if they are what you typed, somebody stands between the two, \
             so stop here",
            if left == 1 { "y" } else { "ies" }
        ),
    }
}
