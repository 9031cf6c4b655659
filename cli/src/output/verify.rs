//! What a verification came to, for people.

use std::fmt::Write;

use kith_api::verify::VerifyReport;

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
    }
}
