//! The one place that asks the system's clock.

use std::time::{SystemTime, UNIX_EPOCH};

use kith_crdt::time::Millis;

/// Now, by the system's clock. Before 1970 it is 1970.
pub fn now() -> Millis {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
