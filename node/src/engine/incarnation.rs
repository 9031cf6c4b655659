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
//!
//! By the same numbers a device knows that it has a double. Whatever was written as this device
//! after it began anew, and not in its incarnation, was written by another continuation of the home.
//! The owner is told, on both: nothing is lost, but one device was meant to be one.

use kith_crdt::ids::Writer;
use kith_crdt::limits::CLOCK_SKEW_MAX_MS;
use kith_crdt::time::{Hlc, Millis};
use kith_store::{StoreError, View};
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use rand_chacha::rand_core::Rng;

use super::Engine;

/// The name under which the store keeps who writes.
const META_WRITER: &str = "writer";
/// The name under which it is kept when the backup was made that this home was restored from.
pub const META_BACKUP: &str = "backup";
/// Milliseconds by which a double has to have gone on before that is written down again.
const DOUBLE_STEP_MS: u64 = 60_000;
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
    /// Whether this is a copy of a home whose run stopped in order.
    pub copied: bool,
}

/// Why a device went on as a new writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Cause {
    /// The last run did not stop in order: it crashed, or the home was copied while it ran.
    #[n(1)]
    Crash,
    /// The home is a copy, or was put back from one.
    #[n(2)]
    Copy,
    /// It was restored from a backup.
    #[n(3)]
    Backup,
    /// Others have more of what this device wrote than the home has.
    #[n(4)]
    SetBack,
    /// The disk was damaged.
    #[n(5)]
    Damage,
}

impl Cause {
    const fn told(self) -> &'static str {
        match self {
            Self::Crash => "the last run did not stop in order here: a crash, or a copy",
            Self::Copy => "this home is a copy, or was put back from one",
            Self::Backup => "this home was restored from a backup",
            Self::SetBack => "others have more of what this device wrote than is here",
            Self::Damage => "the disk is or was damaged",
        }
    }
}

/// How this home goes on from what the device wrote before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Continuation {
    /// When it last began anew, and why; nothing if it never did.
    pub anew: Option<(Millis, Cause)>,
    /// When the newest was written as this device that another continuation wrote, and when that was
    /// heard of here; nothing if there is none.
    pub doubled: Option<(Millis, Millis)>,
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
    /// Why it did.
    #[n(3)]
    cause: Option<Cause>,
    /// When the newest was written that a double wrote, and when that was heard of.
    #[n(4)]
    doubled: Option<(Millis, Millis)>,
}

impl WriterRecord {
    fn continuation(&self) -> Continuation {
        Continuation {
            anew: self
                .since
                .map(|at| (at, self.cause.unwrap_or(Cause::Crash))),
            doubled: self.doubled,
        }
    }
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
        let is_restored = view.meta(META_BACKUP).is_ok_and(|made| made.is_some());
        let follows = |record: &WriterRecord| {
            let run = Run(*record.run);
            is_whole && (run == self.runs.this || Some(run) == self.runs.before)
        };
        self.continuation = known
            .as_ref()
            .map_or_else(Continuation::default, WriterRecord::continuation);
        if let Some(record) = &known {
            self.writer.incarnation = record.incarnation;
        }
        match known {
            Some(record) if follows(&record) => self.keep_writer(),
            // Nothing was written here. But this may be a backup of the day on which the home was
            // made, so the first incarnation is drawn as well; there is nothing to tell of that.
            None if is_whole && !is_restored && view.channels().is_empty() => {
                self.writer.incarnation = self.rng.next_u32();
                self.keep_writer();
            }
            _ if !is_whole => self.begin_anew(now, Cause::Damage),
            None if is_restored => self.begin_anew(now, Cause::Backup),
            None => self.begin_anew(now, Cause::Damage),
            Some(_) if self.runs.copied => self.begin_anew(now, Cause::Copy),
            Some(_) => self.begin_anew(now, Cause::Crash),
        }
        self.shared.put_continuation(self.continuation);
        Ok(())
    }

    /// Goes on as a new writer.
    pub(super) fn begin_anew(&mut self, now: Millis, cause: Cause) {
        let before = self.writer.incarnation;
        while self.writer.incarnation == before {
            self.writer.incarnation = self.rng.next_u32();
        }
        // What this device wrote before may bear a later time than the clock's, by the others'.
        let at = now.max(self.hlc.millis());
        self.continuation.anew = Some((at, cause));
        self.keep_writer();
        tracing::warn!(
            "{}; this device goes on as a new writer, and what it lacks comes back from the other members",
            cause.told()
        );
    }

    /// Stages the record of who writes: it is durable with the first thing that is written.
    fn keep_writer(&mut self) {
        let Continuation { anew, doubled } = self.continuation;
        let record = WriterRecord {
            incarnation: self.writer.incarnation,
            run: self.runs.this.0.into(),
            since: anew.map(|(at, _)| at),
            cause: anew.map(|(_, cause)| cause),
            doubled,
        };
        let bytes = kith_crdt::encoding::encode(&record);
        self.stage.batch.put_meta(META_WRITER, bytes);
        self.shared.put_continuation(self.continuation);
    }

    /// Looks at something that is signed by this device, and came from elsewhere: if it was written
    /// after this home began to go on by itself, there is another that does.
    pub(super) fn look_for_double(&mut self, writer: &Writer, hlc: Hlc) {
        let at = hlc.millis();
        let is_of_before = self.continuation.anew.is_some_and(|(since, cause)| {
            // What the home has lost it cannot know the times of, which may be ahead by the others'
            // clocks.
            let ahead = match cause {
                Cause::Backup | Cause::SetBack => CLOCK_SKEW_MAX_MS,
                Cause::Crash | Cause::Copy | Cause::Damage => 0,
            };
            at <= since.plus(ahead)
        });
        if writer.device != self.writer.device || self.is_own(writer) || is_of_before {
            return;
        }
        match self.continuation.doubled {
            Some((known, _)) if at < known.plus(DOUBLE_STEP_MS) => return,
            Some(_) => {}
            None => tracing::warn!(
                "another copy of this home is in use, or was: both write as this device; stop one of \
                 the two, and link a device of its own in its place"
            ),
        }
        self.continuation.doubled = Some((at, self.now));
        self.keep_writer();
    }

    /// Whether a writer is this node as it writes now.
    pub(super) fn is_own(&self, writer: &Writer) -> bool {
        *writer == self.writer
    }
}
