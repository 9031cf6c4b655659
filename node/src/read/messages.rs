//! Messages as they are shown: text opened, edits and deletions weighed, reactions counted.

use kith_api::message::{Message, MessageDetail, MessageKind, PageQuery, Version};
use kith_api::reaction::{Reaction, Reactions};
use kith_api::{ApiError, Timestamp};
use kith_crdt::control::Right;
use kith_crdt::encoding;
use kith_crdt::envelope::Envelope;
use kith_crdt::ids::{AccountId, MessageId, Place};
use kith_crdt::limits::{PAGE_MAX, TEXT_MAX_CHARS};
use kith_crdt::projection::{self, Claim, Original, Rendered};
use kith_crdt::segment::{Entry, Message as Said, read_change};
use kith_crdt::time::Hlc;
use kith_store::Line;

use super::Reading;
use super::delivery::Lookups;
use crate::engine::ChannelView;

/// Bytes of a stored claim.
pub(super) const CLAIM_MAX: usize = 1_024;

/// A message taken out of its envelope, before anything that others did to it.
struct Found {
    id: MessageId,
    place: Place,
    hlc: Hlc,
    author: AccountId,
    said: Said,
    envelope: Envelope,
}

impl Reading<'_> {
    /// A page of a channel or of a thread, oldest first: the newest before the cursor.
    ///
    /// # Errors
    /// [`ApiError`] if the query or a reference in it makes no sense.
    pub(crate) fn page(
        &self,
        channel: &ChannelView,
        query: &PageQuery,
    ) -> Result<Vec<Message>, ApiError> {
        let limit = query.limit.unwrap_or(PageQuery::LIMIT) as usize;
        if limit == 0 {
            return Err(ApiError::usage("a page needs a limit of at least 1"));
        }
        if limit > PAGE_MAX {
            return Err(ApiError::limit(format_args!(
                "a page has at most {PAGE_MAX} messages; page on with `--before`"
            )));
        }
        let line = match &query.thread {
            Some(root) => Line::thread(&channel.id, &self.in_channel(channel, root)?.id),
            None => Line::main(&channel.id),
        };
        let mut before = match &query.before {
            Some(cursor) => {
                Some(self.in_channel(channel, cursor)?).map(|found| (found.hlc, found.place))
            }
            None => None,
        };
        let mut lookups = Lookups::default();
        let mut page: Vec<Message> = Vec::with_capacity(limit);
        // Entries that may not be shown leave gaps; go on until the page is full or there is no more.
        while page.len() < limit {
            let wanted = limit - page.len();
            let entries = self.view.page(line, before, wanted);
            before = entries.first().map(|entry| (entry.hlc, entry.place));
            let places: Vec<Place> = entries.iter().map(|entry| entry.place).collect();
            let stored = self.view.multi_envelopes(&channel.id, &places);
            let mut shown: Vec<Message> = places
                .iter()
                .zip(stored)
                .filter_map(|(place, bytes)| self.open(channel, *place, &bytes?))
                .filter_map(|found| self.shown(channel, &found, &mut lookups))
                .collect();
            shown.append(&mut page);
            page = shown;
            if entries.len() < wanted {
                break;
            }
        }
        Ok(page)
    }

    /// One message.
    pub(crate) fn message(&self, channel: &ChannelView, place: Place) -> Option<Message> {
        let found = self.find(channel, place)?;
        self.shown(channel, &found, &mut Lookups::default())
    }

    /// One message and where it has arrived.
    pub(crate) fn message_detail(
        &self,
        channel: &ChannelView,
        place: Place,
    ) -> Option<MessageDetail> {
        let message = self.message(channel, place)?;
        let delivery = self.deliveries(channel, place, &message.read_by);
        Some(MessageDetail { message, delivery })
    }

    /// The texts a message has had, the first one first.
    pub(crate) fn history(&self, channel: &ChannelView, place: Place) -> Option<Vec<Version>> {
        let found = self.find(channel, place)?;
        let rendered = self.rendered(channel, &found);
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
                    text,
                })
            });
        Some(versions.collect())
    }

    /// A message of this channel that a prefix means.
    fn in_channel(&self, channel: &ChannelView, reference: &str) -> Result<Found, ApiError> {
        let (id, of, place) = self.find_message(reference)?;
        if of.id != channel.id {
            return Err(ApiError::usage(format_args!(
                "message {id} is in another channel, #{}",
                of.name
            )));
        }
        self.find(channel, place)
            .ok_or_else(|| ApiError::not_found(format_args!("message {id} cannot be read here")))
    }

    fn envelope(&self, channel: &ChannelView, place: Place) -> Option<Envelope> {
        let stored = self.view.envelope(&channel.id, &place)?;
        Envelope::from_stored(&stored, &channel.id, place).ok()
    }

    fn find(&self, channel: &ChannelView, place: Place) -> Option<Found> {
        let stored = self.view.envelope(&channel.id, &place)?;
        self.open(channel, place, &stored)
    }

    fn open(&self, channel: &ChannelView, place: Place, stored: &[u8]) -> Option<Found> {
        let envelope = Envelope::from_stored(stored, &channel.id, place).ok()?;
        let key = channel
            .keys
            .window_key(&envelope.header.epoch, place.log.segment.window)?;
        let change = envelope.open_change(&channel.id, &key).ok()?;
        let entry = read_change(&change, &place.log.writer.actor(&channel.id), place.seq).ok()?;
        let Entry::Message(said) = entry else {
            return None;
        };
        let author = channel.roster.account_of(&place.log.writer.device)?;
        Some(Found {
            id: place.message_id(&channel.id),
            place,
            hlc: envelope.header.hlc,
            author,
            said,
            envelope,
        })
    }

    fn rendered(&self, channel: &ChannelView, found: &Found) -> Rendered {
        let claims: Vec<Claim> = self
            .view
            .claims(&channel.id, &found.id)
            .iter()
            .filter_map(|bytes| encoding::decode(bytes, CLAIM_MAX).ok())
            .collect();
        projection::render(
            &Original {
                author: found.author,
                place: found.place,
            },
            &claims,
            |device| channel.roster.account_of(device),
            |account| {
                // What a moderator deleted stays deleted when they leave.
                let role = channel.roster.role(account);
                role.is_some_and(|role| role.has(Right::DeleteOthers))
            },
        )
    }

    /// The message as it may be shown; none if its author may not write here.
    fn shown(
        &self,
        channel: &ChannelView,
        found: &Found,
        lookups: &mut Lookups,
    ) -> Option<Message> {
        let member = channel.roster.members.get(&found.author)?;
        if !member.role.has(Right::Write) {
            return None;
        }
        let rendered = self.rendered(channel, found);
        let deleted = rendered.deleted.is_some();
        let text = if deleted {
            None
        } else {
            self.newest_text(channel, found, &rendered)
        };
        let read_by = self.read_by(channel, found.place, found.author, lookups);
        let state = self.state(channel, found.place, found.author, &read_by, lookups);
        let mentions = text
            .as_deref()
            .map_or_else(Vec::new, |text| mentions(channel, text));
        Some(Message {
            id: found.id.into(),
            channel: channel.id.into(),
            account: found.author.into(),
            name: member.name.clone(),
            device: found.place.log.writer.device.into(),
            at: found.hlc.into(),
            kind: if found.said.form == 0 {
                MessageKind::Text
            } else {
                MessageKind::Unknown
            },
            edited: rendered.edited(),
            deleted,
            reply_to: found.said.reply_to.map(Into::into),
            thread: found.said.thread.map(Into::into),
            replies: self.view.count(Line::thread(&channel.id, &found.id), None),
            reactions: if deleted {
                Reactions::default()
            } else {
                self.reactions(&rendered)
            },
            state,
            read_by,
            expires_at: found.said.expires_at.map(Timestamp::from),
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
            _ => text_of(channel, &found.envelope),
        }
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

/// The text in an envelope's body; none where it cannot be opened or is no text within bounds.
fn text_of(channel: &ChannelView, envelope: &Envelope) -> Option<String> {
    let key = channel
        .keys
        .window_key(&envelope.header.epoch, envelope.place().log.segment.window)?;
    let body = envelope.open_body(&channel.id, &key).ok()??;
    let text = String::from_utf8(body).ok()?;
    (text.chars().count() <= TEXT_MAX_CHARS).then_some(text)
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
