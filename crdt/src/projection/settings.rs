//! Settings: what an account set for itself, and what holds of it.
//!
//! 1. A setting replaces those that it names, if they are about the same subject and stand before
//!    it by [`Position`]: whoever writes honestly writes later than what they know of, and nobody
//!    replaces what is not written yet.
//! 2. Of the settings about one subject those hold that no other one replaces. Whoever sets
//!    something replaces all that they knew of, so that mostly one holds; what several devices set
//!    without knowing of each other holds until one of them, or another, sets it again.
//! 3. Where several hold: whoever is blocked by one of them is blocked, since the other way round
//!    somebody would be heard who was to be silent; of two times until which a channel is muted
//!    the later one counts; drafts are all there, since each is somebody's words; and of everything
//!    else the latest by [`Position`].
//!
//! Which entries count at all, by the roster of the channel they are in, is not decided here.

use std::collections::BTreeMap;

use super::Position;
use crate::ids::{ChannelId, MessageId, Place};
use crate::segment::{Setting, Subject};
use crate::time::Hlc;

/// Where a setting was written, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetAt {
    /// The account's own channel.
    pub channel: ChannelId,
    /// The place in it.
    pub place: Place,
    /// When.
    pub hlc: Hlc,
}

impl SetAt {
    /// The id by which it is replaced.
    pub fn id(&self) -> MessageId {
        self.place.message_id(&self.channel)
    }

    const fn position(&self) -> Position {
        Position::new(self.hlc, self.place)
    }
}

/// What was set about one subject.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Register {
    /// What no other setting replaces, and what it says.
    holding: BTreeMap<Position, (SetAt, u64)>,
    /// What is named as replaced, whether it is here or not, and by which at the latest.
    replaced: BTreeMap<MessageId, Position>,
}

impl Register {
    fn is_replaced(&self, at: &SetAt) -> bool {
        let by = self.replaced.get(&at.id());
        by.is_some_and(|by| *by > at.position())
    }
}

/// Everything that an account has set and that holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    about: BTreeMap<Subject, Register>,
}

impl Settings {
    /// Takes a setting in that counts, which may be here already. Returns those that hold no more
    /// because of it, or itself if it does not hold.
    pub fn take(&mut self, at: SetAt, setting: &Setting) -> Vec<SetAt> {
        let register = self.about.entry(setting.about).or_default();
        for id in &setting.replaces {
            let by = register.replaced.entry(*id).or_insert(at.position());
            *by = at.position().max(*by);
        }
        register.holding.insert(at.position(), (at, setting.value));
        let gone: Vec<SetAt> = register
            .holding
            .values()
            .map(|(held, _)| *held)
            .filter(|held| register.is_replaced(held))
            .collect();
        for held in &gone {
            register.holding.remove(&held.position());
        }
        gone
    }

    /// What something is set about.
    pub fn subjects(&self) -> impl Iterator<Item = &Subject> {
        self.about.keys()
    }

    /// What holds about a subject, the latest first.
    pub fn holding(&self, about: &Subject) -> Vec<SetAt> {
        let register = self.about.get(about).into_iter();
        let holding = register.flat_map(|register| register.holding.values().rev());
        holding.map(|(at, _)| *at).collect()
    }

    /// What a subject is set to by all that holds; nothing if it never was.
    pub fn value(&self, about: &Subject) -> Option<u64> {
        let mut values = self
            .about
            .get(about)?
            .holding
            .values()
            .map(|(_, value)| *value);
        match about {
            Subject::Block(_) | Subject::Mute(_) => values.max(),
            _ => values.next_back(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use std::collections::BTreeSet;

    use super::*;
    use crate::ids::{AccountId, DeviceId, LogId, SegmentId, Window, Writer};

    const CHANNEL: ChannelId = ChannelId([1; 32]);
    const BEN: Subject = Subject::Block(AccountId([2; 32]));
    const DEN: ChannelId = ChannelId([3; 32]);

    fn at(device: u8, seq: u32, at: u64) -> SetAt {
        let writer = Writer {
            device: DeviceId([device; 32]),
            incarnation: 0,
        };
        let segment = SegmentId {
            window: Window(24),
            index: 0,
        };
        SetAt {
            channel: CHANNEL,
            place: LogId { segment, writer }.place(seq),
            hlc: Hlc(at),
        }
    }

    /// A device of the account: what it has, and what it has written.
    #[derive(Clone, Default)]
    struct Device {
        has: Settings,
        knows: BTreeSet<MessageId>,
        written: u32,
    }

    fn set(
        device: &mut Device,
        number: u8,
        at: u64,
        about: Subject,
        value: u64,
    ) -> (SetAt, Setting) {
        device.written += 1;
        let at = self::at(number, device.written, at);
        let replaces = device.has.holding(&about);
        let setting = Setting {
            about,
            replaces: replaces.iter().map(SetAt::id).collect(),
            value,
        };
        device.has.take(at, &setting);
        device.knows.insert(at.id());
        (at, setting)
    }

    #[test]
    fn what_is_set_by_two_who_do_not_know_of_each_other_is_decided_by_its_kind() {
        let cases = [
            (BEN, [1, 0], 1),
            (BEN, [0, 1], 1),
            (Subject::Mute(DEN), [70, 50], 70),
            (Subject::Mute(DEN), [50, 0], 50),
            (Subject::Archive(DEN), [70, 0], 0),
            (Subject::Notify(DEN), [2, 1], 1),
        ];
        for (about, [first, second], outcome) in cases {
            let (mut a, mut b) = (Device::default(), Device::default());
            let (at, one) = set(&mut a, 1, 10, about, first);
            let (then, other) = set(&mut b, 2, 20, about, second);
            a.has.take(then, &other);
            b.has.take(at, &one);
            assert_eq!(a.has, b.has);
            assert_eq!(a.has.value(&about), Some(outcome), "{about:?}");
            // Whoever knows of both settles it.
            set(&mut a, 1, 30, about, 0);
            assert_eq!(a.has.value(&about), Some(0));
            assert_eq!(a.has.holding(&about).len(), 1);
        }
        assert_eq!(Settings::default().value(&BEN), None);
    }

    #[test]
    fn drafts_that_do_not_know_of_each_other_are_both_there() {
        let about = Subject::Draft(DEN, None);
        let (mut a, mut b) = (Device::default(), Device::default());
        let (at, _) = set(&mut a, 1, 10, about, 0);
        let (then, other) = set(&mut b, 2, 20, about, 0);
        a.has.take(then, &other);
        assert_eq!(a.has.holding(&about), [then, at]);
        assert_eq!(
            a.has
                .holding(&Subject::Draft(DEN, Some(MessageId([1; 10])))),
            []
        );
    }

    #[test]
    fn nothing_is_replaced_before_it_is_written() {
        let forged = Setting {
            about: BEN,
            replaces: vec![at(1, 2, 20).id(), at(9, 1, 10).id()],
            value: 0,
        };
        for first in [true, false] {
            let mut device = Device::default();
            set(&mut device, 1, 5, Subject::Notify(DEN), 1);
            if first {
                device.has.take(at(9, 1, 10), &forged);
            }
            let (written, _) = set(&mut device, 1, 20, BEN, 1);
            if !first {
                device.has.take(at(9, 1, 10), &forged);
            }
            assert!(device.has.holding(&BEN).contains(&written));
            assert_eq!(device.has.value(&BEN), Some(1));
        }
    }

    /// What one of three devices does, and what a fourth says that replaces what it likes.
    #[derive(Debug, Clone)]
    enum Act {
        Set(usize, u8, u64),
        Meet(usize, usize),
        Forge(u8, u32, u32),
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let act = prop_oneof![
            6 => (0..3usize, 0..4u8, 0..3u64).prop_map(|(who, about, to)| Act::Set(who, about, to)),
            2 => (0..3usize, 0..3usize).prop_map(|(to, from)| Act::Meet(to, from)),
            1 => (0..4u8, 1..9u32, 1..9u32).prop_map(|(about, a, b)| Act::Forge(about, a, b)),
        ];
        prop::collection::vec(act, 1..40)
    }

    fn about(number: u8) -> Subject {
        [
            BEN,
            Subject::Mute(DEN),
            Subject::Notify(DEN),
            Subject::Draft(DEN, None),
        ][usize::from(number)]
    }

    proptest! {
        #[test]
        fn every_order_comes_to_the_same(acts in acts(), seed in any::<u64>()) {
            let mut devices = vec![Device::default(); 4];
            let mut all: Vec<(SetAt, Setting)> = Vec::new();
            for (now, act) in (10..).zip(&acts) {
                match *act {
                    Act::Set(who, what, to) => {
                        let number = u8::try_from(who).expect("three devices");
                        all.push(set(&mut devices[who], number, now, about(what), to));
                        // Whatever was known is replaced.
                        prop_assert_eq!(devices[who].has.holding(&about(what)).len(), 1);
                        prop_assert_eq!(devices[who].has.value(&about(what)), Some(to));
                    }
                    Act::Meet(to, from) => {
                        let known = devices[from].knows.clone();
                        for (at, setting) in all.iter().filter(|(at, _)| known.contains(&at.id())) {
                            devices[to].has.take(*at, setting);
                            devices[to].knows.insert(at.id());
                        }
                    }
                    Act::Forge(what, first, second) => {
                        devices[3].written += 1;
                        let forged = Setting {
                            about: about(what),
                            replaces: vec![at(0, first, 0).id(), at(3, second, 0).id()],
                            value: 9,
                        };
                        all.push((at(3, devices[3].written, now), forged));
                    }
                }
            }
            let once: BTreeSet<MessageId> = all.iter().map(|(at, _)| at.id()).collect();
            let mut shuffled: Vec<&(SetAt, Setting)> = all.iter().collect();
            let mut outcomes = Vec::new();
            for turn in 0..3 {
                // Another order each time, and some of it twice.
                shuffled.sort_by_key(|(at, _)| {
                    let id = at.id().0.first_chunk().copied().map(u64::from_be_bytes);
                    id.unwrap_or(0).wrapping_mul(seed | 1).rotate_left(turn * 21)
                });
                let mut has = Settings::default();
                let mut gone = BTreeSet::new();
                for (at, setting) in shuffled.iter().chain(shuffled.iter().take(5)) {
                    gone.extend(has.take(*at, setting).iter().map(SetAt::id));
                }
                // Each is told of once it holds no more.
                let holding = has.subjects().flat_map(|about| has.holding(about));
                let holding: BTreeSet<MessageId> = holding.map(|at| at.id()).collect();
                prop_assert!(gone.is_disjoint(&holding));
                prop_assert_eq!(&(&gone | &holding), &once);
                outcomes.push(has);
            }
            prop_assert!(outcomes.windows(2).all(|two| two[0] == two[1]));
            // Nothing that was set is lost before something later replaces it.
            for (at, setting) in &all {
                let is_replaced = all.iter().any(|(by, other)| {
                    other.about == setting.about
                        && other.replaces.contains(&at.id())
                        && by.position() > at.position()
                });
                let holds = outcomes[0].holding(&setting.about).contains(at);
                prop_assert_eq!(holds, !is_replaced);
            }
        }
    }
}
