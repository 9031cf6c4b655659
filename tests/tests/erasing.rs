//! Erasing on request, with engines under virtual time: all that somebody said in a channel is taken
//! back on every node, whoever was away, and nothing that others said.

use kith_crdt::control::Role;
use kith_crdt::ids::{ChannelId, MessageId};
use kith_node::engine::{Command, MemberAct, Outcome, Refusal};
use kith_tests::world::World;

fn erase(world: &mut World, number: usize, channel: ChannelId) -> Result<Outcome, Refusal> {
    let dry_run = false;
    world.ask(number, Command::TakeBack { channel, dry_run })
}

fn count(world: &mut World, number: usize, channel: ChannelId) -> Result<Outcome, Refusal> {
    let dry_run = true;
    world.ask(number, Command::TakeBack { channel, dry_run })
}

const fn taken_back(messages: u64, reactions: u64) -> Outcome {
    Outcome::TakenBack {
        messages,
        reactions,
    }
}

fn react(world: &mut World, number: usize, target: MessageId, emoji: &str, on: bool) {
    let emoji = emoji.into();
    let command = Command::React { target, emoji, on };
    world.ask(number, command).expect("a member may react");
}

fn reply(world: &mut World, number: usize, channel: ChannelId, thread: MessageId, text: &str) {
    let command = Command::Send {
        channel,
        text: text.into(),
        reply_to: None,
        thread: Some(thread),
        announce: false,
        expire_ms: None,
    };
    world.ask(number, command).expect("a member may reply");
}

/// How many entries a node has on its disk of what another wrote.
fn entries(world: &World, number: usize, channel: &ChannelId, author: usize) -> usize {
    let author = world.secrets(author).device();
    let entries = world.entries_on_disk(number, channel);
    let own = entries
        .iter()
        .filter(|entry| entry.place().log.writer.device == author);
    own.count()
}

/// How many reactions a node shows on the messages of a channel.
fn reactions(world: &World, number: usize, channel: &ChannelId) -> u64 {
    let page = world.page(number, channel, None);
    let given = page.iter().flat_map(|message| &message.reactions.0);
    given.map(|(_, reaction)| reaction.count).sum()
}

/// Node 1 writes, edits, answers in a thread and reacts, and so do the others. Returns the message
/// that the thread is of.
fn talk(world: &mut World, channel: ChannelId) -> MessageId {
    let root = world.say(0, channel, "what grows where?");
    let nodes: Vec<usize> = vec![0, 1, 2];
    world.until_agreed(&nodes, &channel);
    let own = world.say(1, channel, "beans at the gate");
    let text = "beans by the fence".into();
    let edit = Command::Edit { target: own, text };
    world.ask(1, edit).expect("the author may edit");
    reply(world, 1, channel, root, "and peas");
    react(world, 1, root, "🌱", true);
    react(world, 1, root, "👍", true);
    react(world, 1, root, "👍", false);
    world.until_agreed(&nodes, &channel);
    reply(world, 2, channel, root, "no peas here");
    react(world, 2, root, "🌱", true);
    world.until_agreed(&nodes, &channel);
    root
}

#[test]
fn all_that_somebody_said_is_erased_on_every_node_and_nothing_of_the_others() {
    let mut world = World::new(3, 81);
    let channel = world.channel("general");
    let root = talk(&mut world, channel);
    world.crash(2);
    let before = entries(&world, 1, &channel, 1);
    assert_eq!(count(&mut world, 1, channel), Ok(taken_back(2, 1)));
    assert_eq!(entries(&world, 1, &channel, 1), before, "it only counts");
    assert_eq!(world.texts_on_disk(0, &channel, 1), 3);

    assert_eq!(erase(&mut world, 1, channel), Ok(taken_back(2, 1)));
    assert_eq!(entries(&world, 1, &channel, 1), before + 3);
    world.until_agreed(&[0, 1], &channel);
    world.pass(1_000);
    world.start(2);
    world.until_agreed(&[0, 1, 2], &channel);
    world.pass(1_000);
    for node in [0, 1, 2] {
        let texts = [0, 1, 2].map(|author| world.texts_on_disk(node, &channel, author));
        assert_eq!(texts, [1, 0, 1], "at {node}");
        assert_eq!(world.shown(node, &channel), ["what grows where?"]);
        assert_eq!(reactions(&world, node, &channel), 1);
        let thread = world.page(node, &channel, Some(&root));
        let told = thread.iter().filter(|reply| reply.deleted);
        let told: Vec<_> = told.map(|reply| reply.name.as_str()).collect();
        assert_eq!(told, ["person 1"]);
    }
    assert_eq!(erase(&mut world, 1, channel), Ok(taken_back(0, 0)));
    assert_eq!(entries(&world, 1, &channel, 1), before + 3);
}

#[test]
fn cut_off_half_way_it_goes_on_where_it_stopped() {
    let mut world = World::new(2, 82);
    let channel = world.channel("general");
    for number in 0..200 {
        world.say(1, channel, &format!("message {number}"));
    }
    world.until_agreed(&[0, 1], &channel);
    let before = entries(&world, 1, &channel, 1);
    let dry_run = false;
    let first = world.begin(1, Command::TakeBack { channel, dry_run });
    let second = world.begin(1, Command::TakeBack { channel, dry_run });
    assert!(world.answer(first).is_none() && world.answer(second).is_none());
    world.crash(1);
    world.start(1);
    let written = entries(&world, 1, &channel, 1) - before;
    assert!((1..200).contains(&written), "{written}");
    let left = taken_back(200 - written as u64, 0);
    assert_eq!(count(&mut world, 1, channel), Ok(left.clone()));

    let (one, other) = (
        world.begin(1, Command::TakeBack { channel, dry_run }),
        world.begin(1, Command::TakeBack { channel, dry_run }),
    );
    let sent = world.say(1, channel, "meanwhile");
    assert!(world.answer(one).is_none(), "nobody waits for the whole");
    world.pass(10_000);
    assert_eq!(entries(&world, 1, &channel, 1), before + 201);
    assert_eq!(world.answer(one), Some(Ok(left.clone())));
    assert_eq!(world.answer(other), Some(Ok(left)), "it is done once");
    world.until_agreed(&[0, 1], &channel);
    world.pass(1_000);
    for node in [0, 1] {
        assert_eq!(world.texts_on_disk(node, &channel, 1), 1);
        let page = world.page(node, &channel, None);
        let kept = page.iter().filter(|message| !message.deleted);
        let kept: Vec<_> = kept.map(|message| message.id).collect();
        assert_eq!(kept, [sent.into()]);
    }
}

#[test]
fn who_may_not_write_any_more_takes_all_back_and_who_is_out_is_refused() {
    let mut world = World::new(3, 83);
    let channel = world.channel("general");
    talk(&mut world, channel);
    let mute = MemberAct::Mute(world.now().plus(3_600_000));
    let reader = MemberAct::SetRole(Role::Reader);
    for act in [mute, reader] {
        world.act(0, 1, channel, act).expect("the founder may");
    }
    world.until_agreed(&[0, 1, 2], &channel);
    assert_eq!(erase(&mut world, 1, channel), Ok(taken_back(2, 1)));
    world.act(0, 2, channel, MemberAct::Remove).expect("so too");
    world.until("it is heard of", |world| !world.is_member(2, 2, &channel));
    world.until_agreed(&[0, 1], &channel);
    world.pass(1_000);
    for node in [0, 1] {
        assert_eq!(world.texts_on_disk(node, &channel, 1), 0, "at {node}");
        assert_eq!(reactions(&world, node, &channel), 1, "at {node}");
    }

    for ask in [erase, count] {
        match ask(&mut world, 2, channel) {
            Err(Refusal::Denied(why)) => assert!(why.contains("not a member"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(world.texts_on_disk(0, &channel, 2), 1);
    world.ask(1, Command::Leave { channel }).expect("they may");
    assert!(matches!(
        erase(&mut world, 1, channel),
        Err(Refusal::Denied(_))
    ));
}

#[test]
fn behind_a_hole_of_the_disk_it_is_erased_as_well_and_what_comes_back_the_next_time() {
    let mut world = World::new(2, 84);
    let channel = world.channel("general");
    let said = ["one", "two", "three"].map(|text| world.say(1, channel, text));
    world.until_agreed(&[0, 1], &channel);
    world.link(0, 1, false);
    world.crash(1);
    world.tamper(1, |reader, batch| {
        let (_, place) = reader.view().message(&said[1]).expect("it is here");
        batch.delete_envelope(&channel, &place);
    });
    world.start(1);
    let _token = world.begin(1, Command::Mend { channel: None });
    world.pass(10_000);
    assert_eq!(erase(&mut world, 1, channel), Ok(taken_back(2, 0)));
    world.link(0, 1, true);
    world.until_agreed(&[0, 1], &channel);
    assert_eq!(world.shown(0, &channel), ["two"]);
    assert_eq!(erase(&mut world, 1, channel), Ok(taken_back(1, 0)));
    world.until_agreed(&[0, 1], &channel);
    world.pass(10_000);
    for node in [0, 1] {
        assert_eq!(world.texts_on_disk(node, &channel, 1), 0, "at {node}");
    }
}

#[test]
fn what_one_deleted_and_lost_has_no_text_when_it_comes_back() {
    let mut world = World::new(2, 85);
    let channel = world.channel("general");
    let target = world.say(1, channel, "regret");
    world.until_agreed(&[0, 1], &channel);
    world.link(0, 1, false);
    // A daemon that was killed goes on in a log of its own.
    world.crash(1);
    world.start(1);
    let reason = None;
    let delete = Command::Delete { target, reason };
    world.ask(1, delete).expect("it is their own");
    world.pass(10_000);
    assert_eq!(world.texts_on_disk(1, &channel, 1), 0);
    world.crash(1);
    world.tamper(1, |reader, batch| {
        let (_, place) = reader.view().message(&target).expect("it is here");
        batch.delete_envelope(&channel, &place);
        batch.delete_log(&channel, &place.log);
        batch.delete_message_id(&target);
    });
    world.start(1);
    world.link(0, 1, true);
    world.until_of_one_digest(&[0, 1], &channel);
    world.pass(10_000);
    for node in [0, 1] {
        assert_eq!(world.texts_on_disk(node, &channel, 1), 0, "at {node}");
    }
}
