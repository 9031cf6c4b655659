//! The node as the local API sees it: every verb as one call.
//!
//! Reads are answered from a snapshot on the caller's thread. Writes become commands to the
//! engine and come back when they are durable.

mod members;
mod pins;
mod policy;
mod teller;
mod why;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kith_api::channel::{
    ChannelDetail, ChannelName, ChannelSummary, CreateChannel, MarkRead, Marked, UpdateChannel,
};
use kith_api::event::{Event as ApiEvent, EventsQuery};
use kith_api::invite::{InviteInfo, InviteRequest, Invited, JoinRequest, RevokeInvite, Revoked};
use kith_api::message::{
    DeleteQuery, DeliveryState, EditMessage, Message, MessageDetail, PageQuery, SendMessage, Sent,
    Version,
};
use kith_api::status::{Damage, Status};
use kith_api::{ApiError, Timestamp};
use kith_crdt::control::Role;
use kith_crdt::ids::{AccountId, DeviceId, MessageId};
use kith_crdt::link::InviteLink;
use kith_store::Reader;
use tokio::sync::{Notify, broadcast, mpsc, oneshot, watch};

use teller::{Presence, Teller};

use crate::clock;
use crate::engine::{Command, Effects, Event, Moment, Outcome, Refusal, Shared};
use crate::read::{Reading, roles};

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
    newest: watch::Sender<u64>,
    moments: broadcast::Sender<Moment>,
    started: Instant,
    stop: Notify,
    verifying: tokio::sync::Mutex<()>,
}

impl Node {
    /// A handle to an engine that is fed through `engine`. `peer_id` is what this node's addresses
    /// end with.
    pub(crate) fn new(
        engine: mpsc::Sender<Event>,
        reader: Reader,
        shared: Arc<Shared>,
        (account, device): (AccountId, DeviceId),
        peer_id: String,
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
            newest: watch::Sender::new(newest),
            moments: broadcast::Sender::new(MOMENTS_QUEUED),
            started: Instant::now(),
            stop: Notify::new(),
            verifying: tokio::sync::Mutex::new(()),
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
            pending: reading.pending(),
            damaged: self.0.reader.damage_count(),
        })
    }

    /// How much of the disk cannot be read, as far as is known.
    ///
    /// # Errors
    /// None at present.
    pub async fn damage(&self) -> Result<Damage, ApiError> {
        Ok(Damage {
            records: self.0.reader.damage_count(),
        })
    }

    fn addresses(&self) -> Vec<String> {
        let listening = self.0.shared.listening().into_iter();
        let peer_id = &self.0.peer_id;
        listening
            .map(|address| format!("{address}/p2p/{peer_id}"))
            .collect()
    }

    /// Makes a channel.
    ///
    /// # Errors
    /// [`ApiError`] if name or topic are out of bounds.
    pub async fn create_channel(&self, request: CreateChannel) -> Result<ChannelName, ApiError> {
        let command = Command::CreateChannel {
            name: request.name,
            topic: request.topic.unwrap_or_default(),
        };
        channel_name(self.command(command, request.key).await?)
    }

    /// The channels of this node.
    ///
    /// # Errors
    /// None at present.
    pub async fn channels(&self) -> Result<Vec<ChannelSummary>, ApiError> {
        Ok(self.reading().channels())
    }

    /// One channel in full.
    ///
    /// # Errors
    /// [`ApiError`] if the reference means none or several.
    pub async fn channel(&self, reference: &str) -> Result<ChannelDetail, ApiError> {
        let reading = self.reading();
        let channel = reading.find_channel(reference)?;
        let damaged = self.0.reader.damage_in(&channel.id);
        Ok(reading.detail(&channel, damaged))
    }

    /// Gives a channel another name or topic.
    ///
    /// # Errors
    /// [`ApiError`] if this account may not, or the text is out of bounds.
    pub async fn update_channel(
        &self,
        reference: &str,
        request: UpdateChannel,
    ) -> Result<ChannelSummary, ApiError> {
        let channel = self.reading().find_channel(reference)?.id;
        if let Some(name) = request.name {
            self.command(Command::Rename { channel, name }, None)
                .await?;
        }
        if let Some(topic) = request.topic {
            self.command(Command::SetTopic { channel, topic }, None)
                .await?;
        }
        let view = self
            .0
            .shared
            .channel(&channel)
            .ok_or_else(|| ApiError::not_found("the channel is gone"))?;
        Ok(self.reading().summary(&view))
    }

    /// Leaves a channel.
    ///
    /// # Errors
    /// [`ApiError`] if this account is its last owner, or no member.
    pub async fn leave(&self, reference: &str) -> Result<ChannelName, ApiError> {
        let channel = self.reading().find_channel(reference)?.id;
        channel_name(self.command(Command::Leave { channel }, None).await?)
    }

    /// Makes an invite.
    ///
    /// # Errors
    /// [`ApiError`] if this account may not, or uses or expiry are out of bounds.
    pub async fn invite(
        &self,
        reference: &str,
        request: InviteRequest,
    ) -> Result<Invited, ApiError> {
        let channel = self.reading().find_channel(reference)?.id;
        let command = Command::Invite {
            channel,
            role: request.role.map_or(Role::Member, roles::meant),
            uses: request.uses.unwrap_or(InviteRequest::USES),
            expires_at: clock::now().plus(request.expires_ms.unwrap_or(InviteRequest::EXPIRES_MS)),
        };
        match self.command(command, request.key).await? {
            Outcome::Invited {
                invite,
                link,
                expires_at,
            } => Ok(Invited {
                invite: invite.into(),
                link,
                expires_at: Some(expires_at.into()),
            }),
            _ => Err(repeated_elsewhere()),
        }
    }

    /// The invites of a channel, the one that holds longest first.
    ///
    /// # Errors
    /// [`ApiError`] if the reference means none or several.
    pub async fn invites(&self, reference: &str) -> Result<Vec<InviteInfo>, ApiError> {
        let reading = self.reading();
        let channel = reading.find_channel(reference)?;
        Ok(reading.invites(&channel, clock::now()))
    }

    /// Ends an invite, named by its link, its id or a prefix of that.
    ///
    /// # Errors
    /// [`ApiError`] if the channel has no such invite, or several.
    pub async fn revoke_invite(
        &self,
        reference: &str,
        request: RevokeInvite,
    ) -> Result<Revoked, ApiError> {
        let reading = self.reading();
        let view = reading.find_channel(reference)?;
        let invite = reading.find_invite(&view, request.invite.trim())?;
        drop(reading);
        let channel = view.id;
        self.command(Command::RevokeInvite { channel, invite }, None)
            .await?;
        Ok(Revoked {
            invite: invite.into(),
        })
    }

    /// Joins by a link, waiting for somebody to let us in. What is not done in time goes on by
    /// itself.
    ///
    /// # Errors
    /// [`ApiError`]: denied where the invite does not hold, unreachable where nobody was found in
    /// time.
    pub async fn join(&self, request: JoinRequest) -> Result<ChannelName, ApiError> {
        let link: InviteLink = request.link.trim().parse().map_err(ApiError::denied)?;
        let wait = Duration::from_millis(request.wait_ms.unwrap_or(JoinRequest::WAIT_MS));
        match tokio::time::timeout(wait, self.command(Command::Join { link }, None)).await {
            Ok(outcome) => channel_name(outcome?),
            Err(_) => Err(ApiError::unreachable(
                "nobody of the channel could be reached in time; the join completes by itself as soon as somebody can",
            )),
        }
    }

    /// Writes a message.
    ///
    /// # Errors
    /// [`ApiError`] if the text is out of bounds or this account may not write.
    pub async fn send(&self, reference: &str, request: SendMessage) -> Result<Sent, ApiError> {
        let reading = self.reading();
        let channel = reading.find_channel(reference)?.id;
        let message = |reference: Option<String>| -> Result<Option<MessageId>, ApiError> {
            reference
                .map(|reference| reading.find_message(&reference).map(|(id, _, _)| id))
                .transpose()
        };
        let command = Command::Send {
            channel,
            reply_to: message(request.reply_to)?,
            thread: message(request.thread)?,
            announce: request.announce,
            text: request.text,
        };
        drop(reading);
        match self.command(command, request.key).await? {
            Outcome::Written { message, at } => Ok(Sent {
                id: message.into(),
                state: DeliveryState::Pending,
                at: at.into(),
                expires_at: None::<Timestamp>,
            }),
            _ => Err(repeated_elsewhere()),
        }
    }

    /// A page of messages, oldest first.
    ///
    /// # Errors
    /// [`ApiError`] if the query makes no sense.
    pub async fn page(&self, reference: &str, query: PageQuery) -> Result<Vec<Message>, ApiError> {
        let reading = self.reading();
        let channel = reading.find_channel(reference)?;
        reading.page(&channel, &query)
    }

    /// Marks messages as read.
    ///
    /// # Errors
    /// [`ApiError`] if a message is not there.
    pub async fn mark(&self, reference: &str, request: MarkRead) -> Result<Marked, ApiError> {
        let reading = self.reading();
        let channel = reading.find_channel(reference)?.id;
        let messages = request
            .ids
            .map(|ids| {
                ids.iter()
                    .map(|id| reading.find_message(id).map(|(id, _, _)| id))
                    .collect::<Result<Vec<_>, _>>()
            })
            .transpose()?;
        drop(reading);
        match self
            .command(Command::Mark { channel, messages }, None)
            .await?
        {
            Outcome::Marked(marked) => Ok(Marked { marked }),
            _ => Err(repeated_elsewhere()),
        }
    }

    /// Tells those who are here that somebody is typing.
    ///
    /// # Errors
    /// [`ApiError`] if this account may not write.
    pub async fn typing(&self, reference: &str) -> Result<(), ApiError> {
        let channel = self.reading().find_channel(reference)?.id;
        self.command(Command::Typing { channel }, None)
            .await
            .map(|_| ())
    }

    /// One message and where it has arrived.
    ///
    /// # Errors
    /// [`ApiError`] if the reference means none or several.
    pub async fn message(&self, reference: &str) -> Result<MessageDetail, ApiError> {
        let reading = self.reading();
        let (id, channel, place) = reading.find_message(reference)?;
        reading
            .message_detail(&channel, place)
            .ok_or_else(|| cannot_be_read(&id))
    }

    /// Replaces the text of an own message.
    ///
    /// # Errors
    /// [`ApiError`] if it is not one's own, was deleted, or the text is out of bounds.
    pub async fn edit(&self, reference: &str, request: EditMessage) -> Result<Message, ApiError> {
        let target = self.reading().find_message(reference)?.0;
        self.command(
            Command::Edit {
                target,
                text: request.text,
            },
            request.key,
        )
        .await?;
        self.shown(&target)
    }

    /// Deletes a message for everyone.
    ///
    /// # Errors
    /// [`ApiError`] if this account may not.
    pub async fn delete(&self, reference: &str, query: DeleteQuery) -> Result<Message, ApiError> {
        let target = self.reading().find_message(reference)?.0;
        self.command(
            Command::Delete {
                target,
                reason: query.reason,
            },
            None,
        )
        .await?;
        self.shown(&target)
    }

    /// The texts a message has had.
    ///
    /// # Errors
    /// [`ApiError`] if the reference means none or several.
    pub async fn history(&self, reference: &str) -> Result<Vec<Version>, ApiError> {
        let reading = self.reading();
        let (id, channel, place) = reading.find_message(reference)?;
        reading
            .history(&channel, place)
            .ok_or_else(|| cannot_be_read(&id))
    }

    /// Adds or removes an own reaction.
    ///
    /// # Errors
    /// [`ApiError`] if it is not one emoji, or this account may not react.
    pub async fn react(&self, reference: &str, emoji: &str, on: bool) -> Result<Message, ApiError> {
        let target = self.reading().find_message(reference)?.0;
        self.command(
            Command::React {
                target,
                emoji: emoji.to_owned(),
                on,
            },
            None,
        )
        .await?;
        self.shown(&target)
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
            self.0.account,
            self.0.device,
        )
    }

    fn shown(&self, target: &MessageId) -> Result<Message, ApiError> {
        let reading = self.reading();
        let (_, channel, place) = reading.find_message(&target.to_string())?;
        reading
            .message(&channel, place)
            .ok_or_else(|| cannot_be_read(target))
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

fn channel_name(outcome: Outcome) -> Result<ChannelName, ApiError> {
    match outcome {
        Outcome::Channel { channel, name } => Ok(ChannelName {
            channel: channel.into(),
            name,
        }),
        _ => Err(repeated_elsewhere()),
    }
}

fn repeated_elsewhere() -> ApiError {
    ApiError::usage("this idempotency key was used for something else: use another one")
}

fn cannot_be_read(id: &MessageId) -> ApiError {
    ApiError::not_found(format_args!("message {id} cannot be read here"))
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
