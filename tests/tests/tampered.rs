//! `kith verify` finds what damage alone never makes: records that are whole, and say something that
//! no signed entry makes. Each is written into the store of a stopped node, as a mistake in the code
//! that keeps it would.

use kith_crdt::control::VerifiedOp;
use kith_crdt::crypto::secret::Secret;
use kith_crdt::encoding::{decode, encode};
use kith_crdt::envelope::{self, Envelope, Position};
use kith_crdt::identity::DeviceSecrets;
use kith_crdt::ids::{ChannelId, LogId, MessageId, OpId, Place};
use kith_crdt::keyring::Keyring;
use kith_crdt::keys::EpochKeys;
use kith_crdt::log::Log;
use kith_crdt::projection::{Claim, ClaimKind, SeenBy};
use kith_crdt::time::Hlc;
use kith_store::{Batch, Line, Medium, Store, Vault};
use kith_tests::{Daemon, Home, PASSPHRASE, copy_tree, lively};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

const RECORD_MAX: usize = 1 << 20;

/// The open store of a stopped node, and what is in it.
struct Scene {
    secrets: DeviceSecrets,
    channel: ChannelId,
    keys: Keyring,
    /// The log of this device.
    log: Log,
    /// That of the other one.
    other: Log,
    store: Store,
}

impl Scene {
    fn open(home: &Home) -> Self {
        let opened = Vault::open(home.path(), PASSPHRASE.as_bytes()).expect("the passphrase");
        let secrets: DeviceSecrets = decode(&opened.identity, RECORD_MAX).expect("an identity");
        let store = Store::open(home.path(), &opened.master, Medium::Disk).expect("a store");
        let reader = store.reader();
        let (channel, _) = reader.view().channels().pop().expect("a channel");
        let mut keys = Keyring::new();
        for bytes in store.epochs(&channel) {
            keys.insert(decode::<EpochKeys>(&bytes, RECORD_MAX).expect("keys"));
        }
        let logs = reader.view().logs(&channel).into_iter();
        let logs = logs.map(|(_, bytes)| decode::<Log>(&bytes, RECORD_MAX).expect("a log"));
        let (own, others): (Vec<Log>, Vec<Log>) =
            logs.partition(|log| log.id.writer.device == secrets.device());
        let [log, other] = [own, others].map(|mut logs| logs.pop().expect("a log"));
        Self {
            secrets,
            channel,
            keys,
            log,
            other,
            store,
        }
    }

    fn envelope(&self, seq: u32) -> Envelope {
        let place = self.log.id.place(seq);
        let reader = self.store.reader();
        let stored = reader.view().envelope(&self.channel, &place);
        Envelope::from_stored(&stored.expect("an envelope"), &self.channel, place)
            .expect("an envelope")
    }

    fn hlc(&self, seq: u32) -> Hlc {
        self.envelope(seq).header.hlc
    }

    fn first_message(&self) -> Place {
        self.log.id.place(self.log.messages.first().expect("one"))
    }

    /// The place of an entry that is no message.
    fn no_message(&self) -> Place {
        let mut numbers = 1..=self.log.head;
        let seq = numbers.find(|seq| !self.log.messages.contains(*seq));
        self.log.id.place(seq.expect("a reaction"))
    }

    fn id(&self, place: Place) -> MessageId {
        place.message_id(&self.channel)
    }

    fn put(&self, batch: &mut Batch, log: &Log) {
        batch.put_log(&self.channel, &log.id, encode(log));
    }

    /// The ops, by their ids.
    fn ops(&self) -> Vec<(OpId, Vec<u8>)> {
        self.store.reader().view().ops(&self.channel)
    }

    /// An op that another one builds on, and not the founding.
    fn built_on(&self) -> OpId {
        let ops = self.ops().into_iter();
        let mut parents = ops.flat_map(|(_, bytes)| {
            let op = VerifiedOp::from_stored(&bytes).expect("it holds");
            op.op().parents.clone()
        });
        let built_on = parents.find(|parent| *parent != OpId(self.channel.0));
        built_on.expect("an op in between")
    }
}

/// The last envelope of the log, made anew upon another one than the one before it, with the log's
/// state to match.
fn on_another(scene: &Scene, batch: &mut Batch) {
    let seq = scene.log.head;
    let old = scene.envelope(seq);
    let window = scene.log.id.segment.window;
    let key: Secret = scene
        .keys
        .window_key(&old.header.epoch, window)
        .expect("a key");
    let opened = old.open(&scene.channel, &key).expect("it opens");
    let position = Position {
        place: scene.log.id.place(seq),
        prev: [7; 32],
        hlc: old.header.hlc,
        epoch: old.header.epoch,
    };
    let new = envelope::seal(
        &scene.channel,
        &scene.secrets.signing,
        &position,
        &key,
        &opened.change,
        opened.body.as_deref(),
        &mut ChaCha20Rng::seed_from_u64(1),
    );
    batch.put_envelope(&scene.channel, &position.place, new.to_stored());
    let mut log = scene.log.clone();
    log.link = new.link();
    scene.put(batch, &log);
}

type Tampering = fn(&Scene, &mut Batch);

/// What is written, and what is said of it.
const TAMPERINGS: [(&str, &str, Tampering); 15] = [
    ("a signature", "does not hold over", |scene, batch| {
        let mut envelope = scene.envelope(1);
        envelope.signature[5] ^= 1;
        let place = scene.log.id.place(1);
        batch.put_envelope(&scene.channel, &place, envelope.to_stored());
    }),
    ("a hash chain", "does not follow", on_another),
    ("a log", "names another last envelope", |scene, batch| {
        let mut log = scene.log.clone();
        log.link = [7; 32];
        scene.put(batch, &log);
    }),
    ("a log", "goes on beyond its end", |scene, batch| {
        let mut log = scene.log.clone();
        log.head -= 1;
        log.link = scene.envelope(log.head).link();
        scene.put(batch, &log);
    }),
    ("a fork", "is not proven", |scene, batch| {
        let mut log = scene.log.clone();
        log.fork = Some(log.head + 1);
        scene.put(batch, &log);
    }),
    (
        "a log",
        "counts other entries as messages",
        |scene, batch| {
            let mut log = scene.log.clone();
            log.messages.insert(scene.no_message().seq);
            scene.put(batch, &log);
        },
    ),
    ("the timeline", "lacks the message", |scene, batch| {
        let place = scene.first_message();
        let line = Line::main(&scene.channel);
        batch.remove_timeline(line, scene.hlc(place.seq), place);
    }),
    ("the timeline", "that no entry makes", |scene, batch| {
        let place = scene.no_message();
        let line = Line::main(&scene.channel);
        batch.insert_timeline(line, scene.hlc(place.seq), place);
    }),
    ("a message", "not found by its id", |scene, batch| {
        batch.delete_message_id(&scene.id(scene.first_message()));
    }),
    ("a message", "not found by its id", |scene, batch| {
        let id = scene.id(scene.first_message());
        batch.put_message_id(&scene.channel, &id, &scene.no_message());
    }),
    ("a thread", "its entries make", |scene, batch| {
        // A reply, which has no thread of its own.
        let reply = scene.other.threaded.first().expect("a reply");
        let reply = scene.id(scene.other.id.place(reply));
        let line = Line::thread(&scene.channel, &reply);
        let place = scene.no_message();
        batch.insert_timeline(line, scene.hlc(place.seq), place);
    }),
    (
        "a message",
        "edits, deletions or reactions",
        |scene, batch| {
            let target = scene.id(scene.first_message());
            let kind = ClaimKind::Reaction {
                emoji: "👍".into(),
                on: true,
            };
            let (at, number) = (scene.log.id.place(1), kind.number());
            let hlc = scene.hlc(1);
            let claim = encode(&Claim { at, hlc, kind });
            batch.put_claim(&scene.channel, &target, number, &at, claim);
        },
    ),
    ("read marks", "than were written", |scene, batch| {
        let LogId { segment, .. } = scene.log.id;
        let account = scene.secrets.account;
        batch.put_seen(&scene.channel, &segment, &account, encode(&SeenBy::new()));
    }),
    ("a signature", "ops do not hold", |scene, batch| {
        let (op, mut bytes) = scene.ops().swap_remove(1);
        let end = bytes.len() - 1;
        bytes[end] ^= 1;
        batch.put_op(&scene.channel, &op, bytes);
    }),
    ("ops", "build on ops that are not there", |scene, batch| {
        batch.delete_op(&scene.channel, &scene.built_on());
    }),
];

#[test]
fn whatever_no_entry_makes_is_found_and_named() {
    let (homes, daemons) = lively();
    let ana = &homes[0];
    daemons.into_iter().for_each(Daemon::stop);
    let whole = ana.beside("whole");
    copy_tree(ana.path(), &whole).expect("a home can be copied");
    for (number, (what, detail, tamper)) in TAMPERINGS.into_iter().enumerate() {
        std::fs::remove_dir_all(ana.path()).expect("a home can be removed");
        copy_tree(&whole, ana.path()).expect("a home can be copied");
        let mut scene = Scene::open(ana);
        let mut batch = scene.store.batch();
        tamper(&scene, &mut batch);
        scene.store.commit(batch).expect("it is written");
        drop(scene);
        let daemon = Daemon::start(ana);
        let outcome = ana.kith(&["verify", "garden"]);
        assert_eq!(outcome.code, 1, "{number}, {what}: {outcome}");
        let report: serde_json::Value = outcome.lines[0].clone();
        let told = &report["difference"];
        assert_eq!(told["what"], what, "{number}: {report}");
        let said = told["detail"].as_str().unwrap_or_default();
        assert!(said.contains(detail), "{number}, {what}: {said}");
        daemon.kill();
    }
}

#[test]
fn a_signature_that_does_not_hold_is_told_by_why_and_audit() {
    let (homes, daemons) = lively();
    let ana = &homes[0];
    let page = ana.lines(&["read", "garden"]);
    let deleted = |reason: Option<&str>| {
        let found = page
            .iter()
            .find(|message| message["deleted"] == true && message["reason"].as_str() == reason);
        found.expect("a deleted message")["id"].clone()
    };
    let spam = deleted(Some("spam"));
    let spam = spam.as_str().expect("an id");
    assert_eq!(ana.json(&["why", "message", spam])["showing"], "deleted");
    let deletions = |audit: &[serde_json::Value]| -> Vec<serde_json::Value> {
        let is_deletion = |entry: &&serde_json::Value| entry["deed"] == "delete_message";
        audit.iter().filter(is_deletion).cloned().collect()
    };
    let audit = deletions(&ana.lines(&["audit", "garden"]));
    assert_eq!(audit.len(), 1, "one's own are no news: {audit:?}");
    assert_eq!(
        (&audit[0]["message"], &audit[0]["verdict"]),
        (&spam.into(), &"stands".into())
    );
    daemons.into_iter().for_each(Daemon::stop);

    let mut scene = Scene::open(ana);
    let mut batch = scene.store.batch();
    for seq in 1..=scene.log.head {
        let mut envelope = scene.envelope(seq);
        envelope.signature[5] ^= 1;
        let place = scene.log.id.place(seq);
        batch.put_envelope(&scene.channel, &place, envelope.to_stored());
    }
    let (op, mut bytes) = scene.ops().swap_remove(1);
    let end = bytes.len() - 1;
    bytes[end] ^= 1;
    batch.put_op(&scene.channel, &op, bytes);
    let own = scene.id(scene.first_message()).to_string();
    scene.store.commit(batch).expect("it is written");
    drop(scene);
    let daemon = Daemon::start(ana);
    let why = ana.json(&["why", "message", &own]);
    assert_eq!(why["signature_holds"], false);
    let outcome = ana.kith(&["audit", "garden"]);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert_eq!(deletions(&outcome.lines)[0]["verdict"], "forged");
    let forged = outcome
        .lines
        .iter()
        .find(|entry| entry["op"] == op.to_string());
    assert_eq!(forged.expect("it is listed")["verdict"], "forged");
    daemon.kill();
}
