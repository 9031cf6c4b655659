//! Which incarnation this device writes in.
//!
//! A log has one writer, and a home that goes on from an older state of itself would be a second
//! one: its next envelope has a number that is taken, which proves a fork to everybody and hides
//! what comes after. So a device that is not sure to be the only continuation of what it wrote
//! begins anew: it draws an incarnation at random, and with it writes logs of its own. Nothing is
//! lost; the logs of before come back from the other members as anybody's do.
//!
//! It begins anew
//! 1. at a start in another place than the last one: a home that was copied, or restored from a
//!    backup, is another directory, made at another time or on another machine;
//! 2. at a start where the store does not know who wrote, though there are channels;
//! 3. when a member has more of a log of this incarnation than there is here, or a proof that it
//!    forks: the home was set back in a way that the place does not show.
//!
//! An incarnation is drawn, not counted: two copies of one home must not come to the same.

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

/// Where a home is: equal from start to start, and different for a copy. Which facts tell that is
/// the shell's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Residence(pub [u8; 32]);

/// Who writes, as stored.
#[derive(Debug, Clone, Encode, Decode)]
#[cbor(array)]
struct WriterRecord {
    #[n(0)]
    incarnation: u32,
    #[n(1)]
    residence: ByteArray<32>,
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
        let stored = view.meta(META_WRITER)?;
        let known = stored
            .and_then(|bytes| kith_crdt::encoding::decode::<WriterRecord>(&bytes, RECORD_MAX).ok());
        match known {
            Some(record) => {
                self.writer.incarnation = record.incarnation;
                self.shared.put_began_anew(record.since);
                if *record.residence != self.residence.0 {
                    self.begin_anew(
                        now,
                        "the home is not where it was: a copy or a restored backup",
                    );
                }
            }
            None if view.channels().is_empty() => self.keep_writer(None),
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
            residence: self.residence.0.into(),
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
