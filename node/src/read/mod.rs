//! Reading: pages, messages, channels and events, from a snapshot of the store and the engine's
//! shared picture. Nothing here waits for the engine, and nothing here changes anything.

mod against;
mod audit;
mod channels;
mod control_log;
mod delivery;
mod events;
mod found;
pub(crate) mod mend;
mod messages;
pub(crate) mod policy;
mod references;
pub(crate) mod roles;
mod steps;
mod threads;
pub(crate) mod verify;
mod why;

use kith_crdt::ids::{AccountId, DeviceId};
use kith_store::{Reader, View};

use crate::engine::Shared;

/// A consistent view of the node for one call.
pub struct Reading<'a> {
    view: View<'a>,
    shared: &'a Shared,
    me: AccountId,
    device: DeviceId,
    /// How many records of this home are known to be damaged.
    damaged: u64,
}

impl<'a> Reading<'a> {
    /// A view as of now.
    pub fn new(reader: &'a Reader, shared: &'a Shared, me: AccountId, device: DeviceId) -> Self {
        Self {
            view: reader.view(),
            shared,
            me,
            device,
            damaged: reader.damage_known(),
        }
    }
}
