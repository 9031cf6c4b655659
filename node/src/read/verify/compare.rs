//! What the entries make, held against what is kept and against what people are shown.

use std::collections::{BTreeMap, BTreeSet};

use kith_api::message::{Message, PageQuery};
use kith_crdt::encoding;
use kith_crdt::ids::{MessageId, Place, SegmentId};
use kith_crdt::limits::PAGE_MAX;
use kith_crdt::log::Log;
use kith_crdt::projection::{Position, SeenBy};
use kith_crdt::time::Hlc;
use kith_store::Line;

use super::expected::{Expected, Numbers, Showing};
use super::walk::text_hash;
use super::{Found, Verifying, different};
use crate::read::delivery::SEEN_MAX;

/// Messages whose records are looked up at a time.
const BATCH: usize = 256;

impl Verifying<'_> {
    /// Everything that is kept and shown.
    pub(super) fn compare(&self, logs: &[Log], expected: Expected<'_>) -> Found {
        self.numbers(logs, &expected)?;
        let main = BTreeMap::new();
        self.line(None, expected.lines.get(&None).unwrap_or(&main))?;
        for (thread, line) in &expected.lines {
            self.line(*thread, line)?;
        }
        self.messages(&expected)?;
        self.claims(&expected)?;
        // What was read of a part of a log that ends at a fork now stays read.
        if logs.iter().all(|log| log.fork.is_none()) {
            self.seen(&expected)?;
        }
        self.pages(None, &expected)?;
        for (thread, line) in &expected.lines {
            let Some(thread) = thread else { continue };
            let root = expected.messages.get(thread);
            // One that began before this account came is found by its replies, and of one that is
            // gone nothing can be asked but what outlives it.
            let is_found = match root {
                Some(root) if !expected.is_gone(root) => true,
                Some(_) => !expected.shown(line).is_empty(),
                None => {
                    self.reading.view.message(thread).is_none() && !expected.shown(line).is_empty()
                }
            };
            if is_found {
                self.pages(Some(*thread), &expected)?;
            }
        }
        self.counts(&expected)
    }

    /// Which numbers of each log are messages, and which do not count.
    fn numbers(&self, logs: &[Log], expected: &Expected<'_>) -> Found {
        let none = Numbers::default();
        for log in logs {
            let numbers = expected.numbers.get(&log.id).unwrap_or(&none);
            let place = || self.name(log.id.place(log.head));
            // The keys may just have come.
            let late = log.unopened.minus(&numbers.unopened);
            if let Some(seq) = late.first() {
                return Err(super::Different {
                    passing: true,
                    ..different(
                        "an envelope",
                        self.name(log.id.place(seq)),
                        "its key is here, and it has not been opened",
                    )
                });
            }
            let same = log.messages == numbers.messages
                && log.threaded == numbers.threaded
                && log.unopened == numbers.unopened
                && log.quarantined == numbers.quarantined;
            if !same {
                let detail = "the log's state counts other entries as messages than there are";
                return Err(different("a log", place(), detail));
            }
        }
        Ok(())
    }

    /// The index of a line, page by page, newest first.
    fn line(&self, thread: Option<MessageId>, line: &BTreeMap<Position, MessageId>) -> Found {
        let indexed = line_of(&self.id, thread);
        let mut wanted = line.keys().rev();
        let mut before: Option<(Hlc, Place)> = None;
        loop {
            let page = self.reading.view.page(indexed, before, PAGE_MAX);
            for entry in page.iter().rev() {
                let position = Position::new(entry.hlc, entry.place);
                match wanted.next() {
                    Some(next) if *next == position => {}
                    Some(next) if *next > position => {
                        return Err(self.line_lacks(next));
                    }
                    _ => {
                        let place = self.name(entry.place);
                        let detail = "the timeline has a message that no entry makes";
                        return Err(different("the timeline", place, detail));
                    }
                }
            }
            before = page.first().map(|entry| (entry.hlc, entry.place));
            if page.len() < PAGE_MAX {
                break;
            }
        }
        match wanted.next() {
            Some(next) => Err(self.line_lacks(next)),
            None => Ok(()),
        }
    }

    fn line_lacks(&self, position: &Position) -> super::Different {
        let log = kith_crdt::ids::LogId {
            segment: position.segment,
            writer: position.writer,
        };
        let place = self.name(log.place(position.seq));
        different("the timeline", place, "the timeline lacks the message")
    }

    /// That every message is found by its id, and has the thread that its replies make.
    fn messages(&self, expected: &Expected<'_>) -> Found {
        let all: Vec<_> = expected.messages.values().collect();
        for batch in all.chunks(BATCH) {
            let lines: Vec<Line> = batch
                .iter()
                .map(|written| Line::thread(&self.id, &written.id))
                .collect();
            let lengths = self.reading.view.lengths(&lines);
            for (written, length) in batch.iter().zip(lengths) {
                let found = self.reading.view.message(&written.id);
                if found != Some((self.id, written.place)) {
                    let detail = "it is not found by its id";
                    return Err(different("a message", self.name(written.place), detail));
                }
                if length != expected.replies(&written.id) {
                    let detail = format!(
                        "its thread has {length} replies and its entries make {}",
                        expected.replies(&written.id)
                    );
                    return Err(different("a thread", self.name(written.place), detail));
                }
            }
        }
        Ok(())
    }

    /// The edits, deletions and reactions that are kept: of a message that is here everything that
    /// was written, and of any other nothing else. What was said about one that is over was erased
    /// with it, and what comes later stays until its own window is over.
    fn claims(&self, expected: &Expected<'_>) -> Found {
        let mut kept: BTreeMap<MessageId, BTreeSet<Vec<u8>>> = BTreeMap::new();
        for (target, claim) in self.reading.view.all_claims(&self.id, None) {
            kept.entry(target).or_default().insert(claim);
        }
        let none = BTreeSet::new();
        let both = kept.keys().chain(expected.claims.keys());
        for target in both {
            let kept = kept.get(target).unwrap_or(&none);
            let written = expected.claims.get(target).unwrap_or(&none);
            let same = match expected.messages.contains_key(target) {
                true => kept == written,
                false => kept.is_subset(written),
            };
            if !same {
                let place = format!("message {target}");
                let detail = "other edits, deletions or reactions are kept than were written";
                return Err(different("a message", place, detail));
            }
        }
        Ok(())
    }

    /// What each account has read.
    fn seen(&self, expected: &Expected<'_>) -> Found {
        let is_there = |segment: &SegmentId| !self.served.roster.is_over(segment, self.reading.now);
        let seen = expected.seen.iter();
        for ((segment, account), seen) in seen.filter(|((segment, _), _)| is_there(segment)) {
            let kept = self.reading.view.seen_by(&self.id, segment, account);
            let kept = kept.and_then(|bytes| encoding::decode::<SeenBy>(&bytes, SEEN_MAX).ok());
            if kept.as_ref() != Some(seen) {
                let place = format!("account {account}, segment {}", segment.window.0);
                let detail = "other read marks are kept than were written";
                return Err(different("read marks", place, detail));
            }
        }
        Ok(())
    }

    /// The pages that people are shown, text by text.
    fn pages(&self, thread: Option<MessageId>, expected: &Expected<'_>) -> Found {
        let none = BTreeMap::new();
        let line = expected.lines.get(&thread).unwrap_or(&none);
        let shown = expected.shown(line);
        let mut wanted = shown.iter().rev();
        let mut before = None;
        loop {
            let query = PageQuery {
                limit: u32::try_from(PAGE_MAX).ok(),
                before: before.clone(),
                thread: thread.map(|root| root.to_string()),
            };
            let page = self.reading.page(self.served, &query);
            let page = page.map_err(|error| {
                different("a page", format!("before {before:?}"), error.message)
            })?;
            for message in page.iter().rev() {
                let place = format!("message {}", message.id);
                let Some(wanted) = wanted.next().filter(|next| message.id == next.id.into()) else {
                    let detail = "it is shown, and another message should be there";
                    return Err(different("a page", place, detail));
                };
                if let Err(detail) = same_message(wanted, message) {
                    return Err(different("a page", place, detail));
                }
            }
            before = page.first().map(|message| message.id.to_string());
            if page.len() < PAGE_MAX {
                break;
            }
        }
        match wanted.next() {
            Some(next) => {
                let place = format!("message {}", next.id);
                Err(different("a page", place, "it is not shown and should be"))
            }
            None => Ok(()),
        }
    }

    /// The figures that the daemon has in memory.
    fn counts(&self, expected: &Expected<'_>) -> Found {
        let messages = expected.messages_counted();
        if self.settled && self.served.messages != messages {
            let detail = format!(
                "{} messages are counted and there are {messages}",
                self.served.messages
            );
            return Err(different("a count", "the whole channel", detail));
        }
        let main = expected.lines.get(&None);
        let newest = main.and_then(|main| main.keys().next_back());
        let newest = newest.map(|position| position.hlc.millis());
        if self.settled && self.served.last_activity != newest {
            let detail = "the newest message is of another time than the channel says";
            return Err(different("a time", "the whole channel", detail));
        }
        Ok(())
    }
}

fn line_of(channel: &kith_crdt::ids::ChannelId, thread: Option<MessageId>) -> Line {
    match &thread {
        Some(root) => Line::thread(channel, root),
        None => Line::main(channel),
    }
}

/// That a message is shown as it should be, else what is different.
fn same_message(wanted: &Showing, shown: &Message) -> Result<(), &'static str> {
    let hash = shown.text.as_deref().map(text_hash);
    if hash != wanted.text {
        return Err("another text is shown than was written");
    }
    if shown.deleted != wanted.rendered.deleted.is_some() {
        return Err("whether it is deleted is shown otherwise than it is");
    }
    if shown.edited != wanted.rendered.edited() {
        return Err("whether it was edited is shown otherwise than it is");
    }
    if shown.replies != wanted.replies {
        return Err("another number of replies is shown than there are");
    }
    let reactions = wanted
        .rendered
        .reactions
        .iter()
        .filter(|_| !shown.deleted)
        .map(|reaction| (reaction.emoji, reaction.accounts.len() as u64));
    let mut wanted: Vec<(&str, u64)> = reactions.collect();
    let mut given: Vec<(&str, u64)> = shown
        .reactions
        .0
        .iter()
        .map(|(emoji, reaction)| (emoji.as_str(), reaction.count))
        .collect();
    wanted.sort_unstable();
    given.sort_unstable();
    if wanted == given {
        Ok(())
    } else {
        Err("other reactions are shown than were given")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use kith_api::Id;
    use kith_api::message::{DeliveryState, MessageKind};
    use kith_api::reaction::{Reaction as ShownReaction, Reactions};
    use kith_crdt::ids::{AccountId, ChannelId, DeviceId, LogId, SegmentId, Window, Writer};
    use kith_crdt::projection::{Reaction, Rendered};

    use super::*;

    fn place(seq: u32) -> Place {
        let writer = Writer {
            device: DeviceId([1; 32]),
            incarnation: 1,
        };
        let segment = SegmentId {
            window: Window(24),
            index: 0,
        };
        LogId { segment, writer }.place(seq)
    }

    fn wanted() -> Showing {
        Showing {
            id: MessageId([1; 10]),
            rendered: Rendered {
                versions: vec![place(1)],
                deleted: None,
                reactions: vec![Reaction {
                    emoji: "🌱",
                    accounts: BTreeSet::from([AccountId([1; 32])]),
                }],
                pinned: None,
            },
            text: Some(text_hash("hello")),
            replies: 2,
        }
    }

    fn shown() -> Message {
        let reaction = ShownReaction {
            count: 1,
            mine: true,
        };
        Message {
            id: Id(MessageId([1; 10])),
            channel: Id(ChannelId([2; 32])),
            account: Id(AccountId([1; 32])),
            name: "Ada".into(),
            device: Id(DeviceId([1; 32])),
            at: kith_api::Timestamp(0),
            kind: MessageKind::Text,
            text: Some("hello".into()),
            edited: false,
            deleted: false,
            deleted_by: None,
            reason: None,
            hidden: None,
            pinned: false,
            pinned_by: None,
            reply_to: None,
            thread: None,
            replies: 2,
            unread_replies: 0,
            reactions: Reactions::from_iter([("🌱".to_owned(), reaction)]),
            state: DeliveryState::Pending,
            read_by: Vec::new(),
            expires_at: None,
            instant: false,
            mentions: Vec::new(),
        }
    }

    #[test]
    fn whatever_is_shown_otherwise_than_the_entries_make_it_is_told() {
        assert_eq!(same_message(&wanted(), &shown()), Ok(()));
        type Change = fn(&mut Message);
        let otherwise: [(&str, Change); 5] = [
            ("text", |message| message.text = Some("hallo".into())),
            ("deleted", |message| message.deleted = true),
            ("edited", |message| message.edited = true),
            ("replies", |message| message.replies = 3),
            ("reactions", |message| {
                message.reactions = Reactions::default()
            }),
        ];
        for (what, change) in otherwise {
            let mut message = shown();
            change(&mut message);
            let told = same_message(&wanted(), &message).expect_err(what);
            assert!(told.contains(what), "{what}: {told}");
        }
    }
}
