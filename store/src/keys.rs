//! Record keys: keyed hashes of names, and big-endian numbers, so that scans go in order and a
//! look at the keys tells no name.

use kith_crdt::crypto::hash;
use kith_crdt::crypto::kdf::expand_secret;
use kith_crdt::crypto::secret::Secret;
use kith_crdt::ids::{
    AccountId, ChannelId, DeviceId, LogId, MessageId, OpId, Place, SegmentId, TransportKey, Window,
    Writer,
};
use kith_crdt::term::{Span, Term};

/// Eight bytes that stand for a name in a record key.
pub(crate) type Tag = [u8; 8];

/// Bytes of the key of an envelope: channel, window, index, writer and number.
pub(crate) const ENVELOPE_KEY_LEN: usize = 8 + 4 + 4 + 8 + 4;

/// Makes the record keys of one home.
#[derive(Clone)]
pub(crate) struct RecordKeys {
    secret: Secret,
}

impl RecordKeys {
    pub(crate) fn new(master: &Secret) -> Self {
        Self {
            secret: expand_secret(master, "record-key", &[]),
        }
    }

    fn tag(&self, what: &str, parts: &[&[u8]]) -> Tag {
        let mut all: [&[u8]; 6] = [&[]; 6];
        all[0] = what.as_bytes();
        all[1] = &[0];
        all[2..2 + parts.len()].copy_from_slice(parts);
        let full = hash::keyed(self.secret.expose(), &all[..2 + parts.len()]);
        let mut tag = Tag::default();
        tag.copy_from_slice(&full[..8]);
        tag
    }

    pub(crate) fn chan(&self, channel: &ChannelId) -> Tag {
        self.tag("channel", &[&channel.0])
    }

    fn writer(&self, channel: &ChannelId, writer: &Writer) -> Tag {
        self.tag(
            "writer",
            &[
                &channel.0,
                &writer.device.0,
                &writer.incarnation.to_be_bytes(),
            ],
        )
    }

    /// The tag of what a timeline has of a term.
    pub(crate) fn line(&self, term: Term, channel: &ChannelId, thread: Option<&MessageId>) -> Tag {
        let hours = term.as_hours().unwrap_or(0).to_be_bytes();
        match thread {
            None => self.tag("line", &[&hours, &channel.0]),
            Some(message) => self.tag("line", &[&hours, &channel.0, &message.0]),
        }
    }

    pub(crate) fn channel(&self, channel: &ChannelId) -> Vec<u8> {
        self.chan(channel).to_vec()
    }

    pub(crate) fn op(&self, channel: &ChannelId, op: &OpId) -> Vec<u8> {
        join(&[&self.chan(channel), &self.tag("op", &[&op.0])])
    }

    /// What the keys of a span start with lies between the first of these and before the second.
    pub(crate) fn span(&self, channel: &ChannelId, span: &Span) -> (Vec<u8>, Vec<u8>) {
        let (first, last) = span.segments();
        let from = self.segment(channel, &first);
        (from, after_prefix(&self.segment(channel, &last)))
    }

    pub(crate) fn segment(&self, channel: &ChannelId, segment: &SegmentId) -> Vec<u8> {
        join(&[
            &self.chan(channel),
            &segment.window.0.to_be_bytes(),
            &segment.index.to_be_bytes(),
        ])
    }

    pub(crate) fn log(&self, channel: &ChannelId, log: &LogId) -> Vec<u8> {
        join(&[
            &self.chan(channel),
            &log.segment.window.0.to_be_bytes(),
            &log.segment.index.to_be_bytes(),
            &self.writer(channel, &log.writer),
        ])
    }

    pub(crate) fn envelope(&self, channel: &ChannelId, place: &Place) -> Vec<u8> {
        let mut key = self.log(channel, &place.log);
        key.extend_from_slice(&place.seq.to_be_bytes());
        key
    }

    pub(crate) fn claim(
        &self,
        channel: &ChannelId,
        target: &MessageId,
        kind: u8,
        place: &Place,
    ) -> Vec<u8> {
        let place = self.envelope(channel, place);
        let (chan, place) = place.split_at(8);
        join(&[&target.0, chan, &[kind], place])
    }

    /// What the claims about a message in a channel start with.
    pub(crate) fn claims(&self, channel: &ChannelId, target: &MessageId) -> Vec<u8> {
        join(&[&target.0, &self.chan(channel)])
    }

    pub(crate) fn seen(
        &self,
        channel: &ChannelId,
        segment: &SegmentId,
        account: &AccountId,
    ) -> Vec<u8> {
        join(&[
            &self.segment(channel, segment),
            &self.tag("account", &[&account.0]),
        ])
    }

    pub(crate) fn beacon(&self, channel: &ChannelId, device: &DeviceId) -> Vec<u8> {
        join(&[&self.chan(channel), &self.tag("device", &[&device.0])])
    }

    pub(crate) fn erasures(&self, channel: &ChannelId, day: u32) -> Vec<u8> {
        join(&[&self.chan(channel), &day.to_be_bytes()])
    }

    pub(crate) fn holds(
        &self,
        channel: &ChannelId,
        segment: &SegmentId,
        device: &DeviceId,
    ) -> Vec<u8> {
        join(&[
            &self.segment(channel, segment),
            &self.tag("device", &[&device.0]),
        ])
    }

    pub(crate) fn peer(&self, transport: &TransportKey) -> Vec<u8> {
        self.tag("peer", &[&transport.0]).to_vec()
    }

    pub(crate) fn idempotency(&self, key: &str) -> Vec<u8> {
        self.tag("idempotency", &[key.as_bytes()]).to_vec()
    }

    pub(crate) fn epoch(&self, channel: &ChannelId, epoch: &[u8]) -> Vec<u8> {
        join(&[&self.chan(channel), epoch])
    }
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// The smallest key that is greater than every key with this prefix; empty if there is none.
pub(crate) fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let kept = prefix
        .iter()
        .rposition(|&byte| byte != 0xff)
        .map_or(0, |last| last + 1);
    let mut end = prefix[..kept].to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

/// The window and index that follow the channel's tag in the key of a log.
pub(crate) fn segment_in(log_key: &[u8]) -> Option<SegmentId> {
    let (window, rest) = log_key.get(8..)?.split_first_chunk::<4>()?;
    let (index, _) = rest.split_first_chunk::<4>()?;
    Some(SegmentId {
        window: Window(u32::from_be_bytes(*window)),
        index: u32::from_be_bytes(*index),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANNEL: ChannelId = ChannelId([1; 32]);

    fn keys() -> RecordKeys {
        RecordKeys::new(&Secret::new([5; 32]))
    }

    fn place(window: u32, index: u32, seq: u32) -> Place {
        let writer = Writer {
            device: DeviceId([2; 32]),
            incarnation: 0,
        };
        LogId {
            segment: SegmentId {
                window: Window(window),
                index,
            },
            writer,
        }
        .place(seq)
    }

    #[test]
    fn envelopes_sort_by_window_index_and_seq() {
        let keys = keys();
        let places = [
            place(24, 0, 2),
            place(24, 0, 256),
            place(24, 1, 1),
            place(48, 0, 1),
        ];
        let sorted = places.map(|place| keys.envelope(&CHANNEL, &place));
        assert!(sorted.is_sorted());
        assert!(sorted.iter().all(|key| key.len() == ENVELOPE_KEY_LEN));
        assert_eq!(segment_in(&sorted[2]), Some(places[2].log.segment));
    }

    #[test]
    fn names_do_not_show_and_homes_do_not_share_tags() {
        let other = RecordKeys::new(&Secret::new([6; 32]));
        assert_ne!(keys().chan(&CHANNEL), other.chan(&CHANNEL));
        assert_ne!(keys().chan(&CHANNEL), [1; 8]);
        assert_ne!(
            keys().line(Term::FOREVER, &CHANNEL, None),
            keys().line(Term::SHORTEST, &CHANNEL, None)
        );
    }

    #[test]
    fn the_end_of_a_prefix_is_the_next_one() {
        assert_eq!(after_prefix(&[1, 2]), [1, 3]);
        assert_eq!(after_prefix(&[1, 0xff, 0xff]), [2]);
        assert!(after_prefix(&[0xff]).is_empty());
    }
}
