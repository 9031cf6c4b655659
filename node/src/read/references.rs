//! What people type to name a channel or a message, and what they mean by it.

use std::collections::BTreeMap;
use std::sync::Arc;

use kith_api::{ApiError, ErrorCode};
use kith_crdt::ids::{AccountId, ChannelId, InviteId, MessageId, OpId, Place};
use kith_crdt::link::{InviteLink, LinkError};

use super::Reading;
use crate::engine::{ChannelView, Standing};
use crate::fate::gone;

/// Candidates named where a reference is ambiguous.
pub(super) const CANDIDATES_MAX: usize = 8;
/// Characters of an id as the command line prints it.
const PRINTED_ID: usize = 8;
/// Characters of an id that a candidate is shown with.
const SHORT_ID: usize = 12;
/// Members by whose names a candidate is told from others.
const NAMES_MAX: usize = 3;

/// The message that a reference means.
pub(super) enum Meant {
    /// One that is there.
    There(MessageId, Arc<ChannelView>, Place),
    /// One whose time is over.
    Gone(MessageId, Arc<ChannelView>),
}

/// Whether a reference is as long as the ids that are printed, so that it may be meant as one even
/// where something goes by it as its name. Whoever takes somebody's id for a name is not to be
/// taken for them.
fn is_like_id(reference: &str) -> bool {
    reference.len() >= PRINTED_ID
}

impl Reading<'_> {
    /// The channel that a name, `#name` or id prefix means.
    ///
    /// # Errors
    /// [`ApiError`]: not found, or ambiguous with the candidates.
    pub(crate) fn find_channel(&self, reference: &str) -> Result<Arc<ChannelView>, ApiError> {
        let channels = self.shared.channels();
        let name = reference.strip_prefix('#').unwrap_or(reference);
        let mut found: Vec<&Arc<ChannelView>> = channels
            .iter()
            .filter(|channel| channel.name == name)
            .collect();
        // Who has left a channel and is in another of its name means the one they are in.
        if found
            .iter()
            .any(|channel| channel.standing != Standing::Left)
        {
            found.retain(|channel| channel.standing != Standing::Left);
        }
        let mut by_name = !found.is_empty();
        let may_be_id = !reference.starts_with('#') && !reference.is_empty();
        if may_be_id && (found.is_empty() || is_like_id(reference)) {
            let prefix = reference.to_ascii_lowercase();
            let meant = |channel: &&Arc<ChannelView>| {
                channel.id.to_string().starts_with(&prefix)
                    && !found.iter().any(|other| other.id == channel.id)
            };
            let by_id: Vec<_> = channels.iter().filter(meant).collect();
            by_name &= by_id.is_empty();
            found.extend(by_id);
        }
        match found.as_slice() {
            [] => Err(ApiError::not_found(format_args!(
                "no channel {reference:?} here: `kith channel list` shows those there are"
            ))),
            [channel] => Ok(Arc::clone(channel)),
            several if by_name => Err(ApiError::new(
                ErrorCode::Ambiguous,
                format_args!(
                    "{} channels are called {name:?}: name the one you mean by its id: {}",
                    several.len(),
                    candidates(several)
                ),
            )),
            several => Err(ApiError::ambiguous(
                reference,
                several
                    .iter()
                    .take(CANDIDATES_MAX)
                    .map(|channel| candidate(channel)),
            )),
        }
    }

    /// The message that an id prefix means, and where it is.
    ///
    /// # Errors
    /// [`ApiError`]: not found, also if its time is over, or ambiguous with the candidates.
    pub fn find_message(
        &self,
        reference: &str,
    ) -> Result<(MessageId, Arc<ChannelView>, Place), ApiError> {
        match self.lookup_message(reference)? {
            Meant::There(id, channel, place) => Ok((id, channel, place)),
            Meant::Gone(id, _) => Err(ApiError::not_found(gone(&id))),
        }
    }

    /// The message that an id prefix means, whether it is there still or not. One whose time is
    /// over is meant only where none is there.
    ///
    /// # Errors
    /// [`ApiError`]: not found, or ambiguous with the candidates.
    pub(super) fn lookup_message(&self, reference: &str) -> Result<Meant, ApiError> {
        let prefix = reference.to_ascii_lowercase();
        let mut most = CANDIDATES_MAX;
        let (there, gone) = loop {
            let found = if prefix.is_empty() {
                Vec::new()
            } else {
                self.view.messages_with_prefix(&prefix, most)
            };
            let is_all = found.len() < most;
            let (gone, there): (Vec<_>, Vec<_>) = found
                .into_iter()
                .partition(|(_, channel, place)| self.is_gone(channel, place));
            if is_all || there.len() > 1 {
                break (there, gone);
            }
            most = most.saturating_mul(CANDIDATES_MAX);
        };
        match (there.as_slice(), gone.as_slice()) {
            ([], []) => Err(ApiError::not_found(format_args!(
                "no message {reference:?} here"
            ))),
            ([], [(id, channel, _)]) => Ok(Meant::Gone(*id, self.channel_of(channel, reference)?)),
            ([], _) => Err(ApiError::not_found(format_args!(
                "no message {reference:?} here: the time of those there were is over"
            ))),
            ([(id, channel, place)], _) => {
                let channel = self.channel_of(channel, reference)?;
                Ok(Meant::There(*id, channel, *place))
            }
            (several, _) => Err(ApiError::ambiguous(
                reference,
                several.iter().map(|(id, _, _)| id.to_string()),
            )),
        }
    }

    /// Whether the time of the message at a place is over.
    pub(super) fn is_gone(&self, channel: &ChannelId, place: &Place) -> bool {
        let Some(channel) = self.shared.channel(channel) else {
            return false;
        };
        let fate = self.fates(&channel).at(&channel.keys, place);
        fate.is_some_and(|fate| fate.is_over())
    }

    /// The invite of a channel that a link, an id or its prefix means.
    ///
    /// # Errors
    /// [`ApiError`]: not found, ambiguous with the candidates, or what is wrong with the link.
    pub(crate) fn find_invite(
        &self,
        channel: &ChannelView,
        reference: &str,
    ) -> Result<InviteId, ApiError> {
        let prefix = match reference.parse::<InviteLink>() {
            Ok(link) => link.invite().to_string(),
            Err(LinkError::NotALink) => reference.to_ascii_lowercase(),
            Err(broken) => return Err(ApiError::usage(broken)),
        };
        let invites = channel.roster.invites.keys();
        let found: Vec<&InviteId> = invites
            .filter(|invite| !prefix.is_empty() && invite.to_string().starts_with(&prefix))
            .collect();
        match found.as_slice() {
            [] => Err(ApiError::not_found(format_args!(
                "#{} has no such invite: `kith invite list` shows those there are",
                channel.name
            ))),
            [invite] => Ok(**invite),
            several => Err(ApiError::ambiguous(
                reference,
                several.iter().take(CANDIDATES_MAX),
            )),
        }
    }

    /// The op of a control log that an id prefix means, and the channel it is in.
    ///
    /// # Errors
    /// [`ApiError`]: not found, or ambiguous with the candidates.
    pub(crate) fn find_op(&self, reference: &str) -> Result<(Arc<ChannelView>, OpId), ApiError> {
        let prefix = reference.trim().to_ascii_lowercase();
        let channels = self.shared.channels();
        let mut found = Vec::new();
        for channel in channels.iter().filter(|_| !prefix.is_empty()) {
            let ops = channel.roster.verdicts.keys();
            let meant = ops.filter(|op| op.to_string().starts_with(&prefix));
            found.extend(meant.take(CANDIDATES_MAX).map(|op| (channel, *op)));
        }
        match found.as_slice() {
            [] => Err(ApiError::not_found(format_args!(
                "no op {reference:?} here: `kith audit CHANNEL` shows those there are"
            ))),
            [(channel, op)] => Ok((Arc::clone(channel), *op)),
            several => Err(ApiError::ambiguous(
                reference,
                several.iter().take(CANDIDATES_MAX).map(|(channel, op)| {
                    format!("{} (#{})", &op.to_string()[..SHORT_ID], channel.name)
                }),
            )),
        }
    }

    /// The account that a name or id prefix means: of those who are or were members, else of those
    /// whom other channels know.
    ///
    /// # Errors
    /// [`ApiError`]: not found, or ambiguous with the candidates.
    pub(crate) fn find_account(
        &self,
        channel: &ChannelView,
        reference: &str,
    ) -> Result<(AccountId, String), ApiError> {
        let others = self.shared.channels();
        let rosters = std::iter::once(&channel.roster).chain(others.iter().map(|c| &c.roster));
        let everybody: Vec<BTreeMap<AccountId, String>> = rosters
            .map(|roster| {
                let members = roster.members.values();
                members
                    .map(|member| (member.account, member.name.clone()))
                    .collect()
            })
            .collect();
        let prefix = reference.to_ascii_lowercase();
        let here = everybody.first().into_iter().flatten();
        let anywhere = || everybody.iter().flatten();
        let called = |(_, name): &(&AccountId, &String)| *name == reference;
        let begins = |(account, _): &(&AccountId, &String)| {
            !prefix.is_empty() && account.to_string().starts_with(&prefix)
        };
        // As they are shown comes before what they call themselves.
        let given = |(account, name): &(&AccountId, &String)| {
            let shown = self.own.names.get(*account).unwrap_or(*name);
            shown == reference
        };
        let mut found: BTreeMap<&AccountId, &String> = here.clone().filter(given).collect();
        if found.is_empty() {
            found = here.clone().filter(called).collect();
        }
        if found.is_empty() || is_like_id(reference) {
            found.extend(here.filter(begins));
        }
        if found.is_empty() {
            found = anywhere().filter(given).collect();
        }
        if found.is_empty() {
            found = anywhere().filter(called).collect();
        }
        if found.is_empty() {
            found = anywhere().filter(begins).collect();
        }
        let mut all = found.into_iter();
        match (all.next(), all.next()) {
            (None, _) => Err(ApiError::not_found(format_args!(
                "nobody here is {reference:?}: `kith member list {}` shows who is in #{0}",
                channel.name
            ))),
            (Some((account, name)), None) => {
                let given = self.own.names.get(account);
                Ok((*account, given.unwrap_or(name).clone()))
            }
            (Some(first), Some(second)) => Err(ApiError::ambiguous(
                reference,
                [first, second]
                    .into_iter()
                    .chain(all)
                    .take(CANDIDATES_MAX)
                    .map(|(account, name)| {
                        format!("{} ({name})", &account.to_string()[..SHORT_ID])
                    }),
            )),
        }
    }

    fn channel_of(&self, id: &ChannelId, reference: &str) -> Result<Arc<ChannelView>, ApiError> {
        self.shared.channel(id).ok_or_else(|| {
            ApiError::not_found(format_args!(
                "the channel of message {reference:?} is not here"
            ))
        })
    }
}

fn candidates(channels: &[&Arc<ChannelView>]) -> String {
    let shown = channels.iter().take(CANDIDATES_MAX);
    let mut shown: Vec<String> = shown.map(|channel| candidate(channel)).collect();
    if channels.len() > CANDIDATES_MAX {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}

/// A channel among those that a reference may mean: the beginning of its id, its name, and what
/// tells it from another of that name.
fn candidate(channel: &ChannelView) -> String {
    let id = channel.id.to_string();
    let mut told = format!("{} (#{}", &id[..SHORT_ID], channel.name);
    if !channel.roster.topic.is_empty() {
        told += &format!(", {}", channel.roster.topic);
    }
    let others: Vec<&str> = channel
        .roster
        .active()
        .take(NAMES_MAX)
        .map(|member| member.name.as_str())
        .collect();
    if !others.is_empty() {
        told += &format!(", with {}", others.join(" and "));
    }
    told + ")"
}
