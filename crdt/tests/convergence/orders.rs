//! Any order, any repetition, any batches: the same channel.

use proptest::prelude::*;

use kith_crdt::control::{Body, Policy, VerifiedOp};
use kith_crdt::envelope::Envelope;
use kith_crdt::ids::DeviceId;
use kith_crdt::sync::Replica as _;
use kith_crdt::time::Millis;

use crate::replica::{MemoryReplica, Offered};
use crate::world::{World, acts};

#[derive(Debug, Clone, Copy)]
enum Piece<'a> {
    Op(&'a VerifiedOp),
    Envelope(&'a Envelope),
}

/// Hands all pieces over in this order, in batches, and what could not be taken again after each
/// batch until nothing changes any more.
fn deliver(replica: &mut MemoryReplica, pieces: &[Piece<'_>], batch: usize) {
    let mut waiting: Vec<&Piece<'_>> = Vec::new();
    for batch in pieces.chunks(batch) {
        waiting.extend(batch);
        loop {
            let mut changed = false;
            waiting.retain(|piece| match piece {
                Piece::Op(op) => {
                    changed |= replica.insert((*op).clone());
                    false
                }
                Piece::Envelope(envelope) => {
                    let offered = replica.offer(envelope);
                    changed |= offered == Offered::Taken;
                    matches!(offered, Offered::Later | Offered::Astray)
                }
            });
            if !changed {
                break;
            }
        }
    }
}

fn pieces(world: &World) -> Vec<Piece<'_>> {
    let ops = world.ops.iter().map(Piece::Op);
    ops.chain(world.envelopes.iter().map(Piece::Envelope))
        .collect()
}

/// All that was ever written, in the order in which it was.
pub(crate) fn all_of(world: &World) -> MemoryReplica {
    let mut replica = world.newcomer();
    deliver(&mut replica, &pieces(world), usize::MAX);
    replica
}

pub(crate) fn assert_same(one: &MemoryReplica, other: &MemoryReplica) {
    assert_eq!(one.control.heads(), other.control.heads());
    assert_eq!(one.control.roster(), other.control.roster());
    assert_eq!(one.digest(), other.digest());
    assert_eq!(one.timeline(), other.timeline());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_order_any_repetition_and_any_batches_make_the_same_channel(
        acts in acts(5..60),
        seed in any::<u64>(),
        batch in 1_usize..20,
    ) {
        let world = World::lived(3, &acts);
        let reference = all_of(&world);
        let mut shuffled = pieces(&world);
        shuffled.extend(pieces(&world).into_iter().step_by(2));
        shuffle(&mut shuffled, seed);
        let mut replica = world.newcomer();
        deliver(&mut replica, &shuffled, batch);
        assert_same(&replica, &reference);
    }

    #[test]
    fn documents_and_timeline_are_two_views_of_the_same_entries(acts in acts(5..60)) {
        let replica = all_of(&World::lived(3, &acts));
        let entries: usize = replica.documents().values().map(|held| held.entries().len()).sum();
        prop_assert_eq!(entries, replica.readable());
    }
}

#[test]
fn what_a_copied_home_writes_ends_alike_for_everybody() {
    let mut world = World::new(2);
    world.say(1, Default::default());
    world.people.push(world.people[1].clone());
    for who in [1, 2, 1, 2] {
        world.say(who, Default::default());
    }
    let forwards = all_of(&world);
    let mut backwards = world.newcomer();
    let mut pieces = pieces(&world);
    pieces.reverse();
    deliver(&mut backwards, &pieces, 1);
    assert_same(&forwards, &backwards);
    assert_eq!(forwards.timeline().len(), 1);
}

/// Two branches were merged and two more grew from there. What then comes in late on one of the
/// first branches counts like everything else.
#[test]
fn an_op_beside_a_merge_counts_though_it_comes_last() {
    let mut world = World::new(2);
    world.people.push(world.people[0].clone());
    let topic = |text: &str| Body::Policy(Policy::Topic(text.into()));
    for (who, text) in [(0, "one"), (2, "two"), (2, "late")] {
        world.author(who, topic(text));
    }
    let (late, in_time) = world.ops.split_last().unwrap();
    let mut replica = world.newcomer();
    in_time
        .iter()
        .for_each(|op| assert!(replica.insert(op.clone())));
    let write = |replica: &mut MemoryReplica, text| {
        let secrets = &world.people[0].secrets;
        replica
            .control
            .author(secrets, topic(text), Millis(0))
            .unwrap()
    };
    write(&mut replica, "merged");
    let other = write(&mut replica.clone(), "other");
    write(&mut replica, "more");
    assert!(replica.insert(other));
    assert_eq!(
        replica.control.roster().verdicts.len(),
        replica.control.len()
    );
    assert!(replica.insert(late.clone()));
    let roster = replica.control.roster();
    assert_eq!(roster.verdicts.len(), replica.control.len());
    assert!(roster.verdicts.contains_key(&late.id()));
}

#[test]
fn a_device_that_nobody_certifies_is_not_heard() {
    let mut world = World::new(2);
    world.say(1, Default::default());
    let mut replica = world.people[0].replica.clone();
    let mut foreign = world.envelopes[0].clone();
    foreign.header.place.log.writer.device = DeviceId([3; 32]);
    assert_eq!(replica.offer(&foreign), Offered::Refused);
    assert_eq!(replica.offer(&world.envelopes[0]), Offered::Taken);
}

/// Fisher–Yates with xorshift, so that one number is one order.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed | 1;
    for at in (1..items.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        items.swap(at, usize::try_from(state % (at as u64 + 1)).unwrap());
    }
}
