//! Sixty days of five people, drawn from a seed.

use std::collections::{BTreeMap, BTreeSet};

use kith_crdt::control::Role;
use kith_crdt::ids::{AccountId, ChannelId, MessageId};
use kith_crdt::retention::Retention;
use kith_crdt::time::{DAY_MS, HOUR_MS, Millis};
use kith_node::engine::{Command, MemberAct};
use kith_tests::world::World;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::check::known;
use crate::history::{History, Ops, Who};
use crate::tally::Tally;

/// How many people there are, each with one node.
pub(crate) const PEOPLE: usize = 5;
/// Milliseconds of a minute.
pub(crate) const MINUTE_MS: u64 = 60_000;
/// Milliseconds in which a node does what is due.
pub(crate) const TURN_MS: u64 = 2;
/// Those who may set the retention and take people out. Nobody takes them out.
pub(crate) const ADMINS: [Who; 2] = [0, 1];
/// What the retention may be set to.
pub(crate) const RETENTIONS: [Retention; 9] = [
    Retention::Hours(1),
    Retention::Hours(5),
    Retention::Hours(12),
    Retention::Hours(24),
    Retention::Hours(72),
    Retention::Hours(168),
    Retention::Hours(720),
    Retention::Forever,
    Retention::Instant,
];
/// How long it goes on.
const DAYS: u64 = 60;
/// Milliseconds by which a clock may be wrong.
const SKEW_MS: u64 = 10 * MINUTE_MS;

/// One run.
pub(crate) struct Life {
    pub(crate) world: World,
    rng: ChaCha20Rng,
    pub(crate) channel: ChannelId,
    pub(crate) history: History,
    pub(crate) accounts: Vec<AccountId>,
    ends: Millis,
    /// When who is off is started again.
    pub(crate) back: BTreeMap<Who, Millis>,
    /// When a line that is cut is mended.
    pub(crate) cut: BTreeMap<(Who, Who), Millis>,
    /// What was over at a node when it was looked at last, and the newest event it told of.
    pub(crate) over: Vec<BTreeSet<MessageId>>,
    pub(crate) cursors: Vec<u64>,
    pub(crate) tally: Tally,
    pub(crate) journal: Vec<String>,
}

impl Life {
    /// People with clocks of their own, and a channel of the first of them.
    pub(crate) fn new(seed: u64) -> Self {
        let mut world = World::new(PEOPLE, seed);
        world.lose_gossip(100);
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        for who in 0..PEOPLE {
            let skew = rng.next_u64() % (2 * SKEW_MS + 1);
            world.skew(who, skew as i64 - SKEW_MS as i64);
        }
        let first = RETENTIONS[(rng.next_u64() as usize) % RETENTIONS.len()];
        let channel = world.make_keeping(0, "general", first);
        let accounts = (0..PEOPLE).map(|who| world.secrets(who).account).collect();
        let mut life = Self {
            ends: world.now().plus(DAYS * DAY_MS),
            world,
            rng,
            channel,
            history: History {
                first,
                ..History::default()
            },
            accounts,
            back: BTreeMap::new(),
            cut: BTreeMap::new(),
            over: vec![BTreeSet::new(); PEOPLE],
            cursors: vec![0; PEOPLE],
            tally: Tally {
                seeds: 1,
                ..Tally::default()
            },
            journal: vec![format!("begins with {first}")],
        };
        for who in 1..PEOPLE {
            if who == 1 || life.one_in(2) {
                life.invite(0, who);
            }
        }
        let act = MemberAct::SetRole(Role::Admin);
        life.world
            .until("the admin is in", |world| world.is_member(0, 1, &channel));
        let made = life.world.act(0, 1, channel, act);
        assert!(made.is_ok(), "{made:?}");
        life
    }

    /// Lives it, and holds everything to it at each step and in the end.
    pub(crate) fn live(&mut self) -> Tally {
        while self.world.now() < self.ends {
            self.jump();
            self.come_and_go();
            for _ in 0..=self.below(3) {
                self.act();
                // Mostly long enough to be heard; at times whoever acted is gone before.
                let ms = 1 + self.below(400);
                self.world.pass(ms);
            }
            self.look_everywhere();
        }
        self.rest();
        std::mem::take(&mut self.tally)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound
    }

    pub(crate) fn one_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }

    pub(crate) fn one_of<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        let index = self.below(of.len().max(1) as u64) as usize;
        of.get(index).copied()
    }

    pub(crate) fn note(&mut self, what: String) {
        let hours = self.world.now().0 as f64 / HOUR_MS as f64;
        self.journal.push(format!("{hours:.3} h: {what}"));
    }

    pub(crate) fn known(&self, who: Who) -> Ops {
        known(&self.world, who, &self.channel, &self.history)
    }

    pub(crate) fn belongs(&self, who: Who) -> bool {
        self.world.runs(who) && self.world.is_member(who, who, &self.channel)
    }

    pub(crate) fn shown_retention(&self, who: Who) -> Retention {
        let view = self.world.engine(who).shared().channel(&self.channel);
        view.expect("who belongs has it").roster.retention()
    }

    pub(crate) fn invite(&mut self, host: Who, guest: Who) {
        let expires_at = self.world.now().plus(30 * DAY_MS);
        let link = self.world.invite(host, self.channel, 1, expires_at);
        let link = link.expect("who belongs may invite");
        self.world.begin(guest, Command::Join { link });
        self.note(format!("{host} invites {guest}"));
        self.world.pass(5_000);
    }
}
