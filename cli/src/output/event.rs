//! Events, for people: one line each, the message itself where there is one.

use std::fmt::Write;

use kith_api::event::{Event, Happened};
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::Show;
use super::channel::sync;
use super::clean::clean;
use super::look::{Look, Paint};
use super::message::{Occasion, deleted, short, state_paint, write_message};
use super::policy;

impl Show for Event {
    fn show(&self, look: &Look, out: &mut String) {
        if let Happened::Message { message, .. } = &self.what {
            let width = clean(&message.name).width();
            write_message(message, Occasion::Live, width, look, out);
            return;
        }
        let line = sentence(&self.what, look);
        let _written = writeln!(out, "{} {line}", look.paint(Paint::Faint, "·"));
    }
}

/// An event with the name of its channel, for those who follow several.
#[derive(Debug, Serialize)]
pub(crate) struct Located<'a> {
    #[serde(flatten)]
    pub(crate) event: &'a Event,
    #[serde(skip)]
    pub(crate) channel: &'a str,
}

impl Show for Located<'_> {
    fn show(&self, look: &Look, out: &mut String) {
        let name = clean(self.channel);
        let gap = " ".repeat(name.width());
        let mut lines = String::new();
        self.event.show(look, &mut lines);
        for (number, line) in lines.lines().enumerate() {
            let lead = match number {
                0 => look.paint(Paint::Strong, &name),
                _ => gap.clone(),
            };
            let _written = writeln!(out, "{lead}  {line}");
        }
    }
}

fn sentence(what: &Happened, look: &Look) -> String {
    let person = |name: &str| look.paint(Paint::Person, clean(name));
    let handle = |id: String| look.paint(Paint::Handle, id);
    match what {
        Happened::Message { message, .. } | Happened::MessageEdited { message, .. } => {
            let text = message.text.as_deref().unwrap_or_default();
            let (name, id) = (person(&message.name), handle(short(&message.id)));
            format!("{name} changed {id}: {}", clean(text))
        }
        Happened::MessageDeleted { message, .. } => {
            let id = handle(short(&message.id));
            let deleted = deleted(message.deleted_by.as_ref(), message.reason.as_deref());
            format!("{id} by {} was {deleted}", person(&message.name))
        }
        Happened::MessageExpired { id, .. } => format!("{} has expired", handle(short(id))),
        Happened::Reaction {
            id,
            name,
            emoji,
            added,
            ..
        } => {
            let (name, emoji, id) = (person(name), clean(emoji), handle(short(id)));
            let did = if *added { "gave" } else { "took back" };
            format!("{name} {did} {emoji} on {id}")
        }
        Happened::Pin {
            id, name, pinned, ..
        } => {
            let did = if *pinned { "pinned" } else { "unpinned" };
            format!("{} {did} {}", person(name), handle(short(id)))
        }
        Happened::Read { name, ids, .. } => {
            let ids: Vec<String> = ids.iter().map(|id| handle(short(id))).collect();
            format!("{} has read {}", person(name), ids.join(" "))
        }
        Happened::State { id, state, .. } => {
            let state = look.paint(state_paint(*state), state);
            format!("{} is {state}", handle(short(id)))
        }
        Happened::Typing { name, .. } => format!("{} is typing", person(name)),
        Happened::Member { .. }
        | Happened::Policy { .. }
        | Happened::Setting { .. }
        | Happened::Presence { .. }
        | Happened::Peer { .. }
        | Happened::Sync { .. } => around(what, look),
    }
}

/// A sentence about what is around the messages: people, rules, connections.
fn around(what: &Happened, look: &Look) -> String {
    let person = |name: &str| look.paint(Paint::Person, clean(name));
    match what {
        Happened::Member {
            name,
            role,
            status: now,
            ..
        } => format!("{} is {role}, {}", person(name), now.name()),
        Happened::Policy {
            name,
            setting: Some(setting),
            ..
        } => {
            let name = look.paint(Paint::Strong, format_args!("#{}", clean(name)));
            let by = person(setting.name.as_deref().unwrap_or_default());
            format!("{name}: {}, set by {by}", policy::sentence(setting))
        }
        Happened::Policy {
            name,
            topic,
            retention: kept,
            ..
        } => {
            let name = look.paint(Paint::Strong, format_args!("#{}", clean(name)));
            let kept = kept.to_string();
            format!("{name}: topic “{}”, messages are kept {kept}", clean(topic))
        }
        Happened::Setting { setting, .. } => {
            format!("you have set something for yourself: {}", setting.name())
        }
        Happened::Presence { name, online, .. } => {
            let now = if *online { "online" } else { "offline" };
            format!("{} is {now}", person(name))
        }
        Happened::Peer {
            name,
            address,
            connected,
            ..
        } => {
            let name = person(name.as_deref().unwrap_or("an unknown device"));
            let did = if *connected { "connected to" } else { "lost" };
            format!("{did} {name} at {}", clean(address))
        }
        Happened::Sync {
            channel,
            sync: stands,
        } => format!("{}: {}", short(channel), sync(stands, look)),
        _ => what.name().to_owned(),
    }
}
