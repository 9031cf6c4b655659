//! Making invites, and taking them back.

use kith_crdt::control::{Body, Right, Role};
use kith_crdt::ids::{ChannelId, InviteId};
use kith_crdt::limits::{INVITE_LIFE_MAX_MS, INVITE_USES_MAX};
use kith_crdt::link::InviteLink;
use kith_crdt::time::Millis;

use super::Engine;
use super::effect::{Outcome, Refusal};
use super::write::no_channel;

/// Devices named as hosts in an invite link: enough to find somebody, short enough to send.
const LINK_HOSTS: usize = 4;
/// Addresses named for each of them.
const LINK_ADDRESSES: usize = 4;

impl Engine {
    pub(super) fn invite(
        &mut self,
        now: Millis,
        id: ChannelId,
        role: Role,
        uses: u32,
        expires_at: Millis,
    ) -> Result<Outcome, Refusal> {
        self.check_right(id, Right::Invite)?;
        if uses == 0 {
            return Err(Refusal::Usage("an invite needs at least one use".into()));
        }
        if uses > INVITE_USES_MAX {
            return Err(Refusal::Limit(format!(
                "an invite has at most {INVITE_USES_MAX} uses"
            )));
        }
        if expires_at <= now {
            return Err(Refusal::Usage(
                "the invite would have expired already".into(),
            ));
        }
        if expires_at > now.plus(INVITE_LIFE_MAX_MS) {
            return Err(Refusal::Limit(
                "an invite holds for at most 366 days; make a new one then".into(),
            ));
        }
        let link = InviteLink {
            channel: id,
            name: self.channels[&id].name().to_owned(),
            secret: kith_crdt::crypto::secret::Secret::random(&mut self.rng),
            expires_at,
            hosts: self.link_hosts(id),
        };
        let invite = link.invite();
        self.author_op(
            now,
            id,
            Body::Invite {
                invite,
                role,
                uses,
                expires_at,
            },
        )?;
        Ok(Outcome::Invited {
            invite,
            link: link.to_string(),
            expires_at,
        })
    }

    /// Whom a newcomer can turn to: this node, and members that are known to be reachable.
    fn link_hosts(&self, id: ChannelId) -> Vec<(kith_crdt::ids::TransportKey, Vec<String>)> {
        let own = self.peers.own_addresses().take(LINK_ADDRESSES).collect();
        let mut hosts = vec![(self.secrets.transport_key(), own)];
        for (peer, _) in self.connected_members(id) {
            let addresses = self.peers.addresses(&peer, LINK_ADDRESSES);
            if !addresses.is_empty() {
                hosts.push((peer, addresses));
            }
        }
        hosts.truncate(LINK_HOSTS);
        hosts
    }

    pub(super) fn revoke_invite(
        &mut self,
        now: Millis,
        id: ChannelId,
        invite: InviteId,
    ) -> Result<Outcome, Refusal> {
        let channel = self.channels.get(&id).ok_or_else(no_channel)?;
        if !channel.roster.invites.contains_key(&invite) {
            return Err(Refusal::NotFound("no such invite in this channel".into()));
        }
        self.author_op(now, id, Body::RevokeInvite { invite })?;
        Ok(Outcome::Done)
    }
}
