//! The client of the local API: one method for each thing the daemon can be asked.
//!
//! It speaks HTTP over the home's Unix socket. It repeats nothing by itself that might be done
//! twice: whoever retries a write gives it a key.

mod connection;
mod events;
mod path;
mod sse;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;

use self::connection::{Call, Connections};
pub use self::events::EventStream;
use self::path::{Query, route};
use crate::ApiError;
use crate::account::{
    AccountInfo, ConfirmDeviceLink, DeviceInfo, DeviceLinkRequest, DeviceLinkShown,
    DeviceLinkState, DeviceRevoked, GrantDevice, RevokeDevice, UpdateDevice,
};
use crate::audit::{AuditPage, AuditQuery};
use crate::backup::{BackupCreated, BackupRequest};
use crate::channel::{
    ChannelDetail, ChannelName, ChannelSummary, CreateChannel, LeftChannel, MarkRead, Marked,
    MemberInfo, UpdateChannel, UpdateWishes,
};
use crate::contact::{Contact, UpdateContact};
use crate::draft::{Draft, PutDraft};
use crate::erase::{AccountErased, EraseAccountRequest, EraseRequest, Erased};
use crate::event::EventsQuery;
use crate::evidence::RetentionStatus;
use crate::invite::{InviteInfo, InviteRequest, Invited, JoinRequest, RevokeInvite, Revoked};
use crate::member::{MemberOutcome, MemberRequest};
use crate::message::{
    DeleteQuery, EditMessage, Message, MessageDetail, PageQuery, SendMessage, Sent, Version,
};
use crate::policy::{PolicyOutcome, PolicyRequest, PolicySetting};
use crate::retention::{RetentionInfo, SweepRequest, Swept};
use crate::socket::socket_path;
use crate::status::{Damage, Status};
use crate::storage::{ChannelStorageDetail, QuotaInfo, QuotaRequest, StorageInfo};
use crate::verify::{MendReport, MendRequest, VerifyReport};
use crate::why::{WhyMember, WhyMessage, WhyOp};

/// How long an answer may take unless the request itself says how long to wait.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long a verification may take, or what writes as much: millions of signatures.
const VERIFY_TIMEOUT: Duration = Duration::from_secs(3_600);

/// A client of one home's daemon. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    connections: Arc<Connections>,
    timeout: Duration,
}

type Answer<T> = Result<T, ApiError>;

/// # Errors
///
/// Every method fails with [`crate::ErrorCode::NoDaemon`] if nothing serves the home, with
/// `Unreachable` if the answer takes too long, and otherwise as the daemon answers.
impl Client {
    /// A client of the daemon that serves `home`. It connects when it is first asked something.
    pub fn new(home: &Path) -> Self {
        Self {
            connections: Arc::new(Connections::new(socket_path(home))),
            timeout: TIMEOUT,
        }
    }

    /// The same client with another patience for an answer.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How the daemon is.
    pub async fn status(&self) -> Answer<Status> {
        self.get("/v1/status".into()).await
    }

    /// What is wrong with the home, as far as is known.
    pub async fn damage(&self) -> Answer<Damage> {
        self.get("/v1/damage".into()).await
    }

    /// Has the daemon write a backup of the home into a file. Waits an hour.
    pub async fn create_backup(&self, request: &BackupRequest) -> Answer<BackupCreated> {
        let call = Call::new(Method::POST, "/v1/backup".into()).json(request);
        let patience = self.timeout.max(VERIFY_TIMEOUT);
        self.connections.ask(call, patience).await
    }

    /// Asks the daemon to stop.
    pub async fn shutdown(&self) -> Answer<()> {
        self.ask(Call::new(Method::POST, "/v1/shutdown".into()))
            .await
    }

    /// The account of the home, with its devices.
    pub async fn account(&self) -> Answer<AccountInfo> {
        self.get("/v1/account".into()).await
    }

    /// Gives the device another name.
    pub async fn update_device(&self, request: &UpdateDevice) -> Answer<DeviceInfo> {
        let call = Call::new(Method::PATCH, "/v1/device".into());
        self.ask(call.json(request)).await
    }

    /// Lets a device of the account manage, too.
    pub async fn grant_device(&self, request: &GrantDevice) -> Answer<DeviceInfo> {
        self.post("/v1/device/grant".into(), request).await
    }

    /// Has a device of the account be one no more, for good: by its id, a prefix of it, or its
    /// name.
    pub async fn revoke_device(&self, request: &RevokeDevice) -> Answer<DeviceRevoked> {
        let path = Query::new("/v1/device".into())
            .with("device", Some(&request.device))
            .with("dry_run", request.dry_run.then_some("true"));
        self.ask(Call::new(Method::DELETE, path.into())).await
    }

    /// Shows a link by which a new device comes to belong to the account.
    pub async fn show_device_link(&self, request: &DeviceLinkRequest) -> Answer<DeviceLinkShown> {
        self.post("/v1/device/link".into(), request).await
    }

    /// How far the link has come that is shown.
    pub async fn device_link(&self) -> Answer<DeviceLinkState> {
        self.get("/v1/device/link".into()).await
    }

    /// Takes in the device that waits, if this is its code.
    pub async fn confirm_device_link(
        &self,
        request: &ConfirmDeviceLink,
    ) -> Answer<DeviceLinkState> {
        self.post("/v1/device/link/confirm".into(), request).await
    }

    /// Takes a link back.
    pub async fn withdraw_device_link(&self, id: &str) -> Answer<()> {
        let path = Query::new("/v1/device/link".into()).with("id", Some(id));
        self.ask(Call::new(Method::DELETE, path.into())).await
    }

    /// Makes a channel.
    pub async fn create_channel(&self, request: &CreateChannel) -> Answer<ChannelName> {
        self.post("/v1/channels".into(), request).await
    }

    /// All channels.
    pub async fn channels(&self) -> Answer<Vec<ChannelSummary>> {
        self.get("/v1/channels".into()).await
    }

    /// One channel with its members.
    pub async fn channel(&self, channel: &str) -> Answer<ChannelDetail> {
        self.get(route!("/v1/channels/{}", channel)).await
    }

    /// Changes a channel's name or topic.
    pub async fn update_channel(
        &self,
        channel: &str,
        request: &UpdateChannel,
    ) -> Answer<ChannelSummary> {
        let call = Call::new(Method::PATCH, route!("/v1/channels/{}", channel));
        self.ask(call.json(request)).await
    }

    /// Says what this account wants of a channel, on all of its devices.
    pub async fn update_wishes(
        &self,
        channel: &str,
        request: &UpdateWishes,
    ) -> Answer<ChannelSummary> {
        let call = Call::new(Method::PATCH, route!("/v1/channels/{}/wishes", channel));
        self.ask(call.json(request)).await
    }

    /// Whom this account shares a channel with, or has said something about.
    pub async fn contacts(&self) -> Answer<Vec<Contact>> {
        self.get("/v1/contacts".into()).await
    }

    /// Gives somebody a name, or blocks them, on all devices of this account.
    pub async fn update_contact(&self, account: &str, request: &UpdateContact) -> Answer<Contact> {
        let call = Call::new(Method::PATCH, route!("/v1/contacts/{}", account));
        self.ask(call.json(request)).await
    }

    /// All drafts.
    pub async fn drafts(&self) -> Answer<Vec<Draft>> {
        self.get("/v1/drafts".into()).await
    }

    /// Writes the draft for a channel or a thread, or discards it. Answers with it, if there is one.
    pub async fn put_draft(&self, channel: &str, request: &PutDraft) -> Answer<Option<Draft>> {
        let call = Call::new(Method::PUT, route!("/v1/channels/{}/draft", channel));
        self.ask(call.json(request)).await
    }

    /// Leaves a channel.
    pub async fn leave(&self, channel: &str) -> Answer<LeftChannel> {
        let path = route!("/v1/channels/{}/leave", channel);
        self.ask(Call::new(Method::POST, path)).await
    }

    /// Everyone who is or was a member of a channel.
    pub async fn members(&self, channel: &str) -> Answer<Vec<MemberInfo>> {
        self.get(route!("/v1/channels/{}/members", channel)).await
    }

    /// Does something about a member, or says what would become of them.
    pub async fn act_on_member(
        &self,
        channel: &str,
        account: &str,
        request: &MemberRequest,
    ) -> Answer<MemberOutcome> {
        let path = route!("/v1/channels/{}/members/{}", channel, account);
        self.post(path, request).await
    }

    /// Why an account is what it is to a channel.
    pub async fn why_member(&self, channel: &str, account: &str) -> Answer<WhyMember> {
        let path = route!("/v1/channels/{}/members/{}/why", channel, account);
        self.get(path).await
    }

    /// Why a message is shown as it is.
    pub async fn why_message(&self, id: &str) -> Answer<WhyMessage> {
        self.get(route!("/v1/messages/{}/why", id)).await
    }

    /// Why an op counts or does not.
    pub async fn why_op(&self, op: &str) -> Answer<WhyOp> {
        self.get(route!("/v1/ops/{}/why", op)).await
    }

    /// A page of who did what in a channel, oldest first.
    pub async fn audit(&self, channel: &str, query: &AuditQuery) -> Answer<AuditPage> {
        let path = Query::new(route!("/v1/channels/{}/audit", channel))
            .with("limit", query.limit)
            .with("before", query.before.as_deref())
            .with("account", query.account.as_deref());
        self.get(path.into()).await
    }

    /// Whether all that is shown of a channel is what its signed entries make. Waits an hour.
    pub async fn verify(&self, channel: &str) -> Answer<VerifyReport> {
        let call = Call::new(Method::GET, route!("/v1/channels/{}/verify", channel));
        let patience = self.timeout.max(VERIFY_TIMEOUT);
        self.connections.ask(call, patience).await
    }

    /// Makes good what damage on the disk took from a channel, or from all of them. Waits as long
    /// as the request says, and an hour more.
    pub async fn mend(
        &self,
        channel: Option<&str>,
        request: &MendRequest,
    ) -> Answer<Vec<MendReport>> {
        let path = match channel {
            Some(channel) => route!("/v1/channels/{}/mend", channel),
            None => "/v1/mend".into(),
        };
        let wait = Duration::from_millis(request.wait_ms.unwrap_or(MendRequest::WAIT_MS));
        let call = Call::new(Method::POST, path).json(request);
        let patience = self.timeout.max(VERIFY_TIMEOUT).saturating_add(wait);
        self.connections.ask(call, patience).await
    }

    /// Everything that can be set in a channel, and who set it.
    pub async fn policy(&self, channel: &str) -> Answer<Vec<PolicySetting>> {
        self.get(route!("/v1/channels/{}/policy", channel)).await
    }

    /// Sets something of a channel's policy, or says what would hold.
    pub async fn set_policy(
        &self,
        channel: &str,
        request: &PolicyRequest,
    ) -> Answer<PolicyOutcome> {
        self.post(route!("/v1/channels/{}/policy", channel), request)
            .await
    }

    /// How long a channel keeps its messages, within which limits, and who said so.
    pub async fn retention(&self, channel: &str) -> Answer<RetentionInfo> {
        self.get(route!("/v1/channels/{}/retention", channel)).await
    }

    /// What is over in a channel, and which devices have erased it.
    pub async fn retention_status(&self, channel: &str) -> Answer<RetentionStatus> {
        self.get(route!("/v1/channels/{}/retention/status", channel))
            .await
    }

    /// Takes everything off the disk that is over.
    pub async fn sweep(&self, request: &SweepRequest) -> Answer<Swept> {
        self.post("/v1/sweep".into(), request).await
    }

    /// What takes up space in the home.
    pub async fn storage(&self) -> Answer<StorageInfo> {
        self.get("/v1/storage".into()).await
    }

    /// What a channel takes up, and what keeping messages for a shorter time would free.
    pub async fn storage_of(&self, channel: &str) -> Answer<ChannelStorageDetail> {
        self.get(route!("/v1/channels/{}/storage", channel)).await
    }

    /// The quota of all channels together, first, and those of channels.
    pub async fn quotas(&self) -> Answer<Vec<QuotaInfo>> {
        self.get("/v1/quotas".into()).await
    }

    /// The quota of a channel.
    pub async fn quota(&self, channel: &str) -> Answer<QuotaInfo> {
        self.get(route!("/v1/channels/{}/quota", channel)).await
    }

    /// Sets the quota of a channel, or of all channels together, or takes it away.
    pub async fn set_quota(
        &self,
        channel: Option<&str>,
        request: &QuotaRequest,
    ) -> Answer<QuotaInfo> {
        let path = match channel {
            Some(channel) => route!("/v1/channels/{}/quota", channel),
            None => "/v1/quotas".into(),
        };
        self.ask(Call::new(Method::PUT, path).json(request)).await
    }

    /// Takes back everything that this account said in a channel, or says how much that would be.
    /// Waits an hour.
    pub async fn erase_mine(&self, channel: &str, request: &EraseRequest) -> Answer<Erased> {
        let path = route!("/v1/channels/{}/erase", channel);
        let call = Call::new(Method::POST, path).json(request);
        let patience = self.timeout.max(VERIFY_TIMEOUT);
        self.connections.ask(call, patience).await
    }

    /// Takes back everything that this account ever said, and then destroys its own data: as far
    /// as that can be done now.
    pub async fn erase_account(&self, request: &EraseAccountRequest) -> Answer<AccountErased> {
        self.post("/v1/account/erase".into(), request).await
    }

    /// Makes an invite.
    pub async fn invite(&self, channel: &str, request: &InviteRequest) -> Answer<Invited> {
        self.post(route!("/v1/channels/{}/invites", channel), request)
            .await
    }

    /// The invites of a channel.
    pub async fn invites(&self, channel: &str) -> Answer<Vec<InviteInfo>> {
        self.get(route!("/v1/channels/{}/invites", channel)).await
    }

    /// Takes an invite back.
    pub async fn revoke_invite(&self, channel: &str, request: &RevokeInvite) -> Answer<Revoked> {
        self.post(route!("/v1/channels/{}/invites/revoke", channel), request)
            .await
    }

    /// Joins a channel.
    pub async fn join(&self, request: &JoinRequest) -> Answer<ChannelName> {
        let wait = Duration::from_millis(request.wait_ms.unwrap_or(JoinRequest::WAIT_MS));
        let call = Call::new(Method::POST, "/v1/join".into()).json(request);
        self.connections
            .ask(call, self.timeout.saturating_add(wait))
            .await
    }

    /// Writes a message.
    pub async fn send(&self, channel: &str, request: &SendMessage) -> Answer<Sent> {
        self.post(route!("/v1/channels/{}/messages", channel), request)
            .await
    }

    /// A page of a timeline, oldest first.
    pub async fn page(&self, channel: &str, query: &PageQuery) -> Answer<Vec<Message>> {
        let path = Query::new(route!("/v1/channels/{}/messages", channel))
            .with("limit", query.limit)
            .with("before", query.before.as_deref())
            .with("thread", query.thread.as_deref());
        self.get(path.into()).await
    }

    /// Marks messages as read.
    pub async fn mark(&self, channel: &str, request: &MarkRead) -> Answer<Marked> {
        self.post(route!("/v1/channels/{}/mark", channel), request)
            .await
    }

    /// Tells the others that somebody is typing here.
    pub async fn typing(&self, channel: &str) -> Answer<()> {
        let path = route!("/v1/channels/{}/typing", channel);
        self.ask(Call::new(Method::POST, path)).await
    }

    /// One message with where it has arrived.
    pub async fn message(&self, id: &str) -> Answer<MessageDetail> {
        self.get(route!("/v1/messages/{}", id)).await
    }

    /// Replaces a message's text.
    pub async fn edit(&self, id: &str, request: &EditMessage) -> Answer<Message> {
        let call = Call::new(Method::PATCH, route!("/v1/messages/{}", id));
        self.ask(call.json(request)).await
    }

    /// Deletes a message for everyone.
    pub async fn delete(&self, id: &str, query: &DeleteQuery) -> Answer<Message> {
        let path =
            Query::new(route!("/v1/messages/{}", id)).with("reason", query.reason.as_deref());
        self.ask(Call::new(Method::DELETE, path.into())).await
    }

    /// The texts that a message has had, oldest first.
    pub async fn history(&self, id: &str) -> Answer<Vec<Version>> {
        self.get(route!("/v1/messages/{}/history", id)).await
    }

    /// Gives a reaction, or takes it back.
    pub async fn react(&self, id: &str, emoji: &str, on: bool) -> Answer<Message> {
        // Nothing at all would be another path.
        if emoji.is_empty() {
            return Err(ApiError::usage("a reaction is exactly one emoji, like 👍"));
        }
        let method = if on { Method::PUT } else { Method::DELETE };
        let path = route!("/v1/messages/{}/reactions/{}", id, emoji);
        self.ask(Call::new(method, path)).await
    }

    /// Pins a message, or unpins it.
    pub async fn pin(&self, id: &str, on: bool) -> Answer<Message> {
        let method = if on { Method::PUT } else { Method::DELETE };
        self.ask(Call::new(method, route!("/v1/messages/{}/pin", id)))
            .await
    }

    /// The pinned messages of a channel, those pinned first first.
    pub async fn pins(&self, channel: &str) -> Answer<Vec<Message>> {
        self.get(route!("/v1/channels/{}/pins", channel)).await
    }

    /// Events, for as long as they are asked for.
    pub async fn events(&self, query: EventsQuery) -> Answer<EventStream> {
        EventStream::open(Arc::clone(&self.connections), query).await
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: String) -> Answer<T> {
        self.ask(Call::new(Method::GET, path)).await
    }

    async fn post<T: serde::de::DeserializeOwned>(
        &self,
        path: String,
        request: &impl serde::Serialize,
    ) -> Answer<T> {
        self.ask(Call::new(Method::POST, path).json(request)).await
    }

    async fn ask<T: serde::de::DeserializeOwned>(&self, call: Call) -> Answer<T> {
        self.connections.ask(call, self.timeout).await
    }
}
