//! Peers that answer whatever they like: a session ends, takes nothing that is not so, and the
//! next one with somebody honest gets everything.

use proptest::prelude::*;

use kith_crdt::ids::{DeviceId, SegmentId, TransportKey, Window, Writer};
use kith_crdt::limits::SYNC_IDLE_ROUNDS;
use kith_crdt::sync::{
    Answer, End, Head, LogHead, Next, Outcome, Request, SegmentDigest, SegmentVector, Session,
    serve,
};

use crate::orders::assert_same;
use crate::replica::MemoryReplica;
use crate::sessions::{pull, pull_from};
use crate::world::{World, acts};

/// More rounds than any session may take here.
const PATIENCE: usize = 2 * SYNC_IDLE_ROUNDS as usize;

/// Somebody with a history, and somebody who has none of it yet.
fn world() -> World {
    let mut world = World::new(2);
    for _ in 0..5 {
        world.say(0, Default::default());
    }
    world.tell_time();
    world
}

fn ends(world: &World, peer: impl FnMut(Request) -> Option<Answer>) -> (MemoryReplica, Outcome) {
    let mut replica = world.people[1].replica.clone();
    let outcome = pull_from(&mut replica, PATIENCE, peer, |_| ());
    let key = world.people[1].secrets.transport_key();
    let mut after = replica.clone();
    pull(&mut after, &key, &world.people[0].replica);
    assert_same(&after, &world.people[0].replica);
    (replica, outcome.expect("the session ends"))
}

/// What an honest peer would answer.
fn honest(world: &World) -> impl Fn(&Request) -> Answer {
    let key: TransportKey = world.people[1].secrets.transport_key();
    let peer = world.people[0].replica.clone();
    move |request| serve(&peer, (&key, None), request).unwrap().answer
}

fn fake_log(number: u32) -> LogHead {
    let mut device = [0; 32];
    device[..4].copy_from_slice(&number.to_be_bytes());
    let writer = Writer {
        device: DeviceId(device),
        incarnation: 0,
    };
    LogHead {
        writer,
        head: Head {
            seq: 9,
            link: [1; 32],
            fork: None,
        },
    }
}

#[test]
fn empty_pages_end_the_session() {
    let world = world();
    let honest = honest(&world);
    let (_, outcome) = ends(&world, |request| {
        let empty = Answer::Page {
            envelopes: vec![],
            forks: vec![],
        };
        Some(if matches!(request, Request::Pull { .. }) {
            empty
        } else {
            honest(&request)
        })
    });
    assert_eq!((outcome.end, outcome.given_up), (End::Complete, 1));
}

#[test]
fn vectors_that_grow_for_ever_are_cut_off() {
    let world = world();
    let honest = honest(&world);
    let mut number = 0;
    let (_, outcome) = ends(&world, |request| {
        Some(match request {
            Request::Vectors { segments, .. } => {
                let logs = (number..number + 50).map(fake_log).collect();
                number += 50;
                let segments = vec![SegmentVector {
                    segment: segments[0].segment,
                    logs,
                }];
                Answer::Vectors {
                    segments,
                    more: true,
                }
            }
            Request::Pull { .. } => Answer::Page {
                envelopes: vec![],
                forks: vec![],
            },
            other => honest(&other),
        })
    });
    assert_eq!(outcome.end, End::Stalled);
}

#[test]
fn segments_without_end_are_cut_off() {
    let world = world();
    let honest = honest(&world);
    let (_, outcome) = ends(&world, |request| {
        Some(match request {
            Request::Summary { below, .. } => {
                let newest = below.map_or(u32::MAX, |below| below.window.0 - 1);
                let segments = (0..2).map(|older| SegmentDigest {
                    segment: SegmentId {
                        window: Window(newest - older),
                        index: 0,
                    },
                    digest: [1; 32],
                });
                Answer::Differs {
                    heads: vec![],
                    segments: segments.collect(),
                    more: true,
                }
            }
            Request::Vectors { segments, .. } => {
                let vector = |want: &kith_crdt::sync::VectorWant| SegmentVector {
                    segment: want.segment,
                    logs: vec![fake_log(1)],
                };
                Answer::Vectors {
                    segments: segments.iter().map(vector).collect(),
                    more: false,
                }
            }
            Request::Pull { .. } => Answer::Page {
                envelopes: vec![],
                forks: vec![],
            },
            other => honest(&other),
        })
    });
    assert_eq!(outcome.end, End::Stalled);
}

#[test]
fn the_same_ops_over_and_over_are_cut_off() {
    let world = world();
    let ops: Vec<_> = world.ops.iter().map(|op| op.to_bytes()).collect();
    let honest = honest(&world);
    let (_, outcome) = ends(&world, |request| {
        Some(match request {
            Request::Control { .. } => Answer::Ops {
                ops: ops.clone(),
                more: true,
            },
            other => match honest(&other) {
                Answer::Differs { segments, more, .. } => {
                    let heads = vec![kith_crdt::ids::OpId([9; 32])];
                    Answer::Differs {
                        heads,
                        segments,
                        more,
                    }
                }
                answer => answer,
            },
        })
    });
    assert_eq!(outcome.end, End::Complete);
    assert!(outcome.rounds < 9);
}

#[test]
fn an_answer_to_another_question_ends_the_session() {
    let world = world();
    let (_, outcome) = ends(&world, |_| Some(Answer::Taken { count: 1 }));
    assert_eq!(outcome.end, End::Unexpected);
    let (_, outcome) = ends(&world, |_| Some(Answer::Unknown { kind: 900 }));
    assert_eq!(outcome.end, End::Unexpected);
}

#[test]
fn envelopes_of_another_channel_are_not_taken() {
    let world = world();
    let honest = honest(&world);
    let foreign = {
        let mut other = World::new(3);
        other.say(1, Default::default());
        other.envelopes[0].to_bytes()
    };
    let (replica, outcome) = ends(&world, |request| {
        Some(match honest(&request) {
            Answer::Page { forks, .. } => Answer::Page {
                envelopes: vec![foreign.clone()],
                forks,
            },
            answer => answer,
        })
    });
    assert_eq!(
        (replica.timeline().len(), outcome.faults, outcome.envelopes),
        (0, 1, 0)
    );
}

#[test]
fn forged_envelopes_are_not_taken() {
    let world = world();
    let honest = honest(&world);
    let third = &world.envelopes[2];
    let mut forged = third.clone();
    forged.signature[9] ^= 1;
    let (replica, outcome) = ends(&world, |request| {
        Some(match honest(&request) {
            Answer::Page {
                mut envelopes,
                forks,
            } => {
                let genuine = envelopes
                    .iter_mut()
                    .find(|bytes| **bytes == third.to_bytes());
                genuine
                    .into_iter()
                    .for_each(|bytes| *bytes = forged.to_bytes());
                Answer::Page { envelopes, forks }
            }
            answer => answer,
        })
    });
    assert_eq!((replica.timeline().len(), outcome.end), (2, End::Complete));
    assert!(outcome.faults > 0 && outcome.given_up == 1);
}

#[test]
fn a_link_that_is_a_lie_makes_no_fork() {
    let mut world = world();
    world.meet(0, 1);
    world.say(0, Default::default());
    let honest = honest(&world);
    let (replica, outcome) = ends(&world, |request| {
        Some(match honest(&request) {
            Answer::Vectors { mut segments, more } => {
                segments
                    .iter_mut()
                    .flat_map(|vector| &mut vector.logs)
                    .for_each(|log| {
                        log.head = Head {
                            seq: 3,
                            link: [7; 32],
                            fork: Some(2),
                        };
                    });
                Answer::Vectors { segments, more }
            }
            answer => answer,
        })
    });
    assert_eq!(outcome.end, End::Complete);
    assert_same(&replica, &world.people[0].replica);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn answers_with_bytes_altered_do_no_harm(
        acts in acts(5..25),
        bytes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
    ) {
        let mut world = World::new(2);
        acts.iter().for_each(|act| world.act(act));
        world.tell_time();
        let key = world.people[1].secrets.transport_key();
        let peer = world.people[0].replica.clone();
        let mut reference = world.people[1].replica.clone();
        pull(&mut reference, &key, &peer);

        let mut replica = world.people[1].replica.clone();
        let mut bytes = bytes.into_iter();
        let altered = |request: Request| {
            let mut answer = serve(&peer, (&key, None), &request).unwrap().answer.to_bytes();
            for (at, byte) in bytes.by_ref().take(2) {
                let at = at.index(answer.len());
                answer[at] = byte;
            }
            Answer::parse(&answer).ok()
        };
        pull_from(&mut replica, PATIENCE, altered, |_| ());
        pull(&mut replica, &key, &peer);
        assert_same(&replica, &reference);
    }

    #[test]
    fn answers_out_of_nowhere_end_the_session(
        answers in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..9),
        order in prop::collection::vec(0_usize..6, PATIENCE),
    ) {
        let world = world();
        let mut replica = world.people[1].replica.clone();
        let (mut session, mut request) = Session::start(&replica);
        let honest = honest(&world);
        let mut done = false;
        for (round, choice) in order.into_iter().enumerate() {
            let blobs = answers.clone();
            let answer = match choice {
                0 => Answer::Ops { ops: blobs, more: true },
                1 => Answer::Page { envelopes: blobs.clone(), forks: blobs },
                2 => Answer::Vectors { segments: vec![], more: true },
                3 => Answer::parse(&answers[round % answers.len()]).unwrap_or(Answer::Same),
                _ => honest(&request),
            };
            let received = session.take(answer);
            replica.apply(received, &mut session);
            match session.next(&replica) {
                Next::Ask(next) => request = next,
                Next::Done(_) => {
                    done = true;
                    break;
                }
            }
        }
        prop_assert!(done);
    }
}
