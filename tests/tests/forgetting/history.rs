//! What was done, and what follows from it for each message by the promise of retention alone.
//!
//! Nothing here asks how a node forgets. It is told what people did, what they were shown when they
//! did it, and which ops of the control log a node has heard of; from that follows what a node has to
//! show by its own clock:
//!
//! 1. **Time.** A message is there until `min(at + retention, wish)`, where the retention is the one
//!    that its author was shown when they sent it, shortened by every retention for existing messages
//!    that this node has heard of and the author had not. That is exact to the millisecond, whatever
//!    the clocks and whatever was set meanwhile, so nothing is left open here.
//! 2. **Readers.** A message that goes by being read may be gone as soon as everybody it waits for has
//!    read it or is out, wherever that is known: until then it is there. Between that and the end of
//!    its time nothing is asserted of one node, but that all agree once everything has arrived; and
//!    then it has to be gone if everybody it waits for has read it.
//! 3. **Removal.** What somebody wrote and their remover had not seen may be hidden, on some nodes
//!    before others. Of such a message nothing is asserted but its end, and agreement.

use std::collections::{BTreeMap, BTreeSet};

use kith_crdt::ids::{MessageId, OpId};
use kith_crdt::retention::Retention;
use kith_crdt::time::{HOUR_MS, Millis};

/// The longest that a message waits for its readers.
const WAITS_MS: u64 = 30 * 24 * HOUR_MS;

/// One of the people, by number; each has one node.
pub(crate) type Who = usize;
/// Ops of the control log that somebody had heard of.
pub(crate) type Ops = BTreeSet<OpId>;

/// A message that was sent.
pub(crate) struct Said {
    pub(crate) id: MessageId,
    pub(crate) author: Who,
    /// The time it bears.
    pub(crate) at: Millis,
    /// When it asks to end.
    pub(crate) wish: Option<Millis>,
    /// The thread it is in.
    pub(crate) thread: Option<MessageId>,
    /// The retention that its author was shown.
    pub(crate) promised: Retention,
    /// What its author had heard of.
    pub(crate) knew: Ops,
    /// Who belonged as its author knew.
    pub(crate) members: BTreeSet<Who>,
    /// All texts that it was given.
    pub(crate) texts: Vec<String>,
    /// Who deleted it, and what they had heard of.
    pub(crate) deleted_by: Vec<(Who, Ops)>,
    /// Who read it and what they had heard of when they said so; without, they may have.
    pub(crate) read_by: BTreeMap<Who, Option<Ops>>,
    /// The latest word of each on their reaction, and what they had heard of.
    pub(crate) reactions: BTreeMap<Who, Vec<(bool, Ops)>>,
    /// The nodes that have shown it, with its text.
    pub(crate) seen_at: BTreeSet<Who>,
}

/// A retention that was set.
pub(crate) struct Set {
    pub(crate) op: OpId,
    pub(crate) retention: Retention,
    pub(crate) existing: bool,
    /// What whoever set it had heard of.
    pub(crate) knew: Ops,
    /// Who belonged as far as they knew.
    pub(crate) members: BTreeSet<Who>,
}

/// Somebody left or was taken out.
pub(crate) struct Departure {
    pub(crate) op: OpId,
    pub(crate) who: Who,
    /// What whoever took them out was shown of theirs; nothing if they left.
    pub(crate) remover_saw: Option<BTreeSet<MessageId>>,
}

/// What has become of a message at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Lives,
    /// Who it waits for may have read it.
    Open,
    Over,
}

/// When a message ends as a node knows it, and whether it goes by being read before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) at: Option<Millis>,
    pub(crate) instant: bool,
}

/// All that was done.
#[derive(Default)]
pub(crate) struct History {
    /// What the channel began with.
    pub(crate) first: Retention,
    pub(crate) said: Vec<Said>,
    pub(crate) set: Vec<Set>,
    pub(crate) departures: Vec<Departure>,
}

impl History {
    /// The ops that anything follows from.
    pub(crate) fn ops(&self) -> impl Iterator<Item = OpId> {
        let set = self.set.iter().map(|set| set.op);
        set.chain(self.departures.iter().map(|gone| gone.op))
    }

    /// The retentions that may hold for somebody who has heard of these ops: those that were set by
    /// nobody who was outdone by another who knew of it.
    pub(crate) fn may_hold(&self, known: &Ops) -> Vec<Retention> {
        let heard: Vec<&Set> = self
            .set
            .iter()
            .filter(|set| known.contains(&set.op))
            .collect();
        let outdone = |set: &&&Set| heard.iter().any(|later| later.knew.contains(&set.op));
        let latest = heard.iter().filter(|set| !outdone(set));
        let latest: Vec<Retention> = latest.map(|set| set.retention).collect();
        match latest.is_empty() {
            true => vec![self.first],
            false => latest,
        }
    }

    /// The retentions for existing messages that shorten a message at a node that has heard of
    /// these ops.
    fn shortening<'a>(&'a self, said: &'a Said, known: &'a Ops) -> impl Iterator<Item = &'a Set> {
        let existing = self.set.iter().filter(|set| set.existing);
        existing.filter(|set| known.contains(&set.op) && !said.knew.contains(&set.op))
    }

    /// Whom a message waits for that goes by being read, at a node that has heard of these ops:
    /// everybody but its author who belonged as its author knew, if it was sent so, and as everybody
    /// knew who set that for existing messages.
    pub(crate) fn awaited(&self, said: &Said, known: &Ops) -> BTreeSet<Who> {
        let sent = (said.promised == Retention::Instant).then_some(&said.members);
        let set = self.shortening(said, known);
        let set = set.filter(|set| set.retention == Retention::Instant);
        let audiences = sent.into_iter().chain(set.map(|set| &set.members));
        let everybody = audiences.cloned().reduce(|all, some| &all & &some);
        let mut awaited = everybody.unwrap_or_default();
        awaited.remove(&said.author);
        awaited
    }

    /// When a message ends for a node that has heard of these ops.
    pub(crate) fn end(&self, said: &Said, known: &Ops) -> End {
        let mut term = term_ms(said.promised);
        let mut instant = said.promised == Retention::Instant;
        for set in self.shortening(said, known) {
            term = term.into_iter().chain(term_ms(set.retention)).min();
            instant |= set.retention == Retention::Instant;
        }
        let own = term.map(|ms| said.at.plus(ms));
        End {
            at: own.into_iter().chain(said.wish).min(),
            instant,
        }
    }

    /// What has become of a message at a node that has heard of these ops, by its clock.
    pub(crate) fn fate(&self, said: &Said, known: &Ops, clock: Millis) -> Fate {
        let End { at, instant } = self.end(said, known);
        match at.is_some_and(|at| at <= clock) {
            true => Fate::Over,
            false if instant && self.may_be_read(said, known) => Fate::Open,
            false => Fate::Lives,
        }
    }

    /// Whether somewhere it may be known that everybody has read a message for whom it waits at a
    /// node that has heard of these ops.
    fn may_be_read(&self, said: &Said, known: &Ops) -> bool {
        let has_left = |who: &Who| {
            let theirs = self.departures.iter().filter(|gone| gone.who == *who);
            theirs.into_iter().any(|gone| !said.knew.contains(&gone.op))
        };
        let awaited = self.awaited(said, known);
        let done = |who: &Who| said.read_by.contains_key(who) || has_left(who);
        !awaited.is_empty() && awaited.iter().all(done)
    }

    /// Whether everybody who belongs has read a message for sure that waits for them at a node that
    /// has heard of these ops.
    pub(crate) fn is_read(&self, said: &Said, (known, members): (&Ops, &BTreeSet<Who>)) -> bool {
        let read = |who: &Who| match said.read_by.get(who) {
            Some(Some(knew)) => self.stands(*who, knew),
            _ => !members.contains(who),
        };
        let awaited = self.awaited(said, known);
        !awaited.is_empty() && awaited.iter().all(read)
    }

    /// Whether nothing can hide what somebody did who had heard of these ops.
    pub(crate) fn stands(&self, who: Who, knew: &Ops) -> bool {
        let removals = self.departures.iter().filter(|gone| gone.who == who);
        let mut removals = removals.filter(|gone| gone.remover_saw.is_some());
        removals.all(|gone| knew.contains(&gone.op))
    }

    /// Whether a message may be hidden: whoever took its author out had not seen it.
    pub(crate) fn may_be_hidden(&self, said: &Said) -> bool {
        self.departures.iter().any(|gone| {
            let saw = gone.remover_saw.as_ref();
            gone.who == said.author
                && !said.knew.contains(&gone.op)
                && saw.is_some_and(|saw| !saw.contains(&said.id))
        })
    }

    /// The message with an id.
    pub(crate) fn find(&mut self, id: MessageId) -> &mut Said {
        let said = self.said.iter_mut().find(|said| said.id == id);
        said.expect("whatever is shown was sent")
    }
}

fn term_ms(retention: Retention) -> Option<u64> {
    match retention {
        Retention::Forever => None,
        Retention::Hours(hours) => Some(u64::from(hours) * HOUR_MS),
        Retention::Instant => Some(WAITS_MS),
    }
}
