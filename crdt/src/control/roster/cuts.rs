//! Devices that are their account's no more, and what of their messages that hides.
//!
//! 1. Whoever brings the certificate that cuts a device off says what they had of its messages.
//!    What nobody of them had is hidden: it may have been written afterwards by whoever found the
//!    device. Of several who bring it at the same time the word of whoever made it counts, for
//!    they know when that was; if only others do, each one's word shows more.
//! 2. The word of a device that is cut off itself at the same time does not count; its certificate
//!    does, which is a fact. If there is no word that counts, nothing is hidden.
//! 3. A new account epoch cuts off every device that it does not list. Of those that its author had
//!    never heard of they had nothing.
//!
//! No device comes back, so unlike a removal (`sanctions.rs`) this has no end. What the devices of an
//! account epoch said of each other stays said after the next one: nodes do not keep, nor pass on,
//! what was hidden meanwhile.

use std::collections::BTreeMap;

use super::Roster;
use crate::control::op::VerifiedOp;
use crate::control::seen::LastSeen;
use crate::identity::{Certified, Cut};
use crate::ids::{AccountId, DeviceId, LogId, OpId, Place};

/// What is said of the devices that were cut off.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Cuts {
    of: BTreeMap<DeviceId, Vec<Word>>,
    /// By account the highest account epoch that was brought, and what was said.
    raised: BTreeMap<AccountId, (u32, Word)>,
}

/// What somebody said who cut a device off.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    op: OpId,
    /// Whether it is that of the device which made the certificate.
    is_makers: bool,
    /// None if it is not known, or does not count.
    last_seen: Option<LastSeen>,
}

impl Cuts {
    fn words(&self, device: &DeviceId) -> &[Word] {
        self.of.get(device).map_or(&[], Vec::as_slice)
    }

    fn add(&mut self, device: DeviceId, word: &Word) {
        self.of.entry(device).or_default().push(word.clone());
    }

    /// Whether nobody's word on a device counts.
    fn is_open(&self, device: &DeviceId) -> bool {
        self.words(device)
            .iter()
            .all(|word| word.last_seen.is_none())
    }

    /// The op that hides what a device wrote, if nobody who counts is told to have had it.
    fn hides(&self, device: &DeviceId, had: impl Fn(&LastSeen) -> bool) -> Option<OpId> {
        let words = self.words(device).iter();
        let counting = words.filter_map(|word| Some((word, word.last_seen.as_ref()?)));
        let by_maker = counting.clone().any(|(word, _)| word.is_makers);
        let mut count = counting
            .filter(|(word, _)| word.is_makers == by_maker)
            .map(|(word, last_seen)| (word.op, last_seen));
        let (first, last_seen) = count.next()?;
        let is_hidden = !had(last_seen) && count.all(|(_, last_seen)| !had(last_seen));
        is_hidden.then_some(first)
    }

    pub(super) fn hides_place(&self, place: &Place) -> Option<OpId> {
        self.hides(&place.log.writer.device, |seen| seen.covers(place))
    }

    pub(super) fn hides_log(&self, log: &LogId) -> bool {
        self.hides(&log.writer.device, |seen| seen.knows(log))
            .is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    pub(super) fn alike(&self, other: &Self, device: &DeviceId) -> bool {
        self.words(device) == other.words(device)
    }
}

impl Roster {
    /// Whether a device is its account's no more.
    pub fn is_cut_off(&self, device: &DeviceId) -> bool {
        self.devices.get(device).is_some_and(|known| {
            self.members.get(&known.account).is_some_and(|member| {
                let certified = &member.certified;
                certified.flooded
                    || certified.revoked.contains(device)
                    || known.epoch < certified.epoch && !certified.devices.contains_key(device)
            })
        })
    }

    /// The op by which a device was cut off; nothing if it was not.
    pub fn cut_off_by(&self, device: &DeviceId) -> Option<OpId> {
        let first = self.cuts.words(device).first()?;
        self.is_cut_off(device).then_some(first.op)
    }

    /// Takes note of what an op cuts off. `last_seen` is its author's word on that, if it counts.
    pub(super) fn cut_off(&mut self, op: &VerifiedOp, cut: &Cut, last_seen: Option<&LastSeen>) {
        let Ok(Some(certified)) = op.credentials() else {
            return;
        };
        let word = Word {
            op: op.id(),
            is_makers: certified.maker == Some(op.op().device),
            last_seen: last_seen.cloned(),
        };
        for device in &cut.devices {
            self.cuts.add(*device, &word);
        }
        if cut.raises {
            self.raise(certified, word);
        }
    }

    fn raise(&mut self, certified: &Certified, word: Word) {
        let (account, epoch) = (certified.account, certified.epoch);
        for (device, known) in &self.devices {
            let is_older = known.account == account && known.epoch < epoch;
            let is_named = self.cuts.words(device).contains(&word);
            if is_older && !is_named && self.cuts.is_open(device) {
                self.cuts.add(*device, &word);
            }
        }
        let raised = &mut self.cuts.raised;
        let counts_instead = raised.get(&account).is_none_or(|(known, before)| {
            *known < epoch || *known == epoch && before.last_seen.is_none()
        });
        if counts_instead {
            raised.insert(account, (epoch, word));
        }
    }

    /// Takes note of a device that somebody lists who did not know of a new account epoch.
    pub(super) fn cut_off_late(&mut self, device: DeviceId) {
        let Some(known) = self.devices.get(&device) else {
            return;
        };
        if let Some((epoch, word)) = self.cuts.raised.get(&known.account)
            && known.epoch < *epoch
            && self.cuts.is_open(&device)
            && !self.cuts.words(&device).contains(word)
        {
            let word = word.clone();
            self.cuts.add(device, &word);
        }
    }
}
