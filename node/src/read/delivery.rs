//! How far a message has come: computed from what each device is known to hold and each account
//! to have read, never stored per message.

use std::collections::BTreeMap;

use kith_api::message::{Delivery, DeliveryState, ReadBy, Recipient};
use kith_crdt::encoding;
use kith_crdt::ids::{AccountId, DeviceId, LogId, Place, SegmentId};
use kith_crdt::projection::SeenBy;
use kith_crdt::time::Millis;

use super::Reading;
use crate::engine::{ChannelView, Reach};

/// Bytes of what an account has read of a segment, as stored.
pub(in crate::read) const SEEN_MAX: usize = 4 * 1024 * 1024;

/// What pages look up more than once: receipts by segment, reach by log.
#[derive(Default)]
pub(super) struct Lookups {
    seen: BTreeMap<SegmentId, BTreeMap<AccountId, SeenBy>>,
    reach: BTreeMap<LogId, Reach>,
}

impl Reading<'_> {
    /// Who has read a message, and when, but for its author.
    pub(super) fn read_by(
        &self,
        channel: &ChannelView,
        place: Place,
        author: AccountId,
        lookups: &mut Lookups,
    ) -> Vec<ReadBy> {
        let segment = place.log.segment;
        let seen = lookups
            .seen
            .entry(segment)
            .or_insert_with(|| self.seen_in(channel, segment));
        seen.iter()
            .filter(|(account, _)| **account != author)
            .filter_map(|(account, seen)| {
                let at = seen.time_of(&place.log.writer, place.seq)?;
                Some(ReadBy {
                    account: (*account).into(),
                    at: at.into(),
                })
            })
            .collect()
    }

    /// The state of a message as far as this node knows.
    pub(super) fn state(
        &self,
        channel: &ChannelView,
        (place, at): (Place, Millis),
        author: AccountId,
        read_by: &[ReadBy],
        lookups: &mut Lookups,
    ) -> DeliveryState {
        // Who came too late to read it is not waited for.
        let mut others = channel
            .roster
            .active()
            .map(|member| member.account)
            .filter(|account| *account != author && channel.roster.reaches_back_to(account, at))
            .peekable();
        let anybody = others.peek().is_some();
        if anybody
            && others.all(|account| read_by.iter().any(|read| read.account == account.into()))
        {
            return DeliveryState::Read;
        }
        let reach = lookups
            .reach
            .entry(place.log)
            .or_insert_with(|| self.reach(channel, place.log, author));
        if anybody && place.seq <= reach.delivered {
            DeliveryState::Delivered
        } else if place.seq <= reach.sent {
            DeliveryState::Sent
        } else if channel.roster.is_member(&author) || channel.is_leaving {
            DeliveryState::Pending
        } else {
            // Nobody asks its author any more.
            DeliveryState::Failed
        }
    }

    /// Where a message has arrived, device by device.
    pub(super) fn deliveries(
        &self,
        channel: &ChannelView,
        (place, at): (Place, Millis),
        read_by: &[ReadBy],
    ) -> Vec<Delivery> {
        let roster = &channel.roster;
        roster
            .devices
            .iter()
            .filter(|(device, known)| known.active && **device != place.log.writer.device)
            .filter(|(_, known)| roster.reaches_back_to(&known.account, at))
            .map(|(device, known)| {
                let read = read_by
                    .iter()
                    .find(|read| read.account == known.account.into());
                let held =
                    *device == self.device || channel.holds.of(device, &place.log) >= place.seq;
                // What an account has read on one device another may not hold yet.
                let (state, at) = match (held, read) {
                    (false, _) => (DeliveryState::Pending, None),
                    (true, Some(read)) => (DeliveryState::Read, Some(read.at)),
                    (true, None) => {
                        let arrived = channel.holds.since(device, &place.log, place.seq);
                        (DeliveryState::Delivered, arrived.map(Into::into))
                    }
                };
                Delivery {
                    account: known.account.into(),
                    name: self.name_of(&channel.roster, &known.account),
                    device: (*device).into(),
                    device_name: known.name.clone(),
                    state,
                    at,
                }
            })
            .collect()
    }

    fn seen_in(&self, channel: &ChannelView, segment: SegmentId) -> BTreeMap<AccountId, SeenBy> {
        self.view
            .seen(&channel.id, &segment)
            .into_iter()
            .filter_map(|(account, bytes)| {
                Some((account, encoding::decode(&bytes, SEEN_MAX).ok()?))
            })
            .collect()
    }

    fn reach(&self, channel: &ChannelView, log: LogId, author: AccountId) -> Reach {
        let devices = channel
            .roster
            .devices
            .iter()
            .filter(|(_, known)| known.active)
            .map(|(device, known)| (*device, known.account));
        // What is read here is held here.
        channel.holds.reach(
            &log,
            devices,
            &author,
            Some(self.device).filter(|here: &DeviceId| *here != log.writer.device),
        )
    }
}

/// Where a message has arrived, account by account: what its devices make of each. Its author's own
/// comes last.
pub(super) fn recipients(
    author: AccountId,
    read_by: &[ReadBy],
    delivery: &[Delivery],
) -> Vec<Recipient> {
    let mut recipients = BTreeMap::<(bool, AccountId), Recipient>::new();
    for there in delivery {
        let own = there.account.0 == author;
        let recipient = recipients.entry((own, there.account.0)).or_insert_with(|| {
            let read = read_by.iter().find(|read| read.account == there.account);
            Recipient {
                account: there.account,
                name: there.name.clone(),
                state: read.map_or(DeliveryState::Pending, |_| DeliveryState::Read),
                at: read.map(|read| read.at),
                devices: 0,
                holding: 0,
                own,
            }
        });
        recipient.devices += 1;
        if there.state == DeliveryState::Pending {
            continue;
        }
        recipient.holding += 1;
        if recipient.state != DeliveryState::Read {
            recipient.state = DeliveryState::Delivered;
            recipient.at = recipient.at.into_iter().chain(there.at).min();
        }
    }
    recipients.into_values().collect()
}

#[cfg(test)]
mod tests {
    use kith_api::{Id, Timestamp};

    use super::*;

    /// What is known of one device of an account: the state, and since when.
    fn on(account: u8, state: DeliveryState, at: Option<u64>) -> Delivery {
        Delivery {
            account: Id(AccountId([account; 32])),
            name: format!("person {account}"),
            device: Id(DeviceId([account; 32])),
            device_name: "device".into(),
            state,
            at: at.map(Timestamp),
        }
    }

    /// Each account's number, with its state and since when, how many devices it has, and how many
    /// of them hold the message.
    fn told(read_by: &[ReadBy], delivery: &[Delivery]) -> Vec<(u8, DeliveryState, u64, u64, u64)> {
        let recipients = recipients(AccountId([1; 32]), read_by, delivery);
        let told = recipients.iter().map(|there| {
            assert_eq!(there.own, there.account.0 == AccountId([1; 32]));
            let since = there.at.map_or(0, |at| at.0);
            let number = there.account.0.0[0];
            (number, there.state, since, there.devices, there.holding)
        });
        told.collect()
    }

    #[test]
    fn an_account_has_what_any_device_of_it_has_since_the_first_known_arrival() {
        use DeliveryState::{Delivered, Pending};
        let delivery = [
            on(2, Delivered, None),
            on(3, Pending, None),
            on(2, Delivered, Some(20)),
            on(2, Delivered, Some(10)),
            on(2, Pending, None),
        ];
        assert_eq!(
            told(&[], &delivery),
            [(2, Delivered, 10, 4, 3), (3, Pending, 0, 1, 0)]
        );
    }

    #[test]
    fn the_author_comes_last_and_what_was_read_says_when() {
        use DeliveryState::{Delivered, Pending, Read};
        let read = ReadBy {
            account: Id(AccountId([2; 32])),
            at: Timestamp(30),
        };
        let delivery = [
            on(1, Delivered, Some(5)),
            on(2, Read, Some(30)),
            on(2, Pending, None),
        ];
        assert_eq!(
            told(&[read], &delivery),
            [(2, Read, 30, 2, 1), (1, Delivered, 5, 1, 1)]
        );
        // The word of the reading may come before the word of the arrival.
        assert_eq!(
            told(&[read], &[on(2, Pending, None)]),
            [(2, Read, 30, 1, 0)]
        );
    }
}
