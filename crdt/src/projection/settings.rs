//! Settings: what an account set for itself, and what holds of it.
//!
//! 1. Of the settings about one subject those hold that no other one replaces. Whoever sets
//!    something replaces all that they knew of, so that mostly one holds; what several devices set
//!    without knowing of each other holds until one of them, or another, sets it again.
//! 2. Where several hold: whoever is blocked by one of them is blocked, since the other way round
//!    somebody would be heard who was to be silent; of two times until which a channel is muted
//!    the later one counts; drafts are all there, since each is somebody's words; and of everything
//!    else the latest by [`Position`].
//!
//! Which entries count at all, by the roster of the channel they are in, is not decided here.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::Position;
use crate::ids::{ChannelId, MessageId, Place};
use crate::segment::{Setting, Subject};
use crate::time::Hlc;

/// Where a setting was written, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// The account's own channel.
    pub channel: ChannelId,
    /// The place in it.
    pub place: Place,
    /// When.
    pub hlc: Hlc,
}

impl Spot {
    /// The id by which it is replaced.
    pub fn id(&self) -> MessageId {
        self.place.message_id(&self.channel)
    }

    const fn position(&self) -> Position {
        Position::new(self.hlc, self.place)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    at: Spot,
    replaces: Vec<MessageId>,
    value: u64,
}

/// Everything that an account has set, whether it holds or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    said: BTreeMap<Subject, BTreeMap<MessageId, Said>>,
}

impl Settings {
    /// Takes a setting in that counts. It may be there already.
    pub fn take(&mut self, at: Spot, setting: &Setting) {
        let said = Said {
            at,
            replaces: setting.replaces.clone(),
            value: setting.value,
        };
        let about = self.said.entry(setting.about).or_default();
        about.insert(at.id(), said);
    }

    /// What something is set about.
    pub fn subjects(&self) -> impl Iterator<Item = &Subject> {
        self.said.keys()
    }

    /// What holds about a subject, the latest first.
    pub fn holding(&self, about: &Subject) -> Vec<Spot> {
        self.split(about)
            .0
            .into_iter()
            .map(|said| said.at)
            .collect()
    }

    /// What was set about a subject and is replaced.
    pub fn replaced(&self, about: &Subject) -> Vec<Spot> {
        self.split(about)
            .1
            .into_iter()
            .map(|said| said.at)
            .collect()
    }

    /// What a subject is set to by all that holds; nothing if it never was.
    pub fn value(&self, about: &Subject) -> Option<u64> {
        let holding = self.split(about).0;
        let mut values = holding.iter().map(|said| said.value);
        match about {
            Subject::Block(_) | Subject::Mute(_) => values.max(),
            _ => values.next(),
        }
    }

    fn split(&self, about: &Subject) -> (Vec<&Said>, Vec<&Said>) {
        let Some(said) = self.said.get(about) else {
            return (Vec::new(), Vec::new());
        };
        let replaced: BTreeSet<&MessageId> = said.values().flat_map(|it| &it.replaces).collect();
        let (mut holding, gone): (Vec<&Said>, Vec<&Said>) = said
            .values()
            .partition(|it| !replaced.contains(&it.at.id()));
        holding.sort_by_key(|said| Reverse(said.at.position()));
        (holding, gone)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::{AccountId, DeviceId, LogId, SegmentId, Window, Writer};

    const CHANNEL: ChannelId = ChannelId([1; 32]);
    const BEN: Subject = Subject::Block(AccountId([2; 32]));
    const DEN: ChannelId = ChannelId([3; 32]);

    fn spot(device: u8, seq: u32, at: u64) -> Spot {
        let writer = Writer {
            device: DeviceId([device; 32]),
            incarnation: 0,
        };
        let segment = SegmentId {
            window: Window(24),
            index: 0,
        };
        Spot {
            channel: CHANNEL,
            place: LogId { segment, writer }.place(seq),
            hlc: Hlc(at),
        }
    }

    /// A device of the account: what it has, and what it has written.
    #[derive(Clone, Default)]
    struct Device {
        has: Settings,
        written: u32,
    }

    fn set(
        device: &mut Device,
        number: u8,
        at: u64,
        about: Subject,
        value: u64,
    ) -> (Spot, Setting) {
        device.written += 1;
        let at = spot(number, device.written, at);
        let replaces = device.has.holding(&about);
        let setting = Setting {
            about,
            replaces: replaces.iter().map(Spot::id).collect(),
            value,
        };
        device.has.take(at, &setting);
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
            assert_eq!(
                (a.has.holding(&about).len(), a.has.replaced(&about).len()),
                (1, 2)
            );
        }
        assert_eq!(Settings::default().value(&BEN), None);
    }

    #[test]
    fn drafts_that_do_not_know_of_each_other_are_both_there() {
        let about = Subject::Draft(DEN, None);
        let (mut a, mut b) = (Device::default(), Device::default());
        let (at, one) = set(&mut a, 1, 10, about, 0);
        let (then, other) = set(&mut b, 2, 20, about, 0);
        a.has.take(then, &other);
        assert_eq!(a.has.holding(&about), [then, at]);
        assert_eq!(
            a.has
                .holding(&Subject::Draft(DEN, Some(MessageId([1; 10])))),
            []
        );
        let _ = one;
    }

    #[derive(Debug, Clone)]
    enum Act {
        Set(usize, u8, u64),
        Meet(usize, usize),
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let act = prop_oneof![
            3 => (0..3usize, 0..4u8, 0..3u64).prop_map(|(who, about, to)| Act::Set(who, about, to)),
            1 => (0..3usize, 0..3usize).prop_map(|(to, from)| Act::Meet(to, from)),
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
            let mut devices = vec![Device::default(); 3];
            let mut logs: Vec<Vec<(Spot, Setting)>> = vec![Vec::new(); 3];
            for (now, act) in acts.iter().enumerate() {
                match *act {
                    Act::Set(who, what, to) => {
                        let number = u8::try_from(who).expect("three devices");
                        let said = set(&mut devices[who], number, now as u64, about(what), to);
                        logs[who].push(said);
                        // Whatever was known is replaced.
                        prop_assert_eq!(devices[who].has.holding(&about(what)).len(), 1);
                        prop_assert_eq!(devices[who].has.value(&about(what)), Some(to));
                    }
                    Act::Meet(to, from) => {
                        for (at, setting) in logs.iter().flatten() {
                            if devices[from].has.said.get(&setting.about)
                                .is_some_and(|said| said.contains_key(&at.id()))
                            {
                                devices[to].has.take(*at, setting);
                            }
                        }
                    }
                }
            }
            let mut all: Vec<&(Spot, Setting)> = logs.iter().flatten().collect();
            let mut outcomes = Vec::new();
            for turn in 0..3u64 {
                // Another order each time, and some of it twice.
                all.sort_by_key(|(at, _)| seed.wrapping_mul(turn * 2 + 1) ^ u64::from(at.id().0[0]) << (turn * 8));
                let mut has = Settings::default();
                for (at, setting) in all.iter().chain(all.iter().take(5)) {
                    has.take(*at, setting);
                }
                outcomes.push(has);
            }
            prop_assert!(outcomes.windows(2).all(|two| two[0] == two[1]));
            // Nothing that was set is lost before something replaces it.
            for (at, setting) in &all {
                let is_replaced = all.iter().any(|(_, other)| other.replaces.contains(&at.id()));
                let holds = outcomes[0].holding(&setting.about).contains(at);
                prop_assert_eq!(holds, !is_replaced);
            }
        }
    }
}
