//! The bytes of a block: `[ [[device, incarnation, index, window?], …], [hlc, log, seq, …] ]`.
//!
//! The logs that the entries come from are written once; an entry is then three small numbers:
//! its time as the distance from the entry before it, the log's number in the list, and its seq.
//! The window is left out where it is the block's own.

use std::collections::BTreeMap;

use kith_crdt::ids::{DeviceId, LogId, SegmentId, Window, Writer};
use kith_crdt::time::Hlc;
use minicbor::decode::Error;
use minicbor::{Decoder, Encoder};

use super::TimelineEntry;

/// Encodes entries that are in order, for a block of `window`.
pub(super) fn encode(window: Window, entries: &[TimelineEntry]) -> Vec<u8> {
    let mut numbers: BTreeMap<LogId, u32> = BTreeMap::new();
    let mut logs = Vec::new();
    for entry in entries {
        numbers.entry(entry.place.log).or_insert_with(|| {
            logs.push(entry.place.log);
            u32::try_from(logs.len() - 1).expect("a block has far fewer logs than 2^32")
        });
    }
    let mut e = Encoder::new(Vec::with_capacity(
        16 + 40 * logs.len() + 16 * entries.len(),
    ));
    write(&mut e, window, &logs, entries, &numbers).expect("writing CBOR to memory does not fail");
    e.into_writer()
}

fn write(
    e: &mut Encoder<Vec<u8>>,
    window: Window,
    logs: &[LogId],
    entries: &[TimelineEntry],
    numbers: &BTreeMap<LogId, u32>,
) -> Result<(), minicbor::encode::Error<core::convert::Infallible>> {
    e.array(2)?.array(logs.len() as u64)?;
    for log in logs {
        let foreign = log.segment.window != window;
        e.array(if foreign { 4 } else { 3 })?
            .bytes(&log.writer.device.0)?
            .u32(log.writer.incarnation)?
            .u32(log.segment.index)?;
        if foreign {
            e.u32(log.segment.window.0)?;
        }
    }
    e.array(3 * entries.len() as u64)?;
    let mut before = Hlc(0);
    for entry in entries {
        e.u64(entry.hlc.0 - before.0)?
            .u32(numbers[&entry.place.log])?
            .u32(entry.place.seq)?;
        before = entry.hlc;
    }
    Ok(())
}

/// Decodes the entries of a block of `window`; they are in order, without repetition.
pub(super) fn decode(window: Window, bytes: &[u8]) -> Result<Vec<TimelineEntry>, Error> {
    let mut d = Decoder::new(bytes);
    expect_array(&mut d, 2)?;
    let logs = (0..bounded(&mut d, bytes)?)
        .map(|_| log(&mut d, window))
        .collect::<Result<Vec<_>, _>>()?;
    let numbers = bounded(&mut d, bytes)?;
    let mut entries: Vec<TimelineEntry> = Vec::with_capacity(numbers / 3);
    let mut hlc = Hlc(0);
    for _ in 0..numbers / 3 {
        hlc = Hlc(hlc
            .0
            .checked_add(d.u64()?)
            .ok_or_else(|| Error::message("a time beyond all times"))?);
        let log = logs
            .get(d.u32()? as usize)
            .ok_or_else(|| Error::message("a log that is not listed"))?;
        let entry = TimelineEntry {
            hlc,
            place: log.place(d.u32()?),
        };
        if entries.last().is_some_and(|last| *last >= entry) {
            return Err(Error::message("entries out of order"));
        }
        entries.push(entry);
    }
    if numbers % 3 != 0 || d.position() != bytes.len() {
        return Err(Error::message("a block of another length"));
    }
    Ok(entries)
}

fn log(d: &mut Decoder<'_>, window: Window) -> Result<LogId, Error> {
    let len = d.array()?;
    let writer = Writer {
        device: d.decode::<DeviceId>()?,
        incarnation: d.u32()?,
    };
    let index = d.u32()?;
    let window = match len {
        Some(3) => window,
        Some(4) => Window(d.u32()?),
        _ => return Err(Error::message("a log has three or four fields")),
    };
    Ok(LogId {
        segment: SegmentId { window, index },
        writer,
    })
}

fn expect_array(d: &mut Decoder<'_>, len: u64) -> Result<(), Error> {
    if d.array()? == Some(len) {
        Ok(())
    } else {
        Err(Error::message("an array of another length"))
    }
}

/// The length of an array of which every element takes at least a byte.
fn bounded(d: &mut Decoder<'_>, bytes: &[u8]) -> Result<usize, Error> {
    let len = d.array()?.and_then(|len| usize::try_from(len).ok());
    len.filter(|&len| len <= bytes.len())
        .ok_or_else(|| Error::message("an array of impossible length"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::BLOCK_MAX;

    fn entries(writers: u8, count: u32) -> Vec<TimelineEntry> {
        let entry = |number: u32| {
            let writer = Writer {
                device: DeviceId([number as u8 % writers; 32]),
                incarnation: 0,
            };
            let segment = SegmentId {
                window: Window(24),
                index: 0,
            };
            let hlc = Hlc(((24 * 3_600_000 + u64::from(number) * 40_000) << 16) + 1);
            TimelineEntry {
                hlc,
                place: LogId { segment, writer }.place(number + 1),
            }
        };
        (0..count).map(entry).collect()
    }

    #[test]
    fn a_block_survives_being_written() {
        let mut entries = entries(5, 128);
        entries[7].place.log.segment.window = Window(25);
        let bytes = encode(Window(24), &entries);
        assert_eq!(decode(Window(24), &bytes).unwrap(), entries);
    }

    #[test]
    fn an_entry_takes_about_sixteen_bytes() {
        let bytes = encode(Window(24), &entries(10, BLOCK_MAX as u32));
        assert!(bytes.len() <= BLOCK_MAX * 16, "{} bytes", bytes.len());
    }

    #[test]
    fn malformed_blocks_are_refused() {
        let bytes = encode(Window(24), &entries(2, 3));
        for len in 0..bytes.len() {
            assert!(decode(Window(24), &bytes[..len]).is_err(), "cut at {len}");
        }
        assert!(decode(Window(24), &[bytes.as_slice(), &[0]].concat()).is_err());
        // An array that claims more elements than there are bytes.
        assert!(
            decode(
                Window(24),
                &[
                    0x82, 0x80, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
                ]
            )
            .is_err()
        );
    }
}
