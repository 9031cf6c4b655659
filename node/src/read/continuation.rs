//! How this home goes on from what its device wrote before, and whether another one does, too.

use kith_api::status::{AnewCause, BeganAnew};
use kith_crdt::encoding;
use kith_crdt::time::{HOUR_MS, Millis};

use super::Reading;
use crate::engine::{Cause, META_BACKUP};

/// Milliseconds for which a double is spoken of that is not heard any more: whoever has stopped it
/// need not be told for ever.
const DOUBLE_SHOWN_MS: u64 = 7 * 24 * HOUR_MS;
/// Bytes of a time, as stored.
const TIME_MAX: usize = 16;

impl Reading<'_> {
    /// When and why this home last went on as a new writer.
    pub fn began_anew(&self) -> Option<BeganAnew> {
        let (at, cause) = self.shared.continuation().anew?;
        Some(BeganAnew {
            at: at.into(),
            cause: match cause {
                Cause::Crash => AnewCause::Crash,
                Cause::Copy => AnewCause::Copy,
                Cause::Backup => AnewCause::Backup,
                Cause::SetBack => AnewCause::SetBack,
                Cause::Damage => AnewCause::Damage,
            },
            backup_of: (cause == Cause::Backup)
                .then(|| self.backup_of())
                .flatten()
                .map(Into::into),
        })
    }

    /// When the backup was made that this home was restored from.
    fn backup_of(&self) -> Option<Millis> {
        let stored = self.view.meta(META_BACKUP).ok()??;
        encoding::decode(&stored, TIME_MAX).ok()
    }

    /// When another copy of this home was last heard, if that is not long ago.
    pub fn doubled_at(&self) -> Option<Millis> {
        let (_, heard) = self.shared.continuation().doubled?;
        (self.now.since(heard) < DOUBLE_SHOWN_MS).then_some(heard)
    }
}
