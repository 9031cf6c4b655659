//! Telling the channels of what is certified of this account.
//!
//! Every channel that the account belongs to is told by a Devices op, with what is here of the
//! messages of devices that it cuts off. Whoever made the list tells it at once, another device
//! only if that has not happened soon; and nobody says what they have before they have compared
//! the channel, for what they lack would be hidden from everybody. One that could not be told,
//! because the daemon stopped or the disk was full, is told at the next start.

use kith_crdt::control::{Body, ControlLog, LastSeen, VerifiedOp};
use kith_crdt::encoding;
use kith_crdt::identity::{Certificate, Certified, Cut};
use kith_crdt::ids::{ChannelId, DeviceId, TransportKey};
use kith_crdt::time::Millis;
use minicbor::{Decode, Encode};

use crate::engine::channel::Channel;
use crate::engine::members::brought;
use crate::engine::{Engine, Timer};

/// The name under which it is kept how the account was recovered.
pub const META_RECOVERY: &str = "recovery";
/// Milliseconds that the device which made a certificate has to tell the channels of it: if others
/// do at the same time, each says what it had of the devices that are cut off.
const MAKER_TELLS_MS: u64 = 10_000;

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

impl Engine {
    /// Takes over what the control logs say of this account, and tells every channel that knows
    /// less.
    pub(in crate::engine) fn settle_certificate(&mut self, now: Millis) {
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

    /// Takes over what the certificates in a channel's control log say beyond what is known.
    pub(in crate::engine) fn hear_certificate(&mut self, id: ChannelId) {
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
    pub(in crate::engine) fn hear(&mut self, now: Millis, certificate: Certificate) {
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
    pub(in crate::engine) fn certify(&mut self, now: Millis, id: ChannelId) {
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

    /// Notes that a channel was compared to the end with somebody.
    pub(in crate::engine) fn note_compared(
        &mut self,
        now: Millis,
        id: ChannelId,
        peer: TransportKey,
    ) {
        if self.is_peer_revoked(id, &peer) {
            return;
        }
        let channel = self.channels.get_mut(&id);
        if channel.is_some_and(|channel| !std::mem::replace(&mut channel.compared, true)) {
            self.certify(now, id);
        }
    }

    /// Forgets that channels were compared with whose members nobody is connected any more.
    pub(in crate::engine) fn forget_compared(&mut self) {
        let connected = &self.peers;
        for channel in self.channels.values_mut().filter(|it| it.compared) {
            let mut peers = connected.connected();
            channel.compared = peers.any(|peer| channel.roster.by_transport(peer).is_some());
        }
    }

    pub(in crate::engine) fn certify_everywhere(&mut self, now: Millis) {
        let ids: Vec<ChannelId> = self.channels.keys().copied().collect();
        for id in ids {
            self.certify(now, id);
        }
    }
}

impl Channel {
    /// What this node has of the messages of some devices.
    pub(in crate::engine) fn last_seen(&self, whose: impl Fn(&DeviceId) -> bool) -> LastSeen {
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
