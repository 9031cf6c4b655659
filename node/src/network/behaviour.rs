//! The protocols that a node speaks, put together, and the transport under them.

use std::io;
use std::net::TcpListener;
use std::num::NonZeroU8;
use std::sync::Arc;

use kith_crdt::limits::ADDRESSES_MAX;
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::identity::Keypair;
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{
    Multiaddr, PeerId, Swarm, SwarmBuilder, allow_block_list, identify, mdns, noise, ping, tcp,
    yamux,
};

use super::codec::{self, SyncCodec};
use super::counters::Counters;
use super::doubles;
use super::gate::Gated;
use super::{LISTEN_DEFAULT, NetworkConfig, NetworkError, addresses, keys, limits};

/// What every Kith node says it speaks; others are not talked to.
pub(super) const PROTOCOL_FAMILY: &str = "kith/";

const PROTOCOL_VERSION: &str = "kith/1";

/// The protocols. Those that refuse connections come first: the ones after them remember a
/// connection as soon as they are asked about it, and are not told when a later one refuses it.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    pub(super) refused: allow_block_list::Behaviour<allow_block_list::BlockedPeers>,
    pub(super) per_peer: connection_limits::Behaviour,
    pub(super) total: connection_limits::Behaviour,
    pub(super) gossip: Gated,
    pub(super) sync: request_response::Behaviour<SyncCodec>,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    mdns: Toggle<mdns::tokio::Behaviour>,
}

/// Builds a swarm: TCP, Noise, Yamux, and the protocols.
pub(super) fn swarm(
    config: &NetworkConfig,
    counters: Arc<Counters>,
) -> Result<Swarm<Behaviour>, NetworkError> {
    let setup = |reason: String| NetworkError::Setup(reason);
    let keypair = keys::keypair(&config.transport_seed);
    let behaviour = protocols(&keypair, config.mdns, counters).map_err(setup)?;
    let builder = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(
            tcp::Config::default().nodelay(true),
            noise::Config::new,
            multiplexer,
        )
        .map_err(|error| setup(error.to_string()))?
        .with_behaviour(|_| behaviour)
        .map_err(|never| match never {})?;
    let concurrency = NonZeroU8::new(ADDRESSES_MAX as u8).expect("more than one address is tried");
    let swarm = builder
        .with_swarm_config(|swarm| {
            swarm
                .with_idle_connection_timeout(limits::IDLE_TIMEOUT)
                .with_max_negotiating_inbound_streams(limits::STREAMS_NEGOTIATING)
                .with_dial_concurrency_factor(concurrency)
        })
        .with_connection_timeout(limits::HANDSHAKE_TIMEOUT)
        .build();
    Ok(swarm)
}

/// Listens on the addresses named, all of them; or, if none is, on the default ones, at least
/// one of them: many machines have no IPv6.
pub(super) fn listen(
    swarm: &mut Swarm<Behaviour>,
    addresses: &[String],
) -> Result<(), NetworkError> {
    if !addresses.is_empty() {
        return addresses
            .iter()
            .try_for_each(|address| listen_on(swarm, address));
    }
    let results = LISTEN_DEFAULT.map(|address| listen_on(swarm, address));
    if results.iter().any(Result::is_ok) {
        Ok(())
    } else {
        results.into_iter().collect()
    }
}

fn listen_on(swarm: &mut Swarm<Behaviour>, address: &str) -> Result<(), NetworkError> {
    let parsed: Multiaddr = address.parse().map_err(|_| NetworkError::Address {
        address: address.to_owned(),
    })?;
    check_free(&parsed).map_err(|error| NetworkError::Listen {
        address: address.to_owned(),
        reason: error.to_string(),
    })?;
    swarm
        .listen_on(parsed)
        .map(|_| ())
        .map_err(|error| NetworkError::Listen {
            address: address.to_owned(),
            reason: error.to_string(),
        })
}

/// Checks that nobody listens on a port yet. The transport's own sockets share theirs with anybody
/// who shares, so that two nodes would each get some of the connections meant for one.
fn check_free(address: &Multiaddr) -> io::Result<()> {
    match addresses::socket(address) {
        Some(socket) if socket.port() != 0 => TcpListener::bind(socket).map(drop),
        _ => Ok(()),
    }
}

fn multiplexer() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(limits::STREAMS);
    config
}

fn protocols(keypair: &Keypair, mdns: bool, counters: Arc<Counters>) -> Result<Behaviour, String> {
    Ok(Behaviour {
        refused: allow_block_list::Behaviour::default(),
        per_peer: connection_limits::Behaviour::new(
            ConnectionLimits::default()
                .with_max_established_per_peer(Some(limits::CONNECTIONS_PER_PEER)),
        ),
        total: connection_limits::Behaviour::new(
            ConnectionLimits::default()
                .with_max_pending_incoming(Some(limits::HANDSHAKES_IN))
                .with_max_pending_outgoing(Some(limits::HANDSHAKES_OUT))
                .with_max_established_incoming(Some(limits::CONNECTIONS_IN))
                .with_max_established(Some(limits::CONNECTIONS)),
        ),
        gossip: Gated::new(counters)?,
        sync: request_response::Behaviour::new(
            [(codec::PROTOCOL, ProtocolSupport::Full)],
            request_response::Config::default()
                .with_request_timeout(limits::REQUEST_TIMEOUT)
                .with_max_concurrent_streams(limits::STREAMS_SYNC),
        ),
        identify: identify::Behaviour::new(
            identify::Config::new(PROTOCOL_VERSION.to_owned(), keypair.public())
                // What software a node runs, and in which version, is nobody's business. Which
                // run it is, whoever talks to it has to know (`doubles`).
                .with_agent_version(doubles::instance()?)
                .with_push_listen_addr_updates(true)
                // The engine keeps the address book.
                .with_cache_size(0),
        ),
        ping: ping::Behaviour::new(
            ping::Config::new()
                .with_interval(limits::PING)
                .with_timeout(limits::PING),
        ),
        mdns: discovery(mdns, keypair.public().to_peer_id()).into(),
    })
}

/// Discovery on the local network, where wanted and possible. A machine without multicast does
/// without.
fn discovery(wanted: bool, local: PeerId) -> Option<mdns::tokio::Behaviour> {
    if !wanted {
        return None;
    }
    mdns::tokio::Behaviour::new(mdns::Config::default(), local)
        .inspect_err(|error| tracing::warn!(%error, "no discovery on the local network"))
        .ok()
}
