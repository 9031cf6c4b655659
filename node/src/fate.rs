//! What has become of a message: whether it is there still, or its time is over. The engine asks
//! before it lets somebody do something to a message, the readers before they show anything of
//! one, and both get the same answer, before any sweep and right after a start.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;

use kith_crdt::control::Roster;
use kith_crdt::encoding;
use kith_crdt::ids::{AccountId, ChannelId, MessageId, Place, SegmentId};
use kith_crdt::keyring::Keyring;
use kith_crdt::projection::{self, Fate, SeenBy, Written};
use kith_crdt::segment::Entry;
use kith_crdt::time::Millis;
use kith_store::View;

use crate::claims;

/// Bytes of what an account has read of a segment, as stored.
const SEEN_MAX: usize = 256 * 1024 * 1024;

/// Says what has become of the messages of one channel by one time.
pub(crate) struct Fates<'a> {
    view: &'a View<'a>,
    channel: &'a ChannelId,
    roster: &'a Roster,
    now: Millis,
    /// What was looked up of who has read what.
    seen: RefCell<BTreeMap<(SegmentId, AccountId), Option<SeenBy>>>,
}

impl<'a> Fates<'a> {
    /// Of the messages of a channel, as the store has it and the roster is.
    pub(crate) const fn new(
        view: &'a View<'a>,
        (channel, roster): (&'a ChannelId, &'a Roster),
        now: Millis,
    ) -> Self {
        Self {
            view,
            channel,
            roster,
            now,
            seen: RefCell::new(BTreeMap::new()),
        }
    }

    /// What has become of the message at a place.
    pub(crate) fn of(&self, place: &Place, written: &Written) -> Fate {
        let has_read = |reader: &AccountId| self.has_read(reader, place);
        projection::fate(self.roster, written, self.now, has_read)
    }

    /// The same of a message as the store has it; nothing if it has none there. What it asks for
    /// itself is not known where its key is not here.
    pub(crate) fn at(&self, keys: &Keyring, place: &Place) -> Option<Fate> {
        let envelope = claims::envelope(self.view, self.channel, *place)?;
        let expires_at = match claims::entry_at(self.view, (self.channel, keys), *place) {
            Some(Entry::Message(said)) => said.expires_at,
            _ => None,
        };
        let written = Written {
            author: self.roster.account_of(&place.log.writer.device)?,
            hlc: envelope.header.hlc,
            epoch: envelope.header.epoch,
            expires_at,
        };
        Some(self.of(place, &written))
    }

    fn has_read(&self, reader: &AccountId, place: &Place) -> bool {
        let segment = place.log.segment;
        let mut known = self.seen.borrow_mut();
        let seen = match known.entry((segment, *reader)) {
            Slot::Occupied(slot) => slot.into_mut(),
            Slot::Vacant(slot) => {
                let stored = self.view.seen_by(self.channel, &segment, reader);
                slot.insert(stored.and_then(|bytes| encoding::decode(&bytes, SEEN_MAX).ok()))
            }
        };
        let at = |seen: &SeenBy| seen.time_of(&place.log.writer, place.seq);
        seen.as_ref().and_then(at).is_some()
    }
}

/// What is said of a message to whoever asks for it when its time is over.
pub(crate) fn gone(message: &MessageId) -> String {
    format!("the time of message {message} is over, and it is gone")
}
