//! What is asked about channels: those there are, making, joining and leaving one, and inviting.

use std::time::{Duration, Instant};

use kith_api::ApiError;
use kith_api::channel::{
    ChannelDetail, ChannelName, ChannelSummary, CreateChannel, LeftChannel, UpdateChannel,
};
use kith_api::invite::{InviteInfo, InviteRequest, Invited, JoinRequest, RevokeInvite, Revoked};
use kith_crdt::control::Role;
use kith_crdt::link::InviteLink;

use super::{Node, repeated_elsewhere};
use crate::clock;
use crate::engine::{Command, Outcome};
use crate::read::{policy, roles};

/// How long whoever leaves waits to hear that a member knows. One that is connected says so within
/// two offers.
const HEARD_WITHIN: Duration = Duration::from_millis(1_500);
/// Between two looks.
const HEARD_STEP: Duration = Duration::from_millis(20);

impl Node {
    /// Makes a channel.
    ///
    /// # Errors
    /// [`ApiError`] if name or topic are out of bounds.
    pub async fn create_channel(&self, request: CreateChannel) -> Result<ChannelName, ApiError> {
        let command = Command::CreateChannel {
            name: request.name,
            topic: request.topic.unwrap_or_default(),
            retention: policy::meant_retention(request.retention.unwrap_or_default()),
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

    /// Leaves a channel, and waits a moment for a member to have heard of it.
    ///
    /// # Errors
    /// [`ApiError`] if this account is its last owner, or no member.
    pub async fn leave(&self, reference: &str) -> Result<LeftChannel, ApiError> {
        let view = self.reading().find_channel(reference)?;
        let (id, has_others) = (view.id, view.roster.active().nth(1).is_some());
        let left = channel_name(self.command(Command::Leave { channel: id }, None).await?)?;
        let is_unheard = || {
            let view = self.0.shared.channel(&id);
            has_others && view.is_some_and(|view| view.is_leaving)
        };
        let until = Instant::now() + HEARD_WITHIN;
        while is_unheard() && Instant::now() < until {
            tokio::time::sleep(HEARD_STEP).await;
        }
        Ok(LeftChannel {
            channel: left.channel,
            name: left.name,
            heard: !is_unheard(),
        })
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
