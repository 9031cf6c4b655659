//! The daemon: opens a home, starts engine, network and local API, and stops them in order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use kith_api::ErrorCode;
use kith_api::status::Ready;
use kith_crdt::encoding;
use kith_crdt::identity::DeviceSecrets;
use kith_store::{HomeLock, LockError, Medium, Store, StoreError, Vault, VaultError};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use crate::clock;
use crate::control::{Control, ControlConfig, ControlError};
use crate::engine::{Engine, Event, META_PORT, Run};
use crate::handle::Node;
use crate::handover;
use crate::network::{self, Network, NetworkConfig, NetworkError, NetworkEvent};
use crate::shell;

/// Events that may wait for the engine.
const EVENTS_QUEUED: usize = 4_096;
/// Bytes of the vault's identity at most.
const IDENTITY_MAX: usize = 64 * 1024;
/// How long the start waits to learn the first address it listens on.
const LISTEN_WAIT: Duration = Duration::from_secs(2);
/// How long connections may take to end at a stop.
const STOP_WAIT: Duration = Duration::from_secs(3);

/// How a daemon is started.
#[derive(Debug)]
pub struct DaemonConfig {
    /// The home directory.
    pub home: PathBuf,
    /// Opens the vault.
    pub passphrase: Zeroizing<Vec<u8>>,
    /// Multiaddresses to listen on; every interface if empty.
    pub listen: Vec<String>,
    /// Multiaddresses to dial where nobody is connected.
    pub bootstrap: Vec<String>,
    /// Whether to look for members on the local network.
    pub mdns: bool,
    /// A loopback address for the API beside the Unix socket.
    pub api: Option<SocketAddr>,
}

/// Why a daemon does not run.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Another daemon has the home, or it cannot be locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The vault does not open.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The vault opens but does not hold this version's identity.
    #[error(
        "the vault holds an identity that this version cannot read: use the version of kith that wrote it"
    )]
    Identity,
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The network does not start.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The local API does not start.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The home was being destroyed, or made, when that was cut off.
    #[error(
        "this home was being destroyed, or made from a backup, when that was cut off: it is destroyed now; `kith backup restore` or `kith init` makes it anew"
    )]
    Destroyed,
    /// A part of the daemon ended by itself.
    #[error("the {0} stopped working; what was acknowledged is on disk: start the daemon again")]
    Ended(&'static str),
    /// The system gave no randomness, signals or thread.
    #[error("the system refused: {0}")]
    System(String),
}

impl DaemonError {
    /// The code that the command line exits with.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Lock(error) => lock_code(error),
            Self::Vault(VaultError::WrongPassphrase) => ErrorCode::Locked,
            Self::Vault(VaultError::Missing) | Self::Destroyed => ErrorCode::NotFound,
            Self::Network(NetworkError::Address { .. } | NetworkError::Bootstrap { .. }) => {
                ErrorCode::Usage
            }
            _ => ErrorCode::Other,
        }
    }
}

fn lock_code(error: &LockError) -> ErrorCode {
    match error {
        LockError::Held => ErrorCode::Locked,
        LockError::Missing => ErrorCode::NotFound,
        _ => ErrorCode::Other,
    }
}

/// Runs a daemon until SIGINT, SIGTERM or a call to stop. `on_ready` is called once the local API
/// serves.
///
/// # Errors
/// [`DaemonError`] if it cannot start; nothing is changed then.
pub async fn run(config: DaemonConfig, on_ready: impl FnOnce(Ready)) -> Result<(), DaemonError> {
    config
        .listen
        .iter()
        .try_for_each(|address| network::check_listen(address))?;
    config
        .bootstrap
        .iter()
        .try_for_each(|address| network::check_bootstrap(address))?;
    let lock = HomeLock::acquire(&config.home)?;
    if kith_store::is_being_destroyed(&config.home) {
        kith_store::destroy(&config.home, lock)?;
        return Err(DaemonError::Destroyed);
    }
    let opened = Vault::open(&config.home, &config.passphrase)?;
    let secrets: DeviceSecrets =
        encoding::decode(&opened.identity, IDENTITY_MAX).map_err(|_| DaemonError::Identity)?;
    let store = Store::open(&config.home, &opened.master, Medium::Disk)?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| DaemonError::System(error.to_string()))?;
    let mut run = [0; 32];
    getrandom::fill(&mut run).map_err(|error| DaemonError::System(error.to_string()))?;
    let before =
        handover::take(&config.home).map_err(|error| DaemonError::System(error.to_string()))?;
    let runs = before.followed_by(Run(run));
    let (account, device) = (secrets.account, secrets.device());
    let peer_id = network::peer_id_text(&secrets.transport_key());
    let network_config = NetworkConfig {
        transport_seed: secrets.transport.clone(),
        listen: config.listen,
        mdns: config.mdns,
    };
    let last_port = last_port(&store);
    let engine = Engine::new(
        secrets,
        runs,
        store,
        ChaCha20Rng::from_seed(seed),
        config.bootstrap,
        clock::now(),
    )?;

    // Before anybody is told that it serves, and may stop it.
    let signals = Signals::listen()?;
    let (mut network, network_events) = start_network(network_config, last_port)?;
    let control = Control::bind(&ControlConfig {
        home: config.home.clone(),
        tcp: config.api,
    })?;
    let (events, queue) = mpsc::channel(EVENTS_QUEUED);
    let node = Node::new(
        events.clone(),
        engine.reader(),
        engine.shared(),
        (account, device),
        (peer_id.clone(), config.home.clone()),
    );
    let (running, engine_ends) = oneshot::channel();
    let engine_thread = spawn_engine(
        engine,
        queue,
        node.clone(),
        network.commands.clone(),
        running,
    )?;

    let (listening, mut heard) = mpsc::channel(16);
    let feeder = tokio::spawn(feed(network_events, events.clone(), listening));
    let mut ready = Ready {
        account: account.into(),
        device: device.into(),
        socket: control.socket().display().to_string(),
        addresses: Vec::new(),
    };
    while let Ok(Some(address)) = tokio::time::timeout(
        if ready.addresses.is_empty() {
            LISTEN_WAIT
        } else {
            Duration::from_millis(20)
        },
        heard.recv(),
    )
    .await
    {
        ready.addresses.push(format!("{address}/p2p/{peer_id}"));
    }
    drop(heard);
    let (stop_control, control_stops) = oneshot::channel::<()>();
    let serving = tokio::spawn(control.serve(node.clone(), async {
        let _ = control_stops.await;
    }));
    on_ready(ready);

    let stopped = wait_for_stop(&node, engine_ends, &mut network.task, signals).await;
    let _ = stop_control.send(());
    let _ = tokio::time::timeout(STOP_WAIT, serving).await;
    let _ = events.send(Event::Stop).await;
    let ended = tokio::task::spawn_blocking(move || engine_thread.join()).await;
    feeder.abort();
    drop(network.commands);
    if !network.task.is_finished() {
        let _ = tokio::time::timeout(STOP_WAIT, network.task).await;
    }
    if node.destroys() {
        kith_store::destroy(&config.home, lock)?;
        tracing::warn!("the account is erased, and its home is destroyed");
        return stopped;
    }
    if stopped.is_ok()
        && ended.is_ok_and(|engine| engine.is_ok())
        && let Err(error) = handover::leave(&config.home, &runs.this)
    {
        tracing::warn!("the next start will take this stop for a crash: {error}");
    }
    drop(lock);
    stopped
}

/// The port that this node listened on last, if it did.
fn last_port(store: &Store) -> Option<u16> {
    let reader = store.reader();
    let stored = reader.view().meta(META_PORT).ok()??;
    encoding::decode(&stored, 8).ok()
}

/// Starts the network. Where no address is named it listens on the port of the last time, so that
/// those who know this node find it again, or on another if somebody else has taken it.
fn start_network(
    config: NetworkConfig,
    last_port: Option<u16>,
) -> Result<(Network, mpsc::Receiver<NetworkEvent>), NetworkError> {
    if let (Some(port), true) = (last_port, config.listen.is_empty()) {
        let both = vec![
            format!("/ip4/0.0.0.0/tcp/{port}"),
            format!("/ip6/::/tcp/{port}"),
        ];
        // Many machines have no IPv6.
        let one = both[..1].to_vec();
        for listen in [both, one] {
            let again = NetworkConfig {
                listen,
                ..config.clone()
            };
            if let Ok(started) = network::start(again) {
                return Ok(started);
            }
        }
    }
    network::start(config)
}

fn spawn_engine(
    engine: Engine,
    queue: mpsc::Receiver<Event>,
    node: Node,
    network: mpsc::Sender<network::Command>,
    running: oneshot::Sender<()>,
) -> Result<std::thread::JoinHandle<()>, DaemonError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| DaemonError::System(error.to_string()))?;
    std::thread::Builder::new()
        .name("kith-engine".into())
        .spawn(move || {
            // Dropped when the engine ends, however it ends.
            let _running = running;
            runtime.block_on(shell::run(engine, queue, node, network));
        })
        .map_err(|error| DaemonError::System(error.to_string()))
}

/// Passes the network's events on to the engine, and the addresses to whoever waits for them.
async fn feed(
    mut network: mpsc::Receiver<NetworkEvent>,
    engine: mpsc::Sender<Event>,
    listening: mpsc::Sender<String>,
) {
    while let Some(event) = network.recv().await {
        if let NetworkEvent::Listening(address) = &event {
            // Nobody waits for addresses any more once the daemon is up.
            let _ = listening.try_send(address.clone());
        }
        if engine.send(Event::Network(event)).await.is_err() {
            return;
        }
    }
}

/// The signals by which somebody stops a daemon in order.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> Result<Self, DaemonError> {
        let system = |error: std::io::Error| DaemonError::System(error.to_string());
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(system)?,
            terminate: signal(SignalKind::terminate()).map_err(system)?,
        })
    }

    async fn received(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Waits for somebody to stop the daemon, or for a part of it to end by itself: a daemon without
/// its engine would only keep others from the home.
async fn wait_for_stop(
    node: &Node,
    engine_ends: oneshot::Receiver<()>,
    network: &mut JoinHandle<()>,
    signals: Signals,
) -> Result<(), DaemonError> {
    tokio::select! {
        () = signals.received() => Ok(()),
        () = node.stopped() => Ok(()),
        _ = engine_ends => Err(DaemonError::Ended("engine")),
        _ = network => Err(DaemonError::Ended("network")),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use kith_crdt::crypto::secret::Secret;

    use super::*;

    #[tokio::test]
    async fn a_port_that_somebody_else_took_meanwhile_is_left_to_them() {
        let other = TcpListener::bind("0.0.0.0:0").unwrap();
        let taken = other.local_addr().unwrap().port();
        let config = NetworkConfig {
            transport_seed: Secret::new([1; 32]),
            listen: Vec::new(),
            mdns: false,
        };

        let (_network, mut events) = start_network(config, Some(taken)).unwrap();

        let Some(NetworkEvent::Listening(address)) = events.recv().await else {
            panic!("it listens first of all");
        };
        assert!(
            !address.ends_with(&format!("/tcp/{taken}")),
            "{address} is shared"
        );
    }
}
