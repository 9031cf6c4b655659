//! The time of a world, and the clocks of its nodes.

use kith_crdt::time::Millis;
use kith_node::engine::Event;

use super::{PATIENCE_MS, World};

impl World {
    /// The time in this world.
    pub const fn now(&self) -> Millis {
        self.now
    }

    /// What a node's clock says.
    pub fn clock(&self, number: usize) -> Millis {
        self.nodes[number].clock(self.now)
    }

    /// Whether a running node has something to do by now that it has not come to yet.
    pub fn is_at_work(&self, number: usize) -> bool {
        let due = self.engine(number).next_deadline();
        due.is_some_and(|at| at <= self.clock(number))
    }

    /// Sets a node's clock apart from the world's, by so many milliseconds.
    pub fn skew(&mut self, number: usize, ms: i64) {
        self.nodes[number].skew_ms = ms;
        self.turn(number, Event::Tick);
    }

    /// Sets everybody's clock back.
    pub fn set_back(&mut self, ms: u64) {
        self.now = Millis(self.now.0 - ms);
        self.wire.set_back(ms);
        for number in 0..self.nodes.len() {
            self.turn(number, Event::Tick);
        }
    }

    /// Lets so many milliseconds pass.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now.plus(ms);
        while self.next().is_some_and(|at| at <= end) && self.step() {}
        self.now = end;
    }

    /// Lets so many milliseconds pass in which nothing happens, as while all lids are shut.
    pub fn jump(&mut self, ms: u64) {
        self.now = self.now.plus(ms);
        for number in 0..self.nodes.len() {
            self.turn(number, Event::Tick);
        }
    }

    /// Lets time pass until a condition holds.
    ///
    /// # Panics
    /// If it does not within twenty minutes of virtual time.
    pub fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let give_up = self.now.plus(PATIENCE_MS);
        while !holds(self) {
            assert!(self.now < give_up && self.step(), "never came true: {what}");
        }
    }

    /// Lets the next thing happen. Returns whether there was any.
    pub fn step(&mut self) -> bool {
        let Some(at) = self.next() else { return false };
        let due: Vec<usize> = (0..self.nodes.len())
            .filter(|number| self.deadline(*number).is_some_and(|due| due <= at))
            .collect();
        self.now = self.now.max(at);
        if let Some((number, event)) = self.wire.deliver(self.now) {
            self.turn(number, event);
            return true;
        }
        for number in due {
            self.turn(number, Event::Tick);
        }
        true
    }

    fn next(&self) -> Option<Millis> {
        let deadlines = (0..self.nodes.len()).filter_map(|number| self.deadline(number));
        deadlines.chain(self.wire.next()).min()
    }

    fn deadline(&self, number: usize) -> Option<Millis> {
        // A dial that cannot succeed here would be due for ever.
        let node = &self.nodes[number];
        let due = node.engine.as_ref()?.next_deadline()?;
        Some(node.when(due).max(self.now.plus(1)))
    }
}
