//! What the pure core spends on one message, without disk and network: the
//! measurements behind docs/decisions.md.

use std::time::Instant;

use kith_crdt::ids::Actor;
use kith_crdt::segment::{Branch, Entry, Message, SegmentDocument, WriterChange, read_change};

use crate::figure::{Bound, Report};

/// As many messages as one segment holds.
const MESSAGES: usize = 4_096;
const WRITER: Actor = Actor([1; 16]);

/// Measures authoring, the gate, and the merged document that nobody needs at
/// run time.
pub(crate) fn measure(report: &mut Report) {
    let mut branch = Branch::new(WRITER);
    let entry = Entry::Message(Message::default());
    let each = |begun: Instant| begun.elapsed().as_secs_f64() * 1e6 / MESSAGES as f64;

    let begun = Instant::now();
    let changes: Vec<WriterChange> = (1..)
        .take(MESSAGES)
        .map(|seq| WriterChange {
            actor: WRITER,
            seq,
            bytes: branch.write(&entry),
        })
        .collect();
    report.row("author a change", each(begun), "us", Bound::Open);

    let begun = Instant::now();
    for change in &changes {
        read_change(&change.bytes, &change.actor, change.seq).expect("its own change");
    }
    report.row(
        "check a change and read its entry",
        each(begun),
        "us",
        Bound::Open,
    );

    for (batch, name) in [
        (1, "merge into a document, one by one"),
        (256, "merge into a document, 256 at once"),
    ] {
        let mut document = SegmentDocument::new();
        let begun = Instant::now();
        for changes in changes.chunks(batch) {
            document.apply_batch(changes);
        }
        report.row(name, each(begun), "us", Bound::Open);
    }
}
