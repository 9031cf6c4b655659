//! Erasing on request.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use kith_api::ApiError;
use kith_api::erase::{
    AccountErased, EraseAccountRequest, EraseRequest, Erased, ErasedChannel, ErasedState,
};

use super::{Node, repeated_elsewhere};
use crate::engine::{ChannelView, Command, Outcome, Standing};

/// How often it is looked whether the others have heard.
const STEP: Duration = Duration::from_millis(100);

impl Node {
    /// Takes back everything that this account said in a channel, or counts it.
    ///
    /// # Errors
    /// [`ApiError`] if the reference means no channel or several, or this account does not belong
    /// to it.
    pub async fn erase_mine(
        &self,
        reference: &str,
        request: EraseRequest,
    ) -> Result<Erased, ApiError> {
        let view = self.reading().find_channel(reference)?;
        self.take_back(&view, request.dry_run).await
    }

    async fn take_back(&self, view: &ChannelView, dry_run: bool) -> Result<Erased, ApiError> {
        let channel = view.id;
        let command = Command::TakeBack { channel, dry_run };
        match self.command(command, None).await? {
            Outcome::TakenBack {
                messages,
                reactions,
            } => Ok(Erased {
                messages,
                reactions,
                ..nothing(view, dry_run)
            }),
            _ => Err(repeated_elsewhere()),
        }
    }

    /// Takes back everything that this account said, leaves its channels, and has the home
    /// destroyed when nothing is waited for any more; or says what that would be.
    ///
    /// # Errors
    /// [`ApiError`] if it is the last owner of a channel, of which nothing was erased then, or if
    /// something cannot be written.
    pub async fn erase_account(
        &self,
        request: EraseAccountRequest,
    ) -> Result<AccountErased, ApiError> {
        let EraseAccountRequest {
            dry_run,
            at_once,
            wait_ms,
        } = request;
        let views = self.0.shared.channels();
        let is_owned =
            |view: &&Arc<ChannelView>| self.reading().erasing(view) == ErasedState::LastOwner;
        let owned: Vec<_> = views.iter().filter(is_owned).collect();
        if !dry_run && !at_once && !owned.is_empty() {
            return Err(last_owner(owned.into_iter().map(|view| &*view.name)));
        }
        let mut channels = Vec::with_capacity(views.len());
        for view in &views {
            let state = self.reading().erasing(view);
            let has_part = matches!(state, ErasedState::Here | ErasedState::LastOwner)
                && view.standing == Standing::Active;
            let erased = match has_part {
                true => self.take_back(view, dry_run).await?,
                false => nothing(view, dry_run),
            };
            channels.push(ErasedChannel { erased, state });
        }
        if !dry_run {
            let wait = Duration::from_millis(wait_ms.unwrap_or(EraseAccountRequest::WAIT_MS));
            self.see_off(&mut channels, at_once, Instant::now() + wait)
                .await?;
        }
        let done = channels.iter().all(|channel| channel.state.is_done());
        let destroyed = !dry_run && (at_once || done);
        if destroyed {
            self.0.destroys.store(true, Ordering::Release);
            self.shutdown().await;
        }
        let devices = self.account().await?.devices.into_iter();
        let others = devices.filter(|device| !device.this);
        Ok(AccountErased {
            other_devices: others.map(|device| device.name).collect(),
            channels,
            dry_run,
            destroyed,
        })
    }

    /// Leaves each channel once another member has all that this account wrote, and waits until
    /// they know that it left, so long at most.
    async fn see_off(
        &self,
        channels: &mut [ErasedChannel],
        at_once: bool,
        until: Instant,
    ) -> Result<(), ApiError> {
        loop {
            for channel in channels.iter_mut() {
                if !channel.state.is_done() {
                    self.go_on_leaving(channel, at_once).await?;
                }
            }
            let waits = |channel: &ErasedChannel| !channel.state.is_done();
            if at_once || !channels.iter().any(waits) || Instant::now() >= until {
                return Ok(());
            }
            tokio::time::sleep(STEP).await;
        }
    }

    /// Leaves a channel if that may be, and says how it stands.
    async fn go_on_leaving(
        &self,
        channel: &mut ErasedChannel,
        at_once: bool,
    ) -> Result<(), ApiError> {
        let id = channel.erased.channel.0;
        let Some(view) = self.0.shared.channel(&id) else {
            channel.state = ErasedState::Done;
            return Ok(());
        };
        let state = self.reading().erasing(&view);
        channel.state = match (state, channel.state) {
            (ErasedState::Here, _) => {
                if !at_once && !self.is_settled(&view, channel).await? {
                    channel.state = ErasedState::Unheard;
                    return Ok(());
                }
                let leave = Command::Leave { channel: id };
                self.command(leave, None).await?;
                ErasedState::Leaving
            }
            (ErasedState::Left, ErasedState::Leaving) => ErasedState::Done,
            (state, _) => state,
        };
        Ok(())
    }

    /// Whether a channel may be left: nothing of this account's stands in it, also of what was said
    /// meanwhile, and another member is known to have all of that.
    async fn is_settled(
        &self,
        view: &ChannelView,
        channel: &mut ErasedChannel,
    ) -> Result<bool, ApiError> {
        if view.standing == Standing::Joining {
            return Ok(true);
        }
        if !self.reading().has_all_of_ours(view) {
            return Ok(false);
        }
        let more = self.take_back(view, false).await?;
        channel.erased.messages += more.messages;
        channel.erased.reactions += more.reactions;
        Ok(more.is_nothing())
    }

    /// Whether the home is to be destroyed once it is closed.
    pub(crate) fn destroys(&self) -> bool {
        self.0.destroys.load(Ordering::Acquire)
    }
}

fn nothing(view: &ChannelView, dry_run: bool) -> Erased {
    Erased {
        channel: view.id.into(),
        name: view.name.clone(),
        messages: 0,
        reactions: 0,
        dry_run,
    }
}

fn last_owner<'a>(channels: impl Iterator<Item = &'a str>) -> ApiError {
    let names: Vec<String> = channels.map(|name| format!("#{name}")).collect();
    ApiError::denied(format_args!(
        "you are the last owner of {}: make somebody else one with `kith role CHANNEL NAME owner` \
         first, so that there is somebody who answers for it, or leave it without by `--at-once`; \
         nothing was erased",
        names.join(", ")
    ))
}
