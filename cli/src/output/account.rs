//! The account and its devices, for people.

use std::fmt::Write;

use kith_api::account::{AccountInfo, DeviceInfo};

use super::Show;
use super::clean::clean;
use super::look::{Look, Paint};
use super::table::{Cell, Table};

impl Show for AccountInfo {
    fn show(&self, look: &Look, out: &mut String) {
        let name = look.paint(Paint::Strong, clean(&self.name));
        let id = look.paint(Paint::Handle, self.account);
        let _written = writeln!(out, "{name}  {id}");
        out.push('\n');
        self.devices.as_slice().show(look, out);
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
                (true, Some(true)) => "this device, may manage the others",
                (true, _) => "this device",
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
