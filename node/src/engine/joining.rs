//! Joining by an invite, seen from both sides.
//!
//! The newcomer proves the invite and gets the control log, writes a Join that the invite key
//! countersigns, offers it, asks for keys, and is in. Any member's node can be the other side, so
//! it does not matter whether the one who invited is there. A join that finds nobody goes on by
//! itself when somebody appears.

use kith_crdt::control::{Body, ControlLog, InviteStanding, VerifiedOp};
use kith_crdt::crypto::sign::SIGNATURE_LEN;
use kith_crdt::encoding;
use kith_crdt::ids::{ChannelId, InviteId, OpId, TransportKey};
use kith_crdt::limits::PAGE_BYTES;
use kith_crdt::link::{self, InviteLink};
use kith_crdt::sync::{Answer, Refusal as Refused, Request};
use kith_crdt::time::Millis;

use super::channel::{Channel, Joining};
use super::effect::{Outcome, Refusal};
use super::outstanding::Purpose;
use super::{Engine, Timer};
use crate::record::ChannelRecord;

const REVOKED: &str = "the invite was revoked: ask for a new one";
const EXPIRED: &str = "the invite has expired: ask for a new one";
const USED_UP: &str = "the invite has been used up: ask for a new one";
/// Milliseconds from being let in to the first comparison.
const OFFER_SYNC_MS: u64 = 20;
/// Ops that a newcomer may offer: its Join, and its device list should that have changed.
const OFFER_OPS: usize = 4;

impl Engine {
    /// Starts a join, or takes it up again. The command is answered when it is over.
    pub(super) fn begin_join(
        &mut self,
        now: Millis,
        token: u64,
        link: InviteLink,
    ) -> Result<(), Refusal> {
        let id = link.channel;
        if let Some(channel) = self.channels.get(&id)
            && channel.roster.is_member(&self.me)
            && channel.joining.is_none()
        {
            let name = channel.name().to_owned();
            self.stage
                .answer(token, Ok(Outcome::Channel { channel: id, name }));
            return Ok(());
        }
        if link.expires_at <= now {
            return Err(Refusal::Denied(
                "the invite has expired: ask for a new one".into(),
            ));
        }
        self.check_room()?;
        let record = ChannelRecord {
            channel: id,
            joining: Some(link.to_string()),
            name: link.name.clone(),
        };
        self.stage.batch.put_channel(&id, encoding::encode(&record));
        // Who comes back keeps what was readable.
        if !self.channels.contains_key(&id) {
            self.add_channel(Channel::new(ControlLog::new(id), link.name.clone()));
        }
        let channel = self
            .channels
            .get_mut(&id)
            .expect("it is there or was added just now");
        let mut waiting = channel
            .joining
            .take()
            .map_or_else(Vec::new, |joining| joining.waiting);
        waiting.push(token);
        channel.joining = Some(Joining {
            link: link.clone(),
            waiting,
        });
        for (transport, addresses) in &link.hosts {
            self.peers.learn(now, *transport, addresses, true);
        }
        self.timers.set(Timer::Dial, now);
        self.timers.set(Timer::Keys(id), now);
        self.stage.touched.insert(id);
        Ok(())
    }

    /// Goes on with a join: with whoever is connected, one at a time.
    pub(super) fn pursue_join(&mut self, now: Millis, id: ChannelId) {
        let Some(channel) = self.channels.get(&id) else {
            return;
        };
        let Some(joining) = &channel.joining else {
            return;
        };
        let link = joining.link.clone();
        let joined = channel.roster.is_member(&self.me);
        let peers: Vec<TransportKey> = self.peers.connected().copied().collect();
        for peer in peers {
            if self.outstanding.joining(&id, &peer) {
                continue;
            }
            if joined {
                self.offer_join(now, id, peer);
            } else {
                self.prove(now, id, &link, peer);
            }
        }
        self.timers.set_by(Timer::Keys(id), now.plus(3_000));
    }

    fn prove(&mut self, now: Millis, id: ChannelId, link: &InviteLink, peer: TransportKey) {
        let Some(channel) = self.channels.get(&id) else {
            return;
        };
        let signature = link.prove(&self.secrets.transport_key(), &peer);
        let request = Request::Prove {
            tag: id.tag(),
            invite: link.invite(),
            signature,
            have: channel.control.heads(),
        };
        self.ask(now, peer, Purpose::Prove { channel: id }, &request);
    }

    /// Takes the control log that a proof has earned, page by page, and then joins.
    pub(super) fn take_proven(
        &mut self,
        now: Millis,
        id: ChannelId,
        peer: TransportKey,
        answer: Answer,
    ) {
        match answer {
            Answer::Ops { ops, more } => {
                let taken = self.receive_ops(now, id, &ops);
                let link = self
                    .channels
                    .get(&id)
                    .and_then(|channel| Some(channel.joining.as_ref()?.link.clone()));
                let Some(link) = link else { return };
                if more && taken.new > 0 {
                    self.prove(now, id, &link, peer);
                } else {
                    self.write_join(now, id, peer, &link);
                }
            }
            // What used it up may be the own Join, by way of another host: that is asked next.
            Answer::Refused(Refused::InviteUsedUp) if self.has_joined(id) => {
                self.offer_join(now, id, peer);
            }
            Answer::Refused(refused) => self.turned_away(id, peer, refused),
            _ => {}
        }
    }

    fn has_joined(&self, id: ChannelId) -> bool {
        let channel = self.channels.get(&id);
        channel.is_some_and(|channel| channel.roster.is_member(&self.me))
    }

    /// Ends a join that was refused for good, if it is a host of the link who says so: a stranger's
    /// word is worth nothing, and the signed log speaks for itself.
    fn turned_away(&mut self, id: ChannelId, peer: TransportKey, refused: Refused) {
        let joining = self
            .channels
            .get(&id)
            .and_then(|channel| channel.joining.as_ref());
        let is_host = joining.is_some_and(|joining| {
            joining
                .link
                .hosts
                .iter()
                .any(|(transport, _)| *transport == peer)
        });
        let why = match refused {
            Refused::InviteRevoked => REVOKED,
            Refused::InviteExpired => EXPIRED,
            Refused::InviteUsedUp => USED_UP,
            _ => return,
        };
        if is_host {
            self.fail_join(id, why);
        }
    }

    fn write_join(&mut self, now: Millis, id: ChannelId, peer: TransportKey, link: &InviteLink) {
        let Some(channel) = self.channels.get(&id) else {
            return;
        };
        if channel.roster.is_member(&self.me) {
            self.offer_join(now, id, peer);
            return;
        }
        match channel.roster.invite_standing(&link.invite(), now) {
            InviteStanding::Open => {}
            InviteStanding::Revoked => {
                return self.fail_join(id, REVOKED);
            }
            InviteStanding::Expired => {
                return self.fail_join(id, EXPIRED);
            }
            InviteStanding::UsedUp => {
                return self.fail_join(id, USED_UP);
            }
            // This peer does not know the invite yet; another one may.
            InviteStanding::Unknown => return,
        }
        let countersignature = match self.secrets.certificate.verify() {
            Ok(certified) => link.countersign(&certified),
            Err(_) => return self.fail_join(id, "this home's own certificate does not hold"),
        };
        let body = Body::Join {
            invite: link.invite(),
            certificate: self.secrets.certificate.clone(),
            countersignature,
        };
        match self.author_op(now, id, body) {
            Ok(_) => self.offer_join(now, id, peer),
            Err(refusal) => self.fail_join(id, &refusal.to_string()),
        }
    }

    /// Offers the own Join to a node that does not have it.
    pub(super) fn offer_join(&mut self, now: Millis, id: ChannelId, peer: TransportKey) {
        let Some(channel) = self.channels.get(&id) else {
            return;
        };
        let Some(op) = self
            .own_join(channel)
            .and_then(|op| channel.control.get(&op))
        else {
            return;
        };
        let request = Request::Offer {
            tag: id.tag(),
            ops: vec![op.to_bytes()],
        };
        if !self.outstanding.joining(&id, &peer) {
            self.ask(now, peer, Purpose::Offer { channel: id }, &request);
        }
    }

    fn own_join(&self, channel: &Channel) -> Option<OpId> {
        let member = channel.roster.members.get(&self.me)?;
        Some(member.granted.1)
    }

    /// Takes the answer to an offer: the other side knows us now, so keys and history follow.
    pub(super) fn take_offered(
        &mut self,
        now: Millis,
        id: ChannelId,
        peer: TransportKey,
        answer: &Answer,
    ) {
        match answer {
            Answer::Taken { .. } => {
                self.timers.set(Timer::Keys(id), now);
                self.timers.set_by(Timer::Sync(id), now.plus(OFFER_SYNC_MS));
                self.joined_if_ready(now, id);
            }
            // One by which this account does not belong any more was offered before that was
            // known, and says nothing about the link that is being followed now.
            Answer::Refused(refused) if self.has_joined(id) => {
                self.turned_away(id, peer, *refused);
            }
            _ => {}
        }
    }

    /// Ends a join that has everything it needs: membership, and a key or the certainty that there
    /// is none to be had yet.
    pub(super) fn joined_if_ready(&mut self, now: Millis, id: ChannelId) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        let member = channel.roster.is_member(&self.me);
        let has_key = channel
            .roster
            .epochs
            .keys()
            .any(|epoch| channel.keys.has(epoch));
        let complete = has_key || channel.nothing_to_be_had(&self.me);
        if channel.joining.is_none() || !member || !complete {
            return;
        }
        let joining = channel.joining.take().expect("it was there just now");
        let name = channel.name().to_owned();
        let record = ChannelRecord {
            channel: id,
            joining: None,
            name: name.clone(),
        };
        self.stage.batch.put_channel(&id, encoding::encode(&record));
        self.stage.touched.insert(id);
        for token in joining.waiting {
            self.stage.answer(
                token,
                Ok(Outcome::Channel {
                    channel: id,
                    name: name.clone(),
                }),
            );
        }
        self.timers.set_by(Timer::Beacon(id), now);
        self.sync_soon(now, id);
    }

    /// Ends a join that cannot succeed.
    pub(super) fn fail_join(&mut self, id: ChannelId, why: &str) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        let Some(joining) = channel.joining.take() else {
            return;
        };
        // An own Join that nobody took is no membership: it has brought no key.
        let was_member = channel.keys.iter().next().is_some();
        let record = ChannelRecord {
            channel: id,
            joining: None,
            name: channel.name().to_owned(),
        };
        for token in joining.waiting {
            self.stage
                .answer(token, Err(Refusal::Denied(why.to_owned())));
        }
        if was_member {
            self.stage.batch.put_channel(&id, encoding::encode(&record));
            self.stage.touched.insert(id);
        } else {
            self.remove_channel(id);
        }
    }

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
                InviteStanding::Revoked => return Answer::Refused(Refused::InviteRevoked),
                InviteStanding::Expired => return Answer::Refused(Refused::InviteExpired),
                InviteStanding::UsedUp => return Answer::Refused(Refused::InviteUsedUp),
                InviteStanding::Unknown => return Answer::Refused(Refused::NotForYou),
            }
        }
        let (ops, more) = channel.control.missing_from(have, PAGE_BYTES);
        Answer::Ops { ops, more }
    }

    /// Takes a Join that its author offers, if it makes the one who offers it a member.
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
        InviteStanding::Revoked => Err(Refused::InviteRevoked),
        InviteStanding::Expired => Err(Refused::InviteExpired),
        InviteStanding::UsedUp => Err(Refused::InviteUsedUp),
        InviteStanding::Unknown => Err(Refused::NotForYou),
    }
}
