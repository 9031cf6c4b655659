//! Threads that began with a message which this account may not read: whoever came later reads the
//! replies that they may, and finds the thread by them.

use std::collections::BTreeSet;

use kith_api::{ApiError, ErrorCode};
use kith_crdt::ids::{MessageId, Place};
use kith_store::Line;

use super::Reading;
use super::found::open;
use super::messages::in_this;
use super::references::{CANDIDATES_MAX, Meant};
use crate::engine::ChannelView;

/// Replies that are looked at to find a thread by the beginning of its id, the newest first.
const REPLIES_LOOKED_AT: usize = 4_096;
/// Unread replies that are looked at to tell which threads they are in.
const UNREAD_LOOKED_AT: usize = 256;

impl Reading<'_> {
    /// The thread of a channel that a message id or its beginning means. The message it began with
    /// need not be here.
    ///
    /// # Errors
    /// [`ApiError`]: not found, ambiguous with the candidates, or in another channel.
    pub(crate) fn find_thread(
        &self,
        channel: &ChannelView,
        reference: &str,
    ) -> Result<MessageId, ApiError> {
        self.root_in(channel, reference).map(|(id, _)| id)
    }

    /// The same, and whether the time of the message it began with is over.
    ///
    /// # Errors
    /// As [`Self::find_thread`].
    pub(super) fn root_in(
        &self,
        channel: &ChannelView,
        reference: &str,
    ) -> Result<(MessageId, bool), ApiError> {
        let (id, of, is_gone) = match self.lookup_message(reference) {
            Ok(Meant::There(id, of, _)) => (id, of, false),
            Ok(Meant::Gone(id, of)) => (id, of, true),
            Err(error) if error.code == ErrorCode::NotFound => {
                let found = self.find_by_replies(channel, reference, error);
                return found.map(|id| (id, false));
            }
            Err(error) => return Err(error),
        };
        in_this(channel, &id, &of).map(|()| (id, is_gone))
    }

    fn find_by_replies(
        &self,
        channel: &ChannelView,
        reference: &str,
        not_found: ApiError,
    ) -> Result<MessageId, ApiError> {
        let prefix = reference.to_ascii_lowercase();
        if prefix.is_empty() {
            return Err(not_found);
        }
        let line = |thread: &MessageId| Line::thread(&channel.id, thread);
        let exact = prefix.parse::<MessageId>().ok();
        if let Some(thread) = exact.filter(|thread| self.view.lengths(&[line(thread)]) != [0]) {
            return Ok(thread);
        }
        let logs = self.logs_of(channel);
        let replies = logs.rev().flat_map(|log| {
            let numbers: Vec<u32> = log.threaded.iter().collect();
            let places = numbers.into_iter().rev().map(move |seq| log.id.place(seq));
            places.collect::<Vec<Place>>()
        });
        let threads = self.threads_of(channel, replies.take(REPLIES_LOOKED_AT));
        let begins = |thread: &&MessageId| thread.to_string().starts_with(&prefix);
        let meant: Vec<&MessageId> = threads.iter().filter(begins).collect();
        match meant.as_slice() {
            [] => Err(not_found),
            [thread] => Ok(**thread),
            several => Err(ApiError::ambiguous(
                reference,
                several.iter().take(CANDIDATES_MAX),
            )),
        }
    }

    /// The threads with unread replies whose first message this account may not read.
    pub(super) fn begun_before(&self, channel: &ChannelView) -> Vec<MessageId> {
        if channel.history_begins.is_none() {
            return Vec::new();
        }
        let unread = channel.unread_threads.iter().rev();
        let unread = unread.flat_map(|(log, seqs)| seqs.iter().map(|seq| log.place(seq)));
        let threads = self.threads_of(channel, unread.take(UNREAD_LOOKED_AT));
        let is_away = |thread: &MessageId| self.view.message(thread).is_none();
        threads.into_iter().filter(is_away).collect()
    }

    /// The threads that these replies are in.
    fn threads_of(
        &self,
        channel: &ChannelView,
        replies: impl Iterator<Item = Place>,
    ) -> BTreeSet<MessageId> {
        let mut opener = self.opener(channel);
        let thread = |place: Place| {
            let stored = self.view.envelope(&channel.id, &place)?;
            open(&mut opener, place, &stored)?.said.thread
        };
        replies.filter_map(thread).collect()
    }
}
