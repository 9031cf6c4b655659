//! The audit, for people.

use std::fmt::Write;

use kith_api::audit::{AuditEntry, AuditPage, Erasure, ErasureCause};
use kith_api::retention::Retention;
use kith_api::why::{Step, Verdict};

use super::clean::clean;
use super::look::{Look, Paint};
use super::why::{cursor, sentence, verdict};
use super::{Show, counted};

/// In the place of the id that nothing has that a device notes.
const NO_ID: &str = "        ";

impl Show for AuditPage {
    fn show(&self, look: &Look, out: &mut String) {
        self.entries.show(look, out);
        let first = self.entries.iter().find_map(|entry| match entry {
            AuditEntry::Step(step) => cursor(step),
            AuditEntry::Erasure(_) => None,
        });
        if let Some(first) = first.filter(|_| self.more) {
            let _written = writeln!(out, "there is more before: `--before {first}`");
        }
        let checked = match (self.checked, self.failed) {
            (1, 0) => look.paint(Paint::Good, "one signature checked: it holds"),
            (checked, 0) => {
                let all = format_args!("{checked} signatures checked: all hold");
                look.paint(Paint::Good, all)
            }
            (checked, failed) => {
                let some = format_args!("{checked} signatures checked: {failed} do not hold");
                look.paint(Paint::Bad, some)
            }
        };
        let _written = writeln!(out, "{checked}");
    }
}

impl Show for [AuditEntry] {
    fn show(&self, look: &Look, out: &mut String) {
        for entry in self {
            match entry {
                AuditEntry::Step(step) => write_step(step, look, out),
                AuditEntry::Erasure(erasure) => write_erasure(erasure, look, out),
            }
        }
    }
}

/// What somebody did: one line, and what it comes to at the end of it if it does not count.
fn write_step(step: &Step, look: &Look, out: &mut String) {
    let id = look.paint(Paint::Handle, cursor(step).unwrap_or_default());
    let at = look.paint(Paint::Faint, look.full_time(step.at));
    let mut line = format!("{id}  {at}  {}", sentence(step, look));
    if step.verdict != Verdict::Stands {
        let rule = step.rule.as_ref().map_or_else(String::new, |rule| {
            format!(" by {} {}", clean(&rule.number), clean(&rule.name))
        });
        let why = step.reason.as_deref().map(clean).unwrap_or_default();
        let void = format!("{}{rule}: {why}", verdict(step.verdict));
        line += &format!("  {}", look.paint(Paint::Bad, void));
    }
    let _written = writeln!(out, "{line}");
}

/// What this device erased: `this device erased 34 messages, kept for 7days`.
fn write_erasure(erasure: &Erasure, look: &Look, out: &mut String) {
    let at = look.paint(Paint::Faint, look.full_time(erasure.at));
    let one = match erasure.cause {
        ErasureCause::Deletion => "deleted message",
        ErasureCause::Expiry | ErasureCause::Retention => "message",
    };
    let windows = counted(erasure.windows, "window");
    let keys = windows.map(|windows| format!("the keys of {windows}"));
    let what: Vec<String> = counted(erasure.messages, one)
        .into_iter()
        .chain(keys)
        .collect();
    let why = match (erasure.cause, erasure.retention) {
        (ErasureCause::Deletion, _) => String::new(),
        (ErasureCause::Expiry, _) => " sent to expire".to_owned(),
        (ErasureCause::Retention, Some(Retention::Instant)) => {
            ", kept until all had read".to_owned()
        }
        (ErasureCause::Retention, Some(kept)) => format!(", kept for {kept}"),
        (ErasureCause::Retention, None) => ", kept no longer".to_owned(),
    };
    let since = match erasure.since == erasure.at {
        true => String::new(),
        false => format!(", since {}", look.full_time(erasure.since)),
    };
    let what = what.join(" and ");
    let _written = writeln!(out, "{NO_ID}  {at}  this device erased {what}{why}{since}");
}
