//! Quotas: how much the envelopes of a channel, and of all channels, may take up on this disk.
//!
//! What counts and what a full channel still does is drawn in `docs/storage.md`, section 7. Every
//! write of an envelope's record goes through `put_envelope` here, so that the count is right in
//! the turn that writes it.

use std::collections::BTreeMap;

use kith_api::size::Size;
use kith_crdt::encoding;
use kith_crdt::ids::{ChannelId, LogId, Place};
use kith_crdt::segment::{Entry, Subject};
use kith_crdt::sync::Request;
use kith_crdt::time::Millis;
use kith_store::{View, envelope_bytes};

use super::channel::Channel;
use super::effect::{Outcome, Refusal};
use super::write::no_channel;
use super::{Engine, Timer};
use crate::record::ChannelRecord;

/// The name under which the quota of all channels together is kept.
pub(super) const META_QUOTA: &str = "quota";

/// Which quota is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Full {
    /// The channel's own.
    Channel(u64),
    /// That of all channels.
    Home(u64),
}

impl Channel {
    /// What is kept of it in its own record.
    pub(super) fn record(&self) -> ChannelRecord {
        ChannelRecord {
            channel: self.id,
            joining: self
                .joining
                .as_ref()
                .map(|joining| joining.link.to_string()),
            name: self.name().to_owned(),
            quota: self.quota,
            leaving: self.leaving.is_some(),
        }
    }

    /// Counts that a record of a log takes up other bytes than before.
    fn reweigh(&mut self, log_id: LogId, before: u64, after: u64) {
        let log = self.log_mut(log_id);
        let bytes = log.bytes.unwrap_or(0).saturating_sub(before) + after;
        log.bytes = Some(bytes);
        self.bytes = self.bytes.saturating_sub(before) + after;
    }

    /// Takes over what a log was counted to take up.
    pub(super) fn set_bytes(&mut self, log_id: LogId, bytes: u64) {
        let before = self.log_mut(log_id).bytes.unwrap_or(0);
        self.reweigh(log_id, before, bytes);
    }
}

/// What the envelopes of a log take up, as the store has them.
pub(super) fn weighed(view: &View<'_>, id: &ChannelId, log_id: &LogId) -> u64 {
    let sizes = view.envelope_sizes(id, log_id).into_iter();
    sizes.map(|(_, bytes)| bytes).sum()
}

impl Engine {
    /// Sets the quota of a channel or of all channels, or takes it away.
    ///
    /// # Errors
    /// [`Refusal`] if there is no such channel, or the quota is nothing at all.
    pub(super) fn set_quota(
        &mut self,
        channel: Option<ChannelId>,
        quota: Option<u64>,
    ) -> Result<Outcome, Refusal> {
        if quota == Some(0) {
            return Err(Refusal::Usage(
                "a quota of nothing leaves room for nothing: name a size such as 500MB, or none \
                 to take the quota away"
                    .into(),
            ));
        }
        match channel {
            Some(id) => {
                let channel = self.channels.get_mut(&id).ok_or_else(no_channel)?;
                channel.quota = quota;
                let record = encoding::encode(&channel.record());
                self.stage.batch.put_channel(&id, record);
                self.stage.touched.insert(id);
            }
            None => {
                self.quota = quota;
                self.stage.touched.extend(self.channels.keys());
                match quota {
                    Some(bytes) => {
                        let bytes = encoding::encode(&bytes);
                        self.stage.batch.put_meta(META_QUOTA, bytes);
                    }
                    None => self.stage.batch.delete_meta(META_QUOTA),
                }
            }
        }
        Ok(Outcome::Done)
    }

    /// Whether there is room for further envelopes of a channel.
    pub(super) fn has_room(&self, id: ChannelId) -> bool {
        self.channels
            .get(&id)
            .is_none_or(|channel| self.full(channel).is_none())
    }

    /// Checks that an entry may be written here. What takes something away always may.
    ///
    /// # Errors
    /// [`Refusal::Limit`] naming the quota that is used up, and what makes room.
    pub(super) fn check_quota(&self, id: ChannelId, entry: &Entry) -> Result<(), Refusal> {
        let adds = match entry {
            Entry::Message(_) | Entry::Edit { .. } => true,
            Entry::Reaction { on, .. } | Entry::Pin { on, .. } => *on,
            // Whoever is full up can still block somebody.
            Entry::Setting(setting) => matches!(setting.about, Subject::Draft(..)),
            Entry::Deletion { .. } | Entry::Seen(_) | Entry::Unknown { .. } => false,
        };
        let channel = self.channels.get(&id).ok_or_else(no_channel)?;
        match self.full(channel).filter(|_| adds) {
            Some(full) => Err(Refusal::Limit(self.refusal(channel, full))),
            None => Ok(()),
        }
    }

    /// Whether a session is worth its while that a peer's question gives rise to, while there is no
    /// room for what it would bring but ops.
    pub(super) fn lacks_ops_of(&self, id: ChannelId, request: &Request) -> bool {
        let Request::Summary { heads, .. } = request else {
            return false;
        };
        self.channels
            .get(&id)
            .is_some_and(|channel| heads.iter().any(|head| !channel.control.contains(head)))
    }

    fn refusal(&self, channel: &Channel, full: Full) -> String {
        let name = channel.name();
        match full {
            Full::Channel(quota) => format!(
                "#{name} is full: it takes up {} and its quota is {}. `kith storage {name}` shows \
                 what makes room: have messages kept for a shorter time, delete long ones, or give \
                 it more by `kith storage quota {name} SIZE`",
                Size(channel.bytes),
                Size(quota)
            ),
            Full::Home(quota) => format!(
                "this home is full: its channels take up {} and their quota is {}. `kith storage` \
                 shows which are large: have messages kept for a shorter time, delete long ones, \
                 or give it more by `kith storage quota SIZE`",
                Size(self.bytes()),
                Size(quota)
            ),
        }
    }

    fn full(&self, channel: &Channel) -> Option<Full> {
        let own = channel.quota.filter(|quota| channel.bytes >= *quota);
        own.map(Full::Channel).or_else(|| {
            let all = self.quota.filter(|quota| self.bytes() >= *quota);
            all.map(Full::Home)
        })
    }

    /// What the envelopes of all channels take up.
    pub(super) fn bytes(&self) -> u64 {
        self.channels.values().map(|channel| channel.bytes).sum()
    }

    /// Looks at the end of a turn which channels are full by now. Those that have room again are
    /// compared with their members, which brings what was left out.
    pub(super) fn look_for_room(&mut self, now: Millis) {
        let home_full = self.quota.is_some_and(|quota| self.bytes() >= quota);
        // What one channel takes up concerns the others only where all have a quota together.
        let looked_at: Vec<ChannelId> = match self.quota {
            Some(_) => self.channels.keys().copied().collect(),
            None => self.stage.touched.iter().copied().collect(),
        };
        for id in looked_at {
            let Some(channel) = self.channels.get_mut(&id) else {
                continue;
            };
            let full = home_full || channel.quota.is_some_and(|quota| channel.bytes >= quota);
            if full == channel.full {
                continue;
            }
            channel.full = full;
            self.stage.touched.insert(channel.id);
            if !full {
                self.timers.set_by(Timer::Sync(channel.id), now);
                self.timers.set_by(Timer::Bodies(channel.id), now);
            }
        }
    }

    /// Stages the record of an envelope and counts what it takes up. `replaces` says whether there
    /// may be one at its place.
    pub(super) fn put_envelope(
        &mut self,
        id: ChannelId,
        place: Place,
        stored: Vec<u8>,
        replaces: bool,
    ) {
        let staged = self.stage.sizes.get(&(id, place)).copied();
        let before = staged.unwrap_or_else(|| {
            let there = replaces.then(|| self.store.reader().view().envelope(&id, &place));
            there
                .flatten()
                .map_or(0, |there| envelope_bytes(there.len()))
        });
        let after = envelope_bytes(stored.len());
        self.stage.sizes.insert((id, place), after);
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.reweigh(place.log, before, after);
        }
        self.stage.batch.put_envelope(&id, &place, stored);
        self.stage.logs.insert((id, place.log));
        self.stage.touched.insert(id);
    }

    /// Stages that the envelopes of a log go from a number on, and counts those that stay.
    pub(super) fn cut_log(&mut self, id: ChannelId, log_id: LogId, from: u32) {
        let of_log = (id, log_id.place(0))..=(id, log_id.place(u32::MAX));
        let stored = self.store.reader().view().envelope_sizes(&id, &log_id);
        let mut sizes: BTreeMap<u32, u64> = stored.into_iter().collect();
        let staged = self.stage.sizes.range(of_log);
        sizes.extend(staged.map(|((_, place), bytes)| (place.seq, *bytes)));
        let stay = sizes.range(..from).map(|(_, bytes)| bytes).sum();
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.set_bytes(log_id, stay);
        }
        self.stage
            .sizes
            .retain(|(of, place), _| *of != id || place.log != log_id || place.seq < from);
        self.stage.batch.truncate_log(&id, &log_id, from);
    }
}
