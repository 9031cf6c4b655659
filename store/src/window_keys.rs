//! The window keys that are alive, in memory: one for each (channel, window, term), shared by the
//! writer and every reader.
//!
//! A key that is taken away is gone for all of them at once, also for views made before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use kith_crdt::crypto::secret::Secret;
use kith_crdt::ids::{ChannelId, Window};
use kith_crdt::term::{Span, Term};

use crate::keys::Tag;

/// The first span that there can be: no term is less than an hour.
const FIRST: Span = Span {
    window: Window(0),
    term: Term::SHORTEST,
};

/// One window key with what it is for.
#[derive(Clone)]
pub(crate) struct WindowKey {
    pub(crate) chan: Tag,
    pub(crate) span: Span,
    pub(crate) secret: Secret,
}

/// What is known of a key number.
pub(crate) enum Lookup {
    /// The key is there.
    Alive(Secret),
    /// The key was deleted, as a mark in its place says, and what it sealed has ended.
    Gone,
    /// There is neither key nor mark: the record of the key, or the number itself, is damaged.
    Lost,
}

/// All window keys of a home.
#[derive(Default)]
pub(crate) struct WindowKeys(RwLock<Content>);

#[derive(Default)]
struct Content {
    by_number: BTreeMap<u32, WindowKey>,
    by_span: BTreeMap<(Tag, Span), u32>,
    channels: BTreeMap<Tag, ChannelId>,
    deleted: BTreeSet<u32>,
    next: u32,
}

impl WindowKeys {
    fn read(&self) -> RwLockReadGuard<'_, Content> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Content> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn insert(&self, number: u32, channel: ChannelId, key: WindowKey) {
        let mut content = self.write();
        content.channels.insert(key.chan, channel);
        content.by_span.insert((key.chan, key.span), number);
        content.by_number.insert(number, key);
        content.next = content.next.max(number.saturating_add(1));
    }

    /// Takes a key out of memory that was deleted.
    pub(crate) fn remove(&self, number: u32) {
        let mut content = self.write();
        content.deleted.insert(number);
        content.next = content.next.max(number.saturating_add(1));
        if let Some(key) = content.by_number.remove(&number) {
            content.by_span.remove(&(key.chan, key.span));
        }
    }

    /// Raises the next number to give out; numbers are never given out twice.
    pub(crate) fn raise_next(&self, next: u32) {
        let mut content = self.write();
        content.next = content.next.max(next).max(1);
    }

    pub(crate) fn next(&self) -> u32 {
        self.read().next.max(1)
    }

    pub(crate) fn number(&self, chan: Tag, span: Span) -> Option<u32> {
        self.read().by_span.get(&(chan, span)).copied()
    }

    pub(crate) fn secret(&self, number: u32) -> Lookup {
        let content = self.read();
        match content.by_number.get(&number) {
            Some(key) => Lookup::Alive(key.secret.clone()),
            None if content.deleted.contains(&number) => Lookup::Gone,
            None => Lookup::Lost,
        }
    }

    /// A key and the channel that it is for.
    pub(crate) fn get(&self, number: u32) -> Option<(ChannelId, WindowKey)> {
        let content = self.read();
        let key = content.by_number.get(&number)?;
        Some((*content.channels.get(&key.chan)?, key.clone()))
    }

    /// What a key is for.
    pub(crate) fn scope(&self, number: u32) -> Option<(ChannelId, Span)> {
        let content = self.read();
        let key = content.by_number.get(&number)?;
        Some((*content.channels.get(&key.chan)?, key.span))
    }

    /// The channels that have keys.
    pub(crate) fn channels(&self) -> Vec<ChannelId> {
        let content = self.read();
        let alive: BTreeSet<Tag> = content.by_number.values().map(|key| key.chan).collect();
        let of_tag = |chan: &Tag| content.channels.get(chan).copied();
        alive.iter().filter_map(of_tag).collect()
    }

    /// What of a channel has a key, the oldest windows first.
    pub(crate) fn spans(&self, chan: Tag) -> Vec<Span> {
        let content = self.read();
        let spans = content.by_span.range((chan, FIRST)..);
        let of_channel = spans.take_while(|((of, _), _)| *of == chan);
        of_channel.map(|(&(_, span), _)| span).collect()
    }

    /// The terms that a channel has keys of, and that for ever.
    pub(crate) fn terms(&self, chan: Tag) -> BTreeSet<Term> {
        let spans = self.spans(chan).into_iter();
        spans.map(|span| span.term).chain([Term::FOREVER]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANNEL: ChannelId = ChannelId([1; 32]);
    const CHAN: Tag = [1; 8];

    const fn span(window: u32) -> Span {
        Span {
            window: Window(window),
            term: Term::FOREVER,
        }
    }

    fn with(numbers: &[u32]) -> WindowKeys {
        let keys = WindowKeys::default();
        for &number in numbers {
            let key = WindowKey {
                chan: CHAN,
                span: span(number * 24),
                secret: Secret::new([number as u8; 32]),
            };
            keys.insert(number, CHANNEL, key);
        }
        keys
    }

    #[test]
    fn a_removed_key_is_gone_and_its_number_is_not_given_out_again() {
        let keys = with(&[1, 2]);
        keys.remove(2);
        assert!(matches!(keys.secret(1), Lookup::Alive(_)));
        assert!(matches!(keys.secret(2), Lookup::Gone));
        assert!(matches!(keys.secret(3), Lookup::Lost));
        assert_eq!((keys.next(), keys.spans(CHAN)), (3, vec![span(24)]));
    }

    #[test]
    fn a_key_that_nobody_deleted_is_lost_not_gone() {
        let keys = with(&[1, 3]);
        assert!(matches!(keys.secret(2), Lookup::Lost));
        assert_eq!(keys.scope(3), Some((CHANNEL, span(72))));
        assert_eq!(keys.number(CHAN, span(72)), Some(3));
    }
}
