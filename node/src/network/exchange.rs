//! Requests under way, in both directions, under the engine's numbers.
//!
//! An inbound request counts against its peer until its answer is sent, so that a peer that
//! reads slowly holds up its own places only.

use std::collections::BTreeMap;

use kith_crdt::ids::TransportKey;
use libp2p::request_response::{InboundRequestId, OutboundRequestId, ResponseChannel};

use super::codec::Message;
use super::limits::{
    ANSWER_BYTES, REQUESTS_IN, REQUESTS_IN_PER_PEER, REQUESTS_OUT, REQUESTS_OUT_PER_PEER,
};

/// Where an answer goes.
pub(super) type AnswerChannel = ResponseChannel<Message>;

/// All requests under way.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    asked: BTreeMap<OutboundRequestId, Asked>,
    asked_of: Places,
    asking: BTreeMap<InboundRequestId, Asking>,
    asking_by: Places,
    numbers: BTreeMap<u64, InboundRequestId>,
    next: u64,
    /// Bytes of answers on their way.
    answer_bytes: usize,
}

/// A request of ours.
#[derive(Debug)]
struct Asked {
    id: u64,
    peer: TransportKey,
}

/// A request of a peer.
#[derive(Debug)]
struct Asking {
    number: u64,
    peer: TransportKey,
    /// Gone once the answer is on its way.
    channel: Option<AnswerChannel>,
    /// Bytes of the answer that is on its way.
    answer_bytes: usize,
}

impl Exchange {
    /// Whether one more request may be sent to a peer.
    pub(super) fn may_ask(&self, peer: &TransportKey) -> bool {
        self.asked.len() < REQUESTS_OUT && self.asked_of.taken(peer) < REQUESTS_OUT_PER_PEER
    }

    /// Notes that a request was sent.
    pub(super) fn note_asked(&mut self, request: OutboundRequestId, id: u64, peer: TransportKey) {
        self.asked_of.take(peer);
        self.asked.insert(request, Asked { id, peer });
    }

    /// Takes a request of ours that came to its end: its number, and who was asked.
    pub(super) fn take_asked(&mut self, request: OutboundRequestId) -> Option<(u64, TransportKey)> {
        let Asked { id, peer } = self.asked.remove(&request)?;
        self.asked_of.leave(&peer);
        Some((id, peer))
    }

    /// Admits a request of a peer and gives it a number, unless too many are under way. Then the
    /// channel is dropped, which the peer sees as a refusal.
    pub(super) fn admit(
        &mut self,
        peer: TransportKey,
        request: InboundRequestId,
        channel: AnswerChannel,
    ) -> Option<u64> {
        if self.asking_by.taken(&peer) >= REQUESTS_IN_PER_PEER || self.asking.len() >= REQUESTS_IN {
            return None;
        }
        let number = self.next;
        self.next += 1;
        self.asking_by.take(peer);
        self.numbers.insert(number, request);
        let asking = Asking {
            number,
            peer,
            channel: Some(channel),
            answer_bytes: 0,
        };
        self.asking.insert(request, asking);
        Some(number)
    }

    /// Takes the channel for an answer of so many bytes, if the request still waits for one and
    /// peers have not left too much unread. Otherwise the peer sees a refusal.
    pub(super) fn take_channel(&mut self, number: u64, bytes: usize) -> Option<AnswerChannel> {
        let asking = self.asking.get_mut(self.numbers.get(&number)?)?;
        let channel = asking.channel.take()?;
        if self.answer_bytes + bytes > ANSWER_BYTES {
            return None;
        }
        self.answer_bytes += bytes;
        asking.answer_bytes = bytes;
        Some(channel)
    }

    /// Notes that a request of a peer came to its end: answered, too late, or broken off.
    pub(super) fn end(&mut self, request: InboundRequestId) {
        let Some(asking) = self.asking.remove(&request) else {
            return;
        };
        self.numbers.remove(&asking.number);
        self.asking_by.leave(&asking.peer);
        self.answer_bytes -= asking.answer_bytes;
    }
}

/// How many places each peer takes.
#[derive(Debug, Default)]
struct Places(BTreeMap<TransportKey, usize>);

impl Places {
    fn taken(&self, peer: &TransportKey) -> usize {
        self.0.get(peer).copied().unwrap_or(0)
    }

    fn take(&mut self, peer: TransportKey) {
        *self.0.entry(peer).or_insert(0) += 1;
    }

    fn leave(&mut self, peer: &TransportKey) {
        if let Some(taken) = self.0.get_mut(peer) {
            *taken -= 1;
            if *taken == 0 {
                self.0.remove(peer);
            }
        }
    }
}
