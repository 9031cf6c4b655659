//! How long a channel keeps its messages, and what a shorter time would end at once.

use kith_api::policy::SetBy;
use kith_api::retention::{Retention as ShownRetention, RetentionInfo};
use kith_crdt::control::PolicyField;
use kith_crdt::envelope::Envelope;
use kith_crdt::ids::Place;
use kith_crdt::projection::Written;
use kith_crdt::retention::Retention;

use super::Reading;
use super::against::against_message;
use super::found::{Opener, open};
use super::messages::name_in;
use super::policy::shown_retention;
use crate::engine::ChannelView;
use crate::fate::Fates;

/// Messages that are looked up at a time.
const BATCH: usize = 256;

impl Reading<'_> {
    /// How long a channel keeps its messages, within which limits, and who said so.
    #[expect(clippy::unused_self, reason = "reads like the other readings")]
    pub(crate) fn retention(&self, channel: &ChannelView) -> RetentionInfo {
        let roster = &channel.roster;
        let set_by = |field: PolicyField| {
            roster.set_by.get(&field).map(|set| SetBy {
                account: set.account.into(),
                name: name_in(channel, &set.account),
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
            let messages: Vec<Place> = log.living().iter().map(|seq| log.id.place(seq)).collect();
            let batches = messages.chunks(BATCH);
            let ending = batches.map(|batch| self.ending(channel, batch, (&mut opener, &then)));
            ending.sum::<u64>()
        })
        .sum()
    }

    /// How many of the messages at these places are shown now and would not be then.
    fn ending(
        &self,
        channel: &ChannelView,
        places: &[Place],
        (opener, then): (&mut Opener<'_>, &Fates<'_>),
    ) -> u64 {
        let stored = self.view.multi_envelopes(&channel.id, places);
        let ends = places.iter().zip(stored).filter_map(|(place, stored)| {
            let stored = stored?;
            let envelope = Envelope::from_stored(&stored, &channel.id, *place).ok()?;
            // What it asks for itself ends it sooner, and is looked at only where it matters.
            let written = Written {
                author: channel.roster.account_of(&place.log.writer.device)?,
                hlc: envelope.header.hlc,
                epoch: envelope.header.epoch,
                expires_at: None,
            };
            let found = then
                .of(place, &written)
                .is_over()
                .then(|| open(opener, *place, &stored))??;
            against_message(channel, &found).is_none().then_some(())
        });
        ends.count() as u64
    }
}
