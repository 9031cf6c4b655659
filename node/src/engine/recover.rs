//! Finding channels again whose own record the disk has lost, and ops that the control log lacks.
//!
//! A channel certifies itself: its id is the id of the op that created it, and every op names it.
//! So a record that is lost is made anew from any op of the channel, or, where all of these are
//! lost too, from a key that something in it was sealed under; then the ops are sought from
//! whoever can be reached, and prove themselves.

use std::collections::BTreeSet;

use kith_crdt::control::VerifiedOp;
use kith_crdt::encoding;
use kith_crdt::ids::{ChannelId, TransportKey};
use kith_crdt::sync::ControlPull;
use kith_crdt::time::{Hlc, Millis};

use super::{Engine, load};
use crate::record::ChannelRecord;

impl Engine {
    /// Takes channels in again whose own record is gone while other records of them are here.
    pub(super) fn recover_channels(&mut self) {
        let reader = self.store.reader();
        let view = reader.view();
        let ops = view.an_op_of_each_channel();
        let of_ops = ops.iter().filter_map(|bytes| {
            let op = VerifiedOp::from_stored(bytes).ok()?;
            Some(op.channel())
        });
        let mut found: BTreeSet<ChannelId> = of_ops.collect();
        if self.store.has_damage() {
            found.extend(self.store.channels_with_keys());
        }
        found.retain(|id| !self.channels.contains_key(id));
        for id in found {
            let mut record = ChannelRecord {
                channel: id,
                joining: None,
                name: String::new(),
                quota: None,
                leaving: false,
            };
            let us = (&self.me, &self.writer.device);
            let channel = load::channel(&self.store, &view, us, &record);
            channel.name().clone_into(&mut record.name);
            self.stage.batch.put_channel(&id, encoding::encode(&record));
            self.add_channel(channel);
            tracing::warn!("a channel's record was lost and has been made anew from its ops");
        }
        for channel in self.channels.values() {
            // The clock may be lost as well, and must not fall behind what was written.
            let newest = channel.last_activity.map_or(Hlc::default(), Hlc::at);
            self.hlc = self.hlc.max(newest);
        }
        if self.channels.values().any(|channel| channel.lost_ops) {
            // Who belongs is not known then, so whoever was met before is asked.
            for (peer, _) in view.peers() {
                self.peers.want(peer);
            }
        }
    }

    /// Asks a peer for the control log of a channel whose ops may be lost.
    pub(super) fn seek_ops(&mut self, now: Millis, id: ChannelId, peer: TransportKey) {
        let pull = Box::new(ControlPull::new(id, Vec::new()));
        self.pull_control(now, id, peer, pull);
        // A roster that is whole enough to know the peer by does not keep the rest waiting.
        self.sync_with(now, id, peer);
    }

    /// Notes that somebody's control log was compared with the one here: what was lost is back.
    pub(super) fn found_ops(&mut self, now: Millis, id: ChannelId) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        let is_whole = !channel.control.is_empty() && channel.control.waiting() == 0;
        if channel.lost_ops && is_whole {
            channel.lost_ops = false;
            let peers: Vec<TransportKey> = self.peers.connected().copied().collect();
            for peer in peers {
                self.sync_with(now, id, peer);
            }
            self.belongs_now(now, id);
            self.go_on_mending(now, id);
        }
    }
}
