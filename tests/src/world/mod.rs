//! A world of engines in one thread, under virtual time, on in-memory stores: no socket, no clock,
//! no randomness but a seed's. What a network does to messages (delay, cuts, forgetful gossip) is
//! decided here, so a seed replays everything.

mod wire;

use std::collections::BTreeMap;

use kith_api::message::{Message, PageQuery};
use kith_api::verify::VerifyReport;
use kith_crdt::control::Role;
use kith_crdt::crypto::phrase::Phrase;
use kith_crdt::crypto::secret::Secret;
use kith_crdt::identity::{DeviceSecrets, create_account};
use kith_crdt::ids::{ChannelId, DeviceId, MessageId, TransportKey};
use kith_crdt::link::InviteLink;
use kith_crdt::retention::Retention;
use kith_crdt::time::Millis;
use kith_node::engine::{
    Command, Effects, Engine, Event, MemberAct, MendState, Moment, Outcome, Refusal, Run, Runs,
};
use kith_node::network::NetworkEvent;
use kith_node::read::Reading;
use kith_node::read::verify::verify;
use kith_store::{Batch, Medium, MemoryEnv, Reader, Store};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use wire::Wire;

/// When every world begins: 2026-11-20, 12:00 UTC.
const BEGINNING: Millis = Millis(1_795_176_000_000);
/// Milliseconds that a world may take to come to rest before it counts as stuck.
const PATIENCE_MS: u64 = 20 * 60_000;

/// A node: its disk, its secrets, and its engine while it runs.
struct Node {
    secrets: DeviceSecrets,
    master: Secret,
    disk: MemoryEnv,
    engine: Option<Engine>,
    /// How far its clock is ahead of the world's.
    skew_ms: i64,
}

impl Node {
    /// What its clock says at a time of the world.
    const fn clock(&self, now: Millis) -> Millis {
        Millis(now.0.saturating_add_signed(self.skew_ms))
    }

    /// When the world has the time that its clock is to have.
    const fn when(&self, clock: Millis) -> Millis {
        Millis(clock.0.saturating_sub_signed(self.skew_ms))
    }
}

/// Engines and the network between them.
pub struct World {
    rng: ChaCha20Rng,
    now: Millis,
    nodes: Vec<Node>,
    wire: Wire,
    answers: BTreeMap<u64, Result<Outcome, Refusal>>,
    presence: Vec<(usize, DeviceId, bool)>,
    next_token: u64,
}

impl World {
    /// A world of `people`, one device each, all running and connected.
    pub fn new(people: usize, seed: u64) -> Self {
        let mut world = Self {
            rng: ChaCha20Rng::seed_from_u64(seed),
            now: BEGINNING,
            nodes: Vec::new(),
            wire: Wire::default(),
            answers: BTreeMap::new(),
            presence: Vec::new(),
            next_token: 1,
        };
        for number in 0..people {
            world.add(&format!("person {number}"));
        }
        for number in 0..people {
            world.start(number);
        }
        world
    }

    fn add(&mut self, name: &str) {
        let phrase = Phrase::random(&mut self.rng);
        let secrets = create_account(&phrase, name, "device", &mut self.rng)
            .expect("names of the world are short");
        let master = Secret::random(&mut self.rng);
        let disk = MemoryEnv::new().expect("memory can be had");
        self.nodes.push(Node {
            secrets,
            master,
            disk,
            engine: None,
            skew_ms: 0,
        });
    }

    /// The time in this world.
    pub const fn now(&self) -> Millis {
        self.now
    }

    /// Starts a node on what its disk holds, and connects it to whoever it can reach.
    pub fn start(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        let store = Store::open(
            std::path::Path::new("/home"),
            &node.master,
            Medium::Memory(node.disk.clone()),
        )
        .expect("a store in memory opens");
        let rng = ChaCha20Rng::seed_from_u64(self.rng.next_u64());
        let mut this = Run([0; 32]);
        self.rng.fill_bytes(&mut this.0);
        let runs = Runs { this, before: None };
        let now = node.clock(self.now);
        let engine = Engine::new(node.secrets.clone(), runs, store, rng, Vec::new(), now)
            .expect("a store in memory can be read");
        node.engine = Some(engine);
        self.wire.up(number, node.secrets.transport_key());
        self.connect_all();
        self.turn(number, Event::Tick);
    }

    /// Changes what is on the disk of a node that does not run, as damage does.
    ///
    /// # Panics
    /// If the store cannot be opened or written.
    pub fn tamper(&self, number: usize, change: impl FnOnce(&Reader, &mut Batch)) {
        let node = &self.nodes[number];
        assert!(node.engine.is_none(), "a running node has its store");
        let mut store = Store::open(
            std::path::Path::new("/home"),
            &node.master,
            Medium::Memory(node.disk.clone()),
        )
        .expect("a store in memory opens");
        let mut batch = store.batch();
        change(&store.reader(), &mut batch);
        store.commit(batch).expect("memory can be written");
    }

    /// How the mending of a node's channel stands.
    pub fn mending(&self, number: usize, channel: &ChannelId) -> Option<MendState> {
        self.engine(number)
            .shared()
            .channel(channel)?
            .mending
            .clone()
    }

    /// Stops a node without a word, as a crash does.
    pub fn crash(&mut self, number: usize) {
        self.nodes[number].engine = None;
        for (at, event) in self.wire.down(number) {
            self.turn(at, event);
        }
    }

    /// Cuts or mends the line between two nodes.
    pub fn link(&mut self, a: usize, b: usize, open: bool) {
        for (at, event) in self.wire.set(a, b, open) {
            self.turn(at, event);
        }
        self.connect_all();
    }

    /// How many entries a page of a node's main timeline has, at most `limit`.
    pub fn read(&self, number: usize, channel: &ChannelId, limit: usize) -> usize {
        let reader = self.engine(number).reader();
        let line = kith_store::Line::main(channel);
        reader.view().page(line, None, limit).len()
    }

    /// The texts that a node shows of a channel's newest messages, as its API does, at most 500.
    /// What is hidden from the others is not among them.
    pub fn shown(&self, number: usize, channel: &ChannelId) -> Vec<String> {
        let page = self.page(number, channel, None);
        page.into_iter()
            .filter(|message| message.hidden.is_none())
            .filter_map(|message| message.text)
            .collect()
    }

    /// The newest messages of a channel, or of a thread of it, that a node shows, at most 500.
    pub fn page(
        &self,
        number: usize,
        channel: &ChannelId,
        thread: Option<&MessageId>,
    ) -> Vec<Message> {
        let Some(view) = self.engine(number).shared().channel(channel) else {
            return Vec::new();
        };
        let query = PageQuery {
            limit: Some(500),
            thread: thread.map(ToString::to_string),
            ..PageQuery::default()
        };
        let page = self.reading(number, |reading| reading.page(&view, &query));
        page.expect("a page can be asked for")
    }

    /// The messages that a node lists as pinned.
    pub fn pinned(&self, number: usize, channel: &ChannelId) -> Vec<Message> {
        let view = self.engine(number).shared().channel(channel);
        view.map_or_else(Vec::new, |view| {
            self.reading(number, |reading| reading.pins(&view))
        })
    }

    /// Asks a node what its API would show.
    pub fn reading<T>(&self, number: usize, ask: impl FnOnce(&Reading<'_>) -> T) -> T {
        let engine = self.engine(number);
        let (reader, shared) = (engine.reader(), engine.shared());
        let node = &self.nodes[number];
        let us = (node.secrets.account, node.secrets.device());
        ask(&Reading::new(&reader, &shared, us, node.clock(self.now)))
    }

    /// Holds everything that a node shows of a channel against its signed entries.
    ///
    /// # Panics
    /// If the channel is not there, or something is not as the entries make it.
    pub fn verify(&self, number: usize, channel: &ChannelId) -> VerifyReport {
        let engine = self.engine(number);
        let node = &self.nodes[number];
        let us = (node.secrets.account, node.secrets.device());
        let clock = || node.clock(self.now);
        let verified = verify(&engine.reader(), &engine.shared(), us, channel, clock);
        let report = verified.expect("the channel is there");
        assert!(report.equal, "at {number}: {report:?}");
        report
    }

    /// Begins to listen on every line, inside the encryption of the transport.
    pub fn listen(&mut self) {
        self.wire.heard = Some(Vec::new());
    }

    /// What was sent since then, as it arrives.
    pub fn heard(&mut self) -> Vec<NetworkEvent> {
        self.wire.heard.take().unwrap_or_default()
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

    /// Sets a node's clock apart from the world's, by so many milliseconds.
    pub fn skew(&mut self, number: usize, ms: i64) {
        self.nodes[number].skew_ms = ms;
        self.turn(number, Event::Tick);
    }

    /// How many gossip frames of a thousand get lost.
    pub const fn lose_gossip(&mut self, per_mille: u64) {
        self.wire.lost_per_mille = per_mille;
    }

    fn connect_all(&mut self) {
        for (at, event) in self.wire.connect_all() {
            self.turn(at, event);
        }
    }

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
        let token = self.next_token;
        self.next_token += 1;
        self.turn(
            number,
            Event::Command {
                token,
                key: Some(key.into()),
                command,
            },
        );
        self.wait_for(token)
    }

    /// Asks an engine for something and does not wait. The token names the answer.
    pub fn begin(&mut self, number: usize, command: Command) -> u64 {
        let token = self.next_token;
        self.next_token += 1;
        self.turn(
            number,
            Event::Command {
                token,
                key: None,
                command,
            },
        );
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
        let command = Command::Send {
            channel,
            text: text.into(),
            reply_to: None,
            thread: None,
            announce: false,
            expire_ms: None,
        };
        match self.ask(number, command)? {
            Outcome::Sent { message, .. } => Ok(message),
            other => panic!("a message was sent, {other:?} came"),
        }
    }

    /// Whether, as `witness` sees it, a node's account is a member.
    pub fn is_member(&self, witness: usize, number: usize, channel: &ChannelId) -> bool {
        let account = self.nodes[number].secrets.account;
        let view = self.nodes[witness]
            .engine
            .as_ref()
            .and_then(|engine| engine.shared().channel(channel));
        view.is_some_and(|view| view.roster.is_member(&account))
    }

    /// How many messages are unread at a node.
    pub fn unread(&self, number: usize, channel: &ChannelId) -> u64 {
        self.engine(number)
            .shared()
            .channel(channel)
            .map_or(0, |view| view.unread)
    }

    /// How many replies in threads are unread at a node.
    pub fn unread_replies(&self, number: usize, channel: &ChannelId) -> u64 {
        self.engine(number)
            .shared()
            .channel(channel)
            .map_or(0, |view| view.unread_replies())
    }

    /// What a node was told of another's presence since this was asked last.
    pub fn told_of(&mut self, number: usize, other: usize) -> Vec<bool> {
        let other = self.nodes[other].secrets.device();
        let is_asked =
            |(at, device, _): &mut (usize, DeviceId, bool)| (*at, *device) == (number, other);
        let told = self.presence.extract_if(.., is_asked);
        told.map(|(_, _, present)| present).collect()
    }

    /// Lets time pass until nodes have equal digests, and verifies the channel at each of them.
    ///
    /// # Panics
    /// If they do not come to, or something is not as the signed entries make it.
    pub fn until_agreed(&mut self, numbers: &[usize], channel: &ChannelId) {
        self.until_of_one_digest(numbers, channel);
        for number in numbers {
            self.verify(*number, channel);
        }
    }

    /// Lets time go on until these nodes say the same of what they hold, even where their disks
    /// have lost some of it.
    ///
    /// # Panics
    /// If they do not within twenty minutes of virtual time.
    pub fn until_of_one_digest(&mut self, numbers: &[usize], channel: &ChannelId) {
        self.until("all agree", |world| {
            let first = world.digest(numbers[0], channel);
            first.is_some()
                && numbers
                    .iter()
                    .all(|number| world.digest(*number, channel) == first)
        });
    }

    /// Sets everybody's clock back.
    pub fn set_back(&mut self, ms: u64) {
        self.now = Millis(self.now.0 - ms);
        self.wire.set_back(ms);
        for number in 0..self.nodes.len() {
            self.turn(number, Event::Tick);
        }
    }

    /// Lets people write while nodes crash and lines are cut at random. Returns how many messages
    /// were acknowledged.
    pub fn live(&mut self, channel: &ChannelId, steps: u32) -> u64 {
        let mut written = 0;
        for step in 0..steps {
            let number = self.random(self.nodes.len());
            let other = self.random(self.nodes.len());
            let runs = self.nodes[number].engine.is_some();
            match self.random(10) {
                0 if runs => self.crash(number),
                0 | 1 if !runs => self.start(number),
                1 | 2 if number != other => {
                    let open = self.random(2) == 0;
                    self.link(number, other, open);
                }
                3 => {
                    let ms = self.random(45_000) as u64;
                    self.pass(ms);
                }
                _ if runs => {
                    self.say(number, *channel, &format!("step {step}"));
                    written += 1;
                }
                _ => {}
            }
        }
        written
    }

    /// Mends every line and starts every node.
    pub fn heal(&mut self) {
        for number in 0..self.nodes.len() {
            if self.nodes[number].engine.is_none() {
                self.start(number);
            }
            for other in 0..number {
                self.link(number, other, true);
            }
        }
    }

    fn random(&mut self, below: usize) -> usize {
        (self.rng.next_u64() % below as u64) as usize
    }

    /// The digest of a channel at a node.
    pub fn digest(&self, number: usize, channel: &ChannelId) -> Option<[u8; 32]> {
        let engine = self.nodes[number].engine.as_ref()?;
        engine.shared().channel(channel).map(|view| view.digest)
    }

    /// How many messages a node holds of a channel, shown or not.
    pub fn messages(&self, number: usize, channel: &ChannelId) -> u64 {
        let engine = self.nodes[number].engine.as_ref().expect("the node runs");
        engine
            .shared()
            .channel(channel)
            .map_or(0, |view| view.messages + view.hidden)
    }

    /// A running node's engine.
    pub fn engine(&self, number: usize) -> &Engine {
        self.nodes[number].engine.as_ref().expect("the node runs")
    }

    /// Hands an event to a node and returns what it wants from the network, which is not carried.
    pub fn observe(&mut self, number: usize, event: Event) -> Vec<kith_node::network::Command> {
        let node = &mut self.nodes[number];
        let now = node.clock(self.now);
        let engine = node.engine.as_mut().expect("the node runs");
        engine.handle(now, event).network
    }

    /// The key that a node is known by on the network.
    pub fn transport(&self, number: usize) -> TransportKey {
        self.nodes[number].secrets.transport_key()
    }

    /// The secrets of a node: for a test that plays a hostile one.
    pub fn secrets(&self, number: usize) -> &DeviceSecrets {
        &self.nodes[number].secrets
    }

    /// Lets time pass until a condition holds.
    ///
    /// # Panics
    /// If it does not within twenty minutes of virtual time.
    pub fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let give_up = self.now.plus(PATIENCE_MS);
        while !holds(self) {
            assert!(self.now < give_up && self.step(), "never came true: {what}");
        }
    }

    /// Lets so many milliseconds pass.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now.plus(ms);
        while self.next().is_some_and(|at| at <= end) && self.step() {}
        self.now = end;
    }

    /// Lets so many milliseconds pass in which nothing happens, as while all lids are shut.
    pub fn sleep(&mut self, ms: u64) {
        self.now = self.now.plus(ms);
        for number in 0..self.nodes.len() {
            self.turn(number, Event::Tick);
        }
    }

    /// Lets the next thing happen. Returns whether there was any.
    pub fn step(&mut self) -> bool {
        let Some(at) = self.next() else { return false };
        let due: Vec<usize> = (0..self.nodes.len())
            .filter(|number| self.deadline(*number).is_some_and(|due| due <= at))
            .collect();
        self.now = self.now.max(at);
        if let Some((number, event)) = self.wire.deliver(self.now) {
            self.turn(number, event);
            return true;
        }
        for number in due {
            self.turn(number, Event::Tick);
        }
        true
    }

    fn next(&self) -> Option<Millis> {
        let deadlines = (0..self.nodes.len()).filter_map(|number| self.deadline(number));
        deadlines.chain(self.wire.next()).min()
    }

    fn deadline(&self, number: usize) -> Option<Millis> {
        // A dial that cannot succeed here would be due for ever.
        let node = &self.nodes[number];
        let due = node.engine.as_ref()?.next_deadline()?;
        Some(node.when(due).max(self.now.plus(1)))
    }

    fn turn(&mut self, number: usize, event: Event) {
        let node = &mut self.nodes[number];
        let now = node.clock(self.now);
        let Some(engine) = node.engine.as_mut() else {
            return;
        };
        let Effects {
            network,
            answers,
            moments,
            erase,
            ..
        } = engine.handle(now, event);
        self.answers.extend(answers);
        self.presence
            .extend(moments.iter().filter_map(|moment| match moment {
                Moment::Presence {
                    device, present, ..
                } => Some((number, *device, *present)),
                _ => None,
            }));
        for command in network {
            self.wire.carry(self.now, number, command, &mut self.rng);
        }
        // Nobody looks into the files of this world: they count as rewritten at once.
        if !erase.is_empty() {
            self.turn(number, Event::Erased(Vec::new()));
        }
    }
}
