//! What is done to a message that is there: it is edited, deleted, reacted to, marked as read.

use std::collections::BTreeMap;

use kith_crdt::control::Right;
use kith_crdt::ids::{AccountId, ChannelId, LogId, MessageId, Place};
use kith_crdt::law::Law;
use kith_crdt::limits::{EMOJI_PER_MESSAGE, SEEN_RANGES_MAX, TOPIC_MAX_CHARS};
use kith_crdt::projection::{Original, Rendered, against_message};
use kith_crdt::ranges::Ranges;
use kith_crdt::segment::{self, Entry, SeenRange};
use kith_crdt::term::Term;
use kith_crdt::time::Millis;
use kith_store::View;

use super::Engine;
use super::channel::Channel;
use super::effect::{Outcome, Refusal};
use super::texts::check_line;
use super::write::{check_message_text, no_channel};
use crate::claims;
use crate::fate::{Fates, gone};

/// A message that a command is about.
pub(super) struct Target {
    pub(super) channel: ChannelId,
    author: AccountId,
    pub(super) rendered: Rendered,
}

impl Target {
    pub(super) fn check_alive(&self, done: &str) -> Result<(), Refusal> {
        if self.rendered.deleted.is_some() {
            return Err(Refusal::Denied(format!(
                "the message was deleted and cannot be {done}"
            )));
        }
        Ok(())
    }
}

impl Engine {
    pub(super) fn edit(
        &mut self,
        now: Millis,
        target: MessageId,
        text: &str,
    ) -> Result<Outcome, Refusal> {
        check_message_text(text)?;
        let found = self.target(&target)?;
        if found.author != self.me {
            return Err(Refusal::by_law(
                Law::Edits,
                "only the author can edit a message",
            ));
        }
        found.check_alive("edited")?;
        let written = self.write(
            now,
            found.channel,
            Right::Write,
            &Entry::Edit { target },
            Some(text.as_bytes()),
        )?;
        Ok(Outcome::Written {
            message: target,
            at: written.hlc.millis(),
        })
    }

    pub(super) fn delete(
        &mut self,
        now: Millis,
        target: MessageId,
        reason: Option<&str>,
    ) -> Result<Outcome, Refusal> {
        if let Some(reason) = reason {
            check_line(reason, "reason", TOPIC_MAX_CHARS)?;
        }
        let found = self.target(&target)?;
        // What is one's own may be taken back by whoever belongs, muted or not.
        if found.author == self.me {
            self.check_belongs(found.channel)?;
        } else {
            self.check_right(found.channel, Right::DeleteOthers)?;
        }
        if found.rendered.deleted.is_some() {
            return Ok(Outcome::Written {
                message: target,
                at: now,
            });
        }
        let body = reason
            .filter(|reason| !reason.is_empty())
            .map(str::as_bytes);
        let entry = Entry::Deletion { target };
        let written = self.write_entry(now, found.channel, &entry, body)?;
        Ok(Outcome::Written {
            message: target,
            at: written.hlc.millis(),
        })
    }

    pub(super) fn react(
        &mut self,
        now: Millis,
        target: MessageId,
        emoji: &str,
        on: bool,
    ) -> Result<Outcome, Refusal> {
        let emoji =
            segment::check_emoji(emoji).map_err(|error| Refusal::Usage(error.to_string()))?;
        let found = self.target(&target)?;
        found.check_alive("reacted to")?;
        let reactions = &found.rendered.reactions;
        let there = reactions.iter().find(|reaction| reaction.emoji == emoji);
        if there.is_some_and(|reaction| reaction.accounts.contains(&self.me)) == on {
            return Ok(Outcome::Written {
                message: target,
                at: now,
            });
        }
        if on && there.is_none() && reactions.len() >= EMOJI_PER_MESSAGE {
            return Err(Refusal::Limit(format!(
                "a message can bear {EMOJI_PER_MESSAGE} different emoji"
            )));
        }
        let entry = Entry::Reaction {
            target,
            emoji: emoji.to_owned(),
            on,
        };
        // What is one's own may be taken back by whoever belongs, muted or not.
        if on {
            self.check_right(found.channel, Right::React)?;
        } else {
            self.check_belongs(found.channel)?;
        }
        let written = self.write_entry(now, found.channel, &entry, None)?;
        Ok(Outcome::Written {
            message: target,
            at: written.hlc.millis(),
        })
    }

    pub(super) fn mark(
        &mut self,
        now: Millis,
        id: ChannelId,
        messages: Option<Vec<MessageId>>,
    ) -> Result<Outcome, Refusal> {
        let ranges = match messages {
            None => self
                .channels
                .get(&id)
                .ok_or_else(no_channel)?
                .unread_ranges(&self.me),
            Some(messages) => self.ranges_of(id, &messages)?,
        };
        let marked: u64 = ranges.iter().map(|(_, ranges)| ranges.len()).sum();
        // What says that something was read is kept as long as that is.
        let mut seen: BTreeMap<Term, Vec<SeenRange>> = BTreeMap::new();
        for (log, ranges) in &ranges {
            let of_term = seen.entry(log.segment.term()).or_default();
            of_term.extend(ranges.ranges().iter().map(|(first, last)| SeenRange {
                log: *log,
                first: *first,
                last: *last,
            }));
        }
        for part in seen.values().flat_map(|seen| seen.chunks(SEEN_RANGES_MAX)) {
            self.write_entry(now, id, &Entry::Seen(part.to_vec()), None)?;
        }
        Ok(Outcome::Marked(marked))
    }

    fn ranges_of(
        &mut self,
        id: ChannelId,
        messages: &[MessageId],
    ) -> Result<Vec<(LogId, Ranges)>, Refusal> {
        let reader = self.store.reader();
        let view = reader.view();
        let mut wanted: BTreeMap<LogId, Ranges> = BTreeMap::new();
        for message in messages {
            let place = match view.message(message) {
                Some((channel, place)) if channel == id => place,
                _ => {
                    return Err(Refusal::NotFound(format!(
                        "no message {message} in this channel"
                    )));
                }
            };
            self.check_there(&view, id, message, &place)?;
            wanted.entry(place.log).or_default().insert(place.seq);
        }
        let unread = self
            .channels
            .get(&id)
            .ok_or_else(no_channel)?
            .unread_ranges(&self.me);
        Ok(unread
            .into_iter()
            .filter_map(|(log, unread)| Some((log, unread.intersect(wanted.get(&log)?))))
            .filter(|(_, ranges)| !ranges.is_empty())
            .collect())
    }

    /// Checks that a message is shown to this account.
    fn check_shown(
        &self,
        channel: &Channel,
        author: AccountId,
        place: Place,
    ) -> Result<(), Refusal> {
        let roster = &channel.roster;
        if author == self.me || roster.counts_up_to(&author, Right::Write, &place) {
            return Ok(());
        }
        let reader = self.store.reader();
        let Some(envelope) = claims::envelope(&reader.view(), &channel.id, place) else {
            return Ok(());
        };
        let written = (&place, envelope.header.hlc);
        match against_message(roster, &author, written, &envelope.header.epoch) {
            None => Ok(()),
            Some(against) => Err(Refusal::NotFound(format!(
                "the message is hidden: {}; `kith why message` says more",
                against.reason()
            ))),
        }
    }

    /// Checks that the time of a message is not over.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if it is.
    pub(super) fn check_there(
        &self,
        view: &View<'_>,
        id: ChannelId,
        message: &MessageId,
        place: &Place,
    ) -> Result<(), Refusal> {
        let Some(channel) = self.channels.get(&id) else {
            return Ok(());
        };
        let fates = Fates::new(view, (&id, &channel.roster), self.floor);
        match fates.at(&channel.keys, place) {
            Some(fate) if fate.is_over() => Err(Refusal::NotFound(gone(message))),
            _ => Ok(()),
        }
    }

    /// Finds a message and what has become of it.
    pub(super) fn target(&mut self, target: &MessageId) -> Result<Target, Refusal> {
        let reader = self.store.reader();
        let view = reader.view();
        let not_found = || Refusal::NotFound(format!("no message {target} here"));
        let (id, place) = view.message(target).ok_or_else(not_found)?;
        let roster = &self.channels.get(&id).ok_or_else(not_found)?.roster;
        let author = roster
            .account_of(&place.log.writer.device)
            .ok_or_else(not_found)?;
        self.check_there(&view, id, target, &place)?;
        self.check_shown(&self.channels[&id], author, place)?;
        let original = Original { author, place };
        let about = claims::about(&view, &id, target);
        let rendered = claims::render(&view, (&id, roster), &original, &about);
        Ok(Target {
            channel: id,
            author,
            rendered,
        })
    }
}
