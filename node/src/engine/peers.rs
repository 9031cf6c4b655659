//! The nodes around: who is connected, who should be, and where this node can be reached.

use std::collections::{BTreeMap, BTreeSet};

use kith_crdt::control::Roster;
use kith_crdt::ids::{ChannelId, TransportKey};
use kith_crdt::time::Millis;
use kith_store::Batch;
use rand_core::Rng;

use super::effect::Moment;
use super::{Engine, META_PORT, Timer};
use crate::dialer::Dialer;
use crate::network::Command;

/// Milliseconds between dials of bootstrap addresses that have not answered.
const BOOTSTRAP_RETRY_MS: u64 = 5_000;

/// Milliseconds until a channel is compared after its roster changed: the rest of a change may
/// still be on its way.
const ROSTER_SYNC_MS: u64 = 50;

/// A connected node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// Where it is.
    pub address: String,
    /// Since when.
    pub since: Millis,
}

/// The nodes around.
#[derive(Debug, Default)]
pub(super) struct Peers {
    connected: BTreeMap<TransportKey, Connected>,
    dialer: Dialer,
    listening: Vec<String>,
    bootstrap: Vec<String>,
    bootstrap_due: Millis,
    /// Peers whose record in the store is out of date.
    dirty: BTreeSet<TransportKey>,
}

impl Peers {
    /// Nobody, but for addresses where somebody may be.
    pub(super) fn new(bootstrap: Vec<String>) -> Self {
        Self {
            bootstrap,
            ..Self::default()
        }
    }

    /// Takes over what was stored of a peer.
    pub(super) fn restore(&mut self, peer: TransportKey, record: &[u8]) {
        if self.dialer.restore(peer, record).is_err() {
            tracing::warn!("a stored peer cannot be read and is forgotten");
        }
    }

    /// The peers that are connected.
    pub(super) fn connected(&self) -> impl Iterator<Item = &TransportKey> {
        self.connected.keys()
    }

    /// The peers that are connected, and how.
    pub(super) const fn table(&self) -> &BTreeMap<TransportKey, Connected> {
        &self.connected
    }

    /// Whether a peer is connected.
    pub(super) fn is_connected(&self, peer: &TransportKey) -> bool {
        self.connected.contains_key(peer)
    }

    /// Where this node can be reached.
    pub(super) fn own_addresses(&self) -> impl Iterator<Item = String> + '_ {
        self.listening.iter().cloned()
    }

    /// Where a peer can be reached, most promising first.
    pub(super) fn addresses(&self, peer: &TransportKey, most: usize) -> Vec<String> {
        let mut addresses = self.dialer.addresses(peer);
        addresses.truncate(most);
        addresses
    }

    /// Learns addresses of a peer; `wanted` ones are dialled.
    pub(super) fn learn(
        &mut self,
        now: Millis,
        peer: TransportKey,
        addresses: &[String],
        wanted: bool,
    ) {
        if wanted {
            self.dialer.want(peer);
        }
        if self.dialer.learn(peer, addresses, now) {
            self.dirty.insert(peer);
        }
    }

    /// Keeps a connection to a peer from now on.
    pub(super) fn want(&mut self, peer: TransportKey) {
        self.dialer.want(peer);
    }

    /// Wants no connection to a peer any more.
    pub(super) fn unwant(&mut self, peer: &TransportKey) {
        self.dialer.unwant(peer);
    }

    /// When something is to be dialled next.
    pub(super) fn next_deadline(&self) -> Option<Millis> {
        let bootstrap =
            (self.connected.is_empty() && !self.bootstrap.is_empty()).then_some(self.bootstrap_due);
        self.dialer
            .next_deadline()
            .into_iter()
            .chain(bootstrap)
            .min()
    }

    /// Sees to it that no deadline from before the clock fell back keeps anybody waiting.
    pub(super) fn clock_fell_back(&mut self, now: Millis) {
        self.dialer.clock_fell_back(now);
        self.bootstrap_due = self.bootstrap_due.min(now.plus(BOOTSTRAP_RETRY_MS));
    }

    fn dials(&mut self, now: Millis) -> Vec<Command> {
        let mut dials: Vec<Command> = self
            .dialer
            .due(now)
            .into_iter()
            .map(|(peer, addresses)| Command::Dial {
                peer: Some(peer),
                addresses,
            })
            .collect();
        if self.connected.is_empty() && self.bootstrap_due <= now {
            self.bootstrap_due = now.plus(BOOTSTRAP_RETRY_MS);
            dials.extend(self.bootstrap.iter().map(|address| Command::Dial {
                peer: None,
                addresses: vec![address.clone()],
            }));
        }
        dials
    }

    /// Stages the records of peers that were learnt about.
    pub(super) fn save(&mut self, batch: &mut Batch) {
        for peer in std::mem::take(&mut self.dirty) {
            if let Some(record) = self.dialer.record(&peer) {
                batch.put_peer(&peer, record);
            }
        }
    }
}

impl Engine {
    /// Dials whoever is due.
    pub(super) fn dial(&mut self, now: Millis) {
        for command in self.peers.dials(now) {
            self.stage.send(command);
        }
    }

    /// Wants connections to the devices that are new on a roster, and lets them connect here;
    /// takes that back for those that are not on it any more.
    pub(super) fn want_members(&mut self, now: Millis, id: ChannelId, before: &Roster) {
        let Some(channel) = self.channels.get(&id) else {
            return;
        };
        let own = self.secrets.transport_key();
        let after = if channel.roster.belongs_on(&self.me, &self.writer.device) {
            active_transports(&channel.roster)
        } else {
            BTreeSet::new()
        };
        let there = active_transports(before);
        for peer in after.difference(&there).filter(|peer| **peer != own) {
            self.peers.want(*peer);
            self.stage.send(Command::Protect(*peer));
            if self.peers.is_connected(peer) {
                self.timers
                    .set_by(Timer::Sync(id), now.plus(ROSTER_SYNC_MS));
            }
        }
        for peer in there.difference(&after) {
            self.hear_last_words(now, id, *peer);
            if !self.knows(peer) {
                self.peers.unwant(peer);
                self.stage.send(Command::Unprotect(*peer));
            }
        }
        self.timers.set_by(Timer::Dial, now);
    }

    pub(super) fn connected(
        &mut self,
        now: Millis,
        peer: TransportKey,
        address: String,
        outbound: bool,
    ) {
        if self
            .peers
            .dialer
            .succeeded(peer, outbound.then_some(address.as_str()), now)
        {
            self.peers.dirty.insert(peer);
        }
        self.peers.connected.insert(
            peer,
            Connected {
                address: address.clone(),
                since: now,
            },
        );
        self.tell_peer(peer, address, true);
        self.show_certificate(now, peer);
        let ids: Vec<ChannelId> = self.channels.keys().copied().collect();
        for id in ids {
            let channel = &self.channels[&id];
            if channel.joining.is_some() {
                self.timers.set(Timer::Keys(id), now);
            } else if channel.lost_ops {
                self.seek_ops(now, id, peer);
            } else if channel.roster.by_transport(&peer).is_some() {
                if channel.leaving.is_some() {
                    self.timers.set_by(Timer::Leave(id), now);
                }
                self.sync_with(now, id, peer);
                if !self.channels[&id].missing_epochs(&self.me, now).is_empty() {
                    self.timers.set_by(Timer::Keys(id), now);
                }
            }
        }
    }

    pub(super) fn disconnected(&mut self, now: Millis, peer: TransportKey) {
        let address = self
            .peers
            .connected
            .remove(&peer)
            .map(|known| known.address)
            .unwrap_or_default();
        self.peers.dialer.disconnected(&peer, now, &mut self.rng);
        self.shown.remove(&peer);
        self.shown_to.remove(&peer);
        self.sought.remove(&peer);
        self.forget_compared();
        for purpose in self.outstanding.drop_peer(&peer) {
            self.failed(now, peer, purpose);
        }
        self.tell_peer(peer, address, false);
    }

    pub(super) fn dial_failed(&mut self, now: Millis, peer: Option<TransportKey>) {
        if let Some(peer) = peer {
            self.peers.dialer.failed(&peer, now, &mut self.rng);
        }
    }

    pub(super) fn discovered(&mut self, now: Millis, peer: TransportKey, addresses: &[String]) {
        let joining = self.seeks_channels(now)
            || self
                .channels
                .values()
                .any(|channel| channel.joining.is_some() || channel.lost_ops);
        let known = self.knows(&peer);
        // A stranger is of interest only to somebody who looks for a way in.
        if known || joining {
            self.peers.learn(now, peer, addresses, known);
            if joining && !self.peers.is_connected(&peer) {
                self.stage.send(Command::Dial {
                    peer: Some(peer),
                    addresses: addresses.to_vec(),
                });
            }
        }
    }

    pub(super) fn identified(&mut self, now: Millis, peer: TransportKey, addresses: &[String]) {
        if self.knows(&peer) {
            self.peers.learn(now, peer, addresses, false);
        }
    }

    pub(super) fn listening(&mut self, now: Millis, address: String) {
        if let Some(port) = tcp_port(&address) {
            self.stage
                .batch
                .put_meta(META_PORT, kith_crdt::encoding::encode(&port));
        }
        if !self.peers.listening.contains(&address) {
            self.peers.listening.push(address);
            self.peers_changed = true;
            self.announce_everywhere(now);
        }
    }

    pub(super) fn not_listening(&mut self, now: Millis, address: &str) {
        self.peers.listening.retain(|known| known != address);
        self.peers_changed = true;
        self.announce_everywhere(now);
    }

    fn announce_everywhere(&mut self, now: Millis) {
        for id in self.channels.keys() {
            self.timers.set_by(Timer::Beacon(*id), now.plus(500));
        }
    }

    pub(super) fn knows(&self, peer: &TransportKey) -> bool {
        let mut channels = self.channels.values();
        channels.any(|channel| channel.roster.by_transport(peer).is_some())
            || self.own_device(peer).is_some()
    }

    fn tell_peer(&mut self, peer: TransportKey, address: String, connected: bool) {
        let known = self.channels.values().find_map(|channel| {
            channel
                .roster
                .by_transport(&peer)
                .map(|(device, known)| (device, known.account))
        });
        let known = known.or_else(|| Some((self.own_device(&peer)?, self.me)));
        self.peers_changed = true;
        self.stage.tell(Moment::Peer {
            device: known.map(|(device, _)| device),
            account: known.map(|(_, account)| account),
            address,
            connected,
        });
    }

    /// A number below `below`, unless that is 0.
    pub(super) fn pick(&mut self, below: usize) -> Option<usize> {
        (below > 0).then(|| (self.rng.next_u64() % below as u64) as usize)
    }

    /// Up to so many milliseconds.
    pub(super) fn jitter(&mut self, most: u64) -> u64 {
        self.rng.next_u64() % most.max(1)
    }
}

/// The TCP port in an address.
fn tcp_port(address: &str) -> Option<u16> {
    let (_, after) = address.split_once("/tcp/")?;
    after.split('/').next()?.parse().ok()
}

fn active_transports(roster: &Roster) -> BTreeSet<TransportKey> {
    let active = roster.devices.values().filter(|device| device.active);
    active.map(|device| device.transport).collect()
}
