//! Letting a newcomer in: whoever proves an invite gets the control log, and a Join that holds is
//! taken. Any member's node does this, so it does not matter whether the one who invited is there.

use kith_crdt::control::{Body, InviteStanding, VerifiedOp};
use kith_crdt::crypto::sign::SIGNATURE_LEN;
use kith_crdt::ids::{ChannelId, InviteId, OpId, TransportKey};
use kith_crdt::limits::PAGE_BYTES;
use kith_crdt::link;
use kith_crdt::sync::{Answer, Refusal as Refused};
use kith_crdt::time::Millis;

use super::Engine;
use super::channel::Channel;
use super::leaving::leave_offered;

/// Ops that a newcomer may offer: its Join, and its device list should that have changed.
const OFFER_OPS: usize = 4;

impl Engine {
    /// Gives the control log to somebody who proves an invite.
    pub(super) fn answer_proof(
        &mut self,
        now: Millis,
        id: ChannelId,
        peer: TransportKey,
        invite: &InviteId,
        signature: &[u8; SIGNATURE_LEN],
        have: &[OpId],
    ) -> Answer {
        let own = self.secrets.transport_key();
        let Some(channel) = self.channels.get(&id) else {
            return Answer::Refused(Refused::NotForYou);
        };
        let proven = link::verify_proof(&id, invite, &peer, &own, signature).is_ok();
        if !proven || channel.joining.is_some() {
            return Answer::Refused(Refused::NotForYou);
        }
        if channel.roster.by_transport(&peer).is_none() {
            match channel.roster.invite_standing(invite, now) {
                InviteStanding::Open => {}
                InviteStanding::Revoked | InviteStanding::Suspended => {
                    return Answer::Refused(Refused::InviteRevoked);
                }
                InviteStanding::Expired => return Answer::Refused(Refused::InviteExpired),
                InviteStanding::UsedUp => return Answer::Refused(Refused::InviteUsedUp),
                InviteStanding::Unknown => return Answer::Refused(Refused::NotForYou),
            }
        }
        let (ops, more) = channel.control.missing_from(have, PAGE_BYTES);
        Answer::Ops { ops, more }
    }

    /// Takes a Join that its author offers, if it makes the one who offers it a member; or a Leave.
    pub(super) fn answer_offer(
        &mut self,
        now: Millis,
        id: ChannelId,
        peer: TransportKey,
        ops: &[Vec<u8>],
    ) -> Answer {
        let Some(channel) = self.channels.get(&id) else {
            return Answer::Refused(Refused::NotForYou);
        };
        if let Some(op) = leave_offered(&id, ops) {
            return self.answer_leave(now, (id, peer), op);
        }
        if channel.roster.by_transport(&peer).is_some() {
            return Answer::Taken { count: 0 };
        }
        let offered: Option<Vec<VerifiedOp>> = ops
            .iter()
            .take(OFFER_OPS)
            .map(|bytes| VerifiedOp::verify(bytes).ok())
            .collect();
        let Some(offered) = offered else {
            return Answer::Refused(Refused::Malformed);
        };
        if let Err(refused) = welcome(channel, &offered, &peer, now) {
            return Answer::Refused(refused);
        }
        // Nothing of a stranger's is kept that would not stand.
        let stands = |op: &VerifiedOp| {
            let verdict = channel.control.preview(op);
            verdict.is_some_and(|verdict| verdict.stands())
        };
        if !offered.iter().all(stands) {
            return Answer::Refused(Refused::NotForYou);
        }
        let bytes: Vec<Vec<u8>> = offered.iter().map(VerifiedOp::to_bytes).collect();
        let count = self.insert_ops(now, id, offered).new;
        let topics = self.listened_topics(id);
        self.publish_ops(id, &topics, &bytes);
        self.renew_for_newcomers(now, id);
        let admitted = |channel: &Channel| channel.roster.by_transport(&peer).is_some();
        if self.channels.get(&id).is_some_and(admitted) {
            self.sync_soon(now, id);
            Answer::Taken {
                count: u32::try_from(count).unwrap_or(u32::MAX),
            }
        } else {
            Answer::Refused(Refused::InviteUsedUp)
        }
    }
}

/// Checks what a stranger offers before it touches the control log: ops of this channel whose
/// parents are here, one of them a Join of the asker's by an invite that is open now. A Join bears
/// whatever time its author gave it, so that the invite was once open is not enough.
fn welcome(
    channel: &Channel,
    offered: &[VerifiedOp],
    asker: &TransportKey,
    now: Millis,
) -> Result<(), Refused> {
    let here = |op: &VerifiedOp| {
        let own = matches!(op.op().body, Body::Join { .. } | Body::Devices { .. });
        own && op.channel() == channel.id
            && op
                .op()
                .parents
                .iter()
                .all(|parent| channel.control.contains(parent))
    };
    let invite = offered.iter().find_map(|op| match &op.op().body {
        Body::Join {
            invite,
            certificate,
            ..
        } => {
            let certified = certificate.verify().ok()?;
            let mut devices = certified.devices.values();
            devices
                .any(|device| device.transport == *asker)
                .then_some(*invite)
        }
        _ => None,
    });
    let Some(invite) = invite.filter(|_| offered.iter().all(here)) else {
        return Err(Refused::NotForYou);
    };
    match channel.roster.invite_standing(&invite, now) {
        InviteStanding::Open => Ok(()),
        InviteStanding::Revoked | InviteStanding::Suspended => Err(Refused::InviteRevoked),
        InviteStanding::Expired => Err(Refused::InviteExpired),
        InviteStanding::UsedUp => Err(Refused::InviteUsedUp),
        InviteStanding::Unknown => Err(Refused::NotForYou),
    }
}
