//! A channel in memory, put together as a node puts it together: control log, logs, keys,
//! entries and projection.
//!
//! It takes ops, envelopes and forks in any order. What cannot be taken yet is the caller's to
//! offer again. The timeline is made from what arrived in the order of its arrival, so that a
//! projection that depended on it would show.

use std::collections::{BTreeMap, BTreeSet};

use kith_crdt::beacon::Beacon;
use kith_crdt::control::{ControlLog, Inserted, VerifiedOp};
use kith_crdt::crypto::sign::Signed;
use kith_crdt::envelope::Envelope;
use kith_crdt::ids::{AccountId, ChannelId, DeviceId, LogId, MessageId, Place, SegmentId};
use kith_crdt::keyring::Keyring;
use kith_crdt::log::{Acceptance, Fork, Log};
use kith_crdt::projection::{Claim, ClaimKind, Original, Position, SeenBy, render};
use kith_crdt::segment::{Entry, Message, SegmentDocument, WriterChange, read_change};
use kith_crdt::sync::{BeaconTime, Head, LogPart, Received, Replica, SegmentDigests, Session};
use kith_crdt::time::{Hlc, Millis};

/// One channel as one node holds it.
#[derive(Clone)]
pub(crate) struct MemoryReplica {
    pub(crate) channel: ChannelId,
    pub(crate) control: ControlLog,
    pub(crate) keyring: Keyring,
    pub(crate) now: Millis,
    pub(crate) beacons: BTreeMap<DeviceId, (Hlc, Signed)>,
    logs: BTreeMap<LogId, Log>,
    envelopes: BTreeMap<Place, Envelope>,
    arrived: Vec<Place>,
    forks: BTreeMap<LogId, Fork>,
    /// Kept up with the logs; a test may have it tell of logs that are not there.
    pub(crate) digests: SegmentDigests,
}

/// What became of an envelope that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offered {
    /// It, or the fork it proves, is part of the channel now.
    Taken,
    /// It was before, or belongs behind the end of a forked log.
    Settled,
    /// It does not follow the end of its log.
    Astray,
    /// It may be offered again when more has come.
    Later,
    /// It is not acceptable.
    Refused,
}

/// An entry that can be read.
struct Readable {
    place: Place,
    hlc: Hlc,
    entry: Entry,
    text: Option<String>,
    change: Vec<u8>,
}

/// What entries say about messages.
#[derive(Default)]
struct Said {
    claims: BTreeMap<MessageId, Vec<Claim>>,
    seen: BTreeMap<(SegmentId, AccountId), SeenBy>,
}

/// A message as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) position: Position,
    pub(crate) id: MessageId,
    pub(crate) message: Message,
    pub(crate) author: AccountId,
    /// The texts of its versions, the original first.
    pub(crate) texts: Vec<Option<String>>,
    pub(crate) deleted: Option<Place>,
    pub(crate) pinned: Option<Place>,
    pub(crate) reactions: Vec<(&'static str, BTreeSet<AccountId>)>,
    pub(crate) seen: BTreeMap<AccountId, Hlc>,
}

impl MemoryReplica {
    pub(crate) fn new(control: ControlLog, channel: ChannelId) -> Self {
        Self {
            channel,
            control,
            keyring: Keyring::new(),
            now: Millis(0),
            beacons: BTreeMap::new(),
            logs: BTreeMap::new(),
            envelopes: BTreeMap::new(),
            arrived: Vec::new(),
            forks: BTreeMap::new(),
            digests: SegmentDigests::new(),
        }
    }

    /// Takes a control op; false if it changes nothing.
    pub(crate) fn insert(&mut self, op: VerifiedOp) -> bool {
        matches!(self.control.insert(op), Inserted::Added(_))
    }

    pub(crate) fn offer(&mut self, envelope: &Envelope) -> Offered {
        let (place, id) = (envelope.place(), envelope.log_id());
        if envelope.verify(&self.channel).is_err() {
            return Offered::Refused;
        }
        if self
            .control
            .roster()
            .account_of(&id.writer.device)
            .is_none()
        {
            return Offered::Later;
        }
        let log = self.logs.entry(id).or_insert_with(|| Log::new(id));
        match log.check(envelope, self.now) {
            Acceptance::Next => {
                log.append(envelope);
                self.envelopes.insert(place, envelope.clone());
                self.arrived.push(place);
                self.note(&id);
                Offered::Taken
            }
            Acceptance::Known | Acceptance::Closed(_) => Offered::Settled,
            Acceptance::Behind | Acceptance::ForkSuspected => {
                let held = &self.envelopes[&place];
                match Fork::prove(&self.channel, held, envelope) {
                    Some(fork) => {
                        assert!(self.close(fork));
                        Offered::Taken
                    }
                    None => Offered::Settled,
                }
            }
            Acceptance::BadLink | Acceptance::Gap { .. } => Offered::Astray,
            Acceptance::TooFarAhead(_) => Offered::Later,
            Acceptance::Full | Acceptance::WrongWindow | Acceptance::Over => Offered::Refused,
        }
    }

    /// Takes a proof of a fork; false if an earlier one is known.
    pub(crate) fn close(&mut self, fork: Fork) -> bool {
        let place = fork.verify(&self.channel).unwrap();
        let id = place.log;
        let log = self.logs.entry(id).or_insert_with(|| Log::new(id));
        let last = self.envelopes.range(id.place(1)..place).next_back();
        if !log.close(place.seq, last.map(|(_, envelope)| envelope)) {
            return false;
        }
        let end = id.place(log.head);
        self.envelopes.retain(|at, _| at.log != id || *at <= end);
        self.arrived.retain(|at| at.log != id || *at <= end);
        self.forks.insert(id, fork);
        self.note(&id);
        true
    }

    /// Applies what a session received, as a node does: what cannot be used is skipped.
    pub(crate) fn apply(&mut self, received: Received, session: &mut Session) {
        for op in received.ops {
            self.insert(op);
        }
        for fork in received.forks {
            self.close(fork);
        }
        for LogPart { log, envelopes } in received.envelopes {
            let unusable = |offered| matches!(offered, Offered::Later | Offered::Refused);
            if envelopes
                .iter()
                .any(|envelope| unusable(self.offer(envelope)))
            {
                session.skip(&log);
            }
        }
        for (beacon, signed) in received.beacons {
            self.hear(beacon, signed);
        }
    }

    /// Takes a beacon, if it is the newest of its device.
    pub(crate) fn hear(&mut self, beacon: Beacon, signed: Signed) {
        let device = beacon.writer.device;
        if self
            .beacons
            .get(&device)
            .is_none_or(|(held, _)| *held < beacon.hlc)
        {
            self.beacons.insert(device, (beacon.hlc, signed));
        }
    }

    pub(crate) fn log(&self, id: LogId) -> Log {
        self.logs.get(&id).cloned().unwrap_or_else(|| Log::new(id))
    }

    /// The entries that can be read, in the order in which they arrived.
    fn entries(&self) -> Vec<Readable> {
        let read = |place: &Place| {
            let envelope = &self.envelopes[place];
            let segment = place.log.segment;
            let key = self
                .keyring
                .window_key(&envelope.header.epoch, segment.window)?;
            let opened = envelope.open(&self.channel, &key).ok()?;
            let actor = place.log.writer.actor(&self.channel);
            let entry = read_change(&opened.change, &actor, place.seq).ok()?;
            Some(Readable {
                place: *place,
                hlc: envelope.header.hlc,
                text: entry.text(opened.body).ok()?,
                entry,
                change: opened.change,
            })
        };
        self.arrived.iter().filter_map(read).collect()
    }

    /// Everything that a reader sees, oldest first.
    pub(crate) fn timeline(&self) -> Vec<Line> {
        let entries = self.entries();
        let said = self.said(&entries);
        let texts: BTreeMap<Place, &Option<String>> = entries
            .iter()
            .map(|read| (read.place, &read.text))
            .collect();
        let mut lines: Vec<Line> = entries
            .iter()
            .filter_map(|read| self.line(read, &said, &texts))
            .collect();
        lines.sort_by_key(|line| line.position);
        lines
    }

    fn line(
        &self,
        read: &Readable,
        said: &Said,
        texts: &BTreeMap<Place, &Option<String>>,
    ) -> Option<Line> {
        let Entry::Message(message) = &read.entry else {
            return None;
        };
        let (roster, place) = (self.control.roster(), read.place);
        let author = roster.account_of(&place.log.writer.device)?;
        let id = place.message_id(&self.channel);
        let rendered = render(
            roster,
            &Original { author, place },
            said.claims.get(&id).map_or(&[][..], Vec::as_slice),
            |at| Some(self.envelopes.get(at)?.header.epoch),
        );
        let seen = said.seen.iter().filter_map(|((segment, account), by)| {
            let here = *segment == place.log.segment;
            Some((
                *account,
                by.time_of(&place.log.writer, place.seq).filter(|_| here)?,
            ))
        });
        Some(Line {
            position: Position::new(read.hlc, place),
            id,
            message: message.clone(),
            author,
            texts: rendered
                .versions
                .iter()
                .map(|at| texts[at].clone())
                .collect(),
            deleted: rendered.deleted,
            pinned: rendered.pinned,
            reactions: rendered
                .reactions
                .into_iter()
                .map(|r| (r.emoji, r.accounts))
                .collect(),
            seen: seen.collect(),
        })
    }

    fn said(&self, entries: &[Readable]) -> Said {
        let mut said = Said::default();
        for read in entries {
            let (place, hlc, entry) = (read.place, read.hlc, &read.entry);
            if let (Some(target), Some(kind)) = (entry.target(), ClaimKind::of(entry)) {
                let claim = Claim {
                    at: place,
                    hlc,
                    kind,
                };
                said.claims.entry(target).or_default().push(claim);
            }
            let reader = self.control.roster().account_of(&place.log.writer.device);
            if let (Entry::Seen(ranges), Some(reader)) = (entry, reader) {
                for range in ranges {
                    let by = said.seen.entry((range.log.segment, reader)).or_default();
                    by.merge(range.log.writer, range.first, range.last, hlc);
                }
            }
        }
        said
    }

    /// The segment documents, each made in one batch.
    pub(crate) fn documents(&self) -> BTreeMap<SegmentId, SegmentDocument> {
        let mut changes: BTreeMap<SegmentId, Vec<WriterChange>> = BTreeMap::new();
        for read in self.entries() {
            let change = WriterChange {
                actor: read.place.log.writer.actor(&self.channel),
                seq: read.place.seq,
                bytes: read.change,
            };
            changes
                .entry(read.place.log.segment)
                .or_default()
                .push(change);
        }
        let document = |changes: Vec<WriterChange>| {
            let mut document = SegmentDocument::new();
            assert_eq!(document.apply_batch(&changes), changes.len());
            document
        };
        changes
            .into_iter()
            .map(|(segment, changes)| (segment, document(changes)))
            .collect()
    }

    /// How many entries can be read.
    pub(crate) fn readable(&self) -> usize {
        self.entries().len()
    }

    fn note(&mut self, id: &LogId) {
        let log = &self.logs[id];
        self.digests.set(
            id,
            Head {
                seq: log.head,
                link: log.link,
                fork: log.fork,
            },
        );
    }
}

impl Replica for MemoryReplica {
    fn channel(&self) -> ChannelId {
        self.channel
    }

    fn control(&self) -> &ControlLog {
        &self.control
    }

    fn digests(&self) -> &SegmentDigests {
        &self.digests
    }

    fn link(&self, place: &Place) -> Option<[u8; 32]> {
        self.envelopes.get(place).map(Envelope::link)
    }

    fn envelopes(&self, log: &LogId, from: u32, max_bytes: usize) -> Vec<Vec<u8>> {
        let mut left = max_bytes;
        self.envelopes
            .range(log.place(from)..=log.place(u32::MAX))
            .map(|(_, envelope)| envelope.to_bytes())
            .take_while(|bytes| {
                let fits = bytes.len() + 5 <= left;
                left = left.saturating_sub(bytes.len() + 5);
                fits
            })
            .collect()
    }

    fn fork(&self, log: &LogId) -> Option<Vec<u8>> {
        self.forks.get(log).map(Fork::to_bytes)
    }

    fn beacon_times(&self) -> Vec<BeaconTime> {
        let time = |(device, (hlc, _)): (&DeviceId, &(Hlc, Signed))| BeaconTime {
            device: *device,
            hlc: *hlc,
        };
        self.beacons.iter().map(time).collect()
    }

    fn beacon(&self, device: &DeviceId) -> Option<Signed> {
        self.beacons.get(device).map(|(_, signed)| signed.clone())
    }
}
