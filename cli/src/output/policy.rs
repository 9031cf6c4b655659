//! What holds in a channel, for people.

use std::fmt::Write;

use kith_api::policy::{PolicyOutcome, PolicySetting, Setting};
use kith_api::retention::Retention;

use super::Show;
use super::clean::clean;
use super::look::{Look, Paint};
use super::table::{Cell, Table};

impl Show for [PolicySetting] {
    fn show(&self, look: &Look, out: &mut String) {
        let mut table = Table::new(&["SETTING", "VALUE", "SET BY", "SINCE"]);
        for setting in self {
            let since = setting.at.map(|at| look.full_time(at));
            let is_default = setting.default.as_ref() == Some(&setting.value);
            let paint = if is_default {
                Paint::Plain
            } else {
                Paint::Strong
            };
            table.row(vec![
                Cell::new(Paint::Handle, &words(setting)),
                Cell::new(paint, &setting.value),
                Cell::new(Paint::Person, setting.name.as_deref().unwrap_or("-")),
                Cell::new(Paint::Faint, since.as_deref().unwrap_or("-")),
            ]);
        }
        table.write(look, out);
        let hint = "`kith retention` sets how long messages are kept and within which limits, \
                    `kith channel` name and topic, `kith policy` the rest";
        if self.len() > 1 {
            let _written = writeln!(out, "{}", look.paint(Paint::Faint, hint));
        }
    }
}

impl Show for PolicyOutcome {
    fn show(&self, _: &Look, out: &mut String) {
        let would = if self.dry_run {
            "it would be so that "
        } else {
            ""
        };
        let said = sentence(&self.setting);
        let _written = writeln!(out, "{would}{said}{}", consequence(self));
        if let Some(gone) = self.gone_at_once {
            let gone = match gone {
                0 => "no message would be gone at once".to_owned(),
                1 => "1 message would be gone at once, everywhere".to_owned(),
                gone => format!("{gone} messages would be gone at once, everywhere"),
            };
            let _written = writeln!(out, "{gone}");
        }
    }
}

/// What follows from a setting, where its own sentence does not say it.
fn consequence(outcome: &PolicyOutcome) -> String {
    let forever = Retention::Forever.to_string();
    match (outcome.retention, outcome.existing) {
        (Some(retention), _) => {
            let when = if outcome.dry_run { "then" } else { "now" };
            format!(", so from {when} on {}", super::retention::kept(retention))
        }
        // How much that ends the next line says.
        (None, Some(true)) if outcome.dry_run => String::new(),
        (None, Some(true)) if outcome.setting.value == forever => {
            "; what is there keeps the time it has".to_owned()
        }
        (None, Some(true)) => {
            "; that holds for what is there as well, unless it goes sooner".to_owned()
        }
        (None, _) => String::new(),
    }
}

/// What to type for a setting: `history`, `right write`.
fn words(setting: &PolicySetting) -> String {
    let name = setting.setting.name();
    match setting.right {
        Some(right) => format!("{name} {right}"),
        None => name.to_owned(),
    }
}

/// What a setting says.
pub(crate) fn sentence(setting: &PolicySetting) -> String {
    let value = clean(&setting.value);
    match (setting.setting, setting.right) {
        (Setting::Name, _) => format!("the channel is called #{value}"),
        (Setting::Topic, _) => format!("the topic is “{value}”"),
        (Setting::History, _) => match &*value {
            "everything" => "newcomers may read everything".to_owned(),
            "joining" => "newcomers may read what is written from their joining on".to_owned(),
            "1day" => "newcomers may read the last day as well".to_owned(),
            days => {
                let days = days.trim_end_matches("days");
                format!("newcomers may read the last {days} days as well")
            }
        },
        (Setting::Retention, _) => value.parse().map_or_else(
            |_| format!("messages are kept for {value}"),
            super::retention::kept,
        ),
        (Setting::RetentionLimits, _) => match &*value {
            "none" => "messages may be kept for any time".to_owned(),
            limits => match limits.split_once(" to ") {
                Some((shortest, longest)) if shortest == longest => {
                    format!("messages may be kept for {shortest} only")
                }
                _ => format!("messages may be kept for {limits}"),
            },
        },
        (Setting::Right, right) => {
            let right = right.map_or("act", |right| right.name());
            format!("{right} takes the role {value} or above")
        }
    }
}
