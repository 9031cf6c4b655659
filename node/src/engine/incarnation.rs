//! Which incarnation this device writes in.
//!
//! A log has one writer, and a home that goes on from an older state of itself would be a second
//! one: its next envelope has a number that is taken, which proves a fork to everybody and hides
//! what comes after. So a device that is not sure to be the only continuation of what it wrote
//! begins anew: it draws an incarnation at random, and with it writes logs of its own. Nothing is
//! lost; the logs of before come back from the other members as anybody's do.
//!
//! It begins anew
//! 1. at a start that does not follow a stop in order of the run that wrote last: after a crash,
//!    which may have cost the end of the write-ahead log, and in a home that was copied or
//!    restored;
//! 2. when a member has more of a log of this incarnation than there is here, or a proof that it
//!    forks: the home was set back without leaving a trace;
//! 3. when its own last entry cannot be read back, or a start meets damage on the disk.
//!
//! An incarnation is drawn, not counted, and the first one as well: two copies of one home must not come to the same.

use kith_crdt::ids::Writer;
use kith_crdt::time::Millis;
use kith_store::{StoreError, View};
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use rand_chacha::rand_core::Rng;

use super::Engine;

/// The name under which the store keeps who writes.
const META_WRITER: &str = "writer";
/// Bytes of that record at most.
const RECORD_MAX: usize = 128;

/// Names one run of a daemon; drawn at random.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run(pub [u8; 32]);

/// A run, and the one before it if that stopped in order and nothing has happened since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Runs {
    /// The run that begins.
    pub this: Run,
    /// The run that ended.
    pub before: Option<Run>,
}

/// Who writes, as stored.
#[derive(Debug, Clone, Encode, Decode)]
#[cbor(array)]
struct WriterRecord {
    #[n(0)]
    incarnation: u32,
    /// The run that wrote it.
    #[n(1)]
    run: ByteArray<32>,
    /// When it began anew, if it ever did.
    #[n(2)]
    since: Option<Millis>,
}

impl Engine {
    /// Finds out at a start who writes from here on.
    ///
    /// # Errors
    /// [`StoreError`] if the record cannot be read.
    pub(super) fn take_up_writing(
        &mut self,
        now: Millis,
        view: &View<'_>,
    ) -> Result<(), StoreError> {
        let stored = view.meta(META_WRITER).unwrap_or_default();
        let known = stored
            .and_then(|bytes| kith_crdt::encoding::decode::<WriterRecord>(&bytes, RECORD_MAX).ok());
        // What damage took may be what this device wrote last.
        let is_whole = self.store.damage_count() == 0;
        let follows = |record: &WriterRecord| {
            let run = Run(*record.run);
            is_whole && (run == self.runs.this || Some(run) == self.runs.before)
        };
        match known {
            Some(record) if follows(&record) => {
                self.writer.incarnation = record.incarnation;
                self.shared.put_began_anew(record.since);
                self.keep_writer(record.since);
            }
            // Nothing was written here. But this may be a backup of the day on which the home was
            // made, so the first incarnation is drawn as well; there is nothing to tell of that.
            _ if is_whole && view.channels().is_empty() => {
                self.writer.incarnation = self.rng.next_u32();
                self.keep_writer(None);
            }
            Some(record) => {
                self.writer.incarnation = record.incarnation;
                self.begin_anew(
                    now,
                    "the last run did not stop in order here, or the disk is damaged: a crash, a \
                     copy or a restored backup",
                );
            }
            None => self.begin_anew(now, "the store does not know who wrote"),
        }
        Ok(())
    }

    /// Goes on as a new writer.
    pub(super) fn begin_anew(&mut self, now: Millis, why: &str) {
        let before = self.writer.incarnation;
        while self.writer.incarnation == before {
            self.writer.incarnation = self.rng.next_u32();
        }
        self.keep_writer(Some(now));
        self.shared.put_began_anew(Some(now));
        tracing::warn!(
            "{why}; this device goes on as a new writer, and what it lacks comes back from the other members"
        );
    }

    /// Stages the record of who writes: it is durable with the first thing that is written.
    fn keep_writer(&mut self, since: Option<Millis>) {
        let record = WriterRecord {
            incarnation: self.writer.incarnation,
            run: self.runs.this.0.into(),
            since,
        };
        let bytes = kith_crdt::encoding::encode(&record);
        self.stage.batch.put_meta(META_WRITER, bytes);
    }

    /// Whether a writer is this node as it writes now.
    pub(super) fn is_own(&self, writer: &Writer) -> bool {
        *writer == self.writer
    }
}
