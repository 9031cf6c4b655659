//! What of a channel a damaged disk keeps from being read, by the time it was written.

use std::collections::{BTreeMap, BTreeSet};

use kith_api::Timestamp;
use kith_api::verify::Unreadable;
use kith_crdt::envelope::Envelope;
use kith_crdt::ids::{EpochId, SegmentId};
use kith_crdt::time::HOUR_MS;
use kith_store::Reader;

use super::Verifying;

impl Verifying<'_> {
    /// The stretches of time of which entries cannot be read, the oldest first. Nothing is looked
    /// for where no damage is known, neither by this look at the disk nor by the open store.
    pub(super) fn unreadable(&self, open: &Reader) -> Vec<Unreadable> {
        if self.inspection.reader().damage_count() + open.damage_known() == 0 {
            return Vec::new();
        }
        let lost = self.lost_epochs(open);
        let is_usable = |bytes: &[u8]| {
            Envelope::epoch_of_stored(bytes).is_ok_and(|epoch| !lost.contains(&epoch))
        };
        let mut counts = self.inspection.readable(&self.id, is_usable);
        let written = self.written();
        for segment in written.keys() {
            counts.entry(*segment).or_default();
        }
        let mut stretches: Vec<Unreadable> = Vec::new();
        for (segment, (unreadable, readable)) in counts {
            // In a hole of a file there is nothing to be counted; the logs know what was there.
            let written = written.get(&segment).copied().unwrap_or_default();
            let entries = unreadable.max(written.saturating_sub(readable));
            if entries > 0 {
                add(&mut stretches, &segment, entries);
            }
        }
        stretches
    }

    /// How many entries the logs of each segment have, those left out that nobody has any more.
    fn written(&self) -> BTreeMap<SegmentId, u64> {
        let mut written: BTreeMap<SegmentId, u64> = BTreeMap::new();
        for log in self.logs() {
            let entries = u64::from(log.head) + log.awaited.len();
            *written.entry(log.id.segment).or_default() += entries.saturating_sub(log.lost.len());
        }
        written
    }

    /// The epochs whose keys are not on the disk any more: those that the daemon has in memory, and
    /// those whose records were damaged. Others were never given to this account.
    fn lost_epochs(&self, open: &Reader) -> BTreeSet<EpochId> {
        let is_lost = |epoch: &&EpochId| {
            let was_here = self.served.keys.get(epoch).is_some();
            let looks = [open, self.inspection.reader()];
            let is_damaged = looks.iter().any(|reader| reader.has_lost(&self.id, epoch));
            self.keys.get(epoch).is_none() && (was_here || is_damaged)
        };
        let epochs = self.served.roster.epochs.keys();
        epochs.filter(is_lost).copied().collect()
    }
}

/// Adds entries of a segment, to the stretch before if it follows on.
fn add(stretches: &mut Vec<Unreadable>, segment: &SegmentId, entries: u64) {
    let from = Timestamp(u64::from(segment.window.0) * HOUR_MS);
    let until = segment.closes_at().into();
    match stretches.last_mut() {
        Some(last) if last.until >= from => {
            last.until = last.until.max(until);
            last.entries += entries;
        }
        _ => stretches.push(Unreadable {
            from,
            until,
            entries,
        }),
    }
}
