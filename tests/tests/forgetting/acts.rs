//! What people do, each by what their own node shows them.

use std::collections::{BTreeMap, BTreeSet};

use kith_api::message::Message;
use kith_crdt::control::{Body, Policy, VerifiedOp};
use kith_crdt::ids::{MessageId, OpId};
use kith_crdt::time::HOUR_MS;
use kith_node::engine::{Command, MemberAct, Outcome, Refusal};
use kith_tests::world::World;

use crate::check::{EMOJI, look};
use crate::history::{Departure, Said, Set, Who};
use crate::life::{ADMINS, Life, PEOPLE, RETENTIONS};

/// By how much a message may be dated ahead of its author's clock: what comes from clocks that are
/// so much ahead is believed, and an answer bears no earlier time than what it answers.
const AHEAD_MS: u64 = 5 * 60_000;

impl Life {
    pub(crate) fn act(&mut self) {
        let who = self.below(PEOPLE as u64) as Who;
        let belongs = self.belongs(who);
        match self.below(60) {
            0..24 if belongs => self.send(who),
            24..30 if belongs => self.react(who),
            30..33 if belongs => self.edit(who),
            33..35 if belongs => self.delete(who),
            35..44 if belongs => self.mark(who),
            44..46 if belongs => self.pin(who),
            46..53 => self.set_retention(),
            53..54 if self.world.runs(who) => self.sweep(who),
            54..58 => self.bring_in(who),
            58..60 if !ADMINS.contains(&who) => self.depart(who),
            _ => {}
        }
    }

    /// What somebody is shown, but for what is deleted or hidden.
    pub(crate) fn sees(&self, who: Who) -> Vec<Message> {
        let sight = look(&self.world, who, &self.channel, &self.history);
        let messages = sight.messages.into_values();
        messages
            .filter(|message| message.text.is_some() && message.hidden.is_none())
            .collect()
    }

    /// Those of them that are so, by their ids.
    fn those(&self, who: Who, are: impl Fn(&&Message) -> bool) -> Vec<MessageId> {
        let seen = self.sees(who);
        let those = seen.iter().filter(are);
        those.map(|message| message.id.0).collect()
    }

    fn members_at(&self, who: Who) -> BTreeSet<Who> {
        let is_member = |other: &Who| self.world.is_member(who, *other, &self.channel);
        (0..PEOPLE).filter(is_member).collect()
    }

    pub(crate) fn ask(&mut self, who: Who, command: Command) -> Option<Outcome> {
        match self.world.ask(who, command.clone()) {
            Ok(outcome) => Some(outcome),
            // A key has not come yet: whoever was let in is cut off from all who have it.
            Err(Refusal::Unreachable(_)) => None,
            Err(refusal) => panic!("{who}: {command:?} was refused: {refusal}"),
        }
    }

    pub(crate) fn send(&mut self, who: Who) {
        let known = self.known(who);
        let promised = self.shown_retention(who);
        let may_hold = self.history.may_hold(&known);
        assert!(
            may_hold.contains(&promised),
            "{promised} at {who}, and not one of {may_hold:?}"
        );
        let mut thread = None;
        let mut reply_to = None;
        if self.one_in(3) {
            let main = self.those(who, |message| message.thread.is_none());
            let seen = self.those(who, |_| true);
            match self.one_in(2) {
                true => thread = self.one_of(&main),
                false => reply_to = self.one_of(&seen),
            }
        }
        let wish = [1, 2, 5, 24, 72][self.below(5) as usize] * HOUR_MS;
        let fits = promised.term().as_millis().is_none_or(|most| wish <= most);
        let expire_ms = Some(wish).filter(|_| fits && self.one_in(4));
        let text = format!("message {}", self.history.said.len());
        let command = Command::Send {
            channel: self.channel,
            text: text.clone(),
            reply_to,
            thread,
            announce: false,
            expire_ms,
        };
        let Some(Outcome::Sent {
            message,
            at,
            expires_at,
        }) = self.ask(who, command)
        else {
            return;
        };
        let clock = self.world.clock(who);
        assert!(
            clock <= at && at.since(clock) <= AHEAD_MS,
            "{at:?} by a clock of {clock:?}"
        );
        let members = self.members_at(who);
        let said = Said {
            id: message,
            author: who,
            at,
            wish: expire_ms.map(|ms| at.plus(ms)),
            thread,
            promised,
            knew: known,
            members,
            texts: vec![text],
            deleted_by: Vec::new(),
            read_by: BTreeMap::new(),
            reactions: BTreeMap::new(),
            seen_at: BTreeSet::new(),
        };
        assert_eq!(expires_at, self.history.end(&said, &said.knew).at);
        self.note(format!(
            "{who} sends {message} under {promised}, wish {expire_ms:?}, thread {thread:?}"
        ));
        self.history.said.push(said);
        self.tally.messages += 1;
        // It is on the disk, so it is shown from here on.
        self.history.find(message).seen_at.insert(who);
    }

    pub(crate) fn react(&mut self, who: Who) {
        let seen = self.those(who, |_| true);
        let Some(target) = self.one_of(&seen) else {
            return;
        };
        let on = !self.one_in(4);
        let emoji = EMOJI.into();
        if self
            .ask(who, Command::React { target, emoji, on })
            .is_some()
        {
            let known = self.known(who);
            let said = self.history.find(target);
            said.reactions.entry(who).or_default().push((on, known));
            self.note(format!("{who} reacts to {target}: {on}"));
        }
    }

    pub(crate) fn edit(&mut self, who: Who) {
        let own = self.accounts[who];
        let seen = self.those(who, |message| message.account.0 == own);
        let Some(target) = self.one_of(&seen) else {
            return;
        };
        let text = format!("edit {}", self.journal.len());
        if self
            .ask(
                who,
                Command::Edit {
                    target,
                    text: text.clone(),
                },
            )
            .is_some()
        {
            self.history.find(target).texts.push(text);
            self.note(format!("{who} edits {target}"));
        }
    }

    pub(crate) fn delete(&mut self, who: Who) {
        let own = self.accounts[who];
        let may = |message: &&Message| ADMINS.contains(&who) || message.account.0 == own;
        let seen = self.those(who, may);
        let Some(target) = self.one_of(&seen) else {
            return;
        };
        let reason = None;
        if self.ask(who, Command::Delete { target, reason }).is_some() {
            let known = self.known(who);
            self.history.find(target).deleted_by.push((who, known));
            self.note(format!("{who} deletes {target}"));
        }
    }

    pub(crate) fn pin(&mut self, who: Who) {
        let seen = self.those(who, |_| true);
        let Some(target) = self.one_of(&seen) else {
            return;
        };
        let on = !self.one_in(3);
        if self.ask(who, Command::Pin { target, on }).is_some() {
            self.note(format!("{who} pins {target}: {on}"));
        }
    }

    /// Reads what is shown, or some of it, or everything that came.
    pub(crate) fn mark(&mut self, who: Who) {
        let own = self.accounts[who];
        let of_others = self.those(who, |message| message.account.0 != own);
        let all = self.one_in(3);
        let mut read = Vec::new();
        for message in &of_others {
            if all || self.one_in(2) {
                read.push(*message);
            }
        }
        let everything = all && self.one_in(2);
        let channel = self.channel;
        let messages = (!everything).then(|| read.clone());
        if self.ask(who, Command::Mark { channel, messages }).is_none() {
            return;
        }
        let known = self.known(who);
        if everything {
            // What came and cannot be opened yet is marked as well.
            for said in self
                .history
                .said
                .iter_mut()
                .filter(|said| said.author != who)
            {
                said.read_by.entry(who).or_insert(None);
            }
        }
        for message in &read {
            let read_by = &mut self.history.find(*message).read_by;
            let known = Some(known.clone());
            let before = read_by.entry(who).or_insert_with(|| known.clone());
            *before = before.take().or(known);
        }
        self.note(format!("{who} reads {read:?}, everything: {everything}"));
    }

    pub(crate) fn set_retention(&mut self) {
        let who = ADMINS[self.below(2) as usize];
        if !self.belongs(who) {
            return;
        }
        let retention = RETENTIONS[self.below(RETENTIONS.len() as u64) as usize];
        let existing = self.one_in(3);
        let knew = self.known(who);
        let members = self.members_at(who);
        let command = Command::SetPolicy {
            channel: self.channel,
            policy: Policy::Retention {
                retention,
                existing,
            },
            dry_run: false,
        };
        let is_it = |body: &Body| matches!(body, Body::Policy(Policy::Retention { .. }));
        let Some(op) = self.op_of(who, command, is_it) else {
            // It holds already.
            assert!(!existing && self.shown_retention(who) == retention);
            return;
        };
        self.note(format!("{who} sets {retention}, existing: {existing}"));
        self.history.set.push(Set {
            op,
            retention,
            existing,
            knew,
            members,
        });
        self.tally.retentions += 1;
    }

    /// Asks for something that makes an op of a kind, and names that.
    pub(crate) fn op_of(
        &mut self,
        who: Who,
        command: Command,
        is_it: impl Fn(&Body) -> bool,
    ) -> Option<OpId> {
        let ops = |world: &World| {
            let reader = world.engine(who).reader();
            reader.view().ops(&self.channel)
        };
        let before: BTreeSet<OpId> = ops(&self.world).into_iter().map(|(op, _)| op).collect();
        let channel = self.channel;
        let asked = self.world.ask(who, command);
        assert!(asked.is_ok(), "{who}: {asked:?}");
        let reader = self.world.engine(who).reader();
        let after = reader.view().ops(&channel).into_iter();
        let new = after.filter(|(op, _)| !before.contains(op));
        let mut made = new.filter(|(_, bytes)| {
            let op = VerifiedOp::from_stored(bytes).expect("it was stored");
            is_it(&op.op().body)
        });
        made.next().map(|(op, _)| op)
    }

    pub(crate) fn sweep(&mut self, who: Who) {
        let confirm_clock = self.one_in(2);
        match self.world.ask(who, Command::Sweep { confirm_clock }) {
            Ok(_) => self.note(format!("{who} sweeps")),
            Err(Refusal::Denied(_)) if !confirm_clock => {}
            Err(refusal) => panic!("{who} sweeps: {refusal}"),
        }
    }

    /// Lets somebody in who is out, as far as they and their host know.
    pub(crate) fn bring_in(&mut self, guest: Who) {
        let host = ADMINS[self.below(2) as usize];
        let is_out = !self.world.is_member(host, guest, &self.channel);
        let may_join = self.world.runs(guest) && !self.world.is_member(guest, guest, &self.channel);
        if self.belongs(host) && is_out && may_join {
            self.invite(host, guest);
        }
    }

    /// Somebody leaves, or is taken out.
    pub(crate) fn depart(&mut self, who: Who) {
        if self.one_in(2) {
            if self.belongs(who) {
                let channel = self.channel;
                let is_it = |body: &Body| matches!(body, Body::Leave);
                let op = self.op_of(who, Command::Leave { channel }, is_it);
                let op = op.expect("leaving is an op");
                self.gone(Departure {
                    op,
                    who,
                    remover_saw: None,
                });
            }
            return;
        }
        let remover = ADMINS[self.below(2) as usize];
        if !self.belongs(remover) || !self.world.is_member(remover, who, &self.channel) {
            return;
        }
        let saw = look(&self.world, remover, &self.channel, &self.history);
        let command = Command::Member {
            channel: self.channel,
            account: self.accounts[who],
            act: MemberAct::Remove,
            dry_run: false,
        };
        let is_it = |body: &Body| matches!(body, Body::Remove { .. });
        let op = self
            .op_of(remover, command, is_it)
            .expect("removing is an op");
        let remover_saw = Some(saw.messages.into_keys().collect());
        self.gone(Departure {
            op,
            who,
            remover_saw,
        });
    }

    pub(crate) fn gone(&mut self, departure: Departure) {
        let is_removal = departure.remover_saw.is_some();
        self.note(format!("{} goes, taken out: {is_removal}", departure.who));
        self.history.departures.push(departure);
        self.tally.departures += 1;
    }
}
