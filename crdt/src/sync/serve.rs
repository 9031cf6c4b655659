//! The answering side: one request in, one answer out, nothing remembered in between.
//!
//! Answers only those whose transport key is certified on the roster, or by a certificate that they
//! have shown together with the roster, and everybody else alike; but whoever was taken out may ask
//! by which ops.
//! Requests that need more than a replica (keys, proofs of an invite, offers) are the host's.

use std::collections::BTreeMap;

use super::digest::{Digest, SegmentDigest};
use super::message::{Answer, BeaconTime, LogWant, Refusal, Request, SegmentVector, VectorWant};
use super::replica::Replica;
use super::wire::blob_cost;
use crate::crypto::sign::SIGNATURE_LEN;
use crate::identity::Certified;
use crate::ids::{DeviceId, OpId, SegmentId, TransportKey};
use crate::limits::{PAGE_BYTES, SYNC_BEACONS, SYNC_HEADS, SYNC_SEGMENTS};
use crate::time::Hlc;

/// Bytes that a log takes up in a vector at most: two keys of 34 bytes and four integers.
const LOG_HEAD_COST: usize = 89;
/// Bytes that a segment takes up in a vector beside its logs, at most.
const VECTOR_COST: usize = 16;

/// An answer, and what the request has told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// What to send back.
    pub answer: Answer,
    /// Whether the asker may hold something that is lacking here: a reason to start a session in
    /// the other direction.
    pub differs: bool,
}

/// Answers a request about the channel of `replica`, of the device with a transport key, which may
/// have shown a certificate. None for those that the host answers: keys,
/// proofs of an invite, offers, what is known of an account, and devices that want to be linked.
pub fn serve(
    replica: &impl Replica,
    (asker, shown): (&TransportKey, Option<&Certified>),
    request: &Request,
) -> Option<Served> {
    let for_this_channel = request.tag() == Some(replica.channel().tag());
    let roster = replica.control().roster();
    let vouched = shown.is_some_and(|shown| roster.admits(asker, shown));
    let certified = vouched || roster.by_transport(asker).is_some();
    let mut differs = false;
    let answer = match request {
        Request::Keys(_)
        | Request::Prove { .. }
        | Request::Offer { .. }
        | Request::Link(_)
        | Request::LinkOpen { .. }
        | Request::Account(_) => return None,
        Request::Unknown { .. } => Answer::Refused(Refusal::Malformed),
        Request::Control { have, .. } if for_this_channel && !certified => {
            farewell(replica, asker, have)
        }
        _ if !for_this_channel || !certified => Answer::Refused(Refusal::NotForYou),
        Request::Summary { digest, below, .. } => {
            let answer = summary(replica, digest, *below);
            differs = below.is_none() && answer != Answer::Same;
            answer
        }
        Request::Control { have, .. } => control(replica, have),
        Request::Vectors { segments, .. } => vectors(replica, segments),
        Request::Pull { logs, .. } => page(replica, logs),
        Request::Beacons { have, .. } => beacons(replica, have),
    };
    Some(Served { answer, differs })
}

fn summary(replica: &impl Replica, digest: &Digest, below: Option<SegmentId>) -> Answer {
    if below.is_none() && *digest == replica.digest() {
        return Answer::Same;
    }
    let older = |listed: &SegmentDigest| below.is_none_or(|below| listed.segment < below);
    let mut rest = replica.digests().newest_first().filter(older);
    let segments = rest.by_ref().take(SYNC_SEGMENTS).collect();
    let mut heads = replica.control().heads();
    heads.truncate(SYNC_HEADS);
    Answer::Differs {
        heads,
        segments,
        more: rest.next().is_some(),
    }
}

/// The ops of a replica that are not among the ancestors of `have`, parents first. Also what
/// someone gets who proves an invite.
pub fn control(replica: &impl Replica, have: &[OpId]) -> Answer {
    let (ops, more) = replica.control().missing_from(have, PAGE_BYTES);
    Answer::Ops { ops, more }
}

/// What somebody gets who belonged and does not any more: why. That is the op that took them out
/// and those that it builds on, all written while they were in, and nothing that came after.
fn farewell(replica: &impl Replica, asker: &TransportKey, have: &[OpId]) -> Answer {
    let control = replica.control();
    match control.roster().dismissal(asker) {
        Some(last) => {
            let (ops, more) = control.missing_up_to(&last, have, PAGE_BYTES);
            Answer::Ops { ops, more }
        }
        None => Answer::Refused(Refusal::NotForYou),
    }
}

fn vectors(replica: &impl Replica, wants: &[VectorWant]) -> Answer {
    let mut left = PAGE_BYTES;
    let mut segments = Vec::new();
    for want in wants {
        let mut logs = replica.digests().vector(&want.segment);
        if let Some(after) = want.after {
            logs.retain(|log| log.writer > after);
        }
        let room = left.saturating_sub(VECTOR_COST) / LOG_HEAD_COST;
        if room == 0 {
            return Answer::Vectors {
                segments,
                more: false,
            };
        }
        let more = logs.len() > room;
        logs.truncate(room);
        left = left.saturating_sub(VECTOR_COST + logs.len() * LOG_HEAD_COST);
        segments.push(SegmentVector {
            segment: want.segment,
            logs,
        });
        if more {
            return Answer::Vectors { segments, more };
        }
    }
    Answer::Vectors {
        segments,
        more: false,
    }
}

/// Log by log in the order asked. It ends at the first log that has something of which nothing
/// fits, so that the asker may conclude from what comes later that there is nothing before it.
fn page(replica: &impl Replica, wants: &[LogWant]) -> Answer {
    let mut left = PAGE_BYTES;
    let (mut envelopes, mut forks) = (Vec::new(), Vec::new());
    for want in wants {
        let fork = replica.fork(&want.log);
        let fork_cost = fork.as_deref().map_or(0, blob_cost);
        let part = replica.envelopes(&want.log, want.from, left.saturating_sub(fork_cost));
        let last = replica.digests().head(&want.log).map_or(0, |head| head.seq);
        let nothing_fits = fork_cost > left || part.is_empty() && last >= want.from;
        if nothing_fits && left < PAGE_BYTES {
            break;
        }
        let cost = fork_cost + part.iter().map(|bytes| blob_cost(bytes)).sum::<usize>();
        left = left.saturating_sub(cost);
        envelopes.extend(part);
        forks.extend(fork);
    }
    Answer::Page { envelopes, forks }
}

fn beacons(replica: &impl Replica, have: &[BeaconTime]) -> Answer {
    let have: BTreeMap<DeviceId, Hlc> = have.iter().map(|held| (held.device, held.hlc)).collect();
    let mut left = PAGE_BYTES;
    let mut beacons = Vec::new();
    for BeaconTime { device, hlc } in replica.beacon_times() {
        if have.get(&device).is_some_and(|held| *held >= hlc) {
            continue;
        }
        let Some(beacon) = replica.beacon(&device) else {
            continue;
        };
        let cost = blob_cost(&beacon.payload) + SIGNATURE_LEN + 3;
        if cost > left || beacons.len() == SYNC_BEACONS {
            return Answer::Beacons {
                beacons,
                more: true,
            };
        }
        left -= cost;
        beacons.push(beacon);
    }
    Answer::Beacons {
        beacons,
        more: false,
    }
}
