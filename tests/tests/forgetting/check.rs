//! Every way to read at a node, held against what follows from the history.

use std::collections::{BTreeMap, BTreeSet};

use kith_api::event::{Event, Happened};
use kith_api::message::{DeliveryState, Message, PageQuery};
use kith_api::why::Showing;
use kith_crdt::ids::{ChannelId, MessageId, OpId};
use kith_crdt::time::Millis;
use kith_node::engine::ChannelView;
use kith_node::read::Reading;
use kith_tests::world::World;

use crate::history::{Fate, History, Ops, Said, Who};

/// The one emoji that people react with.
pub(crate) const EMOJI: &str = "👍";

/// What a node shows at one moment.
pub(crate) struct Sight {
    pub(crate) messages: BTreeMap<MessageId, Message>,
    pub(crate) pinned: BTreeSet<MessageId>,
}

/// The ops of a history that a node has heard of.
pub(crate) fn known(world: &World, at: Who, channel: &ChannelId, history: &History) -> Ops {
    let view = world.engine(at).shared().channel(channel);
    let heard = |view: &ChannelView, op: &OpId| view.roster.verdicts.contains_key(op);
    view.map_or_else(Ops::new, |view| {
        history.ops().filter(|op| heard(&view, op)).collect()
    })
}

/// Looks at all pages of a node.
pub(crate) fn look(world: &World, at: Who, channel: &ChannelId, history: &History) -> Sight {
    let mut sight = Sight {
        messages: BTreeMap::new(),
        pinned: BTreeSet::new(),
    };
    let Some(view) = world.engine(at).shared().channel(channel) else {
        return sight;
    };
    let threads: BTreeSet<MessageId> = history.said.iter().filter_map(|said| said.thread).collect();
    world.reading(at, |reading| {
        let mut note = |messages: Vec<Message>, thread: Option<MessageId>| {
            for message in messages {
                assert_eq!(
                    message.thread.map(|id| id.0),
                    thread,
                    "at {at}: on its own page"
                );
                sight.messages.insert(message.id.0, message);
            }
        };
        note(
            page(reading, &view, None).expect("there is a timeline"),
            None,
        );
        for thread in threads {
            note(
                page(reading, &view, Some(thread)).unwrap_or_default(),
                Some(thread),
            );
        }
        let pins = reading.pins(&view);
        sight.pinned = pins.into_iter().map(|message| message.id.0).collect();
    });
    sight
}

fn page(
    reading: &Reading<'_>,
    view: &ChannelView,
    thread: Option<MessageId>,
) -> Option<Vec<Message>> {
    let query = PageQuery {
        limit: Some(500),
        before: None,
        thread: thread.map(|thread| thread.to_string()),
    };
    reading.page(view, &query).ok()
}

/// A node that is held against the history.
pub(crate) struct Check<'a> {
    pub(crate) world: &'a World,
    pub(crate) channel: ChannelId,
    pub(crate) at: Who,
    pub(crate) accounts: &'a [kith_crdt::ids::AccountId],
}

impl Check<'_> {
    /// Holds all pages and counts of a node against the history, and notes what it has shown.
    /// Returns what was over there.
    pub(crate) fn pages(&self, history: &mut History) -> BTreeSet<MessageId> {
        let Self {
            world, channel, at, ..
        } = self;
        let known = known(world, *at, channel, history);
        let clock = world.clock(*at);
        let sight = look(world, *at, channel, history);
        let mut over = BTreeSet::new();
        let mut seen = Vec::new();
        for said in &history.said {
            let fate = history.fate(said, &known, clock);
            let shown = sight.messages.get(&said.id);
            if fate == Fate::Over {
                over.insert(said.id);
                assert!(
                    shown.is_none(),
                    "{} is over and on a page",
                    self.named(said, clock)
                );
                let pinned = sight.pinned.contains(&said.id);
                assert!(!pinned, "{} is over and pinned", self.named(said, clock));
            }
            if let Some(message) = shown {
                self.message(history, (said, &known), message);
                if message.text.is_some() {
                    seen.push(said.id);
                }
            }
            let is_due = said.seen_at.contains(at) && !history.may_be_hidden(said);
            if is_due && fate == Fate::Lives {
                assert!(
                    shown.is_some(),
                    "{} lives and is lost",
                    self.named(said, clock)
                );
            }
        }
        let unknown = sight
            .messages
            .keys()
            .find(|id| !history.said.iter().any(|said| said.id == **id));
        assert_eq!(unknown, None, "at {at}: nobody sent it");
        self.counts(history, &over);
        self.replies(history, &sight, &over);
        for id in seen {
            history.find(id).seen_at.insert(*at);
        }
        over
    }

    /// Holds a message as it is shown against what was done to it.
    fn message(&self, history: &History, (said, known): (&Said, &Ops), message: &Message) {
        let named = || self.named(said, self.world.clock(self.at));
        let end = history.end(said, known);
        let shown_end = message.expires_at.map(|at| Millis(at.0));
        assert_eq!(shown_end, end.at, "{}", named());
        // Whoever was alone waits for nobody.
        let awaited = history.awaited(said, known);
        let is_alone = awaited.is_empty();
        let says_so = message.instant == end.instant || is_alone && !message.instant;
        assert!(says_so, "{}: instant {}", named(), message.instant);
        assert_eq!(message.at.0, said.at.0, "{}", named());
        if said.deleted_by.is_empty() {
            assert!(!message.deleted, "{}: nobody deleted it", named());
        }
        match &message.text {
            Some(text) => {
                assert!(
                    !message.deleted && said.texts.contains(text),
                    "{}: {text}",
                    named()
                );
            }
            None if !said.deleted_by.is_empty() || !said.seen_at.contains(&self.at) => {}
            // The text of an edit may come too late to be had from anybody.
            None if said.texts.len() > 1 && self.is_over_somewhere(history, said) => {}
            None => panic!("{} lives and has lost its text", named()),
        }
        let account = |who: &Who| self.accounts[*who];
        // What goes by being read is not shown as read by everybody who belongs.
        let read = |who: &Who| {
            message
                .read_by
                .iter()
                .any(|by| by.account.0 == account(who))
        };
        let belongs = |who: &Who| self.world.is_member(self.at, *who, &self.channel);
        let waits = |who: &Who| belongs(who) && !read(who);
        assert!(
            is_alone || awaited.iter().any(waits),
            "{} is read by all and shown",
            named()
        );
    }

    /// Whether somebody may have purged a message by what anybody knows and any clock.
    fn is_over_somewhere(&self, history: &History, said: &Said) -> bool {
        let all: Ops = history.ops().collect();
        (0..self.accounts.len())
            .any(|who| history.fate(said, &all, self.world.clock(who)) != Fate::Lives)
    }

    /// What is counted of a channel is not over.
    fn counts(&self, history: &History, over: &BTreeSet<MessageId>) {
        let Self { world, at, .. } = self;
        let Some(view) = world.engine(*at).shared().channel(&self.channel) else {
            return;
        };
        // These are made when something is purged: in the turn after it is due, and not as long as
        // nobody confirms a clock that has leapt.
        let clock_ahead = world.engine(*at).shared().clock_ahead();
        if world.is_at_work(*at) || clock_ahead.is_some() {
            return;
        }
        let there = history.said.iter().filter(|said| !over.contains(&said.id));
        let of_others = there.clone().filter(|said| said.author != *at);
        let (most, most_unread) = (there.count() as u64, of_others.count() as u64);
        let (messages, unread) = (view.messages, view.unread + view.unread_replies());
        assert!(
            messages <= most,
            "at {at}: {messages} of {most} are counted"
        );
        assert!(
            unread <= most_unread,
            "at {at}: {unread} of {most_unread} are unread"
        );
    }

    /// The replies that are counted in a thread are not over, and those that are shown are counted.
    fn replies(&self, history: &History, sight: &Sight, over: &BTreeSet<MessageId>) {
        for message in sight.messages.values() {
            let in_thread = |said: &&Said| said.thread == Some(message.id.0);
            let replies = history.said.iter().filter(in_thread);
            let is_shown = |said: &&Said| {
                let reply = sight.messages.get(&said.id);
                reply.is_some_and(|reply| reply.hidden.is_none())
            };
            let least = replies.clone().filter(is_shown).count() as u64;
            let most = replies.filter(|said| !over.contains(&said.id)).count() as u64;
            let counted = message.replies;
            assert!(
                least <= counted && counted <= most,
                "at {}: {counted} replies are counted of {least} to {most}",
                self.at
            );
        }
    }

    /// Asks for each of these by its id, which are over.
    pub(crate) fn lookups(&self, history: &History, over: &BTreeSet<MessageId>) {
        let view = self.world.engine(self.at).shared().channel(&self.channel);
        let Some(view) = view else { return };
        self.world.reading(self.at, |reading| {
            for said in history.said.iter().filter(|said| over.contains(&said.id)) {
                let named = || self.named(said, self.world.clock(self.at));
                let id = said.id.to_string();
                let found = reading.find_message(&id);
                assert!(found.is_err(), "{} is over and found", named());
                let why = reading.why_message(&id).map(|why| why.showing);
                let shown = matches!(why, Ok(Showing::Shown | Showing::Deleted));
                assert!(!shown, "{} is over and explained", named());
                let replies = page(reading, &view, Some(said.id)).unwrap_or_default();
                assert!(
                    replies.iter().all(|reply| reply.id.0 != said.id),
                    "{}",
                    named()
                );
            }
        });
    }

    /// Asks for one that is there by its id.
    pub(crate) fn shows(&self, said: &Said) {
        let view = self.world.engine(self.at).shared().channel(&self.channel);
        let Some(view) = view else { return };
        self.world.reading(self.at, |reading| {
            let named = || self.named(said, self.world.clock(self.at));
            let found = reading.find_message(&said.id.to_string());
            let (_, _, place) = found.unwrap_or_else(|error| panic!("{}: {error:?}", named()));
            let detail = reading.message_detail(&view, place);
            assert!(detail.is_some(), "{} is listed and not shown", named());
            let history = reading.history(&view, place);
            assert!(
                history.is_some_and(|texts| !texts.is_empty()),
                "{}",
                named()
            );
        });
    }

    /// Reads the durable events after a cursor, and returns the one to go on from.
    pub(crate) fn events(&self, history: &History, over: &BTreeSet<MessageId>, since: u64) -> u64 {
        let told = self.world.reading(self.at, |reading| {
            reading.events(since, u64::MAX, 100_000, Some(&self.channel))
        });
        let (events, next) = told;
        let named: BTreeSet<MessageId> = events.iter().flat_map(told_of).collect();
        if let Some(id) = named.intersection(over).next() {
            let said = history.said.iter().find(|said| said.id == *id);
            let named = said.map(|said| self.named(said, self.world.clock(self.at)));
            panic!("{named:?} is over and told of");
        }
        next
    }

    /// Names a message and the moment, for whoever reads what failed.
    fn named(&self, said: &Said, clock: Millis) -> String {
        let Said {
            id,
            author,
            at,
            promised,
            wish,
            ..
        } = said;
        format!(
            "at {} by its clock {}: message {id} of {author}, written {}, kept {promised}, to end \
             {wish:?}",
            self.at, clock.0, at.0
        )
    }
}

/// The messages that an event tells of. That one is over, or has failed, is told when it is gone.
fn told_of(event: &Event) -> Vec<MessageId> {
    match &event.what {
        Happened::Message { message, .. }
        | Happened::MessageEdited { message, .. }
        | Happened::MessageDeleted { message, .. } => vec![message.id.0],
        Happened::Reaction { id, .. } | Happened::Pin { id, .. } => vec![id.0],
        Happened::State { id, state, .. } if *state != DeliveryState::Failed => vec![id.0],
        Happened::Read { ids, .. } => ids.iter().map(|id| id.0).collect(),
        _ => Vec::new(),
    }
}
