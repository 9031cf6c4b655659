//! Erasing on request: everything that this account said in a channel is taken back, a batch in a
//! turn, and whoever asked hears how much it was.
//!
//! Each message gets a deletion of its own and each reaction an entry that takes it back, as if
//! somebody had typed it: what follows from that, here and on every other node, is what follows
//! from any deletion. An entry that is written is durable, so whatever stops it, asking again goes
//! on where it stopped.

use kith_crdt::ids::ChannelId;
use kith_crdt::segment::Entry;
use kith_crdt::time::Millis;

use super::effect::{Outcome, Refusal};
use super::write::no_channel;
use super::{Engine, Timer};
use crate::own_words::{Ground, Own, OwnWords};

/// Own entries looked at in one turn: most of them cost an entry, and senders wait meanwhile.
const ENTRIES_PER_TURN: usize = 64;

/// Something of which everything that was said in a channel is taken back, or counted.
#[derive(Debug)]
pub(super) struct Erasing {
    /// Those who wait for the answer.
    pub(super) waiting: Vec<u64>,
    left: OwnWords,
    messages: u64,
    reactions: u64,
}

impl Engine {
    /// Begins to take back what this account said in a channel, or with `dry_run` to count it.
    /// Whoever asks while that is going on waits for the same answer.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if the channel is not here.
    pub(super) fn begin_erasing(
        &mut self,
        now: Millis,
        token: u64,
        (id, dry_run): (ChannelId, bool),
    ) -> Result<(), Refusal> {
        let channel = self.channels.get(&id).ok_or_else(no_channel)?;
        let left = || OwnWords::new(self.me, &channel.roster, channel.logs.values());
        let erasing = self.erasing.entry((id, dry_run));
        let erasing = erasing.or_insert_with(|| Erasing {
            waiting: Vec::new(),
            left: left(),
            messages: 0,
            reactions: 0,
        });
        erasing.waiting.push(token);
        self.timers.set_by(Timer::TakeBack(id), now);
        Ok(())
    }

    /// Goes on with what is taken back and counted in a channel.
    pub(super) fn erasing_step(&mut self, now: Millis, id: ChannelId) {
        for dry_run in [true, false] {
            let Some(mut erasing) = self.erasing.remove(&(id, dry_run)) else {
                continue;
            };
            match self.take_back_some(now, id, (&mut erasing, dry_run)) {
                Ok(()) if erasing.left.is_over() => {
                    let outcome = Outcome::TakenBack {
                        messages: erasing.messages,
                        reactions: erasing.reactions,
                    };
                    for token in erasing.waiting {
                        self.stage.answer(token, Ok(outcome.clone()));
                    }
                }
                Ok(()) => {
                    self.erasing.insert((id, dry_run), erasing);
                    self.timers.set_by(Timer::TakeBack(id), now);
                }
                Err(refusal) => {
                    for token in erasing.waiting {
                        self.stage.answer(token, Err(refusal.clone()));
                    }
                }
            }
        }
    }

    /// Takes back the next few things.
    ///
    /// # Errors
    /// [`Refusal::Denied`] if this account does not belong (any more): what it writes counts
    /// nowhere.
    fn take_back_some(
        &mut self,
        now: Millis,
        id: ChannelId,
        (erasing, dry_run): (&mut Erasing, bool),
    ) -> Result<(), Refusal> {
        self.check_belongs(id)?;
        let reader = self.store.reader();
        let view = reader.view();
        let channel = &self.channels[&id];
        let ground = Ground {
            view: &view,
            channel: &id,
            roster: &channel.roster,
            keys: &channel.keys,
            now: self.floor,
        };
        for own in erasing.left.step(&ground, ENTRIES_PER_TURN) {
            match own {
                Own::Message(_) => erasing.messages += 1,
                Own::Reaction(..) => erasing.reactions += 1,
            }
            if !dry_run {
                self.write_entry(now, id, &taking_back(own), None)?;
            }
        }
        Ok(())
    }
}

/// The entry that takes something back.
fn taking_back(own: Own) -> Entry {
    match own {
        Own::Message(target) => Entry::Deletion { target },
        Own::Reaction(target, emoji) => Entry::Reaction {
            target,
            emoji: emoji.to_owned(),
            on: false,
        },
    }
}
