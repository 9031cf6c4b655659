//! Sets of envelope numbers as sorted ranges, so that a set of thousands costs a few bytes.

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

/// A set of `u32`, kept as disjoint inclusive ranges in order, none touching the next.
///
/// On disk and on the wire one flat array `[first, last, first, last, …]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Ranges(Vec<(u32, u32)>);

impl Ranges {
    /// The empty set.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds one number and tells whether it was new.
    pub fn insert(&mut self, number: u32) -> bool {
        if self.contains(number) {
            return false;
        }
        self.insert_range(number, number);
        true
    }

    /// Adds `first..=last`; nothing if `last` lies before `first`.
    pub fn insert_range(&mut self, first: u32, last: u32) {
        if last < first {
            return;
        }
        // Everything that overlaps or touches the new range melts into it.
        let from = self
            .0
            .partition_point(|&(_, end)| end.checked_add(1).is_some_and(|next| next < first));
        let to = self
            .0
            .partition_point(|&(start, _)| last.checked_add(1).is_none_or(|next| start <= next));
        let merged = self.0[from..to]
            .iter()
            .fold((first, last), |(a, b), &(start, end)| {
                (a.min(start), b.max(end))
            });
        self.0.splice(from..to, [merged]);
    }

    /// Takes one number out and tells whether it was there.
    pub fn remove(&mut self, number: u32) -> bool {
        let at = self.0.partition_point(|&(_, end)| end < number);
        let Some(&(start, end)) = self.0.get(at).filter(|&&(start, _)| start <= number) else {
            return false;
        };
        let left = (start < number).then(|| (start, number - 1));
        let right = (number < end).then(|| (number + 1, end));
        self.0.splice(at..=at, left.into_iter().chain(right));
        true
    }

    /// Takes out every number from `number` on.
    pub fn truncate(&mut self, number: u32) {
        self.0.retain(|&(start, _)| start < number);
        if let Some((_, end)) = self.0.last_mut().filter(|(_, end)| *end >= number) {
            *end = number - 1;
        }
    }

    /// Takes out the smallest numbers, so that at most so many ranges are left.
    pub fn keep_last(&mut self, ranges: usize) {
        let over = self.0.len().saturating_sub(ranges);
        self.0.drain(..over);
    }

    /// Tells whether a number is in the set.
    pub fn contains(&self, number: u32) -> bool {
        let at = self.0.partition_point(|&(_, end)| end < number);
        self.0.get(at).is_some_and(|&(start, _)| start <= number)
    }

    /// Tells whether any number of `first..=last` is in the set.
    pub fn meets(&self, first: u32, last: u32) -> bool {
        let at = self.0.partition_point(|&(_, end)| end < first);
        self.0.get(at).is_some_and(|&(start, _)| start <= last)
    }

    /// How many numbers are in the set.
    pub fn len(&self) -> u64 {
        self.0
            .iter()
            .map(|&(start, end)| u64::from(end - start) + 1)
            .sum()
    }

    /// Whether the set is empty.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The smallest number.
    pub fn first(&self) -> Option<u32> {
        self.0.first().map(|&(start, _)| start)
    }

    /// The largest number.
    pub fn last(&self) -> Option<u32> {
        self.0.last().map(|&(_, end)| end)
    }

    /// The numbers in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = u32> + '_ {
        self.0.iter().flat_map(|&(start, end)| start..=end)
    }

    /// The ranges in order, both ends inclusive.
    pub fn ranges(&self) -> &[(u32, u32)] {
        &self.0
    }

    /// What is in this set and not in `other`.
    pub fn minus(&self, other: &Self) -> Self {
        let mut rest = Vec::new();
        let mut holes = other.0.iter().copied().peekable();
        for &(start, end) in &self.0 {
            let mut from = Some(start);
            while let Some(&(hole_start, hole_end)) = holes.peek() {
                let Some(at) = from.filter(|_| hole_start <= end) else {
                    break;
                };
                if at < hole_start {
                    rest.push((at, hole_start - 1));
                }
                from = at.max(hole_end.saturating_add(1)).into();
                if hole_end >= end {
                    // The same hole may reach into the next range.
                    from = None;
                    break;
                }
                holes.next();
            }
            if let Some(at) = from.filter(|&at| at <= end) {
                rest.push((at, end));
            }
        }
        Self(rest)
    }

    /// What is in this set and in `other`.
    pub fn intersect(&self, other: &Self) -> Self {
        self.minus(&self.minus(other))
    }

    /// How many numbers are larger than `number`.
    pub fn above(&self, number: u32) -> u64 {
        let beyond = self.0.iter().filter(|(_, end)| *end > number);
        beyond
            .map(|&(start, end)| u64::from(end - start.max(number.saturating_add(1))) + 1)
            .sum()
    }

    /// Adds everything that is in `other`.
    pub fn extend(&mut self, other: &Self) {
        for &(start, end) in &other.0 {
            self.insert_range(start, end);
        }
    }
}

impl FromIterator<u32> for Ranges {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        let mut set = Self::new();
        for number in numbers {
            set.insert(number);
        }
        set
    }
}

impl<C> Encode<C> for Ranges {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.array(self.0.len() as u64 * 2)?;
        for &(start, end) in &self.0 {
            e.u32(start)?.u32(end)?;
        }
        Ok(())
    }

    fn is_nil(&self) -> bool {
        false
    }
}

impl<'b, C> Decode<'b, C> for Ranges {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        let at = d.position();
        let wrong = || decode::Error::message("ranges out of order").at(at);
        let count = d
            .array()?
            .filter(|count| count % 2 == 0)
            .ok_or_else(wrong)?;
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for _ in 0..count / 2 {
            let (start, end) = (d.u32()?, d.u32()?);
            let follows = ranges
                .last()
                .is_none_or(|&(_, before)| before.checked_add(1).is_some_and(|next| next < start));
            if end < start || !follows {
                return Err(wrong());
            }
            ranges.push((start, end));
        }
        Ok(Self(ranges))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::encoding::{DecodeError, decode, encode};

    fn small_set() -> impl Strategy<Value = BTreeSet<u32>> {
        proptest::collection::btree_set(prop_oneof![0u32..60, (u32::MAX - 3)..=u32::MAX], 0..40)
    }

    proptest! {
        #[test]
        fn behaves_like_a_set(numbers in proptest::collection::vec((0u32..3, 0u32..60, 0u32..9), 0..60)) {
            let (mut ranges, mut model) = (Ranges::new(), BTreeSet::new());
            for (what, at, length) in numbers {
                match what {
                    0 => prop_assert_eq!(ranges.insert(at), model.insert(at)),
                    1 => prop_assert_eq!(ranges.remove(at), model.remove(&at)),
                    _ => {
                        ranges.insert_range(at, at + length);
                        model.extend(at..=at + length);
                    }
                }
                prop_assert_eq!(ranges.iter().collect::<BTreeSet<_>>(), model.clone());
                prop_assert_eq!(ranges.len(), model.len() as u64);
                prop_assert_eq!(decode::<Ranges>(&encode(&ranges), 4096), Ok(ranges.clone()));
            }
        }

        #[test]
        fn minus_is_the_difference(left in small_set(), right in small_set(), cut in 0u32..70) {
            let mut ranges: Ranges = left.iter().copied().collect();
            let rest = ranges.minus(&right.iter().copied().collect());
            prop_assert_eq!(rest.iter().collect::<BTreeSet<_>>(), &left - &right);
            prop_assert!(rest.ranges().windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
            ranges.truncate(cut);
            prop_assert_eq!(ranges.iter().collect::<BTreeSet<_>>(), left.range(..cut).copied().collect());
        }
    }

    #[test]
    fn the_largest_number_has_no_next() {
        let mut ranges = Ranges::new();
        ranges.insert(u32::MAX);
        ranges.insert_range(u32::MAX - 1, u32::MAX);
        assert_eq!(ranges.ranges(), &[(u32::MAX - 1, u32::MAX)]);
        assert_eq!(ranges.minus(&ranges), Ranges::new());
    }

    #[test]
    fn ranges_out_of_order_or_touching_are_refused() {
        for bytes in [
            &[0x84, 5, 6, 1, 2][..],
            &[0x84, 1, 2, 3, 4],
            &[0x82, 2, 1],
            &[0x81, 1],
        ] {
            assert!(matches!(
                decode::<Ranges>(bytes, 64),
                Err(DecodeError::Malformed(_))
            ));
        }
    }
}
