//! What nodes show each other of their accounts (`docs/protocol.md`, section 13).
//!
//! The devices of an account show each other their certificates whenever they meet, so that they
//! learn who belongs to them, and that they do not any more, where they share no channel. A device
//! that was recovered with the phrase knows no channel at all. It shows its certificate to
//! everybody, and whoever shares a channel with the account says which.

use std::collections::{BTreeSet, VecDeque};

use kith_crdt::identity::{Certificate, Certified};
use kith_crdt::ids::{ChannelId, TransportKey};
use kith_crdt::sync::{Answer, Refusal as Refused, Request};
use kith_crdt::time::{DAY_MS, Millis};

use super::Engine;
use super::channel::Channel;
use super::outstanding::Purpose;
use crate::network::Command;

/// Milliseconds after a recovery during which everybody is asked for channels of the account.
const SEEKS_MS: u64 = 7 * DAY_MS;
/// Different certificates that a peer shows in the time of one connection.
const SHOWN_TIMES: u8 = 8;
/// Points for a certificate that does not hold; a hundred end the connection.
const FORGED_COST: u32 = 20;

/// What a peer has shown of its account.
#[derive(Debug)]
pub(super) struct Shown {
    certificate: Certificate,
    pub(super) certified: Certified,
    times: u8,
}

impl Engine {
    /// Shows this account's certificate to a peer, if that is of interest to it.
    pub(super) fn show_certificate(&mut self, now: Millis, peer: TransportKey) {
        if self.own_device(&peer).is_some() || self.seeks_channels(now) {
            self.show(now, peer);
        }
    }

    /// Shows this account's certificate to a member who refuses this device: it may not have heard
    /// of it.
    pub(super) fn show_refused(&mut self, now: Millis, peer: TransportKey) {
        if !self.shown_to.contains(&peer) {
            self.show(now, peer);
        }
    }

    pub(super) fn show(&mut self, now: Millis, peer: TransportKey) {
        self.shown_to.insert(peer);
        let certificate = Box::new(self.secrets.certificate.clone());
        self.ask(now, peer, Purpose::Account, &Request::Account(certificate));
    }

    /// Shows a new certificate to the account's other devices that are connected, those among them
    /// that it cuts off.
    pub(super) fn show_change(&mut self, now: Millis, before: &Certified) {
        let after = self.certified().into_iter();
        let after = after.flat_map(|certified| certified.devices.values());
        let own = self.secrets.transport_key();
        let concerned: BTreeSet<TransportKey> = before
            .devices
            .values()
            .chain(after)
            .map(|device| device.transport)
            .filter(|transport| *transport != own && self.peers.is_connected(transport))
            .collect();
        for peer in concerned {
            self.show(now, peer);
        }
    }

    /// Answers whoever shows the certificate of their account.
    pub(super) fn answer_account(
        &mut self,
        now: Millis,
        peer: TransportKey,
        certificate: &Certificate,
    ) -> Answer {
        let known = self.shown.get(&peer);
        if !known.is_some_and(|known| known.certificate == *certificate) {
            let times = known.map_or(0, |known| known.times);
            if times == SHOWN_TIMES {
                return Answer::Refused(Refused::Busy);
            }
            let certified = certificate.verify();
            let is_theirs = |certified: &Certified| {
                let mut devices = certified.devices.values();
                devices.any(|device| device.transport == peer)
            };
            let Some(certified) = certified.ok().filter(is_theirs) else {
                // No device of ours shows what does not hold, or does not list it.
                self.stage.send(Command::Penalise {
                    peer,
                    cost: FORGED_COST,
                });
                return Answer::Refused(Refused::Malformed);
            };
            let shown = Shown {
                certificate: certificate.clone(),
                certified,
                times: times + 1,
            };
            self.shown.insert(peer, shown);
        }
        let account = self.shown[&peer].certified.account;
        let is_own = account == self.me;
        if is_own {
            self.hear(now, certificate.clone());
        }
        let channels = self.shared_with(&peer);
        // By that it is a member's device, whether or not this channel has been told: it is asked
        // for the op that says so.
        for id in &channels {
            self.sync_with(now, *id, peer);
        }
        Answer::Account {
            certificate: is_own.then(|| Box::new(self.secrets.certificate.clone())),
            channels,
        }
    }

    /// The channels here that a device belongs to by the certificate that it shows.
    fn shared_with(&self, peer: &TransportKey) -> Vec<ChannelId> {
        let shared = self.channels.values().filter(|channel| {
            channel.joining.is_none()
                && self.is_vouched(channel, peer)
                && !self.is_peer_revoked(channel.id, peer)
        });
        shared.map(|channel| channel.id).collect()
    }

    /// Whether a peer is a member's device by what it has shown.
    pub(super) fn is_vouched(&self, channel: &Channel, peer: &TransportKey) -> bool {
        let shown = self.shown.get(peer);
        shown.is_some_and(|shown| channel.roster.admits(peer, &shown.certified))
    }

    /// The connected devices of this account that a channel knows to be cut off. After a recovery
    /// they may have what nobody else has.
    pub(super) fn cut_off_devices(&self, id: ChannelId) -> Vec<TransportKey> {
        let Some(channel) = self.channels.get(&id) else {
            return Vec::new();
        };
        let devices = channel.roster.devices.iter();
        let cut_off = devices.filter(|(id, known)| {
            known.account == self.me && channel.roster.is_cut_off(id) && !self.is_revoked(id)
        });
        let transports = cut_off.map(|(_, known)| known.transport);
        transports
            .filter(|transport| self.peers.is_connected(transport))
            .collect()
    }

    /// Takes what a peer knows of this account.
    pub(super) fn take_account(&mut self, now: Millis, peer: TransportKey, answer: Answer) {
        let Answer::Account {
            certificate,
            channels,
        } = answer
        else {
            return;
        };
        if let Some(certificate) = certificate {
            self.hear(now, *certificate);
        }
        let (known, unknown): (Vec<ChannelId>, Vec<ChannelId>) = channels
            .into_iter()
            .partition(|id| self.channels.contains_key(id));
        for id in known {
            self.sync_with(now, id, peer);
        }
        if self.seeks_channels(now) {
            // In the place of those that it named before, so that they do not pile up.
            let tags = unknown.iter().map(ChannelId::tag).collect();
            self.sought.insert(peer, tags);
            self.seek_next(now, peer);
        }
    }

    /// Asks a peer for the next of the channels that it named: one at a time, so that nobody fills
    /// this node's memory with them.
    pub(super) fn seek_next(&mut self, now: Millis, peer: TransportKey) {
        while !self.outstanding.hearing(&peer) {
            let next = self.sought.get_mut(&peer).and_then(VecDeque::pop_front);
            let Some(tag) = next else {
                self.sought.remove(&peer);
                return;
            };
            if !self.tags.contains_key(&tag) && !self.is_declined(&tag) {
                self.ask_for_channel(now, tag, peer);
            }
        }
    }

    /// Asks everybody who is connected once more for channels of an account that was recovered.
    pub(super) fn seek_channels(&mut self, now: Millis) {
        if self.seeks_channels(now) {
            let peers: Vec<TransportKey> = self.peers.connected().copied().collect();
            for peer in peers {
                self.show(now, peer);
            }
        }
    }

    /// Whether this account was recovered with its phrase not long ago, so that there may be
    /// channels that it does not know of.
    pub(super) fn seeks_channels(&self, now: Millis) -> bool {
        self.certified().is_some_and(|certified| {
            let recovered_at = Millis(u64::from(certified.epoch) * 1_000);
            certified.epoch > 1 && now.since(recovered_at) < SEEKS_MS
        })
    }
}
