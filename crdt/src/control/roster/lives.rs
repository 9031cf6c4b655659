//! What is written lives how long: the policy that holds, and what it makes of each epoch.
//!
//! The rules stand in `retention.rs`; here they are applied op by op. What was done at the same
//! time is settled in `resolve/retention.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{EpochState, Roster};
use crate::control::body::Body;
use crate::control::policy::Policy;
use crate::ids::{AccountId, EpochId, SegmentId};
use crate::retention::{Life, Retention};
use crate::term::Term;
use crate::time::{Hlc, Millis};

/// What the maker of an epoch promises to those who write in it, or who sets a retention for
/// existing messages to those who have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::control) struct Promise {
    /// How long what they write lives.
    pub(in crate::control) life: Life,
    /// Whom it waits for, where it lives until everybody has read it.
    pub(in crate::control) audience: Arc<BTreeSet<AccountId>>,
    /// How long what is sealed in the epoch is kept: as long as messages live now, or as long as the
    /// longest lived of those that were written before, about which something may be said in it.
    pub(in crate::control) kept: Term,
}

/// How long the epochs of each term are kept: how many of them so long.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Kept(BTreeMap<Term, BTreeMap<Term, u32>>);

impl Kept {
    fn add(&mut self, term: Term, kept: Term) {
        let count = self.0.entry(term).or_default().entry(kept).or_default();
        *count += 1;
    }

    fn forget(&mut self, term: Term, kept: Term) {
        let Some(of_term) = self.0.get_mut(&term) else {
            return;
        };
        if let Some(count) = of_term.get_mut(&kept) {
            *count -= 1;
            if *count == 0 {
                of_term.remove(&kept);
            }
        }
    }

    /// How long the longest kept epoch of a term is.
    fn longest(&self, term: Term) -> Option<Term> {
        let (longest, _) = self.0.get(&term)?.last_key_value()?;
        Some(*longest)
    }
}

impl Roster {
    /// What new messages live for.
    pub fn retention(&self) -> Retention {
        self.retention_limits.hold(self.retention_set)
    }

    /// What was set last for new messages, whether or not the limits leave it so.
    pub const fn retention_set(&self) -> Retention {
        self.retention_set
    }

    /// The epoch to seal messages in: of those that may be used the one whose op has the largest
    /// (lamport, op id). Without one, whoever wants to write makes one first.
    pub fn usable_epoch(&self) -> Option<EpochId> {
        self.usable_epochs(self.retention().term())
            .find(|(_, state)| state.takes_messages)
            .map(|(id, _)| id)
    }

    /// The epochs of a term that may be used, the one with the largest (lamport, op id) first. All
    /// of them take what is said about messages that are kept so long.
    pub fn usable_epochs(&self, term: Term) -> impl Iterator<Item = (EpochId, &EpochState)> {
        let newest_first = self.usable.iter().rev();
        newest_first
            .map(|(_, _, id)| (*id, &self.epochs[id]))
            .filter(move |(_, state)| state.term == term)
    }

    /// When nothing of a segment is kept any more, by its term and by what was set for existing
    /// messages; never, if it is kept for ever.
    pub fn segment_ends_at(&self, segment: &SegmentId) -> Option<Millis> {
        let (term, window) = (segment.term(), segment.window);
        let may_be_in = |state: &&EpochState| state.term == term && state.first_window <= window;
        let kept = self.epochs.values().filter(may_be_in);
        let longest = kept.map(|state| state.kept).max().unwrap_or(term);
        Some(segment.closes_at().plus(longest.as_millis()?))
    }

    /// Whether everything of a segment is over at a time.
    pub fn is_over(&self, segment: &SegmentId, at: Millis) -> bool {
        self.segment_ends_at(segment).is_some_and(|end| end <= at)
    }

    /// What would hold if messages were kept no longer than so, those that are there as well.
    #[must_use]
    pub fn shortened_to(&self, retention: Retention) -> Self {
        let mut shortened = self.clone();
        shortened.set_retention(retention);
        let existing = Policy::Retention {
            retention,
            existing: true,
        };
        let promise = self.promise(retention.term());
        shortened.shorten_all(&Body::Policy(existing), Some(&promise));
        shortened
    }

    /// When a message ends that was written at a time, sealed in an epoch, and asks to end at
    /// `wish`; nothing if it does not.
    pub fn ends_at(&self, epoch: &EpochId, written: Hlc, wish: Option<Millis>) -> Option<Millis> {
        let life = self.epochs.get(epoch).map(|epoch| epoch.life);
        life.unwrap_or_default().ends_at(written, wish)
    }

    /// Whom a message of an author waits for that was sealed in an epoch; nothing if it does not
    /// end by being read. Empty if all of them are gone.
    pub fn readers_awaited(
        &self,
        epoch: &EpochId,
        author: &AccountId,
    ) -> Option<impl Iterator<Item = AccountId>> {
        let state = self.epochs.get(epoch).filter(|epoch| epoch.life.instant)?;
        let author = *author;
        let is_other = move |account: &&AccountId| **account != author;
        state.audience.iter().find(is_other)?;
        let here = state.audience.iter().filter(is_other);
        Some(here.copied().filter(|account| self.is_member(account)))
    }

    /// What somebody promises who makes an epoch of a term now, or sets a retention of it.
    pub(in crate::control) fn promise(&self, term: Term) -> Promise {
        let audience: BTreeSet<AccountId> = self.active().map(|member| member.account).collect();
        // The same people as before take no room of their own.
        let newest = self
            .usable
            .last()
            .and_then(|(_, _, id)| self.epochs.get(id));
        let same = newest.filter(|state| *state.audience == audience);
        let life = Life::from(self.retention());
        let before = self.kept.longest(term).unwrap_or(Term::SHORTEST);
        Promise {
            kept: life.term.min(term).max(before),
            life,
            audience: same.map_or_else(|| Arc::new(audience), |state| Arc::clone(&state.audience)),
        }
    }

    /// Holds an epoch to what its maker promised.
    pub(in crate::control) fn keep_promise(
        &mut self,
        epoch: &EpochId,
        promise: &Promise,
        takes_messages: bool,
    ) {
        if let Some(state) = self.epochs.get_mut(epoch) {
            state.life = promise.life.within(state.term);
            self.kept.forget(state.term, state.kept);
            self.kept.add(state.term, promise.kept);
            state.kept = promise.kept;
            state.audience = Arc::clone(&promise.audience);
            state.takes_messages = takes_messages;
        }
    }

    /// Has a retention for existing messages that builds on everything here shorten them.
    pub(in crate::control) fn shorten_all(&mut self, body: &Body, promise: Option<&Promise>) {
        if let Body::Policy(Policy::Retention {
            retention,
            existing: true,
        }) = body
            && let Some(promise) = promise
        {
            let all: Vec<EpochId> = self.epochs.keys().copied().collect();
            all.iter()
                .for_each(|epoch| self.shorten(epoch, (*retention, &promise.audience)));
        }
    }

    /// Has no message of some epochs wait any more for somebody who has gone, also if they come back:
    /// messages have ended since.
    pub(in crate::control) fn await_no_more(
        &mut self,
        account: &AccountId,
        in_epoch: impl Fn(&EpochId) -> bool,
    ) {
        // The same people take no room of their own.
        let mut shared: BTreeMap<Arc<BTreeSet<AccountId>>, Arc<BTreeSet<AccountId>>> =
            BTreeMap::new();
        for (id, state) in &mut self.epochs {
            if in_epoch(id) && state.audience.contains(account) {
                let left = shared
                    .entry(Arc::clone(&state.audience))
                    .or_insert_with(|| {
                        let mut left = (*state.audience).clone();
                        left.remove(account);
                        Arc::new(left)
                    });
                state.audience = Arc::clone(left);
            }
        }
    }

    /// Sets what new messages live for.
    pub(super) fn set_retention(&mut self, retention: Retention) {
        self.retention_set = retention;
        self.begin_new_epochs();
    }

    /// Shortens the life of what is sealed in an epoch, by a retention that was set when so many
    /// belonged. Limits set meanwhile do not lengthen it again: messages have been erased by it.
    pub(in crate::control) fn shorten(
        &mut self,
        epoch: &EpochId,
        (retention, belonged): (Retention, &Arc<BTreeSet<AccountId>>),
    ) {
        let Some(state) = self.epochs.get_mut(epoch) else {
            return;
        };
        if retention == Retention::Instant {
            state.audience = match state.life.instant {
                // Of several that were set at once nobody takes back what another has ended.
                true => Arc::new(&*state.audience & &**belonged),
                false => Arc::clone(belonged),
            };
        }
        state.life = state.life.shortened_by(retention);
        let kept = state.kept.min(retention.term());
        self.kept.forget(state.term, state.kept);
        self.kept.add(state.term, kept);
        state.kept = kept;
    }

    /// Takes an epoch in, in the place of another of its id if there is one.
    pub(super) fn put_epoch(&mut self, id: EpochId, state: EpochState) {
        let (term, kept) = (state.term, state.kept);
        let before = self.epochs.insert(id, state);
        if let Some(before) = before {
            self.kept.forget(before.term, before.kept);
        }
        self.kept.add(term, kept);
    }

    /// Has messages be sealed in other epochs than this one.
    pub(in crate::control) fn take_no_more_messages(&mut self, epoch: &EpochId) {
        if let Some(state) = self.epochs.get_mut(epoch) {
            state.takes_messages = false;
        }
    }

    /// Has messages wait for an epoch whose maker knows of what has just been done.
    pub(super) fn begin_new_epochs(&mut self) {
        for state in self.epochs.values_mut() {
            state.takes_messages = false;
        }
    }
}
