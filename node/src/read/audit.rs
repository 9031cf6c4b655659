//! The audit of a channel: who did what when, every signature looked at anew.
//!
//! The ops of the control log come in the log's order, the same on every node. Deletions of what
//! others wrote are no ops; each stands before the first op that says to be later. So does what
//! this device noted of what it erased, which no other has: all of it that went for one reason
//! between two steps is one entry.

use kith_api::audit::{AuditEntry, AuditPage, AuditQuery, Erasure, ErasureCause, ErasureDeed};
use kith_api::why::{Deed, Step, Verdict};
use kith_api::{ApiError, Timestamp};
use kith_crdt::ids::{AccountId, Place};
use kith_crdt::law::Law;
use kith_crdt::limits::PAGE_MAX;
use kith_crdt::projection::{Claim, ClaimKind};

use super::Reading;
use super::control_log::CheckedLog;
use super::found::text_of;
use super::policy::shown_retention;
use super::references::CANDIDATES_MAX;
use super::roles;
use super::steps::rule;
use crate::claims;
use crate::engine::ChannelView;
use crate::erasures::{self, Cause, Erased};

impl Reading<'_> {
    /// A page of the audit of a channel.
    ///
    /// # Errors
    /// [`ApiError`] if the query or a reference in it makes no sense.
    pub fn audit(&self, channel: &ChannelView, query: &AuditQuery) -> Result<AuditPage, ApiError> {
        let limit = query.limit.unwrap_or(AuditQuery::LIMIT) as usize;
        if limit == 0 {
            return Err(ApiError::usage("a page needs a limit of at least 1"));
        }
        if limit > PAGE_MAX {
            return Err(ApiError::limit(format_args!(
                "a page has at most {PAGE_MAX} entries; page on with `--before`"
            )));
        }
        let only = match &query.account {
            Some(account) => Some(self.find_account(channel, account)?.0),
            None => None,
        };
        let CheckedLog {
            log,
            forged,
            checked,
            failed,
        } = self.checked_log(&channel.id);
        let roster = log.roster();
        let mut ops: Vec<Step> = log.steps().map(|told| self.step(roster, &told)).collect();
        ops.extend(forged.iter().map(|op| self.forged_step(roster, op)));
        let deletions = self.deletions(channel);
        let checked = checked + deletions.len() as u64;
        let is_forged = |step: &&Step| step.verdict == Verdict::Forged;
        let failed = failed + deletions.iter().filter(is_forged).count() as u64;
        let erasures = match only {
            None => self.erasures(channel),
            Some(_) => Vec::new(),
        };
        let erasures = erasures.into_iter().map(AuditEntry::Erasure).collect();
        let steps = merge(ops, deletions, |step| step.at);
        let steps = steps
            .into_iter()
            .map(|step| AuditEntry::Step(Box::new(step)));
        let mut entries = merge(steps.collect(), erasures, at);
        if let Some(cursor) = &query.before {
            entries.truncate(position(&entries, cursor)?);
        }
        if let Some(account) = only {
            entries.retain(|entry| step(entry).is_some_and(|step| concerns(step, &account)));
        }
        let older = beginning(&entries, limit);
        entries.drain(..older);
        let entries = together(entries);
        Ok(AuditPage {
            entries,
            more: older > 0,
            checked,
            failed,
        })
    }

    /// What this device noted of what it erased, oldest first.
    fn erasures(&self, channel: &ChannelView) -> Vec<Erasure> {
        let days = self.view.erasures(&channel.id).into_iter();
        let all = days.filter_map(|(_, bytes)| erasures::read(&bytes).ok());
        let mut shown: Vec<Erasure> = all.flatten().filter_map(shown).collect();
        shown.sort_by_key(|erasure| erasure.at);
        shown
    }

    /// The deletions of what others wrote, oldest first, whether they count or not.
    fn deletions(&self, channel: &ChannelView) -> Vec<Step> {
        let kind = ClaimKind::Deletion.number();
        let stored = self.view.all_claims(&channel.id, Some(kind)).into_iter();
        let mut found: Vec<(Claim, Step)> = stored
            .filter_map(|(target, bytes)| {
                let claim = claims::read(&[bytes]).pop()?;
                let (_, place) = self.view.message(&target)?;
                let step = self.deletion_step(channel, place, &claim)?;
                Some((claim, step))
            })
            .collect();
        found.sort_by_key(|(claim, _)| (claim.hlc, claim.at));
        found.into_iter().map(|(_, step)| step).collect()
    }

    /// A deletion by somebody else than the author of the message.
    fn deletion_step(&self, channel: &ChannelView, target: Place, claim: &Claim) -> Option<Step> {
        let roster = &channel.roster;
        let account = roster.account_of(&claim.at.log.writer.device)?;
        let author = roster.account_of(&target.log.writer.device)?;
        if account == author {
            return None;
        }
        let found = self.find(channel, target)?;
        let envelope = self.envelope(channel, claim.at)?;
        let against = self.against_claim(channel, &found, claim);
        let mut step = Step {
            op: None,
            deletion: Some(claim.at.message_id(&channel.id).into()),
            message: Some(found.id.into()),
            at: claim.hlc.into(),
            account: account.into(),
            name: self.name_of(roster, &account),
            role: roster
                .role_at(&account, claim.hlc.millis())
                .map(roles::shown),
            deed: Deed::DeleteMessage,
            subject: Some(self.person(roster, author)),
            given: None,
            until: None,
            field: None,
            value: text_of(channel, &envelope),
            invite: None,
            verdict: Verdict::Stands,
            rule: Some(rule(Law::Deletions)),
            reason: None,
            because: None,
        };
        if let Some(against) = against {
            step.verdict = Verdict::Void;
            step.rule = Some(rule(against.law()));
            step.reason = Some(against.reason());
            step.because = against.because().map(Into::into);
        }
        if envelope.verify(&channel.id).is_err() {
            step.verdict = Verdict::Forged;
            step.reason = Some("its signature does not hold".to_owned());
        }
        Some(step)
    }
}

/// Puts each deletion before the first op that says to be later than it.
fn merge<T>(ops: Vec<T>, deletions: Vec<T>, at: impl Fn(&T) -> Timestamp) -> Vec<T> {
    let mut merged = Vec::with_capacity(ops.len() + deletions.len());
    let mut deletions = deletions.into_iter().peekable();
    for op in ops {
        let earlier = |deletion: &T| at(deletion) < at(&op);
        while let Some(deletion) = deletions.next_if(earlier) {
            merged.push(deletion);
        }
        merged.push(op);
    }
    merged.extend(deletions);
    merged
}

fn at(entry: &AuditEntry) -> Timestamp {
    match entry {
        AuditEntry::Erasure(erasure) => erasure.at,
        AuditEntry::Step(step) => step.at,
    }
}

fn step(entry: &AuditEntry) -> Option<&Step> {
    match entry {
        AuditEntry::Erasure(_) => None,
        AuditEntry::Step(step) => Some(step),
    }
}

/// Where a page begins that has so many steps at the end; what was erased before the first of them
/// is on the page before, if there is one.
fn beginning(entries: &[AuditEntry], limit: usize) -> usize {
    let steps = entries.iter().enumerate().rev();
    let mut steps = steps.filter(|(_, entry)| step(entry).is_some());
    match (steps.nth(limit - 1), steps.next()) {
        (Some((first, _)), Some(_)) => first,
        _ => 0,
    }
}

/// Makes one of what was erased for the same reason between two steps.
fn together(entries: Vec<AuditEntry>) -> Vec<AuditEntry> {
    let mut all: Vec<AuditEntry> = Vec::with_capacity(entries.len());
    for entry in entries {
        let AuditEntry::Erasure(erasure) = &entry else {
            all.push(entry);
            continue;
        };
        let since_the_step = all.iter_mut().rev().map_while(|entry| match entry {
            AuditEntry::Erasure(known) => Some(known),
            AuditEntry::Step(_) => None,
        });
        let is_like = |known: &&mut Erasure| {
            (known.cause, known.retention) == (erasure.cause, erasure.retention)
        };
        match since_the_step.into_iter().find(is_like) {
            Some(known) => {
                known.at = erasure.at;
                known.messages += erasure.messages;
                known.windows += erasure.windows;
            }
            None => all.push(entry),
        }
    }
    all
}

fn shown(erased: Erased) -> Option<Erasure> {
    let cause = erased.cause()?;
    Some(Erasure {
        deed: ErasureDeed::Erasure,
        at: erased.last.into(),
        since: erased.first.into(),
        cause: match cause {
            Cause::Kept(_) | Cause::Instant => ErasureCause::Retention,
            Cause::Asked => ErasureCause::Expiry,
            Cause::Deleted => ErasureCause::Deletion,
        },
        retention: cause.retention().map(shown_retention),
        messages: erased.messages,
        windows: erased.windows,
    })
}

/// Where the entry is whose id begins so.
fn position(entries: &[AuditEntry], cursor: &str) -> Result<usize, ApiError> {
    let prefix = cursor.trim().to_ascii_lowercase();
    let ids = entries.iter().enumerate().filter_map(|(at, entry)| {
        let step = step(entry)?;
        let deletion = step.deletion.map(|id| id.to_string());
        let op = || step.op.map(|op| op.to_string());
        Some((at, deletion.or_else(op).unwrap_or_default()))
    });
    let meant: Vec<(usize, String)> = ids
        .filter(|(_, id)| !prefix.is_empty() && id.starts_with(&prefix))
        .collect();
    match meant.as_slice() {
        [] => Err(ApiError::not_found(format_args!(
            "no op {cursor:?} in this channel: `kith audit` shows those there are"
        ))),
        [(at, _)] => Ok(*at),
        several => Err(ApiError::ambiguous(
            cursor,
            several.iter().take(CANDIDATES_MAX).map(|(_, id)| id),
        )),
    }
}

fn concerns(entry: &Step, account: &AccountId) -> bool {
    let account = (*account).into();
    entry.account == account
        || entry
            .subject
            .as_ref()
            .is_some_and(|subject| subject.account == account)
}

#[cfg(test)]
mod tests {
    use kith_crdt::ids::OpId;

    use super::*;

    fn entry(op: Option<u8>, at: u64) -> AuditEntry {
        AuditEntry::Step(Box::new(made(op, at)))
    }

    fn erased(at: u64, cause: ErasureCause) -> AuditEntry {
        AuditEntry::Erasure(Erasure {
            deed: ErasureDeed::Erasure,
            at: Timestamp(at),
            since: Timestamp(at),
            cause,
            retention: None,
            messages: 1,
            windows: 0,
        })
    }

    fn made(op: Option<u8>, at: u64) -> Step {
        Step {
            op: op.map(|op| OpId([op; 32]).into()),
            deletion: None,
            message: None,
            at: Timestamp(at),
            account: AccountId([1; 32]).into(),
            name: String::new(),
            role: None,
            deed: Deed::Unknown,
            subject: None,
            given: None,
            until: None,
            field: None,
            value: None,
            invite: None,
            verdict: Verdict::Stands,
            rule: None,
            reason: None,
            because: None,
        }
    }

    #[test]
    fn deletions_stand_between_the_ops_by_time_and_ops_in_the_log_s_order() {
        let ops = vec![made(Some(1), 10), made(Some(2), 5), made(Some(3), 30)];
        let deletions = vec![made(None, 7), made(None, 20), made(None, 40)];
        let merged = merge(ops, deletions, |step| step.at);
        let times: Vec<u64> = merged.iter().map(|entry| entry.at.0).collect();
        assert_eq!(times, [7, 10, 5, 20, 30, 40]);
    }

    #[test]
    fn a_cursor_is_a_prefix_that_means_one_entry() {
        let entries = [entry(Some(0), 1), entry(Some(1), 2), entry(Some(255), 3)];
        let code = |cursor: &str| position(&entries, cursor).map_err(|error| error.code);
        assert_eq!(code("777"), Ok(2));
        assert_eq!(code("a"), Err(kith_api::ErrorCode::Ambiguous));
        assert_eq!(code("b"), Err(kith_api::ErrorCode::NotFound));
        assert_eq!(code(" "), Err(kith_api::ErrorCode::NotFound));
    }

    #[test]
    fn what_was_erased_before_a_page_is_on_the_page_before() {
        let is_at = |entries: &[AuditEntry], limit| beginning(entries, limit);
        let gone = || erased(1, ErasureCause::Deletion);
        let entries = [gone(), entry(Some(1), 2), gone(), entry(Some(2), 4), gone()];
        assert_eq!((is_at(&entries, 1), is_at(&entries, 2)), (3, 0));
        assert_eq!((is_at(&entries, 3), is_at(&[], 1)), (0, 0));
    }

    #[test]
    fn what_went_for_one_reason_between_two_steps_is_one_entry() {
        let (by_time, by_hand) = (ErasureCause::Retention, ErasureCause::Deletion);
        let all = together(vec![
            erased(1, by_time),
            erased(2, by_hand),
            erased(3, by_time),
            entry(Some(1), 4),
            erased(5, by_time),
        ]);
        let told: Vec<(u64, Option<(u64, u64)>)> = all
            .iter()
            .map(|entry| match entry {
                AuditEntry::Step(step) => (step.at.0, None),
                AuditEntry::Erasure(known) => (known.at.0, Some((known.since.0, known.messages))),
            })
            .collect();
        assert_eq!(
            told,
            [
                (3, Some((1, 2))),
                (2, Some((2, 1))),
                (4, None),
                (5, Some((5, 1)))
            ]
        );
    }
}
