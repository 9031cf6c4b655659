//! Scenarios of the control log, told with people who each have a copy of it.

mod authority;
mod bounds;
mod cuts;
mod devices;
mod epochs;
mod explain;
mod graph;
mod history;
mod joining;
mod mutes;
mod newcomers;
mod orders;
mod removal;
mod retention;
mod roles;
mod stories;

use std::sync::LazyLock;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::crypto::phrase::Phrase;
use crate::crypto::secret::Secret;
use crate::identity::{Certificate, NewDevice, create_account};
use crate::ids::{AccountId, EpochId, InviteId, Window};
use crate::keys::EpochKeys;
use crate::link::InviteLink;
use crate::term::Term;

const NOW: Millis = Millis(1_800_000_000_000);
const MONTH_MS: u64 = 30 * 24 * 3_600_000;

/// Somebody with two devices; both may manage.
struct Person {
    phone: DeviceSecrets,
    laptop: DeviceSecrets,
    phrase: Phrase,
}

static PEOPLE: LazyLock<Vec<Person>> = LazyLock::new(|| (0..8).map(person).collect());

fn person(number: u64) -> Person {
    let mut rng = ChaCha20Rng::seed_from_u64(number);
    let phrase = Phrase::random(&mut rng);
    let name = format!("person {number}");
    let mut phone = create_account(&phrase, &name, "phone", &mut rng).unwrap();
    let new = NewDevice::generate(phone.account, "laptop", &mut rng).unwrap();
    phone.certificate = phone.admit(&new.record, true).unwrap();
    let laptop = new
        .certified(phone.certificate.clone(), phone.management.clone())
        .unwrap();
    Person {
        phone,
        laptop,
        phrase,
    }
}

fn alice() -> &'static Person {
    &PEOPLE[0]
}

fn bob() -> &'static Person {
    &PEOPLE[1]
}

fn carol() -> &'static Person {
    &PEOPLE[2]
}

fn dave() -> &'static Person {
    &PEOPLE[3]
}

impl Person {
    fn account(&self) -> AccountId {
        self.phone.account
    }
}

/// A channel that Alice founded.
fn founded() -> ControlLog {
    let mut rng = ChaCha20Rng::seed_from_u64(99);
    ControlLog::create(&alice().phone, "tea", NOW, &mut rng)
        .unwrap()
        .0
}

fn link(log: &ControlLog, number: u8) -> InviteLink {
    InviteLink {
        channel: log.channel(),
        name: "tea".to_owned(),
        secret: Secret::new([number; 32]),
        expires_at: NOW.plus(MONTH_MS),
        hosts: Vec::new(),
    }
}

fn invite(
    log: &mut ControlLog,
    by: &DeviceSecrets,
    number: u8,
    role: Role,
    uses: u32,
) -> InviteLink {
    let link = link(log, number);
    log.author(by, link.opening(role, uses), NOW).unwrap();
    link
}

fn join(log: &mut ControlLog, who: &DeviceSecrets, link: &InviteLink) -> VerifiedOp {
    log.author(who, link.joining(&who.certificate).unwrap(), NOW)
        .unwrap()
}

/// Brings somebody in with a role.
fn admit(log: &mut ControlLog, number: u8, role: Role, who: &Person) -> VerifiedOp {
    let link = invite(log, &alice().phone, number, role, 1);
    join(log, &who.phone, &link)
}

fn role(who: &Person, role: Role) -> Body {
    Body::SetRole {
        account: who.account(),
        role,
    }
}

fn remove(who: &Person) -> Body {
    Body::Remove {
        account: who.account(),
        last_seen: LastSeen::new([]),
    }
}

fn ban(who: &Person) -> Body {
    ban_until(who, None)
}

fn ban_until(who: &Person, until: Option<Millis>) -> Body {
    Body::Ban {
        account: who.account(),
        last_seen: LastSeen::new([]),
        until,
    }
}

fn unban(who: &Person) -> Body {
    Body::Unban {
        account: who.account(),
    }
}

fn mute(who: &Person, until: Millis) -> Body {
    Body::Mute {
        account: who.account(),
        until,
    }
}

fn add(who: &Person, role: Role) -> Body {
    Body::Add {
        role,
        certificate: who.phone.certificate.clone(),
    }
}

/// Brings a certificate, without a word about what was had of anybody.
fn devices(certificate: Certificate) -> Body {
    Body::Devices {
        certificate,
        last_seen: None,
    }
}

fn name(text: &str) -> Body {
    Body::Policy(Policy::Name(text.to_owned()))
}

fn topic(text: &str) -> Body {
    Body::Policy(Policy::Topic(text.to_owned()))
}

fn epoch(log: &ControlLog, number: u8) -> Body {
    Body::Epoch(log.roster().epoch_op(&EpochKeys {
        epoch: EpochId([number; 16]),
        window: Window(24 * 100),
        term: Term::FOREVER,
        chain: Secret::new([number; 32]),
        topic_key: Secret::new([number; 32]),
        frame_key: Secret::new([number; 32]),
        before: [0; 32],
    }))
}

/// Gives each of the two copies what it lacks.
fn meet(a: &mut ControlLog, b: &mut ControlLog) {
    pull(a, b);
    pull(b, a);
}

fn pull(to: &mut ControlLog, from: &ControlLog) {
    let (ops, more) = from.missing_from(&everything(to), usize::MAX);
    assert!(!more);
    for bytes in ops {
        let inserted = to.insert(VerifiedOp::verify(&bytes).unwrap());
        assert!(
            matches!(inserted, Inserted::Added(_) | Inserted::Known),
            "{inserted:?}"
        );
    }
}

fn everything(log: &ControlLog) -> Vec<OpId> {
    log.iter().map(VerifiedOp::id).collect()
}

fn verdict(log: &ControlLog, op: &VerifiedOp) -> Verdict {
    log.roster().verdicts[&op.id()]
}

fn stands(log: &ControlLog, op: &VerifiedOp) -> bool {
    verdict(log, op).stands()
}

fn active(log: &ControlLog) -> Vec<AccountId> {
    log.roster().active().map(|member| member.account).collect()
}

fn is_active(log: &ControlLog, who: &Person) -> bool {
    active(log).contains(&who.account())
}

/// Signs an op without asking whether its author may, on parents of the author's choice.
fn forge(
    log: &ControlLog,
    by: &DeviceSecrets,
    parents: &[&VerifiedOp],
    at: Millis,
    body: Body,
) -> VerifiedOp {
    let mut ids: Vec<OpId> = parents.iter().map(|parent| parent.id()).collect();
    ids.sort_unstable();
    let lamport = 1 + parents
        .iter()
        .map(|parent| parent.op().lamport)
        .max()
        .unwrap();
    let op = ControlOp {
        channel: Some(log.channel()),
        author: by.account,
        device: by.device(),
        parents: ids,
        lamport,
        at,
        body,
    };
    op.sign(&by.signing).unwrap()
}

fn head(log: &ControlLog) -> VerifiedOp {
    let heads = log.heads();
    assert_eq!(heads.len(), 1);
    log.get(&heads[0]).unwrap().clone()
}
