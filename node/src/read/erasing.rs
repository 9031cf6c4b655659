//! How far the erasing of this account has come in a channel.

use kith_api::erase::ErasedState;
use kith_crdt::control::{Role, Status};
use kith_crdt::log::Log;

use super::Reading;
use crate::engine::{ChannelView, Standing};

impl Reading<'_> {
    /// What the erasing of this account waits for in a channel.
    pub(crate) fn erasing(&self, channel: &ChannelView) -> ErasedState {
        let roster = &channel.roster;
        let others = || roster.active().filter(|member| member.account != self.me);
        let is_alone = others().next().is_none();
        let member = roster.members.get(&self.me);
        let owns = member.is_some_and(|member| member.role == Role::Owner);
        match channel.standing {
            Standing::Joining => ErasedState::Here,
            Standing::Left => match member.map(|member| member.status) {
                Some(Status::Left) if channel.is_leaving && !is_alone => ErasedState::Leaving,
                Some(Status::Left) => ErasedState::Left,
                _ => ErasedState::Out,
            },
            Standing::Active if is_alone => ErasedState::Alone,
            Standing::Active if owns && !others().any(|member| member.role == Role::Owner) => {
                ErasedState::LastOwner
            }
            Standing::Active => ErasedState::Here,
        }
    }

    /// Whether a device of another member is known to have all that this account wrote.
    pub(crate) fn has_all_of_ours(&self, channel: &ChannelView) -> bool {
        let roster = &channel.roster;
        let is_ours = |log: &Log| roster.account_of(&log.id.writer.device) == Some(self.me);
        let ours = self.logs_of(channel).filter(is_ours);
        let ours: Vec<_> = ours.map(|log| (log.id, log.head)).collect();
        let devices = roster.devices.iter();
        let others = devices.filter(|(_, known)| known.active && known.account != self.me);
        let mut others = others.map(|(device, _)| device);
        others.any(|device| {
            let has = |(log, head): &(_, u32)| channel.holds.of(device, log) >= *head;
            ours.iter().all(has)
        })
    }
}
