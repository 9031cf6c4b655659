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
