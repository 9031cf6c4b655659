//! What is asked about why something is as it is. All of it reads and checks a whole control log,
//! so it is done on a thread apart from those that answer.

use std::sync::Arc;

use kith_api::ApiError;
use kith_api::audit::{AuditPage, AuditQuery};
use kith_api::why::{WhyMember, WhyMessage, WhyOp};

use kith_api::verify::VerifyReport;

use super::Node;
use crate::clock;
use crate::read::Reading;
use crate::read::verify::verify;

impl Node {
    /// Why an account is what it is to a channel.
    ///
    /// # Errors
    /// [`ApiError`] if a reference means nothing here, or several things.
    pub async fn why_member(&self, channel: &str, account: &str) -> Result<WhyMember, ApiError> {
        let (channel, account) = (channel.to_owned(), account.to_owned());
        self.read_apart(move |reading| {
            let channel = reading.find_channel(&channel)?;
            let account = reading.find_account(&channel, &account)?;
            Ok(reading.why_member(&channel, account, clock::now()))
        })
        .await
    }

    /// Why an op counts or does not.
    ///
    /// # Errors
    /// [`ApiError`] if the reference means no op here, or several.
    pub async fn why_op(&self, op: &str) -> Result<WhyOp, ApiError> {
        let op = op.to_owned();
        self.read_apart(move |reading| {
            let (channel, op) = reading.find_op(&op)?;
            reading.why_op(&channel, op)
        })
        .await
    }

    /// Why a message is shown as it is.
    ///
    /// # Errors
    /// [`ApiError`] if the reference means no message here, or several.
    pub async fn why_message(&self, message: &str) -> Result<WhyMessage, ApiError> {
        let message = message.to_owned();
        self.read_apart(move |reading| reading.why_message(&message))
            .await
    }

    /// A page of who did what in a channel.
    ///
    /// # Errors
    /// [`ApiError`] if a reference means nothing here, or the query makes no sense.
    pub async fn audit(&self, channel: &str, query: AuditQuery) -> Result<AuditPage, ApiError> {
        let channel = channel.to_owned();
        self.read_apart(move |reading| reading.audit(&*reading.find_channel(&channel)?, &query))
            .await
    }

    /// Holds everything that is shown of a channel against its signed entries.
    ///
    /// # Errors
    /// [`ApiError`] if the reference means nothing here, or several things.
    pub async fn verify(&self, channel: &str) -> Result<VerifyReport, ApiError> {
        let channel = self.reading().find_channel(channel)?.id;
        // It takes memory of its own, so there is one at a time, also where nobody waits for it any
        // more.
        let turn = Arc::clone(&self.0.verifying).lock_owned().await;
        let node = self.clone();
        let us = (node.0.account, node.0.device);
        let verified = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            verify(&node.0.reader, &node.0.shared, us, &channel, clock::now)
        });
        verified
            .await
            .unwrap_or_else(|_| Err(ApiError::other("the daemon is stopping")))
    }

    /// Reads on another thread what takes longer than a look-up.
    pub(super) async fn read_apart<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reading<'_>) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let node = self.clone();
        tokio::task::spawn_blocking(move || read(&node.reading()))
            .await
            .unwrap_or_else(|_| Err(ApiError::other("the daemon is stopping")))
    }
}
