//! The control log at work: ops come in, the roster changes, and what follows from that.

use std::sync::Arc;

use kith_crdt::control::{Body, Inserted, PolicyField, Roster, Status, VerifiedOp};
use kith_crdt::ids::ChannelId;
use kith_crdt::retention::Retention;
use kith_crdt::time::Millis;

use super::denial;
use super::effect::Refusal;
use super::gossip::Taken;
use super::write::no_channel;
use super::{Engine, Timer};
use crate::record::{SETTING_RETENTION, SETTING_RETENTION_LIMITS, What};

impl Engine {
    /// Writes an op of this device's, if the roster lets it.
    ///
    /// # Errors
    /// [`Refusal::Denied`] naming the rule.
    pub(super) fn author_op(
        &mut self,
        now: Millis,
        id: ChannelId,
        body: Body,
    ) -> Result<VerifiedOp, Refusal> {
        let channel = self.channels.get_mut(&id).ok_or_else(no_channel)?;
        let about = denial::about(&body);
        let op = channel
            .control
            .author(&self.secrets, body, now)
            .map_err(|denied| channel.denial(about, denied))?;
        self.stage.batch.put_op(&id, &op.id(), op.to_bytes());
        let topics = self.listened_topics(id);
        self.roster_changed(now, id);
        self.publish_ops(id, &topics, &[op.to_bytes()]);
        Ok(op)
    }

    /// Takes ops as a peer sent them.
    pub(super) fn receive_ops(&mut self, now: Millis, id: ChannelId, ops: &[Vec<u8>]) -> Taken {
        let verified: Vec<VerifiedOp> = ops
            .iter()
            .filter_map(|bytes| VerifiedOp::verify(bytes).ok())
            .collect();
        let forged = verified.len() < ops.len();
        let mut taken = self.insert_ops(now, id, verified);
        taken.foul |= forged;
        taken
    }

    /// Takes ops whose signatures hold. Whether their authors might write them is the roster's to
    /// say.
    pub(super) fn insert_ops(&mut self, now: Millis, id: ChannelId, ops: Vec<VerifiedOp>) -> Taken {
        let mut taken = Taken::default();
        let Some(channel) = self.channels.get_mut(&id) else {
            return taken;
        };
        for op in ops {
            if op.channel() != id {
                taken.foul = true;
                continue;
            }
            match channel.control.insert(op) {
                Inserted::Added(added) => {
                    taken.new += added.len();
                    for op in added.iter().filter_map(|op| channel.control.get(op)) {
                        self.stage.batch.put_op(&id, &op.id(), op.to_bytes());
                    }
                }
                Inserted::Waiting => taken.incomplete = true,
                Inserted::Known => {}
                Inserted::Refused(refusal) => taken.foul |= refusal.is_offence(),
            }
        }
        if taken.new > 0 {
            self.roster_changed(now, id);
        }
        taken
    }

    /// Draws the consequences of a changed control log.
    pub(super) fn roster_changed(&mut self, now: Millis, id: ChannelId) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        let before = Arc::clone(&channel.roster);
        channel.roster = Arc::new(channel.control.roster().clone());
        let after = Arc::clone(&channel.roster);
        // Where the control log was lost, the logs were nobody's until now.
        if before.members.is_empty() || before.has_removals() || after.has_removals() {
            channel.enrol_logs();
        }
        // Whoever was taken out before they left, or came back, has nothing to tell any more.
        let me = after.members.get(&self.me);
        if me.is_none_or(|me| me.status != Status::Left) {
            self.set_leaving(id, None);
        }
        self.stage.touched.insert(id);
        self.weigh_anew(id, &before);
        let lives = |roster: &Roster| -> Vec<_> {
            let epochs = roster.epochs.iter();
            epochs
                .map(|(id, epoch)| (*id, epoch.life, epoch.kept))
                .collect()
        };
        if lives(&before) != lives(&after) || before.retention() == Retention::Instant {
            self.weigh_lives_anew(now, id);
        }
        self.revive(now, id, &before);
        self.hear_certificate(id);
        if self.channels[&id].is_own(&self.me) {
            self.timers.set(Timer::Settings, now);
        }
        self.tell_roster(now, id, &before, &after);
        self.listen(id);
        self.want_members(now, id, &before);
        self.timers.set_by(Timer::Keys(id), now);
        self.timers.set_by(Timer::Beacon(id), self.beacon_due(id));
    }

    fn tell_roster(&mut self, now: Millis, id: ChannelId, before: &Roster, after: &Roster) {
        for (account, member) in &after.members {
            let known = before.members.get(account);
            let same = known.is_some_and(|known| {
                known.role == member.role
                    && known.status == member.status
                    && known.name == member.name
            });
            if !same {
                self.happened(id, now, What::Member(*account));
            }
        }
        if !before.name.is_empty() && (before.name != after.name || before.topic != after.topic) {
            self.happened(id, now, What::Policy);
        }
        for (field, set) in &after.set_by {
            let number = match field {
                PolicyField::History => 0,
                PolicyField::Right(right) => right.number().unwrap_or(0),
                PolicyField::Retention => SETTING_RETENTION,
                PolicyField::RetentionLimits => SETTING_RETENTION_LIMITS,
                PolicyField::Name | PolicyField::Topic => continue,
            };
            if !before.name.is_empty() && before.set_by.get(field) != Some(set) {
                self.happened(id, now, What::Setting(number));
            }
        }
    }
}
