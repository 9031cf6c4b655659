//! When messages end that ask for that.

use std::collections::BTreeMap;

use kith_crdt::ids::{ChannelId, LogId};

use super::View;
use crate::table::Table;

impl View<'_> {
    /// When those messages of these logs end that ask to end sooner than others, in milliseconds
    /// since 1970, by their numbers. Almost free where none does.
    pub fn ends<'l>(
        &self,
        channel: &ChannelId,
        logs: impl Iterator<Item = &'l LogId>,
    ) -> BTreeMap<LogId, BTreeMap<u32, u64>> {
        let rows = self.collect(
            Table::Ends,
            self.shared.keys.channel(channel),
            |key, record| {
                let (log, seq) = key.split_last_chunk::<4>()?;
                let at = record.plain.as_slice().try_into().ok()?;
                Some((
                    log.to_vec(),
                    u32::from_be_bytes(*seq),
                    u64::from_be_bytes(at),
                ))
            },
        );
        let mut by_key: BTreeMap<Vec<u8>, BTreeMap<u32, u64>> = BTreeMap::new();
        for (log, seq, at) in rows {
            by_key.entry(log).or_default().insert(seq, at);
        }
        if by_key.is_empty() {
            return BTreeMap::new();
        }
        let named = |log: &LogId| {
            let ends = by_key.remove(&self.shared.keys.log(channel, log))?;
            Some((*log, ends))
        };
        logs.filter_map(named).collect()
    }
}
