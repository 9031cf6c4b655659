//! The property everything rests on: nodes with the same ops have the same roster, whatever the
//! order, the duplicates and the batches in which the ops came.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rand_chacha::rand_core::Rng;

use super::*;
use crate::ids::InviteId;

/// What up to six people with two devices each do, some of it honest, some of it not.
struct Story {
    rng: ChaCha20Rng,
    copies: Vec<(DeviceSecrets, ControlLog)>,
    links: Vec<InviteLink>,
    epochs: u8,
}

impl Story {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let (mut log, _) = ControlLog::create(&alice().phone, "tea", NOW, &mut rng).unwrap();
        let people = 2 + (rng.next_u32() % 5) as usize;
        for (number, person) in (100..).zip(&PEOPLE[1..people]) {
            let role = Role::ALL[rng.next_u32() as usize % 5];
            if !rng.next_u32().is_multiple_of(3) {
                admit(&mut log, number, role, person);
            }
        }
        let copies = PEOPLE[..people]
            .iter()
            .flat_map(|person| [&person.phone, &person.laptop])
            .map(|device| (device.clone(), log.clone()))
            .collect();
        Self {
            rng,
            copies,
            links: Vec::new(),
            epochs: 0,
        }
    }

    fn tell(mut self, steps: usize) -> ControlLog {
        for _ in 0..steps {
            match self.below(10) {
                0..=2 => self.meet_two(),
                3..=7 => self.act(),
                _ => self.forge_something(),
            }
        }
        let (_, mut log) = self.copies.swap_remove(0);
        for (_, copy) in &self.copies {
            pull(&mut log, copy);
        }
        log
    }

    fn below(&mut self, bound: usize) -> usize {
        self.rng.next_u32() as usize % bound
    }

    fn meet_two(&mut self) {
        let (a, b) = (self.below(self.copies.len()), self.below(self.copies.len()));
        if a != b {
            let [(_, a), (_, b)] = self.copies.get_disjoint_mut([a, b]).unwrap();
            meet(a, b);
        }
    }

    /// Somebody tries something; what a rule forbids is not written.
    fn act(&mut self) {
        let who = self.below(self.copies.len());
        let body = self.body(who);
        let (secrets, log) = &mut self.copies[who];
        if log.author(secrets, body.clone(), NOW).is_ok()
            && let Body::Devices { certificate, .. } = body
        {
            secrets.certificate = certificate;
        }
    }

    /// Somebody writes what they please on whatever parents they please.
    fn forge_something(&mut self) {
        let who = self.below(self.copies.len());
        let body = self.body(who);
        let ops: Vec<VerifiedOp> = self.copies[who].1.iter().cloned().collect();
        let mut parents = BTreeMap::new();
        for _ in 0..=self.below(2) {
            let op = &ops[self.below(ops.len())];
            parents.insert(op.id(), op);
        }
        let (secrets, log) = &mut self.copies[who];
        let parents: Vec<&VerifiedOp> = parents.into_values().collect();
        let forged = forge(log, secrets, &parents, NOW, body);
        log.insert(forged);
    }

    fn body(&mut self, who: usize) -> Body {
        match self.below(14) {
            0..=2 => self.invite_body(),
            3..=6 if !self.links.is_empty() => {
                let link = self.below(self.links.len());
                self.links[link]
                    .joining(&self.copies[who].0.certificate)
                    .unwrap()
            }
            7 if !self.links.is_empty() => {
                let link = self.below(self.links.len());
                Body::RevokeInvite {
                    invite: self.links[link].invite(),
                }
            }
            8 | 9 => Body::Leave,
            10 => name(&format!("name {}", self.below(1_000))),
            11 => {
                let histories = [History::Everything, History::Days(7), History::FromJoining];
                Body::Policy(Policy::History(histories[self.below(3)]))
            }
            12 => self.devices_body(who),
            _ => {
                self.epochs += u8::from(self.below(4) > 0);
                epoch(&self.copies[who].1, self.epochs)
            }
        }
    }

    fn invite_body(&mut self) -> Body {
        let number = self.links.len() as u8;
        if self.links.is_empty() || self.below(8) > 0 {
            self.links.push(link(&self.copies[0].1, number));
        }
        let link = self.links.len() - 1;
        let role = Role::ALL[self.below(5)];
        let uses = 1 + self.below(2) as u32;
        self.links[link].opening(role, uses)
    }

    fn devices_body(&mut self, who: usize) -> Body {
        let sibling = self.copies[who ^ 1].0.device();
        let secrets = self.copies[who].0.clone();
        let certificate = secrets.revoke(&sibling).or_else(|_| {
            let sibling = &self.copies[who ^ 1].0;
            let record = sibling.certificate.records.iter().find(|record| {
                crate::identity::DeviceRecord::verify(record)
                    .unwrap()
                    .device
                    == sibling.device()
            });
            secrets.admit(record.unwrap_or(&secrets.certificate.records[0]), false)
        });
        // A sibling that was revoked is not taken back.
        let unchanged = |_| secrets.certificate.clone();
        Body::Devices {
            certificate: certificate.unwrap_or_else(unchanged),
            last_seen: (self.below(3) > 0).then(|| LastSeen::new([])),
        }
    }
}

fn shuffled<T: Clone>(items: &[T], rng: &mut ChaCha20Rng) -> Vec<T> {
    let mut items = items.to_vec();
    for last in (1..items.len()).rev() {
        items.swap(last, rng.next_u32() as usize % (last + 1));
    }
    items
}

/// Hands the ops over in some order, some of them twice, looking at the roster now and then.
fn delivered(ops: &[VerifiedOp], channel: ChannelId, rng: &mut ChaCha20Rng) -> ControlLog {
    let mut log = ControlLog::new(channel);
    let look_every = 1 + rng.next_u32() % 8;
    for op in shuffled(ops, rng) {
        log.insert(op.clone());
        if rng.next_u32().is_multiple_of(3) {
            log.insert(op);
        }
        if rng.next_u32().is_multiple_of(look_every) {
            log.roster();
        }
    }
    log
}

fn ancestors(log: &ControlLog, op: &VerifiedOp) -> BTreeSet<OpId> {
    let mut known = BTreeSet::new();
    let mut open = op.op().parents.clone();
    while let Some(id) = open.pop() {
        if known.insert(id) {
            open.extend(&log.get(&id).unwrap().op().parents);
        }
    }
    known
}

/// Tells a story and hands its ops over in several orders; everybody ends with the same roster.
fn same_in_every_order(seed: u64, steps: usize) -> Result<(), TestCaseError> {
    let log = Story::new(seed).tell(steps);
    let ops: Vec<VerifiedOp> = log.iter().cloned().collect();
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut at_once = ControlLog::new(log.channel());
    for op in &ops {
        at_once.insert(op.clone());
    }
    prop_assert_eq!(at_once.roster(), log.roster());
    for _ in 0..4 {
        let other = delivered(&ops, log.channel(), &mut rng);
        prop_assert_eq!(other.heads(), log.heads());
        prop_assert_eq!(other.roster(), log.roster());
        prop_assert_eq!(other.roster().hash(), log.roster().hash());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn one_set_of_ops_gives_one_roster(seed: u64, steps in 5usize..60) {
        same_in_every_order(seed, steps)?;
    }

    #[test]
    fn the_rules_hold_in_every_story(seed: u64, steps in 5usize..60) {
        let log = Story::new(seed).tell(steps);
        let roster = log.roster();
        prop_assert_eq!(roster.verdicts.len(), log.len());
        prop_assert!(roster.active().any(|member| member.role == Role::Owner));
        for member in roster.active() {
            prop_assert!(roster.verdicts[&member.granted.1].stands());
        }
        let standing: Vec<(&VerifiedOp, BTreeSet<OpId>)> = log
            .iter()
            .filter(|op| stands(&log, op))
            .map(|op| (op, ancestors(&log, op)))
            .collect();
        let mut joins: BTreeMap<InviteId, u32> = BTreeMap::new();
        for (op, past) in &standing {
            if !matches!(op.op().body, Body::Create { .. } | Body::Join { .. } | Body::Devices { .. } | Body::Leave) {
                let admits = |other: &VerifiedOp| {
                    other.op().author == op.op().author
                        && matches!(other.op().body, Body::Create { .. } | Body::Join { .. })
                };
                let admitted = standing
                    .iter()
                    .any(|(other, _)| admits(other) && past.contains(&other.id()));
                prop_assert!(admitted, "an op by somebody who was never let in");
            }
            if let Body::Join { invite, .. } = op.op().body {
                *joins.entry(invite).or_default() += 1;
            }
            if op.op().body == Body::Leave {
                let usable = roster.epochs.values().filter(|epoch| epoch.usable);
                for epoch in usable {
                    let made = log.get(&epoch.op).unwrap();
                    prop_assert!(ancestors(&log, made).contains(&op.id()));
                }
                for (other, others_past) in &standing {
                    let concurrent = other.id() != op.id()
                        && !past.contains(&other.id())
                        && !others_past.contains(&op.id());
                    let exempt = matches!(other.op().body, Body::Devices { .. });
                    prop_assert!(
                        !concurrent || exempt || other.op().author != op.op().author
                    );
                }
            }
        }
        for (invite, used) in joins {
            prop_assert!(used <= roster.invites[&invite].uses);
            prop_assert_eq!(used, roster.invites[&invite].used);
        }
    }
}

#[test]
fn the_stories_are_rich_enough_to_mean_something() {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 0..150 {
        let log = Story::new(seed).tell(50);
        for verdict in log.roster().verdicts.values() {
            let name = format!("{verdict:?}");
            let name = name.split(['{', ' ']).next().unwrap().to_owned();
            *seen.entry(name).or_default() += 1;
        }
    }
    for rule in [
        "Stands",
        "Withdrawn",
        "Outranked",
        "Unfounded",
        "DeviceRevoked",
        "LastOwner",
    ] {
        let count: usize = seen
            .iter()
            .filter(|(name, _)| name.contains(rule))
            .map(|(_, count)| count)
            .sum();
        assert!(count > 0, "no story has {rule}: {seen:?}");
    }
}
