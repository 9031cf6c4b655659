//! Ten thousand control logs, by up to eight accounts on up to four sides of a partition, some of
//! it honest and some of it not: the same roster in whatever order the ops arrive, and rules that
//! hold in each.
//!
//! `KITH_CONTROL_LOGS` asks for another number of logs. A failure names its seed;
//! `Story::new(seed)` tells it again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand_chacha::rand_core::Rng;

use super::*;
use crate::crypto::sign::{SecretKey, Signed};
use crate::identity::{AccountEpoch, Certificate, Certified, DeviceList, DeviceRecord};
use crate::retention::{Retention, RetentionLimits};

/// Devices of an account and the certificate that has them.
type Listing = (Certificate, Arc<Certified>);

/// Of each person: both devices; then, of the same version, the phone alone, the laptop alone, and
/// both with a tablet; and the laptop alone in the next account epoch.
static LISTINGS: LazyLock<Vec<[Listing; 5]>> = LazyLock::new(|| {
    let listing = |certificate: Certificate| {
        let certified = certificate.verify().unwrap();
        (certificate, Arc::new(certified))
    };
    let of = |person: &Person| {
        let both = person.phone.certificate.clone();
        let phone = person.phone.revoke(&person.laptop.device()).unwrap();
        let laptop = person.laptop.revoke(&person.phone.device()).unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let tablet = NewDevice::generate(person.account(), "tablet", &mut rng).unwrap();
        let tablet = person.phone.admit(&tablet.record, false).unwrap();
        [both, phone, laptop, tablet, recovered(person)].map(listing)
    };
    PEOPLE.iter().map(of).collect()
});

fn recovered(person: &Person) -> Certificate {
    let management = SecretKey::from_seed(&Secret::new([8; 32]));
    let (account, device) = (person.account(), person.laptop.device());
    let account_epoch = AccountEpoch {
        account,
        n: 2,
        management: management.public(),
    };
    let list = DeviceList {
        account,
        epoch: 2,
        version: 1,
        name: "found again".to_owned(),
        devices: vec![device],
        revoked: Vec::new(),
        managing: vec![device],
        maker: Some(device),
    };
    let is_theirs =
        |record: &&Signed| DeviceRecord::verify(record).is_ok_and(|record| record.device == device);
    let records = &person.laptop.certificate.records;
    Certificate {
        account_epoch: account_epoch.sign(&person.phrase.recovery_key()),
        device_list: list.sign(&management),
        records: records.iter().filter(is_theirs).cloned().collect(),
    }
}

const RETENTIONS: [Retention; 4] = [
    Retention::Forever,
    Retention::Hours(1),
    Retention::Hours(168),
    Retention::Instant,
];

struct Story {
    rng: ChaCha20Rng,
    people: usize,
    sides: Vec<ControlLog>,
    links: Vec<(InviteLink, Body)>,
    epochs: u8,
    clock: Millis,
}

impl Story {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let log = ControlLog::new(founded().channel());
        let people = 2 + rng.next_u32() as usize % 7;
        let sides = 1 + rng.next_u32() as usize % 4;
        let mut story = Self {
            rng,
            people,
            sides: vec![log],
            links: Vec::new(),
            epochs: 0,
            clock: NOW,
        };
        story.sides[0].insert(head(&founded()));
        for who in 1..people {
            let role = Role::ALL[story.below(5)];
            let (certificate, certified) = LISTINGS[who][0].clone();
            let body = Body::Add { role, certificate };
            story.write(0, (0, false), body, Some(certified), None);
        }
        story.sides = vec![story.sides[0].clone(); sides];
        story
    }

    fn tell(mut self, steps: usize) -> ControlLog {
        for _ in 0..steps {
            let side = self.below(self.sides.len());
            match self.below(12) {
                0 | 1 => self.meet_two(),
                step => self.act(side, step > 9),
            }
        }
        let mut log = self.sides.swap_remove(0);
        self.sides.iter().for_each(|side| unite(&mut log, side));
        log
    }

    fn below(&mut self, bound: usize) -> usize {
        self.rng.next_u32() as usize % bound
    }

    fn meet_two(&mut self) {
        let (a, b) = (self.below(self.sides.len()), self.below(self.sides.len()));
        if a != b {
            let [a, b] = self.sides.get_disjoint_mut([a, b]).unwrap();
            unite(a, b);
            unite(b, a);
        }
    }

    /// Somebody does something on one side: what a rule forbids only if they are hostile, and
    /// then on whatever parents they please.
    fn act(&mut self, side: usize, hostile: bool) {
        let who = (self.below(self.people), self.below(2) == 1);
        self.clock = self.clock.plus(self.rng.next_u64() % 1_000);
        let (body, certified) = self.body(who.0);
        let parents = hostile.then(|| {
            let ops: Vec<OpId> = everything(&self.sides[side]);
            let parents = (0..=self.below(2)).map(|_| ops[self.below(ops.len())]);
            parents.collect::<BTreeSet<OpId>>()
        });
        self.write(side, who, body, certified, parents);
    }

    fn write(
        &mut self,
        side: usize,
        (who, laptop): (usize, bool),
        body: Body,
        certified: Option<Arc<Certified>>,
        parents: Option<BTreeSet<OpId>>,
    ) {
        let log = &mut self.sides[side];
        log.take_over_reading();
        log.settled.settle(&log.graph);
        let honest = parents.is_none();
        let parents: Vec<Index> = match parents {
            Some(ids) => ids.iter().map(|id| log.graph.index(id).unwrap()).collect(),
            None => log.parents_to_build_on(),
        };
        let lamport = parents.iter().map(|p| log.graph.op(*p).op().lamport);
        let mut ids = log.ids(&parents);
        ids.sort_unstable();
        let person = &PEOPLE[who];
        let device = if laptop {
            &person.laptop
        } else {
            &person.phone
        };
        let op = ControlOp {
            channel: Some(log.channel()),
            author: person.account(),
            device: device.device(),
            lamport: 1 + lamport.max().unwrap(),
            parents: ids,
            at: self.clock,
            body,
        };
        let op = VerifiedOp::unsigned(op, certified);
        if !honest || log.judge_on(&parents, &op).stands() {
            log.insert(op);
        }
    }

    fn body(&mut self, who: usize) -> (Body, Option<Arc<Certified>>) {
        let (subject, role) = (self.below(self.people), Role::ALL[self.below(5)]);
        let account = PEOPLE[subject].account();
        let until = self.clock.plus(self.rng.next_u64() % 4_000);
        let last_seen = LastSeen::new([]);
        let newest = if self.below(6) == 0 { self.below(5) } else { 0 };
        let listing = |person: usize| LISTINGS[person][newest].clone();
        let plain = match self.below(31) {
            0..=2 => self.invite(role),
            3..=6 if !self.links.is_empty() => {
                let link = self.below(self.links.len());
                let (certificate, certified) = listing(who);
                let body = Body::Join {
                    invite: self.links[link].0.invite(),
                    certificate,
                    countersignature: [0; 64],
                };
                return (body, Some(certified));
            }
            7 if !self.links.is_empty() => {
                let link = self.below(self.links.len());
                Body::RevokeInvite {
                    invite: self.links[link].0.invite(),
                }
            }
            8 | 9 => Body::Leave,
            10 => name(&format!("name {}", self.below(1_000))),
            11 => {
                let (certificate, certified) = LISTINGS[who][1 + self.below(4)].clone();
                let body = Body::Devices {
                    certificate,
                    last_seen: (self.below(3) > 0).then_some(last_seen),
                };
                return (body, Some(certified));
            }
            12..=15 => Body::SetRole { account, role },
            16..=18 => Body::Remove { account, last_seen },
            19 | 20 => {
                let until = (self.below(2) == 0).then_some(until);
                Body::Ban {
                    account,
                    last_seen,
                    until,
                }
            }
            21 => Body::Unban { account },
            22 | 23 => Body::Mute { account, until },
            24 | 25 => {
                let (certificate, certified) = listing(subject);
                return (Body::Add { role, certificate }, Some(certified));
            }
            26 => Body::Policy(Policy::Right {
                right: Right::ALL[1 + self.below(Right::ALL.len() - 1)],
                least: role,
            }),
            27 => Body::Policy(Policy::History(History::Days(1 + self.below(9) as u16))),
            28 if self.below(3) > 0 => Body::Policy(Policy::Retention {
                retention: RETENTIONS[self.below(RETENTIONS.len())],
                existing: self.below(2) == 0,
            }),
            28 => Body::Policy(Policy::RetentionLimits(RetentionLimits {
                shortest: (self.below(2) == 0).then_some(2),
                longest: (self.below(2) == 0).then_some(100),
            })),
            _ => {
                self.epochs += u8::from(self.below(4) > 0);
                let term = RETENTIONS[self.below(RETENTIONS.len())].term();
                match epoch(&self.sides[0], self.epochs) {
                    Body::Epoch(epoch) => Body::Epoch(EpochOp { term, ..epoch }),
                    other => other,
                }
            }
        };
        (plain, None)
    }

    fn invite(&mut self, role: Role) -> Body {
        let number = self.links.len() as u8;
        if self.links.is_empty() || self.below(8) > 0 {
            let link = link(&self.sides[0], number);
            let opening = link.opening(role, 1 + self.below(2) as u32);
            self.links.push((link, opening));
        }
        self.links[self.links.len() - 1].1.clone()
    }
}

fn unite(to: &mut ControlLog, from: &ControlLog) {
    for op in from.iter() {
        to.insert(op.clone());
    }
}

fn shuffled<T: Clone>(items: &[T], rng: &mut ChaCha20Rng) -> Vec<T> {
    let mut items = items.to_vec();
    for last in (1..items.len()).rev() {
        items.swap(last, rng.next_u32() as usize % (last + 1));
    }
    items
}

/// Hands the ops over in some order, some of them twice, in batches after each of which somebody
/// looks at the roster.
fn delivered(ops: &[VerifiedOp], channel: ChannelId, rng: &mut ChaCha20Rng) -> ControlLog {
    let mut log = ControlLog::new(channel);
    let batch = 1 + rng.next_u32() % 16;
    for op in shuffled(ops, rng) {
        log.insert(op.clone());
        if rng.next_u32().is_multiple_of(4) {
            log.insert(op);
        }
        if rng.next_u32().is_multiple_of(batch) {
            log.roster();
        }
    }
    log
}

/// Who belongs with which standing, as it follows from nothing but the ops that stand, one after
/// the other.
#[derive(Default)]
struct Model {
    active: BTreeMap<AccountId, Standing>,
    bans: BTreeMap<AccountId, Option<Millis>>,
    invites: BTreeMap<InviteId, (Role, u32)>,
}

impl Model {
    /// Applies an op that stands, and says what is wrong with that.
    fn apply(&mut self, op: &VerifiedOp) -> Result<(), &'static str> {
        let (author, body) = (op.op().author, &op.op().body);
        let enters = match body {
            Body::Create { .. } => Some((author, Role::Owner)),
            Body::Add { role, .. } => op.subject().map(|account| (account, *role)),
            Body::Join { invite, .. } => {
                let (role, uses) = self.invites.get_mut(invite).ok_or("joined by no invite")?;
                *uses = uses.checked_sub(1).ok_or("an invite used too often")?;
                Some((author, *role))
            }
            _ => None,
        };
        let outside = matches!(
            body,
            Body::Create { .. } | Body::Join { .. } | Body::Devices { .. }
        );
        // Leaving and stepping down stand beside being removed, whatever comes first.
        let gives_up = matches!(body, Body::Leave) || body.subject() == Some(author);
        if !outside && !gives_up && !self.active.contains_key(&author) {
            return Err("an op by somebody who did not belong");
        }
        if let Some((account, role)) = enters {
            if self.active.contains_key(&account) {
                return Err("somebody came in twice");
            }
            let until = self.bans.get(&account);
            if until.is_some_and(|until| until.is_none_or(|until| op.op().at < until)) {
                return Err("the banned came in");
            }
            self.active.insert(account, Standing::new(role, op.order()));
        }
        match body {
            Body::Invite {
                invite, role, uses, ..
            } => {
                self.invites.insert(*invite, (*role, *uses));
            }
            Body::Leave => {
                self.active.remove(&author);
            }
            Body::Remove { account, .. } | Body::Ban { account, .. } => {
                self.stands_above(&author, account)?;
                self.active.remove(account);
            }
            Body::SetRole { account, role } => {
                if author != *account {
                    self.stands_above(&author, account)?;
                }
                if let Some(standing) = self.active.get_mut(account) {
                    *standing = Standing::new(*role, op.order());
                }
            }
            Body::Unban { account } => {
                self.bans.remove(account);
            }
            _ => {}
        }
        if let Body::Ban { account, until, .. } = body {
            self.bans.insert(*account, *until);
        }
        if self
            .active
            .values()
            .any(|standing| standing.role == Role::Owner)
        {
            Ok(())
        } else {
            Err("no owner")
        }
    }

    fn stands_above(&self, author: &AccountId, account: &AccountId) -> Result<(), &'static str> {
        if self.active.get(account) < self.active.get(author) {
            Ok(())
        } else {
            Err("something was done to somebody by one who did not stand above them")
        }
    }
}

/// The rules that every log keeps, told apart from how they are kept.
fn keeps_the_rules(log: &ControlLog) -> Result<(), String> {
    let roster = log.roster();
    let stands = |op: &&VerifiedOp| roster.verdicts[&op.id()].stands();
    let mut model = Model::default();
    for op in log.iter().filter(stands) {
        model
            .apply(op)
            .map_err(|wrong| format!("{wrong}: {:?}", op.op()))?;
    }
    let standings = roster.active().map(|m| (m.account, m.standing()));
    if !model.active.iter().map(|(a, s)| (*a, *s)).eq(standings) {
        return Err("the roster is not what the ops that stand make of it".to_owned());
    }
    let index = |op: &VerifiedOp| log.graph.index(&op.id()).unwrap();
    let is_removal = |op: &&VerifiedOp| {
        matches!(
            op.op().body,
            Body::Leave | Body::Remove { .. } | Body::Ban { .. }
        )
    };
    for removal in log.iter().filter(stands).filter(is_removal) {
        let account = removal.subject().unwrap();
        let by_them = |op: &&VerifiedOp| op.op().author == account;
        for op in log.iter().filter(stands).filter(by_them) {
            let gives_up = op.op().body.subject() == Some(account);
            let exempt = gives_up || matches!(op.op().body, Body::Devices { .. } | Body::Leave);
            if !exempt && log.graph.concurrent(index(op), index(removal)) {
                return Err(format!("done during removal: {:?}", op.op()));
            }
        }
        for epoch in roster.epochs.values().filter(|epoch| epoch.usable) {
            let made = log.graph.index(&epoch.op).unwrap();
            if !log.graph.is_ancestor(index(removal), made) {
                return Err("an epoch is written in that somebody removed may have".to_owned());
            }
        }
    }
    for device in roster.devices.keys().filter(|id| roster.is_cut_off(id)) {
        let cuts_off = |op: &&VerifiedOp| {
            let certified = op.credentials().ok().flatten();
            let known = roster.devices[device].epoch;
            certified.is_some_and(|said| {
                Some(said.account) == roster.account_of(device)
                    && (said.revoked.contains(device) || said.epoch > known)
            })
        };
        let cutting: Vec<Index> = log
            .iter()
            .filter(stands)
            .filter(cuts_off)
            .map(index)
            .collect();
        let by_it = |op: &&VerifiedOp| op.op().device == *device;
        for op in log.iter().filter(stands).filter(by_it) {
            let concurrent = |cut: &Index| log.graph.concurrent(index(op), *cut);
            if cutting.iter().any(concurrent) {
                return Err(format!("done by a device that was cut off: {:?}", op.op()));
            }
        }
        for epoch in roster.epochs.values().filter(|epoch| epoch.usable) {
            let made = log.graph.index(&epoch.op).unwrap();
            let is_known = |cut: &Index| log.graph.is_ancestor(*cut, made);
            if !cutting.is_empty() && !cutting.iter().any(is_known) {
                return Err("an epoch is written in that a lost device may have".to_owned());
            }
        }
    }
    for epoch in roster.epochs.values() {
        let of_term = roster
            .epochs
            .values()
            .filter(|other| other.term == epoch.term);
        let longest = of_term.map(|other| other.kept).max().unwrap();
        let promise = roster.promise(epoch.term);
        if promise.kept != promise.life.term.min(epoch.term).max(longest) {
            return Err("what is said about messages is kept for another time".to_owned());
        }
    }
    for op in log.iter().filter(stands) {
        let Body::Policy(Policy::Retention {
            retention,
            existing,
        }) = op.op().body
        else {
            continue;
        };
        for epoch in roster.epochs.values() {
            let made = log.graph.index(&epoch.op).unwrap();
            let knew = log.graph.is_ancestor(index(op), made);
            if epoch.takes_messages && !knew {
                return Err("messages are sealed in spite of a newer retention".to_owned());
            }
            let longest = retention.term().max(Retention::Hours(2).term());
            let outlives = epoch.life.term > longest || epoch.kept > longest.min(epoch.term);
            if existing && !knew && outlives {
                return Err("what is there outlives what was set for it".to_owned());
            }
        }
    }
    Ok(())
}

fn check(seed: u64) -> Result<(), String> {
    let steps = 5 + seed as usize % 30;
    let log = Story::new(seed).tell(steps);
    let ops: Vec<VerifiedOp> = log.iter().cloned().collect();
    let mut rng = ChaCha20Rng::seed_from_u64(!seed);
    for _ in 0..3 {
        let other = delivered(&ops, log.channel(), &mut rng);
        if other.roster() != log.roster() || other.heads() != log.heads() {
            return Err("another order gives another roster".to_owned());
        }
    }
    keeps_the_rules(&log)
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "how many logs a test makes is asked of whoever runs it"
)]
fn ten_thousand_logs_give_one_roster_each_and_keep_the_rules() {
    let asked = std::env::var("KITH_CONTROL_LOGS").ok();
    let logs = asked.map_or(10_000, |logs| logs.parse().unwrap());
    const WORKERS: u64 = 2;
    let failed = |worker: u64| {
        let mut seeds = (worker..logs).step_by(WORKERS as usize);
        seeds.find_map(|seed| {
            check(seed)
                .err()
                .map(|wrong| format!("seed {seed}: {wrong}"))
        })
    };
    let failures: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| scope.spawn(move || failed(worker)))
            .collect();
        let ended = workers.into_iter().map(|worker| worker.join().unwrap());
        ended.flatten().collect()
    });
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn the_stories_meet_every_rule_that_concurrency_has() {
    const RULES: [&str; 14] = [
        "Banned",
        "DeviceRevoked",
        "ImposedFromAbove",
        "InviterWithdrawn",
        "LastOwner",
        "Lowered",
        "NotAbove",
        "NotBanned",
        "Outranked",
        "RoleAboveOwn",
        "RoleTooLow",
        "SubjectLeft",
        "Unfounded",
        "Withdrawn",
    ];
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for seed in 0..10_000 {
        if RULES.iter().all(|rule| seen.contains(*rule)) {
            break;
        }
        let log = Story::new(seed).tell(45);
        for verdict in log.roster().verdicts.values() {
            if let Verdict::Void(rule) = verdict {
                let name = format!("{rule:?}");
                seen.extend(name.split([' ', '{']).next().map(str::to_owned));
            }
        }
    }
    for rule in RULES {
        assert!(seen.contains(rule), "no story has {rule}: {seen:?}");
    }
}
