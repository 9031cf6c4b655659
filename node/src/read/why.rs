//! Why: a member, an op or a message, explained from the control log on the disk.

use kith_api::ApiError;
use kith_api::message::DeliveryState;
use kith_api::why::{ChangeKind, EpochInfo, MessageChange, Showing, WhyMember, WhyMessage, WhyOp};
use kith_crdt::envelope::Envelope;
use kith_crdt::ids::{AccountId, EpochId, MessageId, OpId, Place};
use kith_crdt::law::Law;
use kith_crdt::limits::LOG_ENVELOPES;
use kith_crdt::projection::{Claim, ClaimKind};
use kith_crdt::time::Millis;

use super::Reading;
use super::against::against_message;
use super::delivery::Lookups;
use super::found::{Found, text_of};
use super::steps::{rule, verdict};
use super::{control_log::CheckedLog, roles};
use crate::claims;
use crate::engine::{ChannelView, Stands};

/// Characters of an id by which a message is looked for among those that are in no timeline: of
/// fewer too many would be meant.
pub(super) const ASIDE_PREFIX: usize = 8;

impl Reading<'_> {
    /// Why an account is what it is to a channel.
    pub(crate) fn why_member(
        &self,
        channel: &ChannelView,
        (account, name): (AccountId, String),
        now: Millis,
    ) -> WhyMember {
        let CheckedLog { log, .. } = self.checked_log(&channel.id);
        let roster = log.roster();
        let explanation = log.why_account(&account);
        let known = roster.participation(&account, now).is_some();
        let stands = known.then(|| Stands::of(roster, &account, now));
        WhyMember {
            channel: channel.id.into(),
            channel_name: channel.name.clone(),
            account: account.into(),
            name,
            role: roster.role(&account).map(roles::shown),
            status: stands.map(|stands| roles::status(stands.state)),
            until: stands.and_then(|stands| stands.until).map(Into::into),
            decided_by: roster.decided_by(&account, now).map(Into::into),
            steps: self.steps(roster, &explanation.steps),
            cut: explanation.cut,
        }
    }

    /// Why an op counts or does not.
    ///
    /// # Errors
    /// [`ApiError`] if its bytes cannot be read here any more.
    pub(crate) fn why_op(&self, channel: &ChannelView, op: OpId) -> Result<WhyOp, ApiError> {
        let CheckedLog { log, .. } = self.checked_log(&channel.id);
        let steps = log.why_op(&op);
        let first = steps.first().ok_or_else(|| {
            ApiError::other(format_args!(
                "op {op} cannot be read from this disk: `kith verify {}` says what is damaged",
                channel.name
            ))
        })?;
        Ok(WhyOp {
            channel: channel.id.into(),
            channel_name: channel.name.clone(),
            op: op.into(),
            verdict: verdict(&first.verdict),
            steps: self.steps(log.roster(), &steps),
        })
    }

    /// Why a message is shown as it is, named by the beginning of its id.
    ///
    /// # Errors
    /// [`ApiError`] if the reference means none or several.
    pub fn why_message(&self, reference: &str) -> Result<WhyMessage, ApiError> {
        let (id, channel, place) = match self.find_message(reference) {
            Ok((id, channel, place)) => (id, channel, place),
            Err(not_found) => return self.why_not_shown(reference).ok_or(not_found),
        };
        let Some(found) = self.find(&channel, place) else {
            let showing = match self.envelope(&channel, place) {
                Some(_) => Showing::Sealed,
                None => {
                    return Err(ApiError::other(format_args!(
                        "message {id} cannot be read from this disk: `kith verify {}` says what \
                         is damaged",
                        channel.name
                    )));
                }
            };
            return Ok(self.outside(&channel, place, showing, Law::Keys));
        };
        Ok(self.why_found(&channel, &found))
    }

    fn why_found(&self, channel: &ChannelView, found: &Found) -> WhyMessage {
        let against = against_message(channel, found);
        let changes = self.changes(channel, found);
        let is_deleted = changes
            .iter()
            .any(|change| change.counts && change.change == ChangeKind::Deletion);
        let (showing, law) = match &against {
            Some(against) => (Showing::Hidden, against.law()),
            None if is_deleted => (Showing::Deleted, Law::Deletions),
            None => (Showing::Shown, Law::Writing),
        };
        let mut why = self.outside(channel, found.place, showing, law);
        why.reason = against.map(|against| against.reason());
        if let Some(op) = against.and_then(|against| against.because()) {
            let CheckedLog { log, .. } = self.checked_log(&channel.id);
            why.steps = self.steps(log.roster(), &log.why_op(&op));
        }
        why.changes = changes;
        why.state = against.is_none().then(|| self.arrival(channel, found));
        why
    }

    fn arrival(&self, channel: &ChannelView, found: &Found) -> DeliveryState {
        let mut lookups = Lookups::default();
        let read_by = self.read_by(channel, found.place, found.author, &mut lookups);
        let written = (found.place, found.hlc.millis());
        self.state(channel, written, found.author, &read_by, &mut lookups)
    }

    /// A message that is in no timeline: its key is not here, it is not made as a message has to
    /// be, or it lies beyond a fork.
    fn why_not_shown(&self, reference: &str) -> Option<WhyMessage> {
        let prefix = reference.to_ascii_lowercase();
        if prefix.len() < ASIDE_PREFIX {
            return None;
        }
        for channel in self.shared.channels() {
            for log in self.logs_of(&channel) {
                if log.id.segment.is_over(self.now) {
                    continue;
                }
                let meant = |seq: &u32| {
                    let id: MessageId = log.id.place(*seq).message_id(&channel.id);
                    id.to_string().starts_with(&prefix)
                };
                let forked = log.fork.into_iter().flat_map(|fork| fork..=LOG_ENVELOPES);
                let aside = [
                    (log.unopened.iter().find(meant), Showing::Sealed, Law::Keys),
                    (
                        log.quarantined.iter().find(meant),
                        Showing::Unsound,
                        Law::Content,
                    ),
                    (forked.clone().find(meant), Showing::Forked, Law::Forks),
                ];
                for (seq, showing, law) in aside {
                    if let Some(seq) = seq {
                        return Some(self.outside(&channel, log.id.place(seq), showing, law));
                    }
                }
            }
        }
        None
    }

    /// What can be said of any envelope, whatever is in it.
    fn outside(
        &self,
        channel: &ChannelView,
        place: Place,
        showing: Showing,
        law: Law,
    ) -> WhyMessage {
        let device = place.log.writer.device;
        let account = channel.roster.account_of(&device);
        let envelope = self.envelope(channel, place);
        let at = envelope.as_ref().map(|envelope| envelope.header.hlc);
        let role = account
            .zip(at)
            .and_then(|(account, at)| channel.roster.role_at(&account, at.millis()));
        let verified = |envelope: &Envelope| envelope.verify(&channel.id).is_ok();
        WhyMessage {
            id: place.message_id(&channel.id).into(),
            channel: channel.id.into(),
            channel_name: channel.name.clone(),
            account: account.map(Into::into),
            name: account
                .map(|account| self.name_of(&channel.roster, &account))
                .unwrap_or_default(),
            role: role.map(roles::shown),
            device: device.into(),
            at: at.map(Into::into),
            epoch: envelope
                .as_ref()
                .map(|envelope| self.epoch_info(channel, envelope.header.epoch)),
            signature_holds: envelope.as_ref().map(verified),
            showing,
            rule: rule(law),
            reason: None,
            steps: Vec::new(),
            changes: Vec::new(),
            state: None,
        }
    }

    fn epoch_info(&self, channel: &ChannelView, epoch: EpochId) -> EpochInfo {
        let known = channel.roster.epochs.get(&epoch);
        EpochInfo {
            epoch: epoch.into(),
            op: known.map(|known| known.op.into()),
            by: known.map(|known| self.person(&channel.roster, known.author)),
            stands: known.map(|known| known.authorised),
        }
    }

    /// The edits and deletions of a message, oldest first.
    fn changes(&self, channel: &ChannelView, found: &Found) -> Vec<MessageChange> {
        let mut claims = claims::about(&self.view, &channel.id, &found.id);
        claims.sort_by_key(|claim| (claim.hlc, claim.at));
        let told = |claim: &Claim| self.change(channel, found, claim);
        claims.iter().filter_map(told).collect()
    }

    fn change(&self, channel: &ChannelView, found: &Found, claim: &Claim) -> Option<MessageChange> {
        let (change, law) = match claim.kind {
            ClaimKind::Edit => (ChangeKind::Edit, Law::Edits),
            ClaimKind::Deletion => (ChangeKind::Deletion, Law::Deletions),
            ClaimKind::Reaction { .. } | ClaimKind::Pin { .. } | ClaimKind::Setting(_) => {
                return None;
            }
        };
        let roster = &channel.roster;
        let device = claim.at.log.writer.device;
        let account = roster.account_of(&device);
        let role = account.and_then(|account| roster.role_at(&account, claim.hlc.millis()));
        let against = self.against_claim(channel, found, claim);
        let envelope = self.envelope(channel, claim.at);
        let note = envelope.filter(|_| change == ChangeKind::Deletion);
        Some(MessageChange {
            change,
            at: claim.hlc.into(),
            account: account.map(Into::into),
            name: account
                .map(|account| self.name_of(roster, &account))
                .unwrap_or_default(),
            role: role.map(roles::shown),
            note: note.and_then(|envelope| text_of(channel, &envelope)),
            counts: against.is_none(),
            rule: rule(against.map_or(law, |against| against.law())),
            reason: against.map(|against| against.reason()),
            because: against
                .and_then(|against| against.because())
                .map(Into::into),
        })
    }
}
