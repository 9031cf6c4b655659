//! Pinning: what a channel keeps at hand.

use kith_crdt::control::Right;
use kith_crdt::ids::MessageId;
use kith_crdt::limits::PINS_PER_CHANNEL;
use kith_crdt::segment::Entry;
use kith_crdt::time::Millis;

use super::Engine;
use super::channel::Channel;
use super::effect::{Outcome, Refusal};
use super::unread::Places;
use crate::claims;

impl Channel {
    /// The entries that pin a message or unpin one, by the logs they are in.
    pub(super) fn pins(&self) -> Places {
        let logs = self.logs.values().filter(|log| !log.pins.is_empty());
        logs.map(|log| (log.id, log.pins.clone())).collect()
    }
}

impl Engine {
    /// Pins a message, or unpins it. What is so already stays as it is.
    ///
    /// # Errors
    /// [`Refusal::Denied`] if this account may not, [`Refusal::Limit`] if the channel has as many
    /// pinned messages as it may have.
    pub(super) fn pin(
        &mut self,
        now: Millis,
        target: MessageId,
        on: bool,
    ) -> Result<Outcome, Refusal> {
        let found = self.target(&target)?;
        self.check_right(found.channel, Right::Pin)?;
        found.check_alive("pinned")?;
        if found.rendered.pinned.is_some() == on {
            return Ok(Outcome::Written {
                message: target,
                at: now,
            });
        }
        if on && self.pinned_in(&found.channel) >= PINS_PER_CHANNEL {
            return Err(Refusal::Limit(format!(
                "{PINS_PER_CHANNEL} messages are pinned here, the most there may be: unpin one \
                 first (`kith pins` lists them)"
            )));
        }
        let entry = Entry::Pin { target, on };
        let written = self.write(now, found.channel, Right::Pin, &entry, None)?;
        Ok(Outcome::Written {
            message: target,
            at: written.hlc.millis(),
        })
    }

    fn pinned_in(&self, id: &kith_crdt::ids::ChannelId) -> usize {
        let reader = self.store.reader();
        let view = reader.view();
        self.channels.get(id).map_or(0, |channel| {
            let of = (id, &*channel.roster, &*channel.keys);
            claims::pinned(&view, of, &channel.pins(), self.floor).len()
        })
    }
}
