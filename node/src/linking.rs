//! Becoming a device of an account, from the new device's side: only the network runs, and nothing
//! is written before the account's certificate is here.

use std::path::Path;
use std::time::Duration;

use getrandom::SysRng;
use kith_api::ErrorCode;
use kith_crdt::crypto::sign::SecretKey;
use kith_crdt::device_link::{Ask, Code, DeviceLink, Linked};
use kith_crdt::encoding::encode;
use kith_crdt::identity::{DeviceSecrets, IdentityError, NewDevice};
use kith_crdt::sync::{Answer, Refusal, Request};
use kith_store::{HomeLock, KdfCost, LockError, Medium, Store, StoreError, Vault, VaultError};
use rand_core::UnwrapErr;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};
use zeroize::Zeroizing;

use crate::clock;
use crate::dialer::Dialer;
use crate::network::{self, Command, Network, NetworkConfig, NetworkError, NetworkEvent};

/// Between two dials of a device that did not answer.
const REDIAL: Duration = Duration::from_secs(2);
/// Between two questions whether the code has been typed.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// How a device is linked.
#[derive(Debug)]
pub struct LinkConfig {
    /// What the device that shows it says.
    pub link: DeviceLink,
    /// What to call this device.
    pub name: String,
    /// How long to look for that device.
    pub patience: Duration,
    /// Whether to look for it on the local network as well.
    pub mdns: bool,
}

/// Why a device was not linked. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The link's time is over.
    #[error("the link has expired: make a new one with `kith device link` on the other device")]
    Expired,
    /// It was used, withdrawn or tried too often.
    #[error(
        "the link is not good any more (it works once, until it is withdrawn or its code was wrong): make a new one with `kith device link` on the other device"
    )]
    Over,
    /// The device that answers does not know the link, or what it hands over is not good.
    #[error("the other device did not accept this: make a new link there")]
    Refused,
    /// Nobody answered.
    #[error(
        "the other device cannot be reached: keep `kith device link` running there, connect both to one network, and try again while the link holds"
    )]
    Unreachable,
    /// The name is out of bounds.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The network does not start.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

impl LinkError {
    /// The code that the command line exits with.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Expired | Self::Over | Self::Refused => ErrorCode::Denied,
            Self::Unreachable => ErrorCode::Unreachable,
            Self::Identity(_) => ErrorCode::Usage,
            Self::Network(_) => ErrorCode::Other,
        }
    }
}

/// Why the home of a linked device cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// Somebody else has the home.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The vault cannot be made.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The store cannot be made.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Has this device certified. `on_code` is called with the code that is to be typed at the other
/// device.
///
/// # Errors
/// [`LinkError`]
pub async fn link(
    config: LinkConfig,
    on_code: impl FnOnce(&Code),
) -> Result<DeviceSecrets, LinkError> {
    if config.link.expires_at <= clock::now() {
        return Err(LinkError::Expired);
    }
    let mut rng = UnwrapErr(SysRng);
    let device = NewDevice::generate(config.link.account, &config.name, &mut rng)?;
    let us = device.transport_key();
    let (ask, nonce) = Ask::new(
        &config.link,
        (&config.link.host, &us),
        device.record.clone(),
        &mut rng,
    );
    let (network, events) = network::start(NetworkConfig {
        transport_seed: device.transport().clone(),
        listen: Vec::new(),
        mdns: config.mdns,
    })?;
    let mut linking = Linking {
        link: &config.link,
        ask,
        nonce,
        network,
        events,
        requests: 0,
        is_connected: false,
    };
    let theirs = linking.first_answer(config.patience).await?;
    let record = &linking.ask.record;
    on_code(
        &config
            .link
            .code((&config.link.host, &us), record, (&theirs, &nonce)),
    );
    let linked = linking.confirmed().await?;
    let management = linked.management.as_ref().map(SecretKey::from_seed);
    device
        .certified(linked.certificate, management)
        .map_err(|_| LinkError::Refused)
}

/// Makes the home of a linked device, which knows where the other one is.
///
/// # Errors
/// [`SettleError`]; a vault that was made is the device's all the same.
pub fn settle(
    home: &Path,
    passphrase: &[u8],
    secrets: &DeviceSecrets,
    link: &DeviceLink,
) -> Result<(), SettleError> {
    let _lock = HomeLock::acquire(home)?;
    let mut rng = UnwrapErr(SysRng);
    let identity = Zeroizing::new(encode(secrets));
    let opened = Vault::create(home, passphrase, &identity, &mut rng, KdfCost::default())?;
    let mut store = Store::open(home, &opened.master, Medium::Disk)?;
    let mut dialer = Dialer::default();
    dialer.learn(link.host, &link.addresses, clock::now());
    let mut batch = store.batch();
    if let Some(record) = dialer.record(&link.host) {
        batch.put_peer(&link.host, record);
    }
    store.commit(batch)?;
    Ok(())
}

/// An exchange under way.
struct Linking<'a> {
    link: &'a DeviceLink,
    ask: Ask,
    nonce: [u8; 32],
    network: Network,
    events: mpsc::Receiver<NetworkEvent>,
    requests: u64,
    is_connected: bool,
}

impl Linking<'_> {
    /// Looks for the device that shows the link, asks it, and returns its nonce.
    async fn first_answer(&mut self, patience: Duration) -> Result<[u8; 32], LinkError> {
        let until = Instant::now() + patience;
        let question = Request::Link(Box::new(self.ask.clone()));
        match self.answer_to(&question, until).await? {
            Answer::LinkNonce { nonce } => Ok(nonce),
            other => Err(refused(&other)),
        }
    }

    /// Waits until somebody has typed the code.
    async fn confirmed(&mut self) -> Result<Linked, LinkError> {
        let left = self.link.expires_at.since(clock::now());
        // A little longer, so that it is the other device that says so.
        let until = Instant::now() + Duration::from_millis(left) + REDIAL;
        let question = Request::LinkOpen { nonce: self.nonce };
        loop {
            match self.answer_to(&question, until).await? {
                Answer::Linked(linked) => return Ok(*linked),
                Answer::LinkAwaited => sleep_until(Instant::now() + ASK_AGAIN).await,
                other => return Err(refused(&other)),
            }
        }
    }

    /// Asks until there is an answer: the connection may end and come back.
    async fn answer_to(&mut self, question: &Request, until: Instant) -> Result<Answer, LinkError> {
        let mut asked = None;
        let mut redial = Instant::now();
        loop {
            if self.is_connected && asked.is_none() {
                self.requests += 1;
                asked = Some(self.requests);
                self.send(Command::Request {
                    id: self.requests,
                    peer: self.link.host,
                    bytes: question.to_bytes(),
                })
                .await?;
            }
            if !self.is_connected && redial <= Instant::now() {
                redial = Instant::now() + REDIAL;
                self.dial(self.link.addresses.clone()).await?;
            }
            let next = if self.is_connected {
                until
            } else {
                redial.min(until)
            };
            let event = match timeout_at(next, self.events.recv()).await {
                Ok(Some(event)) => event,
                Ok(None) => return Err(LinkError::Unreachable),
                Err(_) if Instant::now() >= until => return Err(LinkError::Unreachable),
                Err(_) => continue,
            };
            match event {
                NetworkEvent::Connected { peer, .. } if peer == self.link.host => {
                    self.is_connected = true;
                }
                NetworkEvent::Disconnected(peer) if peer == self.link.host => {
                    self.is_connected = false;
                    asked = None;
                    redial = Instant::now() + ASK_AGAIN;
                }
                NetworkEvent::Discovered { peer, addresses }
                    if peer == self.link.host && !self.is_connected =>
                {
                    self.dial(addresses).await?;
                }
                NetworkEvent::Answered { id, bytes, .. } if Some(id) == asked => {
                    return Answer::parse(&bytes).map_err(|_| LinkError::Refused);
                }
                NetworkEvent::RequestFailed { id, .. } if Some(id) == asked => {
                    sleep_until(Instant::now() + ASK_AGAIN).await;
                    asked = None;
                }
                // Nobody is to ask anything of a device that has no account yet.
                NetworkEvent::Request { id, .. } => {
                    let bytes = Answer::Refused(Refusal::NotForYou).to_bytes();
                    self.send(Command::Answer { id, bytes }).await?;
                }
                _ => {}
            }
        }
    }

    async fn dial(&self, addresses: Vec<String>) -> Result<(), LinkError> {
        let peer = Some(self.link.host);
        self.send(Command::Dial { peer, addresses }).await
    }

    async fn send(&self, command: Command) -> Result<(), LinkError> {
        let sent = self.network.commands.send(command).await;
        sent.map_err(|_| LinkError::Unreachable)
    }
}

const fn refused(answer: &Answer) -> LinkError {
    match answer {
        Answer::Refused(Refusal::LinkExpired) => LinkError::Expired,
        Answer::Refused(Refusal::LinkOver) => LinkError::Over,
        _ => LinkError::Refused,
    }
}
