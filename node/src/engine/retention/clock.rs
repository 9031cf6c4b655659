//! Whether this node's clock is to be believed when it says that something is over.
//!
//! What is hidden too early comes back when the clock is set right; what is destroyed does not. So
//! a clock that leaps ahead by more than a day, while the node runs or between two runs, destroys
//! nothing on its own word. It is believed again as soon as another member's signed clock says
//! about the same, or the person confirms it. A node that ran yesterday needs neither.

use kith_crdt::time::Millis;
use minicbor::{Decode, Encode};

/// Milliseconds by which a clock may go ahead between two looks without a witness.
const LEAP_MS: u64 = 86_400_000;
/// Milliseconds after which the time that is believed is kept anew.
const KEPT_EVERY_MS: u64 = 60_000;

/// Where the store keeps the time that is believed.
pub(in crate::engine) const META_CLOCK: &str = "clock";

/// The latest time that somebody else than this node's own clock speaks for, or that it came to
/// step by step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(in crate::engine) struct Witness {
    #[n(0)]
    believed: Millis,
    /// What of it is on the disk.
    #[cbor(skip)]
    kept: Millis,
}

impl Witness {
    /// Takes over what the store has.
    pub(in crate::engine) const fn restored(self) -> Self {
        Self {
            kept: self.believed,
            ..self
        }
    }

    /// The same, of which it is not known that it is on the disk.
    pub(in crate::engine) const fn not_kept(self) -> Self {
        Self {
            kept: Millis(0),
            ..self
        }
    }

    /// Goes along with the clock, if it has not leapt. A node that has never looked at it believes
    /// it: it has nothing yet that could be destroyed.
    pub(in crate::engine) fn look(&mut self, now: Millis) {
        if self.believed == Millis(0) || self.is_believed(now) {
            self.believed = self.believed.max(now);
        }
    }

    /// Hears the signed clock of another member, who may be wrong as well: more than this node's
    /// own clock says is not believed.
    pub(in crate::engine) fn hear(&mut self, theirs: Millis, now: Millis) {
        self.believed = self.believed.max(theirs.min(now));
    }

    /// Believes what the clock says: the person confirms it.
    pub(in crate::engine) fn confirm(&mut self, now: Millis) {
        self.believed = self.believed.max(now);
    }

    /// The time that is believed.
    pub(in crate::engine) const fn believed(&self) -> Millis {
        self.believed
    }

    /// Whether what is over at this time may be destroyed.
    pub(in crate::engine) fn is_believed(&self, now: Millis) -> bool {
        now.since(self.believed) <= LEAP_MS
    }

    /// By how many milliseconds the clock is ahead of what is believed, where that is too much.
    pub(in crate::engine) fn leapt_by(&self, now: Millis) -> Option<u64> {
        (!self.is_believed(now)).then(|| now.since(self.believed))
    }

    /// What is to be kept, if it is time for that.
    pub(in crate::engine) fn keep_now(&mut self) -> Option<Self> {
        if self.believed.since(self.kept) < KEPT_EVERY_MS {
            return None;
        }
        self.kept = self.believed;
        Some(*self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kith_crdt::time::HOUR_MS;

    const NOW: Millis = Millis(1_800_000_000_000);

    fn hours(hours: u64) -> Millis {
        NOW.plus(hours * HOUR_MS)
    }

    fn running() -> Witness {
        let mut witness = Witness::default();
        witness.look(NOW);
        witness
    }

    #[test]
    fn a_clock_that_goes_on_is_believed() {
        let mut witness = running();
        for hour in 0..100 {
            witness.look(hours(hour));
        }
        assert!(witness.is_believed(hours(99 + 24)));
    }

    #[test]
    fn a_leap_needs_a_witness() {
        let mut witness = running();
        witness.look(hours(25));
        witness.look(hours(26));
        assert_eq!(witness.leapt_by(hours(26)), Some(26 * HOUR_MS));
        witness.hear(hours(1), hours(26));
        assert!(witness.is_believed(hours(25)) && !witness.is_believed(hours(26)));
        witness.hear(hours(3), hours(26));
        assert!(witness.is_believed(hours(26)));
    }

    #[test]
    fn a_witness_from_the_future_speaks_for_no_more_than_our_own_clock() {
        let mut witness = running();
        witness.hear(hours(10_000), hours(1));
        assert!(!witness.is_believed(hours(26)));
    }

    #[test]
    fn a_person_confirms_a_leap() {
        let mut witness = running();
        witness.confirm(hours(9_000));
        assert!(witness.is_believed(hours(9_001)));
    }

    #[test]
    fn it_is_kept_now_and_then() {
        let mut witness = running();
        let kept = witness.keep_now().unwrap().restored();
        assert!(witness.keep_now().is_none());
        assert!(kept.is_believed(hours(24)) && !kept.is_believed(hours(25)));
    }
}
