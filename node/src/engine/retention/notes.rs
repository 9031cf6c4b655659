//! What is noted of an erasure, for the audit: how much, when and why.

use kith_crdt::encoding;
use kith_crdt::ids::ChannelId;

use crate::engine::Engine;
use crate::erasures::{self, Cause, DAYS_KEPT, Erased};

impl Engine {
    /// Notes that so many messages lost their texts and so many windows were shredded.
    pub(super) fn note_erasure(&mut self, id: ChannelId, cause: Cause, amount: (u64, u64)) {
        if amount == (0, 0) {
            return;
        }
        let noted = self.stage.erasures.entry(id).or_default();
        erasures::add(noted, &Erased::new(cause, self.now, amount));
    }

    /// Adds what was noted in this turn to the record of the day.
    pub(in crate::engine) fn keep_erasures(&mut self) {
        let day = erasures::day(self.now);
        for (id, noted) in std::mem::take(&mut self.stage.erasures) {
            let stored = self.store.reader().view().erasures_of(&id, day);
            let is_first = stored.is_none();
            let known = stored.and_then(|bytes| erasures::read(&bytes).ok());
            let mut known = known.unwrap_or_default();
            for erased in &noted {
                erasures::add(&mut known, erased);
            }
            let batch = &mut self.stage.batch;
            if is_first {
                batch.delete_erasures_before(&id, day.saturating_sub(DAYS_KEPT));
            }
            batch.put_erasures(&id, day, encoding::encode(&known));
        }
    }
}
