//! The border to libp2p: connections, gossip and the requests of sync, as plain commands and
//! events.
//!
//! Nothing in here decides what a frame or a sync message means, or whom to know: it carries
//! bytes between the engine and peers, says who is there, and keeps every peer within its bounds.
//! No libp2p type leaves this module.
//!
//! **Invariant: no peer can make this node's memory grow without bound.** Every queue, message
//! and table has a limit (`limits.rs`); where the engine does not keep up, frames are ignored and
//! requests refused, and past that the sockets are simply not read.

mod addresses;
mod behaviour;
mod codec;
mod counters;
mod doubles;
mod driver;
mod exchange;
mod frames;
mod gate;
mod gossip;
mod keys;
mod limits;
mod outbox;
mod standing;
mod swarm_events;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use kith_crdt::crypto::secret::Secret;
use kith_crdt::ids::TransportKey;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use counters::Counters;
pub use counters::Counts;
use driver::Driver;

/// Addresses listened on where none are named: every interface, a port of the system's choice.
pub const LISTEN_DEFAULT: [&str; 2] = ["/ip4/0.0.0.0/tcp/0", "/ip6/::/tcp/0"];

/// How the network is started.
#[derive(Debug, Clone)]
pub struct NetworkConfig {
    /// The seed of this device's Ed25519 transport key, which peers know it by.
    pub transport_seed: Secret,
    /// Multiaddresses to listen on; [`LISTEN_DEFAULT`] if empty.
    pub listen: Vec<String>,
    /// Whether to announce this node on the local network and look for others there.
    pub mdns: bool,
}

/// What the engine asks of the network. No command has an error: what can go wrong comes back as
/// a [`NetworkEvent`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Listens to a gossip topic.
    Subscribe(String),
    /// Stops listening to a gossip topic.
    Unsubscribe(String),
    /// Sends a sealed frame to whoever listens to the topic. That nobody does is no error: gossip
    /// is a hint.
    Publish {
        /// The topic of the epoch the frame is sealed for.
        topic: String,
        /// The sealed frame, at most `FRAME_SEALED_MAX` bytes.
        data: Vec<u8>,
    },
    /// Sends a sync request to a connected peer. [`NetworkEvent::Answered`] or
    /// [`NetworkEvent::RequestFailed`] follows, exactly once.
    Request {
        /// The engine's own number for it.
        id: u64,
        /// Whom to ask.
        peer: TransportKey,
        /// The encoded request, at most `SYNC_MESSAGE_MAX` bytes.
        bytes: Vec<u8>,
    },
    /// Answers a [`NetworkEvent::Request`]. An answer that comes too late is dropped.
    Answer {
        /// The number of the request.
        id: u64,
        /// The encoded answer, at most `SYNC_MESSAGE_MAX` bytes.
        bytes: Vec<u8>,
    },
    /// Connects to a peer, unless it is connected or being dialled already.
    Dial {
        /// The key that has to answer; without one whoever answers is welcome.
        peer: Option<TransportKey>,
        /// Multiaddresses, most promising first; only the first eight are tried.
        addresses: Vec<String>,
    },
    /// Closes all connections to a peer.
    Disconnect(TransportKey),
    /// Says what became of a frame. A frame that is not judged within ten seconds is ignored.
    Judge {
        /// The ticket that came with the frame.
        ticket: u64,
        /// Whether to pass it on.
        verdict: Verdict,
    },
    /// Counts a misdeed that only the engine can see (a sync message that does not parse, an
    /// envelope that lies). Past 100 points a peer is disconnected and refused for a while;
    /// a point is forgiven every second.
    Penalise {
        /// Who did it.
        peer: TransportKey,
        /// Its weight in points.
        cost: u32,
    },
    /// Lets a known peer connect even when the places for strangers are taken.
    Protect(TransportKey),
    /// Takes [`Command::Protect`] back.
    Unprotect(TransportKey),
}

/// What the engine thinks of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It holds: pass it on to others who listen.
    Accept,
    /// It cannot be judged (yet), or is of no use: do not pass it on, blame nobody.
    Ignore,
    /// It is broken, and whoever passed it on should have noticed: blame them.
    Reject,
}

/// What the network tells the engine. Addresses are multiaddresses without a `/p2p` suffix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkEvent {
    /// This node can be reached here.
    Listening(String),
    /// This node can no longer be reached here.
    NotListening(String),
    /// The first connection to a peer stands.
    Connected {
        /// Who it is, proven by the handshake.
        peer: TransportKey,
        /// Where it is. Can be dialled again only if `outbound`.
        address: String,
        /// Whether this node dialled.
        outbound: bool,
    },
    /// The last connection to a peer is gone.
    Disconnected(TransportKey),
    /// A dial led nowhere.
    DialFailed {
        /// The peer that was wanted, if one was named.
        peer: Option<TransportKey>,
        /// The addresses that did not work.
        addresses: Vec<String>,
    },
    /// A peer announced itself on the local network. Unproven: anyone there can claim it.
    Discovered {
        /// The key that it claims.
        peer: TransportKey,
        /// Where it says it is.
        addresses: Vec<String>,
    },
    /// A connected peer said where else it can be reached.
    Identified {
        /// Who it is.
        peer: TransportKey,
        /// Where it says it is, at most eight.
        addresses: Vec<String>,
    },
    /// A connected peer listens to topics that this node listens to as well: from here on frames
    /// reach it. Reported once per topic and connection.
    Subscribed {
        /// Who it is.
        peer: TransportKey,
        /// The topics, each for the first time.
        topics: Vec<String>,
    },
    /// A frame came in on a topic listened to. It waits for [`Command::Judge`].
    Frame {
        /// To be named in the judgement.
        ticket: u64,
        /// Who passed it on, not who wrote it.
        peer: TransportKey,
        /// Where it came in.
        topic: String,
        /// The sealed frame.
        data: Vec<u8>,
    },
    /// A peer asks. To be answered within twenty seconds.
    Request {
        /// To be named in the answer.
        id: u64,
        /// Who asks, proven by the handshake.
        peer: TransportKey,
        /// The encoded request, nothing about it believed.
        bytes: Vec<u8>,
    },
    /// A peer answered.
    Answered {
        /// The engine's number of the request.
        id: u64,
        /// Who was asked.
        peer: TransportKey,
        /// The encoded answer, nothing about it believed.
        bytes: Vec<u8>,
    },
    /// A request came to nothing.
    RequestFailed {
        /// The engine's number of the request.
        id: u64,
        /// Who was asked.
        peer: TransportKey,
        /// Why.
        reason: RequestFailure,
    },
}

/// Why a request came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestFailure {
    /// There is no connection to the peer.
    #[error("the peer is not connected")]
    NotConnected,
    /// Too many requests are under way already.
    #[error("too many requests are under way")]
    Busy,
    /// No answer came in time.
    #[error("the peer did not answer in time")]
    Timeout,
    /// The connection broke first.
    #[error("the connection broke")]
    Disconnected,
    /// The peer does not speak this version of sync.
    #[error("the peer does not speak this version of the protocol")]
    Unsupported,
    /// The peer hung up instead of answering: it is busy, or does not want to.
    #[error("the peer refused to answer")]
    Refused,
    /// The answer broke the rules of framing.
    #[error("the peer's answer is malformed")]
    Malformed,
}

/// Why the network cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// An address to listen on is none.
    #[error("{address:?} is no address to listen on; write it like /ip4/192.168.1.5/tcp/4001")]
    Address {
        /// As it was given.
        address: String,
    },
    /// An address to dial is none.
    #[error(
        "{address:?} is no address of a node; write it like /ip4/192.168.1.5/tcp/4001 or /dns4/kith.example.org/tcp/4001"
    )]
    Bootstrap {
        /// As it was given.
        address: String,
    },
    /// An address to listen on cannot be had.
    #[error(
        "cannot listen on {address}: {reason}; choose another address or port, or stop what uses it"
    )]
    Listen {
        /// As it was given.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// The parts do not fit together.
    #[error("cannot set up the network: {0}")]
    Setup(String),
}

/// Checks that a text is an address that can be listened on.
///
/// # Errors
/// [`NetworkError::Address`] if it is no TCP port of an IP address.
pub fn check_listen(text: &str) -> Result<(), NetworkError> {
    let parsed = text.parse::<libp2p::Multiaddr>().ok();
    let good = parsed.is_some_and(|address| addresses::socket(&address).is_some());
    good.then_some(()).ok_or_else(|| NetworkError::Address {
        address: text.to_owned(),
    })
}

/// Checks that a text is an address that can be dialled: one as above, or with a host's name.
///
/// # Errors
/// [`NetworkError::Bootstrap`] if it is no TCP port of an IP address or a named host.
pub fn check_bootstrap(text: &str) -> Result<(), NetworkError> {
    let parsed = text.parse::<libp2p::Multiaddr>().ok();
    let good = parsed.is_some_and(|address| {
        addresses::socket(&address).is_some() || addresses::named(&address).is_some()
    });
    good.then_some(()).ok_or_else(|| NetworkError::Bootstrap {
        address: text.to_owned(),
    })
}

/// Whether an address has the name of a host in it, which has to be found before it is dialled.
pub(crate) fn is_named(text: &str) -> bool {
    let parsed = text.parse::<libp2p::Multiaddr>().ok();
    parsed.is_some_and(|address| addresses::named(&address).is_some())
}

/// The addresses that an address with a host's name means now, as the system knows the host; none
/// if it does not, or not within [`limits::LOOKUP_TIMEOUT`].
pub(crate) async fn look_up(text: &str) -> Vec<String> {
    let Ok(address) = text.parse::<libp2p::Multiaddr>() else {
        return Vec::new();
    };
    let Some(named) = addresses::named(&address) else {
        return Vec::new();
    };
    let found = tokio::net::lookup_host((named.host, named.port));
    match tokio::time::timeout(limits::LOOKUP_TIMEOUT, found).await {
        Ok(Ok(found)) => found
            .map(|socket| socket.ip())
            .filter(named.fits)
            .map(|ip| addresses::at(&address, ip).to_string())
            .take(kith_crdt::limits::ADDRESSES_MAX)
            .collect(),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the host of a bootstrap address is not found");
            Vec::new()
        }
        Err(_) => {
            tracing::warn!("the host of a bootstrap address is not found in time");
            Vec::new()
        }
    }
}

/// The peer id of a transport key as it stands at the end of a multiaddress, after `/p2p/`.
pub fn peer_id_text(key: &TransportKey) -> String {
    keys::peer_id(key).to_string()
}

/// A running network. It stops when every clone of `commands` is dropped.
#[derive(Debug)]
pub struct Network {
    /// Takes commands; bounded, so sending waits while the network is busy.
    pub commands: mpsc::Sender<Command>,
    /// Ends when the network has stopped.
    pub task: JoinHandle<()>,
    counters: Arc<Counters>,
}

impl Network {
    /// What has been dropped, refused and found broken since the start.
    pub fn counts(&self) -> Counts {
        self.counters.read()
    }
}

/// Starts the network: listens, and carries bytes from now on. To be called within a tokio
/// runtime. The engine has to keep receiving events; while it does not, peers are not read.
///
/// # Errors
/// [`NetworkError`] if an address named in the configuration cannot be listened on, or, where
/// none is named, if neither IPv4 nor IPv6 can.
pub fn start(
    config: NetworkConfig,
) -> Result<(Network, mpsc::Receiver<NetworkEvent>), NetworkError> {
    let counters = Arc::new(Counters::default());
    let (commands, command_queue) = mpsc::channel(limits::COMMANDS_QUEUED);
    let (event_queue, events) = mpsc::channel(limits::EVENTS_QUEUED);
    let mut swarm = behaviour::swarm(&config, Arc::clone(&counters))?;
    behaviour::listen(&mut swarm, &config.listen)?;
    let driver = Driver::new(swarm, command_queue, event_queue, Arc::clone(&counters));
    let task = tokio::spawn(driver.run());
    Ok((
        Network {
            commands,
            task,
            counters,
        },
        events,
    ))
}
