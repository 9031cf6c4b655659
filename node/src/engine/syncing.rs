//! Sync at work: when a session starts, how its steps are carried, and how requests of others
//! are answered.

use kith_crdt::ids::{ChannelId, ChannelTag, LogId, Place, TransportKey};
use kith_crdt::log::Fork;
use kith_crdt::sync::{self, Answer, End, Next, Outcome, Received, Refusal, Request, Session};
use kith_crdt::time::Millis;
use std::collections::BTreeMap;

use super::effect::Moment;
use super::outstanding::Purpose;
use super::replica::Served;
use super::{Engine, Timer};
use crate::network::Command;

/// Points for a message that an honest node does not send; a hundred end the connection.
const MALFORMED_COST: u32 = 20;
/// Milliseconds between comparisons of a channel with some member, before jitter.
const PERIOD_MS: u64 = 30_000;
/// Milliseconds of jitter on top.
const JITTER_MS: u64 = 10_000;
/// Members with whom a channel is compared each period.
const MEMBERS_PER_PERIOD: usize = 3;

impl Engine {
    /// Compares a channel with a few connected members, and sets the next time.
    pub(super) fn sync_period(&mut self, now: Millis, id: ChannelId) {
        let mut members = self.connected_members(id);
        for _ in 0..MEMBERS_PER_PERIOD {
            let Some(pick) = self.pick(members.len()) else {
                break;
            };
            let (peer, _) = members.swap_remove(pick);
            self.sync_with(now, id, peer);
        }
        self.set_sync_timer(now, id);
    }

    /// Sets when a channel is compared next with members that stay connected.
    pub(super) fn set_sync_timer(&mut self, now: Millis, id: ChannelId) {
        let jitter = self.jitter(JITTER_MS);
        self.timers
            .set_by(Timer::Sync(id), now.plus(PERIOD_MS + jitter));
    }

    /// Compares a channel with a member as soon as this turn is done.
    pub(super) fn sync_soon(&mut self, now: Millis, id: ChannelId) {
        self.timers.set_by(Timer::Sync(id), now);
    }

    /// Starts a session with another member, unless one is under way.
    pub(super) fn sync_with(&mut self, now: Millis, id: ChannelId, peer: TransportKey) {
        let Some(channel) = self.channels.get(&id) else {
            return;
        };
        let is_members =
            channel.roster.by_transport(&peer).is_some() || self.is_vouched(channel, &peer);
        let shared = channel.roster.belongs_on(&self.me, &self.writer.device)
            && is_members
            && !self.is_peer_revoked(id, &peer);
        if shared {
            self.compare(now, id, peer);
        }
    }

    /// Starts a session with a peer that is connected, unless one is under way.
    pub(super) fn compare(&mut self, now: Millis, id: ChannelId, peer: TransportKey) {
        if !self.peers.is_connected(&peer) || !self.outstanding.may_start(&id, &peer) {
            return;
        }
        let reader = self.store.reader();
        let view = reader.view();
        let channel = &self.channels[&id];
        let (session, request) = Session::start(&Served {
            channel,
            view: &view,
            now: self.now,
            has_room: self.has_room(id),
        });
        self.ask(
            now,
            peer,
            Purpose::Session {
                channel: id,
                session: Box::new(session),
                applied: 0,
            },
            &request,
        );
    }

    /// Sends a request and remembers what it is for.
    pub(super) fn ask(
        &mut self,
        now: Millis,
        peer: TransportKey,
        purpose: Purpose,
        request: &Request,
    ) {
        self.outstanding.add(now, peer, purpose, request.to_bytes());
        self.send_requests(peer);
    }

    /// Sends what was to be asked of a peer, as far as there is room.
    fn send_requests(&mut self, peer: TransportKey) {
        while let Some((id, bytes)) = self.outstanding.next(&peer) {
            self.stage.send(Command::Request { id, peer, bytes });
        }
    }

    /// A request has ended, answered or not: what was it for?
    fn ended(&mut self, request: u64, peer: TransportKey) -> Option<Purpose> {
        let purpose = self.outstanding.take(request, &peer);
        self.send_requests(peer);
        purpose
    }

    /// Takes it that a request was not answered.
    pub(super) fn request_failed(&mut self, now: Millis, request: u64, peer: TransportKey) {
        if let Some(purpose) = self.ended(request, peer) {
            self.failed(now, peer, purpose);
        }
    }

    /// Takes the answer of a peer.
    pub(super) fn take_answer(
        &mut self,
        now: Millis,
        request: u64,
        peer: TransportKey,
        bytes: &[u8],
    ) {
        let Some(purpose) = self.ended(request, peer) else {
            return;
        };
        let Ok(answer) = Answer::parse(bytes) else {
            self.stage.send(Command::Penalise {
                peer,
                cost: MALFORMED_COST,
            });
            self.failed(now, peer, purpose);
            return;
        };
        match purpose {
            Purpose::Session {
                channel,
                session,
                applied,
            } => self.step(now, channel, peer, (session, applied), answer),
            Purpose::Keys { channel, pending } => match answer {
                Answer::Keys(answer) => {
                    self.take_keys(now, channel, *pending, &answer);
                    self.note_keys_given(now, channel, &peer);
                }
                _ => self.timers.set_by(Timer::Keys(channel), now.plus(1_000)),
            },
            Purpose::Bodies { channel } => {
                if let Answer::Page { envelopes, .. } = answer {
                    self.take_bodies(now, channel, &envelopes);
                }
            }
            Purpose::Prove { channel } => self.take_proven(now, channel, peer, answer),
            Purpose::Offer { channel } => self.take_offered(now, channel, peer, &answer),
            Purpose::Leave { channel } => self.take_left(now, (channel, peer), &answer),
            Purpose::Farewell { channel, pull } => {
                self.take_farewell(now, channel, peer, pull, answer);
            }
            Purpose::Hearsay { tag, log } => {
                self.take_hearsay(now, peer, (tag, log), answer);
                self.seek_next(now, peer);
            }
            Purpose::Account => {
                self.take_account(now, peer, answer);
                self.ask_for_management(now, peer);
            }
            Purpose::Management => self.take_management(now, peer, answer),
        }
    }

    /// Draws the consequence of a request that will not be answered.
    pub(super) fn failed(&mut self, now: Millis, peer: TransportKey, purpose: Purpose) {
        match purpose {
            Purpose::Session { .. } => self.start_waiting(now, peer),
            Purpose::Account => {
                self.shown_to.remove(&peer);
            }
            Purpose::Hearsay { .. } => self.seek_next(now, peer),
            // The next refusal, question or connection leads to another.
            Purpose::Bodies { .. }
            | Purpose::Leave { .. }
            | Purpose::Farewell { .. }
            | Purpose::Management => {}
            Purpose::Keys { channel, .. }
            | Purpose::Prove { channel }
            | Purpose::Offer { channel } => {
                self.timers.set_by(Timer::Keys(channel), now.plus(1_000));
            }
        }
    }

    /// Applies what a step of a session brought and asks for the next.
    fn step(
        &mut self,
        now: Millis,
        id: ChannelId,
        peer: TransportKey,
        (mut session, mut applied): (Box<Session>, usize),
        answer: Answer,
    ) {
        if !self.channels.contains_key(&id) {
            return;
        }
        let received = session.take(answer);
        applied += self.take_received(now, id, &mut session, received);
        let reader = self.store.reader();
        let view = reader.view();
        let has_room = self.has_room(id);
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        channel.digests.settle();
        match session.next(&Served {
            channel,
            view: &view,
            now: self.now,
            has_room,
        }) {
            Next::Ask(_) if applied > 0 && self.outstanding.yields(&id, &peer) => {
                self.start_waiting(now, peer);
            }
            Next::Ask(request) => self.ask(
                now,
                peer,
                Purpose::Session {
                    channel: id,
                    session,
                    applied,
                },
                &request,
            ),
            Next::Done(outcome) => {
                self.session_done(now, id, peer, (&outcome, applied));
                self.start_waiting(now, peer);
            }
        }
    }

    /// Applies what an answer brought. Returns how much of it is new here.
    fn take_received(
        &mut self,
        now: Millis,
        id: ChannelId,
        session: &mut Session,
        received: Received,
    ) -> usize {
        let mut applied = self.insert_ops(now, id, received.ops).new;
        // Of the proofs for a log only the smallest number matters.
        let mut forks: BTreeMap<LogId, (u32, &Fork)> = BTreeMap::new();
        for fork in &received.forks {
            if let Ok(Place { log, seq }) = fork.verify(&id) {
                let first = forks.entry(log).or_insert((seq, fork));
                if seq < first.0 {
                    *first = (seq, fork);
                }
            }
        }
        for (_, fork) in forks.into_values() {
            self.keep_fork(id, fork);
        }
        for part in received.envelopes {
            match self.receive_page(now, id, part.log, part.envelopes) {
                Some(accepted) => applied += accepted,
                None => session.skip(&part.log),
            }
        }
        for (beacon, signed) in received.beacons {
            self.receive_beacon(now, id, &beacon, signed, None);
        }
        applied
    }

    fn session_done(
        &mut self,
        now: Millis,
        id: ChannelId,
        peer: TransportKey,
        (outcome, applied): (&Outcome, usize),
    ) {
        if outcome.faults > 0 {
            self.stage.send(Command::Penalise {
                peer,
                cost: MALFORMED_COST,
            });
        }
        self.note_refusal(id, peer, outcome.end == End::Refused(Refusal::NotForYou));
        if matches!(outcome.end, End::Same | End::Complete) {
            self.note_heard_out(id, peer);
        }
        if outcome.end == End::Same || outcome.end == End::Complete && applied == 0 {
            self.note_compared(now, id, peer);
        }
        match outcome.end {
            End::Same => self.note_equal(now, id, peer),
            // There may be more by now. What brought nothing is not repeated: the period is.
            End::Complete | End::Paused if applied > 0 => self.sync_with(now, id, peer),
            // Whatever its beacon said: there is nothing of it that is not here.
            End::Complete => self.nothing_ahead(id, peer),
            End::Refused(Refusal::NotForYou) => {
                self.offer_join(now, id, peer);
                self.ask_why_refused(now, id, peer);
                self.show_refused(now, peer);
            }
            // What there is no room for is asked for when there is.
            End::Full => {}
            End::Paused | End::Refused(_) | End::Unexpected | End::Stalled => {}
        }
        if matches!(outcome.end, End::Same | End::Complete | End::Full) {
            self.found_ops(now, id);
        }
        self.joined_if_ready(now, id);
        self.go_on_mending(now, id);
        self.stage.touched.insert(id);
        self.stage.tell(Moment::Sync { channel: id });
    }

    fn start_waiting(&mut self, now: Millis, peer: TransportKey) {
        if let Some(channel) = self.outstanding.next_waiting(&peer) {
            self.sync_with(now, channel, peer);
            self.hear_last_words(now, channel, peer);
        }
    }

    /// Answers a request of a peer.
    pub(super) fn serve(&mut self, now: Millis, peer: TransportKey, bytes: &[u8]) -> Answer {
        let Ok(request) = Request::parse(bytes) else {
            self.stage.send(Command::Penalise {
                peer,
                cost: MALFORMED_COST,
            });
            return Answer::Refused(Refusal::Malformed);
        };
        match &request {
            Request::Link(ask) => return self.answer_link(now, peer, ask),
            Request::LinkOpen { nonce } => return self.answer_opening(now, peer, nonce),
            Request::Account(certificate) => return self.answer_account(now, peer, certificate),
            _ => {}
        }
        let Some(tag) = request.tag() else {
            return Answer::Refused(Refusal::Malformed);
        };
        let Some(id) = self.channel_of(&tag) else {
            if matches!(request, Request::Summary { .. }) {
                self.hear_of(now, tag, peer);
            }
            return Answer::Refused(Refusal::NotForYou);
        };
        match &request {
            Request::Summary { .. } => self.hear_again(now, id, peer),
            Request::Keys(_) if self.is_peer_revoked(id, &peer) => {
                return Answer::Refused(Refusal::NotForYou);
            }
            Request::Keys(signed) => return self.answer_keys(id, peer, signed),
            Request::Prove {
                invite,
                signature,
                have,
                ..
            } => {
                return self.answer_proof(now, id, peer, invite, signature, have);
            }
            Request::Offer { ops, .. } => return self.answer_offer(now, id, peer, ops),
            _ => {}
        }
        if self.is_peer_revoked(id, &peer) {
            return Answer::Refused(Refusal::NotForYou);
        }
        let reader = self.store.reader();
        let view = reader.view();
        let has_room = self.has_room(id);
        let shown = self.shown.get(&peer).map(|shown| shown.certified.clone());
        let Some(channel) = self.channels.get_mut(&id) else {
            return Answer::Refused(Refusal::NotForYou);
        };
        channel.digests.settle();
        let Some(served) = sync::serve(
            &Served {
                channel,
                view: &view,
                now: self.now,
                has_room,
            },
            (&peer, shown.as_ref()),
            &request,
        ) else {
            return Answer::Refused(Refusal::Malformed);
        };
        match (&request, &served.answer) {
            (Request::Summary { .. }, Answer::Same) => {
                self.note_equal(now, id, peer);
                self.note_compared(now, id, peer);
            }
            _ if served.differs && (has_room || self.lacks_ops_of(id, &request)) => {
                self.sync_with(now, id, peer)
            }
            _ => {}
        }
        served.answer
    }

    /// Whether a peer is a device of this account's that was revoked, and of which a channel was
    /// not told yet.
    pub(super) fn is_peer_revoked(&self, id: ChannelId, peer: &TransportKey) -> bool {
        let channel = self.channels.get(&id);
        let listed = channel.and_then(|channel| channel.roster.by_transport(peer));
        let mut shown = self
            .shown
            .get(peer)
            .into_iter()
            .filter(|shown| shown.certified.account == self.me)
            .flat_map(|shown| shown.certified.devices.values())
            .filter(|device| device.transport == *peer);
        listed.is_some_and(|(device, _)| self.is_revoked(&device))
            || shown.any(|device| self.is_revoked(&device.device))
    }

    fn channel_of(&self, tag: &ChannelTag) -> Option<ChannelId> {
        self.tags.get(tag).copied()
    }
}
