//! How long a channel keeps its messages, for people.

use std::fmt::Write;

use kith_api::policy::SetBy;
use kith_api::retention::{Retention, RetentionInfo, Swept};

use super::Show;
use super::clean::clean;
use super::look::{Look, Paint};

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
            (Some(shortest), Some(longest)) => format!("{shortest} to {longest} may be set"),
        };
        let said = by(self.limits_set_by.as_ref(), look);
        let _written = writeln!(out, "limits: {limits}{said}");
    }
}

impl Show for Swept {
    fn show(&self, _: &Look, out: &mut String) {
        let _written = match (self.purged, self.shredded) {
            (0, 0) => writeln!(out, "nothing is over"),
            (purged, shredded) => writeln!(
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
