//! Receiving: an envelope of somebody else's, from foreign bytes to its place in a log.
//!
//! Acceptance goes by signature and link alone. What is inside is looked at afterwards, alike on
//! every node, and never stops the log.

use kith_crdt::envelope::{Envelope, EnvelopeError};
use kith_crdt::ids::{ChannelId, LogId, Place, Writer};
use kith_crdt::limits::LOGS_PER_DEVICE;
use kith_crdt::log::{Acceptance, Fork, Log};
use kith_crdt::time::Millis;

use super::incarnation::Cause;
use super::{Engine, Timer};

/// What became of envelopes that a peer sent.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reception {
    /// How many are new here.
    pub(super) accepted: usize,
    /// Whether something was missing before one of them, so that a sync is called for.
    pub(super) gap: bool,
    /// Whether one was forged or malformed: its bringer's fault.
    pub(super) foul: bool,
}

impl Engine {
    /// Takes envelopes that arrived by gossip: each has to prove itself.
    pub(super) fn receive_live(
        &mut self,
        now: Millis,
        id: ChannelId,
        items: &[Vec<u8>],
    ) -> Reception {
        let mut reception = Reception::default();
        for bytes in items {
            match Envelope::parse(bytes, &id) {
                Ok(envelope) if envelope.body_erased() => reception.foul = true,
                Ok(envelope) => self.receive_one(now, id, envelope, &mut reception),
                Err(EnvelopeError::Unknown(_)) => {}
                Err(_) => reception.foul = true,
            }
        }
        reception
    }

    fn receive_one(
        &mut self,
        now: Millis,
        id: ChannelId,
        envelope: Envelope,
        reception: &mut Reception,
    ) {
        let Some(channel) = self.channels.get(&id) else {
            return;
        };
        let log_id = envelope.log_id();
        if self.is_over(now, id, &log_id.segment) {
            return;
        }
        match channel.roster.devices.get(&log_id.writer.device) {
            // Certified in an op that has not arrived here, or not at all: sync will tell.
            None => {
                reception.gap = true;
                return;
            }
            // Who is not a member any more is not heard live. What was written before comes by
            // sync, from those who are.
            Some(device) if !device.active => return,
            Some(_) => {}
        }
        if !self.has_room(id) {
            self.leave_out(id, &envelope);
            return;
        }
        let acceptance = self.log_of(id, log_id).check(&envelope, now);
        if matches!(
            acceptance,
            Acceptance::Known | Acceptance::Closed(_) | Acceptance::Over
        ) {
            return;
        }
        if envelope.verify(&id).is_err() {
            reception.foul = true;
            return;
        }
        match acceptance {
            Acceptance::Next if self.makes_room(id, log_id) => {
                self.accept(now, id, envelope);
                self.join_on(id, log_id);
                reception.accepted += 1;
            }
            Acceptance::Next => {}
            // Another history of the same writer, or one that we lack: sync will tell.
            Acceptance::Gap { .. } | Acceptance::BadLink => reception.gap = true,
            Acceptance::TooFarAhead(when) => self.timers.set_by(Timer::Sync(id), when),
            Acceptance::Behind | Acceptance::ForkSuspected => self.prove_fork(id, &envelope),
            Acceptance::Known | Acceptance::Closed(_) | Acceptance::Over => {}
            Acceptance::Full | Acceptance::WrongWindow => reception.foul = true,
        }
    }

    /// Takes one log's part of a sync page, whose signatures the session has checked. Returns how many are new here, or `None` if the log cannot go on with this peer.
    pub(super) fn receive_page(
        &mut self,
        now: Millis,
        id: ChannelId,
        log_id: LogId,
        page: Vec<Envelope>,
    ) -> Option<usize> {
        let channel = self.channels.get(&id)?;
        channel.roster.account_of(&log_id.writer.device)?;
        if self.is_over(now, id, &log_id.segment) {
            return None;
        }
        let log = self.log_of(id, log_id);
        let part = log.check_page(&page, now).ok()?;
        for held in &page[..part.accepted.start] {
            self.prove_fork(id, held);
        }
        if let Some((at, stopped)) = part.stopped {
            match stopped {
                Acceptance::TooFarAhead(when) => self.timers.set_by(Timer::Sync(id), when),
                Acceptance::ForkSuspected | Acceptance::BadLink => self.prove_fork(id, &page[at]),
                _ => {}
            }
        }
        if !part.accepted.is_empty() && !self.makes_room(id, log_id) {
            return None;
        }
        let mut accepted = 0;
        for envelope in page
            .into_iter()
            .take(part.accepted.end)
            .skip(part.accepted.start)
        {
            // The rest comes when there is room for it.
            if !self.has_room(id) {
                break;
            }
            self.accept(now, id, envelope);
            accepted += 1;
        }
        self.join_on(id, log_id);
        (accepted > 0).then_some(accepted)
    }

    /// Leaves an envelope out for which there is no room, as one that never came. Others hold more
    /// than this node now.
    fn leave_out(&mut self, id: ChannelId, envelope: &Envelope) {
        let place = envelope.place();
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        let held = channel.logs.get(&place.log).map_or(0, |log| log.head);
        if place.seq > held && !channel.in_step.is_empty() {
            channel.in_step.clear();
            self.stage.touched.insert(id);
        }
    }

    fn log_of(&self, id: ChannelId, log_id: LogId) -> Log {
        let log = self
            .channels
            .get(&id)
            .and_then(|channel| channel.logs.get(&log_id));
        log.map_or_else(|| Log::new(log_id), Log::clone)
    }

    /// Whether a log is part of the channel and counts beside the others of its device in its
    /// segment: of more than [`LOGS_PER_DEVICE`] those of the smallest incarnations do. So all
    /// nodes come to keep the same logs, whatever order they hear of them in, and a device that
    /// makes up incarnations takes room from itself alone.
    fn makes_room(&mut self, id: ChannelId, log_id: LogId) -> bool {
        let Some(channel) = self.channels.get(&id) else {
            return false;
        };
        if !channel.roster.counts(&log_id) {
            return false;
        }
        let of_incarnation = |incarnation| LogId {
            writer: Writer {
                incarnation,
                ..log_id.writer
            },
            ..log_id
        };
        let mut beside = channel
            .logs
            .range(of_incarnation(0)..=of_incarnation(u32::MAX))
            .map(|(beside, _)| *beside);
        if channel.logs.contains_key(&log_id) || beside.clone().count() < LOGS_PER_DEVICE {
            return true;
        }
        match beside.next_back() {
            Some(largest) if log_id < largest => {
                self.drop_log(id, largest);
                true
            }
            _ => false,
        }
    }

    /// Forgets a whole log and everything that it said.
    fn drop_log(&mut self, id: ChannelId, log_id: LogId) {
        let Some(head) = self
            .channels
            .get(&id)
            .and_then(|channel| channel.logs.get(&log_id))
            .map(|log| log.head)
        else {
            return;
        };
        self.withdraw(id, log_id, 1, head);
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.remove_log(log_id);
        }
        self.stage
            .sizes
            .retain(|(of, place), _| *of != id || place.log != log_id);
        self.stage.batch.truncate_log(&id, &log_id, 1);
        self.stage.batch.delete_log(&id, &log_id);
        self.stage.batch.delete_fork(&id, &log_id);
        self.stage.logs.remove(&(id, log_id));
        self.stage.touched.insert(id);
        self.stage.recount.insert((id, log_id));
    }

    /// Appends an envelope that was found to be the next of its log, and applies it.
    fn accept(&mut self, now: Millis, id: ChannelId, mut envelope: Envelope) {
        let (log_id, place) = (envelope.log_id(), envelope.place());
        let was_here = self.was_here(id, place);
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        let log = channel.log_mut(log_id);
        log.append(&envelope);
        // What the disk lost comes back with its text, from whoever has not erased it yet.
        if log.over.contains(place.seq) {
            envelope.erase_body();
        } else if envelope.body_erased() {
            log.bodiless.insert(place.seq);
            self.timers.set_by(Timer::Bodies(id), now.plus(1_000));
        } else {
            log.erased.remove(place.seq);
        }
        channel.grew(log_id, 1);
        self.hlc = self.hlc.max(envelope.header.hlc);
        if self.is_own(&log_id.writer) {
            self.begin_anew(now, Cause::SetBack);
        }
        if !was_here {
            self.look_for_double(&log_id.writer, envelope.header.hlc);
        }
        self.hear_clock(now, envelope.header.hlc.millis());
        self.keep(id, &envelope);
        self.stage.quiet = was_here;
        self.apply(now, id, &envelope);
        self.stage.quiet = false;
    }

    /// Keeps the proof that a writer contradicted itself, if another envelope than this one is
    /// held at its place, and ends its log before that.
    pub(super) fn prove_fork(&mut self, id: ChannelId, theirs: &Envelope) {
        let place = theirs.place();
        if let Some(ours) = self.stored_envelope(id, place)
            && ours.link() != theirs.link()
            && let Some(fork) = Fork::prove(&id, &ours, theirs)
        {
            self.keep_fork(id, &fork);
        }
    }

    /// Takes a proof of a fork, found here or received, if it holds.
    pub(super) fn keep_fork(&mut self, id: ChannelId, fork: &Fork) {
        let Ok(Place { log: log_id, seq }) = fork.verify(&id) else {
            return;
        };
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        if channel.roster.account_of(&log_id.writer.device).is_none() {
            return;
        }
        let head = channel.log_mut(log_id).head;
        if channel
            .log_mut(log_id)
            .fork
            .is_some_and(|known| known <= seq)
        {
            return;
        }
        let last = self.last_before(id, log_id, seq);
        let end = last.as_ref().map_or(0, |last| last.place().seq);
        self.withdraw(id, log_id, end + 1, head);
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        channel.log_mut(log_id).close(seq, last.as_ref());
        channel.shrank(log_id, head.saturating_sub(end));
        self.stage.batch.put_fork(&id, &log_id, fork.to_bytes());
        self.cut_log(id, log_id, end + 1);
        self.stage.logs.insert((id, log_id));
        self.stage.touched.insert(id);
        self.branches.forget(id, log_id);
        self.stage.recount.insert((id, log_id));
        tracing::warn!("a writer contradicted itself; its log ends before that");
        if self.is_own(&log_id.writer) {
            self.begin_anew(self.now, Cause::SetBack);
        }
    }

    /// The envelope with the largest number below `seq`. Its signature holds, as that of everything
    /// that is in a log.
    fn last_before(&self, id: ChannelId, log_id: LogId, seq: u32) -> Option<Envelope> {
        let head = self.channels.get(&id)?.logs.get(&log_id)?.head;
        self.stored_envelope(id, log_id.place(head.min(seq - 1)))
    }

    pub(super) fn stored_envelope(&self, id: ChannelId, place: Place) -> Option<Envelope> {
        let stored = self.store.reader().view().envelope(&id, &place)?;
        Envelope::from_stored(&stored, &id, place).ok()
    }
}
