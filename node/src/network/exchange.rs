//! Requests under way, in both directions, under the engine's numbers.
//!
//! An inbound request counts against its peer until its answer is sent, so that a peer that
//! reads slowly holds up its own places only.

use std::collections::BTreeMap;

use kith_crdt::ids::TransportKey;
use libp2p::request_response::{InboundRequestId, OutboundRequestId, ResponseChannel};

use super::codec::Message;
use super::limits::{REQUESTS_IN, REQUESTS_IN_PER_PEER, REQUESTS_OUT};

/// Where an answer goes.
pub(super) type AnswerChannel = ResponseChannel<Message>;

/// All requests under way.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    asked: BTreeMap<OutboundRequestId, u64>,
    asking: BTreeMap<InboundRequestId, Asking>,
    numbers: BTreeMap<u64, InboundRequestId>,
    places: BTreeMap<TransportKey, usize>,
    next: u64,
}

/// A request of a peer.
#[derive(Debug)]
struct Asking {
    number: u64,
    peer: TransportKey,
    /// Gone once the answer is on its way.
    channel: Option<AnswerChannel>,
}

impl Exchange {
    /// Whether one more request may be sent.
    pub(super) fn may_ask(&self) -> bool {
        self.asked.len() < REQUESTS_OUT
    }

    /// Notes that a request was sent.
    pub(super) fn note_asked(&mut self, request: OutboundRequestId, id: u64) {
        self.asked.insert(request, id);
    }

    /// Takes a request of ours that came to its end.
    pub(super) fn take_asked(&mut self, request: OutboundRequestId) -> Option<u64> {
        self.asked.remove(&request)
    }

    /// Admits a request of a peer and gives it a number, unless too many are under way. Then the
    /// channel is dropped, which the peer sees as a refusal.
    pub(super) fn admit(
        &mut self,
        peer: TransportKey,
        request: InboundRequestId,
        channel: AnswerChannel,
    ) -> Option<u64> {
        let taken = self.places.get(&peer).copied().unwrap_or(0);
        if taken >= REQUESTS_IN_PER_PEER || self.asking.len() >= REQUESTS_IN {
            return None;
        }
        let number = self.next;
        self.next += 1;
        self.places.insert(peer, taken + 1);
        self.numbers.insert(number, request);
        self.asking.insert(
            request,
            Asking {
                number,
                peer,
                channel: Some(channel),
            },
        );
        Some(number)
    }

    /// Takes the channel for the answer to a request, if it still waits for one.
    pub(super) fn take_channel(&mut self, number: u64) -> Option<AnswerChannel> {
        self.asking
            .get_mut(self.numbers.get(&number)?)?
            .channel
            .take()
    }

    /// Notes that a request of a peer came to its end: answered, too late, or broken off.
    pub(super) fn end(&mut self, request: InboundRequestId) {
        let Some(asking) = self.asking.remove(&request) else {
            return;
        };
        self.numbers.remove(&asking.number);
        if let Some(taken) = self.places.get_mut(&asking.peer) {
            *taken -= 1;
            if *taken == 0 {
                self.places.remove(&asking.peer);
            }
        }
    }
}
