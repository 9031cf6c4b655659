//! People in a channel, each with a replica of their own, and what they do there.
//!
//! Everything that is ever written is recorded, so that tests can hand it to others in any order.
//! A copied home is part of it: somebody who is two writes two histories under one name.

use kith_crdt::beacon::{Beacon, InSegment};
use kith_crdt::control::{Body, ControlLog, Policy, Role, VerifiedOp};
use kith_crdt::crypto::phrase::Phrase;
use kith_crdt::crypto::secret::Secret;
use kith_crdt::envelope::{self, Envelope, Position};
use kith_crdt::identity::{DeviceSecrets, create_account};
use kith_crdt::ids::{ChannelId, LogId, MessageId, SegmentId};
use kith_crdt::keyring::Keyring;
use kith_crdt::keys::EpochSecret;
use kith_crdt::link::InviteLink;
use kith_crdt::segment::{Branch, Entry, Message, SeenRange};
use kith_crdt::sync::Replica as _;
use kith_crdt::term::Term;
use kith_crdt::time::{HOUR_MS, Hlc, Millis};
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::BTreeMap;

use crate::replica::{MemoryReplica, Offered};
use crate::sessions::sync_both;

/// Midnight of some day.
const START: Millis = Millis(480_000 * HOUR_MS);
const EMOJI: [&str; 3] = ["👍", "🎉", "😀"];

/// Somebody's device.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) secrets: DeviceSecrets,
    pub(crate) replica: MemoryReplica,
    branches: BTreeMap<LogId, Branch>,
    clock: Hlc,
}

/// Everybody in one channel, and all that they ever wrote.
pub(crate) struct World {
    pub(crate) people: Vec<Person>,
    pub(crate) ops: Vec<VerifiedOp>,
    pub(crate) envelopes: Vec<Envelope>,
    pub(crate) keyring: Keyring,
    pub(crate) channel: ChannelId,
    now: Millis,
    invite: InviteLink,
    rng: ChaCha20Rng,
}

/// One thing that happens. Numbers choose among what there is at the time.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Say {
        who: usize,
        thread: Option<usize>,
        reply: Option<usize>,
    },
    Edit {
        who: usize,
        what: usize,
    },
    Delete {
        who: usize,
        what: usize,
    },
    React {
        who: usize,
        what: usize,
        emoji: usize,
        on: bool,
    },
    Pin {
        who: usize,
        what: usize,
        on: bool,
    },
    See {
        who: usize,
    },
    Rename {
        who: usize,
    },
    Rekey {
        who: usize,
    },
    Leave {
        who: usize,
    },
    Join {
        from: usize,
    },
    Wait {
        hours: u64,
    },
    Meet {
        who: usize,
        whom: usize,
    },
    /// A home is copied, and both copies go on.
    Copy {
        who: usize,
    },
}

/// What happens in a channel, mostly talk.
pub(crate) fn acts(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Act>> {
    let n = 0_usize..64;
    let maybe = || prop::option::weighted(0.2, 0_usize..64);
    let act = prop_oneof![
        8 => (n.clone(), maybe(), maybe())
            .prop_map(|(who, thread, reply)| Act::Say { who, thread, reply }),
        2 => (n.clone(), n.clone()).prop_map(|(who, what)| Act::Edit { who, what }),
        1 => (n.clone(), n.clone()).prop_map(|(who, what)| Act::Delete { who, what }),
        3 => (n.clone(), n.clone(), n.clone(), any::<bool>())
            .prop_map(|(who, what, emoji, on)| Act::React { who, what, emoji, on }),
        2 => (n.clone(), n.clone(), any::<bool>())
            .prop_map(|(who, what, on)| Act::Pin { who, what, on }),
        2 => n.clone().prop_map(|who| Act::See { who }),
        1 => n.clone().prop_map(|who| Act::Rename { who }),
        1 => n.clone().prop_map(|who| Act::Rekey { who }),
        1 => n.clone().prop_map(|who| Act::Leave { who }),
        1 => n.clone().prop_map(|from| Act::Join { from }),
        2 => (1_u64..30).prop_map(|hours| Act::Wait { hours }),
        4 => (n.clone(), n.clone()).prop_map(|(who, whom)| Act::Meet { who, whom }),
        1 => n.prop_map(|who| Act::Copy { who }),
    ];
    prop::collection::vec(act, count)
}

impl World {
    /// A channel with this many people, of whom the first founded it, and an open invite.
    pub(crate) fn new(people: usize) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let founder = account(&mut rng, 0);
        let (mut control, create) =
            ControlLog::create(&founder, "kitchen", START, &mut rng).unwrap();
        let channel = create.channel();
        let invite = InviteLink {
            channel,
            name: "kitchen".into(),
            secret: Secret::random(&mut rng),
            expires_at: START.plus(1_000 * 24 * HOUR_MS),
            hosts: Vec::new(),
        };
        let opened = Body::Invite {
            invite: invite.invite(),
            role: Role::Member,
            uses: 5,
            expires_at: invite.expires_at,
        };
        let opened = control.author(&founder, opened, START).unwrap();
        let person = Person {
            secrets: founder,
            replica: MemoryReplica::new(control, channel),
            branches: BTreeMap::new(),
            clock: Hlc::default(),
        };
        let mut world = Self {
            people: vec![person],
            ops: vec![create, opened],
            envelopes: Vec::new(),
            keyring: Keyring::new(),
            channel,
            now: START,
            invite,
            rng,
        };
        world.tell_time();
        world.rekey(0);
        (1..people).for_each(|_| world.join(0));
        world
    }

    /// The same, and then all this happened.
    pub(crate) fn lived(people: usize, acts: &[Act]) -> Self {
        let mut world = Self::new(people);
        acts.iter().for_each(|act| world.act(act));
        world
    }

    pub(crate) fn act(&mut self, act: &Act) {
        let count = self.people.len();
        match *act {
            Act::Say { who, thread, reply } => {
                let who = who % count;
                let thread = thread.and_then(|at| self.message(who, at));
                let reply_to = reply.and_then(|at| self.message(who, at));
                self.say(
                    who,
                    Message {
                        thread,
                        reply_to,
                        ..Message::default()
                    },
                );
            }
            Act::Edit { who, what } => {
                let text = format!("edit {}", self.envelopes.len());
                self.answer(
                    who % count,
                    what,
                    |target| Entry::Edit { target },
                    Some(&text),
                );
            }
            Act::Delete { who, what } => {
                self.answer(who % count, what, |target| Entry::Deletion { target }, None);
            }
            Act::React {
                who,
                what,
                emoji,
                on,
            } => {
                let emoji = EMOJI[emoji % EMOJI.len()].to_owned();
                let react = |target| Entry::Reaction { target, emoji, on };
                self.answer(who % count, what, react, None);
            }
            Act::Pin { who, what, on } => {
                self.answer(who % count, what, |target| Entry::Pin { target, on }, None);
            }
            Act::See { who } => self.see(who % count),
            Act::Rename { who } => {
                let name = format!("name {}", self.ops.len());
                self.author(who % count, Body::Policy(Policy::Name(name)));
            }
            Act::Rekey { who } => self.rekey(who % count),
            Act::Leave { who } => self.author(who % count, Body::Leave),
            Act::Join { from } => self.join(from % count),
            Act::Wait { hours } => {
                self.now = self.now.plus(hours * HOUR_MS);
                self.tell_time();
            }
            Act::Meet { who, whom } => self.meet(who % count, whom % count),
            Act::Copy { who } => {
                let copy = self.people[who % count].clone();
                self.people.push(copy);
            }
        }
    }

    /// Somebody writes a message whose text is like no other.
    pub(crate) fn say(&mut self, who: usize, message: Message) {
        let text = format!("message {}", self.envelopes.len());
        self.write(who, &Entry::Message(message), Some(&text));
    }

    /// Somebody writes an entry about one of the messages they see.
    fn answer(
        &mut self,
        who: usize,
        what: usize,
        entry: impl FnOnce(MessageId) -> Entry,
        body: Option<&str>,
    ) {
        if let Some(target) = self.message(who, what) {
            self.write(who, &entry(target), body);
        }
    }

    /// Somebody writes an entry in the current window, with a body if there is one.
    pub(crate) fn write(&mut self, who: usize, entry: &Entry, body: Option<&str>) {
        let now = self.now.plus(self.envelopes.len() as u64);
        let person = &mut self.people[who];
        let roster = person.replica.control.roster();
        let belonged = roster.account_of(&person.secrets.device()).is_some();
        let Some(epoch) = roster.usable_epoch().filter(|_| belonged) else {
            return;
        };
        person.clock = person.clock.tick(now);
        let segment = SegmentId {
            window: person.clock.window(24),
            index: 0,
        };
        let Some(window_key) = self.keyring.window_key(&epoch, segment.window) else {
            return;
        };
        let mut id = LogId {
            segment,
            writer: person.secrets.writer(),
        };
        // Whoever finds that the home was copied goes on in another incarnation.
        while person.replica.log(id).fork.is_some() {
            person.secrets.incarnation += 1;
            id.writer = person.secrets.writer();
        }
        let log = person.replica.log(id);
        let actor = id.writer.actor(&self.channel);
        let branch = person
            .branches
            .entry(id)
            .or_insert_with(|| Branch::new(actor));
        if branch.seq() != log.head {
            return; // The log has been written by the copy, and this one does not know how it went on.
        }
        let change = branch.write(entry);
        let position = Position {
            place: id.place(log.head + 1),
            prev: log.link,
            hlc: person.clock,
            epoch,
        };
        let envelope = envelope::seal(
            &self.channel,
            &person.secrets.signing,
            &position,
            &window_key,
            &change,
            body.map(str::as_bytes),
            &mut self.rng,
        );
        assert_eq!(person.replica.offer(&envelope), Offered::Taken);
        self.envelopes.push(envelope);
    }

    /// A replica that has been given nothing but the keys.
    pub(crate) fn newcomer(&self) -> MemoryReplica {
        let mut replica = MemoryReplica::new(ControlLog::new(self.channel), self.channel);
        replica.keyring = self.keyring.clone();
        replica.now = self.now.plus(self.envelopes.len() as u64);
        replica
    }

    /// Lets everybody have the keys and the time.
    pub(crate) fn tell_time(&mut self) {
        for person in &mut self.people {
            person.replica.keyring = self.keyring.clone();
            person.replica.now = self.now.plus(self.envelopes.len() as u64);
        }
    }

    pub(crate) fn meet(&mut self, who: usize, whom: usize) {
        self.tell_time();
        if who != whom {
            let [one, other] = self.people.get_disjoint_mut([who, whom]).unwrap();
            sync_both(one, other);
        }
    }

    /// Somebody says what they hold.
    pub(crate) fn beacon(&mut self, who: usize) {
        let person = &mut self.people[who];
        person.clock = person.clock.tick(self.now);
        let listed = person.replica.digests().newest_first();
        let holds = listed.map(|listed| InSegment {
            segment: listed.segment,
            logs: person
                .replica
                .digests()
                .vector(&listed.segment)
                .iter()
                .map(|log| (log.writer, log.head.seq))
                .collect(),
        });
        let beacon = Beacon {
            writer: person.secrets.writer(),
            hlc: person.clock,
            addresses: Vec::new(),
            holds: holds.collect(),
            digest: person.replica.digest(),
            erased: Vec::new(),
        };
        let signed = beacon.clone().sign(&self.channel, &person.secrets.signing);
        person.replica.hear(beacon, signed);
    }

    /// Somebody writes a control op, if they may.
    pub(crate) fn author(&mut self, who: usize, body: Body) {
        let person = &mut self.people[who];
        self.ops.extend(
            person
                .replica
                .control
                .author(&person.secrets, body, self.now)
                .ok(),
        );
    }

    fn rekey(&mut self, who: usize) {
        let window = Hlc::at(self.now).window(24);
        let secret = EpochSecret::random(&mut self.rng);
        let keys = secret.into_keys(&self.channel, window, Term::FOREVER);
        let op = self.people[who].replica.control.roster().epoch_op(&keys);
        self.keyring.insert(keys);
        self.author(who, Body::Epoch(op));
        self.tell_time();
    }

    /// Somebody new joins with what one of the others holds.
    fn join(&mut self, from: usize) {
        let secrets = account(&mut self.rng, self.people.len());
        let certified = secrets.certificate.verify().unwrap();
        let body = Body::Join {
            invite: self.invite.invite(),
            certificate: secrets.certificate.clone(),
            countersignature: self.invite.countersign(&certified),
        };
        let mut replica = self.newcomer();
        for op in self.people[from].replica.control.iter() {
            replica.insert(op.clone());
        }
        let branches = BTreeMap::new();
        self.people.push(Person {
            secrets,
            replica,
            branches,
            clock: Hlc::default(),
        });
        self.author(self.people.len() - 1, body);
        self.meet(from, self.people.len() - 1);
    }

    fn see(&mut self, who: usize) {
        let mut ranges = Vec::new();
        let digests = self.people[who].replica.digests();
        for segment in digests.newest_first().map(|listed| listed.segment) {
            ranges.extend(
                digests
                    .vector(&segment)
                    .iter()
                    .filter(|log| log.head.seq > 0)
                    .map(|log| {
                        let log_id = LogId {
                            segment,
                            writer: log.writer,
                        };
                        SeenRange {
                            log: log_id,
                            first: 1,
                            last: log.head.seq,
                        }
                    }),
            );
        }
        self.write(who, &Entry::Seen(ranges), None);
    }

    fn message(&self, who: usize, at: usize) -> Option<MessageId> {
        let timeline = self.people[who].replica.timeline();
        Some(timeline.get(at % timeline.len().max(1))?.id)
    }
}

fn account(rng: &mut ChaCha20Rng, number: usize) -> DeviceSecrets {
    let phrase = Phrase::random(rng);
    create_account(&phrase, &format!("person {number}"), "laptop", rng).unwrap()
}
