//! What is asked about what this account sets for itself.

use kith_api::ApiError;
use kith_api::channel::{ChannelSummary, Notify as AskedNotify, UpdateWishes};
use kith_api::contact::{Contact, UpdateContact};
use kith_api::draft::{Draft, PutDraft};
use kith_crdt::identity::SafetyNumber;
use kith_crdt::ids::{AccountId, MessageId};
use kith_crdt::segment::Subject;

use super::Node;
use crate::clock;
use crate::engine::{Command, Notify};

/// The last moment of the year 9999, the latest that can be written as a date: for good.
const FOR_GOOD_MS: u64 = 253_402_300_799_999;

impl Node {
    /// Whom this account shares a channel with, or has said something about.
    ///
    /// # Errors
    /// None at present.
    pub async fn contacts(&self) -> Result<Vec<Contact>, ApiError> {
        Ok(self.reading().contacts())
    }

    /// Gives somebody a name, or blocks them.
    ///
    /// # Errors
    /// [`ApiError`] if the reference means nobody or several, or this account, or the name is out
    /// of bounds.
    pub async fn update_contact(
        &self,
        reference: &str,
        request: UpdateContact,
    ) -> Result<Contact, ApiError> {
        let account = self.reading().find_contact(reference)?;
        if let Some(name) = request.name {
            let name = Some(name).filter(|name| !name.is_empty());
            self.set(Subject::Name(account), 0, name).await?;
        }
        if let Some(number) = request.safety_number {
            self.verify_contact(account, &number).await?;
        }
        if let Some(blocked) = request.blocked {
            self.set(Subject::Block(account), u64::from(blocked), None)
                .await?;
        }
        Ok(self.reading().contact(&account))
    }

    async fn verify_contact(&self, account: AccountId, number: &str) -> Result<(), ApiError> {
        if !number.is_empty() && !SafetyNumber::is_one(number) {
            return Err(ApiError::usage(
                "a safety number has thirty digits: ask for the one that `kith account show` shows \
                 there",
            ));
        }
        let is_it = SafetyNumber::of(&account).is_typed(number);
        if !number.is_empty() && !is_it {
            let name = self.reading().contact(&account).name;
            return Err(ApiError::denied(format_args!(
                "that is not the safety number of {name}: if it was read and typed rightly, \
                 whoever is called {name} here is somebody else, so tell them nothing"
            )));
        }
        self.set(Subject::Verify(account), u64::from(is_it), None)
            .await
    }

    /// Says what this account wants of a channel.
    ///
    /// # Errors
    /// [`ApiError`] if the reference means none or several.
    pub async fn update_wishes(
        &self,
        reference: &str,
        request: UpdateWishes,
    ) -> Result<ChannelSummary, ApiError> {
        let id = self.reading().find_channel(reference)?.id;
        let now = clock::now();
        if let Some(ms) = request.mute_ms {
            let until = match ms {
                0 => 0,
                ms => now.plus(ms).0.min(FOR_GOOD_MS),
            };
            self.set(Subject::Mute(id), until, None).await?;
        }
        if let Some(archived) = request.archived {
            let at = if archived { now.0 } else { 0 };
            self.set(Subject::Archive(id), at, None).await?;
        }
        if let Some(notify) = request.notify {
            let level = match notify {
                AskedNotify::All => Notify::All,
                AskedNotify::Mentions => Notify::Mentions,
                AskedNotify::Nothing => Notify::Nothing,
            };
            self.set(Subject::Notify(id), level.number(), None).await?;
        }
        let view = self.0.shared.channel(&id);
        let view = view.ok_or_else(|| ApiError::not_found("the channel is gone"))?;
        Ok(self.reading().summary(&view))
    }

    /// All drafts.
    ///
    /// # Errors
    /// None at present.
    pub async fn drafts(&self) -> Result<Vec<Draft>, ApiError> {
        Ok(self.reading().drafts())
    }

    /// Writes the draft for a channel or a thread, or discards it.
    ///
    /// # Errors
    /// [`ApiError`] if a reference means none or several, or the text is out of bounds.
    pub async fn put_draft(
        &self,
        reference: &str,
        request: PutDraft,
    ) -> Result<Option<Draft>, ApiError> {
        let (id, thread) = {
            let reading = self.reading();
            let channel = reading.find_channel(reference)?;
            let thread = match &request.thread {
                // The message that began it may be gone, and the draft is to be thrown away still.
                Some(root) => match root.parse::<MessageId>() {
                    Ok(root) if request.text.is_none() => Some(root),
                    _ => Some(reading.find_thread(&channel, root)?),
                },
                None => None,
            };
            (channel.id, thread)
        };
        self.set(Subject::Draft(id, thread), 0, request.text)
            .await?;
        Ok(self.reading().draft(&(id, thread)))
    }

    async fn set(&self, about: Subject, value: u64, text: Option<String>) -> Result<(), ApiError> {
        self.set_if(about, value, (text, None)).await
    }

    async fn set_if(
        &self,
        about: Subject,
        value: u64,
        (text, only_if): (Option<String>, Option<MessageId>),
    ) -> Result<(), ApiError> {
        let command = Command::Set {
            about,
            value,
            text,
            only_if,
        };
        self.command(command, None).await?;
        Ok(())
    }
}
