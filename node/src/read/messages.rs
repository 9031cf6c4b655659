//! Messages as they are shown: text opened, edits and deletions weighed, reactions counted.

use kith_api::message::{
    DeletedBy, Hidden, Message, MessageDetail, MessageKind, PageQuery, PinnedBy, Version,
};
use kith_api::reaction::{Reaction, Reactions};
use kith_api::{ApiError, Timestamp};
use kith_crdt::envelope::Envelope;
use kith_crdt::ids::{AccountId, EpochId, MessageId, Place};
use kith_crdt::limits::{PAGE_MAX, TOPIC_MAX_CHARS};
use kith_crdt::projection::{self, Rendered};
use kith_crdt::segment::ANNOUNCEMENT;
use kith_crdt::time::Millis;
use kith_store::Line;

use super::Reading;
use super::against::against_message;
use super::delivery::{Lookups, recipients};
use super::found::{Found, open, text_of};
use super::replies::Replies;
use super::steps::rule;
use crate::claims;
use crate::engine::ChannelView;
use crate::fate::gone;

/// Characters of an id in a command that is suggested.
const SHORT_ID: usize = 8;

/// What others did to a message, as stored.
struct Around {
    claims: Vec<Vec<u8>>,
    replies: Replies,
}

impl Reading<'_> {
    /// A page of a channel or of a thread, oldest first: the newest before the cursor.
    ///
    /// # Errors
    /// [`ApiError`] if the query or a reference in it makes no sense.
    pub fn page(&self, channel: &ChannelView, query: &PageQuery) -> Result<Vec<Message>, ApiError> {
        let limit = query.limit.unwrap_or(PageQuery::LIMIT) as usize;
        if limit == 0 {
            return Err(ApiError::usage("a page needs a limit of at least 1"));
        }
        if limit > PAGE_MAX {
            return Err(ApiError::limit(format_args!(
                "a page has at most {PAGE_MAX} messages; page on with `--before`"
            )));
        }
        let root = match &query.thread {
            Some(root) => Some(self.root_in(channel, root)?),
            None => None,
        };
        let line = match &root {
            Some((root, _)) => Line::thread(&channel.id, root),
            None => Line::main(&channel.id),
        };
        let mut before = match &query.before {
            Some(cursor) => {
                Some(self.in_channel(channel, cursor)?).map(|found| (found.hlc, found.place))
            }
            None => None,
        };
        let mut lookups = Lookups::default();
        let mut opener = self.opener(channel);
        let mut page: Vec<Message> = Vec::with_capacity(limit);
        // Entries that may not be shown leave gaps; go on until the page is full or there is no more.
        while page.len() < limit {
            let wanted = limit - page.len();
            let entries = self.view.page(line, before, wanted);
            before = entries.first().map(|entry| (entry.hlc, entry.place));
            let places: Vec<Place> = entries.iter().map(|entry| entry.place).collect();
            let stored = self.view.multi_envelopes(&channel.id, &places);
            let found: Vec<Found> = places
                .iter()
                .zip(stored)
                .filter_map(|(place, bytes)| open(&mut opener, *place, &bytes?))
                .collect();
            let mut shown: Vec<Message> = found
                .iter()
                .zip(self.around(channel, &found))
                .filter_map(|(found, around)| self.shown(channel, found, &around, &mut lookups))
                .collect();
            shown.append(&mut page);
            page = shown;
            if entries.len() < wanted {
                break;
            }
        }
        match root {
            // What others answered may live longer than what began it.
            Some((root, true)) if page.is_empty() => Err(ApiError::not_found(gone(&root))),
            _ => Ok(page),
        }
    }

    /// One message.
    pub(crate) fn message(&self, channel: &ChannelView, place: Place) -> Option<Message> {
        let found = self.find(channel, place)?;
        let around = self.around(channel, std::slice::from_ref(&found)).pop()?;
        self.shown(channel, &found, &around, &mut Lookups::default())
    }

    /// Whether a message of this account's goes once everybody has read it.
    pub(crate) fn is_instant(&self, channel: &ChannelView, message: &MessageId) -> bool {
        let place = self.view.message(message).map(|(_, place)| place);
        let envelope = place.and_then(|place| self.envelope(channel, place));
        envelope
            .is_some_and(|envelope| goes_by_being_read(channel, &envelope.header.epoch, &self.me))
    }

    /// The pinned messages of a channel, those pinned first first.
    pub fn pins(&self, channel: &ChannelView) -> Vec<Message> {
        let of = (&channel.id, &*channel.roster, &*channel.keys);
        let places = claims::pinned(&self.view, of, &channel.pins, self.now);
        let messages = places.iter();
        messages
            .filter_map(|place| self.message(channel, *place))
            .collect()
    }

    /// One message and where it has arrived.
    pub fn message_detail(&self, channel: &ChannelView, place: Place) -> Option<MessageDetail> {
        let message = self.message(channel, place)?;
        let at = Millis(message.at.0);
        let delivery = self.deliveries(channel, (place, at), &message.read_by);
        let is_deleted = message.deleted;
        Some(MessageDetail {
            recipients: recipients(message.account.0, &message.read_by, &delivery),
            message,
            delivery,
            erased: is_deleted.then(|| self.erased_on(channel, (place, at))),
        })
    }

    /// The texts a message has had, the first one first.
    pub fn history(&self, channel: &ChannelView, place: Place) -> Option<Vec<Version>> {
        let found = self.find(channel, place)?;
        self.seen_by_me(channel, &found)?;
        let claims = self.view.claims(&channel.id, &found.id);
        let rendered = self.rendered(channel, &found, &claims);
        let (deleted_by, reason) = self.deletion(channel, &rendered);
        let versions = rendered
            .versions
            .iter()
            .zip(1..)
            .filter_map(|(place, version)| {
                let envelope = self.envelope(channel, *place)?;
                let account = channel.roster.account_of(&place.log.writer.device)?;
                let text = rendered
                    .deleted
                    .is_none()
                    .then(|| text_of(channel, &envelope))
                    .flatten();
                Some(Version {
                    version,
                    at: envelope.header.hlc.into(),
                    account: account.into(),
                    name: self.name_of(&channel.roster, &account),
                    text,
                    deleted_by: deleted_by.clone(),
                    reason: reason.clone(),
                })
            });
        Some(versions.collect())
    }

    /// A message of this channel that a prefix means.
    fn in_channel(&self, channel: &ChannelView, reference: &str) -> Result<Found, ApiError> {
        let (id, of, place) = self.find_message(reference)?;
        in_this(channel, &id, &of)?;
        self.find(channel, place)
            .ok_or_else(|| self.not_shown(channel, place))
    }

    /// What others did to each of these messages.
    fn around(&self, channel: &ChannelView, messages: &[Found]) -> Vec<Around> {
        let ids: Vec<MessageId> = messages.iter().map(|found| found.id).collect();
        let threads: Vec<Line> = ids.iter().map(|id| Line::thread(&channel.id, id)).collect();
        let claims = self.view.multi_claims(&channel.id, &ids);
        claims
            .into_iter()
            .zip(self.replies(channel, &threads))
            .map(|(claims, replies)| Around { claims, replies })
            .collect()
    }

    /// Whether a message is shown to this account, and if so, whether to nobody else: what is hidden
    /// its author still sees, or they would believe that it was lost, or heard.
    fn seen_by_me(&self, channel: &ChannelView, found: &Found) -> Option<Option<Hidden>> {
        if self.own.blocked.contains(&found.author) {
            return None;
        }
        match against_message(channel, found) {
            None => Some(None),
            Some(against) if found.author == self.me => Some(Some(Hidden {
                rule: rule(against.law()),
                reason: against.reason(),
                because: against.because().map(Into::into),
            })),
            Some(_) => None,
        }
    }

    /// Why a message that is here is not shown.
    pub(crate) fn not_shown(&self, channel: &ChannelView, place: Place) -> ApiError {
        let id = place.message_id(&channel.id).to_string();
        let short = &id[..SHORT_ID];
        let found = self.find(channel, place);
        let blocked = found.as_ref().map(|found| found.author);
        if let Some(author) = blocked.filter(|author| self.own.blocked.contains(author)) {
            let name = self.name_of(&channel.roster, &author);
            return ApiError::not_found(format_args!(
                "message {id} is by {name}, whom you have blocked: `kith contact unblock {}` shows \
                 what they write",
                &author.to_string()[..SHORT_ID]
            ));
        }
        match found.and_then(|found| against_message(channel, &found)) {
            Some(against) => ApiError::not_found(format_args!(
                "message {id} is hidden: {} (rule {} {}); `kith why message {short}` says more",
                against.reason(),
                against.law().number(),
                against.law().name()
            )),
            None => ApiError::not_found(format_args!(
                "message {id} cannot be read here: `kith why message {short}` says why"
            )),
        }
    }

    /// The message as it may be shown; none if its author may not write here.
    fn shown(
        &self,
        channel: &ChannelView,
        found: &Found,
        around: &Around,
        lookups: &mut Lookups,
    ) -> Option<Message> {
        channel.roster.members.get(&found.author)?;
        let hidden = self.seen_by_me(channel, found)?;
        let rendered = self.rendered(channel, found, &around.claims);
        let deleted = rendered.deleted.is_some();
        let (deleted_by, reason) = self.deletion(channel, &rendered);
        let text = if deleted {
            None
        } else {
            self.newest_text(channel, found, &rendered)
        };
        let read_by = self.read_by(channel, found.place, found.author, lookups);
        let written = (found.place, found.hlc.millis());
        let state = self.state(channel, written, found.author, &read_by, lookups);
        let mentions = text
            .as_deref()
            .map_or_else(Vec::new, |text| mentions(channel, text));
        Some(Message {
            id: found.id.into(),
            channel: channel.id.into(),
            account: found.author.into(),
            name: self.name_of(&channel.roster, &found.author),
            device: found.place.log.writer.device.into(),
            at: found.hlc.into(),
            kind: kind(channel, found),
            edited: rendered.edited(),
            deleted,
            deleted_by,
            reason,
            hidden,
            pinned: rendered.pinned.is_some(),
            pinned_by: rendered.pinned.and_then(|at| self.pinned_by(channel, at)),
            reply_to: found.said.reply_to.map(Into::into),
            thread: found.said.thread.map(Into::into),
            replies: around.replies.all,
            unread_replies: around.replies.unread,
            reactions: if deleted {
                Reactions::default()
            } else {
                self.reactions(&rendered)
            },
            state,
            read_by,
            expires_at: found.until.map(Timestamp::from),
            instant: goes_by_being_read(channel, &found.epoch, &found.author),
            mentions: mentions.into_iter().map(Into::into).collect(),
            text,
        })
    }

    fn newest_text(
        &self,
        channel: &ChannelView,
        found: &Found,
        rendered: &Rendered,
    ) -> Option<String> {
        match rendered.versions.last() {
            Some(place) if *place != found.place => {
                text_of(channel, &self.envelope(channel, *place)?)
            }
            _ => found.text.clone(),
        }
    }

    /// Who deleted a message, and the reason they gave.
    fn deletion(
        &self,
        channel: &ChannelView,
        rendered: &Rendered,
    ) -> (Option<DeletedBy>, Option<String>) {
        let Some(place) = rendered.deleted else {
            return (None, None);
        };
        let deleted_by = |envelope: &Envelope| {
            let account = channel.roster.account_of(&place.log.writer.device)?;
            Some(DeletedBy {
                account: account.into(),
                name: self.name_of(&channel.roster, &account),
                at: envelope.header.hlc.into(),
            })
        };
        let Some(envelope) = self.envelope(channel, place) else {
            return (None, None);
        };
        let reason = text_of(channel, &envelope)
            .filter(|reason| !reason.is_empty() && reason.chars().count() <= TOPIC_MAX_CHARS);
        (deleted_by(&envelope), reason)
    }

    /// Who pinned a message by the entry at a place, and when.
    fn pinned_by(&self, channel: &ChannelView, at: Place) -> Option<PinnedBy> {
        let account = channel.roster.account_of(&at.log.writer.device)?;
        Some(PinnedBy {
            account: account.into(),
            name: self.name_of(&channel.roster, &account),
            at: self.envelope(channel, at)?.header.hlc.into(),
        })
    }

    fn reactions(&self, rendered: &Rendered) -> Reactions {
        rendered
            .reactions
            .iter()
            .map(|reaction| {
                let count = reaction.accounts.len() as u64;
                (
                    reaction.emoji.to_owned(),
                    Reaction {
                        count,
                        mine: reaction.accounts.contains(&self.me),
                    },
                )
            })
            .collect()
    }
}

/// Checks that a message is of the channel that is asked about.
pub(super) fn in_this(
    channel: &ChannelView,
    id: &MessageId,
    of: &ChannelView,
) -> Result<(), ApiError> {
    if of.id == channel.id {
        return Ok(());
    }
    Err(ApiError::usage(format_args!(
        "message {id} is in another channel, #{}",
        of.name
    )))
}

/// What a message is: an announcement by somebody who might not announce is a text.
fn kind(channel: &ChannelView, found: &Found) -> MessageKind {
    match found.said.form {
        ANNOUNCEMENT
            if projection::announces(&channel.roster, &found.author, &found.said, found.hlc) =>
        {
            MessageKind::Announcement
        }
        0 | ANNOUNCEMENT => MessageKind::Text,
        _ => MessageKind::Unknown,
    }
}

/// Whether a message of an author that was sealed in an epoch goes once everybody has read it.
fn goes_by_being_read(channel: &ChannelView, epoch: &EpochId, author: &AccountId) -> bool {
    channel.roster.readers_awaited(epoch, author).is_some()
}

impl Reading<'_> {
    /// What the claims that count make of a message.
    fn rendered(&self, channel: &ChannelView, found: &Found, stored: &[Vec<u8>]) -> Rendered {
        let original = found.original();
        let channel = (&channel.id, &*channel.roster);
        let rendered = claims::render(&self.view, channel, &original, &claims::read(stored));
        claims::silence(rendered, &self.own.blocked)
    }
}

/// The members whom a text addresses as `@name`.
fn mentions(channel: &ChannelView, text: &str) -> Vec<AccountId> {
    if !text.contains('@') {
        return Vec::new();
    }
    let text = text.to_lowercase();
    let addressed = |name: &str| {
        let at_name = format!("@{}", name.to_lowercase());
        text.match_indices(&at_name).any(|(at, _)| {
            !text[at + at_name.len()..].starts_with(|next: char| next.is_alphanumeric())
        })
    };
    channel
        .roster
        .active()
        .filter(|member| !member.name.is_empty() && addressed(&member.name))
        .map(|member| member.account)
        .collect()
}
