//! Which devices have erased what is over or deleted, as they say in their beacons.
//!
//! An envelope stays without its text until its window is destroyed, so until then it can be asked
//! of each message. Devices of accounts that were never given the key of a message are not asked.

use kith_api::ApiError;
use kith_api::erasure::{ErasedOn, ErasingDevice, Holder, RetentionStatus};
use kith_crdt::encoding;
use kith_crdt::ids::{AccountId, DeviceId, Place};
use kith_crdt::log::Log;
use kith_crdt::ranges::Ranges;
use kith_crdt::time::Millis;

use super::Reading;
use super::messages::name_in;
use super::policy::shown_retention;
use crate::claims;
use crate::engine::ChannelView;
use crate::fate::gone;
use crate::record::BeaconRecord;

/// Bytes of a beacon as stored.
const BEACON_MAX: usize = 128 * 1024;
/// Devices named in a sentence.
const NAMED_MAX: usize = 8;

impl Reading<'_> {
    /// On which devices a message is erased that was written at a time.
    pub(super) fn erased_on(
        &self,
        channel: &ChannelView,
        (place, at): (Place, Millis),
    ) -> ErasedOn {
        let (mut devices, mut not_heard_from) = (0, Vec::new());
        for (device, account) in readers(channel, at) {
            let erased = channel.holds.erased(&device, &place.log);
            if erased.is_some_and(|numbers| numbers.contains(place.seq)) {
                devices += 1;
            } else {
                not_heard_from.push(self.holder(channel, device, account));
            }
        }
        ErasedOn {
            devices,
            of: devices + not_heard_from.len() as u64,
            not_heard_from,
        }
    }

    /// What is to be said of a message that is meant by a reference and not there any more, if its
    /// envelope is: that it is gone, and where.
    pub fn erasure_of(&self, reference: &str) -> Option<ApiError> {
        let prefix = reference.to_ascii_lowercase();
        let channels = self.shared.channels();
        channels.iter().find_map(|channel| {
            let logs = self.logs_of(channel);
            let mut over = logs
                .iter()
                .flat_map(|log| log.over.iter().map(|seq| log.id.place(seq)));
            let place = over.find(|place| {
                let id = place.message_id(&channel.id).to_string();
                !prefix.is_empty() && id.starts_with(&prefix)
            })?;
            let written = claims::envelope(&self.view, &channel.id, place)?.header.hlc;
            let erased = self.erased_on(channel, (place, written.millis()));
            let message = gone(&place.message_id(&channel.id));
            Some(ApiError::not_found(format_args!(
                "{message}: {}",
                told(&erased)
            )))
        })
    }

    /// What is over in a channel, and which devices have erased it.
    pub fn retention_status(&self, channel: &ChannelView) -> RetentionStatus {
        let logs = self.logs_of(channel);
        let gone: Vec<(&Log, Ranges)> = logs.iter().map(|log| (log, textless(log))).collect();
        let all = channel.roster.devices.iter();
        let devices = all
            .filter(|(_, known)| known.active)
            .map(|(device, known)| {
                let mut erasing = ErasingDevice {
                    device: self.holder(channel, *device, known.account),
                    this: *device == self.device,
                    erased: 0,
                    of: 0,
                };
                for (log, gone) in &gone {
                    let due = self.readable(channel, (log, gone), &known.account);
                    let erased = channel.holds.erased(device, &log.id);
                    erasing.of += due.len();
                    erasing.erased += erased.map_or(0, |erased| due.intersect(erased).len());
                }
                erasing
            });
        let ends = logs.iter().map(|log| log.id.segment);
        let ends = ends.filter_map(|segment| channel.roster.segment_ends_at(&segment));
        RetentionStatus {
            channel: channel.id.into(),
            name: channel.name.clone(),
            retention: shown_retention(channel.roster.retention()),
            messages: gone.iter().map(|(_, gone)| gone.len()).sum(),
            devices: devices.collect(),
            next_destroyed: ends.min().map(Into::into),
        }
    }

    /// Those of some messages of a log that were written for an account as well.
    fn readable(
        &self,
        channel: &ChannelView,
        (log, messages): (&Log, &Ranges),
        account: &AccountId,
    ) -> Ranges {
        let segment = log.id.segment;
        let reaches = |at: Millis| channel.roster.reaches_back_to(account, at);
        if messages.is_empty() || reaches(segment.window.starts_at()) {
            return messages.clone();
        }
        if !reaches(segment.closes_at()) {
            return Ranges::new();
        }
        let is_for_them = |seq: &u32| {
            let envelope = claims::envelope(&self.view, &channel.id, log.id.place(*seq));
            envelope.is_some_and(|envelope| reaches(envelope.header.hlc.millis()))
        };
        messages.iter().filter(is_for_them).collect()
    }

    fn holder(&self, channel: &ChannelView, device: DeviceId, account: AccountId) -> Holder {
        let beacons = self.view.beacons(&channel.id);
        let beacon = beacons.into_iter().find(|(of, _)| *of == device);
        let beacon = beacon.and_then(|(_, bytes)| {
            let record: BeaconRecord = encoding::decode(&bytes, BEACON_MAX).ok()?;
            Some(record.hlc)
        });
        let heard = match device == self.device {
            true => Some(self.now.into()),
            false => beacon.map(Into::into),
        };
        Holder {
            account: account.into(),
            name: name_in(channel, &account),
            device: device.into(),
            heard,
        }
    }
}

/// Those of the messages of a log that are to have no text any more.
fn textless(log: &Log) -> Ranges {
    let mut gone = log.over.clone();
    gone.extend(&log.erased);
    gone
}

/// The devices that were given the key of what was written at a time.
fn readers(channel: &ChannelView, at: Millis) -> impl Iterator<Item = (DeviceId, AccountId)> {
    let devices = channel.roster.devices.iter();
    devices
        .filter(|(_, known)| known.active)
        .filter(move |(_, known)| channel.roster.reaches_back_to(&known.account, at))
        .map(|(device, known)| (*device, known.account))
}

/// On how many devices something is erased, and which of them have not said so.
fn told(erased: &ErasedOn) -> String {
    let (devices, of) = (erased.devices, erased.of);
    let missing = &erased.not_heard_from;
    let mut names: Vec<String> = missing
        .iter()
        .take(NAMED_MAX)
        .map(|holder| holder.name.clone())
        .collect();
    names.dedup();
    match (missing.len(), missing.len() > NAMED_MAX) {
        (0, _) => format!("erased on all {of} devices"),
        (_, false) => format!(
            "erased on {devices} of {of} devices, not heard from: {}",
            names.join(", ")
        ),
        (many, true) => format!(
            "erased on {devices} of {of} devices, not heard from: {} and others, {many} in all",
            names.join(", ")
        ),
    }
}
