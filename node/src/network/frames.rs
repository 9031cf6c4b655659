//! Frames that wait for the engine's judgement, bounded per peer and in all.
//!
//! The bound per peer is what keeps one that floods from taking the places of the others.

use std::collections::BTreeMap;
use std::time::Instant;

use libp2p::PeerId;
use libp2p::gossipsub::MessageId;

use super::limits::{
    JUDGE_TIMEOUT, UNJUDGED, UNJUDGED_BYTES, UNJUDGED_BYTES_PER_PEER, UNJUDGED_PER_PEER,
};

/// The frames that wait, by ticket, which is by age.
#[derive(Debug, Default)]
pub(super) struct Unjudged {
    frames: BTreeMap<u64, Waiting>,
    of_peer: BTreeMap<PeerId, Held>,
    of_all: Held,
    next: u64,
}

/// A frame that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Gossip's name for it.
    pub(super) id: MessageId,
    /// Who passed it on.
    pub(super) peer: PeerId,
    bytes: usize,
    until: Instant,
}

#[derive(Debug, Default, Clone, Copy)]
struct Held {
    frames: usize,
    bytes: usize,
}

impl Held {
    /// With one more frame, if that stays within bounds.
    fn with(self, bytes: usize, max_frames: usize, max_bytes: usize) -> Option<Self> {
        let held = Self {
            frames: self.frames + 1,
            bytes: self.bytes + bytes,
        };
        (held.frames <= max_frames && held.bytes <= max_bytes).then_some(held)
    }

    const fn without(self, bytes: usize) -> Self {
        Self {
            frames: self.frames - 1,
            bytes: self.bytes - bytes,
        }
    }
}

impl Unjudged {
    /// Gives a frame a ticket, unless its peer or all of them have too much waiting.
    pub(super) fn admit(
        &mut self,
        peer: PeerId,
        id: MessageId,
        bytes: usize,
        now: Instant,
    ) -> Option<u64> {
        let of_peer = self.of_peer.get(&peer).copied().unwrap_or_default();
        let of_peer = of_peer.with(bytes, UNJUDGED_PER_PEER, UNJUDGED_BYTES_PER_PEER)?;
        self.of_all = self.of_all.with(bytes, UNJUDGED, UNJUDGED_BYTES)?;
        self.of_peer.insert(peer, of_peer);
        let ticket = self.next;
        self.next += 1;
        self.frames.insert(
            ticket,
            Waiting {
                id,
                peer,
                bytes,
                until: now + JUDGE_TIMEOUT,
            },
        );
        Some(ticket)
    }

    /// Takes the frame of a ticket, if it still waits.
    pub(super) fn take(&mut self, ticket: u64) -> Option<Waiting> {
        let frame = self.frames.remove(&ticket)?;
        self.of_all = self.of_all.without(frame.bytes);
        if let Some(held) = self.of_peer.get_mut(&frame.peer) {
            *held = held.without(frame.bytes);
            if held.frames == 0 {
                self.of_peer.remove(&frame.peer);
            }
        }
        Some(frame)
    }

    /// Takes the oldest frame if it has waited too long.
    pub(super) fn take_expired(&mut self, now: Instant) -> Option<Waiting> {
        let (&ticket, oldest) = self.frames.first_key_value()?;
        if oldest.until <= now {
            self.take(ticket)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn fill(unjudged: &mut Unjudged, peer: PeerId, bytes: usize, now: Instant) -> Vec<u64> {
        let id = MessageId::new(b"frame");
        std::iter::from_fn(|| unjudged.admit(peer, id.clone(), bytes, now)).collect()
    }

    #[test]
    fn one_peer_cannot_take_the_places_of_another() {
        let (mut unjudged, now) = (Unjudged::default(), Instant::now());
        let (flood, quiet) = (PeerId::random(), PeerId::random());
        assert_eq!(
            fill(&mut unjudged, flood, 300, now).len(),
            UNJUDGED_PER_PEER
        );
        assert!(
            unjudged
                .admit(quiet, MessageId::new(b"x"), 300, now)
                .is_some()
        );
    }

    #[test]
    fn large_frames_are_bounded_by_their_bytes() {
        let (mut unjudged, now) = (Unjudged::default(), Instant::now());
        let admitted = fill(&mut unjudged, PeerId::random(), 64 * 1024, now);
        assert_eq!(admitted.len(), UNJUDGED_BYTES_PER_PEER / (64 * 1024));
    }

    #[test]
    fn many_peers_together_are_bounded_too() {
        let (mut unjudged, now) = (Unjudged::default(), Instant::now());
        let admitted: usize = (0..64)
            .map(|_| fill(&mut unjudged, PeerId::random(), 300, now).len())
            .sum();
        assert_eq!(admitted, UNJUDGED);
    }

    #[test]
    fn a_judged_frame_makes_room_and_is_judged_once() {
        let (mut unjudged, now) = (Unjudged::default(), Instant::now());
        let peer = PeerId::random();
        let tickets = fill(&mut unjudged, peer, 300, now);
        assert!(unjudged.take(tickets[0]).is_some() && unjudged.take(tickets[0]).is_none());
        assert_eq!(fill(&mut unjudged, peer, 300, now).len(), 1);
    }

    #[test]
    fn a_frame_that_nobody_judges_expires() {
        let (mut unjudged, now) = (Unjudged::default(), Instant::now());
        unjudged.admit(PeerId::random(), MessageId::new(b"x"), 300, now);
        let late = now + JUDGE_TIMEOUT;
        assert!(
            unjudged
                .take_expired(late - Duration::from_millis(1))
                .is_none()
        );
        assert!(unjudged.take_expired(late).is_some());
        assert!(unjudged.take_expired(late).is_none() && unjudged.of_peer.is_empty());
    }
}
