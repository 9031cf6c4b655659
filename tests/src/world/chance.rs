//! What befalls a world at random, and how it comes to rest.

use kith_crdt::ids::ChannelId;
use rand_chacha::rand_core::Rng;

use super::World;

impl World {
    /// Lets people write while nodes crash and lines are cut at random. Returns how many messages
    /// were acknowledged.
    pub fn live(&mut self, channel: &ChannelId, steps: u32) -> u64 {
        let mut written = 0;
        for step in 0..steps {
            let number = self.random(self.nodes.len());
            let other = self.random(self.nodes.len());
            let runs = self.nodes[number].engine.is_some();
            match self.random(10) {
                0 if runs => self.crash(number),
                0 | 1 if !runs => self.start(number),
                1 | 2 if number != other => {
                    let open = self.random(2) == 0;
                    self.link(number, other, open);
                }
                3 => {
                    let ms = self.random(45_000) as u64;
                    self.pass(ms);
                }
                _ if runs => {
                    self.say(number, *channel, &format!("step {step}"));
                    written += 1;
                }
                _ => {}
            }
        }
        written
    }

    /// Mends every line and starts every node.
    pub fn heal(&mut self) {
        self.heal_but(&[]);
    }

    /// Mends every line and starts every node but some.
    pub fn heal_but(&mut self, lost: &[usize]) {
        for number in 0..self.nodes.len() {
            if self.nodes[number].engine.is_none() && !lost.contains(&number) {
                self.start(number);
            }
            for other in 0..number {
                self.link(number, other, true);
            }
        }
    }

    /// Lets time pass until nodes have equal digests, and verifies the channel at each of them.
    ///
    /// # Panics
    /// If they do not come to, or something is not as the signed entries make it.
    pub fn until_agreed(&mut self, numbers: &[usize], channel: &ChannelId) {
        self.until_of_one_digest(numbers, channel);
        for number in numbers {
            self.verify(*number, channel);
        }
    }

    /// Lets time go on until these nodes say the same of what they hold, even where their disks
    /// have lost some of it.
    ///
    /// # Panics
    /// If they do not within twenty minutes of virtual time.
    pub fn until_of_one_digest(&mut self, numbers: &[usize], channel: &ChannelId) {
        self.until("all agree", |world| {
            let first = world.digest(numbers[0], channel);
            first.is_some()
                && numbers
                    .iter()
                    .all(|number| world.digest(*number, channel) == first)
        });
    }

    pub(super) fn random(&mut self, below: usize) -> usize {
        (self.rng.next_u64() % below as u64) as usize
    }
}
