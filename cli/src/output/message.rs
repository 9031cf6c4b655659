//! Messages, for people.

use std::fmt::{Display, Write};

use kith_api::Timestamp;
use kith_api::message::{
    DeletedBy, Delivery, DeliveryState, Message, MessageDetail, MessageKind, Recipient, Sent,
    Version,
};
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::Show;
use super::clean::{clean, clean_lines};
use super::look::{Look, Paint};
use super::table::{Cell, Table};

/// Characters of an id that people are shown: enough to be one of a kind, few enough to type.
const SHORT: usize = 8;

/// The beginning of an id, to be typed instead of it.
pub(crate) fn short(id: &impl Display) -> String {
    id.to_string().chars().take(SHORT).collect()
}

impl Show for [Message] {
    fn show(&self, look: &Look, out: &mut String) {
        if self.is_empty() {
            out.push_str("no messages\n");
        }
        let names = self.iter().map(|message| clean(&message.name).width());
        let name_width = names.max().unwrap_or(0);
        for message in self {
            write_message(message, Occasion::Page, name_width, look, out);
        }
    }
}

impl Show for Message {
    fn show(&self, look: &Look, out: &mut String) {
        std::slice::from_ref(self).show(look, out);
    }
}

/// Where a message is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// Among others, some time after it was written.
    Page,
    /// Alone, as it comes: nobody expects it to have got anywhere yet.
    Live,
}

/// Writes a message: id, time, author and text; below it, where there is more to say, the rest.
pub(crate) fn write_message(
    message: &Message,
    occasion: Occasion,
    name_width: usize,
    look: &Look,
    out: &mut String,
) {
    let id = short(&message.id);
    let time = look.time(message.at);
    let name = clean(&message.name);
    let gap = " ".repeat(name_width.saturating_sub(name.width()));
    let indent = " ".repeat(id.width() + time.width() + name_width.max(name.width()) + 6);
    let head = [
        look.paint(Paint::Handle, id),
        look.paint(Paint::Faint, time),
        format!("{}{gap}", look.paint(Paint::Person, name)),
    ];
    out.push_str(&head.join("  "));
    let more = details(message, occasion, look);
    let details = (!more.is_empty()).then(|| look.paint(Paint::Faint, more.join(" · ")));
    for (number, line) in text(message, look).into_iter().chain(details).enumerate() {
        out.push_str(if number == 0 { "  " } else { &indent });
        out.push_str(&line);
        out.push('\n');
    }
}

/// What a message says, or why it says nothing.
fn text(message: &Message, look: &Look) -> Vec<String> {
    let said = match &message.text {
        Some(text) => text,
        None if message.deleted => {
            let deleted = deleted(message.deleted_by.as_ref(), message.reason.as_deref());
            return vec![look.paint(Paint::Faint, format_args!("({deleted})"))];
        }
        None if message.kind == MessageKind::Unknown => {
            return vec![look.paint(Paint::Faint, "(needs a newer version of kith)")];
        }
        None => return vec![look.paint(Paint::Faint, "(cannot be read here)")],
    };
    let paint = match message.kind {
        MessageKind::Announcement => Paint::Strong,
        MessageKind::Text | MessageKind::Unknown => Paint::Plain,
    };
    let lines: Vec<String> = clean_lines(said)
        .map(|line| look.paint(paint, line))
        .collect();
    if lines.is_empty() {
        return vec![String::new()];
    }
    lines
}

/// Who deleted something, and why: `deleted by Ana: off topic`.
pub(crate) fn deleted(by: Option<&DeletedBy>, reason: Option<&str>) -> String {
    let by = by.map_or_else(String::new, |by| format!(" by {}", clean(&by.name)));
    let reason = reason.map_or_else(String::new, |reason| format!(": {}", clean(reason)));
    format!("deleted{by}{reason}")
}

/// When a message goes: at this time at the latest.
fn gone(end: Timestamp, instant: bool, look: &Look) -> String {
    let end = look.time(end);
    if instant {
        format!("gone once all have read it, or by {end}")
    } else {
        format!("gone by {end}")
    }
}

fn details(message: &Message, occasion: Occasion, look: &Look) -> Vec<String> {
    let mut details = Vec::new();
    if message.kind == MessageKind::Announcement && !message.deleted {
        details.push("announcement".to_owned());
    }
    if let Some(hidden) = &message.hidden {
        details.push(format!("hidden from the others: {}", clean(&hidden.reason)));
    }
    if message.pinned {
        details.push("pinned".to_owned());
    }
    if let Some(answered) = &message.reply_to {
        details.push(format!("answers {}", short(answered)));
    }
    if message.replies > 0 {
        let unread = match message.unread_replies {
            0 => String::new(),
            unread => format!(", {unread} unread"),
        };
        details.push(format!("{} in its thread{unread}", message.replies));
    }
    if message.edited && !message.deleted {
        details.push("edited".to_owned());
    }
    for (emoji, reaction) in &message.reactions.0 {
        let mine = if reaction.mine { "*" } else { "" };
        details.push(format!("{} {}{mine}", clean(emoji), reaction.count));
    }
    match message.state {
        DeliveryState::Pending if occasion == Occasion::Page => {
            details.push("not on any other device yet".to_owned());
        }
        DeliveryState::Failed => details.push("reached nobody in time".to_owned()),
        _ => {}
    }
    if !message.read_by.is_empty() {
        details.push(format!("read by {}", message.read_by.len()));
    }
    if let Some(end) = message.expires_at {
        details.push(gone(end, message.instant, look));
    }
    details
}

impl Show for MessageDetail {
    fn show(&self, look: &Look, out: &mut String) {
        write_facts(self, look, out);
        if !self.recipients.is_empty() {
            out.push('\n');
            write_recipients(&self.recipients, look, out);
        }
    }
}

/// A message with where it has arrived, for those who want to know of every device.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct ByDevice<'a>(pub(crate) &'a MessageDetail);

impl Show for ByDevice<'_> {
    fn show(&self, look: &Look, out: &mut String) {
        write_facts(self.0, look, out);
        if !self.0.delivery.is_empty() {
            out.push('\n');
            write_delivery(&self.0.delivery, look, out);
        }
    }
}

/// Writes a message and all about it but where it has arrived.
fn write_facts(detail: &MessageDetail, look: &Look, out: &mut String) {
    let message = &detail.message;
    message.show(look, out);
    out.push('\n');
    let mut table = Table::bare();
    for (name, value) in [
        ("id", message.id.to_string()),
        ("channel", message.channel.to_string()),
        ("author", message.name.clone()),
        ("account", message.account.to_string()),
        ("device", message.device.to_string()),
        ("written", look.full_time(message.at)),
        ("state", message.state.to_string()),
    ] {
        table.row(vec![
            Cell::new(Paint::Faint, name),
            Cell::new(Paint::Plain, &value),
        ]);
    }
    if let Some(by) = &message.deleted_by {
        table.row(vec![
            Cell::new(Paint::Faint, "deleted"),
            Cell::new(Paint::Plain, &look.full_time(by.at)),
        ]);
    }
    if let Some(erased) = &detail.erased {
        let devices = format!("on {} of {} devices", erased.devices, erased.of);
        let names: Vec<String> = erased
            .not_heard_from
            .iter()
            .map(|holder| format!("{} ({})", holder.name, short(&holder.device)))
            .collect();
        let told = match names.as_slice() {
            [] => devices,
            names => format!("{devices}; not heard from: {}", names.join(", ")),
        };
        table.row(vec![
            Cell::new(Paint::Faint, "erased"),
            Cell::new(Paint::Plain, &told),
        ]);
    }
    if let Some(hidden) = &message.hidden {
        let rule = &hidden.rule;
        let told = format!(
            "from the others: {} (rule {} {}); `kith why message {}` says more",
            hidden.reason,
            rule.number,
            rule.name,
            short(&message.id)
        );
        table.row(vec![
            Cell::new(Paint::Faint, "hidden"),
            Cell::new(Paint::Bad, &told),
        ]);
    }
    if let Some(by) = &message.pinned_by {
        let pinned = format!("{} by {}", look.full_time(by.at), by.name);
        table.row(vec![
            Cell::new(Paint::Faint, "pinned"),
            Cell::new(Paint::Plain, &pinned),
        ]);
    }
    table.write(look, out);
}

fn write_recipients(recipients: &[Recipient], look: &Look, out: &mut String) {
    let mut table = Table::new(&["MEMBER", "STATE", "SINCE"]);
    for there in recipients {
        let since = there.at.map(|time| look.full_time(time));
        let (author, other) = if there.own {
            (" (author)", "other ")
        } else {
            ("", "")
        };
        let mut row = vec![
            Cell::new(Paint::Person, &format!("{}{author}", there.name)),
            Cell::new(state_paint(there.state), there.state.name()),
            Cell::new(Paint::Faint, since.as_deref().unwrap_or("-")),
        ];
        if there.devices > 1 {
            let held = format!("on {} of {} {other}devices", there.holding, there.devices);
            row.push(Cell::new(Paint::Faint, &held));
        }
        table.row(row);
    }
    table.write(look, out);
}

fn write_delivery(delivery: &[Delivery], look: &Look, out: &mut String) {
    let mut table = Table::new(&["MEMBER", "DEVICE", "STATE", "SINCE"]);
    for there in delivery {
        let since = there.at.map(|time| look.full_time(time));
        let device = format!("{} ({})", there.device_name, short(&there.device));
        table.row(vec![
            Cell::new(Paint::Person, &there.name),
            Cell::new(Paint::Handle, &device),
            Cell::new(state_paint(there.state), there.state.name()),
            Cell::new(Paint::Faint, since.as_deref().unwrap_or("-")),
        ]);
    }
    table.write(look, out);
}

impl Show for Sent {
    fn show(&self, look: &Look, out: &mut String) {
        let id = look.paint(Paint::Handle, short(&self.id));
        let state = look.paint(state_paint(self.state), self.state);
        let end = self.expires_at.map_or_else(String::new, |end| {
            let end = format!("  {}", gone(end, self.instant, look));
            look.paint(Paint::Faint, end)
        });
        let _written = writeln!(out, "{id}  {state}{end}");
    }
}

impl Show for [Version] {
    fn show(&self, look: &Look, out: &mut String) {
        for version in self {
            let number = look.paint(Paint::Strong, version.version);
            let at = look.full_time(version.at);
            let by = look.paint(Paint::Person, clean(&version.name));
            let _written = writeln!(out, "{number}  {at}  {by}");
            let gone = version.deleted_by.is_some();
            let missing = ["(cannot be read here)", "(deleted)"][usize::from(gone)];
            for line in clean_lines(version.text.as_deref().unwrap_or(missing)) {
                let _written = writeln!(out, "   {line}");
            }
        }
        let last = self
            .last()
            .and_then(|last| Some((last, last.deleted_by.as_ref()?)));
        if let Some((last, by)) = last {
            let at = look.full_time(by.at);
            let deleted = deleted(Some(by), last.reason.as_deref());
            let _written = writeln!(out, "{at}  {}", look.paint(Paint::Faint, deleted));
        }
    }
}

/// How a delivery state is painted.
pub(crate) const fn state_paint(state: DeliveryState) -> Paint {
    match state {
        DeliveryState::Pending => Paint::Faint,
        DeliveryState::Sent => Paint::Plain,
        DeliveryState::Delivered | DeliveryState::Read => Paint::Good,
        DeliveryState::Failed => Paint::Bad,
    }
}
