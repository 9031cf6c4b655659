//! Where messages are, by id and by prefix of an id.

use kith_crdt::ids::{ChannelId, LogId, MessageId, Place, SegmentId, Writer};
use kith_crdt::term::Span;
use minicbor::{Decoder, Encoder, decode};

use super::View;
use crate::seal::Site;
use crate::shared::Record;
use crate::table::Table;

impl View<'_> {
    /// Where a message is.
    pub fn message(&self, message: &MessageId) -> Option<(ChannelId, Place)> {
        let record = self.get(Table::MessageIds, &message.0).readable()?;
        self.message_place(&message.0, &record)
    }

    /// The messages whose shown id starts with `prefix`, in the order of their ids, at most
    /// `limit`. None if the prefix is not of that alphabet.
    pub fn messages_with_prefix(
        &self,
        prefix: &str,
        limit: usize,
    ) -> Vec<(MessageId, ChannelId, Place)> {
        let Some((lower, upper)) = message_id_range(prefix) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        self.scan(Table::MessageIds, lower, upper, |key, record| {
            let message = MessageId::from_slice(key).zip(self.message_place(key, &record));
            found.extend(
                message
                    .map(|(id, (channel, place))| (id, channel, place))
                    .filter(|_| limit > 0),
            );
            found.len() < limit
        });
        found
    }

    fn message_place(&self, key: &[u8], record: &Record) -> Option<(ChannelId, Place)> {
        let (channel, Span { window, .. }) = self.shared.window_keys.scope(record.number)?;
        match decode_message_place(&record.plain) {
            Ok((index, writer, seq)) => Some((
                channel,
                LogId {
                    segment: SegmentId { window, index },
                    writer,
                }
                .place(seq),
            )),
            Err(_) => {
                self.shared.malformed(Site {
                    table: Table::MessageIds,
                    key,
                });
                None
            }
        }
    }
}

/// Where a message is, without what the number of its window key tells: `[index, device,
/// incarnation, seq]`.
pub(crate) fn encode_message_place(place: &Place) -> Vec<u8> {
    let Place { log, seq } = place;
    let mut e = Encoder::new(Vec::with_capacity(48));
    e.array(4)
        .and_then(|e| e.u32(log.segment.index)?.bytes(&log.writer.device.0))
        .and_then(|e| e.u32(log.writer.incarnation)?.u32(*seq))
        .expect("writing CBOR to memory does not fail");
    e.into_writer()
}

pub(crate) fn decode_message_place(bytes: &[u8]) -> Result<(u32, Writer, u32), decode::Error> {
    let mut d = Decoder::new(bytes);
    if d.array()? != Some(4) {
        return Err(decode::Error::message("a place has four fields"));
    }
    let index = d.u32()?;
    let writer = Writer {
        device: d.decode()?,
        incarnation: d.u32()?,
    };
    Ok((index, writer, d.u32()?))
}

/// The ids from the first that is shown with this prefix to before the first that is not.
fn message_id_range(prefix: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut bits = 0_u128;
    for character in prefix.chars() {
        let digit = match character.to_ascii_lowercase() {
            letter @ 'a'..='z' => letter as u32 - 'a' as u32,
            number @ '2'..='7' => number as u32 - '2' as u32 + 26,
            _ => return None,
        };
        bits = bits << 5 | u128::from(digit);
    }
    let shown = MessageId::LEN * 8 / 5;
    let free = 5 * shown.checked_sub(prefix.len())?;
    let bytes = |number: u128| number.to_be_bytes()[16 - MessageId::LEN..].to_vec();
    let lower = bits << free;
    let after = (bits + 1) << free;
    Some((
        bytes(lower),
        if after >> (MessageId::LEN * 8) == 0 {
            bytes(after)
        } else {
            Vec::new()
        },
    ))
}

#[cfg(test)]
mod tests {
    use kith_crdt::ids::DeviceId;

    use super::*;

    #[test]
    fn a_prefix_is_a_range_of_ids() {
        let id = MessageId([0xab, 0xcd, 0xef, 1, 2, 3, 4, 5, 6, 7]);
        for len in 0..=16 {
            let prefix = &id.to_string()[..len];
            let (lower, upper) = message_id_range(prefix).unwrap();
            assert!(
                lower.as_slice() <= &id.0[..] && (upper.is_empty() || &id.0[..] < upper.as_slice())
            );
            let below = MessageId([0xab, 0xcd, 0xef, 1, 2, 3, 4, 5, 6, 6]);
            let is_in = lower.as_slice() <= &below.0[..]
                && (upper.is_empty() || &below.0[..] < upper.as_slice());
            assert_eq!(is_in, below.to_string().starts_with(prefix));
        }
        assert!(message_id_range("8").is_none() && message_id_range("aaaaaaaaaaaaaaaaa").is_none());
        assert_eq!(message_id_range("7").unwrap().1, Vec::<u8>::new());
    }

    #[test]
    fn a_place_survives_being_written() {
        let writer = Writer {
            device: DeviceId([3; 32]),
            incarnation: 9,
        };
        let segment = SegmentId {
            window: kith_crdt::ids::Window(24),
            index: 2,
        };
        let place = LogId { segment, writer }.place(300);
        assert_eq!(
            decode_message_place(&encode_message_place(&place)).unwrap(),
            (2, writer, 300)
        );
        assert!(decode_message_place(&[0x83, 0, 0, 0]).is_err());
    }
}
