//! Contacts and drafts, for people.

use std::fmt::Write;

use kith_api::contact::Contact;
use kith_api::draft::Draft;

use super::Show;
use super::clean::clean;
use super::look::{Look, Paint};
use super::message::short;
use super::table::{Cell, Table};

impl Show for Contact {
    fn show(&self, look: &Look, out: &mut String) {
        std::slice::from_ref(self).show(look, out);
    }
}

impl Show for [Contact] {
    fn show(&self, look: &Look, out: &mut String) {
        if self.is_empty() {
            out.push_str("nobody yet: those who are in a channel with you will be here\n");
            return;
        }
        let mut table = Table::new(&["ACCOUNT", "NAME", "CALLS ITSELF", "", "CHANNELS"]);
        for contact in self {
            let own_name = match contact.own_name == contact.name {
                true => "-",
                false => contact.own_name.as_str(),
            };
            let (paint, how) = match (contact.blocked, contact.verified) {
                (true, true) => (Paint::Bad, "verified, blocked"),
                (true, false) => (Paint::Bad, "blocked"),
                (false, true) => (Paint::Good, "verified"),
                (false, false) => (Paint::Plain, ""),
            };
            let channels: Vec<String> =
                contact.channels.iter().map(|it| format!("#{it}")).collect();
            table.row(vec![
                Cell::new(Paint::Handle, &short(&contact.account)),
                Cell::new(Paint::Person, &contact.name),
                Cell::new(Paint::Faint, own_name),
                Cell::new(paint, how),
                Cell::new(Paint::Plain, &channels.join(" ")),
            ]);
        }
        table.write(look, out);
    }
}

impl Show for Draft {
    fn show(&self, look: &Look, out: &mut String) {
        let name = look.paint(Paint::Strong, format_args!("#{}", clean(&self.name)));
        let thread = self.thread.map(|root| {
            let root = look.paint(Paint::Handle, short(&root));
            format!(", in the thread of {root}")
        });
        let thread = thread.unwrap_or_default();
        let all = [(self.at, &self.text, "")].into_iter();
        let apart = "  written on another device without knowing of the other";
        let others = self
            .others
            .iter()
            .map(|other| (other.at, &other.text, apart));
        for (at, text, how) in all.chain(others) {
            let at = look.paint(Paint::Faint, format_args!("{}{how}", look.time(at)));
            let _written = writeln!(out, "{name}{thread}  {at}");
            for line in text.lines() {
                let _written = writeln!(out, "  {}", clean(line));
            }
        }
    }
}

impl Show for [Draft] {
    fn show(&self, look: &Look, out: &mut String) {
        if self.is_empty() {
            out.push_str("no drafts: keep one with `kith draft CHANNEL TEXT`\n");
        }
        for draft in self {
            draft.show(look, out);
        }
    }
}
