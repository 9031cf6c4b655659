//! Founding a channel, and leaving one.

use kith_crdt::control::{Body, ControlLog, Policy, VerifiedOp};
use kith_crdt::encoding;
use kith_crdt::ids::ChannelId;
use kith_crdt::limits::{CHANNELS_PER_NODE, NAME_MAX_CHARS, TOPIC_MAX_CHARS};
use kith_crdt::retention::Retention;
use kith_crdt::time::Millis;

use super::Engine;
use super::channel::Channel;
use super::effect::{Outcome, Refusal};
use super::texts::{check_line, check_name};
use crate::record::ChannelRecord;

impl Engine {
    pub(super) fn create_channel(
        &mut self,
        now: Millis,
        name: &str,
        topic: &str,
        retention: Retention,
    ) -> Result<Outcome, Refusal> {
        check_name(name, "name", NAME_MAX_CHARS)?;
        check_line(topic, "topic", TOPIC_MAX_CHARS)?;
        self.check_room()?;
        let (control, create) = ControlLog::create(&self.secrets, name, now, &mut self.rng)
            .map_err(|error| Refusal::Usage(error.to_string()))?;
        let id = self.found_channel(now, (control, &create), retention)?;
        if !topic.is_empty() {
            self.author_op(now, id, Body::Policy(Policy::Topic(topic.to_owned())))?;
        }
        self.sync_soon(now, id);
        Ok(Outcome::Channel {
            channel: id,
            name: name.to_owned(),
        })
    }

    /// Takes a channel in that has just been founded here, and makes its first epoch.
    pub(super) fn found_channel(
        &mut self,
        now: Millis,
        (control, create): (ControlLog, &VerifiedOp),
        retention: Retention,
    ) -> Result<ChannelId, Refusal> {
        let id = control.channel();
        let name = control.roster().name.clone();
        let record = ChannelRecord {
            channel: id,
            joining: None,
            name: name.clone(),
            quota: None,
            leaving: false,
        };
        self.stage.batch.put_channel(&id, encoding::encode(&record));
        self.stage
            .batch
            .put_op(&id, &create.id(), create.to_bytes());
        self.add_channel(Channel::new(control, name));
        if let Err(refusal) = self.begin_keeping(now, id, retention) {
            self.remove_channel(id);
            return Err(refusal);
        }
        Ok(id)
    }

    /// Sets how long a channel that has just been made keeps its messages, and makes its first
    /// epoch, which is to know of that.
    fn begin_keeping(
        &mut self,
        now: Millis,
        id: ChannelId,
        retention: Retention,
    ) -> Result<(), Refusal> {
        if retention != Retention::default() {
            let policy = Policy::Retention {
                retention,
                existing: false,
            };
            self.author_op(now, id, Body::Policy(policy))?;
        }
        let hlc = self.hlc.tick(now);
        self.make_epoch(now, id, (retention.term(), hlc))?;
        Ok(())
    }

    /// Checks that the node may have one channel more.
    ///
    /// # Errors
    /// [`Refusal::Limit`] naming the bound.
    pub(super) fn check_room(&self) -> Result<(), Refusal> {
        if self.channels.len() < CHANNELS_PER_NODE {
            return Ok(());
        }
        Err(Refusal::Limit(format!(
            "this node has {CHANNELS_PER_NODE} channels, the most there may be"
        )))
    }
}
