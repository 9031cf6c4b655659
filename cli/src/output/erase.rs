//! What was erased, for people.

use std::fmt::Write;

use kith_api::erase::{AccountErased, Erased, ErasedChannel, ErasedState};

use super::clean::clean;
use super::look::{Look, Paint};
use super::table::{Cell, Table};
use super::{Show, counted};

impl Show for Erased {
    fn show(&self, look: &Look, out: &mut String) {
        let name = look.paint(Paint::Strong, format_args!("#{}", clean(&self.name)));
        let _written = match (self.is_nothing(), self.dry_run) {
            (true, _) => writeln!(out, "nothing of yours is left in {name}"),
            (_, true) => writeln!(out, "{} of yours in {name} would be erased", words(self)),
            (_, false) => writeln!(
                out,
                "{} of yours in {name} erased; the others' nodes follow as they hear of it",
                words(self)
            ),
        };
    }
}

impl Show for AccountErased {
    fn show(&self, look: &Look, out: &mut String) {
        if !self.channels.is_empty() {
            let said = match self.dry_run {
                true => "WOULD BE ERASED",
                false => "ERASED",
            };
            let mut table = Table::new(&["CHANNEL", said, ""]);
            for channel in &self.channels {
                table.row(row(channel, self.dry_run));
            }
            table.write(look, out);
            out.push('\n');
        }
        out.push_str(match (self.dry_run, self.destroyed) {
            (true, _) => {
                "Then you leave these channels, and this home is destroyed with your keys.\n"
            }
            (false, true) => "Your account is erased, and this home is destroyed.\n",
            (false, false) => "This home is kept until the others have heard of it.\n",
        });
        if !self.other_devices.is_empty() {
            let names: Vec<_> = self.other_devices.iter().map(|name| clean(name)).collect();
            let _written = writeln!(
                out,
                "Your other devices ({}) keep their homes and the account's keys: run `kith erase \
                 --account` there as well.",
                names.join(", ")
            );
        }
    }
}

fn row(channel: &ErasedChannel, dry_run: bool) -> Vec<Cell> {
    let ErasedChannel { erased, state } = channel;
    let paint = match state {
        ErasedState::LastOwner | ErasedState::Unheard | ErasedState::Leaving => Paint::Bad,
        _ => Paint::Faint,
    };
    let said = match erased.is_nothing() {
        true => "nothing".to_owned(),
        false => words(erased),
    };
    vec![
        Cell::new(Paint::Strong, &format!("#{}", clean(&erased.name))),
        Cell::new(Paint::Plain, &said),
        Cell::new(paint, waits_for(*state, dry_run)),
    ]
}

const fn waits_for(state: ErasedState, dry_run: bool) -> &'static str {
    match state {
        ErasedState::Here if dry_run => "",
        ErasedState::Here => "not begun",
        ErasedState::Alone => "nobody else is in it",
        ErasedState::LastOwner => "you are its last owner: make somebody else one first",
        ErasedState::Unheard => "no other member's node has heard of it yet",
        ErasedState::Leaving => "no other member's node has heard that you left yet",
        ErasedState::Left => "you left it before: what you had not erased by then stays there",
        ErasedState::Out => "others took you out of it: what you said stays there",
        ErasedState::Done => "erased, and left",
    }
}

/// How much it is: `3 messages and 1 reaction`.
pub(crate) fn words(erased: &Erased) -> String {
    let all = [
        counted(erased.messages, "message"),
        counted(erased.reactions, "reaction"),
    ];
    let all: Vec<String> = all.into_iter().flatten().collect();
    all.join(" and ")
}

#[cfg(test)]
mod tests {
    use kith_api::{Id, Timestamp};
    use kith_crdt::ids;
    use snapbox::{assert_data_eq, str};

    use super::*;

    fn channel(name: &str, (messages, reactions): (u64, u64), state: ErasedState) -> ErasedChannel {
        ErasedChannel {
            erased: Erased {
                channel: Id(ids::ChannelId([9; 32])),
                name: name.into(),
                messages,
                reactions,
                dry_run: false,
            },
            state,
        }
    }

    fn shown(channels: &[ErasedChannel], (dry_run, destroyed): (bool, bool)) -> String {
        let erased = AccountErased {
            channels: channels.to_vec(),
            other_devices: Vec::new(),
            dry_run,
            destroyed,
        };
        let mut out = String::new();
        erased.show(&Look::plain(Timestamp(0)), &mut out);
        out
    }

    #[test]
    fn what_erasing_an_account_waits_for_is_said_channel_by_channel() {
        let here = channel("gar\u{1b}den", (3, 1), ErasedState::Here);
        let owned = channel("kitchen", (0, 0), ErasedState::LastOwner);
        assert_data_eq!(
            shown(&[here, owned], (true, false)),
            str![[r#"
CHANNEL   WOULD BE ERASED
#gar␛den  3 messages and 1 reaction
#kitchen  nothing                    you are its last owner: make somebody else one first

Then you leave these channels, and this home is destroyed with your keys.

"#]]
        );
        let waiting = [
            channel("garden", (0, 2), ErasedState::Unheard),
            channel("kitchen", (1, 0), ErasedState::Leaving),
            channel("diary", (0, 0), ErasedState::Alone),
            channel("attic", (0, 0), ErasedState::Left),
            channel("cellar", (0, 0), ErasedState::Out),
            channel("shed", (12, 0), ErasedState::Done),
        ];
        assert_data_eq!(
            shown(&waiting, (false, false)),
            str![[r#"
CHANNEL   ERASED
#garden   2 reactions  no other member's node has heard of it yet
#kitchen  1 message    no other member's node has heard that you left yet
#diary    nothing      nobody else is in it
#attic    nothing      you left it before: what you had not erased by then stays there
#cellar   nothing      others took you out of it: what you said stays there
#shed     12 messages  erased, and left

This home is kept until the others have heard of it.

"#]]
        );
        assert_data_eq!(
            shown(&[], (false, true)),
            str![[r#"
Your account is erased, and this home is destroyed.

"#]]
        );
    }
}
