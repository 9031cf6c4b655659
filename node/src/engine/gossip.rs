//! Gossip: frames out and in. A hint and no more: whatever is lost here, sync brings.

use kith_crdt::beacon::Beacon;
use kith_crdt::frame::{self, Content, FrameError};
use kith_crdt::ids::{AccountId, ChannelId, DeviceId, EpochId, TransportKey};
use kith_crdt::limits::MOMENT_SKEW_MAX_MS;
use kith_crdt::moment::{self, MomentKind};
use kith_crdt::time::{Hlc, Millis};

use super::effect::Moment;
use super::{Engine, PRESENCE_MS};
use crate::network::{Command, Verdict};

/// Milliseconds without a sign of life after which a member counts as gone: two may get lost.
const SILENCE_MS: u64 = 3 * PRESENCE_MS;

/// What became of control ops that a peer sent.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    /// How many are new here.
    pub(super) new: usize,
    /// Whether some wait for ancestors.
    pub(super) incomplete: bool,
    /// Whether one was forged, malformed or of another channel.
    pub(super) foul: bool,
}

impl Engine {
    /// Subscribes to the topics that a channel is heard on now, and no others of its.
    pub(super) fn listen(&mut self, id: ChannelId) {
        let member = self
            .channels
            .get(&id)
            .is_some_and(|channel| channel.roster.belongs_on(&self.me, &self.writer.device));
        let wanted = if member {
            self.listened_topics(id)
        } else {
            Vec::new()
        };
        let had: Vec<String> = self
            .topics
            .iter()
            .filter(|(_, (channel, _))| *channel == id)
            .map(|(topic, _)| topic.clone())
            .collect();
        for topic in had {
            if !wanted.iter().any(|(keep, _)| *keep == topic) {
                self.topics.remove(&topic);
                self.stage.send(Command::Unsubscribe(topic));
            }
        }
        for (topic, epoch) in wanted {
            if self.topics.insert(topic.clone(), (id, epoch)).is_none() {
                self.stage.send(Command::Subscribe(topic));
            }
        }
    }

    /// The topics of a channel that this node listens to, the newest first.
    pub(super) fn listened_topics(&self, id: ChannelId) -> Vec<(String, EpochId)> {
        let Some(channel) = self.channels.get(&id) else {
            return Vec::new();
        };
        channel
            .listened()
            .into_iter()
            .filter_map(|epoch| channel.keys.get(&epoch).map(|keys| (keys.topic(), epoch)))
            .collect()
    }

    /// Gossips what was written in this turn.
    pub(super) fn publish_outgoing(&mut self) {
        for (id, envelopes) in std::mem::take(&mut self.stage.outgoing) {
            let Some((_, epoch)) = self.listened_topics(id).first().cloned() else {
                continue;
            };
            for content in Content::envelopes(envelopes) {
                self.publish(id, epoch, &content);
            }
        }
    }

    /// Gossips control ops on topics that were listened to before them: those who do not know the
    /// new epoch yet are still there.
    pub(super) fn publish_ops(
        &mut self,
        id: ChannelId,
        topics: &[(String, EpochId)],
        ops: &[Vec<u8>],
    ) {
        for (_, epoch) in topics {
            for content in Content::ops(ops.to_vec()) {
                self.publish(id, *epoch, &content);
            }
        }
    }

    /// Seals content under an epoch's frame key and hands it to the network.
    pub(super) fn publish(&mut self, id: ChannelId, epoch: EpochId, content: &Content) {
        let Some(keys) = self
            .channels
            .get(&id)
            .and_then(|channel| channel.keys.get(&epoch))
        else {
            return;
        };
        let data = frame::seal_frame(keys, content, &mut self.rng);
        self.stage.send(Command::Publish {
            topic: keys.topic(),
            data,
        });
    }

    /// Takes a frame, and says whether it may be passed on.
    pub(super) fn receive_frame(
        &mut self,
        now: Millis,
        from: TransportKey,
        topic: &str,
        data: &[u8],
    ) -> Verdict {
        let Some((id, epoch)) = self.topics.get(topic).copied() else {
            return Verdict::Ignore;
        };
        let Some(channel) = self.channels.get(&id) else {
            return Verdict::Ignore;
        };
        let Some(key) = channel.keys.frame_key(&epoch) else {
            return Verdict::Ignore;
        };
        let content = match frame::open_frame(key, topic, data) {
            Ok(content) => content,
            // Of a later version: not its bringer's fault.
            Err(FrameError::Unknown(_)) => return Verdict::Ignore,
            Err(_) => return Verdict::Reject,
        };
        match content {
            Content::Envelopes(items) => {
                let reception = self.receive_live(now, id, &items);
                if reception.gap {
                    self.sync_with(now, id, from);
                }
                verdict(reception.foul, reception.accepted > 0)
            }
            Content::Ops(ops) => {
                let taken = self.receive_ops(now, id, &ops);
                if taken.incomplete {
                    self.sync_with(now, id, from);
                }
                verdict(taken.foul, taken.new > 0)
            }
            Content::Beacon(signed) => match Beacon::verify(&id, &signed) {
                Ok(beacon) => {
                    if self.receive_beacon(now, id, &beacon, signed, Some(from)) {
                        self.see_by_beacon(now, id, &beacon);
                    }
                    Verdict::Accept
                }
                Err(_) => Verdict::Reject,
            },
            Content::Moment(signed) => self.receive_moment(now, id, &signed),
            Content::Unknown(_) => Verdict::Accept,
        }
    }

    fn receive_moment(
        &mut self,
        now: Millis,
        id: ChannelId,
        signed: &kith_crdt::crypto::sign::Signed,
    ) -> Verdict {
        let Ok(heard) = moment::Moment::verify(&id, signed, now) else {
            return Verdict::Ignore;
        };
        let device = heard.writer.device;
        let known = self
            .channels
            .get(&id)
            .and_then(|channel| channel.roster.devices.get(&device));
        // Whoever is out may still have the keys of the last epoch.
        let Some(account) = known
            .filter(|known| known.active)
            .map(|known| known.account)
        else {
            return Verdict::Ignore;
        };
        if device != self.writer.device {
            self.hear_clock(now, heard.hlc.millis());
            match heard.kind {
                MomentKind::Typing => self.stage.tell(Moment::Typing {
                    channel: id,
                    account,
                }),
                MomentKind::Present => self.see(now, (id, device), account, true),
                MomentKind::Away => self.see(now, (id, device), account, false),
                MomentKind::Unknown(_) => {}
            }
        }
        Verdict::Accept
    }

    /// Notes that a device is there, or that it goes, and tells of it.
    fn see(&mut self, now: Millis, at: (ChannelId, DeviceId), account: AccountId, present: bool) {
        if present {
            self.present.insert(at, (account, now));
        } else {
            self.present.remove(&at);
        }
        let (channel, device) = at;
        self.stage.tell(Moment::Presence {
            channel,
            account,
            device,
            present,
        });
    }

    /// Whoever says what they hold is there: that is told if it was not known.
    fn see_by_beacon(&mut self, now: Millis, id: ChannelId, beacon: &Beacon) {
        let device = beacon.writer.device;
        let off = beacon.hlc.millis().0.abs_diff(now.0);
        let roster = self.channels.get(&id).map(|channel| &channel.roster);
        let known = roster.and_then(|roster| roster.devices.get(&device));
        let Some(known) = known.filter(|_| off <= MOMENT_SKEW_MAX_MS) else {
            return;
        };
        if !self.present.contains_key(&(id, device)) {
            self.see(now, (id, device), known.account, true);
        }
    }

    /// Tells of those who went without a word: nothing has been heard of them for a while.
    pub(super) fn miss_the_silent(&mut self, now: Millis) {
        let silent = self
            .present
            .extract_if(.., |_, (_, heard)| now.since(*heard) > SILENCE_MS);
        for ((channel, device), (account, _)) in silent {
            self.stage.tell(Moment::Presence {
                channel,
                account,
                device,
                present: false,
            });
        }
    }

    /// Tells those who are listening something of the moment.
    pub(super) fn say(&mut self, now: Millis, id: ChannelId, kind: MomentKind) {
        let Some((_, epoch)) = self.listened_topics(id).first().cloned() else {
            return;
        };
        let moment = moment::Moment {
            writer: self.writer,
            hlc: Hlc::at(now),
            kind,
        };
        let signed = moment.sign(&id, &self.secrets.signing);
        self.publish(id, epoch, &Content::Moment(signed));
    }
}

/// What brings nothing new is not passed on either: it may be an old frame, played again.
const fn verdict(foul: bool, news: bool) -> Verdict {
    match (foul, news) {
        (true, _) => Verdict::Reject,
        (false, true) => Verdict::Accept,
        (false, false) => Verdict::Ignore,
    }
}
