//! Verifying a channel: everything that is shown of it is computed anew, from the signed bytes on
//! the disk, and held against what is kept and served.
//!
//! 1. The control log: every signature, then the roster.
//! 2. Every log (`walk`): number, link and signature of each envelope, the hashes of its sealed
//!    parts, and where the log ends.
//! 3. What the envelopes say, out of the Automerge documents of their segments (`walk`).
//! 4. Timelines, threads, claims and receipts made of that (`expected`), against the index, the
//!    pages and the figures that people are shown (`compare`).
//!
//! None of the code that keeps these up from turn to turn is used, or it would prove nothing.
//! What is read is the home as the next start would find it ([`kith_store::Inspection`]): neither
//! a cache nor the engine's memory hides what has happened to the disk, and nobody waits.

mod compare;
mod expected;
mod unreadable;
mod walk;

pub(super) use walk::named;

use std::sync::Arc;
use std::time::{Duration, Instant};

use kith_api::ApiError;
use kith_api::verify::{Difference, VerifyReport};
use kith_crdt::control::{ControlLog, Roster};
use kith_crdt::encoding;
use kith_crdt::ids::{AccountId, ChannelId, DeviceId};
use kith_crdt::keyring::Keyring;
use kith_crdt::keys::EpochKeys;
use kith_crdt::log::Log;
use kith_crdt::sync::{Head, SegmentDigests};
use kith_crdt::time::Millis;
use kith_store::{Inspection, Reader};

use self::expected::Expected;
use super::control_log::CheckedLog;
use super::{LOG_MAX, Reading};
use crate::engine::{ChannelView, Shared};

/// Times that a moment is looked for in which disk and memory are the same.
const TRIES: u32 = 20;
/// Times that a difference has to be found: a file may be replaced just as it is looked for.
const SURE: u32 = 3;
/// Between two of them.
const PAUSE: Duration = Duration::from_millis(50);

/// What to do about damage.
const DAMAGED: &str = "check the disk: records on it are damaged; `kith verify --mend` brings back \
                       what other members still have";
/// What to do about what should not be.
const WRONG: &str = "stop the daemon and start it again; if it stays, report it with this message";

/// Something that is not as it should be.
struct Different {
    told: Difference,
    /// Whether it may be gone in a moment, because something was under way.
    passing: bool,
}

/// Goes on until the first thing that is not as it should be.
type Found<T = ()> = Result<T, Different>;

/// Verifies one channel.
pub(super) struct Verifying<'a> {
    id: ChannelId,
    /// What is served, as far as it is in memory.
    served: &'a ChannelView,
    /// Whether memory and disk are of one moment.
    settled: bool,
    inspection: &'a Inspection,
    reading: Reading<'a>,
    keys: Keyring,
    report: VerifyReport,
}

/// Verifies a channel, as it is to be by a clock.
///
/// # Errors
/// [`ApiError`] if the channel is gone.
pub fn verify(
    reader: &Reader,
    shared: &Shared,
    (me, device): (AccountId, DeviceId),
    id: &ChannelId,
    clock: impl Fn() -> Millis,
) -> Result<VerifyReport, ApiError> {
    let begun = Instant::now();
    let gone = || ApiError::not_found("the channel is gone");
    let mut tries = 0;
    let mut report = loop {
        tries += 1;
        let before = shared.channel(id).ok_or_else(gone)?;
        let inspection = match reader.inspect() {
            Ok(inspection) => inspection,
            Err(error) => break unreadable(&before, &error.to_string()),
        };
        let after = shared.channel(id).ok_or_else(gone)?;
        let last = tries == TRIES;
        // A roster that changed meanwhile would be held against another log.
        let quiet = before.digest == after.digest;
        if quiet || last && Arc::ptr_eq(&before.roster, &after.roster) {
            let reading = Reading::new(inspection.reader(), shared, (me, device), clock());
            let mut verifying = Verifying::new(&before, quiet, &inspection, reading);
            let found = verifying.all();
            let again = match &found {
                Err(different) if different.passing => !last,
                Err(_) => tries < SURE,
                Ok(()) => false,
            };
            if !again {
                verifying.report.difference = found.err().map(|different| different.told);
                verifying.report.unreadable = verifying.unreadable(reader);
                let is_damaged = inspection.reader().damage_count() + reader.damage_count() > 0;
                // Whoever reads from here on is to be warned, and the next start to salvage.
                if verifying.report.difference.is_some() {
                    reader.take_over(&inspection);
                }
                if let Some(difference) =
                    verifying.report.difference.as_mut().filter(|_| is_damaged)
                {
                    difference.remedy = DAMAGED.to_owned();
                }
                break verifying.report;
            }
        } else if last {
            return Err(ApiError::other(
                "who belongs to the channel changed all the while: try again in a moment",
            ));
        }
        std::thread::sleep(PAUSE);
    };
    report.equal = report.difference.is_none();
    report.ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(report)
}

fn unreadable(served: &ChannelView, error: &str) -> VerifyReport {
    VerifyReport {
        difference: Some(Difference {
            what: "the disk".to_owned(),
            place: "the databases of this home".to_owned(),
            detail: error.to_owned(),
            remedy: DAMAGED.to_owned(),
        }),
        ..blank(served)
    }
}

fn blank(served: &ChannelView) -> VerifyReport {
    VerifyReport {
        channel: served.id.into(),
        channel_name: served.name.clone(),
        equal: false,
        settled: false,
        ops: 0,
        logs: 0,
        segments: 0,
        entries: 0,
        messages: 0,
        signatures: 0,
        ms: 0,
        difference: None,
        unreadable: Vec::new(),
    }
}

/// A difference: what, where, and what it is.
fn different(what: &str, place: impl Into<String>, detail: impl Into<String>) -> Different {
    Different {
        told: Difference {
            what: what.to_owned(),
            place: place.into(),
            detail: detail.into(),
            remedy: WRONG.to_owned(),
        },
        passing: false,
    }
}

/// A difference that comes of damage.
fn damaged(what: &str, place: impl Into<String>, detail: impl Into<String>) -> Different {
    let mut different = different(what, place, detail);
    different.told.remedy = DAMAGED.to_owned();
    different
}

impl<'a> Verifying<'a> {
    fn new(
        served: &'a ChannelView,
        settled: bool,
        inspection: &'a Inspection,
        reading: Reading<'a>,
    ) -> Self {
        let mut keys = Keyring::new();
        for bytes in inspection.epochs(&served.id) {
            if let Ok(epoch) = encoding::decode::<EpochKeys>(&bytes, LOG_MAX) {
                keys.insert(epoch);
            }
        }
        let mut report = blank(served);
        report.settled = settled;
        Self {
            id: served.id,
            served,
            settled,
            inspection,
            reading,
            keys,
            report,
        }
    }

    fn all(&mut self) -> Found {
        let control = self.control()?;
        let logs = self.logs();
        self.no_damage()?;
        self.same_moment(&control, &logs)?;
        self.same_keys()?;
        let us = (self.reading.me, Arc::clone(&self.reading.own.blocked));
        let mut expected = Expected::new(self.served, us, self.reading.now);
        for segment in logs.chunk_by(|a, b| a.id.segment == b.id.segment) {
            self.walk(segment, &mut expected)?;
        }
        if let Some(place) = expected.leave_out_erased(&logs) {
            let detail = "it was erased as one that is over, and by what was signed it is not";
            return Err(different("a message", self.name(place), detail));
        }
        self.report.messages = expected.messages.len() as u64;
        self.compare(&logs, expected)?;
        self.inspection.read_the_rest(&self.id);
        self.no_damage()
    }

    /// The control log, and the roster that it makes.
    fn control(&mut self) -> Found<ControlLog> {
        let CheckedLog {
            log,
            checked,
            failed,
            ..
        } = self.reading.checked_log(&self.id);
        self.report.ops = checked;
        self.report.signatures += checked;
        if failed > 0 {
            let detail = format!("{failed} of {checked} ops do not hold");
            return Err(different("a signature", "the control log", detail));
        }
        self.no_damage()?;
        if log.waiting() > 0 {
            let detail = format!("{} ops build on ops that are not there", log.waiting());
            return Err(different("ops", "the control log", detail));
        }
        same_roster(log.roster(), &self.served.roster)?;
        Ok(log)
    }

    /// The states of all logs, by segment.
    fn logs(&self) -> Vec<Log> {
        let stored = self.reading.view.logs(&self.id).into_iter();
        let mut logs: Vec<Log> = stored
            .filter_map(|(_, bytes)| encoding::decode(&bytes, LOG_MAX).ok())
            .collect();
        logs.sort_by_key(|log| log.id);
        logs
    }

    /// That nothing of the channel that was read so far is damaged.
    fn no_damage(&self) -> Found {
        let damage = self.inspection.damage_of(&self.id);
        let Some(first) = damage.first() else {
            return Ok(());
        };
        let detail = match damage.len() {
            1 => first.to_string(),
            records => format!("{records} records cannot be read, the first of them {first}"),
        };
        Err(damaged("a damaged record", "the disk", detail))
    }

    /// That the digest over what is on the disk is the one that the daemon tells others.
    fn same_moment(&self, control: &ControlLog, logs: &[Log]) -> Found {
        if !self.settled {
            return Ok(());
        }
        let mut digests = SegmentDigests::new();
        let roster = control.roster();
        for log in logs.iter().filter(|log| roster.counts(&log.id)) {
            if self.served.conceals(&log.id) {
                continue;
            }
            let head = Head {
                seq: log.head,
                link: log.link,
                fork: log.fork,
            };
            digests.set(&log.id, head);
        }
        if digests.channel(&self.id, &control.heads()) == self.served.digest {
            return Ok(());
        }
        // A turn may be on the disk and not in memory yet.
        Err(Different {
            passing: true,
            ..different(
                "the digest",
                "the whole channel",
                "what the daemon tells others that it holds is not what is on the disk",
            )
        })
    }

    /// That the keys on the disk are those that the daemon opens messages with.
    fn same_keys(&self) -> Found {
        for held in self.served.keys.iter() {
            if self.keys.get(&held.epoch) != Some(held) {
                let place = format!("epoch {}", held.epoch);
                let detail = "its keys in memory are not on the disk";
                return Err(different("keys", place, detail));
            }
        }
        Ok(())
    }
}

/// That two rosters are the same, else what differs.
fn same_roster(ours: &Roster, served: &Roster) -> Found {
    if ours == served {
        return Ok(());
    }
    let both = ours.members.keys().chain(served.members.keys());
    let mut differing = both.filter(|account| {
        let of = |roster: &Roster| roster.members.get(account).cloned();
        of(ours) != of(served)
    });
    let (place, detail) = match differing.next() {
        Some(account) => {
            let told = |roster: &Roster| match roster.members.get(account) {
                Some(member) => format!("{} and {:?}", member.role, member.status),
                None => "nobody".to_owned(),
            };
            (
                format!("account {account}"),
                format!(
                    "the ops make them {}, and shown is {}",
                    told(ours),
                    told(served)
                ),
            )
        }
        None => (
            "the channel's settings, invites or epochs".to_owned(),
            "the ops make others than are shown".to_owned(),
        ),
    };
    // A turn may be on the disk and not in memory yet.
    Err(Different {
        passing: true,
        ..different("the roster", place, detail)
    })
}
