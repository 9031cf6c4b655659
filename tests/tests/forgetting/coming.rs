//! The hours that go by, and who is there meanwhile.

use kith_crdt::time::{DAY_MS, HOUR_MS, Millis};

use crate::history::Who;
use crate::life::{Life, PEOPLE, TURN_MS};

impl Life {
    /// Lets hours go by, or goes to the very moment at which something ends somewhere.
    pub(crate) fn jump(&mut self) {
        if self.one_in(4)
            && let Some((who, at)) = self.some_end()
        {
            let now = self.world.clock(who);
            self.world.jump(at.since(now).saturating_sub(1 + TURN_MS));
            self.note(format!("up to an end at {who}"));
            self.look_everywhere();
            self.world.jump(1);
            self.look_everywhere();
            return;
        }
        let hours = match self.below(10) {
            0 => self.below(6),
            1..3 => 6 + self.below(18),
            _ => 24 + self.below(72),
        };
        let ms = hours * HOUR_MS + self.below(HOUR_MS);
        self.world.jump(ms);
        self.world.pass(1_000);
    }

    /// When something ends within two days at somebody who is there.
    pub(crate) fn some_end(&mut self) -> Option<(Who, Millis)> {
        let up: Vec<Who> = (0..PEOPLE).filter(|who| self.world.runs(*who)).collect();
        let who = self.one_of(&up)?;
        let (now, known) = (self.world.clock(who), self.known(who));
        let there = self.history.said.iter();
        let there = there.filter(|said| said.seen_at.contains(&who));
        let ends = there.filter_map(|said| self.history.end(said, &known).at);
        let soon = |at: &Millis| *at > now && at.since(now) < 2 * DAY_MS;
        let ends: Vec<Millis> = ends.filter(soon).collect();
        Some((who, self.one_of(&ends)?))
    }

    /// Starts and connects those whose time has come, and takes others off.
    pub(crate) fn come_and_go(&mut self) {
        let now = self.world.now();
        let due = |(_, at): &(&Who, &mut Millis)| **at <= now;
        let back: Vec<Who> = self
            .back
            .iter_mut()
            .filter(due)
            .map(|(who, _)| *who)
            .collect();
        for who in back {
            self.back.remove(&who);
            self.world.start(who);
            self.cursors[who] = 0;
            self.tally.starts += 1;
            self.note(format!("{who} starts"));
        }
        let due: Vec<(Who, Who)> = self
            .cut
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(line, _)| *line)
            .collect();
        for (a, b) in due {
            self.cut.remove(&(a, b));
            self.world.link(a, b, true);
            self.note(format!("{a} and {b} connect"));
        }
        if self.one_in(6) {
            self.go_off();
        }
        if self.one_in(8) {
            self.cut_off();
        }
    }

    /// How long somebody is away: mostly hours, at times weeks.
    pub(crate) fn away_ms(&mut self) -> u64 {
        let most = [8, 48, 240, 500][self.below(4) as usize];
        self.below(most * HOUR_MS)
    }

    pub(crate) fn go_off(&mut self) {
        let up: Vec<Who> = (0..PEOPLE).filter(|who| self.world.runs(*who)).collect();
        let Some(who) = self.one_of(&up) else { return };
        let in_order = self.one_in(2);
        match in_order {
            true => self.world.stop(who),
            false => self.world.crash(who),
        }
        // Half of them come back at once, as after a reboot.
        let ms = if self.one_in(2) { 0 } else { self.away_ms() };
        self.back.insert(who, self.world.now().plus(ms));
        self.note(format!("{who} stops, in order: {in_order}"));
    }

    pub(crate) fn cut_off(&mut self) {
        let who = self.below(PEOPLE as u64) as Who;
        let until = self.world.now().plus(self.away_ms());
        let from_all = self.one_in(2);
        for other in (0..PEOPLE).filter(|other| *other != who) {
            if from_all || self.one_in(2) {
                let line = (who.min(other), who.max(other));
                self.cut.insert(line, until);
                self.world.link(who, other, false);
            }
        }
        self.tally.cuts += 1;
        self.note(format!("{who} is cut off, from all: {from_all}"));
    }
}
