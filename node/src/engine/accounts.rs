//! What nodes show each other of their accounts (`docs/protocol.md`, section 13).
//!
//! The devices of an account show each other their certificates whenever they meet, so that they
//! learn who belongs to them, and that they do not any more, where they share no channel. A device
//! that was recovered with the phrase knows no channel at all. It shows its certificate to
//! everybody, and whoever shares a channel with the account says which.

use std::collections::BTreeSet;

use kith_crdt::identity::{Certificate, Certified};
use kith_crdt::ids::{ChannelId, TransportKey};
use kith_crdt::sync::{Answer, Refusal as Refused, Request};
use kith_crdt::time::Millis;

use super::Engine;
use super::outstanding::Purpose;
use crate::network::Command;

/// Points for a certificate that does not hold; a hundred end the connection.
const FORGED_COST: u32 = 20;

impl Engine {
    /// Shows this account's certificate to a peer, if that is of interest to it.
    pub(super) fn show_certificate(&mut self, now: Millis, peer: TransportKey) {
        if self.own_device(&peer).is_some() || self.is_recovered() {
            self.show(now, peer);
        }
    }

    fn show(&mut self, now: Millis, peer: TransportKey) {
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
        let Ok(certified) = certificate.verify() else {
            self.stage.send(Command::Penalise {
                peer,
                cost: FORGED_COST,
            });
            return Answer::Refused(Refused::Malformed);
        };
        let is_asker = |transport| transport == peer;
        let mut transports = certified.devices.values().map(|device| device.transport);
        if !transports.any(is_asker) {
            return Answer::Refused(Refused::NotForYou);
        }
        let is_own = certified.account == self.me;
        if is_own {
            self.adopt(now, certificate.clone());
            self.certify_everywhere(now);
        }
        let channels = self.shared_with(&peer, &certified);
        self.shown.insert(peer, certified);
        Answer::Account {
            certificate: is_own.then(|| Box::new(self.secrets.certificate.clone())),
            channels,
        }
    }

    /// The channels here that a device belongs to by the certificate that it shows.
    fn shared_with(&self, peer: &TransportKey, shown: &Certified) -> Vec<ChannelId> {
        let shared = self
            .channels
            .values()
            .filter(|channel| channel.joining.is_none() && channel.roster.admits(peer, shown));
        shared.map(|channel| channel.id).collect()
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
            self.adopt(now, *certificate);
            self.certify_everywhere(now);
        }
        if !self.is_recovered() {
            return;
        }
        for id in channels {
            if self.channels.contains_key(&id) {
                self.sync_with(now, id, peer);
            } else {
                self.hear_of(now, id.tag(), peer);
            }
        }
    }

    /// Whether this account was recovered with its phrase, so that there may be channels that it
    /// does not know of.
    pub(super) fn is_recovered(&self) -> bool {
        self.certified()
            .is_some_and(|certified| certified.epoch > 1)
    }
}
