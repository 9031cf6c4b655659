//! What holds in a channel: its name, its topic, what newcomers may read, who may what.
//!
//! Who may change it is the control log's to say: it judges an op before it is signed.

use kith_crdt::control::{Body, ControlLog, Policy};
use kith_crdt::ids::ChannelId;
use kith_crdt::time::Millis;

use super::Engine;
use super::denial;
use super::effect::{Outcome, Refusal};
use super::write::no_channel;

impl Engine {
    /// Sets something of a channel's policy, or only tries whether it might be set. What holds
    /// already is not set again.
    ///
    /// # Errors
    /// [`Refusal::Denied`] naming the rule that forbids it.
    pub(super) fn set_policy(
        &mut self,
        now: Millis,
        id: ChannelId,
        policy: Policy,
        dry_run: bool,
    ) -> Result<Outcome, Refusal> {
        self.check_right(id, policy.takes())?;
        let body = Body::Policy(policy.clone());
        let holds = self
            .channels
            .get(&id)
            .is_some_and(|channel| channel.roster.holds(&policy));
        if dry_run || holds {
            self.rehearse(now, id, body)?;
        } else {
            self.author_op(now, id, body)?;
        }
        Ok(Outcome::Done)
    }

    /// What the control log of a channel would be with one more op of this device's.
    ///
    /// # Errors
    /// [`Refusal::Denied`] naming the rule that forbids it.
    pub(super) fn rehearse(
        &self,
        now: Millis,
        id: ChannelId,
        body: Body,
    ) -> Result<ControlLog, Refusal> {
        let channel = self.channels.get(&id).ok_or_else(no_channel)?;
        let mut rehearsal = channel.control.clone();
        let about = denial::about(&body);
        rehearsal
            .author(&self.secrets, body, now)
            .map_err(|denied| channel.denial(about, denied))?;
        Ok(rehearsal)
    }
}
