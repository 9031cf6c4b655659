//! Channels and the node itself as they are shown.

use std::cmp::Reverse;

use kith_api::channel::{
    ChannelDetail, ChannelFacts, ChannelKind, ChannelState, ChannelSummary, MemberInfo,
    Notify as ShownNotify, SyncState,
};
use kith_api::invite::InviteInfo;
use kith_api::status::PeerStatus;
use kith_crdt::control::Member;
use kith_crdt::ids::{DeviceId, TransportKey};
use kith_crdt::time::Millis;
use kith_store::Line;

use super::policy::shown_retention;
use super::storage::quota_of;
use super::{Reading, roles};
use crate::clock;
use crate::engine::{ChannelView, Connected, MemberState, Notify, Standing, Stands, Wishes};

impl Reading<'_> {
    /// All channels, in the order of their names.
    pub(crate) fn channels(&self) -> Vec<ChannelSummary> {
        let mut channels: Vec<ChannelSummary> = self
            .shared
            .channels()
            .iter()
            .map(|channel| self.summary(channel))
            .collect();
        channels.sort_by(|a, b| a.facts.name.cmp(&b.facts.name));
        channels
    }

    /// A line of the list.
    pub(crate) fn summary(&self, channel: &ChannelView) -> ChannelSummary {
        ChannelSummary {
            facts: self.facts(channel),
            members: channel.roster.active().count() as u64,
        }
    }

    /// Everything about one channel.
    pub(crate) fn detail(&self, channel: &ChannelView, damaged: u64) -> ChannelDetail {
        ChannelDetail {
            facts: self.facts(channel),
            members: self.members(channel),
            history_begins: channel.history_begins.map(Into::into),
            begun_before: self
                .begun_before(channel)
                .into_iter()
                .map(Into::into)
                .collect(),
            sync: self.sync_state(channel),
            digest: kith_crdt::ids::base32(&channel.digest),
            damaged,
        }
    }

    /// Everyone who is or was a member.
    pub(crate) fn members(&self, channel: &ChannelView) -> Vec<MemberInfo> {
        let members = channel.roster.members.values();
        members
            .map(|member| self.member_info(channel, member))
            .collect()
    }

    /// Whether this node has everything that the others have, as far as those who are connected
    /// say. Who is alone in a channel has everything.
    pub(crate) fn sync_state(&self, channel: &ChannelView) -> SyncState {
        let peers = self.shared.peers();
        let others: Vec<(&DeviceId, bool)> = channel
            .roster
            .devices
            .iter()
            .filter(|(device, known)| known.active && **device != self.device)
            .map(|(device, known)| (device, peers.contains_key(&known.transport)))
            .collect();
        let with: Vec<_> = others
            .iter()
            .filter(|(device, connected)| *connected && channel.in_step.contains_key(device))
            .map(|(device, _)| (**device).into())
            .collect();
        let up_to_date = if channel.missing > 0 || channel.standing == Standing::Joining {
            Some(false)
        } else {
            (others.is_empty() || !with.is_empty()).then_some(true)
        };
        SyncState {
            up_to_date,
            as_of: channel.in_step.values().max().map(|at| (*at).into()),
            with,
            missing: channel.missing,
            refused: channel
                .refused_by
                .iter()
                .map(|device| (*device).into())
                .collect(),
        }
    }

    /// The invites of a channel, the one that holds longest first.
    pub(crate) fn invites(&self, channel: &ChannelView, now: Millis) -> Vec<InviteInfo> {
        let roster = &channel.roster;
        let mut invites: Vec<InviteInfo> = roster
            .invites
            .iter()
            .map(|(invite, state)| InviteInfo {
                invite: (*invite).into(),
                role: roles::shown(state.role),
                uses: state.uses,
                left: state.uses.saturating_sub(state.used),
                expires_at: state.expires_at.into(),
                account: state.inviter.into(),
                name: self.name_of(&channel.roster, &state.inviter),
                state: roles::invite_standing(roster.invite_standing(invite, now)),
            })
            .collect();
        invites.sort_by_key(|invite| (Reverse(invite.expires_at), invite.invite));
        invites
    }

    /// The connected nodes.
    pub(crate) fn peers(&self) -> Vec<PeerStatus> {
        let channels = self.shared.all_channels();
        let show = |(transport, connected): (&TransportKey, &Connected)| {
            let known = channels.iter().find_map(|channel| {
                let (device, known) = channel.roster.by_transport(transport)?;
                let name = self.name_of(&channel.roster, &known.account);
                Some((device, known.account, name))
            });
            PeerStatus {
                device: known.as_ref().map(|(device, _, _)| (*device).into()),
                account: known.as_ref().map(|(_, account, _)| (*account).into()),
                name: known.map(|(_, _, name)| name),
                address: connected.address.clone(),
                since: connected.since.into(),
            }
        };
        self.shared.peers().iter().map(show).collect()
    }

    /// Own messages that no other device has yet.
    pub(crate) fn pending(&self) -> u64 {
        self.shared
            .channels()
            .iter()
            .map(|channel| channel.pending)
            .sum()
    }

    /// How a channel stands to this account that it does not belong to any more.
    fn gone(&self, channel: &ChannelView) -> ChannelState {
        match Stands::of(&channel.roster, &self.me, clock::now()).state {
            MemberState::Removed => ChannelState::Removed,
            MemberState::Banned => ChannelState::Banned,
            _ if channel.roster.is_member(&self.me) => ChannelState::Revoked,
            _ => ChannelState::Left,
        }
    }

    /// How many messages there are. What counts them may be damaged where what shows them is not:
    /// then those of the main timeline are counted one by one.
    fn messages_in(&self, channel: &ChannelView) -> u64 {
        if channel.messages + channel.hidden > 0 && self.damaged == 0 {
            return channel.messages;
        }
        let indexed = self.view.count(Line::main(&channel.id), None);
        channel.messages.max(indexed.saturating_sub(channel.hidden))
    }

    /// Whether a channel is put away: something unread that was written since brings it back, if
    /// this account wants to be notified of every message.
    fn is_archived(&self, channel: &ChannelView, wishes: &Wishes) -> bool {
        wishes.archived_at.is_some_and(|at| {
            let is_news = channel.last_activity.is_some_and(|last| at < last) && channel.unread > 0;
            !is_news || !wishes.want(false, self.now)
        })
    }

    fn facts(&self, channel: &ChannelView) -> ChannelFacts {
        let wishes = self.own.wishes(&channel.id);
        ChannelFacts {
            channel: channel.id.into(),
            name: channel.name.clone(),
            topic: channel.roster.topic.clone(),
            kind: ChannelKind::Group,
            role: channel
                .roster
                .role(&self.me)
                .filter(|_| channel.roster.belongs_on(&self.me, &self.device))
                .map(roles::shown),
            added_by: channel
                .added_by
                .map(|adder| self.person(&channel.roster, adder)),
            retention: shown_retention(channel.roster.retention()),
            unread: channel.unread,
            unread_replies: channel.unread_replies(),
            messages: self.messages_in(channel),
            last_activity: channel.last_activity.map(Into::into),
            state: match channel.standing {
                Standing::Joining => ChannelState::Joining,
                Standing::Active => ChannelState::Active,
                Standing::Left => self.gone(channel),
            },
            muted_until: wishes
                .muted_until
                .filter(|until| self.now < *until)
                .map(Into::into),
            notify: shown_notify(wishes.notify),
            archived: self.is_archived(channel, &wishes),
            draft: self.own.drafts.keys().any(|(id, _)| *id == channel.id),
            quota: quota_of(channel),
            full: channel.full && channel.standing != Standing::Left,
        }
    }
}

/// A level of notifying as the API says it.
pub(crate) const fn shown_notify(notify: Notify) -> ShownNotify {
    match notify {
        Notify::All => ShownNotify::All,
        Notify::Mentions => ShownNotify::Mentions,
        Notify::Nothing => ShownNotify::Nothing,
    }
}

impl Reading<'_> {
    fn member_info(&self, channel: &ChannelView, member: &Member) -> MemberInfo {
        let devices = channel
            .roster
            .devices
            .values()
            .filter(|known| known.active && known.account == member.account)
            .count();
        let stands = Stands::of(&channel.roster, &member.account, clock::now());
        let name = self.name_of(&channel.roster, &member.account);
        MemberInfo {
            account: member.account.into(),
            own_name: Some(member.name.clone()).filter(|own| *own != name),
            name,
            verified: self.own.verified.contains(&member.account),
            blocked: self.own.blocked.contains(&member.account),
            role: roles::shown(member.role),
            status: roles::status(stands.state),
            until: stands.until.map(Into::into),
            devices: devices as u64,
        }
    }
}
