//! Going through the logs of a segment, envelope by envelope, and through its document.

use std::collections::{BTreeMap, BTreeSet};

use kith_api::Timestamp;
use kith_crdt::crypto::hash;
use kith_crdt::envelope::{Envelope, OpenError};
use kith_crdt::ids::{Actor, LogId, Place};
use kith_crdt::limits::{LOG_ENVELOPES, PAGE_BYTES};
use kith_crdt::log::{Fork, Log};
use kith_crdt::segment::{self, Entry, SegmentDocument, WriterChange};

use kith_crdt::time::HOUR_MS;

use super::expected::{Expected, Stated, TextHash};
use super::{Found, Verifying, damaged, different};
use crate::engine::ChannelView;

/// Envelopes read at a time.
const READ_AHEAD: usize = 1_024;

/// The hash by which a text is remembered.
pub(super) fn text_hash(text: &str) -> TextHash {
    hash::derive("verified-text", &[text.as_bytes()])
}

/// A segment as it is gone through.
#[derive(Default)]
struct Segment {
    changes: Vec<WriterChange>,
    stated: BTreeMap<(Actor, u32), Stated>,
    /// Writers of whom an entry is missing, and from where on: no document has what follows.
    broken: BTreeMap<Actor, u32>,
}

impl Verifying<'_> {
    /// The logs of one segment, and what they say.
    pub(super) fn walk(&mut self, logs: &[Log], expected: &mut Expected<'_>) -> Found {
        let mut segment = Segment::default();
        for log in logs {
            self.walk_log(log, &mut segment, expected)?;
        }
        self.report.segments += 1;
        self.document(&segment)?;
        for stated in segment.stated.into_values() {
            expected.add(stated);
        }
        Ok(())
    }

    fn walk_log(&mut self, log: &Log, segment: &mut Segment, expected: &mut Expected<'_>) -> Found {
        let mut link = Some([0; 32]);
        let mut head = [0; 32];
        let mut next = 1;
        loop {
            let page = self
                .reading
                .view
                .envelopes(&self.id, &log.id, next, READ_AHEAD, PAGE_BYTES);
            // What was here before the disk lost something stays, beyond the head.
            let belongs = |seq: u32| seq <= log.head || log.has_holes();
            let page: Vec<_> = page
                .into_iter()
                .take_while(|(seq, _)| belongs(*seq))
                .collect();
            let is_last = page.is_empty();
            for (seq, bytes) in page {
                self.skip_to(log, &mut next, seq, segment)
                    .map(|skipped| link = link.filter(|_| !skipped))?;
                let envelope = self.envelope(log.id.place(seq), &bytes, link)?;
                link = Some(envelope.link());
                if seq == log.head {
                    head = envelope.link();
                }
                self.open(&envelope, segment, expected);
                next += 1;
            }
            if is_last {
                break;
            }
        }
        if let Some(seq) = log.awaited.first() {
            return Err(self.missing(log.id.place(seq)));
        }
        if next <= log.head {
            return Err(self.missing(log.id.place(next)));
        }
        self.report.logs += 1;
        self.ends(log, head)
    }

    /// Goes on to a number past those that are known to be lost, and says whether there were any.
    fn skip_to(&self, log: &Log, next: &mut u32, seq: u32, segment: &mut Segment) -> Found<bool> {
        let from = *next;
        while *next < seq {
            if !log.lost.contains(*next) {
                return Err(self.missing(log.id.place(*next)));
            }
            let actor = log.id.writer.actor(&self.id);
            segment.broken.entry(actor).or_insert(*next);
            *next += 1;
        }
        Ok(*next > from)
    }

    /// One envelope, held against its place, its signature and the one before it.
    fn envelope(&mut self, place: Place, bytes: &[u8], prev: Option<[u8; 32]>) -> Found<Envelope> {
        let envelope = Envelope::from_stored(bytes, &self.id, place)
            .map_err(|error| different("an envelope", self.name(place), error.to_string()))?;
        self.report.entries += 1;
        self.report.signatures += 1;
        if envelope.verify(&self.id).is_err() {
            let detail = "it does not hold over the header and the hashes of the sealed parts";
            return Err(different("a signature", self.name(place), detail));
        }
        if prev.is_some_and(|prev| envelope.header.prev != prev) {
            let detail = "it does not follow the envelope before it";
            return Err(different("a hash chain", self.name(place), detail));
        }
        Ok(envelope)
    }

    /// Takes what an envelope says, if a key here opens it.
    fn open(&self, envelope: &Envelope, segment: &mut Segment, expected: &mut Expected<'_>) {
        let (header, place) = (&envelope.header, envelope.place());
        let actor = place.log.writer.actor(&self.id);
        let numbers = expected.numbers.entry(place.log).or_default();
        let epoch = self.served.roster.epochs.get(&header.epoch);
        let key = self
            .keys
            .window_key(&header.epoch, place.log.segment.window);
        let opened = epoch
            .zip(key)
            .map(|(epoch, key)| (epoch, envelope.open(&self.id, &key)));
        let said = match opened {
            None | Some((_, Err(OpenError::OtherKey))) => {
                numbers.unopened.insert(place.seq);
                None
            }
            Some((_, Err(_))) => None,
            Some((epoch, Ok(opened))) => {
                let change = opened.change.clone();
                let said = segment::read(&self.id, header, opened, epoch.term);
                said.ok().map(|said| (said, change))
            }
        };
        let Some((said, change)) = said else {
            if !numbers.unopened.contains(place.seq) {
                numbers.quarantined.insert(place.seq);
            }
            segment.broken.entry(actor).or_insert(place.seq);
            return;
        };
        segment.changes.push(WriterChange {
            actor,
            seq: place.seq,
            bytes: change,
        });
        let stated = Stated {
            place,
            hlc: header.hlc,
            epoch: header.epoch,
            entry: said.entry,
            text: said.text.as_deref().map(text_hash),
        };
        segment.stated.insert((actor, place.seq), stated);
    }

    /// That a log ends where its state says, and for the reason that it says.
    fn ends(&self, log: &Log, link: [u8; 32]) -> Found {
        let place = self.name(log.id.place(log.head));
        if log.link != link {
            let detail = "the log's state names another last envelope";
            return Err(different("a log", place, detail));
        }
        let beyond = self
            .reading
            .view
            .envelopes(&self.id, &log.id, log.head + 1, 1, PAGE_BYTES);
        if !beyond.is_empty() && !log.has_holes() || log.head > LOG_ENVELOPES {
            return Err(different("a log", place, "it goes on beyond its end"));
        }
        let Some(fork) = log.fork else {
            return Ok(());
        };
        let proof = self.reading.view.fork(&self.id, &log.id);
        let proven = proof
            .and_then(|bytes| Fork::parse(&bytes).ok())
            .and_then(|proof| proof.verify(&self.id).ok());
        if log.head >= fork || proven != Some(log.id.place(fork)) {
            let detail = "that its writer contradicted itself there is not proven";
            return Err(different("a fork", self.name(log.id.place(fork)), detail));
        }
        Ok(())
    }

    /// That the Automerge document of the segment says what its envelopes say.
    fn document(&self, segment: &Segment) -> Found {
        let follows = |change: &&WriterChange| {
            let broken = segment.broken.get(&change.actor);
            broken.is_none_or(|from| change.seq < *from)
        };
        let whole: Vec<&WriterChange> = segment.changes.iter().filter(follows).collect();
        let mut document = SegmentDocument::new();
        document.apply_batch(whole.iter().copied());
        let mut told: BTreeSet<(Actor, u32)> = BTreeSet::new();
        for (actor, seq, entry) in document.entries() {
            let stated = segment.stated.get(&(actor, seq));
            let same = stated.is_some_and(|stated| stated.entry == entry);
            if !same && !matches!(entry, Entry::Unknown { .. }) {
                let place = stated.map_or_else(String::new, |stated| self.name(stated.place));
                let detail = "the document has another entry than the envelope";
                return Err(different("a document", place, detail));
            }
            told.insert((actor, seq));
        }
        for change in whole {
            let of = (change.actor, change.seq);
            if !told.contains(&of) {
                let place = segment.stated.get(&of);
                let place = place.map_or_else(String::new, |stated| self.name(stated.place));
                let detail = "the document lacks what the envelope says";
                return Err(different("a document", place, detail));
            }
        }
        Ok(())
    }

    fn missing(&self, place: Place) -> super::Different {
        let detail = "it cannot be read from the disk";
        damaged("an envelope", self.name(place), detail)
    }

    pub(super) fn name(&self, place: Place) -> String {
        named(self.served, place)
    }
}

/// An envelope as people find it: by writer, day and number, and by the id that it has as a
/// message.
pub(in crate::read) fn named(channel: &ChannelView, place: Place) -> String {
    let LogId { segment, writer } = place.log;
    let roster = &channel.roster;
    let member = roster
        .account_of(&writer.device)
        .and_then(|account| roster.members.get(&account));
    let whose = member.map_or_else(
        || "somebody unknown".to_owned(),
        |member| member.name.clone(),
    );
    let begins = Timestamp(u64::from(segment.window.0) * HOUR_MS).to_string();
    let begins = begins.get(..13).unwrap_or_default().replace('T', " ");
    format!(
        "number {} by {whose} in segment {} of {begins} h ({})",
        place.seq,
        segment.index,
        place.message_id(&channel.id)
    )
}
