//! Durable events as they are told: the reference that was kept, filled with what it is about as
//! it is now.

use kith_api::Timestamp;
use kith_api::event::{Event, Happened, OwnSetting};
use kith_api::message::{DeliveryState, MessageKind};
use kith_crdt::control::{PolicyField, Right};
use kith_crdt::ids::{AccountId, ChannelId, MessageId, Place};
use kith_crdt::projection::{self, ClaimKind, Original};
use kith_crdt::segment::{Entry, Subject};

use super::policy::shown_retention;
use super::{Reading, roles};
use crate::claims;
use crate::clock;
use crate::engine::{ChannelView, Moment, Stands};
use crate::record::{Arrival, Happening, SETTING_RETENTION, SETTING_RETENTION_LIMITS, What};

impl Reading<'_> {
    /// Durable events after a cursor and up to the newest that readers may see, and the cursor to
    /// go on from. What cannot be shown any more is passed over.
    pub fn events(
        &self,
        since: u64,
        newest: u64,
        most: usize,
        only: Option<&ChannelId>,
    ) -> (Vec<Event>, u64) {
        let mut kept = self.view.events_since(since, most);
        kept.retain(|(cursor, _)| *cursor <= newest);
        let next = kept.last().map_or(since, |(cursor, _)| *cursor);
        let events = kept
            .iter()
            .filter_map(|(cursor, bytes)| {
                let happening = Happening::from_bytes(bytes).ok()?;
                if only.is_some_and(|only| *only != happening.channel) {
                    return None;
                }
                Some(Event {
                    cursor: Some(*cursor),
                    what: self.happened(&happening)?,
                })
            })
            .collect();
        (events, next)
    }

    /// The cursor of the newest durable event.
    pub(crate) fn newest_cursor(&self) -> u64 {
        self.view.newest_cursor().unwrap_or(0)
    }

    fn happened(&self, happening: &Happening) -> Option<Happened> {
        let channel = self.shared.channel(&happening.channel)?;
        if channel.is_own() && !matches!(happening.what, What::Own(_)) {
            return None;
        }
        let id = channel.id.into();
        let at = happening.at.into();
        let name_of = |account| self.name_of(&channel.roster, account);
        Some(match &happening.what {
            What::Message(message) => {
                let message = self.told(&channel, message)?;
                Happened::Message {
                    channel: id,
                    notify: self.wants(&channel, &message),
                    message,
                }
            }
            // An edit or deletion by somebody who may not changes nothing, and is not told.
            What::Edited(message) => Happened::MessageEdited {
                channel: id,
                message: self
                    .told(&channel, message)
                    .filter(|message| message.edited)?,
            },
            What::Deleted(message) => Happened::MessageDeleted {
                channel: id,
                message: self
                    .told(&channel, message)
                    .filter(|message| message.deleted)?,
            },
            What::Reaction(message, place) => {
                let (account, kind) = self.claim_at(&channel, message, *place)?;
                let ClaimKind::Reaction { emoji, on: added } = kind else {
                    return None;
                };
                if self.own.blocked.contains(&account) {
                    return None;
                }
                Happened::Reaction {
                    channel: id,
                    id: (*message).into(),
                    account: account.into(),
                    name: name_of(&account),
                    emoji,
                    added,
                    at,
                }
            }
            What::Pin(message, place) => {
                let (account, kind) = self.claim_at(&channel, message, *place)?;
                let ClaimKind::Pin { on } = kind else {
                    return None;
                };
                if self.own.blocked.contains(&account) {
                    return None;
                }
                Happened::Pin {
                    channel: id,
                    id: (*message).into(),
                    account: account.into(),
                    name: name_of(&account),
                    pinned: on,
                    at,
                }
            }
            What::Expired(message) => Happened::MessageExpired {
                channel: id,
                id: (*message).into(),
            },
            What::Read(account, messages) => {
                let there = messages.iter().filter(|message| self.is_there(message));
                let ids: Vec<_> = there.map(|message| (*message).into()).collect();
                if ids.is_empty() {
                    return None;
                }
                Happened::Read {
                    channel: id,
                    account: (*account).into(),
                    name: name_of(account),
                    ids,
                    at,
                }
            }
            What::Arrived(message, arrival) => Happened::State {
                channel: id,
                // What failed is gone, and told of for that very reason.
                id: (*arrival == Arrival::Failed || self.is_there(message))
                    .then_some((*message).into())?,
                state: match arrival {
                    Arrival::Sent => DeliveryState::Sent,
                    Arrival::Delivered => DeliveryState::Delivered,
                    Arrival::Read => DeliveryState::Read,
                    Arrival::Failed => DeliveryState::Failed,
                },
                at,
            },
            What::Member(account) => {
                let member = channel.roster.members.get(account)?;
                Happened::Member {
                    channel: id,
                    account: (*account).into(),
                    name: name_of(account),
                    role: roles::shown(member.role),
                    status: roles::status(Stands::of(&channel.roster, account, clock::now()).state),
                }
            }
            What::Own(place) => self.setting_at(&channel, *place, at)?,
            What::Policy => Happened::Policy {
                channel: id,
                name: channel.name.clone(),
                topic: channel.roster.topic.clone(),
                retention: shown_retention(channel.roster.retention()),
                setting: None,
            },
            What::Setting(number) => Happened::Policy {
                channel: id,
                name: channel.name.clone(),
                topic: channel.roster.topic.clone(),
                retention: shown_retention(channel.roster.retention()),
                setting: Some(Box::new(self.setting(&channel, field_of(*number)?))),
            },
        })
    }

    /// An event of the moment.
    pub(crate) fn moment(&self, moment: &Moment) -> Option<Event> {
        let name_in = |channel: &ChannelView, account: &AccountId| {
            let is_known = channel.roster.members.contains_key(account);
            is_known.then(|| self.name_of(&channel.roster, account))
        };
        let is_silent = |account: &AccountId| self.own.blocked.contains(account);
        let of = match moment {
            Moment::Typing { channel, .. }
            | Moment::Presence { channel, .. }
            | Moment::Sync { channel } => self.shared.channel(channel),
            Moment::Peer { .. } => None,
        };
        if of.is_some_and(|channel| channel.is_own()) {
            return None;
        }
        let what = match moment {
            Moment::Typing { account, .. } | Moment::Presence { account, .. }
                if is_silent(account) =>
            {
                return None;
            }
            Moment::Typing { channel, account } => {
                let view = self.shared.channel(channel)?;
                Happened::Typing {
                    channel: (*channel).into(),
                    account: (*account).into(),
                    name: name_in(&view, account)?,
                }
            }
            Moment::Presence {
                channel,
                account,
                device,
                present,
            } => {
                let view = self.shared.channel(channel)?;
                Happened::Presence {
                    account: (*account).into(),
                    name: name_in(&view, account)?,
                    device: (*device).into(),
                    online: *present,
                }
            }
            Moment::Peer {
                device,
                account,
                address,
                connected,
            } => {
                let name = account.and_then(|account| {
                    self.shared
                        .channels()
                        .iter()
                        .find_map(|channel| name_in(channel, &account))
                });
                Happened::Peer {
                    device: device.map(Into::into),
                    account: account.map(Into::into),
                    name,
                    address: address.clone(),
                    connected: *connected,
                }
            }
            Moment::Sync { channel } => {
                let view = self.shared.channel(channel)?;
                Happened::Sync {
                    channel: (*channel).into(),
                    sync: self.sync_state(&view),
                }
            }
        };
        Some(Event { cursor: None, what })
    }

    fn told(
        &self,
        channel: &ChannelView,
        message: &MessageId,
    ) -> Option<Box<kith_api::message::Message>> {
        let (_, place) = self.view.message(message)?;
        self.message(channel, place).map(Box::new)
    }

    /// Whether this account wants to be notified of a message.
    fn wants(&self, channel: &ChannelView, message: &kith_api::message::Message) -> bool {
        let me = self.me.into();
        let is_read = message.read_by.iter().any(|reader| reader.account == me);
        let mentions = message.mentions.contains(&me) || message.kind == MessageKind::Announcement;
        message.account != me && !is_read && self.own.wishes(&channel.id).want(mentions, self.now)
    }

    /// What was set by the entry at a place.
    fn setting_at(&self, channel: &ChannelView, place: Place, at: Timestamp) -> Option<Happened> {
        let of = (&channel.id, &*channel.keys);
        let Entry::Setting(setting) = claims::entry_at(&self.view, of, place)? else {
            return None;
        };
        let (what, account, channel) = match setting.about {
            Subject::Name(account) => (OwnSetting::Name, Some(account), None),
            Subject::Block(account) => (OwnSetting::Block, Some(account), None),
            Subject::Verify(account) => (OwnSetting::Verify, Some(account), None),
            Subject::Mute(channel) => (OwnSetting::Mute, None, Some(channel)),
            Subject::Archive(channel) => (OwnSetting::Archive, None, Some(channel)),
            Subject::Notify(channel) => (OwnSetting::Notify, None, Some(channel)),
            Subject::Draft(channel, _) => (OwnSetting::Draft, None, Some(channel)),
            Subject::Other { .. } => return None,
        };
        Some(Happened::Setting {
            setting: what,
            account: account.map(Into::into),
            channel: channel.map(Into::into),
            at,
        })
    }

    /// Whether a message is here and its time is not over.
    fn is_there(&self, message: &MessageId) -> bool {
        let found = self.view.message(message);
        found.is_some_and(|(channel, place)| !self.is_gone(&channel, &place))
    }

    /// What is claimed about a message at a place, and by whom; none if that does not count, or
    /// the time of the message is over.
    fn claim_at(
        &self,
        channel: &ChannelView,
        message: &MessageId,
        place: Place,
    ) -> Option<(AccountId, ClaimKind)> {
        let (_, of) = self.view.message(message)?;
        if self.is_gone(&channel.id, &of) {
            return None;
        }
        let original = Original {
            author: channel.roster.account_of(&of.log.writer.device)?,
            place: of,
        };
        let about = claims::about(&self.view, &channel.id, message);
        let claim = about.into_iter().find(|claim| claim.at == place)?;
        let account = projection::whose(&channel.roster, &original, &claim, |at| {
            claims::epoch_of(&self.view, &channel.id, at)
        })?;
        Some((account, claim.kind))
    }
}

/// What a kept event says was set.
fn field_of(number: u8) -> Option<PolicyField> {
    match number {
        0 => Some(PolicyField::History),
        SETTING_RETENTION => Some(PolicyField::Retention),
        SETTING_RETENTION_LIMITS => Some(PolicyField::RetentionLimits),
        _ => Right::from_number(number).map(PolicyField::Right),
    }
}
