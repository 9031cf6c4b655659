//! What an account has read of a segment, and since when.
//!
//! Merging is taking the earliest time of each envelope, so any order of arrival and any
//! repetition give the same.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::ids::Writer;
use crate::limits::SEEN_WRITERS_MAX;
use crate::time::Hlc;

/// What one account has read of one segment: for each of its logs runs of envelopes with the
/// time at which each was first said to be read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(array)]
pub struct SeenBy {
    #[n(0)]
    logs: BTreeMap<Writer, Vec<Run>>,
}

/// Envelopes `first..=last`, read at the same time. A log's runs are in order, disjoint, and no
/// two that touch have the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Run {
    #[n(0)]
    first: u32,
    #[n(1)]
    last: u32,
    #[n(2)]
    at: Hlc,
}

impl SeenBy {
    /// Nothing read.
    pub const fn new() -> Self {
        Self {
            logs: BTreeMap::new(),
        }
    }

    /// Adds that `first..=last` of a writer's log had been read at a time, and tells whether
    /// that changed anything. Of more than [`SEEN_WRITERS_MAX`] writers those with the smallest
    /// ids are remembered, whatever the order of arrival.
    pub fn merge(&mut self, writer: Writer, first: u32, last: u32, at: Hlc) -> bool {
        if last < first {
            return false;
        }
        let beyond = self.logs.len() >= SEEN_WRITERS_MAX
            && self
                .logs
                .last_key_value()
                .is_some_and(|(largest, _)| *largest < writer);
        if beyond {
            return false;
        }
        let runs = self.logs.entry(writer).or_default();
        let merged = merge(runs, Run { first, last, at });
        let changed = *runs != merged;
        *runs = merged;
        if self.logs.len() > SEEN_WRITERS_MAX {
            self.logs.pop_last();
        }
        changed
    }

    /// When an envelope was first said to be read.
    pub fn time_of(&self, writer: &Writer, seq: u32) -> Option<Hlc> {
        let runs = self.logs.get(writer)?;
        let run = runs.get(runs.partition_point(|run| run.last < seq))?;
        (run.first <= seq).then_some(run.at)
    }

    /// Every run that is remembered: writer, first and last number, time.
    pub fn iter(&self) -> impl Iterator<Item = (&Writer, u32, u32, Hlc)> {
        self.logs.iter().flat_map(|(writer, runs)| {
            runs.iter()
                .map(move |run| (writer, run.first, run.last, run.at))
        })
    }
}

fn merge(runs: &[Run], new: Run) -> Vec<Run> {
    let mut merged = Vec::with_capacity(runs.len() + 2);
    let mut next = Some(new.first);
    for run in runs {
        // What of the new run lies before this one and in no other.
        if let Some(first) = next.filter(|&first| first < run.first) {
            push(
                &mut merged,
                Run {
                    first,
                    last: new.last.min(run.first - 1),
                    at: new.at,
                },
            );
        }
        let (from, to) = (run.first.max(new.first), run.last.min(new.last));
        if from <= to && new.at < run.at {
            if run.first < from {
                push(
                    &mut merged,
                    Run {
                        last: from - 1,
                        ..*run
                    },
                );
            }
            push(
                &mut merged,
                Run {
                    first: from,
                    last: to,
                    at: new.at,
                },
            );
            if to < run.last {
                push(
                    &mut merged,
                    Run {
                        first: to + 1,
                        ..*run
                    },
                );
            }
        } else {
            push(&mut merged, *run);
        }
        next = next.and_then(|first| run.last.checked_add(1).map(|after| first.max(after)));
        next = next.filter(|&first| first <= new.last);
    }
    if let Some(first) = next {
        push(&mut merged, Run { first, ..new });
    }
    merged
}

/// Appends a run, joining it to the last where they touch and agree.
fn push(runs: &mut Vec<Run>, run: Run) {
    match runs.last_mut() {
        Some(before) if before.at == run.at && before.last + 1 == run.first => {
            before.last = run.last
        }
        _ => runs.push(run),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::encoding::{decode, encode};
    use crate::ids::DeviceId;

    fn writer(n: u8) -> Writer {
        Writer {
            device: DeviceId([n; 32]),
            incarnation: 0,
        }
    }

    proptest! {
        #[test]
        fn the_earliest_time_holds_in_any_order(
            seen in proptest::collection::vec((0u8..2, 1u32..30, 0u32..9, 0u64..6), 0..30),
        ) {
            let mut model: BTreeMap<(u8, u32), u64> = BTreeMap::new();
            let (mut forth, mut back) = (SeenBy::new(), SeenBy::new());
            for &(who, first, length, at) in &seen {
                (first..=first + length).for_each(|seq| {
                    let time = model.entry((who, seq)).or_insert(at);
                    *time = at.min(*time);
                });
                forth.merge(writer(who), first, first + length, Hlc(at));
            }
            for &(who, first, length, at) in seen.iter().rev() {
                back.merge(writer(who), first, first + length, Hlc(at));
                prop_assert!(!back.merge(writer(who), first, first + length, Hlc(at)));
            }
            for who in 0..2 {
                for seq in 0..45 {
                    let expected = model.get(&(who, seq)).copied().map(Hlc);
                    prop_assert_eq!(forth.time_of(&writer(who), seq), expected);
                }
            }
            prop_assert_eq!(&forth, &back);
            prop_assert_eq!(decode::<SeenBy>(&encode(&forth), 1 << 16), Ok(forth));
        }
    }

    #[test]
    fn of_too_many_writers_the_same_are_remembered_in_any_order() {
        let many = SEEN_WRITERS_MAX as u32 + 5;
        let write = |order: &mut dyn Iterator<Item = u32>| {
            let mut seen = SeenBy::new();
            for incarnation in order {
                let writer = Writer {
                    incarnation,
                    ..writer(1)
                };
                seen.merge(writer, 1, 1, Hlc(5));
            }
            seen
        };
        let (forth, back) = (write(&mut (0..many)), write(&mut (0..many).rev()));
        assert_eq!(forth.iter().count(), SEEN_WRITERS_MAX);
        assert_eq!(forth, back);
    }

    #[test]
    fn a_run_is_one_run_however_it_came() {
        let mut seen = SeenBy::new();
        assert!(seen.merge(writer(1), 1, 3, Hlc(5)) && seen.merge(writer(1), 4, 9, Hlc(5)));
        assert!(!seen.merge(writer(1), 2, 8, Hlc(7)) && !seen.merge(writer(1), 3, 2, Hlc(0)));
        assert_eq!(
            seen.iter().collect::<Vec<_>>(),
            [(&writer(1), 1, 9, Hlc(5))]
        );
    }

    #[test]
    fn the_numbers_at_the_ends_are_numbers_too() {
        let mut seen = SeenBy::new();
        seen.merge(writer(1), 0, u32::MAX, Hlc(5));
        seen.merge(writer(1), 0, 0, Hlc(4));
        seen.merge(writer(1), u32::MAX, u32::MAX, Hlc(3));
        let times = [0, 1, u32::MAX - 1, u32::MAX].map(|seq| seen.time_of(&writer(1), seq));
        assert_eq!(times, [4, 5, 5, 3].map(|at| Some(Hlc(at))));
    }
}
