//! The audit of a channel: who did what when, every signature looked at anew.
//!
//! The ops of the control log come in the log's order, the same on every node. Deletions of what
//! others wrote are no ops; each stands before the first op that says to be later.

use kith_api::ApiError;
use kith_api::why::{AuditPage, AuditQuery, Deed, Step, Verdict};
use kith_crdt::ids::{AccountId, Place};
use kith_crdt::law::Law;
use kith_crdt::limits::PAGE_MAX;
use kith_crdt::projection::{Claim, ClaimKind};

use super::Reading;
use super::control_log::CheckedLog;
use super::found::text_of;
use super::references::CANDIDATES_MAX;
use super::roles;
use super::steps::rule;
use crate::claims;
use crate::engine::ChannelView;

impl Reading<'_> {
    /// A page of the audit of a channel.
    ///
    /// # Errors
    /// [`ApiError`] if the query or a reference in it makes no sense.
    pub(crate) fn audit(
        &self,
        channel: &ChannelView,
        query: &AuditQuery,
    ) -> Result<AuditPage, ApiError> {
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
        let mut entries = merge(ops, deletions);
        if let Some(cursor) = &query.before {
            entries.truncate(position(&entries, cursor)?);
        }
        if let Some(account) = only {
            entries.retain(|entry| concerns(entry, &account));
        }
        let older = entries.len().saturating_sub(limit);
        entries.drain(..older);
        Ok(AuditPage {
            entries,
            more: older > 0,
            checked,
            failed,
        })
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
fn merge(ops: Vec<Step>, deletions: Vec<Step>) -> Vec<Step> {
    let mut merged = Vec::with_capacity(ops.len() + deletions.len());
    let mut deletions = deletions.into_iter().peekable();
    for op in ops {
        let earlier = |deletion: &Step| deletion.at < op.at;
        while let Some(deletion) = deletions.next_if(earlier) {
            merged.push(deletion);
        }
        merged.push(op);
    }
    merged.extend(deletions);
    merged
}

/// Where the entry is whose id begins so.
fn position(entries: &[Step], cursor: &str) -> Result<usize, ApiError> {
    let prefix = cursor.trim().to_ascii_lowercase();
    let ids = entries.iter().map(|entry| {
        let deletion = entry.deletion.map(|id| id.to_string());
        let op = || entry.op.map(|op| op.to_string());
        deletion.or_else(op).unwrap_or_default()
    });
    let meant: Vec<(usize, String)> = ids
        .enumerate()
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
    use kith_api::Timestamp;
    use kith_crdt::ids::OpId;

    use super::*;

    fn entry(op: Option<u8>, at: u64) -> Step {
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
        let ops = vec![entry(Some(1), 10), entry(Some(2), 5), entry(Some(3), 30)];
        let merged = merge(ops, vec![entry(None, 7), entry(None, 20), entry(None, 40)]);
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
}
