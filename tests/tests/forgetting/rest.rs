//! Looking at every node, at each step and once everything has come to rest.

use std::collections::BTreeSet;

use kith_crdt::ids::MessageId;
use kith_crdt::time::DAY_MS;

use crate::check::{Check, EMOJI, look};
use crate::history::{Fate, Ops, Said, Who};
use crate::life::{Life, MINUTE_MS, PEOPLE, TURN_MS};

impl Life {
    /// Holds every node that runs against the history.
    pub(crate) fn look_everywhere(&mut self) {
        // What a node has just heard, it acts on in its next turn.
        self.world.pass(TURN_MS);
        let whose_events = self.below(PEOPLE as u64) as Who;
        for at in (0..PEOPLE).filter(|at| self.world.runs(*at)) {
            let check = Check {
                world: &self.world,
                channel: self.channel,
                at,
                accounts: &self.accounts,
            };
            let over = check.pages(&mut self.history);
            let is_anew = self.cursors[at] == 0 || at == whose_events;
            let since = if is_anew { 0 } else { self.cursors[at] };
            let next = check.events(&self.history, &over, since);
            // One by one once it is over, after each start, and now and then.
            let before = &self.over[at];
            let newly: BTreeSet<MessageId> = over.difference(before).copied().collect();
            check.lookups(&self.history, if is_anew { &over } else { &newly });
            let there = self.history.said.iter().rev().find(|said| {
                said.seen_at.contains(&at)
                    && !self.history.may_be_hidden(said)
                    && self
                        .history
                        .fate(said, &self.known(at), self.world.clock(at))
                        == Fate::Lives
            });
            if let Some(said) = there {
                check.shows(said);
            }
            self.tally.ends += newly.len() as u64;
            self.over[at] = over;
            self.cursors[at] = next;
            self.tally.looks += 1;
        }
    }

    /// Heals everything, waits until all agree, and compares what they show.
    pub(crate) fn rest(&mut self) {
        self.note("heals".to_owned());
        self.world.lose_gossip(0);
        for who in std::mem::take(&mut self.back).into_keys() {
            self.cursors[who] = 0;
        }
        self.world.heal();
        // What comes from a clock that is ahead by more than five minutes is taken when it is not.
        self.world.pass(16 * MINUTE_MS);
        self.look_everywhere();
        let members: BTreeSet<Who> = (0..PEOPLE)
            .filter(|who| self.world.is_member(0, *who, &self.channel))
            .collect();
        let all: Vec<Who> = members.iter().copied().collect();
        self.world.until_agreed(&all, &self.channel);
        self.look_everywhere();
        self.agree(&members);
        // What is kept for a month at most is gone after another, and the rest is not.
        self.world.jump(40 * DAY_MS);
        self.look_everywhere();
        self.world.pass(2 * MINUTE_MS);
        self.look_everywhere();
        self.world.until_agreed(&all, &self.channel);
        self.look_everywhere();
        self.agree(&members);
    }

    /// All members show the same, and all of what has to be there.
    pub(crate) fn agree(&self, members: &BTreeSet<Who>) {
        let sights: Vec<_> = members
            .iter()
            .map(|who| {
                (
                    *who,
                    look(&self.world, *who, &self.channel, &self.history),
                    self.known(*who),
                )
            })
            .collect();
        // Everything has arrived everywhere.
        let known = &sights[0].2;
        for said in &self.history.said {
            let fates: Vec<Fate> = sights
                .iter()
                .map(|(who, _, known)| self.history.fate(said, known, self.world.clock(*who)))
                .collect();
            // By some clocks it is over and by others not yet.
            if fates.iter().any(|fate| *fate != fates[0]) {
                continue;
            }
            let is_hidden = self.history.may_be_hidden(said);
            let holds = said.seen_at.iter().any(|who| members.contains(who));
            let is_due = fates[0] == Fate::Lives && holds && !is_hidden;
            let is_read = fates[0] == Fate::Open
                && self.history.is_read(said, (known, members))
                && !is_hidden;
            let shown = sights.iter().map(|(who, sight, _)| {
                let message = sight.messages.get(&said.id);
                let message = message.filter(|message| message.hidden.is_none());
                assert!(message.is_some() || !is_due, "{who} lacks {}", said.id);
                assert!(
                    message.is_none() || !is_read,
                    "{who} shows {}, which all read",
                    said.id
                );
                message.map(|message| {
                    let reactions = message.reactions.get(EMOJI).map_or(0, |given| given.count);
                    (
                        &message.text,
                        message.deleted,
                        message.pinned,
                        reactions,
                        &message.read_by,
                    )
                })
            });
            let shown: Vec<_> = shown.collect();
            for (other, (who, ..)) in shown.iter().zip(&sights) {
                assert_eq!(*other, shown[0], "{} at {who} and {}", said.id, sights[0].0);
            }
            self.as_done(
                said,
                shown[0].map(|(text, deleted, _, reactions, _)| (text, deleted, reactions)),
            );
        }
    }

    /// What all agree on about a message is what was done to it, where nothing may hide that.
    pub(crate) fn as_done(&self, said: &Said, shown: Option<(&Option<String>, bool, u64)>) {
        let Some((text, deleted, reactions)) = shown else {
            return;
        };
        let stands = |(who, knew): &(Who, Ops)| self.history.stands(*who, knew);
        assert!(
            deleted || !said.deleted_by.iter().any(stands),
            "{} is not deleted",
            said.id
        );
        if said.deleted_by.is_empty() {
            let is_author_safe = self.history.stands(said.author, &said.knew);
            let last = said.texts.last();
            assert!(
                !is_author_safe || text.as_ref() == last,
                "{} says {text:?}",
                said.id
            );
        }
        let words = || {
            said.reactions
                .iter()
                .flat_map(|(who, words)| words.iter().map(move |(_, knew)| (*who, knew)))
        };
        if !deleted && words().all(|(who, knew)| self.history.stands(who, knew)) {
            let on = said
                .reactions
                .values()
                .filter(|words| words.last().is_some_and(|(on, _)| *on));
            assert_eq!(reactions, on.count() as u64, "reactions to {}", said.id);
        }
    }
}
