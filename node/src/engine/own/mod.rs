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
use kith_crdt::limits::{NAME_MAX_CHARS, SETTING_REPLACES_MAX};
use kith_crdt::projection::{self, Claim, ClaimKind, SetAt, Settings};
use kith_crdt::retention::Retention;
use kith_crdt::segment::{Entry, Setting, Subject};
use kith_crdt::term::Term;
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
    /// What holds no more since.
    gone: Vec<(Subject, SetAt)>,
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
        let is_mine = self.roster.account_of(&log_id.writer.device) == Some(*me);
        if !is_mine || log_id.segment.term() != Term::FOREVER {
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
        only_if: Option<MessageId>,
    ) -> Result<Outcome, Refusal> {
        self.check_setting(&about, text)?;
        let holding = self.own.settings.holding(&about);
        let is_other = |wanted| holding.len() != 1 || holding[0].id() != wanted;
        if only_if.is_some_and(is_other) {
            return Err(Refusal::NotFound(
                "something else was set meanwhile: look at it first".into(),
            ));
        }
        let is_so = match holding.as_slice() {
            [] => value == 0 && text.is_none(),
            [one] if about.is_text() => self.is_textual(one, text),
            [_] => self.own.settings.value(&about) == Some(value),
            _ => false,
        };
        if is_so {
            return Ok(Outcome::Done);
        }
        let id = self.own_channel(now)?;
        // More hold than one may replace only where another device of the account misbehaves.
        loop {
            let holding = self.own.settings.holding(&about);
            let replaces = holding.iter().take(SETTING_REPLACES_MAX);
            let setting = Setting {
                about,
                replaces: replaces.map(SetAt::id).collect(),
                value,
            };
            let entry = Entry::Setting(setting);
            self.write(now, id, Right::Write, &entry, text.map(str::as_bytes))?;
            if holding.len() <= SETTING_REPLACES_MAX {
                return Ok(Outcome::Done);
            }
        }
    }

    /// Whether the text that was set at a place is known to be this one, or to be none.
    fn is_textual(&self, at: &SetAt, text: Option<&str>) -> bool {
        match (self.own.texts.get(&at.id()), text) {
            (Some(known), Some(text)) => known == text,
            (None, None) => self
                .stored_envelope(at.channel, at.place)
                .is_some_and(|envelope| envelope.header.body_hash.is_none()),
            _ => false,
        }
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
        // What ends would leave what it replaced to hold again.
        let is_kept = spot.place.log.segment.term() == Term::FOREVER;
        if !is_mine || !is_kept || !channel.is_own(&me) {
            return;
        }
        if !projection::is_shown(&channel.roster, &me, written, &spot.epoch) {
            return;
        }
        let at = SetAt {
            channel: id,
            place: spot.place,
            hlc: spot.hlc,
        };
        let gone = self.own.settings.take(at, setting).into_iter();
        self.own.gone.extend(gone.map(|at| (setting.about, at)));
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
        let mut gone = Vec::new();
        let own = self.channels.values().filter(|it| it.is_own(&self.me));
        for channel in own {
            for claim in claims::about(&view, &channel.id, &claims::SETTINGS) {
                if let ClaimKind::Setting(setting) = &claim.kind
                    && channel.counts(&view, &self.me, &claim)
                {
                    let at = SetAt {
                        channel: channel.id,
                        place: claim.at,
                        hlc: claim.hlc,
                    };
                    let over = settings.take(at, setting).into_iter();
                    gone.extend(over.map(|at| (setting.about, at)));
                }
            }
        }
        let before = std::mem::replace(&mut self.own.settings, settings);
        self.own.changed.extend(before.subjects());
        self.own.changed.extend(self.own.settings.subjects());
        self.own.texts.clear();
        self.own.gone = gone;
        self.settle_own();
        self.want_own_texts_back();
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
        for (about, gone) in std::mem::take(&mut self.own.gone) {
            if about.is_text() {
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

    /// Keeps texts that hold after all, since what replaced them does not count, and has those looked
    /// for that were erased.
    fn want_own_texts_back(&mut self) {
        let texts = self.own.settings.subjects().filter(|about| about.is_text());
        let held: Vec<SetAt> = texts
            .flat_map(|about| self.own.settings.holding(about))
            .collect();
        for at in held {
            self.want_texts_back(at.channel, at.place);
        }
    }

    fn erase_setting(&mut self, gone: &SetAt) {
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

    fn text_of_setting(&self, at: &SetAt) -> Option<String> {
        let envelope = self.stored_envelope(at.channel, at.place)?;
        let channel = self.channels.get(&at.channel)?;
        let window = at.place.log.segment.window;
        let key = channel.keys.window_key(&envelope.header.epoch, window)?;
        let body = envelope.open(&at.channel, &key).ok()?.body?;
        String::from_utf8(body).ok()
    }

    /// Has those be silent here who are blocked, and those be heard who are not any more.
    fn block(&mut self, blocked: BTreeSet<AccountId>) {
        // Whatever they offered is asked for again.
        self.declined.of_blocked.clear();
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
