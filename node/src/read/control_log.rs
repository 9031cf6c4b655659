//! A channel's control log, read anew from the disk and believed only as far as its signatures.
//!
//! The engine has the log in memory; what explains or audits it does not take the engine's word.

use kith_crdt::control::{ControlLog, VerifiedOp};
use kith_crdt::ids::ChannelId;

use super::Reading;

/// A control log whose every signature was checked.
pub(super) struct CheckedLog {
    /// The log, of the ops whose signatures hold.
    pub(super) log: ControlLog,
    /// The ops whose signatures do not hold. They are in no log.
    pub(super) forged: Vec<VerifiedOp>,
    /// How many ops were looked at.
    pub(super) checked: u64,
    /// How many of them do not hold, those that are no op at all among them.
    pub(super) failed: u64,
}

impl Reading<'_> {
    /// The control log of a channel.
    pub(super) fn checked_log(&self, channel: &ChannelId) -> CheckedLog {
        let mut checked = CheckedLog {
            log: ControlLog::new(*channel),
            forged: Vec::new(),
            checked: 0,
            failed: 0,
        };
        let mut ops = Vec::new();
        for (id, bytes) in self.view.ops(channel) {
            checked.checked += 1;
            match VerifiedOp::verify(&bytes) {
                Ok(op) if op.id() == id => ops.push(op),
                _ => {
                    checked.failed += 1;
                    checked.forged.extend(VerifiedOp::from_stored(&bytes));
                }
            }
        }
        // By age, so that none has to wait for its ancestors: the places for those that do are few.
        ops.sort_by_key(|op| (op.op().lamport, op.id()));
        for op in ops {
            checked.log.insert(op);
        }
        checked
    }
}
