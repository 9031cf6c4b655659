//! What hostile or careless peers may send, and what it costs.

use std::collections::BTreeSet;

use rand_chacha::rand_core::Rng;

use super::*;
use crate::crypto::sign::{SecretKey, Signed};
use crate::encoding;
use crate::limits::{OP_MAX, OPS_PER_DEVICE, ORPHANS_PER_CHANNEL};

fn orphan(log: &ControlLog, parent: u64) -> VerifiedOp {
    let mut id = [0xaa; 32];
    id[..8].copy_from_slice(&parent.to_be_bytes());
    let op = ControlOp {
        channel: Some(log.channel()),
        author: bob().account(),
        device: bob().phone.device(),
        parents: vec![OpId(id)],
        lamport: 7,
        at: NOW,
        body: Body::Leave,
    };
    op.sign(&bob().phone.signing).unwrap()
}

/// An op in the encoding of a hostile hand: whatever parents, lamport number and version.
fn raw(v: u8, channel: Option<ChannelId>, parents: &[OpId], lamport: u64) -> Vec<u8> {
    let key = SecretKey::from_seed(&Secret::new([3; 32]));
    let fields = (
        (
            v,
            channel,
            AccountId([1; 32]),
            crate::ids::DeviceId(key.public()),
        ),
        (
            parents,
            lamport,
            NOW,
            6u16,
            minicbor::bytes::ByteVec::from(vec![0x80]),
        ),
    );
    let mut payload = vec![0x89];
    payload.extend_from_slice(&encoding::encode(&fields.0)[1..]);
    payload.extend_from_slice(&encoding::encode(&fields.1)[1..]);
    encoding::encode(&Signed::new(&key, "control-op", &[], payload))
}

#[test]
fn ops_wait_for_their_ancestors() {
    let mut log = founded();
    let mut copy = ControlLog::new(log.channel());
    let root = head(&log);
    let ops: Vec<VerifiedOp> = (0..3)
        .map(|n| {
            log.author(&alice().phone, name(&n.to_string()), NOW)
                .unwrap()
        })
        .collect();
    assert_eq!(copy.insert(ops[2].clone()), Inserted::Waiting);
    assert_eq!(copy.insert(ops[2].clone()), Inserted::Waiting);
    assert_eq!(copy.insert(ops[0].clone()), Inserted::Waiting);
    assert_eq!(copy.insert(ops[1].clone()), Inserted::Waiting);
    assert_eq!(copy.waiting(), 3);
    let all = vec![root.id(), ops[0].id(), ops[1].id(), ops[2].id()];
    assert_eq!(copy.insert(root.clone()), Inserted::Added(all));
    assert_eq!(copy.insert(root), Inserted::Known);
    assert_eq!((copy.waiting(), copy.roster().name.as_str()), (0, "2"));
}

#[test]
fn a_flood_of_orphans_takes_bounded_room_and_blocks_nobody() {
    let mut log = founded();
    let copy = log.clone();
    for parent in 0..3 * ORPHANS_PER_CHANNEL as u64 {
        log.insert(orphan(&copy, parent));
    }
    assert_eq!(log.waiting(), ORPHANS_PER_CHANNEL);
    let mut ahead = copy;
    let first = ahead.author(&alice().phone, name("first"), NOW).unwrap();
    let second = ahead.author(&alice().phone, name("second"), NOW).unwrap();
    assert_eq!(log.insert(second), Inserted::Waiting);
    assert!(matches!(log.insert(first), Inserted::Added(added) if added.len() == 2));
    assert_eq!(log.roster().name, "second");
}

#[test]
fn an_op_that_is_too_large_is_refused_before_it_is_read() {
    let parents: Vec<OpId> = (0..100_000u32).map(many).collect();
    let bytes = raw(1, Some(founded().channel()), &parents, 2);
    assert!(bytes.len() > OP_MAX);
    let refused = VerifiedOp::verify(&bytes);
    assert!(matches!(
        refused,
        Err(OpError::Encoding(DecodeError::TooLarge { .. }))
    ));
}

fn many(number: u32) -> OpId {
    let mut id = [0; 32];
    id[..4].copy_from_slice(&number.to_be_bytes());
    OpId(id)
}

#[test]
fn parents_are_few_sorted_and_each_once() {
    let channel = Some(founded().channel());
    let sorted: Vec<OpId> = (0..=32).map(many).collect();
    let refused = |parents: &[OpId]| VerifiedOp::verify(&raw(1, channel, parents, 2)).unwrap_err();
    assert!(VerifiedOp::verify(&raw(1, channel, &sorted[..32], 2)).is_ok());
    assert_eq!(refused(&sorted), OpError::Parents);
    assert_eq!(refused(&[many(2), many(1)]), OpError::Parents);
    assert_eq!(refused(&[many(1), many(1)]), OpError::Parents);
    assert_eq!(refused(&[]), OpError::Root);
    assert_eq!(
        VerifiedOp::verify(&raw(1, None, &[many(1)], 2)),
        Err(OpError::Root)
    );
}

#[test]
fn another_version_says_so() {
    let bytes = raw(2, Some(founded().channel()), &[many(1)], 2);
    assert_eq!(VerifiedOp::verify(&bytes), Err(OpError::Version(2)));
}

#[test]
fn an_altered_op_is_refused() {
    let log = founded();
    let bytes = head(&log).to_bytes();
    assert_eq!(VerifiedOp::verify(&bytes).unwrap(), head(&log));
    assert_eq!(VerifiedOp::from_stored(&bytes).unwrap(), head(&log));
    for at in [bytes.len() / 2, bytes.len() - 1] {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        assert!(VerifiedOp::verify(&altered).is_err());
    }
}

#[test]
fn no_bytes_at_all_make_reading_an_op_panic() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let good = head(&founded()).to_bytes();
    for _ in 0..2_000 {
        let mut bytes = good.clone();
        for _ in 0..1 + rng.next_u32() % 4 {
            let at = rng.next_u32() as usize % bytes.len();
            bytes[at] = rng.next_u32() as u8;
        }
        bytes.truncate(rng.next_u32() as usize % (bytes.len() + 1));
        let _ = VerifiedOp::from_stored(&bytes);
    }
}

#[test]
fn a_log_takes_neither_other_channels_nor_invented_lamport_numbers() {
    let mut log = founded();
    let mut rng = ChaCha20Rng::seed_from_u64(12);
    let (other, create) = ControlLog::create(&bob().phone, "other", NOW, &mut rng).unwrap();
    assert_eq!(log.insert(create), Inserted::Refused(Refusal::OtherChannel));
    assert_ne!(other.channel(), log.channel());
    let next = forge(&log, &alice().phone, &[&head(&log)], NOW, name("x"));
    let honest = next.op().lamport;
    for lamport in [0, honest - 1, honest + 1, u64::MAX] {
        let mut op = next.op().clone();
        op.lamport = lamport;
        let invented = op.sign(&alice().phone.signing).unwrap();
        assert_eq!(log.insert(invented), Inserted::Refused(Refusal::Lamport));
    }
}

#[test]
fn a_channel_has_no_second_beginning() {
    let log = founded();
    let mut create = head(&log).op().clone();
    create.channel = Some(log.channel());
    create.parents = vec![head(&log).id()];
    assert_eq!(create.sign(&alice().phone.signing), Err(OpError::Root));
}

#[test]
fn a_log_that_everybody_follows_is_never_resolved_anew() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    admit(&mut log, 2, Role::Admin, carol());
    let mut copy = log.clone();
    let before = log.len();
    for n in 0..10_000 {
        let who = [alice(), bob(), carol()][n % 3];
        let op = log.author(&who.phone, topic(&n.to_string()), NOW).unwrap();
        copy.insert(op);
        assert!(copy.settled.roster(&copy.graph).is_some());
    }
    assert_eq!(copy.roster().topic, "9999");
    assert_eq!(copy.roster().verdicts.len(), before + 10_000);
}

#[test]
fn a_merge_lets_the_log_go_on_cheaply() {
    let mut log = founded();
    let mut laptop = log.clone();
    log.author(&alice().phone, name("a"), NOW).unwrap();
    laptop.author(&alice().laptop, name("b"), NOW).unwrap();
    pull(&mut log, &laptop);
    assert!(log.settled.roster(&log.graph).is_none());
    log.author(&alice().phone, name("merged"), NOW).unwrap();
    assert!(log.settled.roster(&log.graph).is_some());
    assert_eq!(log.heads().len(), 1);
}

#[test]
fn a_backdated_op_reopens_what_was_settled_even_if_its_branch_is_remembered() {
    // A side branch is judged and its roster remembered; a merge and a fork above it move the cut
    // up. Then somebody goes on from the side branch, below the cut.
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    let base = head(&log);
    let bobs_name = log.author(&bob().phone, name("bob's"), NOW).unwrap();
    let side = forge(&log, &alice().laptop, &[&base], NOW, topic("side"));
    log.insert(side.clone());
    let merged = log.author(&alice().phone, topic("merged"), NOW).unwrap();
    log.author(&alice().phone, topic("left"), NOW).unwrap();
    log.insert(forge(
        &log,
        &alice().laptop,
        &[&merged],
        NOW,
        topic("right"),
    ));
    log.author(&alice().phone, topic("together"), NOW).unwrap();
    assert!(stands(&log, &bobs_name));
    let backdated = forge(&log, &alice().laptop, &[&side], NOW, name("alice's"));
    log.insert(backdated.clone());
    let rule = Rule::Outranked { by: backdated.id() };
    assert_eq!(verdict(&log, &bobs_name), Verdict::Void(rule));
}

#[test]
fn many_heads_are_merged_a_few_at_a_time_and_void_ones_last() {
    let mut log = founded();
    let root = head(&log);
    for n in 0..40 {
        let junk = forge(&log, &bob().phone, &[&root], NOW, topic(&n.to_string()));
        log.insert(junk);
    }
    let good = forge(&log, &alice().laptop, &[&root], NOW, name("good"));
    log.insert(good.clone());
    let first = log
        .author(&alice().phone, topic("first merge"), NOW)
        .unwrap();
    assert!(first.op().parents.contains(&good.id()));
    assert_eq!(first.op().parents.len(), PARENTS_MAX);
    log.author(&alice().phone, topic("second merge"), NOW)
        .unwrap();
    assert_eq!(log.heads().len(), 1);
    assert_eq!(log.roster().topic, "second merge");
}

#[test]
fn what_is_missing_comes_parents_first_once_and_in_pages() {
    let mut log = founded();
    let mut laptop = log.clone();
    for n in 0..20 {
        log.author(&alice().phone, topic(&n.to_string()), NOW)
            .unwrap();
        laptop
            .author(&alice().laptop, name(&n.to_string()), NOW)
            .unwrap();
    }
    let mut union = log.clone();
    pull(&mut union, &laptop);
    let mut copy = laptop;
    let mut pages = 0;
    loop {
        let (page, more) = union.missing_from(&everything(&copy), 2_000);
        assert!(page.iter().map(Vec::len).sum::<usize>() <= 2_000);
        for bytes in page {
            let inserted = copy.insert(VerifiedOp::verify(&bytes).unwrap());
            assert!(matches!(inserted, Inserted::Added(added) if added.len() == 1));
        }
        pages += 1;
        if !more {
            break;
        }
    }
    assert!(pages > 2);
    assert_eq!(copy.roster(), union.roster());
    assert_eq!(union.missing_from(&copy.heads(), 1), (Vec::new(), false));
    let (page, more) = union.missing_from(&[], 1);
    assert_eq!((page.len(), more), (1, true));
}

#[test]
fn what_is_missing_is_right_for_any_have() {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let mut log = founded();
    let mut ops = vec![head(&log)];
    for n in 0..60 {
        let a = rng.next_u32() as usize % ops.len();
        let b = rng.next_u32() as usize % ops.len();
        let parents = if a == b {
            vec![&ops[a]]
        } else {
            vec![&ops[a], &ops[b]]
        };
        let op = forge(&log, &alice().phone, &parents, NOW, topic(&n.to_string()));
        log.insert(op.clone());
        ops.push(op);
    }
    for _ in 0..200 {
        let mut have: Vec<OpId> = (0..rng.next_u32() % 4)
            .map(|_| ops[rng.next_u32() as usize % ops.len()].id())
            .collect();
        let mut held: BTreeSet<OpId> = BTreeSet::new();
        let mut open = have.clone();
        while let Some(id) = open.pop() {
            if held.insert(id) {
                open.extend(&log.get(&id).unwrap().op().parents);
            }
        }
        have.push(OpId([0xee; 32]));
        let (missing, _) = log.missing_from(&have, usize::MAX);
        let missing: Vec<OpId> = missing
            .iter()
            .map(|bytes| VerifiedOp::from_stored(bytes).unwrap().id())
            .collect();
        let expected: Vec<OpId> = log
            .iter()
            .map(VerifiedOp::id)
            .filter(|id| !held.contains(id))
            .collect();
        assert_eq!(missing, expected);
    }
}

/// An op without signature, as nobody checks one here.
fn unsigned(by: &DeviceSecrets, parents: &[&VerifiedOp], body: Body) -> VerifiedOp {
    let mut ids: Vec<OpId> = parents.iter().map(|parent| parent.id()).collect();
    ids.sort_unstable();
    let highest = parents.iter().map(|parent| parent.op().lamport).max();
    let op = ControlOp {
        channel: Some(parents[0].channel()),
        author: by.account,
        device: by.device(),
        parents: ids,
        lamport: 1 + highest.unwrap(),
        at: NOW,
        body,
    };
    VerifiedOp::unsigned(op, None)
}

#[test]
fn a_device_has_so_many_ops_in_a_row_on_every_node_alike() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    let mut tip = head(&log);
    let mut chain = Vec::new();
    // Bob's Join is one.
    for n in 1..OPS_PER_DEVICE {
        tip = unsigned(&bob().phone, &[&tip], topic(&n.to_string()));
        assert!(matches!(log.insert(tip.clone()), Inserted::Added(_)));
        chain.push(tip.clone());
    }
    let beyond = unsigned(&bob().phone, &[&tip], topic("one too many"));
    let refusal = Refusal::DeviceFull;
    assert_eq!(log.insert(beyond.clone()), Inserted::Refused(refusal));
    assert!(!refusal.is_offence());
    // Not even because somebody else builds on it.
    let upon = unsigned(&alice().phone, &[&beyond], topic("upon it"));
    assert_eq!(log.insert(upon), Inserted::Waiting);
    assert_eq!(log.insert(beyond), Inserted::Refused(refusal));
    let denied = log.author(&bob().phone, name("x"), NOW);
    assert_eq!(denied, Err(Denied::Refused(refusal)));
    log.author(&alice().phone, remove(bob()), NOW).unwrap();
}

#[test]
fn nobody_uses_up_what_an_account_needs_to_revoke_a_device() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    // Whoever found the laptop, and Bob with a key that he says is Alice's.
    let made_up = DeviceSecrets {
        account: alice().account(),
        ..bob().laptop.clone()
    };
    let mut tip = head(&log);
    for device in [&alice().laptop, &made_up] {
        for n in 0..OPS_PER_DEVICE {
            tip = unsigned(device, &[&tip], topic(&n.to_string()));
            assert!(matches!(log.insert(tip.clone()), Inserted::Added(_)));
        }
    }
    let denied = log.author(&alice().laptop, name("x"), NOW);
    assert_eq!(denied, Err(Denied::Refused(Refusal::DeviceFull)));
    let certificate = alice().phone.revoke(&alice().laptop.device()).unwrap();
    let body = devices(certificate);
    log.author(&alice().phone, body, NOW).unwrap();
    assert!(log.roster().is_cut_off(&alice().laptop.device()));
}

#[test]
fn of_what_a_device_writes_at_once_a_node_takes_so_many_and_what_others_build_on() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    let base = head(&log);
    let flood = |n: usize| unsigned(&bob().phone, &[&base], topic(&n.to_string()));
    for n in 1..OPS_PER_DEVICE {
        assert!(matches!(log.insert(flood(n)), Inserted::Added(_)));
    }
    let beyond = flood(OPS_PER_DEVICE);
    let refused = Inserted::Refused(Refusal::DeviceFull);
    assert_eq!(log.insert(beyond.clone()), refused);
    // Nor if a stranger or Bob himself builds on it.
    for device in [&dave().phone, &bob().laptop] {
        log.insert(unsigned(device, &[&beyond], topic("upon it")));
        assert_eq!(log.insert(beyond.clone()), refused);
    }
    let upon = unsigned(&alice().laptop, &[&beyond], topic("upon it"));
    assert_eq!(log.insert(upon.clone()), Inserted::Waiting);
    assert!(matches!(log.insert(beyond), Inserted::Added(_)));
    assert!(log.contains(&upon.id()));
}
