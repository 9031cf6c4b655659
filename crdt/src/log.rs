//! The log of one writer in one segment: what may be appended to it, and where it ends.
//!
//! Acceptance looks at number, link, time and signature, never at what is inside, so every node
//! accepts alike. Whether the content counts is decided afterwards and stops no log.
//!
//! **Signatures.** Every envelope in a log is signed by itself, however it came. A link vouches
//! for the bytes before it, but if an envelope were accepted on that word alone, nodes could hold
//! different beginnings of one log without two signed headers to prove the fork between them.
//!
//! **Forks.** Two signed envelopes of one writer at one place with different links prove that
//! the writer equivocates (or that a copied home writes twice). The log then ends before the
//! smallest number at which a fork is known. Whatever a node saw first, it ends with the same log.

mod fork;

use std::collections::BTreeMap;
use std::ops::Range;

use minicbor::{Decode, Encode};

pub use fork::{Fork, ForkError};

use crate::envelope::Envelope;
use crate::ids::LogId;
use crate::limits::{CLOCK_SKEW_MAX_MS, LOG_ENVELOPES};
use crate::ranges::Ranges;
use crate::time::Millis;

/// What a node keeps of a log besides its envelopes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Log {
    /// Segment and writer.
    #[n(0)]
    pub id: LogId,
    /// The number of the last envelope, 0 for none.
    #[n(1)]
    pub head: u32,
    /// The link of the last envelope, zeros for none.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub link: [u8; 32],
    /// Numbers that are messages of a timeline.
    #[n(3)]
    pub messages: Ranges,
    /// Numbers that no key here opens yet.
    #[n(4)]
    pub unopened: Ranges,
    /// Numbers whose content does not count.
    #[n(5)]
    pub quarantined: Ranges,
    /// The smallest number at which a fork is known.
    #[n(6)]
    pub fork: Option<u32>,
    /// Those of the messages that are in a thread.
    #[cbor(n(7), default)]
    pub threaded: Ranges,
    /// Those of the messages that somebody, permitted or not, asks to be deleted.
    #[cbor(n(8), default)]
    pub deletions: Ranges,
    /// Numbers that pin a message or unpin one.
    #[cbor(n(9), default)]
    pub pins: Ranges,
    /// Numbers that were here until the disk lost them, and that somebody may still have. What was
    /// written after them stays readable here, beyond the head.
    #[cbor(n(10), default)]
    pub awaited: Ranges,
    /// Such numbers that nobody has any more.
    #[cbor(n(11), default)]
    pub lost: Ranges,
    /// Those of the messages whose time is over: nothing of them is left but their envelope
    /// without its body.
    #[cbor(n(12), default)]
    pub over: Ranges,
    /// Numbers whose body came erased.
    #[cbor(n(13), default)]
    pub bodiless: Ranges,
    /// When those of the messages end that ask to end sooner than others, as an earlier version
    /// kept it. Nothing is added to it.
    #[cbor(n(14), default)]
    pub ends_before: BTreeMap<u32, Millis>,
    /// The same, as it is kept now: beside the record, one by one. With thousands of them it would
    /// be most of what every message writes. Those of `ends_before` are in it as well.
    #[cbor(skip)]
    pub early: BTreeMap<u32, Millis>,
    /// Those of the messages that are deleted and have no text any more.
    #[cbor(n(15), default)]
    pub erased: Ranges,
    /// Bytes that its envelopes take up as this node keeps them; nothing where nobody has counted.
    #[n(16)]
    pub bytes: Option<u64>,
}

/// What is to be done with an envelope that claims a place in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acceptance {
    /// It is the next one. Its signature is still to be checked.
    Next,
    /// It is the head itself.
    Known,
    /// Something is held at its place below the head; only what is stored there tells whether it
    /// is the same or a fork.
    Behind,
    /// Envelopes before it are missing; the log is held up to `have`.
    Gap {
        /// The number of the last envelope held.
        have: u32,
    },
    /// It does not follow the head. If its signature holds, its writer signed another history.
    BadLink,
    /// The log has as many envelopes as a log may have.
    Full,
    /// The log ends before it, because of a fork at this number.
    Closed(u32),
    /// Its time lies too far ahead; it may come again from then on.
    TooFarAhead(Millis),
    /// Its time does not lie in its window.
    WrongWindow,
    /// The time of its segment is over: nothing of it is kept any more.
    Over,
    /// Another envelope is the head at its number.
    ForkSuspected,
}

/// Why a page of a log is refused as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// An envelope of another log.
    #[error("the page mixes logs")]
    OtherLog,
}

/// What of a page may be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The envelopes to append, in order. Those before them are held already; whether they are
    /// the same, only the store can tell.
    pub accepted: Range<usize>,
    /// The first envelope after them that may not be appended now, and why.
    pub stopped: Option<(usize, Acceptance)>,
}

impl Log {
    /// An empty log.
    pub const fn new(id: LogId) -> Self {
        Self {
            id,
            head: 0,
            link: [0; 32],
            messages: Ranges::new(),
            unopened: Ranges::new(),
            quarantined: Ranges::new(),
            fork: None,
            threaded: Ranges::new(),
            deletions: Ranges::new(),
            pins: Ranges::new(),
            awaited: Ranges::new(),
            lost: Ranges::new(),
            over: Ranges::new(),
            bodiless: Ranges::new(),
            ends_before: BTreeMap::new(),
            early: BTreeMap::new(),
            erased: Ranges::new(),
            bytes: None,
        }
    }

    /// Those of the messages whose time is not known to be over.
    pub fn living(&self) -> Ranges {
        self.messages.minus(&self.over)
    }

    /// Of which of the messages no text is left here; with the numbers between them that are no
    /// messages, so that what ended in order is one range.
    pub fn textless(&self) -> Ranges {
        let kept = self.living().minus(&self.erased);
        let mut gone = self.over.clone();
        gone.extend(&self.erased);
        let mut textless = Ranges::new();
        for &(first, last) in gone.ranges() {
            let before = textless.last();
            let joins = before.filter(|before| !kept.meets(*before, first));
            textless.insert_range(joins.unwrap_or(first), last);
        }
        textless
    }

    /// Whether something is missing that was here before.
    pub const fn has_holes(&self) -> bool {
        !self.awaited.is_empty() || !self.lost.is_empty()
    }

    /// Says what is to be done with an envelope of this log. The signature is not looked at.
    pub fn check(&self, envelope: &Envelope, now: Millis) -> Acceptance {
        debug_assert_eq!(
            envelope.log_id(),
            self.id,
            "an envelope is held against its own log"
        );
        Tip {
            head: self.head,
            link: self.link,
        }
        .check(self.fork, envelope, now)
    }

    /// Appends an envelope that [`Self::check`] found to be the next.
    pub fn append(&mut self, envelope: &Envelope) {
        debug_assert_eq!(envelope.place(), self.id.place(self.head + 1));
        debug_assert_eq!(envelope.header.prev, self.link);
        self.head = envelope.place().seq;
        self.link = envelope.link();
        self.awaited.remove(self.head);
        self.lost.remove(self.head);
    }

    /// Holds a page of envelopes of this log, in order, against it. Signatures are not looked at:
    /// it is for envelopes whose signatures hold, as sync hands them out.
    ///
    /// # Errors
    /// [`PageError::OtherLog`] if the page is not of this log.
    pub fn check_page(&self, envelopes: &[Envelope], now: Millis) -> Result<Page, PageError> {
        if envelopes
            .iter()
            .any(|envelope| envelope.log_id() != self.id)
        {
            return Err(PageError::OtherLog);
        }
        let mut tip = Tip {
            head: self.head,
            link: self.link,
        };
        let held = |envelope: &&Envelope| {
            matches!(
                self.check(envelope, now),
                Acceptance::Known | Acceptance::Behind
            )
        };
        let start = envelopes.iter().take_while(held).count();
        let mut page = Page {
            accepted: start..start,
            stopped: None,
        };
        for (at, envelope) in envelopes.iter().enumerate().skip(start) {
            match tip.check(self.fork, envelope, now) {
                Acceptance::Next => tip.advance(envelope),
                other => {
                    page.stopped = Some((at, other));
                    break;
                }
            }
            page.accepted.end = at + 1;
        }
        Ok(page)
    }

    /// Ends the log because of a fork at `seq`. `last` is the envelope held with the largest
    /// number below it, if there is one. Tells whether that changed the log; what lies behind the
    /// new head is then to be taken out of the store.
    pub fn close(&mut self, seq: u32, last: Option<&Envelope>) -> bool {
        debug_assert!(last.is_none_or(|last| last.log_id() == self.id && last.place().seq < seq));
        if self.fork.is_some_and(|known| known <= seq) {
            return false;
        }
        self.fork = Some(seq);
        self.awaited.truncate(seq);
        self.lost.truncate(seq);
        if self.head >= seq {
            self.head = last.map_or(0, |last| last.place().seq);
            self.link = last.map_or([0; 32], Envelope::link);
            for ranges in [
                &mut self.messages,
                &mut self.unopened,
                &mut self.quarantined,
                &mut self.threaded,
                &mut self.deletions,
                &mut self.pins,
                &mut self.over,
                &mut self.bodiless,
                &mut self.erased,
            ] {
                ranges.truncate(self.head + 1);
            }
            self.ends_before.split_off(&(self.head + 1));
            self.early.split_off(&(self.head + 1));
        }
        true
    }
}

/// Where a log ends while a page is held against it.
struct Tip {
    head: u32,
    link: [u8; 32],
}

impl Tip {
    fn advance(&mut self, envelope: &Envelope) {
        self.head = envelope.place().seq;
        self.link = envelope.link();
    }

    fn check(&self, fork: Option<u32>, envelope: &Envelope, now: Millis) -> Acceptance {
        let seq = envelope.place().seq;
        if let Some(fork) = fork.filter(|&fork| seq >= fork) {
            return Acceptance::Closed(fork);
        }
        if seq < self.head {
            return Acceptance::Behind;
        }
        if seq == self.head {
            let same = envelope.link() == self.link;
            return if same {
                Acceptance::Known
            } else {
                Acceptance::ForkSuspected
            };
        }
        if seq > LOG_ENVELOPES {
            return Acceptance::Full;
        }
        let segment = envelope.log_id().segment;
        if !segment.holds(envelope.header.hlc) {
            return Acceptance::WrongWindow;
        }
        if segment.is_over(now) {
            return Acceptance::Over;
        }
        if seq > self.head + 1 {
            return Acceptance::Gap { have: self.head };
        }
        if envelope.header.prev != self.link {
            return Acceptance::BadLink;
        }
        let at = envelope.header.hlc.millis();
        if at.since(now) > CLOCK_SKEW_MAX_MS {
            return Acceptance::TooFarAhead(Millis(at.0 - CLOCK_SKEW_MAX_MS));
        }
        Acceptance::Next
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::encoding::{decode, encode};
    use crate::envelope::fixtures::{
        CHANNEL, NOON, WINDOW, chain, envelope, log_id, position, signing, window_key,
    };
    use crate::envelope::seal;
    use crate::time::{HOUR_MS, Hlc};

    fn held(chain: &[Envelope]) -> Log {
        let mut log = Log::new(log_id());
        for envelope in chain {
            assert_eq!(log.check(envelope, NOON), Acceptance::Next);
            log.append(envelope);
        }
        log
    }

    fn unsigned(mut envelope: Envelope) -> Envelope {
        envelope.signature[5] ^= 1;
        envelope
    }

    #[test]
    fn a_log_goes_on_one_by_one_from_its_head() {
        let chain = chain(4);
        let log = held(&chain[..2]);
        let checks = [0, 1, 2, 3].map(|at| log.check(&chain[at], NOON));
        let gap = Acceptance::Gap { have: 2 };
        assert_eq!(
            checks,
            [Acceptance::Behind, Acceptance::Known, Acceptance::Next, gap]
        );
        assert_eq!(decode::<Log>(&encode(&log), 1024), Ok(log));
    }

    #[test]
    fn what_the_disk_lost_is_no_hole_any_more_once_it_is_back() {
        let chain = chain(3);
        let mut log = held(&chain[..1]);
        log.awaited.insert(2);
        log.lost.insert(3);
        assert_eq!(decode::<Log>(&encode(&log), 1024), Ok(log.clone()));
        // As it was written before there was word of holes.
        let whole = encode(&held(&chain[..1]));
        let older = [&[0x8a], &whole[1..whole.len() - 6]].concat();
        assert_eq!(decode::<Log>(&older, 1024), Ok(held(&chain[..1])));
        log.append(&chain[1]);
        assert!(log.awaited.is_empty() && log.has_holes());
        log.close(3, Some(&chain[1]));
        assert!(!log.has_holes());
    }

    #[test]
    fn another_history_is_noticed_at_the_head_and_behind_it() {
        let log = held(&chain(2));
        let other_head = envelope(2, chain(1)[0].link(), b"other", None);
        assert_eq!(log.check(&other_head, NOON), Acceptance::ForkSuspected);
        let next = envelope(3, other_head.link(), b"change", None);
        assert_eq!(log.check(&next, NOON), Acceptance::BadLink);
        assert_eq!(
            log.check(&unsigned(chain(2)[1].clone()), NOON),
            Acceptance::ForkSuspected
        );
    }

    #[test]
    fn an_envelope_from_the_future_waits_for_its_time() {
        let first = &chain(1)[0];
        let early = Millis(NOON.0 - CLOCK_SKEW_MAX_MS - 1);
        let log = Log::new(log_id());
        let Acceptance::TooFarAhead(when) = log.check(first, early) else {
            panic!("accepted early")
        };
        assert_eq!(when, Millis(NOON.0 - CLOCK_SKEW_MAX_MS));
        assert_eq!(log.check(first, when), Acceptance::Next);
    }

    #[test]
    fn time_and_number_are_bounded() {
        let mut rng = rand_chacha::ChaCha20Rng::from_seed([1; 32]);
        let mut late = position(1, [0; 32]);
        late.hlc = Hlc::at(Millis(u64::from(WINDOW.0 + 24) * HOUR_MS));
        let late = seal(
            &CHANNEL,
            &signing(),
            &late,
            &window_key(),
            b"",
            None,
            &mut rng,
        );
        assert_eq!(
            Log::new(log_id()).check(&late, late.header.hlc.millis()),
            Acceptance::WrongWindow
        );
        let full = Log {
            head: LOG_ENVELOPES,
            ..Log::new(log_id())
        };
        assert_eq!(
            full.check(&envelope(LOG_ENVELOPES + 1, [0; 32], b"", None), NOON),
            Acceptance::Full
        );
    }

    #[test]
    fn a_page_goes_no_further_than_the_fork() {
        let chain = chain(4);
        let mut log = Log::new(log_id());
        log.close(3, None);
        let page = log.check_page(&chain, NOON).unwrap();
        let closed = Some((2, Acceptance::Closed(3)));
        assert_eq!((page.accepted, page.stopped), (0..2, closed));
        log.id.segment.index += 1;
        assert_eq!(log.check_page(&chain, NOON), Err(PageError::OtherLog));
    }

    #[test]
    fn a_page_is_taken_as_far_as_it_follows() {
        let mut chain = chain(3);
        chain[2].header.prev = [7; 32];
        let log = Log::new(log_id());
        let page = log.check_page(&chain, NOON).unwrap();
        assert_eq!(
            page,
            Page {
                accepted: 0..2,
                stopped: Some((2, Acceptance::BadLink))
            }
        );
        let ahead = log.check_page(&chain[1..], NOON).unwrap();
        assert_eq!(ahead.stopped, Some((0, Acceptance::Gap { have: 0 })));
    }

    #[test]
    fn a_forked_log_ends_before_the_smallest_fork() {
        let chain = chain(5);
        let mut log = held(&chain);
        log.messages.insert_range(1, 5);
        assert!(log.close(4, Some(&chain[2])) && !log.close(5, Some(&chain[3])));
        assert_eq!(
            (log.head, log.link, log.messages.last()),
            (3, chain[2].link(), Some(3))
        );
        assert_eq!(log.check(&chain[3], NOON), Acceptance::Closed(4));
        assert!(log.close(2, Some(&chain[0])));
        assert_eq!((log.head, log.fork), (1, Some(2)));
    }

    #[test]
    fn what_ended_in_order_is_one_range_however_many_numbers_are_no_messages() {
        let ranges = |numbers: &[u32]| numbers.iter().copied().collect::<Ranges>();
        let mut log = Log::new(log_id());
        log.messages = ranges(&[1, 3, 4, 7, 9, 12]);
        assert!(log.textless().is_empty());
        log.over = ranges(&[1, 3, 4]);
        assert_eq!(log.textless().ranges(), [(1, 4)]);
        log.over = ranges(&[1, 3, 4, 7]);
        log.erased = ranges(&[12]);
        assert_eq!(log.textless().ranges(), [(1, 7), (12, 12)]);
        log.erased.insert(9);
        assert_eq!(log.textless().ranges(), [(1, 12)]);
    }
}
