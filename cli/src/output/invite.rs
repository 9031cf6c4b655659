//! Invites, for people.

use std::fmt::Write;

use kith_api::invite::{Invited, Revoked};

use super::Show;
use super::clean::clean;
use super::look::{Look, Paint};
use super::message::short;

impl Show for Invited {
    fn show(&self, look: &Look, out: &mut String) {
        let _written = writeln!(out, "{}", clean(&self.link));
        let until = match self.expires_at {
            Some(time) => format!("it holds until {}", look.full_time(time)),
            None => "it holds until it is revoked".to_owned(),
        };
        let advice = format!("whoever has this link can join with `kith join LINK`; {until}");
        let _written = writeln!(out, "{}", look.paint(Paint::Faint, advice));
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
