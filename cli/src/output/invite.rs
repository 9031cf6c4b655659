//! Invites, for people.

use std::fmt::Write;

use kith_api::invite::{InviteInfo, InviteStanding, Invited, Revoked};

use super::Show;
use super::clean::clean;
use super::look::{Look, Paint};
use super::message::short;
use super::table::{Cell, Table};

impl Show for Invited {
    fn show(&self, look: &Look, out: &mut String) {
        let _written = writeln!(out, "{}", clean(&self.link));
        let until = match self.expires_at {
            Some(time) => format!("it holds until {}", look.full_time(time)),
            None => "it holds until it is revoked".to_owned(),
        };
        let advice = format!("whoever has this link can join with `kith join LINK`; {until}");
        let _written = writeln!(out, "{}", look.paint(Paint::Faint, advice));
        let id = look.paint(Paint::Handle, short(&self.invite));
        let lead = look.paint(Paint::Faint, "`kith invite revoke` knows it as");
        let _written = writeln!(out, "{lead} {id}");
    }
}

impl Show for [InviteInfo] {
    fn show(&self, look: &Look, out: &mut String) {
        if self.is_empty() {
            out.push_str("no invites yet: make one with `kith invite CHANNEL`\n");
            return;
        }
        let mut table = Table::new(&["INVITE", "ROLE", "LEFT", "EXPIRES", "BY", "STATE"]);
        for invite in self {
            let paint = match invite.state {
                InviteStanding::Open => Paint::Good,
                _ => Paint::Faint,
            };
            table.row(vec![
                Cell::new(Paint::Handle, &short(&invite.invite)),
                Cell::new(Paint::Plain, invite.role.name()),
                Cell::new(Paint::Plain, &format!("{}/{}", invite.left, invite.uses)),
                Cell::new(Paint::Plain, &look.full_time(invite.expires_at)),
                Cell::new(Paint::Person, &invite.name),
                Cell::new(paint, invite.state.name()),
            ]);
        }
        table.write(look, out);
    }
}

impl Show for Revoked {
    fn show(&self, look: &Look, out: &mut String) {
        let invite = look.paint(Paint::Handle, short(&self.invite));
        let _written = writeln!(
            out,
            "invite {invite} is revoked: nobody can join by it any more"
        );
    }
}
