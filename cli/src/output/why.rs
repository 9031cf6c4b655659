//! Explanations, for people.

use std::fmt::Write;

use kith_api::channel::MemberStatus;
use kith_api::id::{AccountId, OpId};
use kith_api::role::Role;
use kith_api::why::{
    ChangeKind, Deed, MessageChange, RuleInfo, Showing, Step, Verdict, WhyMember, WhyMessage, WhyOp,
};

use super::Show;
use super::clean::clean;
use super::look::{Look, Paint};
use super::message::short;
use super::table::{Cell, Table};

/// Before what belongs to the line above it.
const INDENT: &str = "    ";

impl Show for WhyMember {
    fn show(&self, look: &Look, out: &mut String) {
        let name = look.paint(Paint::Person, clean(&self.name));
        let channel = look.paint(
            Paint::Strong,
            format_args!("#{}", clean(&self.channel_name)),
        );
        let until = |else_: &str| {
            let until = self
                .until
                .map(|until| format!(" until {}", look.full_time(until)));
            until.unwrap_or_else(|| else_.to_owned())
        };
        let role = self.role.map_or("-", Role::name);
        let _written = match self.status {
            None => writeln!(out, "{name} never had to do with {channel}."),
            Some(MemberStatus::Active) => writeln!(out, "{name} is {role} in {channel}."),
            Some(MemberStatus::Muted) => {
                writeln!(
                    out,
                    "{name} is {role} in {channel}, and muted{}.",
                    until("")
                )
            }
            Some(MemberStatus::Left) => writeln!(out, "{name} is not in {channel} any more."),
            Some(MemberStatus::Removed) => {
                writeln!(out, "{name} was removed from {channel}, and may come back.")
            }
            Some(MemberStatus::Banned) => {
                writeln!(
                    out,
                    "{name} is banned from {channel}{}.",
                    until(" for good")
                )
            }
        };
        if self.cut {
            let _written = writeln!(out, "What is older than this is left out.");
        }
        for step in &self.steps {
            let decides = step.op.is_some() && step.op == self.decided_by;
            out.push('\n');
            write_step(step, decides, look, out);
        }
    }
}

impl Show for WhyOp {
    fn show(&self, look: &Look, out: &mut String) {
        let op = look.paint(Paint::Handle, short(&self.op));
        let channel = look.paint(
            Paint::Strong,
            format_args!("#{}", clean(&self.channel_name)),
        );
        let counts = match self.verdict {
            Verdict::Stands => "counts",
            Verdict::Void | Verdict::Forged => "does not count",
            Verdict::NotUnderstood => "has no effect in this version of kith",
        };
        let _written = writeln!(out, "Op {op} in {channel} {counts}.");
        for step in &self.steps {
            out.push('\n');
            write_step(step, false, look, out);
        }
    }
}

impl Show for WhyMessage {
    fn show(&self, look: &Look, out: &mut String) {
        let id = look.paint(Paint::Handle, short(&self.id));
        let channel = look.paint(
            Paint::Strong,
            format_args!("#{}", clean(&self.channel_name)),
        );
        let _written = writeln!(out, "Message {id} in {channel} {}.", showing(self.showing));
        let reason = self.reason.iter().map(|reason| clean(reason).into_owned());
        for line in reason.chain([told_rule(&self.rule)]) {
            let _written = writeln!(out, "{INDENT}{}", look.paint(Paint::Faint, line));
        }
        out.push('\n');
        let mut table = Table::bare();
        let mut row = |name: &str, paint, value: &str| {
            table.row(vec![Cell::new(Paint::Faint, name), Cell::new(paint, value)]);
        };
        let author = who(self.account.as_ref(), &self.name, self.role);
        row("author", Paint::Plain, &format!("{author} at the time"));
        row("device", Paint::Plain, &self.device.to_string());
        if let Some(at) = self.at {
            row("written", Paint::Plain, &look.full_time(at));
        }
        match self.signature_holds {
            Some(true) => row("signature", Paint::Plain, "checked, and holds"),
            Some(false) => row("signature", Paint::Bad, "does not hold"),
            None => row("envelope", Paint::Plain, "not on this disk"),
        }
        if let Some(epoch) = &self.epoch {
            let mut told = short(&epoch.epoch);
            if let Some((by, op)) = epoch.by.as_ref().zip(epoch.op) {
                let by = who(Some(&by.account), &by.name, None);
                told += &format!(", named by {by} in op {}", short(&op));
            }
            if epoch.stands == Some(false) {
                told += ", which does not count";
            }
            row("keys", Paint::Plain, &told);
        }
        if let Some(state) = self.state {
            row("state", Paint::Plain, state.name());
        }
        table.write(look, out);
        for step in &self.steps {
            out.push('\n');
            write_step(step, false, look, out);
        }
        for change in &self.changes {
            out.push('\n');
            write_change(change, look, out);
        }
    }
}

/// A step of an explanation, over several lines.
fn write_step(step: &Step, decides: bool, look: &Look, out: &mut String) {
    let id = look.paint(Paint::Handle, cursor(step).unwrap_or_default());
    let at = look.paint(Paint::Faint, look.full_time(step.at));
    let _written = writeln!(out, "{id}  {at}  {}", sentence(step, look));
    let mut word = verdict(step.verdict).to_owned();
    if decides {
        word += ", and decides";
    }
    let paint = match step.verdict {
        Verdict::Stands => Paint::Good,
        _ => Paint::Bad,
    };
    let mut line = look.paint(paint, word);
    if let Some(reason) = &step.reason {
        line += &format!(": {}", clean(reason));
        if let Some(other) = step.because {
            line += &format!(" (op {})", short(&other));
        }
    }
    let _written = writeln!(out, "{INDENT}{line}");
    if let Some(rule) = &step.rule {
        let _written = writeln!(out, "{INDENT}{}", look.paint(Paint::Faint, told_rule(rule)));
    }
}

fn write_change(change: &MessageChange, look: &Look, out: &mut String) {
    let at = look.paint(Paint::Faint, look.full_time(change.at));
    let what = match (change.change, change.counts) {
        (ChangeKind::Edit, true) => "edited it",
        (ChangeKind::Edit, false) => "tried to edit it",
        (ChangeKind::Deletion, true) => "deleted it",
        (ChangeKind::Deletion, false) => "tried to delete it",
    };
    let by = who(change.account.as_ref(), &change.name, change.role);
    let note = change.note.as_deref().filter(|note| !note.is_empty());
    let note = note.map_or_else(String::new, |note| format!(": {}", clean(note)));
    let _written = writeln!(out, "{at}  {by} {what}{note}");
    let (paint, word) = match change.counts {
        true => (Paint::Good, "stands"),
        false => (Paint::Bad, "void"),
    };
    let mut line = look.paint(paint, word);
    if let Some(reason) = &change.reason {
        line += &format!(": {}", clean(reason));
        if let Some(other) = change.because {
            line += &format!(" (op {})", short(&other));
        }
    }
    let rule = look.paint(Paint::Faint, told_rule(&change.rule));
    let _written = writeln!(out, "{INDENT}{line}\n{INDENT}{rule}");
}

/// What an entry of the audit is named by.
pub(super) fn cursor(step: &Step) -> Option<String> {
    let deletion = step.deletion.as_ref().map(short);
    deletion.or_else(|| step.op.as_ref().map(short))
}

fn told_rule(rule: &RuleInfo) -> String {
    let (number, name, text) = (clean(&rule.number), clean(&rule.name), clean(&rule.text));
    format!("{number} {name}: {text}")
}

pub(super) const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Stands => "stands",
        Verdict::Void => "void",
        Verdict::NotUnderstood => "not understood",
        Verdict::Forged => "forged",
    }
}

const fn showing(showing: Showing) -> &'static str {
    match showing {
        Showing::Shown => "is shown",
        Showing::Deleted => "is shown as deleted",
        Showing::Hidden => "is hidden",
        Showing::Sealed => "cannot be opened here",
        Showing::Unsound => "is kept and not shown",
        Showing::Forked => "is dropped",
    }
}

/// Somebody by name, or by the beginning of their id, and their role. The name is in quotes: people
/// choose what they are called, and might be called like the rest of the sentence.
fn who(account: Option<&AccountId>, name: &str, role: Option<Role>) -> String {
    let name = match (account, name) {
        (None, "") => "somebody unknown".to_owned(),
        (Some(account), "") => short(account),
        (_, name) => format!("“{}”", clean(name).replace(['“', '”'], "\"")),
    };
    match role {
        Some(role) => format!("{name} ({})", role.name()),
        None => name,
    }
}

/// Who did what: `“Ana” (owner) removed “Ben”`, or tried to.
pub(super) fn sentence(step: &Step, look: &Look) -> String {
    let by = look.paint(
        Paint::Person,
        who(Some(&step.account), &step.name, step.role),
    );
    let (done, to_do) = deed(step, look);
    if step.verdict == Verdict::Stands {
        format!("{by} {done}")
    } else {
        format!("{by} tried to {to_do}")
    }
}

/// A deed as it was done and as it was to be done.
fn deed(step: &Step, look: &Look) -> (String, String) {
    let whom = match &step.subject {
        Some(subject) => who(Some(&subject.account), &subject.name, None),
        None => "themselves".to_owned(),
    };
    let given = step.given.map_or("-", Role::name);
    let until = step.until.map_or_else(
        || " for good".to_owned(),
        |until| format!(" until {}", look.full_time(until)),
    );
    let field = step.field.as_deref().map(clean).unwrap_or_default();
    let value = step.value.as_deref().map(clean).unwrap_or_default();
    let both =
        |done: &str, to_do: &str, rest: String| (format!("{done}{rest}"), format!("{to_do}{rest}"));
    match step.deed {
        Deed::Found => both("founded", "found", " the channel".into()),
        Deed::Certify => both("changed", "change", " their name or devices".into()),
        Deed::RevokeDevices => both("revoked", "revoke", format!(" their device “{value}”")),
        Deed::Recover => both(
            "brought",
            "bring",
            " their account back with its 24 words, without their earlier devices".into(),
        ),
        Deed::Invite => both("opened", "open", format!(" an invite as {given}")),
        Deed::RevokeInvite => both("revoked", "revoke", " an invite".into()),
        Deed::Join => {
            let role = step
                .given
                .map_or_else(String::new, |role| format!(" as {}", role.name()));
            let by = step.invite.map_or_else(String::new, |op: OpId| {
                format!(" by the invite of op {}", short(&op))
            });
            both("joined", "join", format!("{role}{by}"))
        }
        Deed::Add => both("added", "add", format!(" {whom} as {given}")),
        Deed::SetRole => both("made", "make", format!(" {whom} {given}")),
        Deed::Leave => both("left", "leave", String::new()),
        Deed::Remove => both("removed", "remove", format!(" {whom}")),
        Deed::Ban => both("banned", "ban", format!(" {whom}{until}")),
        Deed::Unban => both("ended", "end", format!(" the ban of {whom}")),
        Deed::Mute if step.until.is_some_and(|until| until <= step.at) => {
            both("ended", "end", format!(" the mute of {whom}"))
        }
        Deed::Mute => both("muted", "mute", format!(" {whom}{until}")),
        Deed::SetPolicy => both("set", "set", format!(" the {field} to “{value}”")),
        Deed::Rekey => both("changed", "change", " the keys".into()),
        Deed::DeleteMessage => {
            let message = step.message.as_ref().map(short).unwrap_or_default();
            let reason = match &*value {
                "" => String::new(),
                reason => format!(": {reason}"),
            };
            both(
                "deleted",
                "delete",
                format!(" message {message} of {whom}{reason}"),
            )
        }
        Deed::Unknown => (
            "did something that this version of kith does not know".into(),
            "do something that this version of kith does not know".into(),
        ),
    }
}

#[cfg(test)]
mod tests;
