//! Taking a page of envelopes and forks apart.
//!
//! An envelope that comes out of here is well formed, signed by its device, of a log that was
//! asked for, and next in its turn. Whether it follows the log's end and may be kept is the host's
//! to decide, as it decides about envelopes from anywhere else.
//!
//! Every signature is checked, not only the last of a part. A link vouches for the bytes before
//! it, but not that each of them was signed; and if a broken signature were accepted in bulk that
//! is refused when it comes alone, nodes would hold different beginnings of one log, and no two
//! headers might prove the fork between them.

use std::collections::BTreeMap;

use super::message::LogWant;
use super::targets::Brought;
use crate::envelope::Envelope;
use crate::ids::{ChannelId, LogId};
use crate::log::Fork;

/// What a page brought, apart from what an honest peer would not have sent.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// By log, in the order asked.
    pub(super) parts: Vec<LogPart>,
    /// Forks whose proofs hold.
    pub(super) forks: Vec<Fork>,
    /// What there was of each log.
    pub(super) brought: BTreeMap<LogId, Brought>,
    /// How many pieces were something else.
    pub(super) faults: usize,
}

/// Envelopes of one log with consecutive numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPart {
    /// The log.
    pub log: LogId,
    /// Its envelopes; their signatures hold.
    pub envelopes: Vec<Envelope>,
}

impl Page {
    /// Reads the answer to `asked`.
    pub(super) fn read(
        channel: &ChannelId,
        asked: &[LogWant],
        envelopes: &[Vec<u8>],
        forks: &[Vec<u8>],
    ) -> Self {
        let mut page = Self::default();
        let mut turns = Turns {
            asked,
            at: 0,
            last: 0,
        };
        for bytes in envelopes {
            match Envelope::parse(bytes, channel) {
                Ok(envelope) if turns.take(&envelope, channel) => page.add(envelope),
                _ => page.faults += 1,
            }
        }
        for bytes in forks {
            match proof(channel, bytes) {
                Some((log, fork)) if asked.iter().any(|want| want.log == log) => {
                    page.brought.entry(log).or_default().fork = true;
                    page.forks.push(fork);
                }
                _ => page.faults += 1,
            }
        }
        page
    }

    fn add(&mut self, envelope: Envelope) {
        let log = envelope.log_id();
        let brought = self.brought.entry(log).or_default();
        if brought.last == 0 {
            brought.prev = envelope.header.prev;
            self.parts.push(LogPart {
                log,
                envelopes: Vec::new(),
            });
        }
        brought.last = envelope.place().seq;
        if let Some(part) = self.parts.last_mut() {
            part.envelopes.push(envelope);
        }
    }
}

fn proof(channel: &ChannelId, bytes: &[u8]) -> Option<(LogId, Fork)> {
    let fork = Fork::parse(bytes).ok()?;
    let place = fork.verify(channel).ok()?;
    Some((place.log, fork))
}

/// Holds a page to the order in which its logs were asked for and to their numbers.
struct Turns<'a> {
    asked: &'a [LogWant],
    /// Which of them it has come to.
    at: usize,
    /// The last envelope of that one; 0 if none has come.
    last: u32,
}

impl Turns<'_> {
    /// Whether it is this envelope's turn and its device has signed it.
    fn take(&mut self, envelope: &Envelope, channel: &ChannelId) -> bool {
        let place = envelope.place();
        let mut rest = self.asked.iter().enumerate().skip(self.at);
        let Some((at, want)) = rest.find(|(_, want)| want.log == place.log) else {
            return false;
        };
        let next = if at == self.at && self.last > 0 {
            self.last.saturating_add(1)
        } else {
            want.from
        };
        if place.seq != next || envelope.verify(channel).is_err() {
            return false;
        }
        (self.at, self.last) = (at, place.seq);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::fixtures::{CHANNEL, chain, envelope, log_id};
    use crate::ids::Place;

    fn read(asked: &[LogWant], envelopes: &[Envelope], forks: &[Fork]) -> (Vec<Place>, Page) {
        let envelopes: Vec<_> = envelopes.iter().map(Envelope::to_bytes).collect();
        let forks: Vec<_> = forks.iter().map(Fork::to_bytes).collect();
        let page = Page::read(&CHANNEL, asked, &envelopes, &forks);
        let envelopes = page.parts.iter().flat_map(|part| &part.envelopes);
        (envelopes.map(Envelope::place).collect(), page)
    }

    fn want(from: u32) -> LogWant {
        LogWant {
            log: log_id(),
            from,
        }
    }

    fn places(numbers: std::ops::RangeInclusive<u32>) -> Vec<Place> {
        numbers.map(|seq| log_id().place(seq)).collect()
    }

    #[test]
    fn a_log_comes_from_where_it_was_asked_for() {
        let (admitted, page) = read(&[want(2)], &chain(4)[1..], &[]);
        assert_eq!((admitted, page.faults), (places(2..=4), 0));
        let brought = Brought {
            prev: chain(1)[0].link(),
            last: 4,
            fork: false,
        };
        assert_eq!(page.brought, BTreeMap::from([(log_id(), brought)]));
    }

    #[test]
    fn what_is_out_of_turn_is_left_out() {
        let chain = chain(4);
        let (admitted, page) = read(&[want(2)], &chain, &[]);
        assert_eq!((admitted, page.faults), (places(2..=4), 1));
        let holed = [chain[1].clone(), chain[3].clone(), chain[2].clone()];
        let (admitted, page) = read(&[want(2)], &holed, &[]);
        assert_eq!((admitted, page.faults), (places(2..=3), 1));
    }

    #[test]
    fn what_was_not_asked_for_is_left_out() {
        let mut other = want(1);
        other.log.writer.incarnation += 1;
        let fork = fork();
        let (admitted, page) = read(&[other], &chain(2), &[fork]);
        assert_eq!((admitted.len(), page.forks.len(), page.faults), (0, 0, 3));
    }

    #[test]
    fn every_envelope_has_to_be_signed() {
        let mut chain = chain(2);
        chain[1].signature[5] ^= 1;
        chain.push(envelope(3, chain[1].link(), b"change", None));
        let (admitted, page) = read(&[want(1)], &chain, &[]);
        assert_eq!((admitted, page.faults), (places(1..=1), 2));
    }

    #[test]
    fn a_proven_fork_counts_as_something_brought() {
        let (_, page) = read(&[want(1)], &[], &[fork()]);
        assert!(page.brought[&log_id()].fork && page.forks == [fork()]);
    }

    fn fork() -> Fork {
        let other = envelope(1, [0; 32], b"other", None);
        Fork::prove(&CHANNEL, &chain(1)[0], &other).unwrap()
    }
}
