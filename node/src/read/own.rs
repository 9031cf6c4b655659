//! What this account has set for itself: contacts and drafts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kith_api::ApiError;
use kith_api::contact::Contact;
use kith_api::draft::{Draft, OtherDraft};
use kith_crdt::identity::SafetyNumber;
use kith_crdt::ids::AccountId;

use super::Reading;
use super::references::CANDIDATES_MAX;
use crate::engine::{ChannelView, DraftOf};

/// Characters of an id among candidates.
const SHORT_ID: usize = 12;

impl Reading<'_> {
    /// Whom this account shares a channel with, or has said something about, in the order of their
    /// names.
    pub(crate) fn contacts(&self) -> Vec<Contact> {
        let channels = self.shared.channels();
        let mut accounts: BTreeSet<AccountId> = self.own.blocked.iter().copied().collect();
        accounts.extend(self.own.names.keys());
        accounts.extend(&self.own.verified);
        accounts.extend(channels.iter().flat_map(|channel| {
            let active = channel.roster.active();
            active.map(|member| member.account)
        }));
        accounts.remove(&self.me);
        let contacts = accounts.iter();
        let mut contacts: Vec<Contact> = contacts
            .map(|account| self.contact_in(&channels, account))
            .collect();
        contacts.sort_by(|a, b| (&a.name, a.account).cmp(&(&b.name, b.account)));
        contacts
    }

    /// One contact.
    pub(crate) fn contact(&self, account: &AccountId) -> Contact {
        self.contact_in(&self.shared.channels(), account)
    }

    fn contact_in(&self, channels: &[Arc<ChannelView>], account: &AccountId) -> Contact {
        let names = channels.iter().filter_map(|channel| {
            let member = channel.roster.members.get(account)?;
            Some(&member.name)
        });
        let own_name = names.into_iter().next().cloned().unwrap_or_default();
        let given = self.own.names.get(account).cloned();
        let shared = channels.iter().filter(|channel| {
            channel.roster.is_member(account) && channel.roster.is_member(&self.me)
        });
        Contact {
            account: (*account).into(),
            name: given.unwrap_or_else(|| own_name.clone()),
            own_name,
            safety_number: SafetyNumber::of(account).to_string(),
            verified: self.own.verified.contains(account),
            blocked: self.own.blocked.contains(account),
            channels: shared.map(|channel| channel.name.clone()).collect(),
        }
    }

    /// The account that a name, the one given here or its own, or an id prefix means.
    ///
    /// # Errors
    /// [`ApiError`]: not found, or ambiguous with the candidates.
    pub(crate) fn find_contact(&self, reference: &str) -> Result<AccountId, ApiError> {
        let channels = self.shared.channels();
        let members = channels.iter().flat_map(|channel| {
            let members = channel.roster.members.values();
            members.map(|member| (member.account, member.name.clone()))
        });
        // Of whom something was set no channel may tell any more.
        let known = self.own.blocked.iter().chain(&self.own.verified);
        let known = known.chain(self.own.names.keys());
        let mut everybody: BTreeSet<(AccountId, String)> = members.collect();
        for account in known {
            let name = self.own.names.get(account).cloned().unwrap_or_default();
            everybody.insert((*account, name));
        }
        let mut found: BTreeMap<AccountId, String> = BTreeMap::new();
        let mut add = |is_meant: &dyn Fn(&AccountId, &str) -> bool| {
            if found.is_empty() {
                let meant = everybody.iter().filter(|(id, name)| is_meant(id, name));
                found.extend(meant.cloned());
            }
        };
        let prefix = reference.to_ascii_lowercase();
        // As they are shown, else as they call themselves.
        let shown = |id: &AccountId, name: &str| {
            let given = self.own.names.get(id);
            given.map_or(name, String::as_str) == reference
        };
        add(&shown);
        add(&|_, name| name == reference);
        add(&|id, _| !prefix.is_empty() && id.to_string().starts_with(&prefix));
        let mut all = found.into_iter();
        match (all.next(), all.next()) {
            (None, _) => Err(ApiError::not_found(format_args!(
                "nobody here is {reference:?}: `kith contact list` shows whom you share a channel \
                 with"
            ))),
            (Some((account, _)), None) => Ok(account),
            (Some(first), Some(second)) => {
                let candidates = [first, second].into_iter().chain(all).take(CANDIDATES_MAX);
                let told = candidates.map(|(account, name)| {
                    format!("{} ({name})", &account.to_string()[..SHORT_ID])
                });
                Err(ApiError::ambiguous(reference, told))
            }
        }
    }

    /// All drafts, the latest first.
    pub(crate) fn drafts(&self) -> Vec<Draft> {
        let of = self.own.drafts.keys();
        let mut drafts: Vec<Draft> = of.filter_map(|of| self.draft(of)).collect();
        drafts.sort_by_key(|draft| std::cmp::Reverse(draft.at));
        drafts
    }

    /// The draft for a channel or a thread of it.
    pub(crate) fn draft(&self, of: &DraftOf) -> Option<Draft> {
        let (first, others) = self.own.drafts.get(of)?.split_first()?;
        let channel = self.shared.channel(&of.0)?;
        Some(Draft {
            id: first.id.into(),
            channel: of.0.into(),
            name: channel.name.clone(),
            thread: of.1.map(Into::into),
            at: first.at.into(),
            text: first.text.clone(),
            others: others
                .iter()
                .map(|other| OtherDraft {
                    at: other.at.into(),
                    text: other.text.clone(),
                })
                .collect(),
        })
    }
}
