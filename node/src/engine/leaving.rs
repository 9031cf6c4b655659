//! Leaving a channel, and seeing to it that the members hear of it, and of all that was said before.
//!
//! Whoever has left says nothing any more, and gossip may be lost. So the op by which this account
//! leaves is offered to members until one of them has it; the others hear of it from that one. A
//! member that hears that somebody left compares the channel with them a last time, for afterwards
//! it does not ask them for anything; and until it has done so it does not say that it has the op.

use kith_crdt::control::{Body, Status, VerifiedOp};
use kith_crdt::encoding;
use kith_crdt::ids::{ChannelId, TransportKey};
use kith_crdt::sync::{Answer, ControlPull, Refusal as Refused, Request};
use kith_crdt::time::Millis;

use super::effect::{Outcome, Refusal};
use super::outstanding::Purpose;
use super::write::no_channel;
use super::{Engine, Timer};

/// Members to whom it is offered at a time.
const OFFERED_TO: usize = 3;
/// Milliseconds until it is offered again to those who are connected.
const AGAIN_MS: u64 = 500;

impl Engine {
    /// Leaves a channel, or gives up joining it.
    ///
    /// # Errors
    /// [`Refusal`] if this account is its last owner, or no member.
    pub(super) fn leave(&mut self, now: Millis, id: ChannelId) -> Result<Outcome, Refusal> {
        let channel = self.channels.get(&id).ok_or_else(no_channel)?;
        let name = channel.name().to_owned();
        if channel.joining.is_some() {
            self.fail_join(id, "the join was given up here");
        } else if channel
            .roster
            .members
            .get(&self.me)
            .is_some_and(|me| me.status == Status::Left)
        {
            return Err(Refusal::Denied(format!(
                "you left #{name} already; what you could read stays readable"
            )));
        } else {
            let op = self.author_op(now, id, Body::Leave)?;
            self.set_leaving(id, Some(op));
            self.offer_leave(now, id);
        }
        Ok(Outcome::Channel { channel: id, name })
    }

    /// Keeps the op by which this account has left until somebody is known to have it.
    pub(super) fn set_leaving(&mut self, id: ChannelId, op: Option<VerifiedOp>) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        if channel.leaving.is_some() != op.is_some() {
            channel.leaving = op;
            let record = channel.record();
            self.stage.batch.put_channel(&id, encoding::encode(&record));
        }
        self.stage.touched.insert(id);
    }

    /// Offers the op by which this account has left to a few members that are connected, as long as
    /// none is known to have it.
    pub(super) fn offer_leave(&mut self, now: Millis, id: ChannelId) {
        let leaving = |engine: &Self| engine.channels.get(&id)?.leaving.clone();
        let Some(op) = leaving(self) else {
            return;
        };
        let request = Request::Offer {
            tag: id.tag(),
            ops: vec![op.to_bytes()],
        };
        let mut members = self.connected_members(id);
        for _ in 0..OFFERED_TO {
            let Some(pick) = self.pick(members.len()) else {
                break;
            };
            let (peer, _) = members.swap_remove(pick);
            self.ask(now, peer, Purpose::Leave { channel: id }, &request);
        }
    }

    /// Takes the answer of somebody to whom it was offered.
    pub(super) fn take_left(
        &mut self,
        now: Millis,
        (id, peer): (ChannelId, TransportKey),
        answer: &Answer,
    ) {
        match answer {
            Answer::Taken { count: 1.. } => {
                self.set_leaving(id, None);
            }
            // Whoever does not take it does not take this account for a member: it was taken out
            // before it left, and did not hear of that.
            Answer::Refused(Refused::NotForYou) => {
                let pull = Box::new(ControlPull::new(id, Vec::new()));
                self.pull_control(now, id, peer, pull);
            }
            _ => self.timers.set_by(Timer::Leave(id), now.plus(AGAIN_MS)),
        }
    }

    /// Takes the op by which a member leaves from them, and passes it on. Says that it is here once
    /// everything else of theirs is, too, and if this node will be there to tell the others.
    pub(super) fn answer_leave(
        &mut self,
        now: Millis,
        (id, peer): (ChannelId, TransportKey),
        op: VerifiedOp,
    ) -> Answer {
        let Some(channel) = self.channels.get(&id) else {
            return Answer::Refused(Refused::NotForYou);
        };
        let later = Answer::Taken { count: 0 };
        if channel.control.get(&op.id()).is_none() {
            let device = channel.roster.by_transport(&peer);
            if device.is_none_or(|(_, device)| device.account != op.op().author) {
                return Answer::Refused(Refused::NotForYou);
            }
            let (topics, bytes) = (self.listened_topics(id), op.to_bytes());
            if self.insert_ops(now, id, vec![op]).new > 0 {
                self.publish_ops(id, &topics, &[bytes]);
            }
            return later;
        }
        if !channel.roster.belongs_on(&self.me, &self.writer.device) {
            return later;
        }
        if channel.roster.has_left(&peer) && !channel.heard_out.contains(&peer) {
            self.hear_last_words(now, id, peer);
            return later;
        }
        Answer::Taken { count: 1 }
    }

    /// Compares a channel with somebody who has just left it, by themselves: what they said last may
    /// be here with nobody, and they are not asked any more.
    pub(super) fn hear_last_words(&mut self, now: Millis, id: ChannelId, peer: TransportKey) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        if channel.roster.belongs_on(&self.me, &self.writer.device)
            && channel.roster.has_left(&peer)
        {
            channel.heard_out.remove(&peer);
            self.compare(now, id, peer);
        }
    }

    /// Notes that everything is here that somebody who has left has of a channel.
    pub(super) fn note_heard_out(&mut self, id: ChannelId, peer: TransportKey) {
        if let Some(channel) = self.channels.get_mut(&id)
            && channel.roster.has_left(&peer)
        {
            channel.heard_out.insert(peer);
        }
    }
}

/// The op by which somebody leaves a channel, if that is what is offered.
pub(super) fn leave_offered(id: &ChannelId, ops: &[Vec<u8>]) -> Option<VerifiedOp> {
    let op = VerifiedOp::verify(ops.first()?).ok()?;
    let leaves = matches!(op.op().body, Body::Leave) && op.channel() == *id;
    leaves.then_some(op)
}
