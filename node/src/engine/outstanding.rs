//! Requests that peers have not answered yet, and what their answers are for.
//!
//! The network carries a bounded number of requests to a peer and fails those on top. So they are
//! held back here until there is room: two nodes that have many channels to speak of would find
//! half of their questions failed, and wait for the next occasion to ask again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use kith_crdt::control::ControlLog;
use kith_crdt::grant::PendingKeyRequest;
use kith_crdt::ids::{ChannelId, ChannelTag, TransportKey};
use kith_crdt::sync::{ControlPull, Session};
use kith_crdt::time::Millis;

/// Sessions with one peer at a time; the others wait for their turn.
const SESSIONS_PER_PEER: usize = 8;

/// Requests under way to one peer at a time: fewer than the network carries, which learns a moment
/// later that one has ended.
const REQUESTS_PER_PEER: usize = 14;

/// What a request was made for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// A step of a sync session.
    Session {
        channel: ChannelId,
        session: Box<Session>,
        /// Pieces of this session that were new here.
        applied: usize,
    },
    /// Keys of epochs.
    Keys {
        channel: ChannelId,
        pending: Box<PendingKeyRequest>,
    },
    /// The control log, on the strength of an invite.
    Prove { channel: ChannelId },
    /// The own Join op, offered to somebody who does not know it.
    Offer { channel: ChannelId },
    /// The own Leave op, offered to a member.
    Leave { channel: ChannelId },
    /// Bodies that came erased before.
    Bodies { channel: ChannelId },
    /// What the peer knows of this account.
    Account,
    /// The management key of this account.
    Management,
    /// Why a member refuses to speak with this device.
    Farewell {
        channel: ChannelId,
        pull: Box<ControlPull>,
    },
    /// The control log of a channel that was never heard of here, and what has come of it.
    Hearsay {
        tag: ChannelTag,
        log: Option<Box<ControlLog>>,
    },
}

/// The requests under way.
#[derive(Debug, Default)]
pub(super) struct Outstanding {
    next_id: u64,
    requests: BTreeMap<u64, (TransportKey, Millis, Purpose)>,
    /// Channels that want a session with a peer which has as many as it may.
    waiting: BTreeMap<TransportKey, Vec<ChannelId>>,
    peers: BTreeMap<TransportKey, Lane>,
}

/// What is asked of one peer.
#[derive(Debug, Default)]
struct Lane {
    under_way: usize,
    /// Requests by number that wait until one of those ends.
    held_back: VecDeque<(u64, Vec<u8>)>,
    /// Channels of which something has come, while others wait.
    begun: BTreeSet<ChannelId>,
}

impl Outstanding {
    /// Notes a request. What is to be sent now comes from [`Self::next`].
    pub(super) fn add(
        &mut self,
        now: Millis,
        peer: TransportKey,
        purpose: Purpose,
        bytes: Vec<u8>,
    ) {
        self.next_id += 1;
        self.requests.insert(self.next_id, (peer, now, purpose));
        let lane = self.peers.entry(peer).or_default();
        lane.held_back.push_back((self.next_id, bytes));
    }

    /// The next request to a peer, with its number, if there is room for one.
    pub(super) fn next(&mut self, peer: &TransportKey) -> Option<(u64, Vec<u8>)> {
        let lane = self.peers.get_mut(peer)?;
        while lane.under_way < REQUESTS_PER_PEER {
            let (id, bytes) = lane.held_back.pop_front()?;
            // What it was for may be forgotten by now.
            if self.requests.contains_key(&id) {
                lane.under_way += 1;
                return Some((id, bytes));
            }
        }
        None
    }

    /// Forgets all requests. Their numbers are not given again, so that a late answer to one of
    /// them answers nothing.
    pub(super) fn forget(&mut self) {
        self.requests.clear();
        self.waiting.clear();
        self.peers.clear();
    }

    /// Forgets the sessions about a channel: what they found was compared with what is not here any
    /// more.
    pub(super) fn forget_sessions(&mut self, channel: &ChannelId) {
        self.requests.retain(|_, (_, _, purpose)| {
            !matches!(purpose, Purpose::Session { channel: about, .. } if about == channel)
        });
    }

    /// Takes out the request with a number, which has ended, if this peer is the one that was asked.
    pub(super) fn take(&mut self, id: u64, peer: &TransportKey) -> Option<Purpose> {
        if let Some(lane) = self.peers.get_mut(peer) {
            lane.under_way = lane.under_way.saturating_sub(1);
        }
        if self.requests.get(&id)?.0 != *peer {
            return None;
        }
        self.requests.remove(&id).map(|(_, _, purpose)| purpose)
    }

    /// Takes out everything asked of a peer that is gone.
    pub(super) fn drop_peer(&mut self, peer: &TransportKey) -> Vec<Purpose> {
        self.waiting.remove(peer);
        self.peers.remove(peer);
        let ids: Vec<u64> = self
            .requests
            .iter()
            .filter(|(_, (p, _, _))| p == peer)
            .map(|(id, _)| *id)
            .collect();
        ids.into_iter()
            .filter_map(|id| self.requests.remove(&id))
            .map(|(_, _, purpose)| purpose)
            .collect()
    }

    /// Whether a session about this channel may start with this peer now. If another one has to
    /// end first, it is remembered.
    pub(super) fn may_start(&mut self, channel: &ChannelId, peer: &TransportKey) -> bool {
        let mut with_peer = 0;
        for (asked, _, purpose) in self.requests.values() {
            if let (true, Purpose::Session { channel: about, .. }) = (asked == peer, purpose) {
                if about == channel {
                    return false;
                }
                with_peer += 1;
            }
        }
        if with_peer < SESSIONS_PER_PEER {
            return true;
        }
        let waiting = self.waiting.entry(*peer).or_default();
        if !waiting.contains(channel) {
            waiting.push(*channel);
        }
        false
    }

    /// Whether a session that has brought something is to make room for a channel that waits for
    /// its first one with this peer, so that the newest of each comes before the rest of any. It
    /// waits for its turn then, to go on.
    pub(super) fn yields(&mut self, channel: &ChannelId, peer: &TransportKey) -> bool {
        let lane = self.peers.entry(*peer).or_default();
        lane.begun.insert(*channel);
        let Some(waiting) = self.waiting.get_mut(peer) else {
            return false;
        };
        let yields = waiting.iter().any(|other| !lane.begun.contains(other));
        if yields && !waiting.contains(channel) {
            waiting.push(*channel);
        }
        yields
    }

    /// The next channel that waited for a session with this peer: first those that have had none.
    pub(super) fn next_waiting(&mut self, peer: &TransportKey) -> Option<ChannelId> {
        let Some(waiting) = self.waiting.get_mut(peer).filter(|all| !all.is_empty()) else {
            // With nobody waiting it makes no difference which of them came first.
            if let Some(lane) = self.peers.get_mut(peer) {
                lane.begun.clear();
            }
            return None;
        };
        let begun = self.peers.get(peer).map(|lane| &lane.begun);
        let is_first = |channel: &ChannelId| begun.is_none_or(|begun| !begun.contains(channel));
        let at = waiting.iter().position(is_first).unwrap_or(0);
        Some(waiting.remove(at))
    }

    /// Whether keys of this channel have been asked for.
    pub(super) fn asking_keys(&self, channel: &ChannelId) -> bool {
        self.requests
            .values()
            .any(|(_, _, purpose)| matches!(purpose, Purpose::Keys { channel: about, .. } if about == channel))
    }

    /// Whether a join of this channel has been asked of this peer.
    pub(super) fn joining(&self, channel: &ChannelId, peer: &TransportKey) -> bool {
        self.requests.values().any(|(asked, _, purpose)| {
            let (Purpose::Prove { channel: about } | Purpose::Offer { channel: about }) = purpose
            else {
                return false;
            };
            asked == peer && about == channel
        })
    }

    /// Whether this peer has been asked about a channel that was never heard of here.
    pub(super) fn hearing(&self, peer: &TransportKey) -> bool {
        self.requests
            .values()
            .any(|(asked, _, purpose)| asked == peer && matches!(purpose, Purpose::Hearsay { .. }))
    }

    /// Whether this peer has been asked about this channel that was never heard of here.
    pub(super) fn hearing_of(&self, peer: &TransportKey, about: &ChannelTag) -> bool {
        self.requests.values().any(|(asked, _, purpose)| {
            asked == peer && matches!(purpose, Purpose::Hearsay { tag, .. } if tag == about)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: TransportKey = TransportKey([1; 32]);

    fn channel(number: u8) -> ChannelId {
        ChannelId([number; 32])
    }

    fn ask(outstanding: &mut Outstanding, number: u8) {
        let purpose = Purpose::Prove {
            channel: channel(number),
        };
        outstanding.add(Millis(0), PEER, purpose, vec![number]);
    }

    fn sent(outstanding: &mut Outstanding) -> Vec<(u64, Vec<u8>)> {
        std::iter::from_fn(|| outstanding.next(&PEER)).collect()
    }

    #[test]
    fn what_the_network_would_not_carry_follows_as_the_others_end() {
        let mut outstanding = Outstanding::default();
        (0..20).for_each(|number| ask(&mut outstanding, number));
        let first = sent(&mut outstanding);
        assert_eq!(first.len(), REQUESTS_PER_PEER);
        let (id, _) = first[3];
        assert!(outstanding.take(id, &PEER).is_some());
        let next = sent(&mut outstanding);
        assert_eq!(next.len(), 1);
        assert_eq!(next[0].1, [u8::try_from(REQUESTS_PER_PEER).unwrap()]);
        // Nothing is left of what was to be asked of somebody who is gone.
        assert_eq!(outstanding.drop_peer(&PEER).len(), 19);
        assert!(sent(&mut outstanding).is_empty());
        ask(&mut outstanding, 7);
        assert_eq!(sent(&mut outstanding).len(), 1);
    }

    #[test]
    fn channels_of_which_nothing_has_come_go_before_those_that_went_on() {
        let mut outstanding = Outstanding::default();
        outstanding
            .waiting
            .insert(PEER, vec![channel(2), channel(3)]);
        // The first makes room for those that wait for their first turn, and only then.
        assert!(outstanding.yields(&channel(1), &PEER));
        assert_eq!(outstanding.next_waiting(&PEER), Some(channel(2)));
        assert!(outstanding.yields(&channel(2), &PEER));
        assert_eq!(outstanding.next_waiting(&PEER), Some(channel(3)));
        assert!(!outstanding.yields(&channel(3), &PEER));
        assert_eq!(outstanding.next_waiting(&PEER), Some(channel(1)));
        assert_eq!(outstanding.next_waiting(&PEER), Some(channel(2)));
        assert_eq!(outstanding.next_waiting(&PEER), None);
        outstanding
            .waiting
            .insert(PEER, vec![channel(1), channel(3)]);
        assert!(outstanding.yields(&channel(1), &PEER), "a new round");
        // It waited first, and has had something.
        assert_eq!(outstanding.next_waiting(&PEER), Some(channel(3)));
        assert_eq!(outstanding.next_waiting(&PEER), Some(channel(1)));
    }
}
