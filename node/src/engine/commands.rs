//! Commands of the local API, each checked again here: the engine is the one that decides.

use kith_crdt::control::{Policy, Right};
use kith_crdt::limits::{NAME_MAX_CHARS, TOPIC_MAX_CHARS};
use kith_crdt::segment::{ANNOUNCEMENT, Message};
use kith_crdt::time::Millis;

use super::Engine;
use super::effect::{Outcome, Refusal};
use super::event::Command;
use super::repeats::fingerprint;
use super::texts::{check_line, check_name};

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
        let carried_out = match self.check_not_revoked(&command) {
            Ok(()) => self.carry_out(now, token, command),
            Err(refusal) => Err(refusal),
        };
        match carried_out {
            Ok(Some(outcome)) => {
                self.remember(key, asked, &outcome);
                self.stage.answer(token, Ok(outcome));
            }
            Ok(None) => {}
            Err(refusal) => self.stage.answer(token, Err(refusal)),
        }
    }

    fn carry_out(
        &mut self,
        now: Millis,
        token: u64,
        command: Command,
    ) -> Result<Option<Outcome>, Refusal> {
        match command {
            Command::CreateChannel {
                name,
                topic,
                retention,
            } => self.create_channel(now, &name, &topic, retention),
            Command::ShowLink {
                manages,
                expires_at,
            } => self.show_link(now, manages, expires_at),
            Command::ConfirmLink { id, code } => self.confirm_link(now, &id, &code),
            Command::WithdrawLink { id } => Ok(self.withdraw_link(&id)),
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
            Command::Mend { channel } => {
                return self.begin_mending(now, token, channel).map(|()| None);
            }
            Command::Sweep { confirm_clock } => {
                return self.sweep(now, token, confirm_clock).map(|()| None);
            }
            Command::TakeBack { channel, dry_run } => {
                let what = (channel, dry_run);
                return self.begin_erasing(now, token, what).map(|()| None);
            }
            Command::Join { link } => return self.begin_join(now, token, link).map(|()| None),
            Command::RenameDevice { name } => self.rename_device(now, &name),
            Command::GrantDevice { device } => self.grant_device(now, &device),
            Command::RevokeDevice { device } => self.revoke_device(now, &device),
            Command::SetQuota { channel, quota } => self.set_quota(channel, quota),
            Command::Send {
                channel,
                text,
                reply_to,
                thread,
                announce,
                expire_ms,
            } => {
                let message = Message {
                    form: if announce { ANNOUNCEMENT } else { 0 },
                    thread,
                    reply_to,
                    expires_at: None,
                };
                self.send_message(now, channel, &text, (message, expire_ms))
            }
            Command::Edit { target, text } => self.edit(now, target, &text),
            Command::Delete { target, reason } => self.delete(now, target, reason.as_deref()),
            Command::React { target, emoji, on } => self.react(now, target, &emoji, on),
            Command::Pin { target, on } => self.pin(now, target, on),
            Command::Mark { channel, messages } => self.mark(now, channel, messages),
            Command::Set {
                about,
                value,
                text,
                only_if,
            } => self.set(now, about, (value, text.as_deref()), only_if),
            Command::Typing { channel } => {
                self.check_right(channel, Right::Write)?;
                self.say(now, channel, kith_crdt::moment::MomentKind::Typing);
                Ok(Outcome::Done)
            }
        }
        .map(Some)
    }
}
