//! How long a channel keeps its messages, for people.

use std::fmt::Write;

use kith_api::evidence::RetentionStatus;
use kith_api::policy::SetBy;
use kith_api::retention::{Retention, RetentionInfo, Swept};

use super::Show;
use super::clean::clean;
use super::look::{Look, Paint};
use super::message::short;
use super::table::{Cell, Table};

impl Show for RetentionInfo {
    fn show(&self, look: &Look, out: &mut String) {
        let name = look.paint(Paint::Strong, format_args!("#{}", clean(&self.name)));
        let (kept, said) = (kept(self.retention), by(self.set_by.as_ref(), look));
        if self.set == self.retention {
            let _written = writeln!(out, "{name}  {kept}{said}");
        } else {
            let _written = writeln!(out, "{name}  {kept}, as the limits have it");
            let said = self.set_by.as_ref().map_or_else(
                || look.paint(Paint::Faint, ", as nobody has set anything else"),
                |_| said,
            );
            let _written = writeln!(out, "set: {}{said}", self.set);
        }
        let limits = match (self.shortest, self.longest) {
            (None, None) => "any other time may be set".to_owned(),
            (Some(shortest), None) => format!("{shortest} or longer may be set"),
            (None, Some(longest)) => format!("{longest} or shorter may be set"),
            (Some(shortest), Some(longest)) if shortest == longest => {
                format!("only {shortest} may be set")
            }
            (Some(shortest), Some(longest)) => format!("{shortest} to {longest} may be set"),
        };
        let said = by(self.limits_set_by.as_ref(), look);
        let _written = writeln!(out, "limits: {limits}{said}");
    }
}

impl Show for RetentionStatus {
    fn show(&self, look: &Look, out: &mut String) {
        let name = look.paint(Paint::Strong, format_args!("#{}", clean(&self.name)));
        let _written = writeln!(out, "{name}  {}", kept(self.retention));
        if let Some(next) = self.next_destroyed {
            let next = look.full_time(next);
            let _written = writeln!(out, "the next keys are destroyed on {next}");
        }
        if self.messages == 0 {
            let _written = writeln!(out, "no message is over or deleted that is not destroyed");
            return;
        }
        let messages = one_or("message is", "messages are", self.messages);
        let _written = writeln!(out, "{} {messages} over or deleted:\n", self.messages);
        let mut table = Table::new(&["MEMBER", "DEVICE", "ERASED", "LAST HEARD"]);
        for there in &self.devices {
            let holder = &there.device;
            let is_done = there.erased == there.of;
            let heard = match (there.this, holder.heard) {
                (true, _) => "this device".to_owned(),
                (false, Some(time)) => look.full_time(time),
                (false, None) => "never".to_owned(),
            };
            table.row(vec![
                Cell::new(Paint::Person, &holder.name),
                Cell::new(Paint::Handle, &short(&holder.device)),
                Cell::new(
                    if is_done { Paint::Good } else { Paint::Bad },
                    &format!("{} of {}", there.erased, there.of),
                ),
                Cell::new(Paint::Faint, &heard),
            ]);
        }
        table.write(look, out);
    }
}

impl Show for Swept {
    fn show(&self, _: &Look, out: &mut String) {
        let _written = match (self.purged, self.shredded, self.rewritten) {
            (0, 0, false) => writeln!(out, "nothing is over"),
            (0, 0, true) => writeln!(out, "what was over or deleted is in no file any more"),
            (purged, shredded, _) => writeln!(
                out,
                "{purged} {} and {shredded} {} destroyed",
                one_or("message erased", "messages erased", purged),
                one_or("window", "windows", shredded)
            ),
        };
    }
}

const fn one_or(one: &'static str, many: &'static str, count: u64) -> &'static str {
    if count == 1 { one } else { many }
}

/// How long messages are kept, in words.
pub(super) fn kept(retention: Retention) -> String {
    match retention {
        Retention::Forever => "messages are kept until somebody deletes them".to_owned(),
        Retention::Instant => {
            "messages go once everybody has read them, after 30days at the latest".to_owned()
        }
        Retention::Hours(_) => format!("messages are kept for {retention}"),
    }
}

fn by(set: Option<&SetBy>, look: &Look) -> String {
    set.map_or_else(String::new, |set| {
        let (who, when) = (clean(&set.name), look.full_time(set.at));
        let said = format!(", as {who} set it on {when}");
        look.paint(Paint::Faint, said)
    })
}
