//! What people ask their nodes to do.

use kith_crdt::control::Role;
use kith_crdt::ids::{ChannelId, MessageId};
use kith_crdt::link::InviteLink;
use kith_crdt::retention::Retention;
use kith_crdt::time::Millis;
use kith_node::engine::{Command, Event, MemberAct, Outcome, Refusal};

use super::{PATIENCE_MS, World};

/// The command that sends a message and nothing else, to be kept for so many milliseconds if that
/// is asked for.
pub fn plain(channel: ChannelId, text: &str, expire_ms: Option<u64>) -> Command {
    Command::Send {
        channel,
        text: text.into(),
        reply_to: None,
        thread: None,
        announce: false,
        expire_ms,
    }
}

impl World {
    /// Asks an engine for something and waits until it answers.
    ///
    /// # Errors
    /// The engine's refusal.
    ///
    /// # Panics
    /// If it does not answer within twenty minutes of virtual time.
    pub fn ask(&mut self, number: usize, command: Command) -> Result<Outcome, Refusal> {
        let token = self.begin(number, command);
        self.wait_for(token)
    }

    /// The same with an idempotency key.
    ///
    /// # Errors
    /// The engine's refusal.
    pub fn ask_with_key(
        &mut self,
        number: usize,
        key: &str,
        command: Command,
    ) -> Result<Outcome, Refusal> {
        let token = self.tell(number, Some(key.into()), command);
        self.wait_for(token)
    }

    /// Asks an engine for something and does not wait. The token names the answer.
    pub fn begin(&mut self, number: usize, command: Command) -> u64 {
        self.tell(number, None, command)
    }

    fn tell(&mut self, number: usize, key: Option<String>, command: Command) -> u64 {
        let token = self.next_token;
        self.next_token += 1;
        let event = Event::Command {
            token,
            key,
            command,
        };
        self.turn(number, event);
        token
    }

    /// The answer to a command, if it has come.
    pub fn answer(&mut self, token: u64) -> Option<Result<Outcome, Refusal>> {
        self.answers.remove(&token)
    }

    fn wait_for(&mut self, token: u64) -> Result<Outcome, Refusal> {
        let give_up = self.now.plus(PATIENCE_MS);
        while self.now < give_up {
            if let Some(answer) = self.answers.remove(&token) {
                return answer;
            }
            if !self.step() {
                break;
            }
        }
        panic!("a command was never answered");
    }

    /// Makes a channel of a node's.
    pub fn make(&mut self, number: usize, name: &str) -> ChannelId {
        self.make_keeping(number, name, Retention::Forever)
    }

    /// Makes a channel of a node's that keeps its messages for so long.
    pub fn make_keeping(&mut self, number: usize, name: &str, retention: Retention) -> ChannelId {
        match self.ask(
            number,
            Command::CreateChannel {
                name: name.into(),
                topic: String::new(),
                retention,
            },
        ) {
            Ok(Outcome::Channel { channel, .. }) => channel,
            other => panic!("a channel can be made, but {other:?}"),
        }
    }

    /// Makes a channel of the first node's, joined by all others.
    pub fn channel(&mut self, name: &str) -> ChannelId {
        let channel = self.make(0, name);
        for number in 1..self.nodes.len() {
            self.join(0, number, channel)
                .expect("an open invite lets one in");
        }
        channel
    }

    /// Has one node invite another.
    ///
    /// # Errors
    /// The refusal of either.
    pub fn join(
        &mut self,
        host: usize,
        guest: usize,
        channel: ChannelId,
    ) -> Result<Outcome, Refusal> {
        let expires_at = self.now.plus(86_400_000);
        let link = self.invite(host, channel, 1, expires_at)?;
        self.ask(guest, Command::Join { link })
    }

    /// Has a node make an invite.
    ///
    /// # Errors
    /// Its refusal.
    pub fn invite(
        &mut self,
        host: usize,
        channel: ChannelId,
        uses: u32,
        expires_at: Millis,
    ) -> Result<InviteLink, Refusal> {
        match self.ask(
            host,
            Command::Invite {
                channel,
                role: Role::Member,
                uses,
                expires_at,
            },
        )? {
            Outcome::Invited { link, .. } => Ok(link.parse().expect("an engine's link parses")),
            other => panic!("an invite was asked for, {other:?} came"),
        }
    }

    /// Does something about a member, without waiting for others to hear of it.
    ///
    /// # Errors
    /// The engine's refusal.
    pub fn act(
        &mut self,
        number: usize,
        about: usize,
        channel: ChannelId,
        act: MemberAct,
    ) -> Result<Outcome, Refusal> {
        let account = self.nodes[about].secrets.account;
        self.ask(
            number,
            Command::Member {
                channel,
                account,
                act,
                dry_run: false,
            },
        )
    }

    /// Sends a message and returns its id.
    pub fn say(&mut self, number: usize, channel: ChannelId, text: &str) -> MessageId {
        self.try_say(number, channel, text)
            .expect("a member can write")
    }

    /// Sends a message if the engine lets it.
    ///
    /// # Errors
    /// The engine's refusal.
    pub fn try_say(
        &mut self,
        number: usize,
        channel: ChannelId,
        text: &str,
    ) -> Result<MessageId, Refusal> {
        match self.ask(number, plain(channel, text, None))? {
            Outcome::Sent { message, .. } => Ok(message),
            other => panic!("a message was sent, {other:?} came"),
        }
    }
}
