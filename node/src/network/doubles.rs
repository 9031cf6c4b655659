//! Two nodes with one key: a home, and a copy of it that somebody runs beside it.
//!
//! Over two connections of one peer requests go by turns and frames by the first alone, so that the
//! second node would hardly be heard. So there is one connection at a time, and each node has its
//! turn: the second is sent away while the first has not had its time, and dialled once it has. Each
//! run of a node draws a name, by which two nodes are told from two connections of one.

use std::time::Instant;

use kith_crdt::ids::TransportKey;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};

use super::addresses;
use super::driver::Driver;
use super::limits::{TURN, TURN_BEGINS};

/// What the name of a run begins with.
const PREFIX: &str = "kith/";

/// Draws the name of a run.
pub(super) fn instance() -> Result<String, String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    Ok(format!("{PREFIX}{:016x}", u64::from_be_bytes(bytes)))
}

/// The turn of a node that is about to begin.
pub(super) struct Turn {
    instance: String,
    /// Where it says that it is, to be dialled; nothing of a stranger, who does not have this node
    /// dial wherever they say.
    addresses: Vec<String>,
    since: Instant,
}

impl Turn {
    /// Whether it is waited for: a node that cannot be reached is not for long.
    fn is_due(&self) -> bool {
        self.since.elapsed() < TURN_BEGINS
    }
}

impl Driver {
    /// Hears which node a peer is, by its own word, and says whether it is sent away: because it is
    /// another one's turn, or because one ends with this. One that says nothing is the same as ever.
    pub(super) fn is_sent_away(
        &mut self,
        (peer, connection): (PeerId, ConnectionId),
        instance: &str,
        claimed: &[Multiaddr],
    ) -> bool {
        let Some(first) = self.peers.get_mut(&peer) else {
            return false;
        };
        if !instance.starts_with(PREFIX) {
            return false;
        }
        match self.turns.get(&peer).filter(|turn| turn.is_due()) {
            Some(turn) if turn.instance == instance => {
                first.instance = Some(instance.to_owned());
                first.since = Instant::now();
                self.turns.remove(&peer);
                return false;
            }
            Some(_) => {
                self.swarm.close_connection(connection);
                return true;
            }
            None => {}
        }
        if first.instance.get_or_insert_with(|| instance.to_owned()) == instance {
            return false;
        }
        let addresses = match self.protected.contains(&peer) {
            true => addresses::reachable(claimed, Some(&first.address)),
            false => Vec::new(),
        };
        let turn = Turn {
            instance: instance.to_owned(),
            addresses,
            since: Instant::now(),
        };
        if first.since.elapsed() >= TURN {
            self.end_turn(peer, turn);
            return true;
        }
        // Its turn comes without its dialling again, which it puts off for longer each time.
        if !turn.addresses.is_empty() {
            self.waiting.insert(peer, turn);
        }
        self.swarm.close_connection(connection);
        true
    }

    /// Has the first go, so that the second comes.
    fn end_turn(&mut self, peer: PeerId, mut next: Turn) {
        next.since = Instant::now();
        self.turns.retain(|_, turn| turn.is_due());
        self.turns.insert(peer, next);
        // An error only says that both are gone already.
        let _ = self.swarm.disconnect_peer_id(peer);
    }

    /// Ends the turns that are over, where somebody waits for that.
    pub(super) fn end_turns(&mut self) {
        let since = |peer: &PeerId| self.peers.get(peer).map(|first| first.since);
        let mut over = Vec::new();
        self.waiting.retain(|peer, _| match since(peer) {
            Some(since) if since.elapsed() >= TURN => {
                over.push(*peer);
                true
            }
            Some(_) => true,
            // Nobody is in its way.
            None => false,
        });
        for peer in over {
            if let Some(next) = self.waiting.remove(&peer) {
                self.end_turn(peer, next);
            }
        }
    }

    /// Dials the node whose turn it is, once the other is gone: before that dials.
    pub(super) fn begin_turn(&mut self, peer: &PeerId, key: TransportKey) {
        let turn = self.turns.get_mut(peer).filter(|turn| turn.is_due());
        let addresses = turn.map_or_else(Vec::new, |turn| std::mem::take(&mut turn.addresses));
        if !addresses.is_empty() {
            self.handle_dial(Some(key), addresses);
        }
    }
}
