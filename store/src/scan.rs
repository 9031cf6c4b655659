//! Walking over rows in key order, past what cannot be read.
//!
//! RocksDB stops at a block it cannot read and does not say where the next good one starts. A
//! cursor finds it by probing: ever longer steps until a probe can be read, then halving. Each
//! hole is noted as damage once and costs a few hundred probes, so the number of holes that one
//! cursor goes past is bounded. Each probe takes a fresh iterator: one that has met a broken block
//! may go on reporting it wherever it is sent.

use rocksdb::DBRawIterator;

use crate::damage::DamageLog;
use crate::table::Table;

/// Holes that one cursor goes past before it stops.
const HOLES_MAX: u32 = 64;
/// Bytes of a key that count when a hole is measured; the keys of all tables but `meta` are
/// shorter.
const WIDTH: usize = 48;

/// A place among the rows of a table, from `lower` to before `upper`.
pub(crate) struct Cursor<'a> {
    fresh: Box<dyn Fn() -> DBRawIterator<'a> + 'a>,
    rows: DBRawIterator<'a>,
    table: Table,
    lower: Vec<u8>,
    upper: Vec<u8>,
    damage: &'a DamageLog,
    holes: u32,
    last: Vec<u8>,
    ended: bool,
}

impl<'a> Cursor<'a> {
    /// A cursor that is nowhere yet, over the rows of the iterators that `fresh` makes. An empty
    /// `upper` means no bound.
    pub(crate) fn new(
        fresh: impl Fn() -> DBRawIterator<'a> + 'a,
        table: Table,
        (lower, upper): (Vec<u8>, Vec<u8>),
        damage: &'a DamageLog,
    ) -> Self {
        let rows = fresh();
        Self {
            fresh: Box::new(fresh),
            rows,
            table,
            lower,
            upper,
            damage,
            holes: 0,
            last: Vec::new(),
            ended: true,
        }
    }

    /// The row it is at.
    pub(crate) fn row(&self) -> Option<(&[u8], &[u8])> {
        if self.ended {
            None
        } else {
            self.rows.item().filter(|(key, _)| self.is_within(key))
        }
    }

    /// Goes to the first row.
    pub(crate) fn seek_first(&mut self) {
        let lower = std::mem::take(&mut self.lower);
        self.seek(&lower);
        self.lower = lower;
    }

    /// Goes to the first row at or after `key`.
    pub(crate) fn seek(&mut self, key: &[u8]) {
        self.ended = false;
        self.rows.seek(key);
        if self.is_broken() {
            self.skip_forward(key);
        }
    }

    /// Goes to the last row at or before `key`.
    pub(crate) fn seek_back(&mut self, key: &[u8]) {
        self.ended = false;
        self.rows.seek_for_prev(key);
        if self.is_broken() {
            self.skip_back(key);
        }
    }

    /// Goes to the next row.
    pub(crate) fn next(&mut self) {
        if self.step(DBRawIterator::next) {
            let mut from = std::mem::take(&mut self.last);
            from.push(0);
            self.skip_forward(&from);
            self.last = from;
        }
    }

    /// Goes to the row before.
    pub(crate) fn prev(&mut self) {
        if self.step(DBRawIterator::prev) {
            let last = std::mem::take(&mut self.last);
            match before(&last) {
                Some(from) => self.skip_back(&from),
                None => self.ended = true,
            }
            self.last = last;
        }
    }

    /// Takes one step and says whether it led into a hole.
    fn step(&mut self, go: impl FnOnce(&mut DBRawIterator<'a>)) -> bool {
        let Some(key) = self.rows.key().filter(|_| !self.ended) else {
            return false;
        };
        self.last.clear();
        self.last.extend_from_slice(key);
        go(&mut self.rows);
        self.is_broken()
    }

    fn is_within(&self, key: &[u8]) -> bool {
        key >= self.lower.as_slice() && (self.upper.is_empty() || key < self.upper.as_slice())
    }

    fn is_broken(&self) -> bool {
        !self.rows.valid() && self.rows.status().is_err()
    }

    fn note_hole(&mut self, at: &[u8]) -> bool {
        self.damage.note_block(self.table.name(), at);
        self.holes += 1;
        self.ended = self.holes > HOLES_MAX;
        !self.ended
    }

    /// From a key that cannot be sought to the first row after the hole.
    fn skip_forward(&mut self, from: &[u8]) {
        if !self.note_hole(from) {
            return;
        }
        let width = WIDTH.max(from.len() + 1);
        let mut broken = padded(from, width);
        let mut good = None;
        for bit in 0..width * 8 {
            let Some(probe) = plus(&broken, bit).filter(|probe| self.is_below_upper(probe)) else {
                break;
            };
            if self.probe(|rows| rows.seek(&probe)) {
                good = Some(probe);
                break;
            }
            broken = probe;
        }
        let mut good = match good {
            Some(good) => good,
            // The last step led over the end: what lies between is halved, too.
            None if self.upper.is_empty() => vec![0xff; width],
            None => padded(&self.upper, width),
        };
        while let Some(probe) = between(&broken, &good) {
            if self.probe(|rows| rows.seek(&probe)) {
                good = probe;
            } else {
                broken = probe;
            }
        }
        self.ended = !self.probe(|rows| rows.seek(&good));
    }

    /// From a key that cannot be sought backwards to the last row before the hole.
    fn skip_back(&mut self, from: &[u8]) {
        if !self.note_hole(from) {
            return;
        }
        let width = WIDTH.max(from.len() + 1);
        let mut broken = padded(from, width);
        let mut good = None;
        for bit in 0..width * 8 {
            let Some(probe) =
                minus(&broken, bit).filter(|probe| probe.as_slice() >= self.lower.as_slice())
            else {
                break;
            };
            if self.probe(|rows| rows.seek_for_prev(&probe)) {
                good = Some(probe);
                break;
            }
            broken = probe;
        }
        let mut good = good.unwrap_or_else(|| padded(&self.lower, width));
        while let Some(probe) = between(&good, &broken) {
            if self.probe(|rows| rows.seek_for_prev(&probe)) {
                good = probe;
            } else {
                broken = probe;
            }
        }
        self.ended = !self.probe(|rows| rows.seek_for_prev(&good));
    }

    /// Goes somewhere with a fresh iterator and says whether it can be read there.
    fn probe(&mut self, go: impl FnOnce(&mut DBRawIterator<'a>)) -> bool {
        self.rows = (self.fresh)();
        go(&mut self.rows);
        !self.is_broken()
    }

    fn is_below_upper(&self, key: &[u8]) -> bool {
        self.upper.is_empty() || key < self.upper.as_slice()
    }
}

// Keys as big-endian numbers of a fixed width.

fn padded(key: &[u8], width: usize) -> Vec<u8> {
    let mut number = key.to_vec();
    number.resize(width, 0);
    number
}

/// `number + 2^bit`, if it fits.
fn plus(number: &[u8], bit: usize) -> Option<Vec<u8>> {
    let mut sum = number.to_vec();
    let mut at = number.len().checked_sub(1 + bit / 8)?;
    let (mut byte, mut carry) = sum[at].overflowing_add(1 << (bit % 8));
    loop {
        sum[at] = byte;
        if !carry {
            return Some(sum);
        }
        at = at.checked_sub(1)?;
        (byte, carry) = sum[at].overflowing_add(1);
    }
}

/// `number - 2^bit`, if it is not negative.
fn minus(number: &[u8], bit: usize) -> Option<Vec<u8>> {
    let mut rest = number.to_vec();
    let mut at = number.len().checked_sub(1 + bit / 8)?;
    let (mut byte, mut borrow) = rest[at].overflowing_sub(1 << (bit % 8));
    loop {
        rest[at] = byte;
        if !borrow {
            return Some(rest);
        }
        at = at.checked_sub(1)?;
        (byte, borrow) = rest[at].overflowing_sub(1);
    }
}

/// The number half way between two of the same width; `None` if there is none between.
fn between(low: &[u8], high: &[u8]) -> Option<Vec<u8>> {
    let mut sum = vec![0_u8; low.len()];
    let mut carry = 0_u16;
    for at in (0..low.len()).rev() {
        let both = u16::from(low[at]) + u16::from(high[at]) + carry;
        sum[at] = both.to_le_bytes()[0];
        carry = both >> 8;
    }
    for byte in &mut sum {
        let whole = (carry << 8) | u16::from(*byte);
        *byte = (whole >> 1).to_le_bytes()[0];
        carry = whole & 1;
    }
    (sum.as_slice() > low && sum.as_slice() < high).then_some(sum)
}

/// A key just before all keys from `key` on; `None` if there is none.
fn before(key: &[u8]) -> Option<Vec<u8>> {
    let mut number = padded(key, key.len() + 1);
    for at in (0..number.len()).rev() {
        let (byte, borrow) = number[at].overflowing_sub(1);
        number[at] = byte;
        if !borrow {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_counted_with_as_numbers() {
        assert_eq!(plus(&[0, 255], 0), Some(vec![1, 0]));
        assert_eq!(plus(&[1, 7], 9), Some(vec![3, 7]));
        assert_eq!(plus(&[255, 255], 0), None);
        assert_eq!(minus(&[1, 0], 0), Some(vec![0, 255]));
        assert_eq!(minus(&[0, 3], 2), None);
        assert_eq!(between(&[1, 0], &[2, 0]), Some(vec![1, 128]));
        assert_eq!(between(&[255, 0], &[255, 254]), Some(vec![255, 127]));
        assert_eq!(between(&[1, 0], &[1, 1]), None);
        assert_eq!(before(&[1, 0]), Some(vec![0, 255, 255]));
        assert_eq!(before(&[0]), None);
    }
}
