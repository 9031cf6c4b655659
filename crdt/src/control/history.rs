//! What newcomers may read of what was written before they came, and so which keys they are given.
//!
//! 1. **What counts is the policy under which an account was let in.** A later one is for those
//!    who come later: it gives nothing to those who are here, and takes nothing from them. Of a
//!    policy and an admission that do not know of each other the stricter policy counts, so that
//!    nobody joins under an older one by turning the parents back.
//! 2. **The time of an admission is the one in its op.** Who joins writes that themselves, so a
//!    Join counts as no earlier than its invite: whoever lies about the time is given what they
//!    would have been given had they come at once.
//! 3. **Everything**: every epoch from where it begins.
//! 4. **The last days**: the chains from the day on that lies so many days before the admission,
//!    whole days by UTC. An epoch is written in for a week. So one that began ten days before
//!    that day or earlier is not given at all, unless it is the one that is written in now, as in
//!    a channel where nobody who may make another has written since.
//! 5. **From joining**: the epochs whose makers knew of the admission, and no other. The admission
//!    ends what may be written in before it (rule 8 of `resolve.rs`), as a removal does: so
//!    whatever was sealed without knowing of the newcomer stays closed to them, even what was
//!    written an hour before. No clock is asked.
//! 6. **Who was here before** may read again what they could read then: of the epochs made before
//!    they were known to be out those that rule 3, 4 or 5 gave them at that time.
//! 7. All devices of an account may read the same, also one that was added yesterday.
//!
//! That is what honest members give. A member can give anything that they have to anybody.

use super::ControlLog;
use super::policy::History;
use super::roster::{EpochState, Roster, Stay};
use crate::ids::{AccountId, EpochId, Window};
use crate::keys::steps;
use crate::limits::{CHAIN_WINDOWS, EPOCH_WRITTEN_HOURS};
use crate::time::{DAY_MS, Hlc, Millis};

impl ControlLog {
    /// From which window on an account that belongs may have the keys of an epoch; nothing if it
    /// may not have any of it.
    pub fn granted_from(&self, account: &AccountId, epoch: &EpochId) -> Option<Window> {
        let roster = self.roster();
        let member = roster.active_member(account)?;
        let state = roster.epochs.get(epoch)?;
        let newest = roster.usable_epochs(state.term).next();
        let is_current = newest.is_some_and(|(newest, _)| newest == *epoch);
        let stays = member.stays.iter();
        stays
            .filter_map(|stay| self.granted_to(stay, state, is_current))
            .min()
    }

    fn granted_to(&self, stay: &Stay, epoch: &EpochState, is_current: bool) -> Option<Window> {
        let made_knowing = |op| {
            let (op, made) = (self.graph.index(op), self.graph.index(&epoch.op));
            op.zip(made)
                .is_some_and(|(op, made)| self.graph.is_ancestor(op, made))
        };
        if stay.gone.as_ref().is_some_and(made_knowing) {
            return None;
        }
        match stay.history {
            History::Everything => Some(epoch.first_window),
            History::FromJoining => made_knowing(&stay.admitted).then_some(epoch.first_window),
            History::Days(_) => {
                let from =
                    on_unit(stay.first_day(), epoch.term.unit_hours()).max(epoch.first_window);
                let passed = steps(epoch.first_window, from, epoch.term.unit_hours())?;
                let is_over = from.0 - epoch.first_window.0 >= EPOCH_WRITTEN_HOURS;
                (passed < CHAIN_WINDOWS && (is_current || !is_over)).then_some(from)
            }
        }
    }
}

impl Roster {
    /// When begins what an account may read, by the clocks of those who let it in; nothing if it
    /// may read everything there ever was.
    pub fn history_begins(&self, account: &AccountId) -> Option<Millis> {
        let begins = self.first_readable(account)?;
        (begins > self.created_at).then_some(begins)
    }

    /// Whether what was written at a time was written for an account as well: whether it belongs,
    /// and its history reaches back so far.
    pub fn reaches_back_to(&self, account: &AccountId, at: Millis) -> bool {
        self.first_readable(account)
            .is_some_and(|begins| begins <= at)
    }

    /// The first window of which an account may have a key.
    pub fn readable_from(&self, account: &AccountId) -> Window {
        let begins = self.first_readable(account).unwrap_or_default();
        // An epoch begins a day early, for those whose clocks are behind.
        Hlc::at(Millis(begins.0.saturating_sub(DAY_MS))).window(24)
    }

    fn first_readable(&self, account: &AccountId) -> Option<Millis> {
        let stays = &self.members.get(account)?.stays;
        stays.iter().map(Stay::begins).min()
    }
}

impl History {
    /// The one that gives newcomers less.
    pub(super) fn stricter(self, other: Self) -> Self {
        let withheld = |history: &Self| match history {
            Self::Everything => (0, 0),
            Self::Days(days) => (1, u16::MAX - days),
            Self::FromJoining => (2, 0),
        };
        std::cmp::max_by_key(self, other, withheld)
    }
}

impl Stay {
    /// When begins what may be read.
    fn begins(&self) -> Millis {
        match self.history {
            History::Everything => Millis(0),
            History::FromJoining => self.since,
            History::Days(_) => self.first_day().starts_at(),
        }
    }

    /// The day that lies as many days before the admission as the policy says.
    fn first_day(&self) -> Window {
        let days = match self.history {
            History::Days(days) => u64::from(days),
            History::Everything | History::FromJoining => 0,
        };
        let begins = Millis(self.since.0.saturating_sub(days * DAY_MS));
        Hlc::at(begins).window(24)
    }
}

/// The window of so many hours that a window lies in.
fn on_unit(window: Window, unit_hours: u8) -> Window {
    let unit = u32::from(unit_hours).max(1);
    Window(window.0 - window.0 % unit)
}
