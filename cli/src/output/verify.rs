//! What a verification or a mending came to, for people.

use std::fmt::Write;

use kith_api::verify::{MendReport, VerifyReport};

use super::Show;
use super::clean::clean;
use super::look::{Look, Paint};

impl Show for VerifyReport {
    fn show(&self, look: &Look, out: &mut String) {
        let channel = look.paint(
            Paint::Strong,
            format_args!("#{}", clean(&self.channel_name)),
        );
        let seconds = format!("{}.{} s", self.ms / 1_000, self.ms % 1_000 / 100);
        let _written = writeln!(
            out,
            "{channel}: {} ops, {} entries in {} logs, {} messages, {} signatures checked in {seconds}",
            self.ops, self.entries, self.logs, self.messages, self.signatures,
        );
        let verdict = match (&self.difference, self.settled) {
            (Some(_), _) => look.paint(
                Paint::Bad,
                "not everything is as the signed entries make it",
            ),
            (None, true) => look.paint(
                Paint::Good,
                "everything shown is what the signed entries make",
            ),
            (None, false) => look.paint(
                Paint::Good,
                "everything on the disk is what the signed entries make; the channel changed all \
                 the while, so the figures in memory were not compared",
            ),
        };
        let _written = writeln!(out, "{verdict}");
        for stretch in &self.unreadable {
            let entries = match stretch.entries {
                1 => "one entry".to_owned(),
                entries => format!("{entries} entries"),
            };
            let _written = writeln!(
                out,
                "{entries} from {} to {} cannot be read from this disk",
                look.day(stretch.from),
                look.day(stretch.until),
            );
        }
    }
}

impl Show for [MendReport] {
    fn show(&self, look: &Look, out: &mut String) {
        for report in self {
            report.show(look, out);
        }
    }
}

impl Show for MendReport {
    fn show(&self, look: &Look, out: &mut String) {
        let channel = look.paint(
            Paint::Strong,
            format_args!("#{}", clean(&self.channel_name)),
        );
        let _written = writeln!(
            out,
            "{channel}: {} unreadable records dropped, {} entries in {} logs gone through, {} \
             fetched from other members",
            self.dropped, self.entries, self.logs, self.fetched,
        );
        if self.ops_awaited {
            let _written = writeln!(out, "ops of the control log are awaited from other members");
        }
        if self.keys_awaited {
            let _written = writeln!(out, "keys are awaited from other members");
        }
        places(
            out,
            (self.awaited, "awaited from other members"),
            &self.awaited_at,
        );
        places(
            out,
            (self.lost, "lost for good: nobody has it"),
            &self.lost_at,
        );
        if self.unopened > 0 {
            let _written = writeln!(
                out,
                "{} entries are here for which there is no key",
                self.unopened
            );
        }
        let verdict = if self.done {
            look.paint(
                Paint::Good,
                "mended: everything that anybody still has is here",
            )
        } else {
            look.paint(Paint::Bad, "not everything is back yet")
        };
        let _written = writeln!(out, "{verdict}");
    }
}

/// Entries that are missing: how many, why, and the first of them.
fn places(out: &mut String, (count, why): (u64, &str), first: &[String]) {
    if count == 0 {
        return;
    }
    let entries = if count == 1 { "entry" } else { "entries" };
    let _written = writeln!(out, "{count} {entries} {why}");
    for place in first {
        let _written = writeln!(out, "  {}", clean(place));
    }
    let more = count - count.min(first.len() as u64);
    if more > 0 {
        let _written = writeln!(out, "  and {more} more");
    }
}
