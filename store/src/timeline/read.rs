//! Reading pages: the merge of a line's runs, newest first, from a cursor on.

use kith_crdt::limits::PAGE_MAX;
use kith_crdt::term::Term;
use rocksdb::ReadOptions;

use super::{BlockKey, Line, TimelineEntry, block};
use crate::keys::{Tag, after_prefix};
use crate::scan::Cursor;
use crate::seal::Site;
use crate::shared::Shared;
use crate::table::Table;

/// The newest `limit` entries of a line that come before `before`, oldest of them first.
pub(crate) fn page(
    shared: &Shared,
    options: impl Fn() -> ReadOptions + Copy,
    line: &Line,
    before: Option<&TimelineEntry>,
    limit: usize,
) -> Vec<TimelineEntry> {
    let mut runs = runs(shared, options, line, before);
    let mut page = Vec::with_capacity(limit.min(PAGE_MAX));
    while page.len() < limit {
        // An absent entry is less than any, so the run that has the newest one is the greatest.
        let newest = (0..runs.len()).max_by_key(|run| runs[*run].peek().copied());
        let Some(newest) = newest.and_then(|run| runs[run].take()) else {
            break;
        };
        page.push(newest);
    }
    page.reverse();
    page
}

/// How many entries of a line come after `after`. Reads every block that has one.
pub(crate) fn count(
    shared: &Shared,
    options: impl Fn() -> ReadOptions + Copy,
    line: &Line,
    after: Option<&TimelineEntry>,
) -> u64 {
    let of_run = |mut blocks: Backwards<'_>| {
        let mut count = 0;
        while blocks.fill() {
            let newer = blocks
                .entries
                .iter()
                .filter(|entry| after.is_none_or(|after| *entry > after))
                .count();
            count += newer as u64;
            if newer < blocks.entries.len() {
                break;
            }
            blocks.entries.clear();
        }
        count
    };
    let runs = runs(shared, options, line, None);
    runs.into_iter().map(of_run).sum()
}

/// How many entries each of these lines has, in this order. Almost free for a line that has none:
/// all of them share one cursor.
pub(crate) fn lengths<'a>(
    shared: &'a Shared,
    options: impl Fn() -> ReadOptions + 'a,
    lines: &[Line],
) -> Vec<u64> {
    let mut rows = shared.cursor(Table::Timeline, Vec::new(), Vec::new(), options);
    let mut length = |tag: Tag| {
        let mut length = 0;
        rows.seek(&tag);
        while let Some((key, record)) = rows.row().filter(|(key, _)| key.starts_with(&tag)) {
            length += read_block(shared, key, record).len() as u64;
            rows.next();
        }
        length
    };
    let mut of_line = |line: &Line| {
        let runs = line.tags(shared).into_iter();
        runs.map(&mut length).sum()
    };
    lines.iter().map(&mut of_line).collect()
}

/// The runs of a line, one for each term that its channel has something of.
fn runs<'a>(
    shared: &'a Shared,
    options: impl Fn() -> ReadOptions + Copy + 'a,
    line: &Line,
    before: Option<&TimelineEntry>,
) -> Vec<Backwards<'a>> {
    let terms = shared.window_keys.terms(shared.keys.chan(line.channel()));
    let run = |term| Backwards::new(shared, options, line, term, before);
    terms.into_iter().map(run).collect()
}

/// The entries of one run, newest first.
struct Backwards<'a> {
    shared: &'a Shared,
    blocks: Cursor<'a>,
    /// What is left of the block last read, oldest first.
    entries: Vec<TimelineEntry>,
    before: Option<TimelineEntry>,
}

impl<'a> Backwards<'a> {
    fn new(
        shared: &'a Shared,
        options: impl Fn() -> ReadOptions + 'a,
        line: &Line,
        term: Term,
        before: Option<&TimelineEntry>,
    ) -> Self {
        let tag = line.tag(&shared.keys, term);
        let mut blocks = shared.cursor(Table::Timeline, tag.to_vec(), after_prefix(&tag), options);
        match before {
            None => blocks.seek_back(&[tag.as_slice(), &[0xff; BlockKey::LEN]].concat()),
            Some(entry) => {
                let window = term.window(entry.hlc);
                blocks.seek_back(
                    &BlockKey {
                        tag,
                        window,
                        start: entry.hlc,
                        part: u32::MAX,
                    }
                    .to_bytes(),
                );
            }
        }
        Self {
            shared,
            blocks,
            entries: Vec::new(),
            before: before.copied(),
        }
    }

    fn peek(&mut self) -> Option<&TimelineEntry> {
        self.fill();
        self.entries.last()
    }

    fn take(&mut self) -> Option<TimelineEntry> {
        self.fill();
        self.entries.pop()
    }

    /// Reads blocks until there is an entry, and says whether there is.
    fn fill(&mut self) -> bool {
        while self.entries.is_empty() {
            let Some((key, record)) = self.blocks.row() else {
                return false;
            };
            self.entries = read_block(self.shared, key, record);
            self.blocks.prev();
            if let Some(before) = self.before {
                self.entries
                    .truncate(self.entries.partition_point(|entry| *entry < before));
            }
        }
        true
    }
}

/// The entries of a block; none, and damage noted, if it cannot be read.
pub(super) fn read_block(shared: &Shared, key: &[u8], record: &[u8]) -> Vec<TimelineEntry> {
    let site = Site {
        table: Table::Timeline,
        key,
    };
    let Some(record) = shared.open(site, record).readable() else {
        return Vec::new();
    };
    let entries =
        BlockKey::parse(key).and_then(|key| block::decode(key.window, &record.plain).ok());
    entries.unwrap_or_else(|| {
        shared.malformed(site);
        Vec::new()
    })
}
