//! The nodes of a world: their disks and secrets, and their engines while they run.

use kith_crdt::crypto::phrase::Phrase;
use kith_crdt::crypto::secret::Secret;
use kith_crdt::crypto::sign::SecretKey;
use kith_crdt::encoding::encode;
use kith_crdt::identity::{
    DeviceSecrets, NewDevice, create_account, recover_account, recovery_epoch,
};
use kith_crdt::ids::{ChannelId, TransportKey};
use kith_crdt::time::Millis;
use kith_node::engine::{Engine, Event, META_RECOVERY, MendState, Recovery, Run, Runs};
use kith_store::{Batch, Medium, MemoryEnv, Reader, Store};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::World;

/// A node: its disk, its secrets, and its engine while it runs.
pub(super) struct Node {
    pub(super) secrets: DeviceSecrets,
    pub(super) master: Secret,
    pub(super) disk: MemoryEnv,
    pub(super) engine: Option<Engine>,
    /// The run of its engine, or of the last one if that stopped in order.
    pub(super) run: Option<Run>,
    /// How far its clock is ahead of the world's.
    pub(super) skew_ms: i64,
    /// Rewritings of its files that have begun and not ended, if they take their time.
    pub(super) rewritings: Option<usize>,
}

impl Node {
    /// What its clock says at a time of the world.
    pub(super) const fn clock(&self, now: Millis) -> Millis {
        Millis(now.0.saturating_add_signed(self.skew_ms))
    }

    /// When the world has the time that its clock is to have.
    pub(super) const fn when(&self, clock: Millis) -> Millis {
        Millis(clock.0.saturating_sub_signed(self.skew_ms))
    }
}

impl World {
    pub(super) fn add(&mut self, name: &str) {
        let phrase = Phrase::random(&mut self.rng);
        let secrets = create_account(&phrase, name, "device", &mut self.rng)
            .expect("names of the world are short");
        self.phrases.push(phrase);
        self.add_device(secrets);
    }

    /// Gives the account of a node that manages one more device, as linking does: it runs, and is
    /// connected to all. Returns its number.
    ///
    /// # Panics
    /// If the node does not manage, or its account has 32 devices.
    pub fn link_device(&mut self, of: usize, manages: bool) -> usize {
        self.link_device_apart(of, manages, &[])
    }

    /// As [`Self::link_device`], with lines to all but some.
    ///
    /// # Panics
    /// As that.
    pub fn link_device_apart(&mut self, of: usize, manages: bool, apart: &[usize]) -> usize {
        let mut managing = self.nodes[of].secrets.clone();
        let key = managing.management.as_ref().map(SecretKey::public);
        let newest = self.newest.get(&managing.account);
        // A recovery has another key, and whoever it cuts off goes on with theirs.
        if let Some(newest) = newest.filter(|newest| newest.management_key().ok() == key) {
            managing.certificate = newest.clone();
        }
        let number = self.nodes.len();
        let name = format!("device {number}");
        let new = NewDevice::generate(managing.account, &name, &mut self.rng)
            .expect("names of the world are short");
        let certificate = managing.admit(&new.record, manages).expect("it manages");
        self.newest.insert(managing.account, certificate.clone());
        let management = managing.management.filter(|_| manages);
        let secrets = new.certified(certificate, management);
        self.add_device(secrets.expect("it is listed"));
        self.start_apart(number, apart);
        number
    }

    /// Brings the account of a node back with its phrase, on a new device, which runs and has
    /// lines to all but some. Returns its number.
    ///
    /// # Panics
    /// If the node was not one of the first, whose phrases are known.
    pub fn recover(&mut self, of: usize, apart: &[usize], recovery: Recovery) -> usize {
        let phrase = &self.phrases[of];
        let n = recovery_epoch(self.now);
        let names = (
            format!("person {of}"),
            format!("device {}", self.nodes.len()),
        );
        let secrets = recover_account(phrase, n, (&names.0, &names.1), &mut self.rng)
            .expect("names of the world are short");
        let certificate = secrets.certificate.clone();
        self.newest.insert(secrets.account, certificate);
        let number = self.nodes.len();
        self.add_device(secrets);
        self.tamper(number, |_, batch| {
            batch.put_meta(META_RECOVERY, encode(&recovery));
        });
        self.start_apart(number, apart);
        number
    }

    fn start_apart(&mut self, number: usize, apart: &[usize]) {
        for other in apart {
            self.link(number, *other, false);
        }
        self.start(number);
    }

    fn add_device(&mut self, secrets: DeviceSecrets) {
        let master = Secret::random(&mut self.rng);
        let disk = MemoryEnv::new().expect("memory can be had");
        self.nodes.push(Node {
            secrets,
            master,
            disk,
            engine: None,
            run: None,
            skew_ms: 0,
            rewritings: None,
        });
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
        let runs = Runs {
            this,
            before: node.run.replace(this),
            copied: false,
        };
        let now = node.clock(self.now);
        let engine = Engine::new(node.secrets.clone(), runs, store, rng, Vec::new(), now)
            .expect("a store in memory can be read");
        node.engine = Some(engine);
        self.wire.up(number, node.secrets.transport_key());
        self.connect_all();
        self.turn(number, Event::Tick);
    }

    /// Whether a node runs.
    pub fn runs(&self, number: usize) -> bool {
        self.nodes[number].engine.is_some()
    }

    /// Stops a node in order.
    pub fn stop(&mut self, number: usize) {
        self.turn(number, Event::Stop);
        let run = self.nodes[number].run;
        self.crash(number);
        self.nodes[number].run = run;
    }

    /// Stops a node without a word, as a crash does.
    pub fn crash(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        node.engine = None;
        node.run = None;
        for (at, event) in self.wire.down(number) {
            self.turn(at, event);
        }
        // What had begun ends with the process.
        if let Some(begun) = &mut self.nodes[number].rewritings {
            *begun = 0;
        }
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

    /// The secrets of a node: for a test that plays a hostile one.
    pub fn secrets(&self, number: usize) -> &DeviceSecrets {
        &self.nodes[number].secrets
    }

    /// The key that a node is known by on the network.
    pub fn transport(&self, number: usize) -> TransportKey {
        self.nodes[number].secrets.transport_key()
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

    /// How the mending of a node's channel stands.
    pub fn mending(&self, number: usize, channel: &ChannelId) -> Option<MendState> {
        self.engine(number)
            .shared()
            .channel(channel)?
            .mending
            .clone()
    }

    /// Has a node's files take their time to be rewritten, until [`Self::end_rewriting`].
    pub fn slow_files(&mut self, number: usize) {
        self.nodes[number].rewritings = Some(0);
    }

    /// How many rewritings of a node's files have begun and not ended.
    pub fn rewritings(&self, number: usize) -> usize {
        self.nodes[number].rewritings.unwrap_or(0)
    }

    /// Ends one of them.
    ///
    /// # Panics
    /// If there is none.
    pub fn end_rewriting(&mut self, number: usize) {
        let begun = self.nodes[number].rewritings.as_mut();
        let begun = begun.filter(|begun| **begun > 0).expect("one has begun");
        *begun -= 1;
        self.turn(number, Event::Erased(Vec::new()));
    }
}
