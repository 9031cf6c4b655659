//! Shredding windows that are over: their records and the keys that open them, here and in the
//! chains of the epochs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kith_crdt::encoding;
use kith_crdt::ids::{ChannelId, EpochId, LogId, SegmentId, Window};
use kith_crdt::limits::EPOCH_WRITTEN_HOURS;
use kith_crdt::log::Log;
use kith_crdt::term::Span;
use kith_crdt::time::Millis;
use kith_store::StoreError;

use super::evidence::Textless;
use crate::engine::channel::Channel;
use crate::engine::{Engine, Timer};
use crate::erasures::Cause;
use crate::record::{Arrival, What};

/// Milliseconds that a window which is over is kept for: what came in the moment before is on the
/// disk by then, and the clocks of others have come to its end as well.
const GRACE_MS: u64 = 60_000;
/// Events about messages that end with their window: who was away for long is not told of each.
const ENDS_TOLD_MAX: usize = 2_000;

/// What was forgotten since the node started.
#[derive(Debug, Clone, Default)]
pub(in crate::engine) struct Forgotten {
    /// Messages purged.
    pub(in crate::engine) purged: u64,
    /// Windows shredded.
    pub(in crate::engine) shredded: u64,
    /// Whether the last turn purged messages.
    pub(in crate::engine) has_purged: bool,
    /// Where something was taken off the disk that its files still hold.
    pub(in crate::engine) spans: BTreeSet<(ChannelId, Span)>,
    /// What the files hold no text of any more once they are rewritten, while that is under way.
    pub(in crate::engine) rewriting: Option<BTreeMap<ChannelId, Textless>>,
    /// Whether it is noted on the disk that they have to be.
    pub(in crate::engine) is_noted: bool,
    /// When they were last rewritten.
    pub(in crate::engine) erased_at: Millis,
}

impl Channel {
    /// When the next of its windows is shredded.
    pub(super) fn next_end(&self) -> Option<Millis> {
        let ends = self
            .spans()
            .into_iter()
            .map(|span| self.span_ends_at(&span));
        ends.flatten().min().map(|end| end.plus(GRACE_MS))
    }

    /// What it holds, by what ends together.
    fn spans(&self) -> BTreeSet<Span> {
        self.logs
            .keys()
            .map(|log_id| log_id.segment.span())
            .collect()
    }

    fn span_ends_at(&self, span: &Span) -> Option<Millis> {
        self.roster.segment_ends_at(&span.segments().0)
    }

    /// The first window of an epoch of which something is there still; nothing if that is none,
    /// and nothing more is written in it. A key stays as long as anything of its segment: what
    /// another epoch keeps for longer lies beside what this one keeps, in the same logs.
    pub(in crate::engine) fn first_open(&self, id: &EpochId, now: Millis) -> Option<Window> {
        let epoch = self.roster.epochs.get(id)?;
        let beside = self.roster.epochs.values();
        let beside = beside.filter(|other| other.term == epoch.term);
        let opens = beside.map(|other| {
            let open = other.term.first_open(other.kept, now);
            open.max(other.first_window)
        });
        let open = opens.min()?;
        let last = epoch.first_window.0 + EPOCH_WRITTEN_HOURS;
        (epoch.usable || open.0 <= last).then(|| open.max(epoch.first_window))
    }

    /// The epochs whose keys open windows that are over, and from where on they may go on.
    fn worn_out(&self, now: Millis) -> BTreeMap<EpochId, Option<Window>> {
        let held = self.keys.iter().map(|keys| {
            let open = self.first_open(&keys.epoch, now);
            (keys.epoch, open, keys.window)
        });
        held.filter(|(id, open, from)| {
            self.roster.epochs.contains_key(id) && open.is_none_or(|open| open > *from)
        })
        .map(|(id, open, _)| (id, open))
        .collect()
    }

    /// Forgets what is held in memory of a span. Returns its logs, and how many of their messages
    /// had their texts still.
    fn drop_span(&mut self, span: &Span) -> (Vec<LogId>, u64) {
        let of_span = |log_id: &&LogId| log_id.segment.span() == *span;
        let logs: Vec<LogId> = self.logs.keys().filter(of_span).copied().collect();
        let mut texts = 0;
        for log_id in &logs {
            let living = self.logs.get(log_id).map(Log::living).unwrap_or_default();
            self.messages = self.messages.saturating_sub(living.len());
            if let Some(log) = self.logs.get(log_id) {
                texts += living.minus(&log.erased).len();
            }
            self.remove_log(*log_id);
            self.reaches.remove(log_id);
            self.due.set(*log_id, None);
        }
        self.holds.forget(&logs);
        self.newest_ended = true;
        (logs, texts)
    }
}

impl Engine {
    /// Sees to it that a window of which something came is shredded in time, whatever it was: also
    /// where nothing else of the channel ends.
    pub(in crate::engine) fn expect_end(&mut self, id: ChannelId, segment: &SegmentId) {
        let channel = self.channels.get(&id);
        let end = channel.and_then(|channel| channel.roster.segment_ends_at(segment));
        if let Some(end) = end {
            self.lives.set_by(Timer::Forget(id), end.plus(GRACE_MS));
        }
    }

    /// Shreds the windows of a channel that are over.
    ///
    /// # Errors
    /// What keeps the store from being written. Nothing is lost by it; it is to be tried again.
    pub(super) fn shred_over(&mut self, now: Millis, id: ChannelId) -> Result<(), StoreError> {
        let believed = Millis(now.0.saturating_sub(GRACE_MS));
        let Some(channel) = self.channels.get(&id) else {
            return Ok(());
        };
        if channel.next_end().is_none_or(|end| end > now) {
            return Ok(());
        }
        let is_over = |span: &Span| {
            let end = channel.span_ends_at(span);
            end.is_some_and(|end| end <= believed)
        };
        let mut spans = channel.spans();
        spans.extend(self.store.spans(&id));
        spans.retain(is_over);
        let worn_out = channel.worn_out(believed);
        if !spans.is_empty() {
            self.note_unerased()?;
        }
        spans
            .into_iter()
            .try_for_each(|span| self.shred(id, span))?;
        worn_out
            .into_iter()
            .try_for_each(|(epoch, open)| self.move_chain(id, epoch, open))
    }

    fn shred(&mut self, id: ChannelId, span: Span) -> Result<(), StoreError> {
        self.store.shred(&id, &span)?;
        self.tell_of_the_end(id, &span);
        if let Some(channel) = self.channels.get_mut(&id) {
            let cause = Cause::of_span(&channel.roster, &span);
            let (logs, texts) = channel.drop_span(&span);
            for log_id in logs {
                self.branches.forget(id, log_id);
                self.stage.recount.insert((id, log_id));
            }
            self.note_erasure(id, cause, (texts, 1));
        }
        self.stage.touched.insert(id);
        self.forgotten.shredded += 1;
        self.forgotten.spans.insert((id, span));
        Ok(())
    }

    /// Tells of the messages of a span that end with it: those that no sweep came to before.
    fn tell_of_the_end(&mut self, id: ChannelId, span: &Span) {
        let Some(channel) = self.channels.get(&id) else {
            return;
        };
        let logs = channel.logs.values();
        let of_span = logs.filter(|log| log.id.segment.span() == *span);
        let mut told = Vec::new();
        for log in of_span {
            let own = log.id.writer.device == self.writer.device;
            let sent = channel.reaches.get(&log.id).map_or(0, |reach| reach.sent);
            for seq in log.living().iter() {
                let message = log.id.place(seq).message_id(&id);
                if own && seq > sent {
                    told.push(What::Arrived(message, Arrival::Failed));
                }
                told.push(What::Expired(message));
            }
        }
        told.truncate(ENDS_TOLD_MAX);
        let now = self.now;
        for what in told {
            self.happened(id, now, what);
        }
    }

    /// Moves the chain of an epoch on, or forgets its keys altogether.
    fn move_chain(
        &mut self,
        id: ChannelId,
        epoch: EpochId,
        open: Option<Window>,
    ) -> Result<(), StoreError> {
        let Some(channel) = self.channels.get_mut(&id) else {
            return Ok(());
        };
        let mut keys = (*channel.keys).clone();
        let moved = open.is_some_and(|open| keys.advance(&epoch, open));
        match keys.get(&epoch).filter(|_| moved) {
            Some(left) => self.store.put_epoch(&id, &epoch, &encoding::encode(left))?,
            None => {
                self.store.delete_epoch(&id, &epoch)?;
                keys.remove(&epoch);
            }
        }
        channel.keys = Arc::new(keys);
        self.stage.touched.insert(id);
        if !moved {
            self.listen(id);
        }
        Ok(())
    }
}
