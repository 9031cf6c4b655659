//! A member or a stranger who does not keep to the rules, against an engine: that one thing is
//! refused, and nobody else notices.

use kith_crdt::beacon::Beacon;
use kith_crdt::crypto::sign::Signed;
use kith_crdt::frame::Content;
use kith_crdt::ids::{ChannelId, Writer};
use kith_crdt::limits::LOGS_PER_DEVICE;
use kith_crdt::segment::{Branch, Entry, Message};
use kith_crdt::sync::{Answer, Refusal, Request};
use kith_crdt::time::Hlc;
use kith_node::engine::Event;
use kith_node::network::{Command, NetworkEvent, Verdict};
use kith_tests::Attack;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

#[test]
fn an_honest_envelope_is_taken_so_the_others_fail_for_their_own_reason() {
    let mut attack = Attack::new();
    let envelope = attack.envelope(attack.world.now(), 1, [0; 32], None);
    assert_eq!(
        attack.gossip(&Content::Envelopes(vec![envelope.to_bytes()])),
        Verdict::Accept
    );
    assert_eq!(attack.held(), 1);
}

#[test]
fn a_replay_after_the_duplicate_cache_has_forgotten_adds_nothing() {
    let mut attack = Attack::new();
    let envelope = attack.envelope(attack.world.now(), 1, [0; 32], None);
    let content = Content::Envelopes(vec![envelope.to_bytes()]);
    attack.gossip(&content);
    attack.world.pass(61_000);
    assert_eq!(attack.gossip(&content), Verdict::Ignore);
    assert_eq!(attack.held(), 1);
}

#[test]
fn a_broken_signature_is_its_bringers_fault() {
    let mut attack = Attack::new();
    let mut envelope = attack.envelope(attack.world.now(), 1, [0; 32], None);
    envelope.signature[5] ^= 1;
    assert_eq!(
        attack.gossip(&Content::Envelopes(vec![envelope.to_bytes()])),
        Verdict::Reject
    );
    assert_eq!(attack.held(), 0);
}

#[test]
fn an_envelope_of_another_channel_is_refused() {
    let mut attack = Attack::new();
    let other = attack.world.make(0, "elsewhere");
    let mine = attack.channel;
    attack.channel = other;
    let envelope = attack.envelope(attack.world.now(), 1, [0; 32], None);
    attack.channel = mine;
    assert_eq!(
        attack.gossip(&Content::Envelopes(vec![envelope.to_bytes()])),
        Verdict::Reject
    );
    assert_eq!(attack.held(), 0);
}

#[test]
fn a_frame_that_no_member_sealed_is_not_passed_on() {
    let mut attack = Attack::new();
    assert_eq!(attack.gossip_raw(vec![1; 200]), Verdict::Reject);
    assert_eq!(attack.gossip_raw(Vec::new()), Verdict::Reject);
    assert_eq!(attack.gossip_raw(vec![7; 100_000]), Verdict::Reject);
}

#[test]
fn a_change_that_does_anything_but_its_entry_is_kept_and_not_shown() {
    let mut attack = Attack::new();
    let envelope = attack.envelope(
        attack.world.now(),
        1,
        [0; 32],
        Some(vec![0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 2, 1, 0]),
    );
    assert_eq!(
        attack.gossip(&Content::Envelopes(vec![envelope.to_bytes()])),
        Verdict::Accept
    );
    let next = attack.envelope(attack.world.now(), 2, envelope.link(), None);
    attack.gossip(&Content::Envelopes(vec![next.to_bytes()]));
    assert_eq!(attack.held(), 1, "the next one of the same log counts");
}

#[test]
fn a_deletion_of_what_is_not_its_authors_erases_nothing() {
    let mut attack = Attack::new();
    let channel = attack.channel;
    let target = attack.world.say(0, channel, "not yours");
    let writer = attack.world.secrets(1).writer();
    let actor = Writer {
        incarnation: 0,
        ..writer
    }
    .actor(&channel);
    let change = Branch::new(actor).write(&Entry::Deletion { target });
    let forged = attack.envelope(attack.world.now(), 1, [0; 32], Some(change));
    let verdict = attack.gossip(&Content::Envelopes(vec![forged.to_bytes()]));
    assert_eq!(verdict, Verdict::Accept, "the log goes on");
    attack.world.pass(60_000);
    assert_eq!(attack.world.shown(0, &channel), ["not yours"]);
    assert_eq!(attack.world.texts_on_disk(0, &channel, 0), 1);
}

#[test]
fn a_new_text_of_what_is_deleted_is_erased_as_it_comes() {
    let mut attack = Attack::new();
    let channel = attack.channel;
    let message = attack.envelope(attack.world.now(), 1, [0; 32], None);
    let target = message.place().message_id(&channel);
    let writer = attack.world.secrets(1).writer();
    let say = |attack: &mut Attack, entry: Option<Entry>| {
        let writer = Writer {
            incarnation: attack.incarnation,
            ..writer
        };
        let change = entry.map(|entry| Branch::new(writer.actor(&channel)).write(&entry));
        let envelope = attack.envelope(attack.world.now(), 1, [0; 32], change);
        attack.gossip(&Content::Envelopes(vec![envelope.to_bytes()]));
        attack.world.pass(60_000);
        attack.incarnation += 1;
        attack.world.texts_on_disk(0, &channel, 1)
    };
    let kept = Entry::Message(Message::default());
    assert_eq!(say(&mut attack, Some(kept)), 1);
    let reason = Entry::Deletion { target };
    assert_eq!(say(&mut attack, Some(reason)), 1, "the reason stays");
    let late = Entry::Edit { target };
    assert_eq!(say(&mut attack, Some(late)), 1);
}

#[test]
fn an_entry_from_the_future_waits_until_its_time() {
    let mut attack = Attack::new();
    let future = attack.world.now().plus(20 * 60_000);
    let envelope = attack.envelope(future, 1, [0; 32], None);
    let content = Content::Envelopes(vec![envelope.to_bytes()]);
    attack.gossip(&content);
    assert_eq!(attack.held(), 0);
    attack.world.pass(16 * 60_000);
    attack.gossip(&content);
    assert_eq!(attack.held(), 1);
}

#[test]
fn of_many_incarnations_the_smallest_count_in_whatever_order_they_come() {
    let many = LOGS_PER_DEVICE as u32 + 20;
    let digests = [false, true].map(|backwards| {
        let mut attack = Attack::new();
        let now = attack.world.now();
        let mut incarnations: Vec<u32> = (0..many).map(|n| n * 7).collect();
        if backwards {
            incarnations.reverse();
        }
        for incarnation in incarnations {
            attack.incarnation = incarnation;
            attack.rng = ChaCha20Rng::seed_from_u64(incarnation.into());
            let envelope = attack.envelope(now, 1, [0; 32], None);
            let verdict = attack.gossip(&Content::Envelopes(vec![envelope.to_bytes()]));
            assert_ne!(verdict, Verdict::Reject, "who passes it on is not to blame");
        }
        assert_eq!(attack.held(), LOGS_PER_DEVICE as u64);
        let shown = attack.world.read(0, &attack.channel, 2 * LOGS_PER_DEVICE);
        assert_eq!(shown, LOGS_PER_DEVICE);
        attack.world.digest(0, &attack.channel)
    });
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn a_gap_that_never_fills_costs_nothing() {
    let mut attack = Attack::new();
    for seq in 5..60 {
        let orphan = attack.envelope(attack.world.now(), seq, [9; 32], None);
        attack.gossip(&Content::Envelopes(vec![orphan.to_bytes()]));
    }
    attack.world.pass(60_000);
    assert_eq!(attack.held(), 0);
}

#[test]
fn a_writer_who_contradicts_itself_ends_its_log() {
    let mut attack = Attack::new();
    let first = attack.envelope(attack.world.now(), 1, [0; 32], None);
    let one = attack.envelope(attack.world.now(), 2, first.link(), None);
    let other = attack.envelope(attack.world.now().plus(1), 2, first.link(), None);
    for envelope in [&first, &one] {
        attack.gossip(&Content::Envelopes(vec![envelope.to_bytes()]));
    }
    assert_eq!(attack.held(), 2);
    attack.gossip(&Content::Envelopes(vec![other.to_bytes()]));
    assert_eq!(attack.held(), 1);
    attack.gossip(&Content::Envelopes(vec![one.to_bytes()]));
    assert_eq!(attack.held(), 1, "the log stays ended");
}

#[test]
fn strangers_learn_nothing_by_asking() {
    let mut attack = Attack::new();
    let known = attack.channel.tag();
    let unknown = ChannelId([3; 32]).tag();
    for tag in [known, unknown] {
        let requests = [
            Request::Summary {
                tag,
                heads: Vec::new(),
                digest: [0; 32],
                below: None,
            },
            Request::Control {
                tag,
                have: Vec::new(),
            },
            Request::Vectors {
                tag,
                segments: Vec::new(),
            },
            Request::Pull {
                tag,
                logs: Vec::new(),
            },
            Request::Beacons {
                tag,
                have: Vec::new(),
            },
            Request::Offer {
                tag,
                ops: Vec::new(),
            },
        ];
        for request in requests {
            assert_eq!(
                attack.ask(200, &request),
                Answer::Refused(Refusal::NotForYou),
                "{request:?}"
            );
        }
    }
    let member = attack.ask(
        1,
        &Request::Control {
            tag: known,
            have: Vec::new(),
        },
    );
    assert!(
        matches!(member, Answer::Ops { .. }),
        "a member is answered: {member:?}"
    );
}

#[test]
fn malformed_requests_are_answered_and_counted() {
    let mut attack = Attack::new();
    let peer = attack.world.transport(1);
    for bytes in [
        Vec::new(),
        vec![0xff; 100],
        vec![0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ] {
        let commands = attack.world.observe(
            0,
            Event::Network(NetworkEvent::Request { id: 1, peer, bytes }),
        );
        assert!(
            commands
                .iter()
                .any(|command| matches!(command, Command::Penalise { .. })),
            "{commands:?}"
        );
        assert!(
            commands
                .iter()
                .any(|command| matches!(command, Command::Answer { id: 1, .. })),
            "{commands:?}"
        );
    }
}

#[test]
fn a_beacon_cannot_claim_what_nobody_wrote_or_speak_for_another() {
    let mut attack = Attack::new();
    let victim = attack.world.secrets(0).writer();
    let forged = Beacon {
        writer: victim,
        hlc: Hlc::at(attack.world.now()),
        addresses: Vec::new(),
        holds: Vec::new(),
        digest: [0; 32],
        erased: Vec::new(),
    };
    let signed: Signed = forged.sign(&attack.channel, &attack.world.secrets(1).signing.clone());
    assert_eq!(attack.gossip(&Content::Beacon(signed)), Verdict::Reject);
}

#[test]
fn kinds_of_a_later_version_are_passed_on() {
    let mut attack = Attack::new();
    assert_eq!(attack.gossip(&Content::Unknown(999)), Verdict::Accept);
    let refused = attack.ask(1, &Request::Unknown { kind: 77 });
    assert!(matches!(refused, Answer::Refused(_)), "{refused:?}");
}
