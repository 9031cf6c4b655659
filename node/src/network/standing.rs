//! How peers have behaved: points for misdeeds, refusal past a threshold, forgiveness by time.

use std::collections::BTreeMap;
use std::time::Instant;

use libp2p::PeerId;

use super::limits::{POINTS_AFTER_REFUSAL, POINTS_FREE, REFUSED_AT, REFUSED_FOR, STANDINGS};

/// The points of every peer that has any.
#[derive(Debug, Default)]
pub(super) struct Standings {
    peers: BTreeMap<PeerId, Standing>,
}

#[derive(Debug, Clone, Copy)]
enum Standing {
    /// So many points as of a time.
    Points(u32, Instant),
    /// Refused until a time.
    Refused(Instant),
}

impl Standing {
    /// Whom to forget first, smallest first: few points before many before refused.
    fn weight(self, now: Instant) -> (u32, Instant) {
        match self {
            Self::Points(points, since) => (forgiven(points, since, now), since),
            Self::Refused(until) => (u32::MAX, until),
        }
    }
}

impl Standings {
    /// Adds points. Returns whether the peer is to be refused from now on.
    pub(super) fn charge(&mut self, peer: PeerId, cost: u32, now: Instant) -> bool {
        let points = match self.peers.get(&peer) {
            Some(Standing::Refused(_)) => return false,
            Some(Standing::Points(points, since)) => forgiven(*points, *since, now),
            None => 0,
        };
        let points = points.saturating_add(cost);
        let refuse = points >= REFUSED_AT;
        let standing = if refuse {
            Standing::Refused(now + REFUSED_FOR)
        } else {
            Standing::Points(points, now)
        };
        self.peers.insert(peer, standing);
        refuse
    }

    /// How the peers with points stand with gossip: 0 for the few that anyone may get, below it
    /// for what is beyond.
    pub(super) fn scores(&self, now: Instant) -> impl Iterator<Item = (&PeerId, f64)> {
        self.peers
            .iter()
            .filter_map(move |(peer, standing)| match standing {
                Standing::Points(points, since) => {
                    let points = forgiven(*points, *since, now).saturating_sub(POINTS_FREE);
                    Some((peer, -f64::from(points)))
                }
                Standing::Refused(_) => None,
            })
    }

    /// Takes a peer that need no longer be refused: its time is over, or more peers are known
    /// than are kept. To be called until there is none.
    pub(super) fn take_pardoned(&mut self, now: Instant) -> Option<PeerId> {
        let over = self
            .peers
            .iter()
            .find_map(|(peer, standing)| match standing {
                Standing::Refused(until) if *until <= now => Some(*peer),
                _ => None,
            });
        if let Some(peer) = over {
            self.peers
                .insert(peer, Standing::Points(POINTS_AFTER_REFUSAL, now));
            return Some(peer);
        }
        self.peers.retain(|_, standing| standing.weight(now).0 > 0);
        if self.peers.len() <= STANDINGS {
            return None;
        }
        let least = self
            .peers
            .iter()
            .min_by_key(|(_, standing)| standing.weight(now));
        let peer = *least?.0;
        self.peers.remove(&peer);
        Some(peer)
    }
}

/// The points left after one has been forgiven each second.
fn forgiven(points: u32, since: Instant, now: Instant) -> u32 {
    let seconds = now.saturating_duration_since(since).as_secs();
    points.saturating_sub(u32::try_from(seconds).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn misdeeds_add_up_to_refusal_once() {
        let (mut standings, now, peer) = (Standings::default(), Instant::now(), PeerId::random());
        assert!(!standings.charge(peer, REFUSED_AT - 1, now));
        assert!(standings.charge(peer, 1, now));
        assert!(!standings.charge(peer, u32::MAX, now));
    }

    #[test]
    fn what_lies_back_is_forgiven() {
        let (mut standings, now, peer) = (Standings::default(), Instant::now(), PeerId::random());
        standings.charge(peer, REFUSED_AT - 1, now);
        let later = now + Duration::from_secs(10);
        assert!(!standings.charge(peer, 10, later));
        assert!(standings.charge(peer, 1, later));
    }

    #[test]
    fn only_points_beyond_the_free_ones_lower_the_score() {
        let (mut standings, now, peer) = (Standings::default(), Instant::now(), PeerId::random());
        standings.charge(peer, POINTS_FREE + 3, now);
        let score = |at| standings.scores(at).next().map(|(_, score)| score);
        assert_eq!(score(now), Some(-3.0));
        assert_eq!(score(now + Duration::from_secs(60)), Some(0.0));
    }

    #[test]
    fn a_refused_peer_comes_back_on_probation() {
        let (mut standings, now, peer) = (Standings::default(), Instant::now(), PeerId::random());
        standings.charge(peer, REFUSED_AT, now);
        assert_eq!(standings.take_pardoned(now), None);
        let later = now + REFUSED_FOR;
        assert_eq!(standings.take_pardoned(later), Some(peer));
        assert!(standings.charge(peer, REFUSED_AT - POINTS_AFTER_REFUSAL, later));
    }

    #[test]
    fn the_book_is_bounded_and_keeps_the_worst() {
        let (mut standings, now, worst) = (Standings::default(), Instant::now(), PeerId::random());
        standings.charge(worst, REFUSED_AT, now);
        for _ in 0..2 * STANDINGS {
            standings.charge(PeerId::random(), 1, now);
        }
        while standings.take_pardoned(now).is_some() {}
        assert_eq!(standings.peers.len(), STANDINGS);
        assert!(standings.peers.contains_key(&worst));
    }
}
