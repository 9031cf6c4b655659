//! What was erased, for people.

use std::fmt::Write;

use kith_api::erase::Erased;

use super::clean::clean;
use super::look::{Look, Paint};
use super::{Show, counted};

impl Show for Erased {
    fn show(&self, look: &Look, out: &mut String) {
        let name = look.paint(Paint::Strong, format_args!("#{}", clean(&self.name)));
        let _written = match (self.is_nothing(), self.dry_run) {
            (true, _) => writeln!(out, "nothing of yours is left in {name}"),
            (_, true) => writeln!(out, "{} of yours in {name} would be erased", words(self)),
            (_, false) => writeln!(
                out,
                "{} of yours in {name} erased; the others' nodes follow as they hear of it",
                words(self)
            ),
        };
    }
}

/// How much it is: `3 messages and 1 reaction`.
pub(crate) fn words(erased: &Erased) -> String {
    let all = [
        counted(erased.messages, "message"),
        counted(erased.reactions, "reaction"),
    ];
    let all: Vec<String> = all.into_iter().flatten().collect();
    all.join(" and ")
}
