//! Writing: an entry of this device's, from the wish to the sealed envelope in the log.

use kith_crdt::control::{Right, Role};
use kith_crdt::envelope::{self, Envelope, Position};
use kith_crdt::ids::{ChannelId, EpochId, LogId, MessageId, Place};
use kith_crdt::law::Law;
use kith_crdt::limits::TEXT_MAX_CHARS;
use kith_crdt::segment::{ANNOUNCEMENT, Entry, Message};
use kith_crdt::term::Term;
use kith_crdt::time::{Hlc, Millis};
use kith_store::Line;
use unicode_width::UnicodeWidthChar as _;

use super::Engine;
use super::apply::Spot;
use super::channel::{Channel, Sealing};
use super::effect::{Outcome, Refusal};
use super::incarnation::Cause;

/// An entry that is in the log and will be durable when the turn is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    pub(super) place: Place,
    pub(super) hlc: Hlc,
    pub(super) epoch: EpochId,
}

impl Engine {
    /// Writes a message.
    ///
    /// # Errors
    /// [`Refusal`] if the text is out of bounds, the account may not write, or what it answers is
    /// not here.
    pub(super) fn send_message(
        &mut self,
        now: Millis,
        channel: ChannelId,
        text: &str,
        (mut message, expire_ms): (Message, Option<u64>),
    ) -> Result<Outcome, Refusal> {
        check_message_text(text)?;
        if let Some(ms) = expire_ms {
            self.check_expiry(channel, ms)?;
            message.expires_at = Some(self.hlc.tick(now).millis().plus(ms));
        }
        if let Some(answered) = &message.reply_to {
            self.check_target_in(channel, answered)?;
        }
        if let Some(thread) = &message.thread
            && !self.has_replies(channel, thread)
        {
            self.check_target_in(channel, thread)?;
        }
        if message.form == ANNOUNCEMENT {
            self.check_right(channel, Right::MentionAll)?;
        }
        let wish = message.expires_at;
        let entry = Entry::Message(message);
        let written = self.write(now, channel, Right::Write, &entry, Some(text.as_bytes()))?;
        let roster = &self.channels.get(&channel).ok_or_else(no_channel)?.roster;
        Ok(Outcome::Sent {
            message: written.place.message_id(&channel),
            at: written.hlc.millis(),
            expires_at: roster.ends_at(&written.epoch, written.hlc, wish),
        })
    }

    /// Seals an entry into this device's log of the current segment and applies it here.
    ///
    /// # Errors
    /// [`Refusal`] if the account may not, or the channel has no key yet.
    pub(super) fn write(
        &mut self,
        now: Millis,
        id: ChannelId,
        right: Right,
        entry: &Entry,
        body: Option<&[u8]>,
    ) -> Result<Written, Refusal> {
        self.check_right(id, right)?;
        self.write_entry(now, id, entry, body)
    }

    /// Seals an entry that every member may write, as what it has read.
    ///
    /// # Errors
    /// [`Refusal`] if the channel has no key yet.
    pub(super) fn write_entry(
        &mut self,
        now: Millis,
        id: ChannelId,
        entry: &Entry,
        body: Option<&[u8]>,
    ) -> Result<Written, Refusal> {
        self.check_quota(id, entry)?;
        let hlc = self.hlc.tick(now);
        let sealing = self.sealing(id, entry, hlc)?;
        let epoch = self.ensure_epoch(now, id, (sealing, hlc))?;
        let writer = self.writer;
        let channel = self.channels.get_mut(&id).ok_or_else(no_channel)?;
        let term = sealing.term();
        let window = term.window(hlc);
        let window_key = channel
            .keys
            .window_key(&epoch, window)
            .ok_or_else(|| Refusal::Unreachable("the channel's key for today has not arrived yet: stay connected to a member and try again".into()))?;
        let reader = self.store.reader();
        let view = reader.view();
        let lost = |log: &LogId| view.envelope(&id, &log.place(1)).is_some();
        let segment = channel
            .segment_for((window, term), &writer, lost)
            .ok_or_else(|| Refusal::Limit("the channel is full for today".into()))?;
        let log_id = LogId { segment, writer };
        let log = channel.log_mut(log_id);
        let seq = log.head + 1;
        let prev = log.link;

        let change = match self
            .branches
            .write(&self.store, channel, log_id, seq, entry)
        {
            Ok(change) => change,
            Err(lost) => {
                tracing::warn!("{lost}");
                // A new writer has no branch to take up, so this happens once.
                self.begin_anew(now, Cause::Damage);
                return self.write_entry(now, id, entry, body);
            }
        };
        let channel = self.channels.get_mut(&id).ok_or_else(no_channel)?;
        let position = Position {
            place: log_id.place(seq),
            prev,
            hlc,
            epoch,
        };
        let sealed = envelope::seal(
            &id,
            &self.secrets.signing,
            &position,
            &window_key,
            &change,
            body,
            &mut self.rng,
        );
        self.hlc = hlc;
        channel.log_mut(log_id).append(&sealed);
        channel.grew(log_id, 1);
        let bytes = sealed.to_bytes();
        self.stage.outgoing.entry(id).or_default().push(bytes);
        self.keep(id, &sealed);
        let spot = Spot {
            place: position.place,
            hlc,
            epoch,
        };
        self.project(now, id, spot, entry);
        Ok(Written {
            place: position.place,
            hlc,
            epoch,
        })
    }

    /// What may seal an entry that is written at a time: what is said about a message is kept as
    /// long as the message, and a message that asks for less than the channel gives for about as
    /// long as it asks.
    ///
    /// # Errors
    /// [`Refusal`] if the message is not here.
    fn sealing(&self, id: ChannelId, entry: &Entry, hlc: Hlc) -> Result<Sealing, Refusal> {
        if let Entry::Message(message) = entry {
            let channel = self.channels.get(&id).ok_or_else(no_channel)?;
            let term = channel.roster.retention().term();
            let own = message.expires_at.map(|at| at.since(hlc.millis()));
            let own = own.map_or(Term::FOREVER, Term::of_own_life);
            return Ok(Sealing::Message(term.min(own)));
        }
        if let Entry::Setting(_) = entry {
            return Ok(Sealing::Message(Term::FOREVER));
        }
        if let Entry::Seen(ranges) = entry {
            let first = ranges.first().map(|range| range.log.segment.term());
            return Ok(Sealing::About(first.unwrap_or_default()));
        }
        let Some(target) = entry.target() else {
            return Err(Refusal::Usage("that is about no message".into()));
        };
        match self.store.reader().view().message(&target) {
            Some((channel, place)) if channel == id => Ok(Sealing::About(place.log.segment.term())),
            _ => Err(Refusal::NotFound(format!("no message {target} here"))),
        }
    }

    /// Stages the records of an envelope that has just been appended to its log.
    pub(super) fn keep(&mut self, channel: ChannelId, envelope: &Envelope) {
        let place = envelope.place();
        // While a log is mended, what comes anew may be there behind a hole.
        let replaces = self.channels.get(&channel).is_some_and(Channel::is_mending);
        self.put_envelope(channel, place, envelope.to_stored(), replaces);
        self.expect_end(channel, &place.log.segment);
        self.timers
            .set_by(super::Timer::Beacon(channel), self.beacon_due(channel));
    }

    /// Checks that this account may do something in a channel.
    ///
    /// # Errors
    /// [`Refusal::Denied`] naming what would be needed, [`Refusal::Unreachable`] while a join is
    /// under way.
    pub(super) fn check_right(&self, id: ChannelId, right: Right) -> Result<(), Refusal> {
        let role = self.check_belongs(id)?;
        let roster = &self.channels[&id].roster;
        if right.is_silenced()
            && let Some(mute) = roster.mute(&self.me, self.now)
        {
            let minutes = mute.until.since(self.now).div_ceil(60_000);
            return Err(Refusal::by_law(
                Law::Mutes,
                format_args!(
                    "you are muted here for another {minutes} min: wait, or ask whoever did it, \
                     whom `kith why member` names"
                ),
            ));
        }
        if roster.can(&self.me, right) {
            Ok(())
        } else {
            let least = roster.least_role(right);
            Err(Refusal::by_law(
                Law::Rights,
                format_args!(
                    "as {role} you may not {right} here: that takes the role {least} or above, so \
                     ask somebody who has it"
                ),
            ))
        }
    }

    /// Checks that this account belongs to a channel, and returns its role.
    ///
    /// # Errors
    /// As [`Self::check_right`].
    pub(super) fn check_belongs(&self, id: ChannelId) -> Result<Role, Refusal> {
        let channel = self.channels.get(&id).ok_or_else(no_channel)?;
        if channel.joining.is_some() {
            return Err(Refusal::Unreachable(
                "the join has not completed: nobody of the channel could be reached yet; it goes on by itself".into(),
            ));
        }
        let Some(role) = channel
            .roster
            .role(&self.me)
            .filter(|_| channel.roster.belongs_on(&self.me, &self.writer.device))
        else {
            return Err(Refusal::by_law(
                Law::Belonging,
                "you are not a member of this channel, and `kith why member` says why: ask for an \
                 invite",
            ));
        };
        Ok(role)
    }

    /// Whether replies to a message are here. The message itself may be from before this account
    /// came.
    fn has_replies(&self, channel: ChannelId, thread: &MessageId) -> bool {
        let line = Line::thread(&channel, thread);
        let lengths = self.store.reader().view().lengths(&[line]);
        lengths.iter().any(|length| *length > 0)
    }

    fn check_target_in(&self, channel: ChannelId, target: &MessageId) -> Result<(), Refusal> {
        let reader = self.store.reader();
        let view = reader.view();
        match view.message(target) {
            Some((found, place)) if found == channel => {
                self.check_there(&view, channel, target, &place)
            }
            Some(_) => Err(Refusal::Usage(format!(
                "message {target} is in another channel"
            ))),
            None => Err(Refusal::NotFound(format!("no message {target} here"))),
        }
    }
}

/// Checks the text of a message or an edit.
///
/// # Errors
/// [`Refusal::Usage`] if it shows nothing, [`Refusal::Limit`] if it is too long.
pub(super) fn check_message_text(text: &str) -> Result<(), Refusal> {
    let chars = text.chars().count();
    if shows_nothing(text) {
        return Err(Refusal::Usage("a message needs some text".into()));
    }
    if chars > TEXT_MAX_CHARS {
        return Err(Refusal::Limit(format!(
            "the text has {chars} characters, the most is {TEXT_MAX_CHARS}: send it in parts"
        )));
    }
    Ok(())
}

/// Whether nothing can be seen of a text: it is empty, white space, or marks without width.
pub(super) fn shows_nothing(text: &str) -> bool {
    text.chars()
        .all(|char| char.is_whitespace() || char.width().is_none_or(|width| width == 0))
}

/// The refusal for a channel that this node does not have.
pub(super) fn no_channel() -> Refusal {
    Refusal::NotFound("no such channel here: `kith channel list` shows those there are".into())
}
