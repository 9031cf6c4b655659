//! Which devices have erased what is over or deleted, as they say in their beacons.
//!
//! An envelope stays without its text until its window is destroyed, so until then it can be asked
//! of each message. Devices of accounts that were never given the key of a message are not asked.

use std::collections::BTreeMap;

use kith_api::evidence::{ErasedOn, ErasingDevice, Holder, RetentionStatus};
use kith_api::{ApiError, Timestamp};
use kith_crdt::encoding;
use kith_crdt::ids::{AccountId, DeviceId, Place};
use kith_crdt::log::Log;
use kith_crdt::ranges::Ranges;
use kith_crdt::time::Millis;

use super::Reading;
use super::policy::shown_retention;
use super::why::ASIDE_PREFIX;
use crate::claims;
use crate::engine::ChannelView;
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
        let heard = self.heard(channel);
        let mut told = ErasedOn::default();
        for (device, account) in readers(channel, at) {
            let erased = channel.holds.erased(&device, &place.log);
            told.of += 1;
            if erased.is_some_and(|numbers| numbers.contains(place.seq)) {
                told.devices += 1;
            } else if device != self.device {
                told.not_heard_from
                    .push(self.holder(channel, &heard, (device, account)));
            }
        }
        told
    }

    /// What is to be said of a message that is meant by a reference and not there any more, if its
    /// envelope is: that its time is over, and where it is erased.
    pub fn erasure_of(&self, reference: &str) -> Option<ApiError> {
        let prefix = reference.to_ascii_lowercase();
        if prefix.len() < ASIDE_PREFIX {
            return None;
        }
        self.shared.channels().iter().find_map(|channel| {
            let mut over = self.logs_of(channel).flat_map(|log| {
                let places = log.over.iter().map(|seq| log.id.place(seq));
                places.collect::<Vec<Place>>()
            });
            let id = |place: &Place| place.message_id(&channel.id);
            let place = over.find(|place| id(place).to_string().starts_with(&prefix))?;
            let written = claims::envelope(&self.view, &channel.id, place)?.header.hlc;
            let erased = self.erased_on(channel, (place, written.millis()));
            Some(ApiError::not_found(format_args!(
                "the time of message {} is over; its text is {}",
                id(&place),
                told(&erased)
            )))
        })
    }

    /// What is over in a channel, and which devices have erased it.
    pub fn retention_status(&self, channel: &ChannelView) -> RetentionStatus {
        let logs: Vec<Log> = self.logs_of(channel).collect();
        let gone: Vec<(&Log, Ranges)> = logs.iter().map(|log| (log, textless(log))).collect();
        let heard = self.heard(channel);
        let all = channel.roster.devices.iter();
        let devices = all
            .filter(|(_, known)| known.active)
            .map(|(device, known)| {
                let mut erasing = ErasingDevice {
                    device: self.holder(channel, &heard, (*device, known.account)),
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

    /// When each device was last heard.
    fn heard(&self, channel: &ChannelView) -> BTreeMap<DeviceId, Timestamp> {
        let beacons = self.view.beacons(&channel.id).into_iter();
        let others = beacons.filter_map(|(device, bytes)| {
            let record: BeaconRecord = encoding::decode(&bytes, BEACON_MAX).ok()?;
            Some((device, record.hlc.into()))
        });
        others.chain([(self.device, self.now.into())]).collect()
    }

    fn holder(
        &self,
        channel: &ChannelView,
        heard: &BTreeMap<DeviceId, Timestamp>,
        (device, account): (DeviceId, AccountId),
    ) -> Holder {
        Holder {
            account: account.into(),
            name: self.name_of(&channel.roster, &account),
            device: device.into(),
            heard: heard.get(&device).copied(),
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

/// On how many devices something is erased, and which of the others have not said so.
fn told(erased: &ErasedOn) -> String {
    let ErasedOn {
        devices,
        of,
        not_heard_from: missing,
    } = erased;
    let mut names: Vec<&str> = missing.iter().map(|holder| &*holder.name).collect();
    names.truncate(NAMED_MAX);
    names.dedup();
    let more = if missing.len() > NAMED_MAX {
        " and others"
    } else {
        ""
    };
    match names.as_slice() {
        [] if devices == of => format!("erased on all {of} devices"),
        [] => format!("erased on {devices} of {of} devices"),
        names => format!(
            "erased on {devices} of {of} devices, not heard from: {}{more}",
            names.join(", ")
        ),
    }
}
