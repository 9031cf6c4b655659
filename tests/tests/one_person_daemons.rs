//! One person with three devices, and two others, all of them real daemons: whatever they do while
//! they are apart and while nodes are killed, all see the same afterwards, and so does the person on
//! each of the three. `one_person.rs` is the same under virtual time, with many seeds.

use std::collections::BTreeSet;

use kith_tests::{Daemon, Home, PATIENCE, befriend, link, until, until_agreed, until_seen};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};

const CHANNELS: [&str; 2] = ["garden", "attic"];
const EMOJI: [&str; 3] = ["🌱", "🥕", "👍"];
const LEVELS: [&str; 3] = ["all", "mentions", "nothing"];

/// The nodes: Ana's first device, the others', and the two that Ana links.
const ANA: usize = 0;
const BEN: usize = 1;
const CEM: usize = 2;
const LAPTOP: usize = 3;
const PHONE: usize = 4;

/// Who can reach whom, one time after another. Whoever is in no group is away.
const TIMES: [&[&[usize]]; 3] = [
    &[&[ANA], &[LAPTOP, BEN], &[PHONE, CEM]],
    &[&[PHONE, ANA, CEM], &[LAPTOP]],
    &[&[BEN, LAPTOP, ANA, PHONE, CEM]],
];

/// What is done between two partings.
const ACTS_A_TIME: usize = 15;

/// What somebody does on a device.
#[derive(Debug, Clone, Copy)]
enum Act {
    Send,
    MarkAll,
    MarkOne,
    React,
    Unreact,
    Edit,
    Delete,
    Draft,
    Notify,
}

const ACTS: [Act; 15] = [
    Act::Send,
    Act::Send,
    Act::Send,
    Act::Send,
    Act::MarkAll,
    Act::MarkOne,
    Act::MarkOne,
    Act::React,
    Act::React,
    Act::Unreact,
    Act::Edit,
    Act::Edit,
    Act::Delete,
    Act::Draft,
    Act::Notify,
];

/// A message that was acknowledged, and what became of it as far as that was acknowledged, too.
struct Said {
    id: String,
    text: String,
    deleted: bool,
}

struct Days {
    homes: Vec<Home>,
    /// The daemons that run, with whose they are.
    daemons: Vec<(usize, Daemon)>,
    /// Every address at which a node was reached.
    used: BTreeSet<String>,
    rng: ChaCha20Rng,
    said: Vec<Said>,
    acts: usize,
}

/// The seed that the acts are drawn from.
fn seed() -> u64 {
    let asked = std::env::var("KITH_SEED").ok();
    asked.map_or(1, |seed| seed.parse().expect("KITH_SEED is a number"))
}

fn pick<T: Copy>(rng: &mut ChaCha20Rng, of: &[T]) -> T {
    of[rng.next_u32() as usize % of.len()]
}

impl Days {
    /// Ana, Ben and Cem with some history, and then Ana's other devices, which have all of it.
    fn begin(seed: u64) -> Self {
        let mut days = Self {
            homes: ["Ana", "Ben", "Cem"].map(Home::init).into(),
            daemons: Vec::new(),
            used: BTreeSet::new(),
            rng: ChaCha20Rng::seed_from_u64(seed),
            said: Vec::new(),
            acts: 0,
        };
        days.run(&[ANA, BEN, CEM]);
        for channel in CHANNELS {
            let host = &days.homes[ANA];
            host.json(&["channel", "create", channel]);
            for guest in [BEN, CEM] {
                befriend(host, &days.homes[guest], channel);
            }
            for node in [ANA, BEN, CEM] {
                days.say(node, channel);
            }
        }
        days.until_agreed();
        let ana = &days.homes[ANA];
        ana.json(&["react", &days.said[1].id, "🌱"]);
        ana.json(&["mark", "garden"]);
        ana.json(&["draft", "garden", "before there were three"]);

        days.link("laptop", &["--manage"]);
        days.link("phone", &[]);
        for device in [LAPTOP, PHONE].map(|node| &days.homes[node]) {
            for said in &days.said {
                until_seen(device, &said.id);
            }
            until("the draft", PATIENCE, || {
                (device.kith(&["draft", "garden"]).code == 0).then_some(())
            });
        }
        days.until_agreed();
        days
    }

    /// Links another device of Ana's, and starts it.
    fn link(&mut self, name: &str, arguments: &[&str]) {
        let device = link(&self.homes[ANA], name, arguments);
        self.homes.push(device);
        let node = self.homes.len() - 1;
        self.run(&[node]);
    }

    /// Starts nodes that can reach each other.
    fn run(&mut self, group: &[usize]) {
        let mut addresses: Vec<String> = Vec::new();
        for node in group {
            let daemon = self.start(*node, &addresses);
            addresses.extend(daemon.addresses());
            self.daemons.push((*node, daemon));
        }
    }

    /// Starts a node where it was never reached before, so that only those find it who are told
    /// where it is.
    fn start(&mut self, node: usize, towards: &[String]) -> Daemon {
        let home = &self.homes[node];
        until("a new address", PATIENCE, || {
            let daemon = Daemon::start_towards(home, towards);
            self.used.insert(daemon.address()).then_some(daemon)
        })
    }

    /// Ends all nodes, some of them as a power cut would, and starts each group apart from the
    /// others. There everybody says something.
    fn part(&mut self, groups: &[&[usize]]) {
        for (_, daemon) in std::mem::take(&mut self.daemons) {
            if pick(&mut self.rng, &[true, false]) {
                daemon.kill();
            } else {
                daemon.stop();
            }
        }
        for group in groups {
            self.run(group);
        }
        for node in groups.concat() {
            let channel = pick(&mut self.rng, &CHANNELS);
            self.say(node, channel);
        }
    }

    /// Checks that nobody has met anybody of another group.
    fn check_apart(&self, groups: &[&[usize]]) {
        for group in groups {
            for home in group.iter().map(|node| &self.homes[*node]) {
                let status = home.json(&["status"]);
                let peers = status["peers"].as_array().expect("a list");
                assert!(peers.len() < group.len(), "{}: {status}", home.name());
            }
        }
    }

    fn say(&mut self, on: usize, channel: &str) {
        let text = format!("message {}", self.said.len());
        let home = &self.homes[on];
        let id = home.field(&["send", channel, &text], "id");
        report(&format!("{}: {text} to {channel} is {id}", home.name()));
        self.said.push(Said {
            id,
            text,
            deleted: false,
        });
    }

    /// Does something on some node that runs.
    fn act(&mut self) {
        self.acts += 1;
        let running: Vec<usize> = self.daemons.iter().map(|(node, _)| *node).collect();
        let on = pick(&mut self.rng, &running);
        let channel = pick(&mut self.rng, &CHANNELS);
        let emoji = pick(&mut self.rng, &EMOJI);
        let level = pick(&mut self.rng, &LEVELS);
        let target = self.rng.next_u32() as usize % self.said.len();
        let id = self.said[target].id.clone();
        let text = format!("act {}", self.acts);
        let act = pick(&mut self.rng, &ACTS);
        let arguments: Vec<&str> = match act {
            Act::Send => return self.say(on, channel),
            Act::MarkAll => vec!["mark", channel],
            Act::MarkOne => vec!["mark", channel, &id],
            Act::React => vec!["react", &id, emoji],
            Act::Unreact => vec!["react", &id, emoji, "--remove"],
            Act::Edit => vec!["edit", &id, &text],
            Act::Delete => vec!["delete", &id],
            Act::Draft => vec!["draft", channel, &text],
            Act::Notify => vec!["channel", "notify", channel, level],
        };
        let done = self.attempt(on, &arguments);
        match act {
            Act::Edit if done => self.said[target].text = text,
            Act::Delete if done => self.said[target].deleted = true,
            _ => {}
        }
    }

    /// Runs a verb about what may not be here, not be theirs, or be deleted. Returns whether it was
    /// done.
    fn attempt(&self, on: usize, arguments: &[&str]) -> bool {
        let home = &self.homes[on];
        let outcome = home.kith(arguments);
        let what = format!("{}: {arguments:?}: exit {}", home.name(), outcome.code);
        report(&what);
        assert!([0, 4, 5].contains(&outcome.code), "{what}: {outcome}");
        outcome.code == 0
    }

    /// Waits until all nodes, which run, hold the same of every channel.
    fn until_agreed(&self) {
        let all: Vec<&Home> = self.homes.iter().collect();
        for channel in CHANNELS {
            until_agreed(&all, channel);
        }
    }

    /// Checks that all see the same, Ana on each device the same, and that nothing is lost.
    fn check_alike(&self) {
        self.until_agreed();
        let all: Vec<&Home> = self.homes.iter().collect();
        let devices = [ANA, LAPTOP, PHONE].map(|node| &self.homes[node]);
        let mut shown = Vec::new();
        for channel in CHANNELS {
            // Keys may come a moment after what they open.
            until_alike("one page", &all, |home| seen_by_all(home, channel));
            let own = until_alike("one Ana", &devices, |home| seen_by_one(home, channel));
            assert!(own["unread"].as_u64() > Some(0), "{own}");
            shown.extend(page(devices[0], channel));
        }
        until_alike("the same drafts", &devices, |home| {
            Value::Array(home.lines(&["draft"]))
        });
        self.check_kept(&shown);
    }

    /// Checks that every message that was acknowledged is shown as it was last acknowledged to be.
    fn check_kept(&self, shown: &[Value]) {
        assert_eq!(shown.len(), self.said.len(), "nothing is there twice");
        for said in &self.said {
            let message = shown.iter().find(|message| message["id"] == said.id);
            let message = message.unwrap_or_else(|| panic!("{} is lost", said.id));
            assert_eq!(message["deleted"], said.deleted, "{message}");
            if !said.deleted {
                assert_eq!(message["text"], said.text, "{message}");
            }
        }
    }
}

fn page(home: &Home, channel: &str) -> Vec<Value> {
    home.lines(&["read", channel, "--limit", "500"])
}

/// What all must see alike of a channel: messages, how often each emoji was given, and who has read
/// them.
fn seen_by_all(home: &Home, channel: &str) -> Value {
    let fields = [
        "id", "account", "at", "text", "edited", "deleted", "read_by",
    ];
    let messages = page(home, channel).into_iter().map(|message| {
        let reactions = message["reactions"].as_object().expect("an object");
        let given: Vec<String> = reactions
            .iter()
            .map(|(emoji, reaction)| format!("{emoji} {}", reaction["count"]))
            .collect();
        let facts = fields.map(|field| message[field].clone());
        json!([facts, given])
    });
    Value::Array(messages.collect())
}

/// What one person must see alike of a channel: what is unread, what they want of it, and which
/// reactions are theirs.
fn seen_by_one(home: &Home, channel: &str) -> Value {
    let facts = home.json(&["channel", "show", channel]);
    let messages = page(home, channel).into_iter();
    let reactions: Vec<Value> = messages
        .map(|message| message["reactions"].clone())
        .collect();
    json!({
        "unread": facts["unread"],
        "messages": facts["messages"],
        "notify": facts["notify"],
        "draft": facts["draft"],
        "reactions": reactions,
    })
}

/// Waits until something looks alike at all homes, and returns it.
fn until_alike(what: &str, homes: &[&Home], look: impl Fn(&Home) -> Value) -> Value {
    let mut before = Vec::new();
    until(what, PATIENCE, || {
        let seen: Vec<Value> = homes.iter().map(|home| look(home)).collect();
        if seen.iter().all(|one| *one == seen[0]) {
            return seen.into_iter().next();
        }
        if seen != before {
            report(&format!("not yet {what}: {seen:#?}"));
            before = seen;
        }
        None
    })
}

#[expect(clippy::print_stdout, reason = "a failing test shows what was done")]
fn report(line: &str) {
    println!("{line}");
}

#[test]
fn three_devices_of_one_person_and_two_others_end_alike_whatever_they_do_apart() {
    let seed = seed();
    report(&format!("the acts are those of KITH_SEED={seed}"));
    let mut days = Days::begin(seed);
    (0..ACTS_A_TIME).for_each(|_| days.act());
    for groups in TIMES {
        days.part(groups);
        (0..ACTS_A_TIME).for_each(|_| days.act());
        days.check_apart(groups);
    }
    // Something is unread in the end.
    CHANNELS.iter().for_each(|channel| days.say(BEN, channel));
    days.check_alike();
}
