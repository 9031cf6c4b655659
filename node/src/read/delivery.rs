//! How far a message has come: computed from what each device is known to hold and each account
//! to have read, never stored per message.

use std::collections::BTreeMap;

use kith_api::message::{Delivery, DeliveryState, ReadBy};
use kith_crdt::encoding;
use kith_crdt::ids::{AccountId, DeviceId, LogId, Place, SegmentId};
use kith_crdt::projection::SeenBy;
use kith_crdt::time::Millis;

use super::Reading;
use crate::engine::{ChannelView, Reach};

/// Bytes of what an account has read of a segment, as stored.
pub(in crate::read) const SEEN_MAX: usize = 4 * 1024 * 1024;

/// What pages look up more than once: receipts by segment, reach by log.
#[derive(Default)]
pub(super) struct Lookups {
    seen: BTreeMap<SegmentId, BTreeMap<AccountId, SeenBy>>,
    reach: BTreeMap<LogId, Reach>,
}

impl Reading<'_> {
    /// Who has read a message, and when, but for its author.
    pub(super) fn read_by(
        &self,
        channel: &ChannelView,
        place: Place,
        author: AccountId,
        lookups: &mut Lookups,
    ) -> Vec<ReadBy> {
        let segment = place.log.segment;
        let seen = lookups
            .seen
            .entry(segment)
            .or_insert_with(|| self.seen_in(channel, segment));
        seen.iter()
            .filter(|(account, _)| **account != author)
            .filter_map(|(account, seen)| {
                let at = seen.time_of(&place.log.writer, place.seq)?;
                Some(ReadBy {
                    account: (*account).into(),
                    at: at.into(),
                })
            })
            .collect()
    }

    /// The state of a message as far as this node knows.
    pub(super) fn state(
        &self,
        channel: &ChannelView,
        (place, at): (Place, Millis),
        author: AccountId,
        read_by: &[ReadBy],
        lookups: &mut Lookups,
    ) -> DeliveryState {
        // Who came too late to read it is not waited for.
        let mut others = channel
            .roster
            .active()
            .map(|member| member.account)
            .filter(|account| *account != author && channel.roster.reaches_back_to(account, at))
            .peekable();
        let anybody = others.peek().is_some();
        if anybody
            && others.all(|account| read_by.iter().any(|read| read.account == account.into()))
        {
            return DeliveryState::Read;
        }
        let reach = lookups
            .reach
            .entry(place.log)
            .or_insert_with(|| self.reach(channel, place.log, author));
        if anybody && place.seq <= reach.delivered {
            DeliveryState::Delivered
        } else if place.seq <= reach.sent {
            DeliveryState::Sent
        } else if channel.roster.is_member(&author) || channel.is_leaving {
            DeliveryState::Pending
        } else {
            // Nobody asks its author any more.
            DeliveryState::Failed
        }
    }

    /// Where a message has arrived, device by device.
    pub(super) fn deliveries(
        &self,
        channel: &ChannelView,
        (place, at): (Place, Millis),
        read_by: &[ReadBy],
    ) -> Vec<Delivery> {
        let roster = &channel.roster;
        roster
            .devices
            .iter()
            .filter(|(device, known)| known.active && **device != place.log.writer.device)
            .filter(|(_, known)| roster.reaches_back_to(&known.account, at))
            .map(|(device, known)| {
                let read = read_by
                    .iter()
                    .find(|read| read.account == known.account.into());
                let held =
                    *device == self.device || channel.holds.of(device, &place.log) >= place.seq;
                let state = match (read, held) {
                    (Some(_), _) => DeliveryState::Read,
                    (None, true) => DeliveryState::Delivered,
                    (None, false) => DeliveryState::Pending,
                };
                let arrived = || channel.holds.since(device, &place.log, place.seq);
                Delivery {
                    account: known.account.into(),
                    name: self.name_of(&channel.roster, &known.account),
                    device: (*device).into(),
                    device_name: known.name.clone(),
                    state,
                    at: match state {
                        DeliveryState::Delivered => arrived().map(Into::into),
                        _ => read.map(|read| read.at),
                    },
                }
            })
            .collect()
    }

    fn seen_in(&self, channel: &ChannelView, segment: SegmentId) -> BTreeMap<AccountId, SeenBy> {
        self.view
            .seen(&channel.id, &segment)
            .into_iter()
            .filter_map(|(account, bytes)| {
                Some((account, encoding::decode(&bytes, SEEN_MAX).ok()?))
            })
            .collect()
    }

    fn reach(&self, channel: &ChannelView, log: LogId, author: AccountId) -> Reach {
        let devices = channel
            .roster
            .devices
            .iter()
            .filter(|(_, known)| known.active)
            .map(|(device, known)| (*device, known.account));
        // What is read here is held here.
        channel.holds.reach(
            &log,
            devices,
            &author,
            Some(self.device).filter(|here: &DeviceId| *here != log.writer.device),
        )
    }
}
