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
use super::limits::TURN;

/// What the name of a run begins with.
const PREFIX: &str = "kith/";

/// Draws the name of a run.
pub(super) fn instance() -> Result<String, String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    Ok(format!("{PREFIX}{:016x}", u64::from_be_bytes(bytes)))
}

impl Driver {
    /// Whether a peer that is connected says that it is another node than it said before. One that
    /// says nothing is none.
    pub(super) fn is_double(&mut self, peer: PeerId, instance: &str) -> bool {
        let Some(known) = self.peers.get_mut(&peer) else {
            return false;
        };
        if !instance.starts_with(PREFIX) {
            return false;
        }
        known.instance.get_or_insert_with(|| instance.to_owned()) != instance
    }

    /// Ends the turn of the first node, or sends the second away for now.
    pub(super) fn take_turns(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        claimed: &[Multiaddr],
    ) {
        let Some(first) = self.peers.get(&peer) else {
            return;
        };
        if Instant::now().duration_since(first.since) < TURN {
            self.swarm.close_connection(connection);
            return;
        }
        let next = addresses::reachable(claimed, Some(&first.address));
        self.turns.insert(peer, next);
        // An error only says that both are gone already.
        let _ = self.swarm.disconnect_peer_id(peer);
    }

    /// Dials the node whose turn it is, once the other is gone: before that dials.
    pub(super) fn begin_turn(&mut self, peer: &PeerId, key: TransportKey) {
        if let Some(next) = self.turns.remove(peer) {
            self.handle_dial(Some(key), next);
        }
    }
}
