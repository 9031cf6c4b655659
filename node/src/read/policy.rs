//! The settings of a channel as they are shown, and what the API asks for in the words of the
//! control log.

use kith_api::ApiError;
use kith_api::policy::{History as ShownHistory, PolicyChange, PolicySetting, Setting};
use kith_api::retention::Retention as ShownRetention;
use kith_api::right::Right as ShownRight;
use kith_crdt::control::{History, Policy, PolicyField, Right, Roster};
use kith_crdt::retention::{Retention, RetentionLimits};

use super::{Reading, roles};
use crate::engine::ChannelView;

impl Reading<'_> {
    /// Everything that can be set in a channel, and who set it.
    pub(crate) fn policy(&self, channel: &ChannelView) -> Vec<PolicySetting> {
        let named = [
            PolicyField::Name,
            PolicyField::Topic,
            PolicyField::History,
            PolicyField::Retention,
            PolicyField::RetentionLimits,
        ];
        let rights = Right::ALL
            .into_iter()
            .filter(|right| right.number().is_some());
        named
            .into_iter()
            .chain(rights.map(PolicyField::Right))
            .map(|field| self.setting(channel, field))
            .collect()
    }

    /// One setting of a channel.
    pub(crate) fn setting(&self, channel: &ChannelView, field: PolicyField) -> PolicySetting {
        let set = channel
            .roster
            .set_by
            .get(&decided_by(&channel.roster, field));
        PolicySetting {
            account: set.map(|set| set.account.into()),
            name: set.map(|set| self.name_of(&channel.roster, &set.account)),
            at: set.map(|set| set.at.into()),
            ..unset(&holding(&channel.roster, field))
        }
    }
}

/// The field whose setting makes what holds of a field: where the limits make another retention
/// of the one that was set, they do.
fn decided_by(roster: &Roster, field: PolicyField) -> PolicyField {
    match field {
        PolicyField::Retention if roster.retention() != roster.retention_set() => {
            PolicyField::RetentionLimits
        }
        field => field,
    }
}

/// A policy as a setting that nobody has set.
pub(crate) fn unset(policy: &Policy) -> PolicySetting {
    let (setting, value, default) = match policy {
        Policy::Name(name) => (Setting::Name, name.clone(), None),
        Policy::Topic(topic) => (Setting::Topic, topic.clone(), Some(String::new())),
        Policy::History(history) => (
            Setting::History,
            shown_history(*history).to_string(),
            Some(ShownHistory::default().to_string()),
        ),
        Policy::Right { right, least } => (
            Setting::Right,
            least.to_string(),
            Some(right.least_role().to_string()),
        ),
        Policy::Retention { retention, .. } => (
            Setting::Retention,
            shown_retention(*retention).to_string(),
            Some(ShownRetention::default().to_string()),
        ),
        Policy::RetentionLimits(limits) => (
            Setting::RetentionLimits,
            limits.to_string(),
            Some(RetentionLimits::default().to_string()),
        ),
    };
    let right = match policy {
        Policy::Right { right, .. } => shown_right(*right),
        _ => None,
    };
    PolicySetting {
        setting,
        right,
        value,
        default,
        account: None,
        name: None,
        at: None,
    }
}

/// What the API asks to be set.
///
/// # Errors
/// [`ApiError`] if it makes no sense.
pub(crate) fn meant(change: PolicyChange) -> Result<Policy, ApiError> {
    Ok(match change {
        PolicyChange::History { value } => Policy::History(match value.unwrap_or_default() {
            ShownHistory::Everything => History::Everything,
            ShownHistory::Days(days) => History::Days(days),
            ShownHistory::Joining => History::FromJoining,
        }),
        PolicyChange::Right { right, role } => {
            let right = meant_right(right);
            Policy::Right {
                right,
                least: role.map_or(right.least_role(), roles::meant),
            }
        }
        PolicyChange::Retention { value, existing } => Policy::Retention {
            retention: meant_retention(value.unwrap_or_default()),
            existing,
        },
        PolicyChange::RetentionLimits { shortest, longest } => {
            Policy::RetentionLimits(limits(shortest, longest)?)
        }
    })
}

/// How long messages are kept once these limits hold; nothing if as long as before.
pub(crate) fn changed_by(roster: &Roster, limits: &RetentionLimits) -> Option<ShownRetention> {
    let then = limits.hold(roster.retention_set());
    (then != roster.retention()).then_some(shown_retention(then))
}

/// What holds of a field.
fn holding(roster: &Roster, field: PolicyField) -> Policy {
    match field {
        PolicyField::Name => Policy::Name(roster.name.clone()),
        PolicyField::Topic => Policy::Topic(roster.topic.clone()),
        PolicyField::History => Policy::History(roster.history),
        PolicyField::Right(right) => Policy::Right {
            right,
            least: roster.least_role(right),
        },
        PolicyField::Retention => Policy::Retention {
            retention: roster.retention(),
            existing: false,
        },
        PolicyField::RetentionLimits => Policy::RetentionLimits(roster.retention_limits),
    }
}

/// How long a channel keeps its messages, as the API says it.
pub(crate) const fn shown_retention(retention: Retention) -> ShownRetention {
    match retention {
        Retention::Forever => ShownRetention::Forever,
        Retention::Hours(hours) => ShownRetention::Hours(hours),
        Retention::Instant => ShownRetention::Instant,
    }
}

/// A retention in the words of the control log.
pub(crate) const fn meant_retention(retention: ShownRetention) -> Retention {
    match retention {
        ShownRetention::Forever => Retention::Forever,
        ShownRetention::Hours(hours) => Retention::Hours(hours),
        ShownRetention::Instant => Retention::Instant,
    }
}

/// The hours of a limit, which is a stretch of time.
///
/// # Errors
/// [`ApiError`] if it is none.
fn hours(limit: ShownRetention) -> Result<u32, ApiError> {
    match limit {
        ShownRetention::Hours(hours) => Ok(hours),
        ShownRetention::Forever | ShownRetention::Instant => Err(ApiError::usage(format_args!(
            "a limit is a stretch of time such as 12h or 7days, not {limit}: leave a limit away \
             where there is to be none"
        ))),
    }
}

/// The limits that the API asks for.
///
/// # Errors
/// [`ApiError`] if one is no stretch of time, or they leave nothing between them.
fn limits(
    shortest: Option<ShownRetention>,
    longest: Option<ShownRetention>,
) -> Result<RetentionLimits, ApiError> {
    let limits = RetentionLimits {
        shortest: shortest.map(hours).transpose()?,
        longest: longest.map(hours).transpose()?,
    };
    match (limits.shortest, limits.longest) {
        (Some(least), Some(most)) if least > most => {
            let [least, most] = [least, most].map(ShownRetention::Hours);
            Err(ApiError::usage(format_args!(
                "the shortest time, {least}, is longer than the longest, {most}: nothing would be \
                 allowed; set both, or take one away"
            )))
        }
        _ => Ok(limits),
    }
}

const fn shown_history(history: History) -> ShownHistory {
    match history {
        History::Everything => ShownHistory::Everything,
        History::Days(days) => ShownHistory::Days(days),
        History::FromJoining => ShownHistory::Joining,
    }
}

/// A right as the API names it; none for one that no policy may change.
fn shown_right(right: Right) -> Option<ShownRight> {
    right.word().parse().ok()
}

fn meant_right(right: ShownRight) -> Right {
    Right::from_word(right.name()).expect("both have the same words")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_right_that_can_be_set_has_its_word_on_both_sides() {
        for right in ShownRight::ALL {
            assert_eq!(shown_right(meant_right(right)), Some(right));
        }
        let settable = Right::ALL.into_iter().filter(|r| r.number().is_some());
        assert_eq!(settable.count(), ShownRight::ALL.len());
        assert_eq!(shown_right(Right::Rekey), None);
    }
}
