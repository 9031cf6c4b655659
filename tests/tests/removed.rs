//! What a removed member is left with: nothing of what follows opens with what its node has, and
//! nothing of what it writes counts, whoever passes it on.

#![expect(
    clippy::unwrap_used,
    reason = "a test that lacks what it needs has failed"
)]

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use kith_api::Client;
use kith_api::message::SendMessage;
use kith_crdt::control::{Role, Roster};
use kith_crdt::envelope::Envelope;
use kith_crdt::frame::{self, Content};
use kith_crdt::ids::{ChannelId, LogId, Place};
use kith_crdt::sync::Answer;
use kith_node::engine::{Event, MemberAct};
use kith_node::network::NetworkEvent;
use kith_tests::world::World;
use kith_tests::{
    Daemon, Home, Needle, PATIENCE, Relay, Thief, befriend, envelopes, find_in, find_in_bytes,
    opens, texts, until, until_agreed, until_seen,
};

/// Messages written after the removal.
const LATER: usize = 1_000;

fn text(number: usize) -> String {
    format!("the beans of row {number} are none of his business")
}

/// Envelopes that one has and another has not.
fn missing_from<'a>(all: &'a [Envelope], had: &[Envelope]) -> Vec<&'a Envelope> {
    let had: BTreeSet<Place> = had.iter().map(Envelope::place).collect();
    all.iter()
        .filter(|envelope| !had.contains(&envelope.place()))
        .collect()
}

fn roster(world: &World, number: usize, channel: &ChannelId) -> Arc<Roster> {
    let view = world.engine(number).shared().channel(channel);
    Arc::clone(&view.unwrap().roster)
}

#[test]
fn nothing_heard_on_any_line_opens_with_the_keys_of_who_was_removed() {
    let mut world = World::new(3, 11);
    let channel = world.channel("general");
    for number in 0..30 {
        world.say(number % 3, channel, "before");
    }
    world.until_agreed(&[0, 1, 2], &channel);
    world.listen();
    world.lose_gossip(300);
    world.act(0, 1, channel, MemberAct::Remove).unwrap();
    world.until("all know", |world| !world.is_member(2, 1, &channel));
    for number in 0..LATER {
        world.say(number % 2 * 2, channel, &text(number));
        world.pass(100);
    }
    world.until_agreed(&[0, 2], &channel);
    let heard = world.heard();

    let keys = world
        .engine(1)
        .shared()
        .channel(&channel)
        .unwrap()
        .keys
        .clone();
    let had = envelopes(&world.engine(1).reader(), &channel);
    let all = envelopes(&world.engine(0).reader(), &channel);
    let later = missing_from(&all, &had);
    assert!(later.len() >= LATER);
    assert!(
        later
            .iter()
            .all(|envelope| !opens(&keys, &channel, envelope))
    );
    assert!(had.len() >= 30 && had.iter().all(|envelope| opens(&keys, &channel, envelope)));

    // What passed on the lines, were the transport's encryption broken as well: frames, of which
    // only those open that told of the removal itself, and pages of sealed envelopes.
    let (mut frames, mut passed) = (0, Vec::new());
    for event in &heard {
        match event {
            NetworkEvent::Frame { topic, data, .. } => {
                frames += 1;
                let read = |frame_key| frame::open_frame(frame_key, topic, data).ok();
                let content = keys.iter().find_map(|epoch| read(&epoch.frame_key));
                if let Some(Content::Envelopes(envelopes)) = content {
                    passed.extend(envelopes);
                }
            }
            NetworkEvent::Answered { bytes, .. } => {
                if let Ok(Answer::Page { envelopes, .. }) = Answer::parse(bytes) {
                    passed.extend(envelopes);
                }
            }
            _ => {}
        }
    }
    assert!(
        frames > 300 && passed.len() > 100,
        "{frames}, {}",
        passed.len()
    );
    for bytes in passed {
        let envelope = Envelope::parse(&bytes, &channel).unwrap();
        assert!(!opens(&keys, &channel, &envelope));
    }

    // And the removed node's own daemon makes nothing of it either.
    let before = world.messages(1, &channel);
    for event in heard {
        world.observe(1, Event::Network(event));
    }
    assert_eq!(world.messages(1, &channel), before);
}

fn clients(home: &Home) -> Client {
    Client::new(home.path())
}

/// Has two homes write by turns, many messages at once.
async fn write_all(homes: [&Home; 2], count: usize) {
    let clients = homes.map(clients);
    stream::iter(0..count)
        .map(|number| {
            let client = &clients[number % 2];
            let message = SendMessage {
                text: text(number),
                ..SendMessage::default()
            };
            async move { client.send("garden", &message).await }
        })
        .buffer_unordered(32)
        .try_for_each(async |_| Ok(()))
        .await
        .unwrap();
}

fn until_status(home: &Home, name: &str, status: &str) {
    until(&format!("{name} to be {status}"), PATIENCE, || {
        let members = home.lines(&["member", "list", "garden"]);
        let member = members.iter().find(|member| member["name"] == name)?;
        (member["status"] == status).then_some(())
    });
}

fn shown(home: &Home) -> Vec<String> {
    let lines = home.lines(&["read", "garden", "--limit", "500"]);
    texts(&lines).into_iter().map(str::to_owned).collect()
}

#[test]
fn neither_its_whole_store_nor_a_capture_opens_a_thousand_later_messages() {
    let [ana, ben, cleo] = ["Ana", "Ben", "Cleo"].map(Home::init);
    let a = Daemon::start(&ana);
    let ears = [(); 2].map(|()| Relay::to(&a.address()));
    let [b, c] = [(&ben, &ears[0]), (&cleo, &ears[1])]
        .map(|(home, ear)| Daemon::start_towards(home, &[ear.address().to_owned()]));
    let channel = ana.field(&["channel", "create", "garden"], "channel");
    befriend(&ana, &ben, "garden");
    befriend(&ana, &cleo, "garden");
    for home in [&ana, &ben, &cleo] {
        home.json(&["send", "garden", "before"]);
    }
    until_agreed(&[&ana, &ben, &cleo], "garden");

    ana.json(&["member", "remove", "garden", "Ben"]);
    until_status(&cleo, "Ben", "removed");
    until_status(&ben, "Ben", "removed");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(write_all([&ana, &cleo], LATER));
    until_agreed(&[&ana, &cleo], "garden");
    assert_eq!(shown(&ben), ["before"; 3]);
    let captures = ears.each_ref().map(Relay::recorded);
    for daemon in [a, b, c] {
        daemon.stop();
    }

    let [of_ana, of_ben, of_cleo] = [&ana, &ben, &cleo].map(|home| Thief::of(home, &channel));
    let later = missing_from(of_ana.envelopes(), of_ben.envelopes());
    assert!(later.len() >= LATER, "{} are later", later.len());
    assert_eq!(later.iter().filter(|it| of_ben.opens(it)).count(), 0);
    // The same keys and the same try open what they should, so it is the keys that are missing.
    assert!(of_ben.envelopes().len() >= 3);
    assert!(of_ben.envelopes().iter().all(|it| of_ben.opens(it)));
    assert!(later.iter().all(|it| of_cleo.opens(it)));

    // Neither is a text anywhere, nor an envelope that keys could be tried on.
    let mut needles: Vec<Needle> = (0..LATER)
        .step_by(50)
        .map(|number| Needle::new("a later text", text(number)))
        .collect();
    needles.extend(
        later
            .iter()
            .step_by(50)
            .map(|it| Needle::new("a later envelope", &it.to_bytes()[..64])),
    );
    let heard: usize = captures.iter().flatten().map(Vec::len).sum();
    assert!(heard > LATER * 200, "{heard} bytes were captured");
    for way in captures.iter().flatten() {
        assert_eq!(find_in_bytes(way, &needles), [""; 0]);
    }
    assert_eq!(find_in(ben.path(), &needles), []);
}

#[test]
fn those_who_were_apart_agree_on_what_is_hidden() {
    let [ana, ben, cleo] = ["Ana", "Ben", "Cleo"].map(Home::init);
    let a = Daemon::start(&ana);
    let c = Daemon::start_towards(&cleo, &a.addresses());
    let b = Daemon::start_towards(&ben, &[a.address(), c.address()]);
    ana.json(&["channel", "create", "garden"]);
    befriend(&ana, &ben, "garden");
    befriend(&ana, &cleo, "garden");
    ben.json(&["send", "garden", "Ben, heard by all"]);
    until_agreed(&[&ana, &ben, &cleo], "garden");

    // Without Ana, Ben and Cleo go on.
    a.stop();
    let apart = ben.field(&["send", "garden", "Ben, heard by Cleo"], "id");
    until_seen(&cleo, &apart);
    cleo.json(&["send", "garden", "Cleo"]);
    until_agreed(&[&ben, &cleo], "garden");
    b.stop();
    c.stop();

    // Ana alone takes Ben out, and Ben alone goes on writing.
    let a = Daemon::start(&ana);
    ana.json(&["member", "remove", "garden", "Ben"]);
    ana.json(&["send", "garden", "Ana"]);
    let b = Daemon::start(&ben);
    ben.json(&["send", "garden", "Ben, heard by nobody"]);

    let c = Daemon::start_towards(&cleo, &[a.address(), b.address()]);
    until_agreed(&[&ana, &cleo], "garden");
    until_status(&cleo, "Ben", "removed");
    let expected = ["Ben, heard by all", "Cleo", "Ana"];
    assert_eq!(shown(&ana), expected);
    assert_eq!(shown(&cleo), expected);
    assert_eq!(cleo.kith(&["show", &apart]).code, 4);
    for daemon in [a, b, c] {
        daemon.stop();
    }
}

#[test]
fn two_who_rekey_apart_read_everything_and_go_on_under_one_epoch() {
    let [ana, ben, cleo, dan] = ["Ana", "Ben", "Cleo", "Dan"].map(Home::init);
    let a = Daemon::start(&ana);
    let channel = ana.field(&["channel", "create", "garden"], "channel");
    let others = [&ben, &cleo, &dan].map(|home| Daemon::start_towards(home, &a.addresses()));
    let admin = ana.field(&["invite", "garden", "--role", "admin"], "link");
    ben.json(&["join", &admin]);
    befriend(&ana, &cleo, "garden");
    befriend(&ana, &dan, "garden");
    until_agreed(&[&ana, &ben, &cleo, &dan], "garden");
    for daemon in others {
        daemon.stop();
    }

    // Each takes somebody out and writes, so each makes a new epoch.
    ana.json(&["member", "remove", "garden", "Cleo"]);
    ana.json(&["send", "garden", "without Cleo"]);
    a.stop();
    let b = Daemon::start(&ben);
    ben.json(&["member", "remove", "garden", "Dan"]);
    ben.json(&["send", "garden", "without Dan"]);

    let a = Daemon::start_towards(&ana, &b.addresses());
    until_agreed(&[&ana, &ben], "garden");
    let both = ["without Cleo", "without Dan"];
    until("both to read both", PATIENCE, || {
        (shown(&ana) == both && shown(&ben) == both).then_some(())
    });
    let last = [&ana, &ben, &ana].map(|home| {
        let id = home.field(&["send", "garden", "together"], "id");
        until_seen(&ana, &id);
        until_seen(&ben, &id);
        id
    });
    assert_eq!(last.len(), 3);
    a.stop();
    b.stop();

    let [of_ana, of_ben] = [&ana, &ben].map(|home| Thief::of(home, &channel));
    assert!(
        of_ben
            .envelopes()
            .iter()
            .all(|it| of_ana.opens(it) && of_ben.opens(it))
    );
    let mut newest: Vec<&Envelope> = of_ana.envelopes().iter().collect();
    newest.sort_by_key(|it| it.header.hlc);
    let epochs =
        |from: &[&Envelope]| -> BTreeSet<_> { from.iter().map(|it| it.header.epoch).collect() };
    let together = &newest[newest.len() - 3..];
    assert_eq!(
        epochs(together).len(),
        1,
        "one epoch for what was written together"
    );
    let apart = &newest[..newest.len() - 3];
    assert!(
        epochs(apart).is_disjoint(&epochs(together)),
        "it is one that knows both removals"
    );
    assert!(epochs(apart).len() >= 2);
}

#[test]
fn what_a_removed_member_writes_counts_nowhere_whoever_passes_it_on() {
    let mut world = World::new(4, 12);
    let channel = world.channel("general");
    world
        .act(0, 1, channel, MemberAct::SetRole(Role::Admin))
        .unwrap();
    world.say(1, channel, "before");
    world.until_agreed(&[0, 1, 2, 3], &channel);
    let epoch = roster(&world, 1, &channel).usable_epoch();

    // The colluder, node 2, hears nothing of the removal; the removed, node 1, talks to it alone.
    for (a, b) in [(0, 1), (0, 2), (1, 3), (2, 3)] {
        world.link(a, b, false);
    }
    world.act(0, 1, channel, MemberAct::Remove).unwrap();
    world.until("node 3 knows", |world| !world.is_member(3, 1, &channel));
    let shown = |world: &World, number| world.shown(number, &channel).len();

    // Old parents: as an admin it raises the colluder and takes node 3 out. Old epoch and window:
    // it writes. Old times: it writes with its clock hours and days back.
    world
        .act(1, 2, channel, MemberAct::SetRole(Role::Moderator))
        .unwrap();
    world.act(1, 3, channel, MemberAct::Remove).unwrap();
    for hours in [0, 1, 30] {
        world.skew(1, -hours * 3_600_000);
        for number in 0..20 {
            world.say(1, channel, &format!("{number} of {hours} hours ago"));
        }
    }
    // And each time that it starts it begins new logs.
    for number in 0..10 {
        world.crash(1);
        world.start(1);
        world.say(1, channel, &format!("start {number}"));
    }
    world.until_agreed(&[1, 2], &channel);
    assert_eq!(shown(&world, 2), 71, "the colluder has it all");

    for (a, b) in [(0, 2), (2, 3)] {
        world.link(a, b, true);
    }
    world.until_agreed(&[0, 2, 3], &channel);
    for number in [0, 2, 3] {
        assert_eq!(shown(&world, number), 1, "at node {number}");
        assert!(world.is_member(number, 3, &channel), "its acts are void");
        assert!(!world.is_member(number, 1, &channel));
    }
    let colluder = world.secrets(2).account;
    let raised = roster(&world, 0, &channel).role(&colluder);
    assert_ne!(raised, Some(Role::Moderator));

    let device = world.secrets(1).device();
    let logs_held = |world: &World, number: usize| {
        let held = envelopes(&world.engine(number).reader(), &channel);
        let logs = held.iter().map(|it| it.place().log);
        let of_removed: BTreeSet<LogId> = logs.filter(|log| log.writer.device == device).collect();
        of_removed.len()
    };
    assert!(logs_held(&world, 2) > 10);
    for number in [0, 3] {
        let held = logs_held(&world, number);
        assert_eq!(
            held, 1,
            "node {number} has only the log that the remover knew"
        );
    }
    // Nobody writes under a key that it has.
    world.say(0, channel, "after");
    world.until_agreed(&[0, 2, 3], &channel);
    assert_ne!(roster(&world, 0, &channel).usable_epoch(), epoch);
    assert_eq!(shown(&world, 3), 2);
}

#[test]
fn who_comes_back_has_everything_they_wrote_while_in() {
    let mut world = World::new(3, 13);
    let channel = world.channel("general");
    world.say(1, channel, "before");
    world.until_agreed(&[0, 1, 2], &channel);
    // Taken out while it was away and wrote on, in a log that nobody had.
    world.link(0, 1, false);
    world.link(1, 2, false);
    world.crash(1);
    world.start(1);
    world.say(1, channel, "away");
    world.act(0, 1, channel, MemberAct::Remove).unwrap();
    world.say(0, channel, "without");
    world.link(0, 1, true);
    world.link(1, 2, true);
    world.until("it knows", |world| !world.is_member(1, 1, &channel));

    world.join(0, 1, channel).unwrap();
    world.say(1, channel, "back");
    world.until_agreed(&[0, 1, 2], &channel);
    // The key of what was said last may come a moment after it.
    world.until("all to show it", |world| {
        (0..3).all(|number| world.shown(number, &channel) == ["before", "without", "back"])
    });
}
