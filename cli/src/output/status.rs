//! The daemon and its home, for people.

use std::fmt::Write;

use kith_api::status::{AnewCause, BeganAnew, PeerStatus, Ready, Status};

use super::Show;
use super::account::revoked;
use super::channel::damage;
use super::look::{Look, Paint, span};
use super::message::short;
use super::storage::short_of_room;
use super::table::{Cell, Table};

impl Show for Status {
    fn show(&self, look: &Look, out: &mut String) {
        let mut facts = Table::bare();
        let fixed = [
            ("account", self.account.to_string()),
            ("device", self.device.to_string()),
            ("version", self.version.clone()),
            ("up for", span(self.uptime_s)),
            ("channels", self.channels.to_string()),
            ("pending", self.pending.to_string()),
            ("peers", self.peers.len().to_string()),
        ];
        let addresses = self.addresses.iter();
        let addresses = addresses.map(|address| ("listens on", address.clone()));
        for (name, value) in fixed.into_iter().chain(addresses) {
            facts.row(vec![
                Cell::new(Paint::Faint, name),
                Cell::new(Paint::Plain, &value),
            ]);
        }
        if self.addresses.is_empty() {
            facts.row(vec![
                Cell::new(Paint::Faint, "listens on"),
                Cell::new(Paint::Bad, "nothing: nobody can connect to this node"),
            ]);
        }
        if self.declined > 0 {
            let told = format!(
                "{} that you were added to: answer in those marked in `kith channel list`, or \
                 leave them, and they come",
                self.declined
            );
            facts.row(vec![
                Cell::new(Paint::Faint, "not taken in"),
                Cell::new(Paint::Plain, &told),
            ]);
        }
        if let Some(at) = self.revoked_at {
            facts.row(vec![
                Cell::new(Paint::Faint, "revoked"),
                Cell::new(Paint::Bad, &revoked(look.time(at))),
            ]);
        }
        if let Some(ms) = self.clock_ahead_ms {
            let told = format!(
                "{} h ahead of the last time that this node or another member knew: nothing is \
                 destroyed until you set it right, a member says the same, or \
                 `kith retention sweep --confirm-clock`",
                ms / 3_600_000
            );
            facts.row(vec![
                Cell::new(Paint::Faint, "clock"),
                Cell::new(Paint::Bad, &told),
            ]);
        }
        if self.damaged > 0 {
            facts.row(vec![
                Cell::new(Paint::Faint, "damage"),
                Cell::new(Paint::Bad, &damage(self.damaged)),
            ]);
        }
        if let Some(told) = self
            .began_anew
            .as_ref()
            .and_then(|anew| went_on(anew, look))
        {
            facts.row(vec![
                Cell::new(Paint::Faint, "new writer"),
                Cell::new(Paint::Plain, &told),
            ]);
        }
        if let Some(at) = self.doubled_at {
            let told = format!("last heard of {}: {DOUBLED}", look.time(at));
            facts.row(vec![
                Cell::new(Paint::Faint, "a copy"),
                Cell::new(Paint::Bad, &told),
            ]);
        }
        for told in self.quotas.iter().filter_map(short_of_room) {
            facts.row(vec![
                Cell::new(Paint::Faint, "quota"),
                Cell::new(Paint::Bad, &told),
            ]);
        }
        facts.write(look, out);
        if !self.peers.is_empty() {
            out.push('\n');
            write_peers(&self.peers, look, out);
        }
    }
}

/// What to do about two homes that are one device.
pub(crate) const DOUBLED: &str = "another copy of this home is in use as the same device, or was until then. Nothing is \
    lost by it, but others talk to one of the two at a time: stop one, and link a device of its own \
    in its place (`kith device link`)";

/// Why the home went on as a new writer, where its owner has done something to it.
fn went_on(anew: &BeganAnew, look: &Look) -> Option<String> {
    let since = look.time(anew.at);
    let why = match (anew.cause, anew.backup_of) {
        (AnewCause::Copy, _) => "this home is a copy".to_owned(),
        (AnewCause::Backup, Some(made)) => {
            format!("it was restored from a backup of {}", look.time(made))
        }
        (AnewCause::Backup, None) => "it was restored from a backup".to_owned(),
        (AnewCause::SetBack, _) => "it was set back to an earlier state".to_owned(),
        (AnewCause::Crash | AnewCause::Damage, _) => return None,
    };
    Some(format!(
        "since {since}, because {why}; what it lacks comes back from others"
    ))
}

fn write_peers(peers: &[PeerStatus], look: &Look, out: &mut String) {
    let mut table = Table::new(&["PEER", "DEVICE", "ADDRESS", "SINCE"]);
    for peer in peers {
        let device = peer.device.map(|device| short(&device));
        table.row(vec![
            Cell::new(Paint::Person, peer.name.as_deref().unwrap_or("(unknown)")),
            Cell::new(Paint::Handle, device.as_deref().unwrap_or("-")),
            Cell::new(Paint::Plain, &peer.address),
            Cell::new(Paint::Faint, &look.time(peer.since)),
        ]);
    }
    table.write(look, out);
}

impl Show for Ready {
    fn show(&self, look: &Look, out: &mut String) {
        let up = look.paint(Paint::Good, "kith is up");
        let _written = writeln!(out, "{up}; stop it with Ctrl-C");
        let mut facts = Table::bare();
        let addresses = self.addresses.iter();
        let addresses = addresses.map(|address| ("listens on", address.clone()));
        let fixed = [
            ("account", self.account.to_string()),
            ("device", self.device.to_string()),
            ("local API", self.socket.clone()),
        ];
        for (name, value) in fixed.into_iter().chain(addresses) {
            facts.row(vec![
                Cell::new(Paint::Faint, name),
                Cell::new(Paint::Plain, &value),
            ]);
        }
        facts.write(look, out);
    }
}
