//! A past for a home: an engine lives through it under a clock of its own, and a daemon opens the
//! home in the present. Nobody waits for hours that way until something is over.

use anyhow::Context as _;
use kith_crdt::encoding;
use kith_crdt::identity::DeviceSecrets;
use kith_crdt::ids::ChannelId;
use kith_crdt::retention::Retention;
use kith_crdt::time::{HOUR_MS, Millis};
use kith_node::engine::{Command, Effects, Engine, Event, Outcome, Run, Runs};
use kith_store::{Medium, Store, Vault};
use kith_tests::{Home, PASSPHRASE};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::load::{CHANNEL, text};

/// Bytes of the vault's identity at most.
const IDENTITY_MAX: usize = 64 * 1024;
/// Messages written in one turn.
const MESSAGES_PER_TURN: usize = 256;

/// An engine on a home's disk, under a clock that is set by hand.
pub(crate) struct Past {
    engine: Engine,
    now: Millis,
    token: u64,
}

impl Past {
    /// Opens a home that no daemon has open.
    pub(crate) fn open(home: &Home, now: Millis) -> anyhow::Result<Self> {
        let opened = Vault::open(home.path(), PASSPHRASE.as_bytes())?;
        let secrets: DeviceSecrets = encoding::decode(&opened.identity, IDENTITY_MAX)?;
        let store = Store::open(home.path(), &opened.master, Medium::Disk)?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        let runs = Runs {
            this: Run(seed),
            before: None,
            copied: false,
        };
        let rng = ChaCha20Rng::from_seed(seed);
        Ok(Self {
            engine: Engine::new(secrets, runs, store, rng, Vec::new(), now)?,
            now,
            token: 0,
        })
    }

    /// Makes the channel in which everything happens, which keeps what is written in it.
    pub(crate) fn make_channel(&mut self) -> anyhow::Result<ChannelId> {
        self.make_channel_named(CHANNEL)
    }

    /// Makes a channel that keeps what is written in it.
    pub(crate) fn make_channel_named(&mut self, name: &str) -> anyhow::Result<ChannelId> {
        let make = Command::CreateChannel {
            name: name.to_owned(),
            topic: String::new(),
            retention: Retention::Forever,
        };
        let event = self.ask(make);
        let answer = self.turn([event]).answers.pop().context("an answer")?.1;
        match answer {
            Ok(Outcome::Channel { channel, .. }) => Ok(channel),
            other => anyhow::bail!("no channel: {other:?}"),
        }
    }

    /// Says so many things, each to be kept for so long.
    pub(crate) fn say(
        &mut self,
        channel: ChannelId,
        count: usize,
        expire_ms: Option<u64>,
    ) -> anyhow::Result<()> {
        for first in (0..count).step_by(MESSAGES_PER_TURN) {
            let numbers = first..count.min(first + MESSAGES_PER_TURN);
            let sends: Vec<Event> = numbers
                .map(|number| {
                    self.ask(Command::Send {
                        channel,
                        text: text(number),
                        reply_to: None,
                        thread: None,
                        announce: false,
                        expire_ms,
                    })
                })
                .collect();
            self.now = self.now.plus(1);
            for (_, answer) in self.turn(sends).answers {
                answer.map_err(|refusal| anyhow::anyhow!("not sent: {refusal}"))?;
            }
        }
        Ok(())
    }

    /// Goes through the time until then, as a node that is up.
    pub(crate) fn live_until(&mut self, end: Millis) -> anyhow::Result<()> {
        while self.now < end {
            let hour = self.now.plus(HOUR_MS);
            let due = self.engine.next_deadline().unwrap_or(hour);
            self.now = due.min(hour).max(self.now.plus(1)).min(end);
            let effects = self.turn([Event::Tick]);
            if !effects.erase.is_empty() {
                self.engine.reader().erase_replaced(&effects.erase)?;
                self.turn([Event::Erased(Vec::new())]);
            }
        }
        Ok(())
    }

    /// The time by its clock.
    pub(crate) const fn now(&self) -> Millis {
        self.now
    }

    /// Closes the home.
    pub(crate) fn close(mut self) {
        self.turn([Event::Stop]);
    }

    fn ask(&mut self, command: Command) -> Event {
        self.token += 1;
        Event::Command {
            token: self.token,
            key: None,
            command,
        }
    }

    fn turn(&mut self, events: impl IntoIterator<Item = Event>) -> Effects {
        self.engine.turn(self.now, events)
    }
}
