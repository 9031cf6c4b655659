//! Becoming a device of an account, from the new device's side (`engine/linking.rs` is the other):
//! only the network runs, and nothing is written.

use std::time::Duration;

use getrandom::SysRng;
use kith_api::ErrorCode;
use kith_crdt::crypto::sign::SecretKey;
use kith_crdt::device_link::{Ask, Code, DeviceLink, Linked};
use kith_crdt::identity::{DeviceSecrets, IdentityError, NewDevice};
use kith_crdt::sync::{Answer, Refusal, Request};
use rand_core::UnwrapErr;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::clock;
use crate::network::{self, Command, Network, NetworkConfig, NetworkError, NetworkEvent};

/// Between two dials of a device that did not answer.
const REDIAL: Duration = Duration::from_secs(2);
/// Between two questions whether the code has been typed.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// How a device joins.
#[derive(Debug)]
pub struct JoinConfig {
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
pub enum JoinError {
    /// The link's time is over.
    #[error("the link has expired: make a new one with `kith device link` on the other device")]
    Expired,
    /// It was used, withdrawn or tried too often.
    #[error(
        "the link is not good any more (it works once, until it is withdrawn or its code was wrong): make a new one with `kith device link` on the other device"
    )]
    Over,
    /// Somebody said that the two devices do not show the same.
    #[error(
        "not confirmed: nothing was taken over; if the pictures differ, somebody stands between the two, so make a new link and hand it over another way"
    )]
    NotConfirmed,
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

impl JoinError {
    /// The code that the command line exits with.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Expired | Self::Over | Self::Refused | Self::NotConfirmed => ErrorCode::Denied,
            Self::Unreachable => ErrorCode::Unreachable,
            Self::Identity(_) => ErrorCode::Usage,
            Self::Network(_) => ErrorCode::Other,
        }
    }
}

/// Has this device certified. `compare` says whether somebody has found that the other device shows
/// the same pictures: whoever gave this device another's link would otherwise have it in their own
/// account. `show` shows what is to be typed there, once the other device waits for it.
///
/// # Errors
/// [`JoinError`]
pub async fn join(
    config: JoinConfig,
    compare: impl AsyncFnOnce(&Code) -> bool,
    show: impl FnOnce(&Code),
) -> Result<DeviceSecrets, JoinError> {
    if config.link.expires_at <= clock::now() {
        return Err(JoinError::Expired);
    }
    let mut rng = UnwrapErr(SysRng);
    let device = NewDevice::generate(config.link.account, &config.name, &mut rng)?;
    let keys = (&config.link.host, &device.transport_key());
    let record = device.record.clone();
    let (ask, nonce) = Ask::new(&config.link, keys, record, &mut rng);
    let (network, events) = network::start(NetworkConfig {
        transport_seed: device.transport().clone(),
        listen: Vec::new(),
        mdns: config.mdns,
    })?;
    let mut exchange = Exchange {
        link: &config.link,
        ask,
        nonce,
        network,
        events,
        requests: 0,
        is_connected: false,
    };
    let theirs = exchange.first_answer(config.patience).await?;
    let nonces = (&theirs, &nonce);
    let code = config.link.code(keys, &exchange.ask.record, nonces);
    exchange.open(config.patience).await?;
    if !compare(&code).await {
        return Err(JoinError::NotConfirmed);
    }
    exchange.open(config.patience).await?;
    show(&code);
    let linked = exchange.confirmed().await?;
    let management = linked.management.as_ref().map(SecretKey::from_seed);
    device
        .certified(linked.certificate, management)
        .map_err(|_| JoinError::Refused)
}

/// An exchange under way.
struct Exchange<'a> {
    link: &'a DeviceLink,
    ask: Ask,
    nonce: [u8; 32],
    network: Network,
    events: mpsc::Receiver<NetworkEvent>,
    requests: u64,
    is_connected: bool,
}

impl Exchange<'_> {
    /// Looks for the device that shows the link, asks it, and returns its nonce.
    async fn first_answer(&mut self, patience: Duration) -> Result<[u8; 32], JoinError> {
        let until = Instant::now() + patience;
        let question = Request::Link(Box::new(self.ask.clone()));
        match self.answer_to(&question, until).await? {
            Answer::LinkNonce { nonce } => Ok(nonce),
            other => Err(refused(&other)),
        }
    }

    /// Shows the nonce, so that the other device can make its code; and again, so that it knows that
    /// this one waits.
    async fn open(&mut self, patience: Duration) -> Result<(), JoinError> {
        let until = Instant::now() + patience;
        let question = Request::LinkOpen { nonce: self.nonce };
        match self.answer_to(&question, until).await? {
            Answer::LinkAwaited => Ok(()),
            other => Err(refused(&other)),
        }
    }

    /// Waits until somebody has typed the code.
    async fn confirmed(&mut self) -> Result<Linked, JoinError> {
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
    async fn answer_to(&mut self, question: &Request, until: Instant) -> Result<Answer, JoinError> {
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
                Ok(None) => return Err(JoinError::Unreachable),
                Err(_) if Instant::now() >= until => return Err(JoinError::Unreachable),
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
                    match Answer::parse(&bytes).map_err(|_| JoinError::Refused)? {
                        Answer::Refused(Refusal::Busy) => {
                            sleep_until(Instant::now() + ASK_AGAIN).await;
                            asked = None;
                        }
                        answer => return Ok(answer),
                    }
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

    async fn dial(&self, addresses: Vec<String>) -> Result<(), JoinError> {
        let peer = Some(self.link.host);
        self.send(Command::Dial { peer, addresses }).await
    }

    async fn send(&self, command: Command) -> Result<(), JoinError> {
        let sent = self.network.commands.send(command).await;
        sent.map_err(|_| JoinError::Unreachable)
    }
}

const fn refused(answer: &Answer) -> JoinError {
    match answer {
        Answer::Refused(Refusal::LinkExpired) => JoinError::Expired,
        Answer::Refused(Refusal::LinkOver) => JoinError::Over,
        _ => JoinError::Refused,
    }
}
