//! What the engine holds in memory of one channel.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kith_crdt::control::{ControlLog, Roster, VerifiedOp};
use kith_crdt::crypto::sign::Signed;
use kith_crdt::ids::{
    AccountId, ChannelId, DeviceId, EpochId, LogId, Place, SegmentId, TransportKey, Window, Writer,
};
use kith_crdt::keyring::Keyring;
use kith_crdt::limits::{LOG_ENVELOPES, SEGMENT_ENVELOPES, SEGMENT_NUMBER_MAX};
use kith_crdt::link::InviteLink;
use kith_crdt::log::Log;
use kith_crdt::ranges::Ranges;
use kith_crdt::sync::{Head, SegmentDigests};
use kith_crdt::term::Term;
use kith_crdt::time::{Hlc, Millis};

use super::holds::{Holds, Reach};
use super::mend::Mending;
use super::retention::{Due, Search};
use super::unread::Unread;

/// How this node stands to a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// An invite was accepted; the control log or a key has not arrived yet.
    Joining,
    /// A member.
    Active,
    /// No longer a member; what was readable stays so.
    Left,
}

/// What an entry that is written here is for: it decides which epoch may seal it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sealing {
    /// A message that is kept so long at most: it lives as long as the channel's policy says now.
    Message(Term),
    /// Something about messages that are kept so long: it is kept as long as they are.
    About(Term),
}

impl Sealing {
    /// How long it is kept.
    pub(super) const fn term(self) -> Term {
        match self {
            Self::Message(term) | Self::About(term) => term,
        }
    }
}

/// A join under way.
#[derive(Debug, Clone)]
pub(super) struct Joining {
    /// The link it goes by.
    pub(super) link: InviteLink,
    /// Commands that wait for it.
    pub(super) waiting: Vec<u64>,
}

/// The newest beacon of a device.
#[derive(Debug, Clone)]
pub(super) struct KnownBeacon {
    pub(super) hlc: Hlc,
    pub(super) signed: Signed,
}

/// One channel.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) id: ChannelId,
    /// The name from the link, until the control log has one.
    pub(super) provisional_name: String,
    pub(super) joining: Option<Joining>,
    pub(super) control: ControlLog,
    pub(super) roster: Arc<Roster>,
    pub(super) keys: Arc<Keyring>,
    pub(super) logs: BTreeMap<LogId, Log>,
    sizes: BTreeMap<SegmentId, u32>,
    pub(super) digests: SegmentDigests,
    /// What this account has read.
    pub(super) own_seen: BTreeMap<LogId, Ranges>,
    pub(super) unread: Unread,
    /// Whose messages are not shown here, because this account does not want to hear of them.
    pub(super) blocked: Arc<BTreeSet<AccountId>>,
    pub(super) messages: u64,
    pub(super) last_activity: Option<Millis>,
    /// Whether the message that this is the time of has come to its end since.
    pub(super) newest_ended: bool,
    pub(super) holds: Holds,
    pub(super) beacons: BTreeMap<DeviceId, KnownBeacon>,
    /// Logs that grew since the last own beacon.
    pub(super) unannounced: BTreeSet<LogId>,
    pub(super) announced_at: Millis,
    /// How far each own log has come.
    pub(super) reaches: BTreeMap<LogId, Reach>,
    /// How many bytes its envelopes may take up on this disk; nothing if there is no bound.
    pub(super) quota: Option<u64>,
    /// How many they do.
    pub(super) bytes: u64,
    /// Whether it takes nothing more, as its quota or that of all channels is used up.
    pub(super) full: bool,
    /// Until when what is over is left out of the digests, while the clock is not believed.
    pub(super) concealed_at: Option<Millis>,
    /// When something of which log may be over.
    pub(super) due: Due,
    /// Deleted messages whose texts are to be erased.
    pub(super) to_erase: BTreeSet<Place>,
    /// How the search for bodies stands that came erased.
    pub(super) search: Search,
    /// Where the pass over envelopes that wait for a key goes on, if one is under way.
    pub(super) reopen_from: Option<Place>,
    /// Devices that hold more than we do, and how many envelopes more.
    pub(super) ahead: BTreeMap<DeviceId, u64>,
    /// Devices that refused to compare when last asked.
    pub(super) refused_by: BTreeSet<DeviceId>,
    /// The op by which this account has left, until a member is known to have it.
    pub(super) leaving: Option<VerifiedOp>,
    /// Devices of accounts that have left of which everything is here.
    pub(super) heard_out: BTreeSet<TransportKey>,
    /// Devices that were found equal, and when.
    pub(super) in_step: BTreeMap<DeviceId, Millis>,
    /// Whether the channel was compared to the end with a member who is still connected, or was
    /// since somebody has been: what is not here is known then.
    pub(super) compared: bool,
    /// Whether ops of the control log may have been lost to damage, so that anybody's word is
    /// sought: the ops prove themselves.
    pub(super) lost_ops: bool,
    /// The mending under way, or the last one.
    pub(super) mending: Option<Mending>,
}

impl Channel {
    /// A channel of which only the control log is known.
    pub(super) fn new(control: ControlLog, provisional_name: String) -> Self {
        let id = control.channel();
        Self {
            id,
            provisional_name,
            joining: None,
            roster: Arc::new(control.roster().clone()),
            control,
            keys: Arc::default(),
            logs: BTreeMap::new(),
            sizes: BTreeMap::new(),
            digests: SegmentDigests::default(),
            own_seen: BTreeMap::new(),
            unread: Unread::default(),
            blocked: Arc::default(),
            messages: 0,
            last_activity: None,
            newest_ended: false,
            holds: Holds::default(),
            beacons: BTreeMap::new(),
            unannounced: BTreeSet::new(),
            announced_at: Millis(0),
            reaches: BTreeMap::new(),
            quota: None,
            bytes: 0,
            full: false,
            concealed_at: None,
            due: Due::default(),
            to_erase: BTreeSet::new(),
            search: Search::default(),
            reopen_from: None,
            ahead: BTreeMap::new(),
            refused_by: BTreeSet::new(),
            leaving: None,
            heard_out: BTreeSet::new(),
            in_step: BTreeMap::new(),
            compared: false,
            lost_ops: false,
            mending: None,
        }
    }

    /// How this node, being `device` of `me`, stands to the channel.
    pub(super) fn standing(&self, me: &AccountId, device: &DeviceId) -> Standing {
        if self.joining.is_some() {
            Standing::Joining
        } else if self.roster.belongs_on(me, device) {
            Standing::Active
        } else {
            Standing::Left
        }
    }

    /// The name to show.
    pub(super) fn name(&self) -> &str {
        if self.roster.name.is_empty() {
            &self.provisional_name
        } else {
            &self.roster.name
        }
    }

    /// Takes over a log as it was stored.
    pub(super) fn restore(&mut self, log: Log) {
        *self.sizes.entry(log.id.segment).or_default() += log.head;
        self.messages += log.living().len();
        self.bytes += log.bytes.unwrap_or(0);
        let id = log.id;
        self.logs.insert(id, log);
        self.enrol(&id);
        self.expect(&id);
    }

    /// Takes a log into the digests, or out of them if it is no part of the channel.
    fn enrol(&mut self, id: &LogId) {
        match self.logs.get(id) {
            Some(log) if self.roster.counts(id) && !self.is_concealed(id) => {
                self.digests.set(id, head_of(log));
            }
            _ => self.digests.remove(id),
        }
    }

    /// Whether a log is over by a clock that is not believed: it is no part of the channel for the
    /// others, and is not destroyed here yet.
    pub(super) fn is_concealed(&self, id: &LogId) -> bool {
        self.concealed_at
            .is_some_and(|at| self.roster.is_over(&id.segment, at))
    }

    /// Leaves out of the digests what is over at a time, or with none takes it in again.
    pub(super) fn conceal(&mut self, at: Option<Millis>) {
        if self.concealed_at != at {
            self.concealed_at = at;
            self.enrol_logs();
        }
    }

    /// Decides on all logs anew after the roster changed.
    pub(super) fn enrol_logs(&mut self) {
        let ids: Vec<LogId> = self.logs.keys().copied().collect();
        for id in ids {
            self.enrol(&id);
        }
    }

    /// The log for an envelope, made where it is the first of its writer.
    pub(super) fn log_mut(&mut self, id: LogId) -> &mut Log {
        self.logs.entry(id).or_insert_with(|| Log::new(id))
    }

    /// Brings digest and size up to date after a log grew by `grown` envelopes.
    pub(super) fn grew(&mut self, id: LogId, grown: u32) {
        if self.logs.contains_key(&id) {
            self.enrol(&id);
            *self.sizes.entry(id.segment).or_default() += grown;
            self.unannounced.insert(id);
        }
    }

    /// Brings digest and size up to date after a log was cut at a fork.
    pub(super) fn shrank(&mut self, id: LogId, by: u32) {
        if self.logs.contains_key(&id) {
            self.enrol(&id);
            let size = self.sizes.entry(id.segment).or_default();
            *size = size.saturating_sub(by);
        }
    }

    /// Begins a log anew, to be gone through from its start. What was over or erased stays so.
    /// Returns it as it was.
    pub(super) fn restart_log(&mut self, id: LogId, fork: Option<u32>) -> Log {
        let mut fresh = Log::new(id);
        fresh.fork = fork;
        let before = self.logs.remove(&id).unwrap_or_else(|| Log::new(id));
        fresh.over = before.over.clone();
        fresh.erased = before.erased.clone();
        self.logs.insert(id, fresh);
        let size = self.sizes.entry(id.segment).or_default();
        *size = size.saturating_sub(before.head);
        self.bytes = self.bytes.saturating_sub(before.bytes.unwrap_or(0));
        before
    }

    /// Takes a log that was gone through into size and digest.
    pub(super) fn restarted_log(&mut self, id: LogId) {
        if let Some(log) = self.logs.get(&id) {
            *self.sizes.entry(id.segment).or_default() += log.head;
            self.enrol(&id);
        }
    }

    /// Forgets a log.
    pub(super) fn remove_log(&mut self, id: LogId) {
        if let Some(log) = self.logs.remove(&id) {
            let size = self.sizes.entry(id.segment).or_default();
            *size = size.saturating_sub(log.head);
            self.bytes = self.bytes.saturating_sub(log.bytes.unwrap_or(0));
            self.digests.remove(&id);
            self.own_seen.remove(&id);
            self.unannounced.remove(&id);
        }
    }

    /// The segment of a window and a term that `writer` goes on in: the first that has room and is not closed
    /// to this writer. A later one counts only when those before it are full, so that nobody can
    /// use the indexes up by jumping ahead. None if there is none left. `lost` says whether a log
    /// that seems empty is not: its record is damaged, and going on in it would be a fork.
    pub(super) fn segment_for(
        &self,
        (window, term): (Window, Term),
        writer: &Writer,
        lost: impl Fn(&LogId) -> bool,
    ) -> Option<SegmentId> {
        (0..=SEGMENT_NUMBER_MAX)
            .map(|number| SegmentId::new(window, term, number))
            .find(|segment| {
                let size = self.sizes.get(segment).copied().unwrap_or(0);
                if size >= SEGMENT_ENVELOPES {
                    return false;
                }
                let id = LogId {
                    segment: *segment,
                    writer: *writer,
                };
                match self.logs.get(&id) {
                    Some(log) => log.head < LOG_ENVELOPES && log.fork.is_none(),
                    None => !lost(&id),
                }
            })
    }

    /// The digest over everything this node holds of the channel.
    pub(super) fn digest(&mut self) -> [u8; 32] {
        self.digests.settle();
        self.digests.channel(&self.id, &self.control.heads())
    }

    /// The epoch to write under at a time: of those usable for the purpose whose key is here and
    /// whose chain reaches back that far, the one with the largest (lamport, op id).
    pub(super) fn writing_epoch(&self, purpose: Sealing, hlc: Hlc) -> Option<EpochId> {
        let term = purpose.term();
        let window = term.window(hlc);
        let mut usable = self.roster.usable_epochs(term);
        let found = usable.find(|(id, epoch)| {
            (epoch.takes_messages || matches!(purpose, Sealing::About(_)))
                && epoch.first_window <= window
                && self.keys.window_key(id, window).is_some()
        });
        found.map(|(id, _)| id)
    }

    /// The epochs whose topics are listened to: the two newest that are authorised and whose keys
    /// are here, the newest first.
    pub(super) fn listened(&self) -> Vec<EpochId> {
        let mut held: Vec<_> = self
            .roster
            .epochs
            .iter()
            .filter(|(id, epoch)| epoch.authorised && self.keys.has(id))
            .map(|(id, epoch)| (epoch.usable, epoch.lamport, epoch.op, *id))
            .collect();
        held.sort_unstable_by(|a, b| b.cmp(a));
        held.truncate(2);
        held.into_iter().map(|(_, _, _, id)| id).collect()
    }

    /// The active devices of the channel but this one, with their accounts.
    pub(super) fn others(
        &self,
        this: &DeviceId,
    ) -> impl Iterator<Item = (DeviceId, AccountId)> + '_ {
        let this = *this;
        self.roster
            .devices
            .iter()
            .filter(move |(device, known)| known.active && **device != this)
            .map(|(device, known)| (*device, known.account))
    }
}

/// Where a log ends, as digests see it.
const fn head_of(log: &Log) -> Head {
    Head {
        seq: log.head,
        link: log.link,
        fork: log.fork,
    }
}
