//! Leaving a channel, and seeing to it that the members hear of it.
//!
//! Whoever has left says nothing any more, and gossip may be lost. So the op by which this account
//! leaves is offered to members one by one until one of them has it; the others hear of it from
//! that one.

use kith_crdt::control::{Body, VerifiedOp};
use kith_crdt::ids::{AccountId, ChannelId, TransportKey};
use kith_crdt::sync::{Answer, Refusal as Refused, Request};
use kith_crdt::time::Millis;

use super::Engine;
use super::effect::{Outcome, Refusal};
use super::outstanding::Purpose;
use super::write::no_channel;

/// Members to whom it is offered at once.
const OFFERED_TO: usize = 3;

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
        } else {
            let op = self.author_op(now, id, Body::Leave)?;
            if let Some(channel) = self.channels.get_mut(&id) {
                channel.leaving = Some(op);
            }
            for (peer, _) in self.connected_members(id).into_iter().take(OFFERED_TO) {
                self.offer_leave(now, id, peer);
            }
        }
        Ok(Outcome::Channel { channel: id, name })
    }

    /// Offers the op by which this account has left to a member's device, as long as none is known
    /// to have it.
    pub(super) fn offer_leave(&mut self, now: Millis, id: ChannelId, peer: TransportKey) {
        let leaving = |engine: &Self| engine.channels.get(&id)?.leaving.clone();
        if let Some(op) = leaving(self) {
            let request = Request::Offer {
                tag: id.tag(),
                ops: vec![op.to_bytes()],
            };
            self.ask(now, peer, Purpose::Leave { channel: id }, &request);
        }
    }

    /// Takes the answer to that: who has the op, or does not speak with this account any more,
    /// knows.
    pub(super) fn take_left(&mut self, id: ChannelId, answer: &Answer) {
        let knows = match answer {
            Answer::Taken { count } => *count > 0,
            Answer::Refused(refused) => *refused == Refused::NotForYou,
            _ => false,
        };
        if let Some(channel) = self.channels.get_mut(&id).filter(|_| knows) {
            channel.leaving = None;
            self.stage.touched.insert(id);
        }
    }

    /// Takes the op by which a member leaves who offers it, and passes it on.
    pub(super) fn answer_leave(
        &mut self,
        now: Millis,
        id: ChannelId,
        (account, ops): (AccountId, &[Vec<u8>]),
    ) -> Answer {
        let op = ops.first().and_then(|op| VerifiedOp::verify(op).ok());
        let is_own = |op: &VerifiedOp| {
            let leaves = matches!(op.op().body, Body::Leave);
            leaves && op.op().author == account && op.channel() == id
        };
        let Some(op) = op.filter(is_own) else {
            return Answer::Taken { count: 0 };
        };
        let (own, bytes) = (op.id(), op.to_bytes());
        let topics = self.listened_topics(id);
        if self.insert_ops(now, id, vec![op]).new > 0 {
            self.publish_ops(id, &topics, &[bytes]);
        }
        let channel = self.channels.get(&id);
        let has_it = channel.is_some_and(|channel| channel.control.get(&own).is_some());
        Answer::Taken {
            count: u32::from(has_it),
        }
    }
}
