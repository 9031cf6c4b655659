//! The asking side: pulls what a peer holds of one channel and we lack, one request at a time.
//!
//! A session asks for a summary; where that differs, for the control ops; then for the vectors of
//! the segments that differ and the envelopes lacking in them, newest segments first; then for
//! beacons. Where the summary is the same, it asks for beacons only if the replica waits for word
//! of somebody; where the replica has no room, it asks for no envelopes. It decides only what to
//! ask: what an answer brings goes to the host, and the host applies it before it asks for the next
//! request, so that every request is made from what the replica holds then. Nothing is lost when a
//! session ends early, and the next one needs nothing from it.
//!
//! A peer may answer whatever it likes. Each request has to bring something new within
//! [`SYNC_IDLE_ROUNDS`](crate::limits::SYNC_IDLE_ROUNDS), a session has at most
//! [`SYNC_ROUNDS`](crate::limits::SYNC_ROUNDS), and a log of which nothing usable comes is given
//! up until the next session.

use std::collections::{BTreeMap, VecDeque};

use super::control_pull::ControlPull;
use super::digest::{Head, SegmentDigest};
use super::effort::{Effort, End, Outcome};
use super::message::{Answer, BeaconTime, LogWant, Request, SegmentVector, VectorWant};
use super::page::{LogPart, Page};
use super::replica::Replica;
use super::targets::{Brought, Targets};
use crate::beacon::Beacon;
use crate::control::VerifiedOp;
use crate::crypto::sign::Signed;
use crate::ids::{ChannelId, DeviceId, LogId, SegmentId};
use crate::limits::{SUMMARY_HEADS, SYNC_BEACONS, VECTOR_SEGMENTS};
use crate::log::Fork;
use crate::time::Hlc;

/// One pull of one channel from one peer.
#[derive(Debug)]
pub struct Session {
    channel: ChannelId,
    asked: Asked,
    control: Control,
    /// Segments as the peer has listed them, not yet compared with ours.
    listed: Vec<SegmentDigest>,
    /// Where the peer's list of segments was cut.
    older: Option<SegmentId>,
    /// Segments that differ and whose vectors are still to be asked for, newest first.
    differing: VecDeque<VectorWant>,
    /// Vectors as the peer has sent them, not yet compared with ours.
    vectors: Vec<SegmentVector>,
    targets: Targets,
    /// Whether the peer holds the same. Then only what devices were heard to hold may be news.
    same: bool,
    /// Whether the peer may have envelopes that were not asked for, as there is no room for them.
    withheld: bool,
    /// Whether the peer may have further beacons.
    beacons_open: bool,
    effort: Effort,
    end: Option<End>,
}

/// What the last request was about, and what the replica held when it was made.
#[derive(Debug)]
enum Asked {
    Nothing,
    Summary {
        below: Option<SegmentId>,
    },
    Control {
        held: usize,
    },
    Vectors {
        wants: Vec<VectorWant>,
    },
    Pull {
        wants: Vec<LogWant>,
        before: Vec<Option<Head>>,
        brought: BTreeMap<LogId, Brought>,
    },
    Beacons {
        have: Vec<BeaconTime>,
    },
}

#[derive(Debug)]
enum Control {
    /// The peer has not told its heads yet.
    Unheard,
    Open(ControlPull),
    Finished,
}

/// What an answer brought, for the host to apply: well formed and signed by whom it names, and
/// nothing more is known of it.
#[derive(Debug, Default)]
pub struct Received {
    /// Control ops whose signatures hold.
    pub ops: Vec<VerifiedOp>,
    /// Envelopes by log, in the order to apply them.
    pub envelopes: Vec<LogPart>,
    /// Forks whose proofs hold.
    pub forks: Vec<Fork>,
    /// Beacons, each with the bytes it came as.
    pub beacons: Vec<(Beacon, Signed)>,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Send this and [`Session::take`] its answer.
    Ask(Request),
    /// The session is over.
    Done(Outcome),
}

impl Session {
    /// Starts a session and gives its first request.
    pub fn start(replica: &impl Replica) -> (Self, Request) {
        let mut session = Self {
            channel: replica.channel(),
            asked: Asked::Nothing,
            control: Control::Unheard,
            listed: Vec::new(),
            older: None,
            differing: VecDeque::new(),
            vectors: Vec::new(),
            targets: Targets::default(),
            same: false,
            withheld: false,
            beacons_open: true,
            effort: Effort::default(),
            end: None,
        };
        let request = session.ask_summary(replica, None);
        session.effort.ask();
        (session, request)
    }

    /// The channel that is pulled.
    pub const fn channel(&self) -> ChannelId {
        self.channel
    }

    /// Takes the answer to the last request. The host applies what it brought before it calls
    /// [`Session::next`].
    pub fn take(&mut self, answer: Answer) -> Received {
        let mut received = Received::default();
        let fits = match (&self.asked, answer) {
            (_, Answer::Refused(refusal)) => {
                self.end = Some(End::Refused(refusal));
                true
            }
            (Asked::Summary { below: None }, Answer::Same) => {
                self.same = true;
                true
            }
            (
                Asked::Summary { below },
                Answer::Differs {
                    heads,
                    segments,
                    more,
                },
            ) => {
                let below = *below;
                if matches!(self.control, Control::Unheard) {
                    self.control = Control::Open(ControlPull::new(self.channel, heads));
                }
                self.take_segments(below, segments, more)
            }
            (Asked::Control { .. }, Answer::Ops { ops, more }) => {
                received.ops = self.take_ops(&ops, more);
                true
            }
            (Asked::Vectors { .. }, Answer::Vectors { segments, more }) => {
                self.take_vectors(segments, more)
            }
            (Asked::Pull { .. }, Answer::Page { envelopes, forks }) => {
                (received.envelopes, received.forks) = self.take_page(&envelopes, &forks);
                true
            }
            (Asked::Beacons { .. }, Answer::Beacons { beacons, more }) => {
                self.beacons_open = more;
                received.beacons = self.take_beacons(beacons);
                true
            }
            _ => false,
        };
        if !fits {
            self.end = Some(End::Unexpected);
        }
        received
    }

    /// Excludes a log for the rest of the session, because the host can do nothing with what
    /// comes of it now: its time has not come, or its writer is unknown. Not where an envelope
    /// does not follow the end of its log: the session looks into that itself.
    pub fn skip(&mut self, log: &LogId) {
        self.targets.give_up(log);
    }

    /// Says what to do after what was received has been applied.
    pub fn next(&mut self, replica: &impl Replica) -> Next {
        let advanced = self.conclude(replica);
        self.effort.note(advanced);
        let end = match self.end.or(self.effort.spent()) {
            Some(end) => end,
            None => match self.plan(replica) {
                Some(request) => {
                    self.effort.ask();
                    return Next::Ask(request);
                }
                None if self.same => End::Same,
                None if self.withheld => End::Full,
                None => End::Complete,
            },
        };
        self.end = Some(end);
        self.asked = Asked::Nothing;
        Next::Done(self.effort.outcome(end, self.targets.given_up()))
    }

    fn take_segments(
        &mut self,
        below: Option<SegmentId>,
        segments: Vec<SegmentDigest>,
        more: bool,
    ) -> bool {
        let falling = segments.is_sorted_by(|newer, older| newer.segment > older.segment);
        let first = segments.first().map(|listed| listed.segment);
        let from_below = first.is_none_or(|first| below.is_none_or(|below| first < below));
        self.older = segments
            .last()
            .map(|listed| listed.segment)
            .filter(|_| more);
        self.listed = segments;
        falling && from_below
    }

    fn take_ops(&mut self, ops: &[Vec<u8>], more: bool) -> Vec<VerifiedOp> {
        let Control::Open(pull) = &mut self.control else {
            return Vec::new();
        };
        let page = pull.take(ops);
        if !more || !page.advanced {
            self.control = Control::Finished;
        }
        self.effort.ops += page.ops.len();
        self.effort.faults += page.faults;
        page.ops
    }

    fn take_vectors(&mut self, segments: Vec<SegmentVector>, more: bool) -> bool {
        let Asked::Vectors { wants } = &self.asked else {
            return false;
        };
        let fits = !segments.is_empty()
            && segments.len() <= wants.len()
            && wants.iter().zip(&segments).all(|(want, given)| {
                want.segment == given.segment
                    && given.logs.is_sorted_by(|a, b| a.writer < b.writer)
                    && given.logs.iter().all(|log| Some(log.writer) > want.after)
            });
        if !fits {
            return false;
        }
        for want in wants[segments.len()..].iter().rev() {
            self.differing.push_front(*want);
        }
        let cut = segments.last().filter(|_| more);
        if let Some((cut, last)) = cut.and_then(|cut| Some((cut, cut.logs.last()?))) {
            let after = Some(last.writer);
            self.differing.push_front(VectorWant {
                segment: cut.segment,
                after,
            });
        }
        self.vectors = segments;
        true
    }

    fn take_page(&mut self, envelopes: &[Vec<u8>], forks: &[Vec<u8>]) -> (Vec<LogPart>, Vec<Fork>) {
        let Asked::Pull { wants, brought, .. } = &mut self.asked else {
            return Default::default();
        };
        let page = Page::read(&self.channel, wants, envelopes, forks);
        *brought = page.brought;
        self.effort.envelopes += page
            .parts
            .iter()
            .map(|part| part.envelopes.len())
            .sum::<usize>();
        self.effort.faults += page.faults;
        (page.parts, page.forks)
    }

    fn take_beacons(&mut self, beacons: Vec<Signed>) -> Vec<(Beacon, Signed)> {
        let count = beacons.len();
        let verified = |signed| Some((Beacon::verify(&self.channel, &signed).ok()?, signed));
        let beacons: Vec<_> = beacons.into_iter().filter_map(verified).collect();
        self.effort.faults += count - beacons.len();
        beacons
    }

    /// Draws the conclusions from the last answer and tells whether it brought anything new.
    fn conclude(&mut self, replica: &impl Replica) -> bool {
        match std::mem::replace(&mut self.asked, Asked::Nothing) {
            Asked::Nothing => false,
            Asked::Summary { .. } => {
                let ours = replica.digests();
                let differ = |listed: &SegmentDigest| {
                    ours.segment(&listed.segment) != Some(listed.digest)
                        && !replica.is_over(&listed.segment)
                };
                let listed = std::mem::take(&mut self.listed).into_iter().filter(differ);
                self.differing.extend(listed.map(|listed| VectorWant {
                    segment: listed.segment,
                    after: None,
                }));
                false
            }
            Asked::Control { held } => replica.control().len() > held,
            Asked::Vectors { .. } => {
                for SegmentVector { segment, logs } in std::mem::take(&mut self.vectors) {
                    for log in logs {
                        let id = LogId {
                            segment,
                            writer: log.writer,
                        };
                        self.targets.hear(replica, id, log.head);
                    }
                }
                false
            }
            Asked::Pull {
                wants,
                before,
                brought,
            } => {
                self.targets.conclude(replica, &wants, &brought);
                before != heads(replica, &wants)
            }
            Asked::Beacons { have } => {
                let advanced = replica.beacon_times() != have;
                self.beacons_open &= advanced;
                advanced
            }
        }
    }

    fn plan(&mut self, replica: &impl Replica) -> Option<Request> {
        if self.same {
            return self.ask_word(replica);
        }
        self.ask_control(replica)
            .or_else(|| self.ask_entries(replica))
            .or_else(|| self.ask_beacons(replica))
    }

    /// Asks for envelopes, or for what tells which of them are lacking here.
    fn ask_entries(&mut self, replica: &impl Replica) -> Option<Request> {
        if !replica.has_room() {
            self.withheld =
                !self.targets.is_empty() || !self.differing.is_empty() || self.older.is_some();
            return None;
        }
        self.ask_pull(replica)
            .or_else(|| self.ask_vectors())
            .or_else(|| {
                self.older
                    .take()
                    .map(|below| self.ask_summary(replica, Some(below)))
            })
    }

    fn ask_summary(&mut self, replica: &impl Replica, below: Option<SegmentId>) -> Request {
        self.asked = Asked::Summary { below };
        let mut heads = replica.control().heads();
        heads.truncate(SUMMARY_HEADS);
        Request::Summary {
            tag: self.channel.tag(),
            heads,
            digest: replica.digest(),
            below,
        }
    }

    fn ask_control(&mut self, replica: &impl Replica) -> Option<Request> {
        let log = replica.control();
        let Control::Open(pull) = &self.control else {
            return None;
        };
        if !pull.lacks(log) {
            self.control = Control::Finished;
            return None;
        }
        self.asked = Asked::Control { held: log.len() };
        Some(Request::Control {
            tag: self.channel.tag(),
            have: pull.have(log),
        })
    }

    fn ask_pull(&mut self, replica: &impl Replica) -> Option<Request> {
        let wants = self.targets.wants(replica);
        if wants.is_empty() {
            return None;
        }
        let request = Request::Pull {
            tag: self.channel.tag(),
            logs: wants.clone(),
        };
        let before = heads(replica, &wants);
        self.asked = Asked::Pull {
            wants,
            before,
            brought: BTreeMap::new(),
        };
        Some(request)
    }

    fn ask_vectors(&mut self) -> Option<Request> {
        let count = self.differing.len().min(VECTOR_SEGMENTS);
        let wants: Vec<_> = self.differing.drain(..count).collect();
        if wants.is_empty() {
            return None;
        }
        let request = Request::Vectors {
            tag: self.channel.tag(),
            segments: wants.clone(),
        };
        self.asked = Asked::Vectors { wants };
        Some(request)
    }

    fn ask_beacons(&mut self, replica: &impl Replica) -> Option<Request> {
        let have = replica.beacon_times();
        self.ask_beacons_after(have.clone(), have)
    }

    /// Asks for newer beacons of those devices alone that the replica waits for word of. Of the
    /// others it says that it has the last there will ever be.
    fn ask_word(&mut self, replica: &impl Replica) -> Option<Request> {
        let awaited = replica.awaited();
        if awaited.is_empty() {
            return None;
        }
        let have = replica.beacon_times();
        let mut known: BTreeMap<DeviceId, Hlc> =
            have.iter().map(|held| (held.device, LAST_EVER)).collect();
        for device in &awaited {
            let newest = have.iter().find(|held| held.device == *device);
            known.insert(*device, newest.map_or(Hlc(0), |held| held.hlc));
        }
        let known = known
            .into_iter()
            .map(|(device, hlc)| BeaconTime { device, hlc });
        self.ask_beacons_after(have, known.collect())
    }

    fn ask_beacons_after(
        &mut self,
        have: Vec<BeaconTime>,
        mut newest: Vec<BeaconTime>,
    ) -> Option<Request> {
        if !self.beacons_open {
            return None;
        }
        newest.sort_unstable_by_key(|held| std::cmp::Reverse(held.hlc));
        newest.truncate(SYNC_BEACONS);
        self.asked = Asked::Beacons { have };
        Some(Request::Beacons {
            tag: self.channel.tag(),
            have: newest,
        })
    }
}

/// Later than any beacon.
const LAST_EVER: Hlc = Hlc(u64::MAX);

fn heads(replica: &impl Replica, wants: &[LogWant]) -> Vec<Option<Head>> {
    wants
        .iter()
        .map(|want| replica.digests().head(&want.log))
        .collect()
}
