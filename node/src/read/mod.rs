//! Reading: pages, messages, channels and events, from a snapshot of the store and the engine's
//! shared picture. Nothing here waits for the engine, and nothing here changes anything.

mod account;
mod against;
mod audit;
mod channels;
mod continuation;
mod control_log;
mod delivery;
mod erasing;
mod events;
mod evidence;
mod found;
pub(crate) mod mend;
mod messages;
mod own;
pub(crate) mod policy;
mod references;
mod replies;
pub(crate) mod retention;
pub(crate) mod roles;
mod steps;
pub(crate) mod storage;
mod threads;
pub mod verify;
mod why;

use std::sync::Arc;

use kith_crdt::encoding;
use kith_crdt::ids::{AccountId, DeviceId, Place};
use kith_crdt::log::Log;
use kith_crdt::time::Millis;
use kith_store::{Reader, View};

use crate::engine::{ChannelView, OwnView, Shared};
use crate::fate::Fates;

/// Bytes of a log's stored state.
const LOG_MAX: usize = 4 * 1024 * 1024;

/// A consistent view of the node for one call.
pub struct Reading<'a> {
    view: View<'a>,
    shared: &'a Shared,
    /// What this account has set for itself.
    own: Arc<OwnView>,
    me: AccountId,
    device: DeviceId,
    /// By what time it is decided what is over.
    now: Millis,
    /// How many records of this home are known to be damaged.
    damaged: u64,
}

impl<'a> Reading<'a> {
    /// A view as of now, by the clock or by what the engine takes to be now, whichever is later.
    pub fn new(
        reader: &'a Reader,
        shared: &'a Shared,
        (me, device): (AccountId, DeviceId),
        clock: Millis,
    ) -> Self {
        Self {
            view: reader.view(),
            shared,
            own: shared.own(),
            me,
            device,
            now: clock.max(shared.floor()),
            damaged: reader.damage_known(),
        }
    }

    /// The same with whoever is blocked heard as well.
    pub(crate) fn hearing_all(mut self) -> Self {
        Arc::make_mut(&mut self.own).blocked = Arc::default();
        self
    }

    /// Whether this account has blocked whoever wrote at a place.
    pub(crate) fn is_silent(&self, channel: &ChannelView, place: Place) -> bool {
        let author = channel.roster.account_of(&place.log.writer.device);
        author.is_some_and(|author| self.own.blocked.contains(&author))
    }

    /// The logs of a channel whose states can be read, in order.
    fn logs_of(&self, channel: &ChannelView) -> impl DoubleEndedIterator<Item = Log> + use<> {
        let logs = self.view.logs(&channel.id).into_iter();
        logs.filter_map(|(_, bytes)| encoding::decode(&bytes, LOG_MAX).ok())
    }

    /// Says what has become of the messages of a channel.
    fn fates<'b>(&'b self, channel: &'b ChannelView) -> Fates<'b> {
        Fates::new(&self.view, (&channel.id, &channel.roster), self.now)
    }
}
