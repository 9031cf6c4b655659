//! Channels, for people.

use std::fmt::Write;

use kith_api::Timestamp;
use kith_api::channel::{
    ChannelDetail, ChannelFacts, ChannelName, ChannelState, ChannelSummary, LeftChannel, Marked,
    MemberInfo, Notify, SyncState,
};

use serde::Serialize;

use super::Show;
use super::clean::clean;
use super::look::{Look, Paint};
use super::message::short;
use super::storage::{FULL, paint, share_of};
use super::table::{Cell, Table};

impl Show for ChannelName {
    fn show(&self, look: &Look, out: &mut String) {
        let name = look.paint(Paint::Strong, format_args!("#{}", clean(&self.name)));
        let id = look.paint(Paint::Handle, short(&self.channel));
        let _written = writeln!(out, "{name}  {id}");
    }
}

/// Channels that are not listed.
#[derive(Debug, Serialize)]
pub(crate) struct PutAway {
    /// How many.
    pub(crate) put_away: u64,
}

impl Show for PutAway {
    fn show(&self, look: &Look, out: &mut String) {
        let told = format!("{} put away: `kith channel list --all`", self.put_away);
        let _written = writeln!(out, "{}", look.paint(Paint::Faint, told));
    }
}

impl Show for LeftChannel {
    fn show(&self, look: &Look, out: &mut String) {
        let named = ChannelName {
            channel: self.channel,
            name: self.name.clone(),
        };
        named.show(look, out);
        if !self.heard {
            let note = "none of its members has heard of it yet: the first one that your node meets \
                        will, so keep `kith daemon` running";
            let _written = writeln!(out, "{}", look.paint(Paint::Faint, note));
        }
    }
}

impl Show for ChannelSummary {
    fn show(&self, look: &Look, out: &mut String) {
        std::slice::from_ref(self).show(look, out);
    }
}

impl Show for [ChannelSummary] {
    fn show(&self, look: &Look, out: &mut String) {
        if self.is_empty() {
            out.push_str("no channels yet: make one with `kith channel create NAME`\n");
            return;
        }
        let mut table = Table::new(&[
            "CHANNEL", "ID", "UNREAD", "MESSAGES", "KEPT", "MEMBERS", "ROLE", "LAST", "TOPIC",
        ]);
        for summary in self {
            table.row(row(summary, look));
        }
        table.write(look, out);
    }
}

fn row(summary: &ChannelSummary, look: &Look) -> Vec<Cell> {
    let facts = &summary.facts;
    let mut role = match facts.state {
        ChannelState::Joining => "joining",
        ChannelState::Left => "left",
        ChannelState::Removed => "removed",
        ChannelState::Banned => "banned",
        ChannelState::Revoked => "revoked",
        ChannelState::Active => facts.role.map_or("-", |role| role.name()),
    }
    .to_owned();
    if let Some(adder) = &facts.added_by {
        role += &format!(", added by {}", adder.name);
    }
    if facts.full {
        role += ", full";
    }
    for (is_so, word) in [
        (facts.muted_until.is_some(), "muted"),
        (facts.archived, "put away"),
        (facts.draft, "draft"),
    ] {
        if is_so {
            role += &format!(", {word}");
        }
    }
    let last = facts.last_activity.map(|time| look.time(time));
    vec![
        Cell::new(Paint::Strong, &format!("#{}", facts.name)),
        Cell::new(Paint::Handle, &short(&facts.channel)),
        Cell::right(&unread(facts)),
        Cell::number(facts.messages),
        Cell::new(Paint::Plain, &facts.retention.to_string()),
        Cell::number(summary.members),
        Cell::new(Paint::Plain, &role),
        Cell::new(Paint::Faint, last.as_deref().unwrap_or("-")),
        Cell::new(Paint::Plain, &facts.topic),
    ]
}

/// The year up to which a channel is muted that is muted for good.
const LAST_YEAR: &str = "9999-";

/// What this account wants of a channel, if it is anything but the usual.
fn wishes(facts: &ChannelFacts, look: &Look) -> Option<String> {
    let mut told = Vec::new();
    match facts.muted_until {
        Some(until) if until.to_string().starts_with(LAST_YEAR) => told.push("muted".to_owned()),
        Some(until) => told.push(format!("muted until {}", look.full_time(until))),
        None => {}
    }
    match facts.notify {
        Notify::All => {}
        Notify::Mentions => told.push("notified of mentions".to_owned()),
        Notify::Nothing => told.push("notified of nothing".to_owned()),
    }
    if facts.archived {
        told.push("put away".to_owned());
    }
    if facts.draft {
        told.push("a draft: `kith draft`".to_owned());
    }
    (!told.is_empty()).then(|| told.join(", "))
}

/// How much is unread: `3`, or `3+2` with two in threads.
fn unread(facts: &ChannelFacts) -> String {
    match facts.unread_replies {
        0 => facts.unread.to_string(),
        replies => format!("{}+{replies}", facts.unread),
    }
}

impl Show for ChannelDetail {
    fn show(&self, look: &Look, out: &mut String) {
        let facts = &self.facts;
        let name = look.paint(Paint::Strong, format_args!("#{}", clean(&facts.name)));
        let _written = writeln!(out, "{name}  {}", clean(&facts.topic));
        let mut table = Table::bare();
        for (name, value) in [
            ("id", facts.channel.to_string()),
            (
                "role",
                facts.role.map_or("-", |role| role.name()).to_owned(),
            ),
            ("state", state(facts.state).to_owned()),
            ("retention", facts.retention.to_string()),
            (
                "messages",
                format!("{}, {} unread", facts.messages, unread(facts)),
            ),
            ("history", history(self.history_begins, look)),
            ("sync", sync(&self.sync, look)),
            ("digest", self.digest.clone()),
        ] {
            table.row(vec![
                Cell::new(Paint::Faint, name),
                Cell::new(Paint::Plain, &value),
            ]);
        }
        if let Some(wishes) = wishes(facts, look) {
            table.row(vec![
                Cell::new(Paint::Faint, "for you"),
                Cell::new(Paint::Plain, &wishes),
            ]);
        }
        if let Some(adder) = &facts.added_by {
            let told = format!(
                "by {}: write or `kith mark` something to stay, or `kith channel leave`",
                adder.name
            );
            table.row(vec![
                Cell::new(Paint::Faint, "added"),
                Cell::new(Paint::Strong, &told),
            ]);
        }
        if let Some(quota) = &facts.quota {
            table.row(vec![
                Cell::new(Paint::Faint, "quota"),
                Cell::new(paint(quota), &share_of(quota)),
            ]);
        }
        if facts.full {
            let told = format!(
                "{FULL}: `kith storage {}` shows what makes room",
                facts.name
            );
            table.row(vec![
                Cell::new(Paint::Faint, "full"),
                Cell::new(Paint::Bad, &told),
            ]);
        }
        if self.damaged > 0 {
            table.row(vec![
                Cell::new(Paint::Faint, "damage"),
                Cell::new(Paint::Bad, &damage(self.damaged)),
            ]);
        }
        table.write(look, out);
        out.push('\n');
        write_members(&self.members, look, out);
    }
}

fn write_members(members: &[MemberInfo], look: &Look, out: &mut String) {
    let mut table = Table::new(&["MEMBER", "ACCOUNT", "ROLE", "DEVICES", "STATUS"]);
    for member in members {
        table.row(vec![
            Cell::new(Paint::Person, &member.name),
            Cell::new(Paint::Handle, &short(&member.account)),
            Cell::new(Paint::Plain, member.role.name()),
            Cell::number(member.devices),
            Cell::new(Paint::Plain, member.status.name()),
        ]);
    }
    table.write(look, out);
}

impl Show for Marked {
    fn show(&self, _: &Look, out: &mut String) {
        let _written = match self.marked {
            0 => writeln!(out, "nothing was unread"),
            1 => writeln!(out, "1 message marked as read"),
            number => writeln!(out, "{number} messages marked as read"),
        };
    }
}

/// How a channel stands with the others' copies, in words.
pub(crate) fn sync(sync: &SyncState, look: &Look) -> String {
    match (sync.up_to_date, sync.with.len()) {
        (_, 0) if sync.refused.len() == 1 => {
            "a member's device refuses to speak with this one".to_owned()
        }
        (_, 0) if sync.refused.len() > 1 => {
            let devices = sync.refused.len();
            format!("{devices} devices of members refuse to speak with this one")
        }
        (Some(true), 0) => "there is no other device yet".to_owned(),
        (Some(true), 1) => "up to date with one other device".to_owned(),
        (Some(true), devices) => format!("up to date with {devices} other devices"),
        (Some(false), _) if sync.missing == 0 => "the channel has yet to arrive".to_owned(),
        (Some(false), _) if sync.missing == 1 => "one entry is missing".to_owned(),
        (Some(false), _) => format!("{} entries are missing", sync.missing),
        (None, _) => match sync.as_of {
            Some(at) => format!(
                "unknown: nobody to compare with now; up to date as of {}",
                look.full_time(at)
            ),
            None => "unknown: nobody to compare with since the daemon started".to_owned(),
        },
    }
}

/// That records of the store are damaged, and what to do about it, in words.
pub(crate) fn damage(records: u64) -> String {
    let records = match records {
        1 => "one record on this disk cannot be read and is".to_owned(),
        records => format!("{records} records on this disk cannot be read and are"),
    };
    format!(
        "{records} passed over: check the disk; `kith verify --mend` brings back what other members have"
    )
}

/// Where an account's history begins, in words.
fn history(begins: Option<Timestamp>, look: &Look) -> String {
    begins.map_or_else(
        || "everything".to_owned(),
        |begins| {
            let begins = look.full_time(begins);
            format!("begins at {begins}: what is older was written before you came")
        },
    )
}

const fn state(state: ChannelState) -> &'static str {
    match state {
        ChannelState::Joining => "joining: the channel has yet to arrive",
        ChannelState::Active => "active",
        ChannelState::Left => "left",
        ChannelState::Removed => "removed, as `kith why member` explains",
        ChannelState::Banned => "banned, as `kith why member` explains",
        ChannelState::Revoked => "revoked: this device is none of your account any more",
    }
}
