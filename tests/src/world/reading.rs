//! What nodes show, and what they hold.

use kith_api::message::{Message, PageQuery};
use kith_api::verify::VerifyReport;
use kith_crdt::control::{ControlLog, VerifiedOp};
use kith_crdt::encoding::decode;
use kith_crdt::envelope::Envelope;
use kith_crdt::ids::{ChannelId, DeviceId, MessageId};
use kith_crdt::log::Log;
use kith_node::read::Reading;
use kith_node::read::verify::verify;

use super::World;

impl World {
    /// Asks a node what its API would show.
    pub fn reading<T>(&self, number: usize, ask: impl FnOnce(&Reading<'_>) -> T) -> T {
        let engine = self.engine(number);
        let (reader, shared) = (engine.reader(), engine.shared());
        let node = &self.nodes[number];
        let us = (node.secrets.account, node.secrets.device());
        ask(&Reading::new(&reader, &shared, us, node.clock(self.now)))
    }

    /// The newest messages of a channel, or of a thread of it, that a node shows, at most 500.
    pub fn page(
        &self,
        number: usize,
        channel: &ChannelId,
        thread: Option<&MessageId>,
    ) -> Vec<Message> {
        let Some(view) = self.engine(number).shared().channel(channel) else {
            return Vec::new();
        };
        let query = PageQuery {
            limit: Some(500),
            thread: thread.map(ToString::to_string),
            ..PageQuery::default()
        };
        let page = self.reading(number, |reading| reading.page(&view, &query));
        page.expect("a page can be asked for")
    }

    /// How many texts of an author's a node has on its disk of a channel, in whatever log: of
    /// messages, edits, and reasons.
    pub fn texts_on_disk(&self, number: usize, channel: &ChannelId, author: usize) -> usize {
        let author = self.secrets(author).device();
        let entries = self.entries_on_disk(number, channel);
        let own = entries
            .iter()
            .filter(|envelope| envelope.place().log.writer.device == author);
        own.filter(|envelope| envelope.header.body_hash.is_some() && !envelope.body_erased())
            .count()
    }

    /// The envelopes that a node has on its disk of a channel.
    pub fn entries_on_disk(&self, number: usize, channel: &ChannelId) -> Vec<Envelope> {
        let reader = self.engine(number).reader();
        let view = reader.view();
        let logs = view.logs(channel).into_iter();
        let logs = logs.filter_map(|(_, bytes)| decode::<Log>(&bytes, bytes.len()).ok());
        let places = logs.flat_map(|log| (1..=log.head).map(move |seq| log.id.place(seq)));
        let stored = places.filter_map(|place| Some((place, view.envelope(channel, &place)?)));
        stored
            .filter_map(|(place, stored)| Envelope::from_stored(&stored, channel, place).ok())
            .collect()
    }

    /// The texts that a node shows of a channel's newest messages, as its API does, at most 500.
    /// What is hidden from the others is not among them.
    pub fn shown(&self, number: usize, channel: &ChannelId) -> Vec<String> {
        let page = self.page(number, channel, None);
        page.into_iter()
            .filter(|message| message.hidden.is_none())
            .filter_map(|message| message.text)
            .collect()
    }

    /// The messages that a node lists as pinned.
    pub fn pinned(&self, number: usize, channel: &ChannelId) -> Vec<Message> {
        let view = self.engine(number).shared().channel(channel);
        view.map_or_else(Vec::new, |view| {
            self.reading(number, |reading| reading.pins(&view))
        })
    }

    /// How many entries a page of a node's main timeline has, at most `limit`.
    pub fn read(&self, number: usize, channel: &ChannelId, limit: usize) -> usize {
        let reader = self.engine(number).reader();
        let line = kith_store::Line::main(channel);
        reader.view().page(line, None, limit).len()
    }

    /// How many messages a node holds of a channel, shown or not.
    pub fn messages(&self, number: usize, channel: &ChannelId) -> u64 {
        let engine = self.nodes[number].engine.as_ref().expect("the node runs");
        engine
            .shared()
            .channel(channel)
            .map_or(0, |view| view.messages + view.hidden)
    }

    /// How many messages are unread at a node.
    pub fn unread(&self, number: usize, channel: &ChannelId) -> u64 {
        self.engine(number)
            .shared()
            .channel(channel)
            .map_or(0, |view| view.unread)
    }

    /// How many replies in threads are unread at a node.
    pub fn unread_replies(&self, number: usize, channel: &ChannelId) -> u64 {
        self.engine(number)
            .shared()
            .channel(channel)
            .map_or(0, |view| view.unread_replies())
    }

    /// Whether, as `witness` sees it, a node's account is a member.
    pub fn is_member(&self, witness: usize, number: usize, channel: &ChannelId) -> bool {
        let account = self.nodes[number].secrets.account;
        let view = self.nodes[witness]
            .engine
            .as_ref()
            .and_then(|engine| engine.shared().channel(channel));
        view.is_some_and(|view| view.roster.is_member(&account))
    }

    /// What a node was told of another's presence since this was asked last.
    pub fn told_of(&mut self, number: usize, other: usize) -> Vec<bool> {
        let other = self.nodes[other].secrets.device();
        let is_asked =
            |(at, device, _): &mut (usize, DeviceId, bool)| (*at, *device) == (number, other);
        let told = self.presence.extract_if(.., is_asked);
        told.map(|(_, _, present)| present).collect()
    }

    /// The control log of a channel as a node keeps it.
    ///
    /// # Panics
    ///
    /// If an op that it keeps does not hold.
    pub fn control(&self, number: usize, channel: &ChannelId) -> ControlLog {
        let reader = self.engine(number).reader();
        let ops = reader.view().ops(channel);
        let ops = ops.iter().map(|(_, bytes)| VerifiedOp::from_stored(bytes));
        let mut ops: Vec<VerifiedOp> = ops.map(|op| op.expect("it holds")).collect();
        ops.sort_by_key(|op| op.op().lamport);
        let mut log = ControlLog::new(*channel);
        for op in ops {
            log.insert(op);
        }
        log
    }

    /// The digest of a channel at a node.
    pub fn digest(&self, number: usize, channel: &ChannelId) -> Option<[u8; 32]> {
        let engine = self.nodes[number].engine.as_ref()?;
        engine.shared().channel(channel).map(|view| view.digest)
    }

    /// Holds everything that a node shows of a channel against its signed entries.
    ///
    /// # Panics
    /// If the channel is not there, or something is not as the entries make it.
    pub fn verify(&self, number: usize, channel: &ChannelId) -> VerifyReport {
        let engine = self.engine(number);
        let node = &self.nodes[number];
        let us = (node.secrets.account, node.secrets.device());
        let clock = || node.clock(self.now);
        let verified = verify(&engine.reader(), &engine.shared(), us, channel, clock);
        let report = verified.expect("the channel is there");
        assert!(report.equal, "at {number}: {report:?}");
        let (counted, there) = self.sizes(number, channel);
        assert_eq!(counted, there, "bytes of envelopes at {number}");
        report
    }

    /// What a node has counted that the envelopes of a channel take up, and what they do.
    ///
    /// # Panics
    /// If the channel is not there.
    pub fn sizes(&self, number: usize, channel: &ChannelId) -> (u64, u64) {
        let engine = self.engine(number);
        let view = engine.shared().channel(channel);
        let counted = view.expect("the channel is there").bytes;
        let reader = engine.reader();
        let footprint = reader.view().footprint(&[*channel]);
        (counted, footprint.channels[channel].envelopes)
    }
}
