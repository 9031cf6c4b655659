//! Commands of the local API, each checked again here: the engine is the one that decides.

use kith_crdt::control::{Body, ControlLog, Policy, Right, Role};
use kith_crdt::encoding;
use kith_crdt::ids::{AccountId, ChannelId, InviteId, LogId, MessageId};
use kith_crdt::law::Law;
use kith_crdt::limits::{
    CHANNELS_PER_NODE, EMOJI_PER_MESSAGE, INVITE_LIFE_MAX_MS, INVITE_USES_MAX, NAME_MAX_CHARS,
    SEEN_RANGES_MAX, TOPIC_MAX_CHARS,
};
use kith_crdt::link::InviteLink;
use kith_crdt::projection::{Original, Rendered};
use kith_crdt::ranges::Ranges;
use kith_crdt::segment::{self, ANNOUNCEMENT, Entry, Message, SeenRange};
use kith_crdt::time::Millis;
use minicbor::{Decode, Encode};

use super::channel::Channel;
use super::effect::{Outcome, Refusal};
use super::event::Command;
use super::write::{check_message_text, no_channel, shows_nothing};
use super::{Engine, Timer};
use crate::claims;
use crate::record::ChannelRecord;

/// Devices named as hosts in an invite link: enough to find somebody, short enough to send.
const LINK_HOSTS: usize = 4;
/// Addresses named for each of them.
const LINK_ADDRESSES: usize = 4;
/// Milliseconds for which a repeated command gets its first outcome: a week.
const OUTCOME_KEPT_MS: u64 = 7 * 86_400_000;
/// Milliseconds between looks at what has been kept for longer.
const TIDY_MS: u64 = 3_600_000;
/// Bytes of a kept outcome.
const OUTCOME_MAX: usize = 16 * 1024;

impl Engine {
    /// Carries out a command and answers it, now or when it is over.
    pub(super) fn command(
        &mut self,
        now: Millis,
        token: u64,
        key: Option<String>,
        command: Command,
    ) {
        let asked = fingerprint(&command);
        if let Some(kept) = key.as_deref().and_then(|key| self.repeated(key)) {
            let answer = if kept.asked == asked {
                Ok(kept.outcome)
            } else {
                Err(Refusal::Usage(
                    "this key was used for something else: use another one".into(),
                ))
            };
            self.stage.answer(token, answer);
            return;
        }
        match self.carry_out(now, token, command) {
            Ok(Some(outcome)) => {
                self.remember(key, asked, &outcome);
                self.stage.answer(token, Ok(outcome));
            }
            Ok(None) => {}
            Err(refusal) => self.stage.answer(token, Err(refusal)),
        }
    }

    /// What a command with this key asked for and led to before.
    fn repeated(&self, key: &str) -> Option<Kept> {
        if let Some(kept) = self.stage.keys.get(key) {
            return Some(kept.clone());
        }
        let stored = self.store.reader().view().idempotency(key)?;
        encoding::decode(&stored, OUTCOME_MAX).ok()
    }

    /// Forgets outcomes that nobody will ask for again.
    pub(super) fn tidy(&mut self, now: Millis) {
        let reader = self.store.reader();
        for (handle, bytes) in reader.view().all_idempotency() {
            let kept = encoding::decode::<Kept>(&bytes, OUTCOME_MAX);
            if kept.is_ok_and(|kept| now.since(kept.at) > OUTCOME_KEPT_MS) {
                self.stage.batch.delete_idempotency(handle);
            }
        }
        self.timers.set(Timer::Tidy, now.plus(TIDY_MS));
    }

    fn remember(&mut self, key: Option<String>, asked: [u8; 32], outcome: &Outcome) {
        if let Some(key) = key {
            let kept = Kept {
                at: self.now,
                outcome: outcome.clone(),
                asked,
            };
            self.stage
                .batch
                .put_idempotency(&key, encoding::encode(&kept));
            self.stage.keys.insert(key, kept);
        }
    }

    fn carry_out(
        &mut self,
        now: Millis,
        token: u64,
        command: Command,
    ) -> Result<Option<Outcome>, Refusal> {
        match command {
            Command::CreateChannel { name, topic } => self.create_channel(now, &name, &topic),
            Command::Rename { channel, name } => {
                check_name(&name, "name", NAME_MAX_CHARS)?;
                self.set_policy(now, channel, Policy::Name(name), false)
            }
            Command::SetTopic { channel, topic } => {
                check_line(&topic, "topic", TOPIC_MAX_CHARS)?;
                self.set_policy(now, channel, Policy::Topic(topic), false)
            }
            Command::SetPolicy {
                channel,
                policy,
                dry_run,
            } => self.set_policy(now, channel, policy, dry_run),
            Command::Leave { channel } => self.leave(now, channel),
            Command::Invite {
                channel,
                role,
                uses,
                expires_at,
            } => self.invite(now, channel, role, uses, expires_at),
            Command::Member {
                channel,
                account,
                act,
                dry_run,
            } => self.act_on_member(now, channel, account, act, dry_run),
            Command::RevokeInvite { channel, invite } => self.revoke_invite(now, channel, invite),
            Command::Join { link } => return self.begin_join(now, token, link).map(|()| None),
            Command::Send {
                channel,
                text,
                reply_to,
                thread,
                announce,
            } => {
                let message = Message {
                    form: if announce { ANNOUNCEMENT } else { 0 },
                    thread,
                    reply_to,
                    expires_at: None,
                };
                self.send_message(now, channel, &text, message)
            }
            Command::Edit { target, text } => self.edit(now, target, &text),
            Command::Delete { target, reason } => self.delete(now, target, reason.as_deref()),
            Command::React { target, emoji, on } => self.react(now, target, &emoji, on),
            Command::Pin { target, on } => self.pin(now, target, on),
            Command::Mark { channel, messages } => self.mark(now, channel, messages),
            Command::Typing { channel } => {
                self.check_right(channel, Right::Write)?;
                self.say(now, channel, kith_crdt::moment::MomentKind::Typing);
                Ok(Outcome::Done)
            }
        }
        .map(Some)
    }

    fn create_channel(&mut self, now: Millis, name: &str, topic: &str) -> Result<Outcome, Refusal> {
        check_name(name, "name", NAME_MAX_CHARS)?;
        check_line(topic, "topic", TOPIC_MAX_CHARS)?;
        self.check_room()?;
        let (control, create) = ControlLog::create(&self.secrets, name, now, &mut self.rng)
            .map_err(|error| Refusal::Usage(error.to_string()))?;
        let id = control.channel();
        let record = ChannelRecord {
            channel: id,
            joining: None,
            name: name.to_owned(),
        };
        self.stage.batch.put_channel(&id, encoding::encode(&record));
        self.stage
            .batch
            .put_op(&id, &create.id(), create.to_bytes());
        self.add_channel(Channel::new(control, name.to_owned()));
        let hlc = self.hlc.tick(now);
        if let Err(refusal) = self.make_epoch(now, id, hlc) {
            self.remove_channel(id);
            return Err(refusal);
        }
        if !topic.is_empty() {
            self.author_op(now, id, Body::Policy(Policy::Topic(topic.to_owned())))?;
        }
        self.sync_soon(now, id);
        Ok(Outcome::Channel {
            channel: id,
            name: name.to_owned(),
        })
    }

    /// Checks that the node may have one channel more.
    ///
    /// # Errors
    /// [`Refusal::Limit`] naming the bound.
    pub(super) fn check_room(&self) -> Result<(), Refusal> {
        if self.channels.len() < CHANNELS_PER_NODE {
            return Ok(());
        }
        Err(Refusal::Limit(format!(
            "this node has {CHANNELS_PER_NODE} channels, the most there may be"
        )))
    }

    fn leave(&mut self, now: Millis, id: ChannelId) -> Result<Outcome, Refusal> {
        let channel = self.channels.get(&id).ok_or_else(no_channel)?;
        let name = channel.name().to_owned();
        if channel.joining.is_some() {
            self.fail_join(id, "the join was given up here");
        } else {
            self.author_op(now, id, Body::Leave)?;
        }
        Ok(Outcome::Channel { channel: id, name })
    }

    fn invite(
        &mut self,
        now: Millis,
        id: ChannelId,
        role: Role,
        uses: u32,
        expires_at: Millis,
    ) -> Result<Outcome, Refusal> {
        self.check_right(id, Right::Invite)?;
        if uses == 0 {
            return Err(Refusal::Usage("an invite needs at least one use".into()));
        }
        if uses > INVITE_USES_MAX {
            return Err(Refusal::Limit(format!(
                "an invite has at most {INVITE_USES_MAX} uses"
            )));
        }
        if expires_at <= now {
            return Err(Refusal::Usage(
                "the invite would have expired already".into(),
            ));
        }
        if expires_at > now.plus(INVITE_LIFE_MAX_MS) {
            return Err(Refusal::Limit(
                "an invite holds for at most 366 days; make a new one then".into(),
            ));
        }
        let link = InviteLink {
            channel: id,
            name: self.channels[&id].name().to_owned(),
            secret: kith_crdt::crypto::secret::Secret::random(&mut self.rng),
            expires_at,
            hosts: self.link_hosts(id),
        };
        let invite = link.invite();
        self.author_op(
            now,
            id,
            Body::Invite {
                invite,
                role,
                uses,
                expires_at,
            },
        )?;
        Ok(Outcome::Invited {
            invite,
            link: link.to_string(),
            expires_at,
        })
    }

    /// Whom a newcomer can turn to: this node, and members that are known to be reachable.
    fn link_hosts(&self, id: ChannelId) -> Vec<(kith_crdt::ids::TransportKey, Vec<String>)> {
        let own = self.peers.own_addresses().take(LINK_ADDRESSES).collect();
        let mut hosts = vec![(self.secrets.transport_key(), own)];
        for (peer, _) in self.connected_members(id) {
            let addresses = self.peers.addresses(&peer, LINK_ADDRESSES);
            if !addresses.is_empty() {
                hosts.push((peer, addresses));
            }
        }
        hosts.truncate(LINK_HOSTS);
        hosts
    }

    fn revoke_invite(
        &mut self,
        now: Millis,
        id: ChannelId,
        invite: InviteId,
    ) -> Result<Outcome, Refusal> {
        let channel = self.channels.get(&id).ok_or_else(no_channel)?;
        if !channel.roster.invites.contains_key(&invite) {
            return Err(Refusal::NotFound("no such invite in this channel".into()));
        }
        self.author_op(now, id, Body::RevokeInvite { invite })?;
        Ok(Outcome::Done)
    }

    fn edit(&mut self, now: Millis, target: MessageId, text: &str) -> Result<Outcome, Refusal> {
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

    fn delete(
        &mut self,
        now: Millis,
        target: MessageId,
        reason: Option<&str>,
    ) -> Result<Outcome, Refusal> {
        if let Some(reason) = reason {
            check_line(reason, "reason", TOPIC_MAX_CHARS)?;
        }
        let found = self.target(&target)?;
        if found.rendered.deleted.is_some() {
            return Ok(Outcome::Written {
                message: target,
                at: now,
            });
        }
        let right = if found.author == self.me {
            Right::Write
        } else {
            Right::DeleteOthers
        };
        let body = reason
            .filter(|reason| !reason.is_empty())
            .map(str::as_bytes);
        let written = self.write(now, found.channel, right, &Entry::Deletion { target }, body)?;
        Ok(Outcome::Written {
            message: target,
            at: written.hlc.millis(),
        })
    }

    fn react(
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
        let written = self.write(now, found.channel, Right::React, &entry, None)?;
        Ok(Outcome::Written {
            message: target,
            at: written.hlc.millis(),
        })
    }

    fn mark(
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
        let seen: Vec<SeenRange> = ranges
            .iter()
            .flat_map(|(log, ranges)| {
                ranges.ranges().iter().map(|(first, last)| SeenRange {
                    log: *log,
                    first: *first,
                    last: *last,
                })
            })
            .collect();
        for part in seen.chunks(SEEN_RANGES_MAX) {
            self.write_entry(now, id, &Entry::Seen(part.to_vec()), None)?;
        }
        Ok(Outcome::Marked(marked))
    }

    fn ranges_of(
        &mut self,
        id: ChannelId,
        messages: &[MessageId],
    ) -> Result<Vec<(LogId, Ranges)>, Refusal> {
        let mut wanted: std::collections::BTreeMap<LogId, Ranges> =
            std::collections::BTreeMap::new();
        for message in messages {
            let place = match self.store.reader().view().message(message) {
                Some((channel, place)) if channel == id => place,
                _ => {
                    return Err(Refusal::NotFound(format!(
                        "no message {message} in this channel"
                    )));
                }
            };
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

/// What a command with an idempotency key led to, and when.
#[derive(Debug, Clone, Encode, Decode)]
#[cbor(array)]
pub(super) struct Kept {
    #[n(0)]
    at: Millis,
    #[n(1)]
    outcome: Outcome,
    /// [`fingerprint`] of the command.
    #[cbor(n(2), with = "minicbor::bytes")]
    asked: [u8; 32],
}

/// By what a command is told from another one with the same key. An invite's times are of the
/// call, so of one command only what was meant counts.
fn fingerprint(command: &Command) -> [u8; 32] {
    let mut meant = command.clone();
    if let Command::Invite { expires_at, .. } = &mut meant {
        *expires_at = Millis(0);
    }
    kith_crdt::crypto::hash::derive("command", &[format!("{meant:?}").as_bytes()])
}

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

fn check_name(text: &str, what: &str, max: usize) -> Result<(), Refusal> {
    if shows_nothing(text) {
        return Err(Refusal::Usage(format!("the {what} is empty")));
    }
    check_line(text, what, max)
}

fn check_line(text: &str, what: &str, max: usize) -> Result<(), Refusal> {
    let chars = text.chars().count();
    if chars > max {
        return Err(Refusal::Limit(format!(
            "the {what} has {chars} characters, the most is {max}"
        )));
    }
    if text.chars().any(char::is_control) {
        return Err(Refusal::Usage(format!(
            "the {what} contains control characters"
        )));
    }
    Ok(())
}
