//! Repeated commands: what an idempotency key led to is remembered, so that a retry does nothing
//! again and gets the first answer.

use kith_crdt::encoding;
use kith_crdt::time::Millis;
use minicbor::{Decode, Encode};

use super::effect::Outcome;
use super::event::Command;
use super::{Engine, Timer};

/// Milliseconds for which a repeated command gets its first outcome: a week.
const OUTCOME_KEPT_MS: u64 = 7 * 86_400_000;
/// Milliseconds between looks at what has been kept for longer.
const TIDY_MS: u64 = 3_600_000;
/// Bytes of a kept outcome.
const OUTCOME_MAX: usize = 16 * 1024;

/// What a command with an idempotency key led to, and when.
#[derive(Debug, Clone, Encode, Decode)]
#[cbor(array)]
pub(super) struct Kept {
    #[n(0)]
    at: Millis,
    #[n(1)]
    pub(super) outcome: Outcome,
    /// [`fingerprint`] of the command.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(super) asked: [u8; 32],
}

impl Engine {
    /// What a command with this key asked for and led to before.
    pub(super) fn repeated(&self, key: &str) -> Option<Kept> {
        if let Some(kept) = self.stage.keys.get(key) {
            return Some(kept.clone());
        }
        let stored = self.store.reader().view().idempotency(key)?;
        encoding::decode(&stored, OUTCOME_MAX).ok()
    }

    /// Forgets outcomes that nobody will ask for again.
    pub(super) fn tidy(&mut self, now: Millis) {
        let reader = self.store.reader();
        for (handle, bytes) in reader.view().all_idempotency() {
            let kept = encoding::decode::<Kept>(&bytes, OUTCOME_MAX);
            if kept.is_ok_and(|kept| now.since(kept.at) > OUTCOME_KEPT_MS) {
                self.stage.batch.delete_idempotency(handle);
            }
        }
        self.timers.set(Timer::Tidy, now.plus(TIDY_MS));
    }

    /// Remembers what a command led to, if it has a key.
    pub(super) fn remember(&mut self, key: Option<String>, asked: [u8; 32], outcome: &Outcome) {
        if let Some(key) = key {
            let kept = Kept {
                at: self.now,
                outcome: outcome.clone(),
                asked,
            };
            self.stage
                .batch
                .put_idempotency(&key, encoding::encode(&kept));
            self.stage.keys.insert(key, kept);
        }
    }
}

/// By what a command is told from another one with the same key. An invite's times are of the
/// call, so of one command only what was meant counts.
pub(super) fn fingerprint(command: &Command) -> [u8; 32] {
    let mut meant = command.clone();
    if let Command::Invite { expires_at, .. } = &mut meant {
        *expires_at = Millis(0);
    }
    kith_crdt::crypto::hash::derive("command", &[format!("{meant:?}").as_bytes()])
}
