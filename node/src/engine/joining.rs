//! Joining by an invite, seen from the newcomer (`admitting` is the other side).
//!
//! The newcomer proves the invite and gets the control log, writes a Join that the invite key
//! countersigns, offers it, asks for keys, and is in. A join that finds nobody goes on by itself
//! when somebody appears.

use kith_crdt::control::{Body, ControlLog, InviteStanding};
use kith_crdt::encoding;
use kith_crdt::ids::{ChannelId, OpId, TransportKey};
use kith_crdt::link::InviteLink;
use kith_crdt::sync::{Answer, Refusal as Refused, Request};
use kith_crdt::time::Millis;

use super::channel::{Channel, Joining};
use super::effect::{Outcome, Refusal};
use super::outstanding::Purpose;
use super::{Engine, Timer};
use crate::record::ChannelRecord;

const REVOKED: &str = "the invite was revoked: ask for a new one";
const SUSPENDED: &str =
    "whoever made the invite may not invite at present: ask somebody else of the channel for one";
/// What a host says by the same word, whichever it is.
const CLOSED: &str =
    "the invite was revoked, or whoever made it may not invite at present: ask for a new one";
const EXPIRED: &str = "the invite has expired: ask for a new one";
const USED_UP: &str = "the invite has been used up: ask for a new one";
/// Milliseconds from being let in to the first comparison.
const OFFER_SYNC_MS: u64 = 20;

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
            && channel.roster.belongs_on(&self.me, &self.writer.device)
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
            // Who comes back keeps what was set here.
            quota: self.channels.get(&id).and_then(|channel| channel.quota),
            leaving: false,
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
        let joined = channel.roster.belongs_on(&self.me, &self.writer.device);
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
        channel.is_some_and(|channel| channel.roster.belongs_on(&self.me, &self.writer.device))
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
            Refused::InviteRevoked => CLOSED,
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
        if channel.roster.belongs_on(&self.me, &self.writer.device) {
            self.offer_join(now, id, peer);
            return;
        }
        match channel.roster.invite_standing(&link.invite(), now) {
            InviteStanding::Open => {}
            InviteStanding::Revoked => {
                return self.fail_join(id, REVOKED);
            }
            InviteStanding::Suspended => {
                return self.fail_join(id, SUSPENDED);
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
        let member = channel.roster.belongs_on(&self.me, &self.writer.device);
        let has_key = channel
            .roster
            .epochs
            .keys()
            .any(|epoch| channel.keys.has(epoch));
        let complete = has_key || channel.nothing_to_be_had(&self.me, now);
        if channel.joining.is_none() || !member || !complete {
            return;
        }
        let joining = channel.joining.take().expect("it was there just now");
        let name = channel.name().to_owned();
        let record = channel.record();
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
        self.certify(now, id);
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
        let record = channel.record();
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
}
