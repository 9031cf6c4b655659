//! What takes up space here, and what a shorter retention would free.
//!
//! What is counted in the engine as it writes (`docs/storage.md`, section 7) is taken from there;
//! the rest is counted from a snapshot, record by record, without opening any.

use std::cmp::Reverse;

use kith_api::retention::Retention as ShownRetention;
use kith_api::storage::{
    ChannelStorage, ChannelStorageDetail, Extent, Freed, Quota, QuotaInfo, QuotaLevel, StorageInfo,
};
use kith_crdt::ids::{ChannelId, Place};
use kith_crdt::log::Log;
use kith_crdt::retention::Retention;
use kith_crdt::time::{HOUR_MS, Millis};
use kith_store::{ChannelFootprint, Files};

use super::Reading;
use super::policy::shown_retention;
use crate::engine::ChannelView;
use crate::fate::Fates;

/// What keeping messages for so many hours would free is told, where that is shorter than now.
const TRIED_HOURS: [u32; 4] = [24, 3 * 24, 7 * 24, 30 * 24];

impl Reading<'_> {
    /// What takes up space in this home, whose files are as large as this.
    pub(crate) fn storage(&self, files: Option<Files>) -> StorageInfo {
        let views = self.shared.all_channels();
        let ids: Vec<ChannelId> = views.iter().map(|view| view.id).collect();
        let footprint = self.view.footprint(&ids);
        // What this account has set is of the node.
        let own = views.iter().filter(|view| view.is_own());
        let own = own.filter_map(|view| footprint.channels.get(&view.id));
        let settings: u64 = own.map(ChannelFootprint::total).sum();
        let mut channels: Vec<ChannelStorage> = views
            .iter()
            .filter(|view| !view.is_own())
            .map(|view| {
                let takes = footprint.channels.get(&view.id);
                self.channel_storage(
                    view,
                    takes.copied().unwrap_or_default(),
                    &self.logs_of(view).collect::<Vec<_>>(),
                )
            })
            .collect();
        channels.sort_by(|a, b| (Reverse(a.total), &a.name).cmp(&(Reverse(b.total), &b.name)));
        let files = files.unwrap_or_default();
        StorageInfo {
            files: files.data + files.keys + files.rest,
            data: files.data,
            keys: files.keys,
            node: footprint.node + settings,
            ended: footprint.ended,
            quota: self.home_quota().quota,
            channels,
        }
    }

    /// What a channel takes up, and what keeping messages for a shorter time would free.
    pub fn storage_of(&self, channel: &ChannelView) -> ChannelStorageDetail {
        let footprint = self.view.footprint(&[channel.id]);
        let takes = footprint.channels.get(&channel.id);
        let logs: Vec<Log> = self.logs_of(channel).collect();
        let storage = self.channel_storage(channel, takes.copied().unwrap_or_default(), &logs);
        let tried = TRIED_HOURS
            .into_iter()
            .filter(|hours| may_be(channel, *hours));
        let frees = tried.map(|hours| {
            let Extent { messages, bytes } = self.freed(channel, hours, &logs);
            Freed {
                retention: ShownRetention::Hours(hours),
                messages,
                bytes,
            }
        });
        let frees = frees.collect();
        ChannelStorageDetail {
            storage,
            home_quota: self.home_quota().quota,
            frees,
        }
    }

    /// The quota of all channels together.
    pub(crate) fn home_quota(&self) -> QuotaInfo {
        let used = self
            .shared
            .all_channels()
            .iter()
            .map(|view| view.bytes)
            .sum();
        let quota = self.shared.quota();
        QuotaInfo {
            channel: None,
            name: None,
            used,
            quota: quota.map(|bytes| Quota::new(bytes, used)),
        }
    }

    /// The quotas that are set, and how much is used of all channels in any case.
    pub(crate) fn quotas(&self) -> Vec<QuotaInfo> {
        let views = self.shared.channels();
        let set = views.iter().filter(|view| view.quota.is_some());
        let mut of_channels: Vec<QuotaInfo> = set.map(|view| quota_info(view)).collect();
        of_channels.sort_by(|a, b| a.name.cmp(&b.name));
        let mut quotas = vec![self.home_quota()];
        quotas.extend(of_channels);
        quotas
    }

    /// Those of them that run low or are used up, of one channel and of all, or of any.
    pub(crate) fn quotas_short(&self, channel: Option<&ChannelId>) -> Vec<QuotaInfo> {
        let concerns = |info: &QuotaInfo| match (&info.channel, channel) {
            (Some(of), Some(asked)) => *of == (*asked).into(),
            _ => true,
        };
        let is_short = |info: &QuotaInfo| {
            let quota = info.quota.as_ref();
            quota.is_some_and(|quota| quota.level != QuotaLevel::Enough)
        };
        let quotas = self.quotas().into_iter();
        quotas
            .filter(|info| concerns(info) && is_short(info))
            .collect()
    }

    fn channel_storage(
        &self,
        channel: &ChannelView,
        takes: ChannelFootprint,
        logs: &[Log],
    ) -> ChannelStorage {
        ChannelStorage {
            channel: channel.id.into(),
            name: channel.name.clone(),
            total: takes.total(),
            entries: takes.envelopes,
            index: takes.index,
            receipts: takes.receipts,
            control: takes.control,
            messages: channel.messages,
            oldest: self.oldest(channel, logs).map(Into::into),
            retention: shown_retention(channel.roster.retention()),
            quota: quota_of(channel),
            full: channel.full,
            over: self.over(channel, logs),
        }
    }

    /// When the oldest message was written: one of the first of their logs in the first window that
    /// has any.
    fn oldest(&self, channel: &ChannelView, logs: &[Log]) -> Option<Millis> {
        let firsts = logs.iter().filter_map(|log| {
            let is_over = channel.roster.is_over(&log.id.segment, self.now);
            let first = log.living().first().filter(|_| !is_over)?;
            Some(log.id.place(first))
        });
        let firsts: Vec<Place> = firsts.collect();
        let window = firsts.iter().map(|place| place.log.segment.window).min()?;
        let of_window = firsts
            .into_iter()
            .filter(|place| place.log.segment.window == window);
        let written = of_window.filter_map(|place| Some(self.envelope(channel, place)?.header.hlc));
        written.map(kith_crdt::time::Hlc::millis).min()
    }

    /// What is over and still there: of windows that are over all, otherwise envelopes that have
    /// lost their text.
    fn over(&self, channel: &ChannelView, logs: &[Log]) -> Extent {
        let mut over = Extent::default();
        for log in logs {
            if channel.roster.is_over(&log.id.segment, self.now) {
                over.messages += log.messages.len();
                over.bytes += log.bytes.unwrap_or(0);
            } else if !log.over.is_empty() {
                over.messages += log.over.len();
                let sizes = self.view.envelope_sizes(&channel.id, &log.id).into_iter();
                let of_over = sizes.filter(|(seq, _)| log.over.contains(*seq));
                over.bytes += of_over.map(|(_, bytes)| bytes).sum::<u64>();
            }
        }
        over
    }

    /// What would go if messages were kept for so many hours.
    fn freed(&self, channel: &ChannelView, hours: u32, logs: &[Log]) -> Extent {
        let roster = channel.roster.shortened_to(Retention::Hours(hours));
        let then = Fates::new(&self.view, (&channel.id, &roster), self.now);
        let mut freed = Extent::default();
        for log in logs {
            let segment = &log.id.segment;
            if channel.roster.is_over(segment, self.now) {
                continue;
            }
            if roster.is_over(segment, self.now) {
                freed.messages += log.living().len();
                freed.bytes += log.bytes.unwrap_or(0);
                continue;
            }
            // Nothing in a window is older than its beginning.
            let begins = segment.window.starts_at();
            if begins.plus(u64::from(hours) * HOUR_MS) > self.now {
                continue;
            }
            for mut ending in self.ending(channel, log, &then) {
                ending.envelope.erase_body();
                let left = ending.envelope.to_stored().len();
                freed.messages += 1;
                freed.bytes += ending.stored.len().saturating_sub(left) as u64;
            }
        }
        freed
    }
}

/// The quota of a channel, with what it is called.
pub(crate) fn quota_info(channel: &ChannelView) -> QuotaInfo {
    QuotaInfo {
        channel: Some(channel.id.into()),
        name: Some(channel.name.clone()),
        used: channel.bytes,
        quota: quota_of(channel),
    }
}

/// The quota of a channel, if it has one of its own.
pub(crate) fn quota_of(channel: &ChannelView) -> Option<Quota> {
    channel.quota.map(|bytes| Quota::new(bytes, channel.bytes))
}

/// Whether keeping messages for so many hours may be set, and would be shorter than what holds.
fn may_be(channel: &ChannelView, hours: u32) -> bool {
    let (roster, tried) = (&channel.roster, Retention::Hours(hours));
    tried.term() < roster.retention().term() && roster.retention_limits.allow(tried)
}
