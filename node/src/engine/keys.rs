//! Epochs: a usable one is made before writing where there is none; keys that are missing are
//! asked for from whoever has them.

use std::sync::Arc;

use kith_crdt::control::{Body, Right};
use kith_crdt::crypto::sign::Signed;
use kith_crdt::encoding;
use kith_crdt::grant::{self, KeyAnswer, KeyRequest};
use kith_crdt::ids::{
    AccountId, ChannelId, DeviceId, EpochId, LogId, Place, SegmentId, TransportKey, Window, Writer,
};
use kith_crdt::keys::{EpochKeys, EpochSecret};
use kith_crdt::limits::{
    CHAIN_WINDOWS, EPOCH_REPLACED_HOURS, KEY_REQUEST_EPOCHS, SYNC_MESSAGE_MAX,
};
use kith_crdt::sync::{Answer, Refusal as Refused, Request};
use kith_crdt::term::Term;
use kith_crdt::time::{Hlc, Millis};
use kith_store::StoreError;

use super::channel::{Channel, Sealing};
use super::effect::Refusal;
use super::outstanding::Purpose;
use super::write::no_channel;
use super::{Engine, Timer, storage};

/// Where a pass over everything that waits for a key begins.
pub(super) const FIRST_PLACE: Place = Place {
    log: LogId {
        segment: SegmentId {
            window: Window(0),
            index: 0,
        },
        writer: Writer {
            device: DeviceId([0; 32]),
            incarnation: 0,
        },
    },
    seq: 0,
};
/// Milliseconds until keys are asked for again, of somebody else where there is one.
const RETRY_MS: u64 = 2_000;

impl Channel {
    /// Whether an epoch has been written in for a week and wants replacing. What tells is where
    /// its chain begins, a day before it was made: nobody can date that later than they write.
    fn is_worn(&self, epoch: &EpochId, hlc: Hlc) -> bool {
        self.roster.epochs.get(epoch).is_some_and(|epoch| {
            let now = epoch.term.window(hlc);
            let hours = now.0.saturating_sub(epoch.first_window.0);
            hours >= EPOCH_REPLACED_HOURS + u32::from(epoch.term.unit_hours())
        })
    }

    /// From which window on an account is due the keys of an epoch; nothing if it is not. Of
    /// windows that are over nobody is.
    fn due_from(&self, account: &AccountId, epoch: &EpochId, now: Millis) -> Option<Window> {
        let due = self.control.granted_from(account, epoch)?;
        let due = due.max(self.first_open(epoch, now)?);
        // Keys from so late a window on could not be told from others.
        let state = self.roster.epochs.get(epoch)?;
        let told = CHAIN_WINDOWS * u32::from(state.term.unit_hours());
        (due.0 - state.first_window.0 < told).then_some(due)
    }

    /// Epochs that are not here from where they are due, those that may be written under first, then
    /// the newest.
    pub(super) fn missing_epochs(&self, me: &AccountId, now: Millis) -> Vec<EpochId> {
        let mut missing: Vec<_> = self
            .roster
            .epochs
            .iter()
            .filter(|(id, _)| {
                let held = self.keys.get(id).map(|keys| keys.window);
                self.due_from(me, id, now)
                    .is_some_and(|due| held.is_none_or(|held| held > due))
            })
            .map(|(id, epoch)| (epoch.usable, epoch.lamport, *id))
            .collect();
        missing.sort_unstable_by(|a, b| b.cmp(a));
        missing.into_iter().map(|(_, _, id)| id).collect()
    }

    /// What is left, of the keys that somebody granted, of those that are due to an account and
    /// reach further back than what is here: whoever answers may lie, or give too much.
    fn due_of(&self, me: &AccountId, mut keys: EpochKeys, now: Millis) -> Option<EpochKeys> {
        let due = self.due_from(me, &keys.epoch, now)?;
        let epoch = self.roster.epochs.get(&keys.epoch)?;
        let fits = epoch.term == keys.term
            && keys.check().is_ok()
            && keys.are_of(epoch.first_window, &epoch.key_hashes);
        let held = self.keys.get(&keys.epoch).map(|held| held.window);
        let from = due.max(keys.window);
        let wanted = fits && held.is_none_or(|held| held > from);
        (wanted && keys.advance(from)).then_some(keys)
    }

    /// The keys that a device asks for and may have: each from the window on that is due to its
    /// account, or from the one on from which it is here. Somebody else may have more of it.
    fn granted(&self, request: &KeyRequest, now: Millis) -> Vec<EpochKeys> {
        let Some(account) = self.roster.account_of(&request.device) else {
            return Vec::new();
        };
        let granted = |epoch: &EpochId| {
            let due = self.due_from(&account, epoch, now)?;
            let mut keys = self.keys.get(epoch)?.clone();
            let from = due.max(keys.window);
            keys.advance(from).then_some(keys)
        };
        request.epochs.iter().filter_map(granted).collect()
    }

    /// Whether there is nothing that this node could still be given: it holds what another device
    /// holds, and no epoch in that is for its account.
    pub(super) fn nothing_to_be_had(&self, me: &AccountId, now: Millis) -> bool {
        !self.in_step.is_empty() && self.missing_epochs(me, now).is_empty()
    }
}

impl Engine {
    /// The epoch to write under now for a purpose, made here if no usable one can be written under,
    /// or the one there is has been used for a week. Who may not make one goes on under that.
    ///
    /// # Errors
    /// [`Refusal`] if this account may not write at all, or the key cannot be kept.
    pub(super) fn ensure_epoch(
        &mut self,
        now: Millis,
        id: ChannelId,
        (purpose, hlc): (Sealing, Hlc),
    ) -> Result<EpochId, Refusal> {
        let channel = self.channels.get(&id).ok_or_else(no_channel)?;
        let may_replace = channel.roster.can(&self.me, Right::Rekey);
        if let Some(epoch) = channel.writing_epoch(purpose, hlc)
            && !(may_replace && channel.is_worn(&epoch, hlc))
        {
            return Ok(epoch);
        }
        if !may_replace {
            return Err(Refusal::Denied(
                "the channel needs a new key first, which only those who may write can make".into(),
            ));
        }
        self.make_epoch(now, id, (purpose.term(), hlc))
    }

    /// Makes an epoch of a term, keeps its keys, and tells of it in the control log.
    pub(super) fn make_epoch(
        &mut self,
        now: Millis,
        id: ChannelId,
        (term, hlc): (Term, Hlc),
    ) -> Result<EpochId, Refusal> {
        let channel = self.channels.get(&id).ok_or_else(no_channel)?;
        let secret = EpochSecret::random(&mut self.rng);
        let epoch = secret.id(&id);
        // One window early, so that a member whose clock is a little behind can write too.
        let current = term.window(hlc);
        let first_window = Window(current.0.saturating_sub(u32::from(term.unit_hours())));
        let keys = secret.into_keys(&id, first_window, term);
        let body = Body::Epoch(channel.roster.epoch_op(&keys));
        self.keep_keys(id, keys)?;
        self.author_op(now, id, body)?;
        Ok(epoch)
    }

    /// Makes an epoch where somebody has been let in and none can be written in: one who may read
    /// from joining on has nothing to read and nothing to listen with until there is one.
    pub(super) fn renew_for_newcomers(&mut self, now: Millis, id: ChannelId) {
        let Some(channel) = self.channels.get(&id) else {
            return;
        };
        if channel.roster.usable_epoch().is_none() && channel.roster.can(&self.me, Right::Rekey) {
            let term = channel.roster.retention().term();
            let hlc = self.hlc.tick(now);
            if let Err(refusal) = self.make_epoch(now, id, (term, hlc)) {
                tracing::error!("no key could be made for a newcomer: {refusal}");
            }
        }
    }

    /// Keeps keys durably before anything is written under them.
    fn keep_keys(&mut self, id: ChannelId, keys: EpochKeys) -> Result<(), Refusal> {
        let put = self
            .store
            .put_epoch(&id, &keys.epoch, &encoding::encode(&keys));
        match put {
            // It is written; what it replaced is erased by the next that erases.
            Err(StoreError::NotRewritten { .. }) => {}
            put => put.map_err(storage)?,
        }
        if let Some(channel) = self.channels.get_mut(&id) {
            Arc::make_mut(&mut channel.keys).insert(keys);
            channel.reopen_from = Some(FIRST_PLACE);
        }
        self.stage.touched.insert(id);
        Ok(())
    }

    /// Goes on with what waits for keys: opens what can be opened now, asks for what is missing.
    pub(super) fn pursue_keys(&mut self, now: Millis, id: ChannelId) {
        if self.reopen(now, id) {
            self.timers.set(Timer::Keys(id), now);
            return;
        }
        self.pursue_join(now, id);
        let Some(channel) = self.channels.get(&id) else {
            return;
        };
        let mut missing = channel.missing_epochs(&self.me, now);
        if missing.is_empty()
            || !channel.roster.belongs_on(&self.me, &self.writer.device)
            || self.outstanding.asking_keys(&id)
        {
            return;
        }
        // The likeliest half, and any of the others: epochs that nobody has a key of, however many
        // somebody made up, cannot keep the real ones from being asked for.
        let sure = KEY_REQUEST_EPOCHS / 2;
        while missing.len() > KEY_REQUEST_EPOCHS {
            let pick = self.pick(missing.len() - sure).unwrap_or(0);
            missing.swap_remove(sure + pick);
        }
        let cut_off = self.cut_off_devices(id).first().copied();
        let Some(peer) = self.some_member(id).or(cut_off) else {
            return;
        };
        let (pending, signed) = grant::request(&id, &self.secrets.signing, &missing, &mut self.rng);
        self.ask(
            now,
            peer,
            Purpose::Keys {
                channel: id,
                pending: Box::new(pending),
            },
            &Request::Keys(signed),
        );
        self.timers.set(Timer::Keys(id), now.plus(RETRY_MS));
    }

    /// Takes the answer to a request for keys.
    pub(super) fn take_keys(
        &mut self,
        now: Millis,
        id: ChannelId,
        pending: grant::PendingKeyRequest,
        answer: &[u8],
    ) {
        let opened = encoding::decode::<KeyAnswer>(answer, SYNC_MESSAGE_MAX)
            .ok()
            .and_then(|answer| pending.open(&answer).ok());
        self.timers.set_by(Timer::Keys(id), now.plus(RETRY_MS));
        let Some(grants) = opened else {
            tracing::warn!("a peer's answer to a request for keys cannot be opened");
            return;
        };
        let mut news = false;
        for keys in grants {
            let due = self
                .channels
                .get(&id)
                .and_then(|channel| channel.due_of(&self.me, keys, now));
            let Some(keys) = due else { continue };
            match self.keep_keys(id, keys) {
                Ok(()) => news = true,
                Err(refusal) => tracing::error!("a key could not be kept: {refusal}"),
            }
        }
        if news {
            self.listen(id);
            self.joined_if_ready(now, id);
            self.timers.set(Timer::Keys(id), now);
            self.sync_soon(now, id);
        }
    }

    /// Answers a member's request for keys with those that are here and that the channel's history
    /// policy gives it.
    pub(super) fn answer_keys(
        &mut self,
        id: ChannelId,
        peer: TransportKey,
        request: &Signed,
    ) -> Answer {
        let Some(channel) = self.channels.get(&id) else {
            return Answer::Refused(Refused::NotForYou);
        };
        // The device that asks is the one that signed, and it asks over its own connection.
        let is_asker = |device: &DeviceId| {
            let known = channel.roster.devices.get(device);
            known.is_some_and(|known| known.active && known.transport == peer)
        };
        match KeyRequest::verify(&id, request) {
            Ok(request) if !is_asker(&request.device) => Answer::Refused(Refused::NotForYou),
            Ok(request) => {
                let granted = channel.granted(&request, self.now);
                match request.answer(&granted, &mut self.rng) {
                    Ok(answer) => Answer::Keys(encoding::encode(&answer)),
                    Err(_) => Answer::Refused(Refused::Malformed),
                }
            }
            Err(_) => Answer::Refused(Refused::Malformed),
        }
    }

    /// A connected member to ask, another one each time.
    pub(super) fn some_member(&mut self, id: ChannelId) -> Option<TransportKey> {
        let members = self.connected_members(id);
        let pick = self.pick(members.len())?;
        members.get(pick).map(|(peer, _)| *peer)
    }

    /// The connected devices of a channel.
    pub(super) fn connected_members(&self, id: ChannelId) -> Vec<(TransportKey, DeviceId)> {
        let Some(channel) = self.channels.get(&id) else {
            return Vec::new();
        };
        self.peers
            .connected()
            .filter_map(|peer| {
                channel
                    .roster
                    .by_transport(peer)
                    .map(|(device, _)| (*peer, device))
            })
            .collect()
    }
}
