//! What takes up space, and quotas, for people.

#[cfg(test)]
mod tests;

use std::fmt::Write;

use kith_api::size::Size;
use kith_api::storage::{
    ChannelStorage, ChannelStorageDetail, Extent, Quota, QuotaInfo, QuotaLevel, StorageInfo,
};

use super::Show;
use super::clean::clean;
use super::look::{Look, Paint};
use super::table::{Cell, Table};

impl Show for StorageInfo {
    fn show(&self, look: &Look, out: &mut String) {
        let size = look.paint(Paint::Strong, Size(self.files));
        let (data, keys) = (Size(self.data), Size(self.keys));
        let parts = format!("  {data} in records, {keys} in keys");
        let _written = writeln!(
            out,
            "{size} on this disk{}",
            look.paint(Paint::Faint, parts)
        );
        out.push('\n');
        if self.channels.is_empty() {
            out.push_str("no channels yet: make one with `kith channel create NAME`\n");
        } else {
            write_channels(&self.channels, look, out);
        }
        out.push('\n');
        write_rest(self, look, out);
    }
}

/// What is of no channel, or of all of them.
fn write_rest(storage: &StorageInfo, look: &Look, out: &mut String) {
    let mut rest = Table::bare();
    if let Some(quota) = &storage.quota {
        let told = format!("{} over all channels", share_of(quota));
        rest.row(vec![
            Cell::new(Paint::Faint, "quota"),
            Cell::new(paint(quota), &told),
        ]);
    }
    let over = |sum: Extent, of: &ChannelStorage| Extent {
        messages: sum.messages + of.over.messages,
        bytes: sum.bytes + of.over.bytes,
    };
    let over = storage.channels.iter().fold(Extent::default(), over);
    let node = format!("{} of events, peers and settings", Size(storage.node));
    for (name, text) in [
        ("besides", Some(node)),
        ("to go", to_go(&over)),
        ("destroyed", gone_by_itself(storage.ended)),
    ] {
        if let Some(text) = text {
            rest.row(vec![
                Cell::new(Paint::Faint, name),
                Cell::new(Paint::Plain, &text),
            ]);
        }
    }
    rest.write(look, out);
}

fn write_channels(channels: &[ChannelStorage], look: &Look, out: &mut String) {
    let mut table = Table::new(&[
        "CHANNEL", "TOTAL", "CONTENT", "INDEX", "RECEIPTS", "MEMBERS", "MESSAGES", "OLDEST",
        "QUOTA",
    ]);
    for channel in channels {
        let oldest = channel.oldest.map(|at| look.time(at));
        let quota = channel.quota.as_ref();
        let level = quota.map_or(Paint::Plain, paint);
        let quota = quota.map_or_else(
            || "-".to_owned(),
            |quota| format!("{} % of {}", quota.percent(), Size(quota.bytes)),
        );
        let quota = match channel.full {
            true => quota + ", full",
            false => quota,
        };
        let size = |bytes| Cell::right(&Size(bytes).to_string());
        table.row(vec![
            Cell::new(Paint::Strong, &format!("#{}", channel.name)),
            size(channel.total),
            size(channel.entries),
            size(channel.index),
            size(channel.receipts),
            size(channel.control),
            Cell::number(channel.messages),
            Cell::new(Paint::Faint, oldest.as_deref().unwrap_or("-")),
            Cell::new(level, &quota),
        ]);
    }
    table.write(look, out);
}

impl Show for ChannelStorageDetail {
    fn show(&self, look: &Look, out: &mut String) {
        let storage = &self.storage;
        let name = look.paint(Paint::Strong, format_args!("#{}", clean(&storage.name)));
        let _written = writeln!(out, "{name}  {}", Size(storage.total));
        let count = match storage.messages {
            1 => "one message".to_owned(),
            count => format!("{count} messages"),
        };
        let oldest = storage.oldest.map_or_else(
            || "there is none".to_owned(),
            |at| format!("written {}", look.full_time(at)),
        );
        let mut table = Table::bare();
        for (name, bytes, what) in [
            (
                "content",
                storage.entries,
                format!("{count}, and what was said about them"),
            ),
            ("index", storage.index, "what finds and orders them".into()),
            (
                "receipts",
                storage.receipts,
                "who has read and who has received what".into(),
            ),
            (
                "members",
                storage.control,
                "who belongs, with which role, and all settings".into(),
            ),
        ] {
            table.row(vec![
                Cell::new(Paint::Faint, name),
                Cell::right(&Size(bytes).to_string()),
                Cell::new(Paint::Faint, &what),
            ]);
        }
        table.write(look, out);
        out.push('\n');
        let mut facts = Table::bare();
        let mut fact = |name, paint, text: &str| {
            facts.row(vec![Cell::new(Paint::Faint, name), Cell::new(paint, text)]);
        };
        fact("kept", Paint::Plain, &storage.retention.to_string());
        fact("oldest", Paint::Plain, &oldest);
        match &storage.quota {
            Some(quota) => fact("quota", paint(quota), &share_of(quota)),
            None => fact("quota", Paint::Plain, "none"),
        }
        if let Some(quota) = &self.home_quota {
            fact("of all", paint(quota), &share_of(quota));
        }
        if storage.full {
            fact("full", Paint::Bad, FULL);
        }
        if let Some(text) = to_go(&storage.over) {
            fact("to go", Paint::Plain, &text);
        }
        facts.write(look, out);
        write_frees(self, look, out);
    }
}

/// What shorter times would free, and how to set one.
fn write_frees(detail: &ChannelStorageDetail, look: &Look, out: &mut String) {
    let Some(shortest) = detail.frees.first() else {
        return;
    };
    out.push('\n');
    let Some(longest) = detail.frees.iter().rfind(|freed| freed.messages > 0) else {
        let note = format!(
            "nothing is older than {}: keeping messages for a shorter time would free nothing now",
            shortest.retention
        );
        let _written = writeln!(out, "{}", look.paint(Paint::Faint, note));
        return;
    };
    let mut table = Table::new(&["IF KEPT FOR", "MESSAGES THAT GO", "FREES ABOUT"]);
    for freed in &detail.frees {
        table.row(vec![
            Cell::new(Paint::Plain, &freed.retention.to_string()),
            Cell::number(freed.messages),
            Cell::right(&Size(freed.bytes).to_string()),
        ]);
    }
    table.write(look, out);
    let (name, example) = (clean(&detail.storage.name), longest.retention);
    let note = format!(
        "`kith retention set {name} {example} --existing` does it, for everybody in the channel and \
         for good"
    );
    let _written = writeln!(out, "{}", look.paint(Paint::Faint, note));
}

impl Show for QuotaInfo {
    fn show(&self, look: &Look, out: &mut String) {
        let name = look.paint(Paint::Strong, clean(&named(self)));
        let told = self.quota.as_ref().map_or_else(
            || format!("no quota, {} of messages", Size(self.used)),
            |quota| look.paint(paint(quota), share_of(quota)),
        );
        let _written = writeln!(out, "{name}  {told}");
        if self.is_full() {
            let _written = writeln!(
                out,
                "{}",
                look.paint(Paint::Bad, format_args!("full: {FULL}"))
            );
        }
    }
}

impl Show for [QuotaInfo] {
    fn show(&self, look: &Look, out: &mut String) {
        let mut table = Table::new(&["QUOTA OF", "USED", "QUOTA", "SHARE"]);
        for info in self {
            let quota = info.quota.as_ref();
            let bytes = quota.map_or_else(|| "none".into(), |quota| Size(quota.bytes).to_string());
            let share = quota.map_or_else(|| "-".into(), |quota| format!("{} %", quota.percent()));
            table.row(vec![
                Cell::new(Paint::Strong, &named(info)),
                Cell::right(&Size(info.used).to_string()),
                Cell::right(&bytes),
                Cell::new(quota.map_or(Paint::Plain, paint), &share),
            ]);
        }
        table.write(look, out);
    }
}

/// What a full channel does, in words.
pub(super) const FULL: &str = "nothing more is written or taken from others, deletions among it, until there is room; \
                               nothing is lost by it";

/// What is said wherever a quota runs low, in words.
pub(crate) fn short_of_room(info: &QuotaInfo) -> Option<String> {
    let quota = info.quota.as_ref()?;
    let (shows, raises) = info.name.as_ref().map_or_else(
        || ("kith storage".to_owned(), "kith storage quota SIZE".into()),
        |name| {
            let name = clean(name);
            (
                format!("kith storage {name}"),
                format!("kith storage quota {name} SIZE"),
            )
        },
    );
    let name = named(info);
    let name = clean(&name);
    let share = share_of(quota);
    let told = match quota.level {
        QuotaLevel::Enough => return None,
        QuotaLevel::Low => {
            format!("{name}: the quota is running out, {share}: `{shows}` shows what makes room")
        }
        QuotaLevel::Full => format!(
            "{name}: the quota is used up, {share}: {FULL}. `{shows}` shows what makes room, `{raises}` gives more"
        ),
    };
    Some(told)
}

/// How much of a quota is used, in words.
pub(super) fn share_of(quota: &Quota) -> String {
    let (used, bytes) = (Size(quota.used), Size(quota.bytes));
    format!("{used} of {bytes}, {} %", quota.percent())
}

/// How a quota is painted.
pub(super) const fn paint(quota: &Quota) -> Paint {
    match quota.level {
        QuotaLevel::Enough => Paint::Plain,
        QuotaLevel::Low | QuotaLevel::Full => Paint::Bad,
    }
}

fn named(info: &QuotaInfo) -> String {
    let channel = info.name.as_ref().map(|name| format!("#{name}"));
    channel.unwrap_or_else(|| "all channels".into())
}

fn to_go(over: &Extent) -> Option<String> {
    let messages = match over.messages {
        0 => return None,
        1 => "one message whose time is over".to_owned(),
        messages => format!("{messages} messages whose time is over"),
    };
    Some(format!(
        "{} left of {messages}, destroyed with all that was written in their hour or day",
        Size(over.bytes)
    ))
}

fn gone_by_itself(ended: u64) -> Option<String> {
    let told = || {
        format!(
            "{} of records that nothing opens any more; they go by themselves",
            Size(ended)
        )
    };
    (ended > 0).then(told)
}
