//! What the entries of a channel make, computed all at once from the whole of them.
//!
//! This is the projection by its definition: union and sort. The engine comes to the same entry by
//! entry, in whatever order they arrive.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kith_crdt::encoding;
use kith_crdt::ids::{AccountId, EpochId, LogId, MessageId, Place, SegmentId};
use kith_crdt::log::Log;
use kith_crdt::projection::{self, Claim, Original, Position, Rendered, SeenBy, Written as Kept};
use kith_crdt::ranges::Ranges;
use kith_crdt::segment::Entry;
use kith_crdt::time::{Hlc, Millis};

use crate::claims;
use crate::engine::ChannelView;

/// A text, as far as it is remembered: by its hash.
pub(super) type TextHash = [u8; 32];

/// One entry that counts, with what its envelope says.
pub(super) struct Stated {
    pub(super) place: Place,
    pub(super) hlc: Hlc,
    pub(super) epoch: EpochId,
    pub(super) entry: Entry,
    pub(super) text: Option<TextHash>,
}

/// A message as it was written.
pub(super) struct Written {
    pub(super) id: MessageId,
    pub(super) place: Place,
    pub(super) hlc: Hlc,
    epoch: EpochId,
    author: AccountId,
    thread: Option<MessageId>,
    expires_at: Option<Millis>,
}

/// What a log has by number, as its entries say.
#[derive(Default)]
pub(super) struct Numbers {
    pub(super) messages: Ranges,
    pub(super) threaded: Ranges,
    pub(super) unopened: Ranges,
    pub(super) quarantined: Ranges,
}

/// Everything that the entries make.
pub(super) struct Expected<'a> {
    served: &'a ChannelView,
    /// Whoever is shown it.
    me: AccountId,
    /// Whom they have blocked.
    blocked: Arc<BTreeSet<AccountId>>,
    /// By what time it is decided what is over.
    now: Millis,
    /// By id, every message, shown or not.
    pub(super) messages: BTreeMap<MessageId, Written>,
    /// The lines: the main timeline, and each thread by the message that it starts at.
    pub(super) lines: BTreeMap<Option<MessageId>, BTreeMap<Position, MessageId>>,
    /// What is claimed about each message, whether that is here or not.
    pub(super) claims: BTreeMap<MessageId, BTreeSet<Vec<u8>>>,
    /// What each account has seen of each segment.
    pub(super) seen: BTreeMap<(SegmentId, AccountId), SeenBy>,
    /// Numbers by log.
    pub(super) numbers: BTreeMap<LogId, Numbers>,
    texts: BTreeMap<Place, TextHash>,
    epochs: BTreeMap<Place, EpochId>,
}

/// A message as it is to be shown.
pub(super) struct Showing {
    pub(super) id: MessageId,
    pub(super) rendered: Rendered,
    /// None if it is deleted, or its text was erased.
    pub(super) text: Option<TextHash>,
    pub(super) replies: u64,
}

impl<'a> Expected<'a> {
    pub(super) fn new(
        served: &'a ChannelView,
        (me, blocked): (AccountId, Arc<BTreeSet<AccountId>>),
        now: Millis,
    ) -> Self {
        Self {
            served,
            me,
            blocked,
            now,
            messages: BTreeMap::new(),
            lines: BTreeMap::new(),
            claims: BTreeMap::new(),
            seen: BTreeMap::new(),
            numbers: BTreeMap::new(),
            texts: BTreeMap::new(),
            epochs: BTreeMap::new(),
        }
    }

    /// Adds an entry that counts. The order in which they are added leaves no trace.
    pub(super) fn add(&mut self, stated: Stated) {
        let Stated {
            place,
            hlc,
            epoch,
            entry,
            text,
        } = stated;
        let Some(account) = self.served.roster.account_of(&place.log.writer.device) else {
            return;
        };
        if let Some(text) = text {
            self.texts.insert(place, text);
        }
        if let Some((target, kind)) = claims::filed(&entry) {
            let claim = encoding::encode(&Claim {
                at: place,
                hlc,
                kind,
            });
            self.claims.entry(target).or_default().insert(claim);
            self.epochs.insert(place, epoch);
        }
        match entry {
            Entry::Message(message) => {
                let numbers = self.numbers.entry(place.log).or_default();
                numbers.messages.insert(place.seq);
                if message.thread.is_some() {
                    numbers.threaded.insert(place.seq);
                }
                let id = place.message_id(&self.served.id);
                let line = self.lines.entry(message.thread).or_default();
                line.insert(Position::new(hlc, place), id);
                let written = Written {
                    id,
                    place,
                    hlc,
                    epoch,
                    author: account,
                    thread: message.thread,
                    expires_at: message.expires_at,
                };
                self.messages.insert(id, written);
            }
            Entry::Seen(ranges) => {
                for range in ranges {
                    let of = (range.log.segment, account);
                    let seen = self.seen.entry(of).or_default();
                    seen.merge(range.log.writer, range.first, range.last, hlc);
                }
            }
            _ => {}
        }
    }

    /// Leaves out the messages that were erased because their time is over, as the logs' states
    /// have them. Returns the place of one that was erased and whose time is not over.
    pub(super) fn leave_out_erased(&mut self, logs: &[Log]) -> Option<Place> {
        // What was read of a part of a log that is not here any more stays read.
        let is_whole = logs
            .iter()
            .all(|log| log.fork.is_none() && !log.has_holes());
        let over = logs
            .iter()
            .flat_map(|log| log.over.iter().map(|seq| log.id.place(seq)));
        for place in over {
            let id = place.message_id(&self.served.id);
            let Some(written) = self.messages.get(&id) else {
                continue;
            };
            if is_whole && !self.is_gone(written) {
                return Some(place);
            }
            if let Some(line) = self.lines.get_mut(&written.thread) {
                line.remove(&Position::new(written.hlc, place));
            }
            self.messages.remove(&id);
        }
        None
    }

    /// What a line is to show, oldest first.
    pub(super) fn shown(&self, line: &BTreeMap<Position, MessageId>) -> Vec<Showing> {
        let messages = line.values().filter_map(|id| self.messages.get(id));
        messages
            .filter(|written| self.is_shown(written))
            .map(|written| self.showing(written))
            .collect()
    }

    /// How many messages the thread of a message has, there or not, shown or not.
    pub(super) fn replies(&self, id: &MessageId) -> u64 {
        let thread = self.lines.get(&Some(*id));
        thread.map_or(0, |thread| thread.len() as u64)
    }

    /// How many messages there are that are not hidden. What is over counts until it is erased.
    pub(super) fn messages_counted(&self) -> u64 {
        let messages = self.messages.values();
        messages.filter(|written| self.counts(written)).count() as u64
    }

    /// Whether a message is shown to this account.
    fn is_shown(&self, written: &Written) -> bool {
        self.counts(written) && !self.is_gone(written)
    }

    /// Whether a message is not hidden from this account: its own are not in any case.
    fn counts(&self, written: &Written) -> bool {
        let roster = &self.served.roster;
        let at = (&written.place, written.hlc);
        let is_heard = || projection::is_shown(roster, &written.author, at, &written.epoch);
        written.author == self.me || !self.blocked.contains(&written.author) && is_heard()
    }

    fn replies_shown(&self, id: &MessageId) -> u64 {
        let thread = self.lines.get(&Some(*id)).into_iter().flatten();
        let messages = thread.filter_map(|(_, id)| self.messages.get(id));
        messages.filter(|written| self.is_shown(written)).count() as u64
    }

    /// Whether the time of a message is over.
    pub(super) fn is_gone(&self, written: &Written) -> bool {
        let Place { log, seq } = written.place;
        let has_read = |reader: &AccountId| {
            let seen = self.seen.get(&(log.segment, *reader));
            seen.is_some_and(|seen| seen.time_of(&log.writer, seq).is_some())
        };
        let kept = Kept {
            author: written.author,
            hlc: written.hlc,
            epoch: written.epoch,
            expires_at: written.expires_at,
        };
        projection::fate(&self.served.roster, &kept, self.now, has_read).is_over()
    }

    fn showing(&self, written: &Written) -> Showing {
        let roster = &self.served.roster;
        let stored = self.claims.get(&written.id).into_iter().flatten();
        let claims: Vec<Claim> = stored
            .filter_map(|bytes| encoding::decode(bytes, bytes.len()).ok())
            .collect();
        let original = Original {
            author: written.author,
            place: written.place,
        };
        let epoch_of = |at: &Place| self.epochs.get(at).copied();
        let rendered = projection::render(roster, &original, &claims, epoch_of);
        let rendered = claims::silence(rendered, &self.blocked);
        let newest = rendered.current().unwrap_or(written.place);
        let text = self.texts.get(&newest).copied();
        Showing {
            id: written.id,
            text: text.filter(|_| rendered.deleted.is_none()),
            rendered,
            replies: self.replies_shown(&written.id),
        }
    }
}
