//! What an account sets for itself is the same on all of its devices, and nobody else learns of it.
//! Engines under virtual time.

use kith_crdt::ids::{AccountId, ChannelId};
use kith_crdt::segment::Subject;
use kith_node::engine::{Command, Notify, Outcome, OwnView, Refusal};
use kith_tests::world::World;

const PHONE: usize = 0;
const BEN: usize = 1;
const CEM: usize = 2;

fn set_as(
    world: &mut World,
    on: usize,
    (about, value, text): (Subject, u64, Option<String>),
) -> Result<Outcome, Refusal> {
    let only_if = None;
    let command = Command::Set {
        about,
        value,
        text,
        only_if,
    };
    world.ask(on, command)
}

fn set(world: &mut World, on: usize, about: Subject, value: u64) -> Result<Outcome, Refusal> {
    let text = None;
    set_as(world, on, (about, value, text))
}

fn say(world: &mut World, on: usize, about: Subject, text: &str) -> Result<Outcome, Refusal> {
    let text = Some(text.to_owned()).filter(|text| !text.is_empty());
    let value = 0;
    set_as(world, on, (about, value, text))
}

fn own(world: &World, number: usize) -> OwnView {
    OwnView::clone(&world.engine(number).shared().own())
}

fn drafts(world: &World, number: usize, channel: ChannelId) -> Vec<String> {
    let own = own(world, number);
    let drafts = own.drafts.get(&(channel, None)).into_iter().flatten();
    drafts.map(|draft| draft.text.clone()).collect()
}

fn account(world: &World, number: usize) -> AccountId {
    world.secrets(number).account
}

/// The channels that a node has beside those in which people talk.
fn own_channels(world: &World, number: usize) -> Vec<ChannelId> {
    let shared = world.engine(number).shared();
    let all = shared.all_channels().into_iter();
    all.filter(|it| it.is_own()).map(|it| it.id).collect()
}

/// A phone and a laptop of one person, and two others, in one channel.
fn world(seed: u64) -> (World, ChannelId, usize) {
    let mut world = World::new(3, seed);
    let channel = world.channel("general");
    let laptop = world.link_device(PHONE, true);
    world.say(BEN, channel, "from Ben");
    world.until_agreed(&[PHONE, BEN, CEM, laptop], &channel);
    (world, channel, laptop)
}

#[test]
fn what_is_set_on_one_device_is_on_all_and_with_nobody_else() {
    let (mut world, channel, laptop) = world(1);
    let ben = account(&world, BEN);
    say(&mut world, PHONE, Subject::Name(ben), "Benjamin").expect("a name");
    world.until("the laptop to have it", |world| {
        !own(world, laptop).names.is_empty()
    });
    set(&mut world, laptop, Subject::Mute(channel), u64::MAX / 2).expect("mute");
    set(&mut world, laptop, Subject::Notify(channel), 1).expect("notify");
    say(&mut world, PHONE, Subject::Draft(channel, None), "dear all").expect("a draft");
    world.until("both to have all of it", |world| {
        let own = own(world, laptop);
        own == self::own(world, PHONE)
            && own.names.get(&ben).is_some_and(|name| name == "Benjamin")
            && own.wishes(&channel).muted_until.is_some()
            && own.wishes(&channel).notify == Notify::Mentions
            && drafts(world, laptop, channel) == ["dear all"]
    });
    for number in [PHONE, laptop] {
        let read = world.page(number, &channel, None);
        assert_eq!(read[0].name, "Benjamin");
        world.crash(number);
        world.start(number);
        assert_eq!(drafts(&world, number, channel), ["dear all"]);
        assert_eq!(own(&world, number).names.len(), 1);
    }
    assert_eq!(own(&world, BEN), OwnView::default());
    assert_eq!(
        (own_channels(&world, BEN), own_channels(&world, CEM)),
        (vec![], vec![])
    );
    // It is no channel to talk in.
    let kept = own_channels(&world, PHONE);
    assert_eq!(
        (kept.len(), world.engine(PHONE).shared().channels().len()),
        (1, 1)
    );
    let denied = set(&mut world, PHONE, Subject::Mute(kept[0]), 5);
    assert!(matches!(denied, Err(Refusal::NotFound(_))));
    let me = account(&world, PHONE);
    let denied = set(&mut world, PHONE, Subject::Block(me), 1);
    assert!(matches!(denied, Err(Refusal::Usage(_))));
    for bad in ["a\nb", &"x".repeat(65)] {
        let denied = say(&mut world, PHONE, Subject::Name(ben), bad);
        assert!(denied.is_err(), "{bad:?}");
    }
}

#[test]
fn what_is_set_apart_comes_together_and_no_draft_is_lost() {
    for seed in 0..8 {
        let (mut world, channel, laptop) = world(seed);
        let ben = account(&world, BEN);
        for (a, b) in [(PHONE, laptop), (BEN, laptop), (CEM, laptop)] {
            world.link(a, b, false);
        }
        // Each of them makes a channel for it, if there was none.
        if seed % 2 == 0 {
            set(&mut world, PHONE, Subject::Notify(channel), 2).expect("notify");
        }
        set(&mut world, PHONE, Subject::Block(ben), 1).expect("block");
        set(&mut world, laptop, Subject::Mute(channel), 1_000).expect("mute");
        let about = Subject::Draft(channel, None);
        say(&mut world, PHONE, about, "on the phone").expect("a draft");
        say(&mut world, PHONE, about, "on the phone, longer").expect("a draft");
        say(&mut world, laptop, about, "on the laptop").expect("a draft");
        set(&mut world, laptop, Subject::Block(ben), 0).expect("nothing to do");
        world.heal();
        world.until("both to have the same", |world| {
            let on_phone = own(world, PHONE);
            drafts(world, PHONE, channel).len() == 2 && on_phone == own(world, laptop)
        });
        assert_eq!(own_channels(&world, PHONE).len(), 2, "seed {seed}");
        let both = drafts(&world, PHONE, channel);
        assert!(
            both.contains(&"on the phone, longer".into()) && both.contains(&"on the laptop".into())
        );
        assert!(own(&world, laptop).blocked.contains(&ben));
        // Whoever goes on with one of them replaces both.
        say(&mut world, laptop, about, "settled").expect("a draft");
        set(&mut world, laptop, Subject::Block(ben), 0).expect("unblock");
        world.until("both to have that", |world| {
            drafts(world, PHONE, channel) == ["settled"] && own(world, PHONE) == own(world, laptop)
        });
        assert!(own(&world, PHONE).blocked.is_empty());
        for number in [PHONE, laptop] {
            for kept in own_channels(&world, number) {
                world.verify(number, &kept);
            }
        }
        assert_eq!(world.charges(), 0);
    }
}

#[test]
fn what_is_not_kept_any_more_is_on_no_disk() {
    let (mut world, channel, laptop) = world(30);
    let about = Subject::Draft(channel, None);
    for text in ["first words", "second words", "third words"] {
        say(&mut world, PHONE, about, text).expect("a draft");
    }
    world.until("the laptop to have it", |world| {
        drafts(world, laptop, channel) == ["third words"]
    });
    world.pass(120_000);
    let texts = |world: &World, number: usize| {
        let kept = own_channels(world, number);
        world.texts_on_disk(number, &kept[0], PHONE)
    };
    assert_eq!((texts(&world, PHONE), texts(&world, laptop)), (1, 1));
    say(&mut world, laptop, about, "").expect("none");
    world.until("the phone to have none", |world| {
        drafts(world, PHONE, channel).is_empty()
    });
    world.pass(120_000);
    assert_eq!((texts(&world, PHONE), texts(&world, laptop)), (0, 0));
    // One that comes later gets no text that is gone, and misses none.
    let tablet = world.link_device(PHONE, false);
    world.until("the tablet to have it", |world| {
        !own_channels(world, tablet).is_empty() && own(world, tablet) == own(world, PHONE)
    });
    world.pass(120_000);
    let kept = own_channels(&world, tablet)[0];
    assert_eq!(world.texts_on_disk(tablet, &kept, PHONE), 0);
    for number in [PHONE, laptop, tablet] {
        world.verify(number, &kept);
    }
}

#[test]
fn whoever_is_blocked_is_not_heard_and_does_not_learn_of_it() {
    let (mut world, channel, laptop) = world(40);
    let ben = account(&world, BEN);
    let others = [CEM, BEN];
    let before = world.unread(laptop, &channel);
    world.say(BEN, channel, "more from Ben");
    world.say(CEM, channel, "from Cem");
    world.until_agreed(&[PHONE, BEN, CEM, laptop], &channel);
    assert_eq!(world.unread(laptop, &channel), before + 2);
    set(&mut world, PHONE, Subject::Block(ben), 1).expect("block");
    world.until("the laptop to have heard", |world| {
        own(world, laptop).blocked.contains(&ben)
    });
    let shown = |world: &World| world.shown(laptop, &channel);
    assert_eq!(shown(&world), ["from Cem"]);
    let cems = world
        .page(BEN, &channel, None)
        .pop()
        .expect("what Cem said");
    let reaction = |on| Command::React {
        target: cems.id.0,
        emoji: "👍".into(),
        on,
    };
    world.ask(BEN, reaction(true)).expect("a reaction");
    world.say(BEN, channel, "and more");
    world.until_of_one_digest(&[PHONE, BEN, CEM, laptop], &channel);
    for number in [PHONE, laptop] {
        assert_eq!(
            (
                world.shown(number, &channel),
                world.unread(number, &channel)
            ),
            (vec!["from Cem".to_owned()], 1)
        );
        world.verify(number, &channel);
        assert!(world.page(number, &channel, None)[0].reactions.is_empty());
    }
    assert_eq!(world.messages(laptop, &channel), 4, "held all the same");
    // Everybody else sees everything, and nothing in what the nodes hold tells of it.
    for number in others {
        assert_eq!(world.shown(number, &channel).len(), 4);
    }
    world.crash(laptop);
    world.start(laptop);
    assert_eq!(
        (shown(&world), world.unread(laptop, &channel)),
        (vec!["from Cem".to_owned()], 1)
    );
    // Nobody who is blocked puts this account into channels.
    let den = world.make(BEN, "den");
    let added = kith_node::engine::MemberAct::Add(kith_crdt::control::Role::Member);
    world.act(BEN, PHONE, den, added).expect("added");
    world.pass(120_000);
    assert_eq!(world.digest(PHONE, &den), None);
    set(&mut world, laptop, Subject::Block(ben), 0).expect("unblock");
    world.until("all to be shown", |world| {
        world.shown(laptop, &channel).len() == 4
            && world.unread(PHONE, &channel) == world.unread(laptop, &channel)
    });
}

#[test]
fn a_device_that_is_revoked_sets_nothing_any_more() {
    let (mut world, channel, laptop) = world(50);
    let about = Subject::Notify(channel);
    set(&mut world, PHONE, about, 1).expect("notify");
    world.until("the laptop to have it", |world| {
        own(world, laptop) == own(world, PHONE)
    });
    for number in [PHONE, BEN, CEM] {
        world.link(number, laptop, false);
    }
    let device = world.secrets(laptop).device();
    world
        .ask(PHONE, Command::RevokeDevice { device })
        .expect("the phone manages");
    set(&mut world, laptop, about, 2).expect("it does not know yet");
    say(
        &mut world,
        laptop,
        Subject::Draft(channel, None),
        "a thief's",
    )
    .expect("nor yet");
    world.heal();
    world.until("the laptop to know", |world| {
        let account = world.reading(laptop, |reading| reading.account());
        account.is_some_and(|account| account.revoked_at.is_some())
    });
    say(&mut world, PHONE, Subject::Draft(channel, None), "mine").expect("a draft");
    world.pass(120_000);
    assert_eq!(own(&world, PHONE).wishes(&channel).notify, Notify::Mentions);
    assert_eq!(drafts(&world, PHONE, channel), ["mine"]);
    assert_eq!(drafts(&world, laptop, channel), ["a thief's"]);
}

#[test]
fn a_text_that_holds_after_all_comes_back_from_whoever_has_it() {
    let (mut world, channel, laptop) = world(60);
    let tablet = world.link_device(PHONE, true);
    let watch = world.link_device(PHONE, false);
    let about = Subject::Draft(channel, None);
    say(&mut world, PHONE, about, "kept").expect("a draft");
    world.until("all to have it", |world| {
        [laptop, tablet, watch]
            .iter()
            .all(|number| drafts(world, *number, channel) == ["kept"])
    });
    // The tablet hears of the watch alone while a thief throws it away on the laptop.
    for other in [PHONE, laptop, BEN, CEM] {
        world.link(other, tablet, false);
        world.link(other, watch, false);
    }
    say(&mut world, laptop, about, "").expect("a thief may as yet");
    world.until("the phone to have none", |world| {
        drafts(world, PHONE, channel).is_empty()
    });
    world.pass(120_000);
    let device = world.secrets(laptop).device();
    world
        .ask(tablet, Command::RevokeDevice { device })
        .expect("it manages");
    world.heal();
    world.until("the phone to have it again", |world| {
        drafts(world, PHONE, channel) == ["kept"]
    });
    for number in [PHONE, tablet, watch] {
        assert_eq!(drafts(&world, number, channel), ["kept"]);
        for kept in own_channels(&world, number) {
            world.verify(number, &kept);
        }
    }
}
