//! Backups, for people.

use std::fmt::Write;

use kith_api::backup::BackupCreated;
use kith_api::size::Size;

use super::Show;
use super::look::Look;
use crate::verbs::backup::BackupContent;

impl Show for BackupCreated {
    fn show(&self, _: &Look, out: &mut String) {
        let _written = writeln!(
            out,
            "The backup is written and was read back: {}, {}.\n{}",
            self.file,
            Size(self.bytes),
            counted(self.channels, self.entries)
        );
        if self.left_out > 0 {
            let _written = writeln!(out, "{}", left_out(self.left_out));
        }
        out.push_str(
            "\nKeep it on another disk, and its passphrase apart from it: whoever has both reads all \
             of this and\nis this device. `kith backup restore FILE` makes a home out of it.\n",
        );
    }
}

impl Show for BackupContent {
    fn show(&self, look: &Look, out: &mut String) {
        let made = look.full_time(self.made_at);
        let _written = match &self.home {
            Some(home) => writeln!(out, "{home} is restored from the backup of {made}."),
            None => writeln!(out, "This backup is whole. It was made {made}."),
        };
        let _written = writeln!(
            out,
            "\naccount  {}\ndevice   {}\n\n{}",
            self.account,
            self.device,
            counted(self.channels, self.entries)
        );
        if self.left_out > 0 {
            let _written = writeln!(out, "{}", left_out(self.left_out));
        }
        if self.home.is_some() {
            out.push_str(
                "\nNext: `kith daemon`. What was written after the backup comes back from other \
                 members and your other\ndevices. Never run this home beside the one that the backup \
                 was made of: to have two devices, link\none with `kith device link`.\n",
            );
        }
    }
}

fn counted(channels: u64, entries: u64) -> String {
    let channels = match channels {
        1 => "1 channel".to_owned(),
        channels => format!("{channels} channels"),
    };
    let entries = match entries {
        1 => "1 entry".to_owned(),
        entries => format!("{entries} entries"),
    };
    format!("{channels}, {entries}: messages, and what was said about them and read.")
}

fn left_out(messages: u64) -> String {
    let messages = match messages {
        1 => "1 message is".to_owned(),
        messages => format!("{messages} messages are"),
    };
    format!(
        "{messages} not in it, because their time comes to an end: a file would keep them. They come \
         back from\nwhoever still has them."
    )
}
