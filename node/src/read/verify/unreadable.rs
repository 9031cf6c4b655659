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
        let mut missing: BTreeMap<SegmentId, u64> = BTreeMap::new();
        let mut found = self.inspection.readable(&self.id, is_usable);
        for log in self.logs() {
            let on_disk = found.remove(&self.inspection.handle(&self.id, &log.id));
            let on_disk = on_disk.unwrap_or_default();
            // In a hole of a file there is nothing to be counted; the log knows what was there.
            let mut written = log.awaited.clone();
            written.insert_range(1, log.head);
            let mut lost = written.minus(&log.lost).minus(&on_disk.readable);
            on_disk.unreadable.iter().for_each(|seq| {
                lost.insert(seq);
            });
            *missing.entry(log.id.segment).or_default() += lost.len();
        }
        // Of logs whose own records are lost as well there is only what lies there.
        for (log, on_disk) in found {
            if let Some(segment) = log.segment() {
                *missing.entry(segment).or_default() += on_disk.unreadable.len();
            }
        }
        let mut stretches: Vec<Unreadable> = Vec::new();
        for (segment, entries) in missing.into_iter().filter(|(_, entries)| *entries > 0) {
            add(&mut stretches, &segment, entries);
        }
        stretches
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
