//! The durable events: what happened, commit by commit, under cursors that only count up.
//!
//! A client that was away asks for everything after the cursor it knows. What is kept is bounded
//! in number; a client that was away for longer sees from the oldest cursor that it missed some.

use minicbor::decode::Error;
use minicbor::{Decoder, Encoder};

/// Events kept; the oldest are dropped first.
pub const EVENTS_KEPT: u64 = 65_536;

/// Events that may be kept beyond [`EVENTS_KEPT`] before the oldest are deleted in one go. They
/// are not shown.
pub(crate) const TRIM_STEP: u64 = 4_096;

/// The key of the record of one commit: the cursor of its first event.
pub(crate) const fn key(first: u64) -> [u8; 8] {
    first.to_be_bytes()
}

/// The cursor of the first event in a record.
pub(crate) fn first_in(key: &[u8]) -> Option<u64> {
    key.try_into().ok().map(u64::from_be_bytes)
}

/// Encodes the events of one commit: an array of byte strings.
pub(crate) fn encode(events: &[Vec<u8>]) -> Vec<u8> {
    let mut e = Encoder::new(Vec::with_capacity(
        9 + events.iter().map(|event| event.len() + 5).sum::<usize>(),
    ));
    e.array(events.len() as u64)
        .and_then(|e| events.iter().try_fold(e, |e, event| e.bytes(event)))
        .expect("writing CBOR to memory does not fail");
    e.into_writer()
}

/// Decodes the events of one commit.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    let mut d = Decoder::new(bytes);
    let len = d
        .array()?
        .ok_or_else(|| Error::message("events have a definite length"))?;
    let mut events = Vec::new();
    for _ in 0..len {
        events.push(d.bytes()?.to_vec());
    }
    if d.position() == bytes.len() {
        Ok(events)
    } else {
        Err(Error::message("bytes after the events"))
    }
}

/// The oldest cursor that is shown when `newest` is the newest.
pub(crate) const fn oldest_shown(newest: u64) -> u64 {
    newest.saturating_sub(EVENTS_KEPT - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_survive_being_written() {
        let events = vec![b"one".to_vec(), Vec::new(), vec![7; 300]];
        assert_eq!(decode(&encode(&events)).unwrap(), events);
        assert!(decode(&encode(&events)[..5]).is_err());
        assert!(decode(&[0x80, 0]).is_err());
    }

    #[test]
    fn so_many_are_shown_and_no_more() {
        assert_eq!(oldest_shown(10), 0);
        assert_eq!(oldest_shown(EVENTS_KEPT + 4), 5);
    }
}
