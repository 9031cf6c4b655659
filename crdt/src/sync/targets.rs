//! Which logs a session still wants from its peer, and from where.
//!
//! A log is wanted while the peer says that it holds more of it, or a fork that we do not know
//! of. Where the peer's log cannot be a continuation or a beginning of ours, the two have been
//! given different envelopes with one number. Then the peer's log is read from its start beside
//! ours, so that the host can find the two and prove it. A log of which nothing comes, or nothing
//! that the host can use, is given up for this session; the next one tries again.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::digest::Head;
use super::message::LogWant;
use super::replica::Replica;
use crate::ids::{LogId, SegmentId, Writer};
use crate::limits::{LOG_ENVELOPES, PULL_LOGS};

/// Envelopes asked for at first: the newest page of a conversation, and little more, so that it can
/// be read before much of the rest has come. Each further request asks for four times as many.
const FIRST_ENVELOPES: u32 = 128;

/// The logs that are wanted, newest segments first.
#[derive(Debug, Default)]
pub(super) struct Targets {
    logs: BTreeMap<(Reverse<SegmentId>, Writer), Target>,
    given_up: usize,
    /// How often something was asked for.
    requests: u32,
}

#[derive(Debug, Clone, Copy)]
struct Target {
    /// Where the peer says that its log ends.
    theirs: Head,
    /// Where reading the peer's log beside ours has come to, once a fork is suspected.
    beside: Option<u32>,
}

/// What a page brought of one log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Brought {
    /// The link that the first envelope says it follows.
    pub(super) prev: [u8; 32],
    /// The number of the last envelope; 0 if none came.
    pub(super) last: u32,
    /// Whether a fork was proven.
    pub(super) fork: bool,
}

impl Brought {
    fn nothing(&self) -> bool {
        self.last == 0 && !self.fork
    }
}

impl Targets {
    /// Hears where the peer's log ends, and wants it if there is reason to.
    pub(super) fn hear(&mut self, replica: &impl Replica, log: LogId, theirs: Head) {
        let sound = log.segment.check().is_ok() && theirs.seq <= LOG_ENVELOPES;
        let beside = suspicious(replica, &log, &theirs).then_some(1);
        let target = Target { theirs, beside };
        if sound && target.from(replica.digests().head(&log)).is_some() {
            self.logs.insert(key(&log), target);
        }
    }

    /// Whether nothing is wanted that is known of.
    pub(super) fn is_empty(&self) -> bool {
        self.logs.is_empty()
    }

    /// Gives up on a log for the rest of the session.
    pub(super) fn give_up(&mut self, log: &LogId) {
        if self.logs.remove(&key(log)).is_some() {
            self.given_up += 1;
        }
    }

    /// How many logs were given up.
    pub(super) const fn given_up(&self) -> usize {
        self.given_up
    }

    /// What to ask for next, forgetting the logs of which nothing is wanted any more.
    pub(super) fn wants(&mut self, replica: &impl Replica) -> Vec<LogWant> {
        let mut wants = Vec::new();
        let mut room = FIRST_ENVELOPES.saturating_mul(4_u32.saturating_pow(self.requests));
        self.requests = self.requests.saturating_add(1);
        self.logs.retain(|key, target| {
            let log = log_of(key);
            if wants.len() == PULL_LOGS || room == 0 {
                return true;
            }
            let from = target.from(replica.digests().head(&log));
            if let Some(from) = from {
                wants.push(LogWant { log, from });
                room = room.saturating_sub(target.theirs.seq.saturating_sub(from).max(1));
            }
            from.is_some()
        });
        wants
    }

    /// Draws the conclusions from a page that the host has applied: what was `asked`, what it
    /// `brought`, and where the logs end now.
    pub(super) fn conclude(
        &mut self,
        replica: &impl Replica,
        asked: &[LogWant],
        brought: &BTreeMap<LogId, Brought>,
    ) {
        // Pages are in the order asked, so what is missing before the last log that is there is
        // not to be had. If nothing is there at all, nothing of this is to be had.
        let reached = asked
            .iter()
            .rposition(|want| {
                brought
                    .get(&want.log)
                    .is_some_and(|brought| !brought.nothing())
            })
            .unwrap_or(asked.len().saturating_sub(1));
        for want in asked.iter().take(reached + 1) {
            let brought = brought.get(&want.log).copied().unwrap_or_default();
            self.conclude_log(replica, want, brought);
        }
    }

    fn conclude_log(&mut self, replica: &impl Replica, want: &LogWant, brought: Brought) {
        let ours = replica.digests().head(&want.log);
        let Some(target) = self.logs.get_mut(&key(&want.log)) else {
            return;
        };
        let held = ours.map_or(0, |head| head.seq);
        let link = ours.map_or([0; 32], |head| head.link);
        let settled = target.from(ours).is_none();
        if settled {
            self.logs.remove(&key(&want.log));
        } else if target.beside.is_some() && brought.last >= want.from {
            target.beside = Some(brought.last + 1);
        } else if target.beside.is_none() && held >= want.from {
            // It grew; the rest is asked for next.
        } else if target.beside.is_none() && brought.last >= want.from && brought.prev != link {
            target.beside = Some(1);
        } else {
            self.give_up(&want.log);
        }
    }
}

impl Target {
    /// The number of the first envelope to ask for, if anything is wanted while our log ends
    /// at `ours`.
    fn from(&self, ours: Option<Head>) -> Option<u32> {
        let held = ours.map_or(0, |head| head.seq);
        let our_fork = ours.and_then(|head| head.fork);
        if let Some(beside) = self.beside {
            let proven = our_fork.is_some_and(|fork| fork <= beside);
            return (!proven && beside <= self.theirs.seq).then_some(beside);
        }
        let open_until = our_fork.map_or(u32::MAX, |fork| fork.saturating_sub(1));
        let more = held < self.theirs.seq.min(open_until);
        let news_of_fork = self
            .theirs
            .fork
            .is_some_and(|theirs| our_fork.is_none_or(|ours| theirs < ours));
        (more || news_of_fork).then_some(held + 1)
    }
}

/// Whether the peer's log, as far as ours goes too, cannot be the same.
fn suspicious(replica: &impl Replica, log: &LogId, theirs: &Head) -> bool {
    let Some(ours) = replica.digests().head(log) else {
        return false;
    };
    if theirs.seq == 0 || theirs.seq > ours.seq {
        return false;
    }
    let link = if theirs.seq == ours.seq {
        Some(ours.link)
    } else {
        replica.link(&log.place(theirs.seq))
    };
    link.is_some_and(|link| link != theirs.link)
}

const fn key(log: &LogId) -> (Reverse<SegmentId>, Writer) {
    (Reverse(log.segment), log.writer)
}

const fn log_of(&(Reverse(segment), writer): &(Reverse<SegmentId>, Writer)) -> LogId {
    LogId { segment, writer }
}
