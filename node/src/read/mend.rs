//! How the mending of a channel stands, as people are told.

use kith_api::verify::MendReport;
use kith_crdt::ids::Place;

use super::verify::named;
use crate::engine::ChannelView;

/// How the mending of a channel stands, or how the last one ended.
pub(crate) fn report(channel: &ChannelView) -> MendReport {
    let state = channel.mending.clone().unwrap_or_default();
    let names = |places: &[Place]| places.iter().map(|place| named(channel, *place)).collect();
    MendReport {
        channel: channel.id.into(),
        channel_name: channel.name.clone(),
        done: state.done,
        dropped: state.dropped,
        logs: state.logs,
        entries: state.entries,
        fetched: state.fetched,
        ops_awaited: state.ops_awaited,
        keys_awaited: state.keys_awaited,
        awaited: state.awaited,
        awaited_at: names(&state.awaited_at),
        lost: state.lost,
        lost_at: names(&state.lost_at),
        unopened: state.unopened,
    }
}
