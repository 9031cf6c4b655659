//! Linking a device, for people: on the device that shows the link, and on the new one.

use std::fmt::Write;

use kith_api::account::{DeviceLinkShown, DeviceLinkStage, DeviceLinkState, Picture};

use super::Show;
use super::clean::clean;
use super::look::{Look, Paint};
use super::qr::qr;
use crate::verbs::device::{CodeShown, Compared, Joined};

impl Show for DeviceLinkShown {
    fn show(&self, look: &Look, out: &mut String) {
        if let Some(picture) = look.picture(&qr(&self.link)) {
            out.push_str(&picture);
            out.push('\n');
        }
        out.push_str("On the new device, where `kith` is installed and has no home yet:\n\n");
        let command = format!("kith device join {}", self.link);
        let _written = writeln!(out, "  {}\n", look.paint(Paint::Strong, command));
        let until = look.time(self.expires_at);
        let _written = writeln!(
            out,
            "The link works once, until {until}. Waiting for that device; Ctrl-C takes the link \
             back."
        );
    }
}

impl Show for DeviceLinkState {
    fn show(&self, look: &Look, out: &mut String) {
        let name = clean(self.name.as_deref().unwrap_or_default());
        let name = look.paint(Paint::Strong, name);
        match self.stage {
            DeviceLinkStage::Asked => {
                let what = match self.manages {
                    Some(true) => "a device of your account, and to link further ones",
                    _ => "a device of your account",
                };
                let _written = writeln!(out, "\n{name} asks to be {what}. It has to show:\n");
                pictures(&self.pictures, out);
                out.push_str(
                    "\nIf it does, say so there: then it shows six digits, which you type here. If \
                     it shows other\npictures, stop: somebody stands between the two.\n",
                );
            }
            DeviceLinkStage::Linked => {
                let _written = writeln!(
                    out,
                    "{name} is a device of your account now. Its channels arrive once its daemon \
                     runs; keep this one running."
                );
            }
            DeviceLinkStage::Shown => out.push_str("Waiting for a device.\n"),
            DeviceLinkStage::Over => out.push_str("The link is not good any more.\n"),
        }
    }
}

impl Show for Compared {
    fn show(&self, _: &Look, out: &mut String) {
        out.push_str("The other device answers. It has to show the same as this one:\n\n");
        pictures(&self.pictures, out);
        out.push('\n');
    }
}

impl Show for CodeShown {
    fn show(&self, look: &Look, out: &mut String) {
        let (first, last) = self.code.split_at(self.code.len() / 2);
        let digits = look.paint(Paint::Strong, format_args!("{first} {last}"));
        let _written = writeln!(
            out,
            "\nType this code on the other device:  {digits}\n\nWaiting for that…"
        );
    }
}

impl Show for Joined {
    fn show(&self, look: &Look, out: &mut String) {
        let name = look.paint(Paint::Strong, clean(&self.name));
        let _written = writeln!(
            out,
            "This is a device of {name} now.\n\naccount  {}\ndevice   {}\n",
            self.account, self.device
        );
        if self.manages {
            out.push_str("It may link further devices.\n");
        }
        out.push_str(
            "Next: `kith daemon`. The channels arrive while it is connected to another of your \
             devices.\n",
        );
    }
}

fn pictures(pictures: &[Picture], out: &mut String) {
    let told = pictures
        .iter()
        .map(|picture| format!("{} {}", picture.emoji, picture.name));
    let told: Vec<String> = told.collect();
    let _written = writeln!(out, "  {}", told.join("   "));
}
