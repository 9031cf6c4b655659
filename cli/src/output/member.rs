//! Members, for people.

use std::fmt::Write;

use kith_api::channel::{MemberInfo, MemberStatus};
use kith_api::member::MemberOutcome;

use super::Show;
use super::look::{Look, Paint};
use super::message::short;
use super::table::{Cell, Table};

impl Show for [MemberInfo] {
    fn show(&self, look: &Look, out: &mut String) {
        let mut table = Table::new(&["ACCOUNT", "NAME", "ROLE", "STATUS", "DEVICES"]);
        for member in self {
            let paint = match member.status {
                MemberStatus::Active => Paint::Good,
                _ => Paint::Faint,
            };
            let mut status = member.status.name().to_owned();
            if member.verified {
                status += ", verified";
            }
            if member.blocked {
                status += ", blocked by you";
            }
            if let Some(until) = member.until {
                status += &format!(" until {}", look.full_time(until));
            }
            table.row(vec![
                Cell::new(Paint::Handle, &short(&member.account)),
                Cell::new(Paint::Person, &shown_name(member)),
                Cell::new(Paint::Plain, member.role.name()),
                Cell::new(paint, &status),
                Cell::new(Paint::Plain, &member.devices.to_string()),
            ]);
        }
        table.write(look, out);
    }
}

/// The name that this account gives somebody, and the one that they give themselves.
fn shown_name(member: &MemberInfo) -> String {
    match &member.own_name {
        Some(own) => format!("{} ({own})", member.name),
        None => member.name.clone(),
    }
}

impl Show for MemberOutcome {
    fn show(&self, look: &Look, out: &mut String) {
        let name = look.paint(Paint::Person, super::clean::clean(&self.name));
        let is = if self.dry_run { "would be" } else { "is" };
        let mut line = match self.status {
            MemberStatus::Active => format!("{name} {is} {} here", self.role.name()),
            MemberStatus::Muted => format!("{name} {is} muted"),
            MemberStatus::Left => format!("{name} {is} gone"),
            MemberStatus::Removed => format!("{name} {is} removed, and may come back by an invite"),
            MemberStatus::Banned => format!("{name} {is} banned"),
        };
        match (self.status, self.until) {
            (MemberStatus::Banned, None) => line += " for good",
            (_, Some(until)) => line += &format!(" until {}", look.full_time(until)),
            _ => {}
        }
        let _written = writeln!(out, "{line}");
    }
}
