//! Whether a message is there still, or its time is over: the one check that every way to read
//! goes through. The rules stand in `retention.rs`.

use crate::control::Roster;
use crate::ids::{AccountId, EpochId};
use crate::time::{Hlc, Millis};

/// What decides how long a message lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Whose it is.
    pub author: AccountId,
    /// When it was written.
    pub hlc: Hlc,
    /// The epoch that it is sealed in.
    pub epoch: EpochId,
    /// When it asks to end.
    pub expires_at: Option<Millis>,
}

/// What has become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is there.
    Lives {
        /// When it ends at the latest; nothing if it does not.
        until: Option<Millis>,
    },
    /// It is gone.
    Over(End),
}

/// By what a message ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its time is over, since then.
    Expired(Millis),
    /// Everybody it waited for has read it.
    ReadByAll,
}

impl Fate {
    /// Whether the message is gone.
    pub const fn is_over(&self) -> bool {
        matches!(self, Self::Over(_))
    }
}

/// What has become of a message by `now`. `has_read` says whether an account has said to have read
/// it; it is asked only about messages that end by being read.
pub fn fate(
    roster: &Roster,
    written: &Written,
    now: Millis,
    has_read: impl Fn(&AccountId) -> bool,
) -> Fate {
    let until = roster.ends_at(&written.epoch, written.hlc, written.expires_at);
    if let Some(end) = until.filter(|end| *end <= now) {
        return Fate::Over(End::Expired(end));
    }
    let awaited = roster.readers_awaited(&written.epoch, &written.author);
    if awaited.is_some_and(|mut readers| readers.all(|reader| has_read(&reader))) {
        return Fate::Over(End::ReadByAll);
    }
    Fate::Lives { until }
}
