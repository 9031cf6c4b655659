//! How long a channel keeps its messages, and what a shorter time would end at once.

use kith_api::policy::SetBy;
use kith_api::retention::{Retention as ShownRetention, RetentionInfo};
use kith_crdt::control::PolicyField;
use kith_crdt::envelope::Envelope;
use kith_crdt::ids::Place;
use kith_crdt::log::Log;
use kith_crdt::projection::Written;
use kith_crdt::retention::Retention;

use super::Reading;
use super::against::against_message;
use super::found::open;
use super::policy::shown_retention;
use crate::engine::ChannelView;
use crate::fate::Fates;

/// Messages that are looked up at a time.
const BATCH: usize = 256;

impl Reading<'_> {
    /// How long a channel keeps its messages, within which limits, and who said so.
    pub(crate) fn retention(&self, channel: &ChannelView) -> RetentionInfo {
        let roster = &channel.roster;
        let set_by = |field: PolicyField| {
            roster.set_by.get(&field).map(|set| SetBy {
                account: set.account.into(),
                name: self.name_of(&channel.roster, &set.account),
                at: set.at.into(),
            })
        };
        let limits = roster.retention_limits;
        RetentionInfo {
            channel: channel.id.into(),
            name: channel.name.clone(),
            retention: shown_retention(roster.retention()),
            set: shown_retention(roster.retention_set()),
            set_by: set_by(PolicyField::Retention),
            shortest: limits.shortest.map(ShownRetention::Hours),
            longest: limits.longest.map(ShownRetention::Hours),
            limits_set_by: set_by(PolicyField::RetentionLimits),
        }
    }

    /// How many messages would be gone at once if a retention held for existing messages too.
    pub fn gone_at_once(&self, channel: &ChannelView, retention: Retention) -> u64 {
        let roster = channel.roster.shortened_to(retention);
        let then = Fates::new(&self.view, (&channel.id, &roster), self.now);
        let mut opener = self.opener(channel);
        let logs = self.logs_of(channel);
        logs.map(|log| {
            let ending = self.ending(channel, &log, &then);
            let shown = ending.filter(|ending| {
                open(&mut opener, ending.place, &ending.stored)
                    .is_some_and(|found| against_message(channel, &found).is_none())
            });
            shown.count() as u64
        })
        .sum()
    }

    /// Those of a log's messages, not over yet, that would be by these fates.
    pub(super) fn ending<'a>(
        &'a self,
        channel: &'a ChannelView,
        log: &Log,
        then: &'a Fates<'_>,
    ) -> impl Iterator<Item = Ending> + 'a {
        let places: Vec<Place> = log.living().iter().map(|seq| log.id.place(seq)).collect();
        let batches = places.len().div_ceil(BATCH);
        (0..batches).flat_map(move |batch| {
            let end = places.len().min((batch + 1) * BATCH);
            let batch = &places[batch * BATCH..end];
            let stored = self.view.multi_envelopes(&channel.id, batch);
            let ending = batch.iter().zip(stored).filter_map(|(place, stored)| {
                let stored = stored?;
                let envelope = Envelope::from_stored(&stored, &channel.id, *place).ok()?;
                // What it asks for itself ends it sooner, and is not looked at.
                let written = Written {
                    author: channel.roster.account_of(&place.log.writer.device)?,
                    hlc: envelope.header.hlc,
                    epoch: envelope.header.epoch,
                    expires_at: None,
                };
                then.of(place, &written).is_over().then_some(Ending {
                    place: *place,
                    stored,
                    envelope,
                })
            });
            ending.collect::<Vec<_>>()
        })
    }
}

/// A message that would be over.
pub(super) struct Ending {
    pub place: Place,
    /// Its envelope as it is stored.
    pub stored: Vec<u8>,
    pub envelope: Envelope,
}
