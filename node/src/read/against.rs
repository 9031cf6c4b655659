//! Why a message is not shown, or what somebody did to it does not count.

use kith_crdt::projection::{self, Against, Claim};

use super::Reading;
use super::found::Found;
use crate::claims;
use crate::engine::ChannelView;

/// What speaks against showing a message; nothing if it is shown.
pub(super) fn against_message(channel: &ChannelView, found: &Found) -> Option<Against> {
    let written = (&found.place, found.hlc);
    projection::against_message(&channel.roster, &found.author, written, &found.epoch)
}

impl Reading<'_> {
    /// What speaks against a claim about a message; nothing if it counts.
    pub(super) fn against_claim(
        &self,
        channel: &ChannelView,
        found: &Found,
        claim: &Claim,
    ) -> Option<Against> {
        projection::against_claim(&channel.roster, &found.original(), claim, |at| {
            claims::epoch_of(&self.view, &channel.id, at)
        })
    }
}
