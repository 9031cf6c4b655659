//! Taking messages out of their envelopes, before anything that others did to them.

use kith_crdt::crypto::secret::Secret;
use kith_crdt::envelope::{Envelope, Opened};
use kith_crdt::ids::{AccountId, EpochId, MessageId, Place, Window};
use kith_crdt::limits::TEXT_MAX_CHARS;
use kith_crdt::projection::{Fate, Original, Written};
use kith_crdt::segment::{Entry, Message as Said, read_change};
use kith_crdt::time::{Hlc, Millis};

use super::Reading;
use crate::claims;
use crate::engine::ChannelView;
use crate::fate::Fates;

/// A message taken out of its envelope, before anything that others did to it. One whose time is
/// over cannot be had in this form.
pub(super) struct Found {
    pub(super) id: MessageId,
    pub(super) place: Place,
    pub(super) hlc: Hlc,
    pub(super) epoch: EpochId,
    pub(super) author: AccountId,
    pub(super) said: Said,
    /// When its time will be over, at the latest.
    pub(super) until: Option<Millis>,
    /// None where it is no text within bounds, or erased.
    pub(super) text: Option<String>,
}

impl Found {
    /// The message that claims are about.
    pub(super) const fn original(&self) -> Original {
        Original {
            author: self.author,
            place: self.place,
        }
    }
}

/// Opens envelopes of one channel. Neighbours in a page are mostly of one window, so the key of
/// the last one is kept.
pub(super) struct Opener<'c> {
    channel: &'c ChannelView,
    fates: Fates<'c>,
    last: Option<(EpochId, Window, Secret)>,
}

impl<'c> Opener<'c> {
    /// Both parts of an envelope; none where its key is not here or it does not open.
    fn open(&mut self, envelope: &Envelope) -> Option<Opened> {
        let channel = self.channel;
        envelope.open(&channel.id, self.key(envelope)?).ok()
    }

    /// The key of an envelope, if it is here.
    fn key(&mut self, envelope: &Envelope) -> Option<&Secret> {
        let (epoch, window) = (envelope.header.epoch, envelope.place().log.segment.window);
        if !matches!(&self.last, Some((e, w, _)) if (*e, *w) == (epoch, window)) {
            let key = self.channel.keys.window_key(&epoch, window)?;
            self.last = Some((epoch, window, key));
        }
        self.last.as_ref().map(|(_, _, key)| key)
    }

    /// Whether there is a message at a place and its time is over. Only the change is opened, not
    /// the text.
    pub(super) fn is_gone(&mut self, place: Place, stored: &[u8]) -> bool {
        let written = self.written(place, stored);
        written.is_some_and(|written| self.until(&place, &written).is_none())
    }

    fn written(&mut self, place: Place, stored: &[u8]) -> Option<Written> {
        let channel = self.channel;
        let envelope = Envelope::from_stored(stored, &channel.id, place).ok()?;
        let change = envelope
            .open_change(&channel.id, self.key(&envelope)?)
            .ok()?;
        let actor = place.log.writer.actor(&channel.id);
        match read_change(&change, &actor, place.seq).ok()? {
            Entry::Message(said) => written(channel, &envelope, &said),
            _ => None,
        }
    }

    /// Until when a message is there; none if its time is over.
    fn until(&self, place: &Place, written: &Written) -> Option<Option<Millis>> {
        match self.fates.of(place, written) {
            Fate::Lives { until } => Some(until),
            Fate::Over(_) => None,
        }
    }
}

impl Reading<'_> {
    /// The envelope at a place.
    pub(super) fn envelope(&self, channel: &ChannelView, place: Place) -> Option<Envelope> {
        claims::envelope(&self.view, &channel.id, place)
    }

    /// An opener that has no key at hand yet.
    pub(super) fn opener<'c>(&'c self, channel: &'c ChannelView) -> Opener<'c> {
        Opener {
            channel,
            fates: self.fates(channel),
            last: None,
        }
    }

    /// The message at a place; none if it cannot be opened, is none, or its time is over.
    pub(super) fn find(&self, channel: &ChannelView, place: Place) -> Option<Found> {
        let stored = self.view.envelope(&channel.id, &place)?;
        open(&mut self.opener(channel), place, &stored)
    }
}

/// Takes a message out of its envelope; none if the envelope does not open or says something else,
/// or the time of the message is over.
pub(super) fn open(opener: &mut Opener<'_>, place: Place, stored: &[u8]) -> Option<Found> {
    let channel = opener.channel;
    let envelope = Envelope::from_stored(stored, &channel.id, place).ok()?;
    let opened = opener.open(&envelope)?;
    let actor = place.log.writer.actor(&channel.id);
    let Entry::Message(said) = read_change(&opened.change, &actor, place.seq).ok()? else {
        return None;
    };
    let written = written(channel, &envelope, &said)?;
    let until = opener.until(&place, &written)?;
    Some(Found {
        id: place.message_id(&channel.id),
        place,
        hlc: written.hlc,
        epoch: written.epoch,
        author: written.author,
        said,
        until,
        text: opened.body.and_then(text_within_bounds),
    })
}

/// What decides how long a message lives; none if nobody of the channel wrote it.
fn written(channel: &ChannelView, envelope: &Envelope, said: &Said) -> Option<Written> {
    let device = envelope.place().log.writer.device;
    Some(Written {
        author: channel.roster.account_of(&device)?,
        hlc: envelope.header.hlc,
        epoch: envelope.header.epoch,
        expires_at: said.expires_at,
    })
}

/// The text in an envelope's body; none where it cannot be opened or is no text within bounds. It
/// is asked only about what belongs to a [`Found`].
pub(super) fn text_of(channel: &ChannelView, envelope: &Envelope) -> Option<String> {
    let (epoch, window) = (envelope.header.epoch, envelope.place().log.segment.window);
    let key = channel.keys.window_key(&epoch, window)?;
    text_within_bounds(envelope.open(&channel.id, &key).ok()?.body?)
}

fn text_within_bounds(body: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(body).ok()?;
    // No text has more characters than bytes.
    let fits = text.len() <= TEXT_MAX_CHARS || text.chars().count() <= TEXT_MAX_CHARS;
    fits.then_some(text)
}
