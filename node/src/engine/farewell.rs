//! Being refused, and being told why.
//!
//! A device that was away when its account was taken out is refused by everybody afterwards. It
//! asks each member who refuses it for the control log, and whoever knows that it belonged gives
//! it the op that took it out and those that this one builds on (`kith_crdt::sync::serve`). From
//! these it finds by itself that it is out: nobody is believed.

use kith_crdt::ids::{ChannelId, TransportKey};
use kith_crdt::sync::{Answer, ControlPull, Request};
use kith_crdt::time::Millis;

use super::Engine;
use super::outstanding::Purpose;

impl Engine {
    /// Remembers whether a member's device refused to compare a channel with this one.
    pub(super) fn note_refusal(&mut self, id: ChannelId, peer: TransportKey, refused: bool) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        let Some((device, _)) = channel.roster.by_transport(&peer) else {
            return;
        };
        if refused {
            channel.refused_by.insert(device);
        } else {
            channel.refused_by.remove(&device);
        }
    }

    /// Asks a member who refused why, if this account belongs as far as is known here.
    pub(super) fn ask_why_refused(&mut self, now: Millis, id: ChannelId, peer: TransportKey) {
        let Some(channel) = self.channels.get(&id) else {
            return;
        };
        let belongs =
            channel.joining.is_none() && channel.roster.belongs_on(&self.me, &self.writer.device);
        let is_known =
            channel.roster.by_transport(&peer).is_some() || self.is_vouched(channel, &peer);
        if belongs && is_known {
            let pull = Box::new(ControlPull::new(id, Vec::new()));
            self.pull_control(now, id, peer, pull);
        }
    }

    /// Takes the ops by which this account was taken out, or let in again, page by page.
    pub(super) fn take_farewell(
        &mut self,
        now: Millis,
        id: ChannelId,
        peer: TransportKey,
        mut pull: Box<ControlPull>,
        answer: Answer,
    ) {
        let Answer::Ops { ops, more } = answer else {
            return;
        };
        let page = pull.take(&ops);
        let belongs = |engine: &Self| {
            engine
                .channels
                .get(&id)
                .map(|it| it.roster.belongs_on(&engine.me, &engine.writer.device))
        };
        let before = belongs(self);
        let new = self.insert_ops(now, id, page.ops).new;
        if more && page.advanced && new > 0 {
            self.pull_control(now, id, peer, pull);
        } else {
            self.found_ops(now, id);
        }
        if before == Some(false) && belongs(self) == Some(true) {
            self.belongs_now(now, id);
        }
    }

    /// Asks a member for the control log from where this node has it.
    pub(super) fn pull_control(
        &mut self,
        now: Millis,
        id: ChannelId,
        peer: TransportKey,
        pull: Box<ControlPull>,
    ) {
        let Some(channel) = self.channels.get(&id) else {
            return;
        };
        let request = Request::Control {
            tag: id.tag(),
            have: pull.have(&channel.control),
        };
        self.ask(now, peer, Purpose::Farewell { channel: id, pull }, &request);
    }
}
