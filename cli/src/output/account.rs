//! The account and its devices, for people.

use std::fmt::{Display, Write};

use kith_api::account::{AccountInfo, DeviceInfo, DeviceRevoked};

use super::Show;
use super::clean::clean;
use super::look::{Look, Paint};
use super::table::{Cell, Table};
use crate::verbs::device::MANAGES_STILL;

impl Show for AccountInfo {
    fn show(&self, look: &Look, out: &mut String) {
        let name = look.paint(Paint::Strong, clean(&self.name));
        let id = look.paint(Paint::Handle, self.account);
        let _written = writeln!(out, "{name}  {id}");
        let number = look.paint(Paint::Strong, &self.safety_number);
        let _written = writeln!(out, "safety number  {number}");
        if let Some(at) = self.revoked_at {
            let _written = writeln!(out, "{}", look.paint(Paint::Bad, revoked(look.time(at))));
        }
        out.push('\n');
        self.devices.as_slice().show(look, out);
    }
}

/// What is told at a device that was revoked.
pub(super) fn revoked(at: impl Display) -> String {
    format!(
        "this device was revoked by another one of the account, or with its 24 words, as it learnt \
         at {at}: it keeps what it has and can do nothing more"
    )
}

impl Show for DeviceRevoked {
    fn show(&self, look: &Look, out: &mut String) {
        let name = look.paint(Paint::Strong, clean(&self.name));
        if self.dry_run {
            let _written = writeln!(out, "{name} would be revoked.");
        } else {
            let channels = match self.channels {
                0 => String::new(),
                1 => ": 1 channel knows".to_owned(),
                n => format!(": {n} channels know"),
            };
            let _written = writeln!(
                out,
                "{name} is not a device of your account any more{channels}. Whoever has heard of \
                 it is shown nothing\nthat it writes from now on, and gives it no keys. What it has \
                 it keeps."
            );
        }
        if !self.waiting.is_empty() {
            let names: Vec<_> = self.waiting.iter().map(|name| clean(name)).collect();
            let _written = writeln!(
                out,
                "Told once they were compared with somebody, so that nothing is hidden which others \
                 have: {}",
                names.join(", ")
            );
        }
        if self.managed {
            let _written = writeln!(out, "{MANAGES_STILL}");
        }
    }
}

impl Show for DeviceInfo {
    fn show(&self, look: &Look, out: &mut String) {
        std::slice::from_ref(self).show(look, out);
    }
}

impl Show for [DeviceInfo] {
    fn show(&self, look: &Look, out: &mut String) {
        let mut table = Table::new(&["DEVICE", "ID", "WHAT"]);
        for device in self {
            let what = match (device.this, device.manages) {
                _ if device.revoked => "revoked",
                (true, Some(true)) => "this device, manages the account",
                (true, _) => "this device",
                (false, Some(true)) => "manages the account",
                (false, _) => "",
            };
            table.row(vec![
                Cell::new(Paint::Strong, &clean(&device.name)),
                Cell::new(Paint::Handle, &device.device.to_string()),
                Cell::new(Paint::Faint, what),
            ]);
        }
        table.write(look, out);
    }
}
