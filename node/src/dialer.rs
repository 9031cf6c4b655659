//! The address book and the policy of dialling, as data: who is wanted, where they may be, and
//! when to try again.
//!
//! Nothing here dials. The caller asks [`Dialer::due`] whom to dial now and
//! [`Dialer::next_deadline`] when to ask again, and reports what became of it. Time and
//! randomness are arguments. Addresses are text that nobody has vouched for: a wrong one costs a
//! dial, because the handshake proves who answers.

use std::collections::BTreeMap;

use kith_crdt::encoding::{self, DecodeError};
use kith_crdt::ids::TransportKey;
use kith_crdt::limits::{ADDRESS_MAX, ADDRESSES_MAX};
use kith_crdt::time::Millis;
use minicbor::{Decode, Encode};
use rand_core::Rng;

/// Milliseconds until the first retry.
pub const BACKOFF_MIN_MS: u64 = 1_000;
/// Milliseconds between retries of a peer that stays away.
pub const BACKOFF_MAX_MS: u64 = 5 * 60_000;
/// Milliseconds that a connection has to last for the failures before it to be forgotten.
pub const STABLE_MS: u64 = 10_000;
/// Milliseconds after which a dial whose outcome was never reported is given up.
pub const DIAL_TIMEOUT_MS: u64 = 30_000;
/// Dials under way at once; the others wait their turn.
pub const DIALS_MAX: usize = 32;
/// Peers in the book. Of more, those nobody wants and nobody has reached for longest are
/// forgotten.
pub const PEERS_MAX: usize = 4_096;
/// Bytes of a stored record: eight addresses of the largest size, and framing.
const RECORD_MAX: usize = ADDRESSES_MAX * (ADDRESS_MAX + 16) + 16;

/// The address book.
#[derive(Debug, Clone, Default)]
pub struct Dialer {
    peers: BTreeMap<TransportKey, Peer>,
}

#[derive(Debug, Clone, Default)]
struct Peer {
    record: Record,
    wanted: bool,
    link: Link,
    /// Dials that failed and connections that broke at once, since the last that lasted.
    failures: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    /// Since this time.
    Connected(Millis),
    /// A dial is under way, to be given up at this time.
    Dialling(Millis),
    /// To be dialled from this time on, if wanted.
    Down(Millis),
}

impl Default for Link {
    fn default() -> Self {
        Self::Down(Millis(0))
    }
}

/// What is kept of a peer over restarts: CBOR `[[[address: text, last_success: u64 ms], …]]`, most
/// promising first, 0 for an address that never worked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Record {
    #[n(0)]
    addresses: Vec<Known>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Known {
    #[n(0)]
    address: String,
    #[n(1)]
    last_success: Millis,
}

impl Dialer {
    /// An empty book.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a peer's record out of the store into the book.
    ///
    /// # Errors
    /// [`DecodeError`] if the bytes are no record.
    pub fn restore(&mut self, peer: TransportKey, bytes: &[u8]) -> Result<(), DecodeError> {
        let record: Record = encoding::decode(bytes, RECORD_MAX)?;
        let book = &mut self.peers.entry(peer).or_default().record;
        for known in record.addresses.into_iter().rev() {
            book.learn(&known.address, known.last_success);
        }
        self.make_room(peer);
        Ok(())
    }

    /// What to keep of a peer in the store, if anything is known.
    pub fn record(&self, peer: &TransportKey) -> Option<Vec<u8>> {
        let record = &self.peers.get(peer)?.record;
        (!record.addresses.is_empty()).then(|| encoding::encode(record))
    }

    /// The addresses of a peer, most promising first.
    pub fn addresses(&self, peer: &TransportKey) -> Vec<String> {
        self.peers
            .get(peer)
            .map_or_else(Vec::new, |peer| peer.record.texts())
    }

    /// Adds addresses that somebody named. Returns whether any is news, so that the record is
    /// worth storing. News about a peer that is being waited for lead to a dial soon.
    pub fn learn(&mut self, peer: TransportKey, addresses: &[String], now: Millis) -> bool {
        let entry = self.peers.entry(peer).or_default();
        let mut news = false;
        for address in addresses.iter().take(ADDRESSES_MAX) {
            news |= entry.record.learn(address, Millis(0));
        }
        if news && let Link::Down(next) = &mut entry.link {
            *next = (*next).min(now.plus(BACKOFF_MIN_MS));
        }
        self.make_room(peer);
        news
    }

    /// Keeps a connection to a peer from now on.
    pub fn want(&mut self, peer: TransportKey) {
        self.peers.entry(peer).or_default().wanted = true;
        self.make_room(peer);
    }

    /// No longer keeps a connection to a peer. Its addresses stay known.
    pub fn unwant(&mut self, peer: &TransportKey) {
        if let Some(entry) = self.peers.get_mut(peer) {
            entry.wanted = false;
            if let Link::Dialling(_) = entry.link {
                entry.link = Link::default();
            }
        }
    }

    /// The peers to dial now with their addresses, most promising first. They count as being
    /// dialled from here on.
    pub fn due(&mut self, now: Millis) -> Vec<(TransportKey, Vec<String>)> {
        let mut room = DIALS_MAX.saturating_sub(self.dialling(now));
        let mut due = Vec::new();
        for (key, peer) in &mut self.peers {
            if room == 0 {
                break;
            }
            if peer.due_at().is_some_and(|at| at <= now) {
                peer.link = Link::Dialling(now.plus(DIAL_TIMEOUT_MS));
                due.push((*key, peer.record.texts()));
                room -= 1;
            }
        }
        due
    }

    /// When to ask [`Dialer::due`] again, if nothing else happens before. While no more dials
    /// may start, that is when the first of them is given up.
    pub fn next_deadline(&self) -> Option<Millis> {
        let given_up = |peer: &Peer| match peer.link {
            Link::Dialling(until) => Some(until),
            _ => None,
        };
        let dialling = self.peers.values().filter_map(given_up);
        if dialling.clone().count() >= DIALS_MAX {
            dialling.min()
        } else {
            self.peers.values().filter_map(Peer::due_at).min()
        }
    }

    /// Notes that a peer is connected: `dialled` is the address at which it was reached, if this
    /// node dialled. Returns whether the record is worth storing.
    pub fn succeeded(&mut self, peer: TransportKey, dialled: Option<&str>, now: Millis) -> bool {
        let entry = self.peers.entry(peer).or_default();
        entry.link = Link::Connected(now);
        let news = dialled.is_some_and(|address| entry.record.succeed(address, now));
        self.make_room(peer);
        news
    }

    /// Notes that a dial led nowhere: the peer is tried again later, each time later than before,
    /// and not in step with others who lost it at the same moment.
    pub fn failed(&mut self, peer: &TransportKey, now: Millis, rng: &mut impl Rng) {
        if let Some(entry) = self.peers.get_mut(peer)
            && !entry.is_connected()
        {
            entry.retry_later(now, rng);
        }
    }

    /// Notes that a peer's last connection is gone. It is dialled again soon, unless its
    /// connections keep breaking at once: that is failing too.
    pub fn disconnected(&mut self, peer: &TransportKey, now: Millis, rng: &mut impl Rng) {
        if let Some(entry) = self.peers.get_mut(peer) {
            if matches!(entry.link, Link::Connected(since) if now.since(since) >= STABLE_MS) {
                entry.failures = 0;
            }
            entry.retry_later(now, rng);
        }
    }

    /// Brings forward what was set before the clock fell back: no dial waits longer than the
    /// longest backoff.
    pub fn clock_fell_back(&mut self, now: Millis) {
        for peer in self.peers.values_mut() {
            match &mut peer.link {
                Link::Connected(_) => {}
                Link::Dialling(until) => *until = (*until).min(now.plus(DIAL_TIMEOUT_MS)),
                Link::Down(next) => *next = (*next).min(now.plus(BACKOFF_MAX_MS)),
            }
        }
    }

    fn dialling(&self, now: Millis) -> usize {
        let under_way = |peer: &&Peer| matches!(peer.link, Link::Dialling(until) if until > now);
        self.peers.values().filter(under_way).count()
    }

    /// Forgets one peer if there are too many, but not the one just added.
    fn make_room(&mut self, added: TransportKey) {
        if self.peers.len() <= PEERS_MAX {
            return;
        }
        let worth = |peer: &Peer| (peer.wanted, peer.is_connected(), peer.record.reached());
        let others = self.peers.iter().filter(|(key, _)| **key != added);
        if let Some((&least, _)) = others.min_by_key(|(_, peer)| worth(peer)) {
            self.peers.remove(&least);
        }
    }
}

impl Peer {
    const fn is_connected(&self) -> bool {
        matches!(self.link, Link::Connected(_))
    }

    fn retry_later(&mut self, now: Millis, rng: &mut impl Rng) {
        self.failures = self.failures.saturating_add(1);
        self.link = Link::Down(now.plus(backoff(self.failures, rng)));
    }

    /// When to dial, if at all.
    fn due_at(&self) -> Option<Millis> {
        if !self.wanted || self.record.addresses.is_empty() {
            return None;
        }
        match self.link {
            Link::Connected(_) => None,
            Link::Dialling(at) | Link::Down(at) => Some(at),
        }
    }
}

impl Record {
    /// Adds an address that is not known yet, behind those that worked later. Of too many, the
    /// one that worked longest ago goes, and of those that never worked the oldest. Returns
    /// whether it was added.
    fn learn(&mut self, address: &str, last_success: Millis) -> bool {
        let is_known = self.addresses.iter().any(|known| known.address == address);
        if is_known || !is_usable(address) {
            return false;
        }
        let at = self
            .addresses
            .partition_point(|known| known.last_success > last_success);
        self.addresses.insert(
            at,
            Known {
                address: address.to_owned(),
                last_success,
            },
        );
        self.addresses.truncate(ADDRESSES_MAX);
        at < ADDRESSES_MAX
    }

    /// Puts an address that worked in front, whatever the clock said when others did. Returns
    /// whether that changed anything.
    fn succeed(&mut self, address: &str, now: Millis) -> bool {
        if !is_usable(address) {
            return false;
        }
        let last_success = now.max(self.reached());
        let known = Known {
            address: address.to_owned(),
            last_success,
        };
        if self.addresses.first() == Some(&known) {
            return false;
        }
        self.addresses.retain(|known| known.address != address);
        self.addresses.insert(0, known);
        self.addresses.truncate(ADDRESSES_MAX);
        true
    }

    fn texts(&self) -> Vec<String> {
        self.addresses
            .iter()
            .map(|known| known.address.clone())
            .collect()
    }

    /// When the peer was last reached, at any address.
    fn reached(&self) -> Millis {
        self.addresses
            .first()
            .map_or(Millis(0), |known| known.last_success)
    }
}

/// Whether this may be an address at all.
fn is_usable(address: &str) -> bool {
    (1..=ADDRESS_MAX).contains(&address.len())
        && address.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Milliseconds to wait after so many failures: doubled each time, and of that a random part
/// between half and all.
fn backoff(failures: u32, rng: &mut impl Rng) -> u64 {
    let doublings = failures.saturating_sub(1).min(16);
    let whole = ((2 * BACKOFF_MIN_MS) << doublings).min(BACKOFF_MAX_MS);
    let half = whole / 2;
    half + rng.next_u64() % (whole - half + 1)
}

#[cfg(test)]
mod tests;
