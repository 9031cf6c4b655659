//! How somebody came by their role: what their authority rests on, and what it was before.
//!
//! The resolver asks: were this op void, would that author still have been allowed what they did,
//! and would they still have stood above whom it was about?

use crate::control::role::{Role, Standing};
use crate::ids::OpId;
use crate::time::Millis;

/// What a member's role rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::control) struct Tenure {
    /// The op that let the account in.
    admitted: OpId,
    /// For each height of role the op that it was raised to it by, ascending; the first is the
    /// admission. What was raised higher and lowered again is gone.
    raised: Vec<(Role, OpId)>,
    /// Where the account stood before it was lowered, and by which op, highest first.
    lowered: Vec<(Standing, OpId)>,
    /// The op that took the account out, if it is out.
    gone: Option<OpId>,
    /// The roles it has had, by the clocks of those who gave them.
    roles: Course<Role>,
}

impl Tenure {
    pub(super) fn new(op: OpId, role: Role, at: Millis) -> Self {
        let mut roles = Course::default();
        roles.set(at, role);
        Self {
            admitted: op,
            raised: vec![(role, op)],
            lowered: Vec::new(),
            gone: None,
            roles,
        }
    }

    /// Begins anew; only which roles there were when is remembered.
    pub(super) fn readmit(&mut self, op: OpId, role: Role, at: Millis) {
        let mut roles = std::mem::take(&mut self.roles);
        roles.set(at, role);
        *self = Self {
            roles,
            ..Self::new(op, role, at)
        };
    }

    pub(super) fn change(&mut self, before: Standing, role: Role, op: OpId, at: Millis) {
        self.roles.set(at, role);
        if role > before.role {
            self.raised.push((role, op));
            return;
        }
        let enough = self.raised.partition_point(|(held, _)| *held < role);
        self.raised.truncate(enough + 1);
        if let Some((held, _)) = self.raised.last_mut() {
            *held = role;
        }
        self.lowered.retain(|(standing, _)| *standing > before);
        let highest = match self.lowered.last() {
            Some((same, _)) if same.role == before.role => self.lowered.pop().map(|last| last.0),
            _ => None,
        };
        self.lowered.push((highest.unwrap_or(before), op));
    }

    pub(super) fn end(&mut self, op: OpId) {
        self.gone.get_or_insert(op);
    }

    /// The op without which the account would not have the role.
    pub(in crate::control) fn basis(&self) -> OpId {
        self.raised.last().map_or(self.admitted, |(_, op)| *op)
    }

    /// The op that let the account in.
    pub(in crate::control) const fn admitted(&self) -> OpId {
        self.admitted
    }

    /// The op that took the account out, if it is out.
    pub(in crate::control) const fn gone(&self) -> Option<OpId> {
        self.gone
    }

    /// The ops without which the account would not stand below `author`.
    pub(in crate::control) fn lowered_below(
        &self,
        author: Standing,
    ) -> impl Iterator<Item = OpId> + '_ {
        self.lowered
            .iter()
            .filter(move |(before, _)| author <= *before)
            .map(|(_, op)| *op)
    }

    /// The roles it has had and when.
    pub(super) const fn course(&self) -> &Course<Role> {
        &self.roles
    }

    /// The lowest role that it had at some moment from `from` on and before `to`.
    pub(super) fn lowest_during(&self, from: Millis, to: Millis) -> Option<Role> {
        self.role_at(from)
            .into_iter()
            .chain(self.roles.during(from, to).copied())
            .min()
    }

    /// The role at a time. What is older than the account's membership has the first role: the
    /// clocks of two people differ.
    pub(super) fn role_at(&self, at: Millis) -> Option<Role> {
        self.roles.at(at).or(self.roles.first()).copied()
    }
}

/// How something was set over time, by the clocks of those who set it. Of two that contradict
/// each other about a time the one later in the log counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Course<T>(Vec<(Millis, T)>);

impl<T> Default for Course<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Course<T> {
    pub(super) fn set(&mut self, at: Millis, value: T) {
        self.0.retain(|(from, _)| *from < at);
        self.0.push((at, value));
    }

    pub(super) fn at(&self, time: Millis) -> Option<&T> {
        let after = self.0.partition_point(|(from, _)| *from <= time);
        Some(&self.0.get(after.checked_sub(1)?)?.1)
    }

    /// What it was at some moment from `from` on and before `to`; what came before everything
    /// that was set is not told.
    pub(super) fn during(&self, from: Millis, to: Millis) -> impl Iterator<Item = &T> {
        let begun = self.0.partition_point(|(at, _)| *at <= from);
        let set = self.0.iter().skip(begun.saturating_sub(1));
        set.take_while(move |(at, _)| *at < to)
            .map(|(_, value)| value)
    }

    pub(super) fn latest(&self) -> Option<&T> {
        self.0.last().map(|(_, value)| value)
    }

    fn first(&self) -> Option<&T> {
        self.0.first().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(number: u8) -> OpId {
        OpId([number; 32])
    }

    fn standing(role: Role, since: u64) -> Standing {
        Standing::new(role, (since, op(0)))
    }

    #[test]
    fn what_was_raised_and_lowered_again_rests_on_what_is_still_needed() {
        let mut tenure = Tenure::new(op(1), Role::Member, Millis(1));
        tenure.change(standing(Role::Member, 1), Role::Owner, op(2), Millis(2));
        assert_eq!(tenure.basis(), op(2));
        tenure.change(standing(Role::Owner, 2), Role::Admin, op(3), Millis(3));
        assert_eq!(tenure.basis(), op(2));
        tenure.change(standing(Role::Admin, 3), Role::Reader, op(4), Millis(4));
        assert_eq!(tenure.basis(), op(1));
    }

    #[test]
    fn whoever_stands_above_what_somebody_was_needs_no_lowering() {
        let mut tenure = Tenure::new(op(1), Role::Admin, Millis(1));
        tenure.change(standing(Role::Admin, 1), Role::Moderator, op(2), Millis(2));
        tenure.change(standing(Role::Moderator, 2), Role::Reader, op(3), Millis(3));
        let needed = |author| tenure.lowered_below(author).collect::<Vec<_>>();
        assert_eq!(needed(standing(Role::Owner, 9)), []);
        assert_eq!(needed(standing(Role::Admin, 9)), [op(2)]);
        assert_eq!(needed(standing(Role::Member, 9)), [op(2), op(3)]);
    }

    #[test]
    fn what_was_so_during_a_time_is_told() {
        let mut course = Course::default();
        for (at, value) in [(10, 'a'), (20, 'b'), (30, 'c')] {
            course.set(Millis(at), value);
        }
        let during = |from, to| {
            let told = course.during(Millis(from), Millis(to));
            told.collect::<String>()
        };
        assert_eq!(during(0, 10), "");
        assert_eq!(during(0, 11), "a");
        assert_eq!(during(10, 20), "a");
        assert_eq!(during(15, 31), "abc");
        assert_eq!(during(30, 40), "c");
    }

    #[test]
    fn the_later_word_about_a_time_counts() {
        let mut course = Course::default();
        for (at, value) in [(10, 'a'), (20, 'b'), (15, 'c')] {
            course.set(Millis(at), value);
        }
        let at = |time| course.at(Millis(time)).copied();
        assert_eq!(
            [9, 14, 19, 30].map(at),
            [None, Some('a'), Some('c'), Some('c')]
        );
    }
}
