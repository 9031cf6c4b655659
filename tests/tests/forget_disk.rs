//! What a disk holds of messages that are over: nothing. Engines on a real disk under virtual time,
//! whose every file is searched for texts, for the sealed records as they were, and for the keys
//! that opened them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kith_api::message::PageQuery;
use kith_crdt::control::Policy;
use kith_crdt::crypto::phrase::Phrase;
use kith_crdt::crypto::secret::Secret;
use kith_crdt::envelope::Envelope;
use kith_crdt::identity::{DeviceSecrets, create_account};
use kith_crdt::ids::{ChannelId, MessageId};
use kith_crdt::log::Log;
use kith_crdt::retention::Retention;
use kith_crdt::time::{HOUR_MS, Millis};
use kith_node::engine::{Command, Effects, Engine, Event, Outcome, Run, Runs};
use kith_node::read::Reading;
use kith_store::{Medium, Store};
use kith_tests::world::plain;
use kith_tests::{SmallDisk, copy_tree, until};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rocksdb::{DB, IteratorMode, Options};

const NOON: Millis = Millis(1_795_176_000_000);
const TEXTS: usize = 40;
/// RocksDB looks for space every few seconds; much more than that is a failure.
const RECOVERY: Duration = Duration::from_secs(60);
/// Bytes of a record from its end that are looked for: the head of a record is the same in many.
const TAIL: usize = 40;

/// One person's node, on a disk.
struct Person {
    home: tempfile::TempDir,
    secrets: DeviceSecrets,
    master: Secret,
    engine: Option<Engine>,
    now: Millis,
    token: u64,
    /// Whether the files could not be rewritten when that was tried last.
    has_failed: bool,
    /// How often they were.
    rewritten: u32,
}

impl Person {
    fn new() -> Self {
        let mut person = Self::absent();
        person.start();
        person
    }

    /// One whose node does not run yet.
    fn absent() -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let phrase = Phrase::random(&mut rng);
        Self {
            home: tempfile::tempdir().unwrap(),
            secrets: create_account(&phrase, "Ana", "phone", &mut rng).unwrap(),
            master: Secret::random(&mut rng),
            engine: None,
            now: NOON,
            token: 0,
            has_failed: false,
            rewritten: 0,
        }
    }

    fn path(&self) -> &Path {
        self.home.path()
    }

    fn start(&mut self) {
        let store = Store::open(self.path(), &self.master, Medium::Disk).unwrap();
        let rng = ChaCha20Rng::seed_from_u64(self.now.0);
        let runs = Runs {
            this: Run([1; 32]),
            before: None,
            copied: false,
        };
        let secrets = self.secrets.clone();
        let engine = Engine::new(secrets, runs, store, rng, Vec::new(), self.now).unwrap();
        self.engine = Some(engine);
    }

    /// Ends without a word.
    fn kill(&mut self) {
        self.engine = None;
    }

    fn turn(&mut self, event: Event) -> Effects {
        let engine = self.engine.as_mut().expect("it runs");
        engine.turn(self.now, [event])
    }

    fn ask(&mut self, command: Command) -> Outcome {
        self.token += 1;
        let (token, key) = (self.token, None);
        let effects = self.turn(Event::Command {
            token,
            key,
            command,
        });
        let (_, answer) = effects.answers.into_iter().next().expect("an answer");
        answer.expect("it may")
    }

    /// Goes through hours, as a node that is up. What is to be erased is, if asked to. Returns how
    /// often the engine wanted to be called.
    fn hours(&mut self, hours: u64, is_erasing: bool) -> u64 {
        let mut turns = 0;
        let end = self.now.plus(hours * HOUR_MS);
        let mut step = self.now.plus(HOUR_MS);
        while self.now < end {
            let due = self.engine.as_ref().and_then(Engine::next_deadline);
            let next = due.unwrap_or(step).min(step).max(self.now.plus(1));
            self.now = next.min(end);
            if self.now >= step {
                step = step.plus(HOUR_MS);
            }
            let effects = self.turn(Event::Tick);
            turns += 1;
            if is_erasing {
                self.rewrite(effects);
            }
        }
        turns
    }

    /// Has files rewritten, if a turn wants that.
    fn rewrite(&mut self, effects: Effects) {
        if effects.erase.is_empty() {
            return;
        }
        let reader = self.engine.as_ref().unwrap().reader();
        let failed = match reader.erase_replaced(&effects.erase) {
            Ok(()) => Vec::new(),
            Err(_) => effects.erase,
        };
        self.has_failed = !failed.is_empty();
        self.rewritten += u32::from(!self.has_failed);
        self.turn(Event::Erased(failed));
    }

    /// Makes a channel that keeps what is said in it.
    fn make(&mut self, name: &str) -> ChannelId {
        let made = self.ask(Command::CreateChannel {
            name: name.into(),
            topic: String::new(),
            retention: Retention::Forever,
        });
        match made {
            Outcome::Channel { channel, .. } => channel,
            other => panic!("a channel was made, not {other:?}"),
        }
    }

    fn say(&mut self, channel: ChannelId, text: &str) -> MessageId {
        let sent = self.ask(plain(channel, text, None));
        match sent {
            Outcome::Sent { message, .. } => message,
            other => panic!("it was sent, not {other:?}"),
        }
    }

    /// The texts that its pages show of a channel.
    fn shown(&self, channel: &ChannelId) -> Vec<String> {
        let engine = self.engine.as_ref().expect("it runs");
        let (reader, shared) = (engine.reader(), engine.shared());
        let us = (self.secrets.account, self.secrets.device());
        let reading = Reading::new(&reader, &shared, us, self.now);
        let view = shared.channel(channel).expect("it has the channel");
        let page = reading.page(&view, &PageQuery::default()).unwrap();
        page.into_iter()
            .filter_map(|message| message.text)
            .collect()
    }

    /// A channel that keeps its messages for a day, with messages and edits of texts of their own.
    fn talk(&mut self) -> (ChannelId, Vec<String>) {
        let channel = self.make("garden");
        self.ask(Command::SetPolicy {
            channel,
            policy: Policy::Retention {
                retention: Retention::Hours(24),
                existing: false,
            },
            dry_run: false,
        });
        let texts: Vec<String> = (0..TEXTS)
            .map(|n| format!("secret number {n:04}"))
            .collect();
        for text in &texts {
            let message = self.say(channel, text);
            self.ask(Command::Edit {
                target: message,
                text: format!("{text} anew"),
            });
        }
        (channel, texts)
    }

    /// What lies in the home of a channel that must not be found once it is over: the parts of its
    /// envelopes as they are sealed for the wire.
    fn parts(&self, channel: &ChannelId) -> Vec<Vec<u8>> {
        let reader = self.engine.as_ref().expect("it runs").reader();
        let view = reader.view();
        let mut parts = Vec::new();
        for (_, bytes) in view.logs(channel) {
            let log: Log = kith_crdt::encoding::decode(&bytes, 1 << 20).unwrap();
            for seq in 1..=log.head {
                let place = log.id.place(seq);
                let stored = view.envelope(channel, &place).unwrap();
                let envelope = Envelope::from_stored(&stored, channel, place).unwrap();
                parts.push(envelope.change_ct.clone());
                parts.extend(envelope.body_ct.clone());
            }
        }
        parts
    }
}

/// Every record of a database whose table is wanted, as it lies on the disk.
fn records(home: &Path, database: &str, wanted: &[&str]) -> Vec<Vec<u8>> {
    let path = home.join(database);
    let tables = DB::list_cf(&Options::default(), &path).unwrap();
    let db = DB::open_cf_for_read_only(&Options::default(), &path, &tables, false).unwrap();
    let tables = tables
        .iter()
        .filter(|table| wanted.contains(&table.as_str()));
    let rows = tables.flat_map(|table| {
        let table = db.cf_handle(table).unwrap();
        let rows = db.iterator_cf(table, IteratorMode::Start);
        rows.map(|row| row.unwrap().1.to_vec()).collect::<Vec<_>>()
    });
    rows.collect()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// How many of these are somewhere in the files of a home.
fn found(home: &Path, needles: &[Vec<u8>]) -> usize {
    let contents: Vec<Vec<u8>> = files(home)
        .iter()
        .map(|file| fs::read(file).unwrap())
        .collect();
    let is_there = |needle: &&Vec<u8>| {
        let tail = &needle[needle.len().saturating_sub(TAIL)..];
        contents
            .iter()
            .any(|content| content.windows(tail.len()).any(|part| part == tail))
    };
    needles.iter().filter(is_there).count()
}

/// The sealed records that belong to a channel's windows, and the keys of those.
fn sealed(home: &Path) -> Vec<Vec<u8>> {
    let windowed = ["envelopes", "timeline", "claims", "message_ids"];
    let mut all = records(home, "data", &windowed);
    all.extend(records(home, "keys", &["window_keys", "epochs"]));
    all
}

#[test]
fn no_file_of_a_home_holds_what_is_over() {
    let mut ana = Person::new();
    let (channel, texts) = ana.talk();
    let mut needles: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
    needles.extend(ana.parts(&channel));
    ana.kill();
    let at_rest = sealed(ana.path());
    assert!(at_rest.len() > TEXTS && found(ana.path(), &at_rest) == at_rest.len());
    ana.start();
    ana.hours(23, true);
    assert_eq!(ana.parts(&channel).len(), TEXTS * 4, "all of it lives");
    ana.hours(4, true);
    needles.extend(at_rest);
    let left = found(ana.path(), &needles);
    // The number to give out next, and the keys of epochs that may be written in, go on.
    ana.kill();
    let living = sealed(ana.path());
    needles.retain(|needle| !living.contains(needle));
    assert_eq!(found(ana.path(), &needles), 0, "of {left}");
    ana.start();
    assert_eq!(ana.parts(&channel).len(), 0);
}

#[test]
fn killed_before_the_files_are_rewritten_the_next_start_sees_to_it() {
    let mut ana = Person::new();
    let (channel, texts) = ana.talk();
    let mut needles: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
    needles.extend(ana.parts(&channel));
    ana.kill();
    needles.extend(sealed(ana.path()));
    ana.start();
    ana.hours(25, false);
    ana.kill();
    assert!(found(ana.path(), &needles) > TEXTS, "files still hold it");
    ana.start();
    ana.hours(3, true);
    ana.kill();
    let living = sealed(ana.path());
    needles.retain(|needle| !living.contains(needle));
    assert_eq!(found(ana.path(), &needles), 0);
}

#[test]
fn a_copy_from_before_shows_nothing_that_is_over() {
    let mut ana = Person::new();
    let (channel, _) = ana.talk();
    ana.kill();
    let copy = tempfile::tempdir().unwrap();
    copy_tree(ana.path(), copy.path()).unwrap();
    ana.home = copy;
    ana.now = ana.now.plus(23 * HOUR_MS);
    ana.start();
    assert_eq!(ana.parts(&channel).len(), TEXTS * 4);
    ana.hours(3, true);
    assert_eq!(ana.parts(&channel).len(), 0, "its own clock ends it, too");
}

#[test]
fn on_a_full_disk_what_is_over_is_not_shown_and_goes_once_there_is_space() {
    let mut ana = Person::absent();
    let Some(disk) = SmallDisk::at(ana.path()) else {
        eprintln!("skipped: no right to mount a file system");
        return;
    };
    ana.start();
    let kept = ana.make("kept");
    ana.say(kept, "for good");
    let (channel, _) = ana.talk();
    ana.kill();
    let at_rest = sealed(ana.path());
    ana.start();
    for _ in 0..27 {
        // What RocksDB lets go of is taken at once.
        disk.fill();
        // Nor does it change anything that somebody tries and tries again.
        ana.turn(Event::Command {
            token: 0,
            key: None,
            command: plain(kept, "is there room?", None),
        });
        let turns = ana.hours(1, true);
        assert!(turns < 200, "it tries again and again: {turns}");
    }
    assert!(ana.shown(&channel).is_empty(), "it is over on any disk");
    assert!(
        found(ana.path(), &at_rest) > TEXTS,
        "there is no room to end it"
    );
    assert_eq!(ana.shown(&kept), ["for good"]);

    disk.free();
    let before = ana.rewritten;
    until(
        "what is over to be gone, and out of the files",
        RECOVERY,
        || {
            ana.hours(2, true);
            // Records go before their key does, whose database recovers in its own time, and the
            // files are rewritten after that.
            let is_rewritten = ana.rewritten > before && !ana.has_failed;
            (ana.parts(&channel).is_empty() && is_rewritten).then_some(())
        },
    );
    assert_eq!(ana.shown(&kept), ["for good"]);
    ana.kill();
    let living = sealed(ana.path());
    let over: Vec<Vec<u8>> = at_rest
        .into_iter()
        .filter(|record| !living.contains(record))
        .collect();
    assert!(over.len() > TEXTS);
    assert_eq!(found(ana.path(), &over), 0);
    ana.start();
    assert_eq!(ana.shown(&kept), ["for good"]);
}

#[test]
fn what_was_to_be_rewritten_in_a_turn_that_a_full_disk_refused_is_rewritten_later() {
    let mut ana = Person::absent();
    let Some(disk) = SmallDisk::at(ana.path()) else {
        eprintln!("skipped: no right to mount a file system");
        return;
    };
    ana.start();
    let kept = ana.make("kept");
    let (channel, _) = ana.talk();
    ana.kill();
    let at_rest = sealed(ana.path());
    ana.start();
    ana.hours(23, true);
    for _ in 0..10_000 {
        if ana.parts(&channel).is_empty() {
            break;
        }
        let due = ana.engine.as_ref().and_then(Engine::next_deadline);
        ana.now = due.expect("it goes on").max(ana.now.plus(1));
        let effects = ana.turn(Event::Tick);
        ana.rewrite(effects);
    }
    assert!(ana.parts(&channel).is_empty(), "it is over");
    // The time for the last of it comes in turns that are refused.
    let before = ana.rewritten;
    disk.fill();
    for _ in 0..8 {
        ana.now = ana.now.plus(15_000);
        let effects = ana.turn(Event::Command {
            token: 0,
            key: None,
            command: plain(kept, "is there room?", None),
        });
        assert!(effects.erase.is_empty(), "there was room after all");
    }
    disk.free();
    until("the files to be rewritten", RECOVERY, || {
        ana.hours(1, true);
        (ana.rewritten > before && !ana.has_failed).then_some(())
    });
    ana.kill();
    let living = sealed(ana.path());
    let over: Vec<Vec<u8>> = at_rest
        .into_iter()
        .filter(|record| !living.contains(record))
        .collect();
    assert!(over.len() > TEXTS);
    assert_eq!(found(ana.path(), &over), 0);
}
