//! What is here and not shown, and how that is explained: sealed, not made as a message has to be,
//! beyond a fork, hidden, or void. Engines under virtual time.

#![expect(
    clippy::unwrap_used,
    reason = "a test that lacks what it needs has failed"
)]

use kith_api::audit::{AuditEntry, AuditQuery};
use kith_api::why::{Deed, Showing, Step, Verdict, WhyMessage};
use kith_api::{ApiError, ErrorCode};
use kith_crdt::frame::{self, Content};
use kith_crdt::ids::{MessageId, Writer};
use kith_crdt::keys::EpochSecret;
use kith_crdt::limits::PINS_PER_CHANNEL;
use kith_crdt::segment::{Branch, Entry};
use kith_crdt::term::Term;
use kith_crdt::time::Hlc;
use kith_node::engine::{Command, MemberAct};
use kith_tests::Attack;
use kith_tests::world::World;

fn why(world: &World, reference: &str) -> Result<WhyMessage, ApiError> {
    world.reading(0, |reading| reading.why_message(reference))
}

/// Holds what is told of a message of the attacker's against what should be.
fn is_told(attack: &Attack, message: &MessageId, showing: Showing, rule: &str) {
    let why = why(&attack.world, &message.to_string()).unwrap();
    assert_eq!((why.showing, why.rule.number.as_str()), (showing, rule));
    assert_eq!(why.id.0, *message);
    let author = attack.world.secrets(1).account;
    assert_eq!(why.account, Some(author.into()));
    assert_eq!(why.state, None, "it arrives nowhere");
}

#[test]
fn what_no_key_here_opens_is_told_to_be_sealed() {
    let mut attack = Attack::new();
    let now = attack.world.now();
    let known = attack.keys.clone();
    let secret = EpochSecret::random(&mut attack.rng);
    let window = Hlc::at(now).window(24);
    attack.keys = secret.into_keys(&attack.channel, window, Term::FOREVER);
    let sealed = attack.envelope(now, 1, [0; 32], None);
    let content = Content::Envelopes(vec![sealed.to_bytes()]);
    let data = frame::seal_frame(&known, &content, &mut attack.rng);
    attack.keys = known;
    attack.gossip_raw(data);
    assert_eq!(attack.held(), 0);

    let id = sealed.place().message_id(&attack.channel);
    is_told(&attack, &id, Showing::Sealed, "M8");
    let told = why(&attack.world, &id.to_string()).unwrap();
    assert_eq!(told.signature_holds, Some(true));
    assert_eq!(told.epoch.unwrap().op, None, "no op of that epoch is here");
}

#[test]
fn what_is_not_made_as_a_message_has_to_be_is_told_apart() {
    let mut attack = Attack::new();
    let strange = vec![0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 2, 1, 0];
    let unsound = attack.envelope(attack.world.now(), 1, [0; 32], Some(strange));
    attack.gossip(&Content::Envelopes(vec![unsound.to_bytes()]));
    let id = unsound.place().message_id(&attack.channel);
    is_told(&attack, &id, Showing::Unsound, "M7");

    // What is in no timeline is looked for by more of its id than what is.
    let short = &id.to_string()[..7];
    let refused = why(&attack.world, short).map_err(|error| error.code);
    assert_eq!(refused, Err(ErrorCode::NotFound));
    assert!(why(&attack.world, &id.to_string()[..8]).is_ok());
}

#[test]
fn what_lies_beyond_a_fork_is_told_to_and_what_came_before_is_shown() {
    let mut attack = Attack::new();
    let now = attack.world.now();
    let first = attack.envelope(now, 1, [0; 32], None);
    let one = attack.envelope(now, 2, first.link(), None);
    let other = attack.envelope(now.plus(1), 2, first.link(), None);
    for envelope in [&first, &one, &other] {
        attack.gossip(&Content::Envelopes(vec![envelope.to_bytes()]));
    }
    let [first, forked] = [&first, &one].map(|at| at.place().message_id(&attack.channel));
    is_told(&attack, &forked, Showing::Forked, "M6");
    let shown = why(&attack.world, &first.to_string()).unwrap();
    assert_eq!(shown.showing, Showing::Shown);
}

#[test]
fn a_deletion_of_what_was_not_its_author_s_to_delete_is_void_in_the_audit() {
    let mut attack = Attack::new();
    let channel = attack.channel;
    let target = attack.world.say(0, channel, "not yours");
    let writer = Writer {
        incarnation: attack.incarnation,
        ..attack.world.secrets(1).writer()
    };
    let change = Branch::new(writer.actor(&channel)).write(&Entry::Deletion { target });
    let forged = attack.envelope(attack.world.now(), 1, [0; 32], Some(change));
    attack.gossip(&Content::Envelopes(vec![forged.to_bytes()]));

    let view = attack.world.engine(0).shared().channel(&channel).unwrap();
    let query = AuditQuery::default();
    let page = attack
        .world
        .reading(0, |reading| reading.audit(&view, &query));
    let entries = page.unwrap().entries;
    let deletions: Vec<&Step> = entries
        .iter()
        .filter_map(|entry| match entry {
            AuditEntry::Step(step) if step.deed == Deed::DeleteMessage => Some(&**step),
            _ => None,
        })
        .collect();
    let [step] = deletions.as_slice() else {
        panic!("{entries:?}");
    };
    assert_eq!(step.verdict, Verdict::Void);
    assert_eq!(step.message.map(|message| message.0), Some(target));
    let reason = step.reason.as_deref();
    let said = "to delete others' messages took the role moderator or above, its author was member";
    assert_eq!(reason, Some(said));
}

#[test]
fn what_a_removal_hides_is_no_longer_pinned_and_leaves_its_room() {
    let mut world = World::new(3, 85);
    let channel = world.channel("general");
    world.until_agreed(&[0, 1, 2], &channel);
    let pin = |world: &mut World, number: usize, target: MessageId| {
        let on = true;
        world.ask(number, Command::Pin { target, on })
    };
    for other in [1, 2] {
        world.link(0, other, false);
    }
    let hidden: Vec<MessageId> = (0..PINS_PER_CHANNEL)
        .map(|number| world.say(1, channel, &format!("rule {number}")))
        .collect();
    world.until_agreed(&[1, 2], &channel);
    for target in &hidden {
        pin(&mut world, 2, *target).unwrap();
    }
    assert_eq!(world.pinned(2, &channel).len(), PINS_PER_CHANNEL);
    world.act(0, 1, channel, MemberAct::Remove).unwrap();
    let kept = world.say(0, channel, "the only rule");
    for other in [1, 2] {
        world.link(0, other, true);
    }
    world.until_agreed(&[0, 2], &channel);
    pin(&mut world, 0, kept).unwrap();
    world.until_agreed(&[0, 2], &channel);
    for number in [0, 2] {
        let pinned = world.pinned(number, &channel);
        let pinned: Vec<MessageId> = pinned.iter().map(|message| message.id.0).collect();
        assert_eq!(pinned, [kept], "at {number}");
    }
}
