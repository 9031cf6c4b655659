//! What this account sets for itself: names for others, whom it blocks, what it wants of channels,
//! drafts. It stands in a channel of its own, to which its devices belong and nobody else, and
//! which is made when something is set for the first time.
//!
//! What holds of it is kept in memory; a text that does not hold any more is erased like that of a
//! deleted message.

mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kith_crdt::control::{CHANNEL_SELF, ControlLog, Right};
use kith_crdt::encoding::check_text;
use kith_crdt::ids::{AccountId, ChannelId, MessageId};
use kith_crdt::limits::NAME_MAX_CHARS;
use kith_crdt::projection::{self, Claim, ClaimKind, Settings};
use kith_crdt::retention::Retention;
use kith_crdt::segment::{Entry, Setting, Subject};
use kith_crdt::time::Millis;
use kith_store::View;

use super::apply::Spot;
use super::channel::Channel;
use super::effect::{Outcome, Refusal};
use super::texts::check_name;
use super::write::{check_message_text, no_channel, shows_nothing};
use super::{Engine, Timer};
use crate::claims;
use crate::record::What;

pub use view::{Draft, DraftOf, Notify, OwnView, Wishes};

/// What this account has set for itself.
#[derive(Debug, Default)]
pub(super) struct Own {
    settings: Settings,
    /// The texts of those that hold and have one.
    texts: BTreeMap<MessageId, String>,
    /// What was set in this turn.
    changed: BTreeSet<Subject>,
    /// What readers have not been told of.
    untold: BTreeSet<Subject>,
    blocked: Arc<BTreeSet<AccountId>>,
}

impl Own {
    /// Whom this account has blocked.
    pub(super) fn blocked(&self) -> Arc<BTreeSet<AccountId>> {
        Arc::clone(&self.blocked)
    }

    fn view(&self) -> OwnView {
        let mut view = OwnView {
            blocked: self.blocked(),
            ..OwnView::default()
        };
        for about in self.settings.subjects() {
            let value = self.settings.value(about).filter(|value| *value > 0);
            let texts = || {
                let holding = self.settings.holding(about).into_iter();
                holding.filter_map(|at| Some((at, self.texts.get(&at.id())?.clone())))
            };
            match about {
                Subject::Name(account) => {
                    if let Some(name) = self.name_of(about) {
                        view.names.insert(*account, name);
                    }
                }
                Subject::Mute(channel) => {
                    let wishes = view.channels.entry(*channel).or_default();
                    wishes.muted_until = value.map(Millis);
                }
                Subject::Archive(channel) => {
                    let wishes = view.channels.entry(*channel).or_default();
                    wishes.archived_at = value.map(Millis);
                }
                Subject::Notify(channel) => {
                    let wishes = view.channels.entry(*channel).or_default();
                    wishes.notify = Notify::of(value.unwrap_or(0));
                }
                Subject::Draft(channel, thread) => {
                    let drafts: Vec<Draft> = texts()
                        .map(|(at, text)| Draft {
                            id: at.id(),
                            at: at.hlc.millis(),
                            text,
                        })
                        .collect();
                    if !drafts.is_empty() {
                        view.drafts.insert((*channel, *thread), drafts);
                    }
                }
                Subject::Verify(account) => {
                    if value.is_some() {
                        view.verified.insert(*account);
                    }
                }
                Subject::Block(_) | Subject::Other { .. } => {}
            }
        }
        view
    }

    /// The name that the latest setting gives: none if that gives none.
    fn name_of(&self, about: &Subject) -> Option<String> {
        let latest = self.settings.holding(about).into_iter().next()?;
        let name = self.texts.get(&latest.id())?;
        let fits = check_text(name, NAME_MAX_CHARS, "name").is_ok();
        fits.then(|| name.clone())
    }

    fn blocked_now(&self) -> BTreeSet<AccountId> {
        let blocked = self.settings.subjects().filter_map(|about| match about {
            Subject::Block(account) => Some((account, self.settings.value(about)?)),
            _ => None,
        });
        blocked
            .filter(|(_, value)| *value > 0)
            .map(|(account, _)| *account)
            .collect()
    }
}

impl Channel {
    /// Whether an account keeps its settings in it.
    pub(super) fn is_own(&self, me: &AccountId) -> bool {
        self.roster.kind == CHANNEL_SELF && self.roster.members.contains_key(me)
    }

    /// Whether a setting counts: a device of the account wrote it, and no removal hides it.
    fn counts(&self, view: &View<'_>, me: &AccountId, claim: &Claim) -> bool {
        let log_id = claim.at.log;
        let Some(log) = self.logs.get(&log_id) else {
            return false;
        };
        if self.roster.account_of(&log_id.writer.device) != Some(*me) {
            return false;
        }
        let last = log_id.place(log.head);
        self.roster.counts_up_to(me, Right::Write, &last)
            || claims::epoch_of(view, &self.id, &claim.at).is_some_and(|epoch| {
                projection::is_shown(&self.roster, me, (&claim.at, claim.hlc), &epoch)
            })
    }
}

impl Engine {
    /// Sets something for this account, on all of its devices.
    ///
    /// # Errors
    /// [`Refusal`] if a text is out of bounds, the channel is not here, or its key has not come
    /// from this account's other devices yet.
    pub(super) fn set(
        &mut self,
        now: Millis,
        about: Subject,
        (value, text): (u64, Option<&str>),
    ) -> Result<Outcome, Refusal> {
        self.check_setting(&about, text)?;
        let holding = self.own.settings.holding(&about);
        let is_so = match holding.as_slice() {
            [] => value == 0 && text.is_none(),
            [one] => {
                self.own.settings.value(&about) == Some(value)
                    && self.own.texts.get(&one.id()).map(String::as_str) == text
            }
            _ => false,
        };
        if is_so {
            return Ok(Outcome::Done);
        }
        let id = self.own_channel(now)?;
        let setting = Setting {
            about,
            replaces: holding.iter().map(projection::Spot::id).collect(),
            value,
        };
        let entry = Entry::Setting(setting);
        self.write(now, id, Right::Write, &entry, text.map(str::as_bytes))?;
        Ok(Outcome::Done)
    }

    fn check_setting(&self, about: &Subject, text: Option<&str>) -> Result<(), Refusal> {
        match about {
            Subject::Name(account) | Subject::Block(account) | Subject::Verify(account)
                if *account == self.me =>
            {
                Err(Refusal::Usage(
                    "that is your own account: `kith account show` shows it".into(),
                ))
            }
            Subject::Name(_) => {
                text.map_or(Ok(()), |name| check_name(name, "name", NAME_MAX_CHARS))
            }
            Subject::Draft(channel, _) => {
                self.check_is_conversation(channel)?;
                match text {
                    Some(text) if shows_nothing(text) => Err(Refusal::Usage(
                        "a draft needs some text: `kith draft CHANNEL --discard` throws one away"
                            .into(),
                    )),
                    Some(text) => check_message_text(text),
                    None => Ok(()),
                }
            }
            Subject::Mute(channel) | Subject::Archive(channel) | Subject::Notify(channel) => {
                self.check_is_conversation(channel)
            }
            Subject::Block(_) | Subject::Verify(_) | Subject::Other { .. } => Ok(()),
        }
    }

    fn check_is_conversation(&self, id: &ChannelId) -> Result<(), Refusal> {
        let channel = self.channels.get(id).filter(|it| !it.is_own(&self.me));
        channel.map(|_| ()).ok_or_else(no_channel)
    }

    /// The channel in which settings are written: the one with the smallest id of those there are,
    /// or a new one.
    fn own_channel(&mut self, now: Millis) -> Result<ChannelId, Refusal> {
        let own = self.channels.values().find(|channel| {
            channel.is_own(&self.me) && channel.roster.belongs_on(&self.me, &self.writer.device)
        });
        if let Some(channel) = own {
            return Ok(channel.id);
        }
        self.check_room()?;
        let (control, create) = ControlLog::create_own(&self.secrets, now, &mut self.rng)
            .map_err(|error| Refusal::Usage(error.to_string()))?;
        let id = self.found_channel(now, (control, &create), Retention::Forever)?;
        self.sync_soon(now, id);
        Ok(id)
    }

    /// Takes a setting that an envelope says.
    pub(super) fn project_setting(&mut self, id: ChannelId, spot: Spot, setting: &Setting) {
        let me = self.me;
        let Some(channel) = self.channels.get(&id) else {
            return;
        };
        let written = (&spot.place, spot.hlc);
        let is_mine = channel.roster.account_of(&spot.place.log.writer.device) == Some(me);
        if !is_mine || !channel.is_own(&me) {
            return;
        }
        if !projection::is_shown(&channel.roster, &me, written, &spot.epoch) {
            return;
        }
        let at = projection::Spot {
            channel: id,
            place: spot.place,
            hlc: spot.hlc,
        };
        self.own.settings.take(at, setting);
        self.own.changed.insert(setting.about);
        self.happened(id, spot.hlc.millis(), What::Own(spot.place));
    }

    /// Takes everything anew, since what counts may be something else: as soon as nothing of it is
    /// on its way to the disk.
    pub(super) fn weigh_own_anew(&mut self, now: Millis) {
        let mut touched = self.stage.touched.iter();
        let is_own = |id| {
            self.channels
                .get(id)
                .is_some_and(|it: &Channel| it.is_own(&self.me))
        };
        if touched.any(is_own) {
            return self.timers.set(Timer::Settings, now.plus(1));
        }
        self.reload_own();
    }

    /// Takes everything anew that the store has of settings.
    pub(super) fn reload_own(&mut self) {
        let reader = self.store.reader();
        let view = reader.view();
        let mut settings = Settings::default();
        let own = self.channels.values().filter(|it| it.is_own(&self.me));
        for channel in own {
            for claim in claims::about(&view, &channel.id, &claims::SETTINGS) {
                if let ClaimKind::Setting(setting) = &claim.kind
                    && channel.counts(&view, &self.me, &claim)
                {
                    let at = projection::Spot {
                        channel: channel.id,
                        place: claim.at,
                        hlc: claim.hlc,
                    };
                    settings.take(at, setting);
                }
            }
        }
        let before = std::mem::replace(&mut self.own.settings, settings);
        self.own.changed.extend(before.subjects());
        self.own.changed.extend(self.own.settings.subjects());
        self.own.texts.clear();
        self.settle_own();
    }

    /// Has texts looked for again that came without their bodies.
    pub(super) fn own_body_came(&mut self, id: ChannelId) {
        if self.channels.get(&id).is_some_and(|it| it.is_own(&self.me)) {
            self.own.changed.extend(self.own.settings.subjects());
        }
    }

    /// Does what follows from what was set: texts that do not hold are erased, and whoever is
    /// blocked is silent.
    pub(super) fn settle_own(&mut self) {
        let changed = std::mem::take(&mut self.own.changed);
        if changed.is_empty() {
            return;
        }
        for about in changed.iter().filter(|about| about.is_text()) {
            for gone in self.own.settings.replaced(about) {
                self.own.texts.remove(&gone.id());
                self.erase_setting(&gone);
            }
        }
        let blocked = self.own.blocked_now();
        if blocked != *self.own.blocked {
            self.block(blocked);
        }
        self.own.untold.extend(changed);
    }

    /// Has readers see what was set, once it is on the disk.
    pub(super) fn share_own(&mut self) {
        let untold = std::mem::take(&mut self.own.untold);
        if untold.is_empty() {
            return;
        }
        for about in untold.iter().filter(|about| about.is_text()) {
            for held in self.own.settings.holding(about) {
                if !self.own.texts.contains_key(&held.id())
                    && let Some(text) = self.text_of_setting(&held)
                {
                    self.own.texts.insert(held.id(), text);
                }
            }
        }
        self.shared.put_own(Arc::new(self.own.view()));
    }

    fn erase_setting(&mut self, gone: &projection::Spot) {
        let place = gone.place;
        let Some(channel) = self.channels.get_mut(&gone.channel) else {
            return;
        };
        let log = channel.logs.get(&place.log);
        if log.is_some_and(|log| !log.erased.contains(place.seq)) {
            channel.to_erase.insert(place);
            self.lives.set_by(Timer::Forget(gone.channel), self.now);
        }
    }

    fn text_of_setting(&self, at: &projection::Spot) -> Option<String> {
        let envelope = self.stored_envelope(at.channel, at.place)?;
        let channel = self.channels.get(&at.channel)?;
        let window = at.place.log.segment.window;
        let key = channel.keys.window_key(&envelope.header.epoch, window)?;
        let body = envelope.open(&at.channel, &key).ok()?.body?;
        String::from_utf8(body).ok()
    }

    /// Has those be silent here who are blocked, and those be heard who are not any more.
    fn block(&mut self, blocked: BTreeSet<AccountId>) {
        let before = std::mem::replace(&mut self.own.blocked, Arc::new(blocked));
        let now = Arc::clone(&self.own.blocked);
        let differ: BTreeSet<AccountId> = before.symmetric_difference(&now).copied().collect();
        let reader = self.store.reader();
        for channel in self.channels.values_mut() {
            channel.blocked = Arc::clone(&now);
            if differ
                .iter()
                .any(|it| channel.roster.members.contains_key(it))
            {
                channel.weigh_those_of(&reader.view(), &differ, &self.me);
                self.stage.touched.insert(channel.id);
            }
        }
    }
}
