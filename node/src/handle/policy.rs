//! What is asked about the settings of a channel.

use std::sync::Arc;

use kith_api::ApiError;
use kith_api::evidence::RetentionStatus;
use kith_api::policy::{PolicyOutcome, PolicyRequest, PolicySetting};
use kith_api::retention::{RetentionInfo, SweepRequest, Swept};
use kith_crdt::control::Policy;

use super::{Node, repeated_elsewhere};
use crate::clock;
use crate::engine::{Command, Outcome};
use crate::read::{Reading, policy};

impl Node {
    /// Everything that can be set in a channel, and who set it.
    ///
    /// # Errors
    /// [`ApiError`] if the reference means no channel or several.
    pub async fn policy(&self, reference: &str) -> Result<Vec<PolicySetting>, ApiError> {
        let reading = self.reading();
        Ok(reading.policy(&*reading.find_channel(reference)?))
    }

    /// Sets something, or says what would hold.
    ///
    /// # Errors
    /// [`ApiError`] if a rule of the channel forbids it.
    pub async fn set_policy(
        &self,
        reference: &str,
        request: PolicyRequest,
    ) -> Result<PolicyOutcome, ApiError> {
        let view = self.reading().find_channel(reference)?;
        let meant = policy::meant(request.change)?;
        let command = Command::SetPolicy {
            channel: view.id,
            policy: meant.clone(),
            dry_run: request.dry_run,
        };
        self.command(command, None).await?;
        let gone_at_once = match meant {
            Policy::Retention {
                retention,
                existing: true,
            } if request.dry_run => {
                let view = Arc::clone(&view);
                let count = move |reading: &Reading<'_>| Ok(reading.gone_at_once(&view, retention));
                Some(self.read_apart(count).await?)
            }
            _ => None,
        };
        let existing = match meant {
            Policy::Retention { existing, .. } => Some(existing),
            _ => None,
        };
        let retention = match &meant {
            Policy::RetentionLimits(limits) => policy::changed_by(&view.roster, limits),
            _ => None,
        };
        let setting = if request.dry_run {
            let me = self.0.account;
            PolicySetting {
                account: Some(me.into()),
                name: view.roster.members.get(&me).map(|me| me.name.clone()),
                at: Some(clock::now().into()),
                ..policy::unset(&meant)
            }
        } else {
            let view = self
                .0
                .shared
                .channel(&view.id)
                .ok_or_else(|| ApiError::not_found("the channel is gone"))?;
            self.reading().setting(&view, meant.field())
        };
        Ok(PolicyOutcome {
            setting,
            dry_run: request.dry_run,
            existing,
            retention,
            gone_at_once,
        })
    }

    /// Takes everything off the disk that is over.
    ///
    /// # Errors
    /// [`ApiError`] if the clock is not believed, or the disk takes nothing.
    pub async fn sweep(&self, request: SweepRequest) -> Result<Swept, ApiError> {
        let SweepRequest { confirm_clock } = request;
        match self.command(Command::Sweep { confirm_clock }, None).await? {
            Outcome::Swept {
                purged,
                shredded,
                rewritten,
            } => Ok(Swept {
                purged,
                shredded,
                rewritten,
            }),
            _ => Err(repeated_elsewhere()),
        }
    }

    /// What is over in a channel, and which devices have erased it.
    ///
    /// # Errors
    /// [`ApiError`] if the reference means no channel or several.
    pub async fn retention_status(&self, reference: &str) -> Result<RetentionStatus, ApiError> {
        let reading = self.reading();
        Ok(reading.retention_status(&*reading.find_channel(reference)?))
    }

    /// How long a channel keeps its messages, within which limits, and who said so.
    ///
    /// # Errors
    /// [`ApiError`] if the reference means no channel or several.
    pub async fn retention(&self, reference: &str) -> Result<RetentionInfo, ApiError> {
        let reading = self.reading();
        Ok(reading.retention(&*reading.find_channel(reference)?))
    }
}
