//! Going through a log anew: what its envelopes say becomes records again, and what is missing of
//! it is noted.

use kith_crdt::envelope::Envelope;
use kith_crdt::ids::{ChannelId, LogId, Place, SegmentId};
use kith_crdt::limits::PAGE_BYTES;
use kith_crdt::log::Fork;
use kith_crdt::projection::Claim;
use kith_crdt::ranges::Ranges;
use kith_crdt::time::Millis;
use kith_store::{View, envelope_bytes};
use std::collections::BTreeSet;

use super::Engine;
use super::channel::Channel;
use crate::record::HoldsRecord;

/// Envelopes read at a time.
const READ_AHEAD: usize = 1_024;
/// Bytes of a record that names logs.
const RECORD_MAX: usize = 4 * 1024 * 1024;

/// What is on the disk of a log.
#[derive(Default)]
struct Found {
    /// The numbers whose envelopes are sound.
    sound: Ranges,
    /// What they take up.
    bytes: u64,
    /// Whether something was missing before the last of them.
    broken: bool,
}

impl Engine {
    /// The logs of a channel: those whose records are here, and those that other records speak of.
    pub(super) fn logs_to_mend(&self, id: ChannelId) -> BTreeSet<LogId> {
        let reader = self.store.reader();
        let view = reader.view();
        let mut logs = self.store.logs_in_index(&id);
        for (_, claim) in view.all_claims(&id, None) {
            let claim = kith_crdt::encoding::decode::<Claim>(&claim, claim.len());
            logs.extend(claim.map(|claim| claim.at.log));
        }
        for (segment, _, bytes) in view.holds(&id) {
            logs.extend(held(segment, &bytes));
        }
        // Of another log than those that are known nothing may be here at all.
        logs.retain(|log_id| !view.envelopes(&id, log_id, 1, 1, PAGE_BYTES).is_empty());
        logs.extend(self.channels[&id].logs.keys());
        logs
    }

    /// Goes through a log from its start.
    pub(super) fn rebuild_log(&mut self, now: Millis, id: ChannelId, log_id: LogId) {
        let reader = self.store.reader();
        let view = reader.view();
        let fork = proven_fork(&view, &id, &log_id);
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        let before = channel.restart_log(log_id, fork);
        let found = self.go_through(now, id, (&view, log_id, fork));
        let known = [
            before.head,
            before.awaited.last().unwrap_or(0),
            before.lost.last().unwrap_or(0),
            found.sound.last().unwrap_or(0),
        ];
        let end = fork.map_or(u32::MAX, |fork| fork - 1);
        let last = known.into_iter().max().unwrap_or(0).min(end);
        let mut all = Ranges::new();
        all.insert_range(1, last);
        let missing = all.minus(&found.sound);
        for seq in missing.iter() {
            self.stage.batch.delete_envelope(&id, &log_id.place(seq));
        }
        self.stage.batch.truncate_log(&id, &log_id, last + 1);
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        if let Some(mending) = &mut channel.mending {
            mending.logs += 1;
            mending.entries += found.sound.len();
            mending.missing += missing.len();
        }
        if last == 0 && fork.is_none() {
            channel.remove_log(log_id);
            self.stage.batch.delete_log(&id, &log_id);
            self.stage.logs.remove(&(id, log_id));
            return;
        }
        channel.log_mut(log_id).awaited = missing;
        channel.set_bytes(log_id, found.bytes);
        channel.restarted_log(log_id);
        self.branches.forget(id, log_id);
        self.stage.logs.insert((id, log_id));
    }

    /// Reads the envelopes of a log and projects what they say, also behind a hole: it was shown
    /// before, and stays so.
    fn go_through(
        &mut self,
        now: Millis,
        id: ChannelId,
        (view, log_id, fork): (&View<'_>, LogId, Option<u32>),
    ) -> Found {
        let mut found = Found::default();
        let mut next = 1;
        let end = fork.unwrap_or(u32::MAX);
        loop {
            let page = view.envelopes(&id, &log_id, next, READ_AHEAD, PAGE_BYTES);
            let Some((last, _)) = page.last() else {
                return found;
            };
            next = last + 1;
            for (seq, bytes) in page.into_iter().take_while(|(seq, _)| *seq < end) {
                let sound = Envelope::from_stored(&bytes, &id, log_id.place(seq))
                    .ok()
                    .filter(|envelope| envelope.verify(&id).is_ok());
                if let (Some(envelope), Some(channel)) = (sound, self.channels.get_mut(&id))
                    && take(channel, &envelope, &mut found)
                {
                    found.bytes += envelope_bytes(bytes.len());
                    self.stage.quiet = true;
                    self.apply(now, id, &envelope);
                    self.stage.quiet = false;
                }
            }
            if next >= end {
                return found;
            }
        }
    }

    /// Whether an envelope at a place is nothing new here: it was before the disk lost it, or one
    /// before it.
    pub(super) fn was_here(&self, id: ChannelId, place: Place) -> bool {
        let Some(channel) = self.channels.get(&id) else {
            return false;
        };
        let Some(log) = channel.logs.get(&place.log) else {
            return false;
        };
        log.awaited.contains(place.seq)
            || log.lost.contains(place.seq)
            || channel.is_mending() && self.stored_envelope(id, place).is_some()
    }

    /// Joins what lies behind a hole to its log again, once the hole is filled.
    pub(super) fn join_on(&mut self, id: ChannelId, log_id: LogId) {
        if !self.channels.get(&id).is_some_and(Channel::is_mending) {
            return;
        }
        while let Some(log) = self.channels[&id].logs.get(&log_id) {
            let (head, link, fork) = (log.head, log.link, log.fork);
            let follows = |envelope: &Envelope| {
                envelope.header.prev == link && fork.is_none_or(|fork| head + 1 < fork)
            };
            let behind = self.stored_envelope(id, log_id.place(head + 1));
            let Some(envelope) = behind.filter(follows) else {
                return;
            };
            if let Some(channel) = self.channels.get_mut(&id) {
                channel.log_mut(log_id).append(&envelope);
                channel.grew(log_id, 1);
            }
            self.stage.logs.insert((id, log_id));
        }
    }
}

/// Takes a sound envelope into its log if it follows the head. Says whether it is part of the log:
/// one that contradicts the envelope before it is not.
fn take(channel: &mut Channel, envelope: &Envelope, found: &mut Found) -> bool {
    let place = envelope.place();
    let log = channel.log_mut(place.log);
    found.broken |= place.seq != log.head + 1;
    if !found.broken {
        if envelope.header.prev != log.link {
            return false;
        }
        log.append(envelope);
    }
    found.sound.insert(place.seq);
    true
}

/// The number at which a log is proven to fork, as far as the proof can be read. One that is lost
/// is found again as any fork is.
fn proven_fork(view: &View<'_>, id: &ChannelId, log_id: &LogId) -> Option<u32> {
    let bytes = view.fork(id, log_id)?;
    let place = Fork::parse(&bytes).ok()?.verify(id).ok()?;
    (place.log == *log_id).then_some(place.seq)
}

fn held(segment: SegmentId, bytes: &[u8]) -> Vec<LogId> {
    let record = kith_crdt::encoding::decode::<HoldsRecord>(bytes, RECORD_MAX);
    let logs = record.map(|record| record.logs).unwrap_or_default();
    logs.into_iter()
        .map(|(writer, _)| LogId { segment, writer })
        .collect()
}
