//! The node as the local API sees it: every verb as one call.
//!
//! Reads are answered from a snapshot on the caller's thread. Writes become commands to the
//! engine and come back when they are durable.

mod account;
mod backup;
mod channels;
mod erase;
mod members;
mod mend;
mod messages;
mod own;
mod pins;
mod policy;
mod storage;
mod teller;
mod why;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use kith_api::ApiError;
use kith_api::event::{Event as ApiEvent, EventsQuery};
use kith_api::status::{Damage, Status};
use kith_crdt::ids::{AccountId, DeviceId};
use kith_store::Reader;
use tokio::sync::{Notify, broadcast, mpsc, oneshot, watch};

use teller::{Presence, Teller};

use crate::clock;
use crate::engine::{Command, Effects, Event, Moment, Outcome, Refusal, Shared};
use crate::read::Reading;

/// Moments kept for listeners that are a little behind.
const MOMENTS_QUEUED: usize = 1_024;
/// Events on their way to one listener.
const EVENTS_QUEUED: usize = 256;

/// The events that a listener asked for.
#[derive(Debug)]
pub struct Events {
    /// The cursor they begin after.
    pub start: u64,
    /// Bounded; ends when the node stops or the listener is too slow.
    pub events: mpsc::Receiver<ApiEvent>,
}

type Waiting = oneshot::Sender<Result<Outcome, Refusal>>;

/// A running node. Clones are the same node.
#[derive(Clone)]
pub struct Node(Arc<Inner>);

struct Inner {
    engine: mpsc::Sender<Event>,
    waiting: Mutex<BTreeMap<u64, Waiting>>,
    next_token: AtomicU64,
    reader: Reader,
    shared: Arc<Shared>,
    account: AccountId,
    device: DeviceId,
    peer_id: String,
    home: PathBuf,
    newest: watch::Sender<u64>,
    moments: broadcast::Sender<Moment>,
    started: Instant,
    stop: Notify,
    destroys: AtomicBool,
    verifying: Arc<tokio::sync::Mutex<()>>,
}

impl Node {
    /// Tells the engine of something. Nobody is there to be told once it has stopped.
    pub(crate) async fn tell_engine(&self, event: Event) {
        let _ = self.0.engine.send(event).await;
    }

    /// A handle to an engine that is fed through `engine`. `peer_id` is what this node's addresses
    /// end with, `home` where its files are.
    pub(crate) fn new(
        engine: mpsc::Sender<Event>,
        reader: Reader,
        shared: Arc<Shared>,
        (account, device): (AccountId, DeviceId),
        (peer_id, home): (String, PathBuf),
    ) -> Self {
        let newest = reader.view().newest_cursor().unwrap_or(0);
        Self(Arc::new(Inner {
            engine,
            waiting: Mutex::default(),
            next_token: AtomicU64::new(1),
            reader,
            shared,
            account,
            device,
            peer_id,
            home,
            newest: watch::Sender::new(newest),
            moments: broadcast::Sender::new(MOMENTS_QUEUED),
            started: Instant::now(),
            stop: Notify::new(),
            destroys: AtomicBool::new(false),
            verifying: Arc::default(),
        }))
    }

    /// Passes on what a turn has released to those who wait for it.
    pub(crate) fn release(&self, effects: &mut Effects) {
        let mut waiting = self
            .0
            .waiting
            .lock()
            .expect("nobody panics while holding the table");
        for (token, answer) in effects.answers.drain(..) {
            if let Some(asker) = waiting.remove(&token) {
                // An asker that has gone away does not want to know.
                let _ = asker.send(answer);
            }
        }
        drop(waiting);
        if let Some(cursor) = effects.newest_event {
            self.0.newest.send_replace(cursor);
        }
        for moment in effects.moments.drain(..) {
            // Nobody may be listening.
            let _ = self.0.moments.send(moment);
        }
    }

    /// Resolves when somebody asked the daemon to stop.
    pub(crate) async fn stopped(&self) {
        self.0.stop.notified().await;
    }

    /// The node about itself.
    ///
    /// # Errors
    /// None at present.
    pub async fn status(&self) -> Result<Status, ApiError> {
        let reading = self.reading();
        Ok(Status {
            account: self.0.account.into(),
            device: self.0.device.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            uptime_s: self.0.started.elapsed().as_secs(),
            addresses: self.addresses(),
            peers: reading.peers(),
            channels: self.0.shared.channels().len() as u64,
            declined: self.0.shared.declined(),
            revoked_at: self
                .0
                .shared
                .devices()
                .and_then(|own| own.revoked_at)
                .map(Into::into),
            clock_ahead_ms: self.0.shared.clock_ahead(),
            pending: reading.pending(),
            damaged: self.0.reader.damage_known(),
            began_anew: reading.began_anew(),
            doubled_at: reading.doubled_at().map(Into::into),
            quotas: reading.quotas_short(None),
        })
    }

    /// What is wrong with the home, as far as is known.
    ///
    /// # Errors
    /// None at present.
    pub async fn damage(&self) -> Result<Damage, ApiError> {
        Ok(Damage {
            records: self.0.reader.damage_known(),
            doubled_at: self.reading().doubled_at().map(Into::into),
        })
    }

    fn addresses(&self) -> Vec<String> {
        let listening = self.0.shared.listening().into_iter();
        let peer_id = &self.0.peer_id;
        listening
            .map(|address| format!("{address}/p2p/{peer_id}"))
            .collect()
    }

    /// Events after a cursor, then as they happen. The stream ends when the node stops, or when
    /// the listener is too slow for it; it can resume with the last cursor it saw.
    ///
    /// # Errors
    /// [`ApiError`] if the channel is not there.
    pub async fn events(&self, query: EventsQuery) -> Result<Events, ApiError> {
        let reading = self.reading();
        let only = query
            .channel
            .map(|reference| reading.find_channel(&reference))
            .transpose()?
            .map(|channel| channel.id);
        // Subscribe before the cursor is read, so that nothing falls between.
        let moments = self.0.moments.subscribe();
        let newest = self.0.newest.subscribe();
        let since = match query.since {
            Some(since) => since,
            None => reading.newest_cursor(),
        };
        drop(reading);
        let (listener, events) = mpsc::channel(EVENTS_QUEUED);
        let teller = Teller {
            node: self.clone(),
            only,
            since,
            listener,
            present: Presence::default(),
        };
        tokio::spawn(teller.run(newest, moments));
        Ok(Events {
            start: since,
            events,
        })
    }

    /// Asks the daemon to stop. Returns at once.
    pub async fn shutdown(&self) {
        self.0.stop.notify_one();
    }

    fn reading(&self) -> Reading<'_> {
        Reading::new(
            &self.0.reader,
            &self.0.shared,
            (self.0.account, self.0.device),
            clock::now(),
        )
    }

    async fn command(&self, command: Command, key: Option<String>) -> Result<Outcome, ApiError> {
        let token = self.0.next_token.fetch_add(1, Ordering::Relaxed);
        let (asker, answer) = oneshot::channel();
        self.0
            .waiting
            .lock()
            .expect("nobody panics while holding the table")
            .insert(token, asker);
        let gone = || ApiError::other("the daemon is stopping");
        self.0
            .engine
            .send(Event::Command {
                token,
                key,
                command,
            })
            .await
            .map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?.map_err(refused)
    }
}

fn repeated_elsewhere() -> ApiError {
    ApiError::usage("this idempotency key was used for something else: use another one")
}

fn refused(refusal: Refusal) -> ApiError {
    match refusal {
        Refusal::Usage(why) => ApiError::usage(why),
        Refusal::NotFound(why) => ApiError::not_found(why),
        Refusal::Denied(why) => ApiError::denied(why),
        Refusal::Unreachable(why) => ApiError::unreachable(why),
        Refusal::Limit(why) => ApiError::limit(why),
        Refusal::Storage(why) => ApiError::other(why),
    }
}
