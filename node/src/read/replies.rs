//! How many messages a thread has, and how many of them are unread: those that are there and shown.

use kith_crdt::ids::Place;
use kith_crdt::limits::PAGE_MAX;
use kith_store::Line;

use super::Reading;
use crate::engine::ChannelView;

/// The messages of a thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Replies {
    /// How many there are.
    pub(super) all: u64,
    /// How many of those are unread.
    pub(super) unread: u64,
}

impl Reading<'_> {
    /// Counts the messages of threads whose time is not over.
    pub(super) fn replies(&self, channel: &ChannelView, threads: &[Line]) -> Vec<Replies> {
        let lengths = self.view.lengths(threads).into_iter();
        lengths
            .zip(threads)
            .map(|(length, thread)| match length {
                0 => Replies::default(),
                _ => self.replies_in(channel, *thread),
            })
            .collect()
    }

    fn replies_in(&self, channel: &ChannelView, thread: Line) -> Replies {
        let mut opener = self.opener(channel);
        let (mut replies, mut before) = (Replies::default(), None);
        loop {
            let page = self.view.page(thread, before, PAGE_MAX);
            let places: Vec<Place> = page.iter().map(|entry| entry.place).collect();
            let stored = self.view.multi_envelopes(&channel.id, &places);
            for (place, stored) in places.iter().zip(stored) {
                // What cannot be read at all is there still.
                let is_gone = |bytes: Vec<u8>| opener.is_gone(*place, &bytes);
                if is_hidden(channel, place) || stored.is_some_and(is_gone) {
                    continue;
                }
                replies.all += 1;
                replies.unread += u64::from(is_unread(channel, place));
            }
            before = page.first().map(|entry| (entry.hlc, entry.place));
            if page.len() < PAGE_MAX {
                return replies;
            }
        }
    }
}

fn is_hidden(channel: &ChannelView, place: &Place) -> bool {
    let hidden = channel.hidden_threads.get(&place.log);
    hidden.is_some_and(|hidden| hidden.contains(place.seq))
}

fn is_unread(channel: &ChannelView, place: &Place) -> bool {
    let unread = channel.unread_threads.get(&place.log);
    unread.is_some_and(|unread| unread.contains(place.seq))
}
