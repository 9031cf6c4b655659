//! One person with three devices, and two others: whatever they do on all of them, while lines are
//! cut and nodes crash, the three are the same afterwards.

use std::collections::BTreeSet;

use kith_crdt::ids::{ChannelId, MessageId};
use kith_crdt::segment::Subject;
use kith_crdt::sync::Answer;
use kith_node::engine::Command;
use kith_node::network::NetworkEvent;
use kith_tests::world::World;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What somebody does on a device.
#[derive(Debug, Clone, Copy)]
enum Act {
    Say,
    Read,
    React,
    Unreact,
    Edit,
    Delete,
    Set,
    Cut,
    Mend,
    Crash,
    Start,
    Wait,
}

const ACTS: [Act; 17] = [
    Act::Say,
    Act::Say,
    Act::Say,
    Act::Say,
    Act::Read,
    Act::Read,
    Act::React,
    Act::React,
    Act::Unreact,
    Act::Edit,
    Act::Delete,
    Act::Set,
    Act::Cut,
    Act::Mend,
    Act::Crash,
    Act::Start,
    Act::Wait,
];

struct Days {
    world: World,
    channel: ChannelId,
    rng: ChaCha20Rng,
    nodes: Vec<usize>,
    said: Vec<MessageId>,
}

impl Days {
    /// Ana's three devices, the last two linked, and Ben and Cem.
    fn new(seed: u64) -> Self {
        let mut world = World::new(3, seed);
        let channel = world.channel("general");
        world.say(1, channel, "before there were three");
        let devices = [world.link_device(0, true), world.link_device(0, false)];
        world.until("all to have the channel", |world| {
            devices
                .iter()
                .all(|number| world.digest(*number, &channel).is_some())
        });
        world.lose_gossip(100);
        Self {
            world,
            channel,
            rng: ChaCha20Rng::seed_from_u64(seed),
            nodes: vec![0, devices[0], devices[1], 1, 2],
            said: Vec::new(),
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.rng.next_u32() as usize % bound
    }

    fn step(&mut self) {
        let act = ACTS[self.below(ACTS.len())];
        let on = self.below(self.nodes.len());
        let on = self.nodes[on];
        let other = self.below(self.nodes.len());
        let other = self.nodes[other];
        let runs = self.world.runs(on);
        match act {
            Act::Cut | Act::Mend if on != other => {
                self.world.link(on, other, matches!(act, Act::Mend));
            }
            Act::Crash if runs => self.world.crash(on),
            Act::Start if !runs => self.world.start(on),
            Act::Wait => {
                let ms = u64::from(self.rng.next_u32() % 40_000);
                self.world.pass(ms);
            }
            Act::Say if runs => {
                let text = format!("message {}", self.said.len());
                let said = self.world.say(on, self.channel, &text);
                self.said.push(said);
            }
            Act::Read if runs => {
                let mark = Command::Mark {
                    channel: self.channel,
                    messages: None,
                };
                self.world.ask(on, mark).expect("a member reads");
            }
            Act::Set if runs => self.set(on),
            Act::React | Act::Unreact | Act::Edit | Act::Delete
                if runs && !self.said.is_empty() =>
            {
                let target = self.below(self.said.len());
                let target = self.said[target];
                let command = match act {
                    Act::React | Act::Unreact => Command::React {
                        target,
                        emoji: if target.0[0].is_multiple_of(2) {
                            "🌱"
                        } else {
                            "🥕"
                        }
                        .into(),
                        on: matches!(act, Act::React),
                    },
                    Act::Edit => Command::Edit {
                        target,
                        text: format!("edited on {on}"),
                    },
                    _ => Command::Delete {
                        target,
                        reason: None,
                    },
                };
                // It may not be here, not theirs, or deleted.
                drop(self.world.ask(on, command));
            }
            _ => {}
        }
    }

    /// Sets something for whoever has the device.
    fn set(&mut self, on: usize) {
        let channel = self.channel;
        let cem = self.world.secrets(2).account;
        let value = u64::from(self.rng.next_u32() % 3);
        let (about, text) = match self.below(4) {
            0 => (Subject::Mute(channel), None),
            1 => (Subject::Notify(channel), None),
            2 => (
                Subject::Draft(channel, None),
                Some(format!("draft {value}")),
            ),
            _ => (Subject::Name(cem), Some(format!("Cem {value}"))),
        };
        let value = if text.is_some() { 0 } else { value };
        // Cem does not give themselves names, and a key may not have come yet.
        let only_if = None;
        let command = Command::Set {
            about,
            value,
            text,
            only_if,
        };
        drop(self.world.ask(on, command));
    }

    /// What a node shows: texts, whether edited, and reactions with whose they are.
    fn shown(&self, number: usize) -> Vec<String> {
        let page = self.world.page(number, &self.channel, None).into_iter();
        page.map(|message| {
            let reactions: Vec<String> = message
                .reactions
                .0
                .iter()
                .map(|(emoji, given)| format!("{emoji}{}", given.count))
                .collect();
            let text = message.text.as_deref().unwrap_or("deleted");
            format!("{text} {} {reactions:?}", message.edited)
        })
        .collect()
    }

    /// Which reactions this account has given, as a node shows it.
    fn mine(&self, number: usize) -> Vec<bool> {
        let page = self.world.page(number, &self.channel, None).into_iter();
        page.flat_map(|message| {
            let given = message.reactions.0.into_iter();
            given.map(|(_, given)| given.mine).collect::<Vec<_>>()
        })
        .collect()
    }
}

#[test]
fn three_devices_of_one_person_end_alike() {
    let (mut reactions, mut drafts) = (0, 0);
    for seed in 0..40 {
        let mut days = Days::new(seed);
        for _ in 0..120 {
            days.step();
        }
        days.world.lose_gossip(0);
        days.world.heal();
        let nodes = days.nodes.clone();
        let channel = days.channel;
        days.world.until_agreed(&nodes, &channel);
        // Keys may come a moment after what they open.
        days.world.pass(60_000);
        let all = |days: &Days| nodes.iter().map(|n| days.shown(*n)).collect::<Vec<_>>();
        let shown = all(&days);
        assert!(
            shown.iter().all(|page| *page == shown[0]),
            "seed {seed}: {shown:#?}"
        );
        let own = [nodes[0], nodes[1], nodes[2]];
        let unread = own.map(|number| days.world.unread(number, &channel));
        assert!(
            unread.iter().all(|count| *count == unread[0]),
            "seed {seed}: {unread:?}"
        );
        let set = own.map(|number| days.world.engine(number).shared().own());
        assert!(
            set.iter().all(|view| *view == set[0]),
            "seed {seed}: {set:#?}"
        );
        drafts += set[0].drafts.len();
        for number in own {
            let kept = days.world.engine(number).shared().all_channels();
            for kept in kept.iter().filter(|kept| kept.is_own()) {
                days.world.verify(number, &kept.id);
            }
        }
        let mine = own.map(|number| days.mine(number));
        assert!(mine.iter().all(|given| *given == mine[0]), "seed {seed}");
        reactions += mine[0].iter().filter(|mine| **mine).count();
        assert_eq!(days.world.charges(), 0, "seed {seed}");
    }
    assert!(
        reactions > 40 && drafts > 10,
        "there is something to agree on: {reactions}, {drafts}"
    );
}

/// The envelopes in the answers that were sent to a node, by what they are.
fn envelopes_sent(events: &[NetworkEvent]) -> Vec<Vec<u8>> {
    let answers = events.iter().filter_map(|event| match event {
        NetworkEvent::Answered { bytes, .. } => Answer::parse(bytes).ok(),
        _ => None,
    });
    answers
        .flat_map(|answer| match answer {
            Answer::Page { envelopes, .. } => envelopes,
            _ => Vec::new(),
        })
        .collect()
}

#[test]
fn a_new_device_that_crashes_five_times_is_sent_nothing_again_that_it_had() {
    const CRASHES: u64 = 5;
    const EACH: u64 = 90;
    let mut world = World::new(1, 5);
    let channels: Vec<ChannelId> = (0..4)
        .map(|number| world.make(0, &format!("room {number}")))
        .collect();
    // Long ones, so that a channel takes several pages.
    let text = "so much to say ".repeat(600);
    for number in 0..EACH {
        for channel in &channels {
            world.say(0, *channel, &format!("{number} {text}"));
        }
        world.pass(10);
    }
    let all = EACH * channels.len() as u64;
    let held = |world: &World, device| {
        let held = channels
            .iter()
            .map(|channel| world.messages(device, channel));
        held.sum::<u64>()
    };

    let device = world.link_device(0, false);
    for crash in 1..=CRASHES {
        let share = all * crash / (CRASHES + 1);
        world.until("a share of it", |world| held(world, device) >= share);
        assert!(held(&world, device) < all, "it was too quick to be cut off");
        let here: BTreeSet<Vec<u8>> = channels
            .iter()
            .flat_map(|channel| world.entries_on_disk(device, channel))
            .map(|envelope| envelope.to_bytes())
            .collect();
        world.crash(device);
        world.listen();
        world.start(device);
        let next = all * crash / (CRASHES + 1) + 1;
        world.until("more of it", |world| held(world, device) >= next);
        let again = envelopes_sent(&world.heard());
        let again = again.iter().filter(|bytes| here.contains(*bytes)).count();
        assert_eq!(again, 0, "crash {crash}");
    }
    world.until("all of it", |world| held(world, device) == all);
}
